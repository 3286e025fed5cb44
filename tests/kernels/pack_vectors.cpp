#include "halfstep/kernels/pack_vectors.hpp"

#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "halfstep/core/thread_pool.hpp"
#include "halfstep/kernels/decode_planes.hpp"
#include "halfstep/kernels/matmul.hpp"
#include "halfstep/kernels/reference_product.hpp"
#include "halfstep/kernels/vector_matmul.hpp"
#include "kernels/matrices.hpp"
#include "kernels/vector_samples.hpp"
#include "support/catch.hpp"
#include "support/float_matrix.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

template <int Dim, int Words>
void check_pack(Index rows, Index cols) {
  const FloatMatrix w = random_matrix(rows, cols, 31);
  const MatrixF x = random_eigen(5, cols, 32);
  ThreadPool pool(3);
  for (const Tiling& tiling : vector_tilings()) {
    CAPTURE(Dim, Words, rows, cols, tiling.tile_rows, tiling.tile_cols);
    const Index granules = granule_count(tiling, {rows, cols});
    const auto first = random_codebooks<Dim, Words>(granules, 33),
               second = random_codebooks<Dim, Words>(granules, 34, 0.2f);
    const auto one = quantize_vectors(w.view(), in_bytes(first), tiling);
    const PackedMatrix packed = pack(one);
    CHECK(pack(one, pool) == packed);
    CHECK(packed.plane_count() == 1);
    CHECK(difference(decode_packed(packed), dequantize(one)) == "");
    CHECK(difference(matmul(x, packed), reference_product(encode(x, Activation{}, packed.layout().group), packed)) ==
          "");

    const auto stages = to_int8_stages(first, second);
    const auto two = quantize_residual<Int8Codebook<Dim, Words>>(w.view(), {stages.first, stages.second}, tiling);
    const PackedMatrix planes = pack(two);
    CHECK(pack(two, pool) == planes);
    CHECK(planes.plane_count() == 2);
    const MatrixF values = dequantize(two), decoded = decode_packed(planes);
    // Each word rounds once, and so does their sum; the planes' sum is exact, and its scaling rounds once.
    for (Index i = 0; i < values.size(); ++i) {
      REQUIRE(std::fabs(values.data()[i] - decoded.data()[i]) <= 8 * 0x1p-23f);
    }
    CHECK(difference(matmul(x, planes), reference_product(encode(x, Activation{}, planes.layout().group), planes)) ==
          "");
  }
}

}  // namespace

TEST_CASE("8-bit codebooks become byte planes, exactly, and multiply as any weight", "[codebook]") {
  check_pack<4, 256>(33, 80);
  check_pack<2, 16>(70, 40);
  check_pack<1, 7>(16, 24);
  check_pack<4, 16>(1, 12);
  check_pack<4, 256>(48, 160);  // whole lane tiles, whose words go straight to their lines
  check_pack<4, 13>(37, 80);
}

TEST_CASE("words that fill whole lines are packed as any others", "[codebook]") {
  const FloatMatrix w = random_matrix(48, 144, 39);
  const MatrixF x = random_eigen(3, 144, 40);
  for (const Tiling& tiling :
       {per_tensor(), Tiling{0, 48, {}}, Tiling{16, 16, {}}, Tiling{24, 144, {}}, Tiling{0, 24, {}}}) {
    CAPTURE(tiling.tile_rows, tiling.tile_cols);
    const auto books = in_bytes(random_codebooks<8, 256>(granule_count(tiling, {48, 144}), 41));
    const auto codes = quantize_vectors(w.view(), books, tiling);
    const PackedMatrix packed = pack(codes);
    CHECK(difference(decode_packed(packed), dequantize(codes)) == "");
    CHECK(difference(matmul(x, packed), reference_product(encode(x, Activation{}, packed.layout().group), packed)) ==
          "");
  }
}

TEST_CASE("matrices without rows or columns can be packed", "[codebook]") {
  const auto books = in_bytes(random_codebooks<4, 16>(1, 35));
  CHECK(pack(VectorMatrix<Int8Codebook<4, 16>>({0, 0}, per_tensor(), {})).rows() == 0);
  CHECK(pack(VectorMatrix<Int8Codebook<4, 16>>({0, 8}, per_tensor(), {})).cols() == 8);
  const PackedMatrix empty = pack(VectorMatrix<Int8Codebook<4, 16>>({3, 0}, per_tensor(), {}));
  CHECK(matmul(MatrixF(2, 0), empty) == MatrixF::Zero(2, 3));
}

TEST_CASE("stages that cannot share a packed weight are refused", "[codebook]") {
  const FloatMatrix w = random_matrix(4, 8, 36);
  const auto books = in_bytes(random_codebooks<4, 16>(4, 37));
  const auto two =
      quantize_residual<Int8Codebook<4, 16>>(w.view(), {books, in_bytes(random_codebooks<4, 16>(4, 38))}, per_row());
  CHECK_RAISES(pack(two), "in granule 1, expected the ratio");
  const auto three = quantize_residual<Int8Codebook<4, 16>>(w.view(), {books, books, books}, per_row());
  CHECK_RAISES(pack(three), "pack: matrix has 3 stages, expected one or two");
  const auto whole = quantize_vectors(w.view(), in_bytes(random_codebooks<4, 16>(1, 39)));
  const auto rows = quantize_vectors(w.view(), books, per_row());
  CHECK_RAISES((pack(ResidualMatrix<Int8Codebook<4, 16>>({whole, rows}))), "stages have different tilings");
  using Stages = std::vector<VectorMatrix<Int8Codebook<4, 16>>>;
  const auto pack_all = [](const Stages& stages) {
    return pack_stages<4, 16>(std::span<const Stages::value_type>(stages));
  };
  CHECK_RAISES(pack_all({}), "pack: matrix has 0 stages, expected one or two");
  const auto taller = quantize_vectors(random_matrix(5, 8, 36).view(), whole.quantizers());
  const auto wider = quantize_vectors(random_matrix(4, 12, 36).view(), whole.quantizers());
  CHECK_RAISES(pack_all({taller, whole}), "pack: stages have shapes [5, 8] and [4, 8], expected one");
  CHECK_RAISES(pack_all({wider, whole}), "pack: stages have shapes [4, 12] and [4, 8], expected one");
  CHECK_RAISES((vector_matmul<4, 16>(MatrixF(1, 8), std::span<const Stages::value_type>(Stages{taller, whole}))),
               "pack: stages have shapes [5, 8] and [4, 8], expected one");
}

TEST_CASE("codes past the last word are packed like the last one", "[codebook]") {
  const auto check = [&]<int Words>(const std::vector<Codebook<1, Words>>& books) {
    VectorMatrix<Int8Codebook<1, Words>> past({1, 36}, per_tensor(), in_bytes(books)), last = past;
    past.set_row(0, std::vector<std::uint8_t>(36, (1 << Codebook<1, Words>::bits) - 1).data());
    last.set_row(0, std::vector<std::uint8_t>(36, Words - 1).data());
    CHECK(pack(past) == pack(last));
    CHECK(difference(decode_packed(pack(past)), dequantize(past)) == "");
  };
  check(random_codebooks<1, 5>(1, 40));
  check(random_codebooks<1, 200>(1, 41));
}
