// Vector codes, k-means, products by tables and split products have the same bits on every instruction set: one
// checksum, known beforehand. A change of it is a change of what the library computes.

#include <bit>
#include <cstdint>
#include <span>
#include <vector>

#include "halfstep/calibrators/rounding/k_means.hpp"
#include "halfstep/kernels/pack.hpp"
#include "halfstep/kernels/pack_vectors.hpp"
#include "halfstep/kernels/quantize.hpp"
#include "halfstep/kernels/softmax.hpp"
#include "halfstep/kernels/split_matmul.hpp"
#include "halfstep/kernels/table_matmul.hpp"
#include "halfstep/kernels/vector_matmul.hpp"
#include "support/catch.hpp"

using namespace halfstep;

namespace {

/// FNV-1a over the bits of floats and over bytes.
class Checksum {
 public:
  void add(std::span<const float> values) {
    for (const float x : values) add_bits(std::bit_cast<std::uint32_t>(x));
  }
  void add(std::span<const std::uint8_t> values) {
    for (const std::uint8_t x : values) add_bits(x);
  }
  void add(const MatrixF& m) { add(std::span(m.data(), static_cast<std::size_t>(m.size()))); }
  [[nodiscard]] std::uint64_t value() const { return value_; }

 private:
  void add_bits(std::uint32_t bits) {
    for (int i = 0; i < 4; ++i, bits >>= 8) value_ = (value_ ^ (bits & 255)) * 0x100000001b3u;
  }
  std::uint64_t value_ = 0xcbf29ce484222325u;
};

MatrixF normals(Index rows, Index cols, std::uint64_t stream) {
  MatrixF m(rows, cols);
  const Random random(12, stream);
  for (Index i = 0; i < m.size(); ++i) m.data()[i] = random.normal(static_cast<std::uint64_t>(i));
  return m;
}

}  // namespace

TEST_CASE("vector codes and what is made of them have the bits of every other instruction set") {
  Checksum sum;
  const MatrixF w = normals(40, 48, 1), x = normals(5, 48, 2);
  for (const Seeding seeding : {Seeding::plus_plus, Seeding::mahalanobis}) {
    const auto fitted = k_means<4, 64>(w, {.iterations = 6, .seeding = seeding, .seed = 3});
    sum.add(fitted.codebook.values);
    sum.add(fitted.codes);
    sum.add(table_matmul(x, quantize_vectors<Codebook<4, 64>>(w, {fitted.codebook})));
    const auto bytes = quantize_vectors<Int8Codebook<4, 64>>(w, {to_int8(fitted.codebook)});
    sum.add(vector_matmul(x, bytes));
    CHECK(vector_matmul(x, bytes) == matmul(x, pack(bytes)));
  }
  std::vector<float> h(48);
  for (std::size_t c = 0; c < h.size(); ++c) h[c] = 0.1f + static_cast<float>(c % 5);
  sum.add(k_means<2, 16>(w, {.iterations = 4, .column_weights = h}).codebook.values);
  CHECK(sum.value() == 0x040707413c07981bu);
}

TEST_CASE("split products and clipped softmax have the bits of every other instruction set") {
  Checksum sum;
  MatrixF x = normals(9, 48, 4);
  x(3, 7) = 9;
  x(8, 40) = -6;
  const MatrixF weight = normals(21, 48, 5);
  const PackedMatrix w = pack(quantize<Absmax<8>>(weight, {.tiling = per_row()}));
  const SplitMatrix columns = split(x);
  CHECK(columns.columns().size() == 2);
  sum.add(split_matmul(columns, w));
  sum.add(split_matmul(columns, w, {.float_weight = view(weight)}));
  clipped_softmax(mutable_view(x), {-0.03f, 1.1f}, 0.7f);
  sum.add(x);
  CHECK(sum.value() == 0xbbc681a9e923c544u);
}
