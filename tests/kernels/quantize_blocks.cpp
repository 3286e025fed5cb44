#include "halfstep/kernels/quantize_blocks.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <vector>

#include "halfstep/core/thread_pool.hpp"
#include "halfstep/kernels/matmul.hpp"
#include "halfstep/kernels/pack.hpp"
#include "halfstep/kernels/reference_product.hpp"
#include "halfstep/kernels/unpack.hpp"
#include "halfstep/quantizers/mx_float.hpp"
#include "halfstep/quantizers/nv_float.hpp"
#include "kernels/matrices.hpp"
#include "support/catch.hpp"
#include "support/code_twins.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

namespace {

/// The largest magnitude of columns [first, last) of row r.
float largest_of(const hs::MatrixF& w, hs::Index r, hs::Index first, hs::Index last) {
  return w.row(r).segment(first, last - first).cwiseAbs().maxCoeff();
}

template <hs::BlockFormat F>
F expected_block(const hs::MatrixF& w, hs::Index r, hs::Index first, hs::Index last) {
  const hs::Range range{0, largest_of(w, r, first, last), 0};
  if constexpr (hs::HasTensorScale<F>) {
    return F::fit_block(range, F::tensor_scale_of({0, w.cwiseAbs().maxCoeff(), 0}));
  } else {
    return F::fit(range);
  }
}

}  // namespace

TEMPLATE_TEST_CASE("every block has the parameters of its largest magnitude", "[quantize_blocks]", hs::MXFP4,
                   hs::MXFP6E2M3, hs::MXFP6E3M2, hs::MXFP8E4M3, hs::MXFP8E5M2, hs::NVFP4) {
  using F = TestType;
  const hs::MatrixF w = random_eigen(5, 75, 41);
  const hs::QuantizedMatrix<F> q = hs::quantize_blocks<F>(w);
  CHECK(q.tiling() == hs::per_group(F::block_size));
  CHECK(q.scale_storage() == F::scale_storage);
  for (hs::Index r = 0; r < 5; ++r) {
    for (hs::Index c = 0; c < 75; ++c) {
      const hs::Index first = c / F::block_size * F::block_size;
      const F block = expected_block<F>(w, r, first, std::min<hs::Index>(75, first + F::block_size));
      REQUIRE(q.quantizer_at(r, c) == block);
      REQUIRE(q.code(r, c) == block.encode(w(r, c)));
    }
  }
}

TEMPLATE_TEST_CASE("a product of blocks is that of the reference, and of what codes stand for", "[quantize_blocks]",
                   hs::MXFP4, hs::MXFP6E2M3, hs::MXFP6E3M2, hs::NVFP4) {
  using F = TestType;
  for (const hs::Index k : {1, 31, 32, 100, 256}) {
    hs::MatrixF w = random_eigen(37, k, 42);
    w.row(3).setZero();  // blocks of the least scale
    const hs::MatrixF x = random_eigen(6, k, 43);
    const auto quantized = hs::quantize_blocks<F>(w);
    const hs::PackedMatrix packed = hs::pack(quantized);
    CHECK(packed.storage() == (F::bits == 4 ? hs::WeightStorage::nibbles : hs::WeightStorage::bytes));
    CHECK(packed.plane_count() == (F::bits == 4 || std::is_same_v<F, hs::MXFP6E2M3> ? 1 : 2));
    const auto unpacked = hs::unpack(packed, quantized);
    CHECK(hs::pack(unpacked) == packed);
    int wrong = 0;
    for (hs::Index n = 0; n < 37; ++n) {
      for (hs::Index c = 0; c < k; ++c) {
        const F q = quantized.quantizer_at(n, c);
        wrong += is_code_or_twin(q, unpacked.code(n, c), quantized.code(n, c)) ? 0 : 1;
        wrong += unpacked.value(n, c) != quantized.value(n, c) ? 1 : 0;
      }
    }
    CHECK(wrong == 0);
    const hs::EncodedMatrix encoded = hs::encode(x, hs::Activation());
    const hs::MatrixF y = hs::matmul(x, packed);
    REQUIRE(difference(y, hs::reference_product(encoded, packed)) == "");
    const hs::MatrixF values = hs::dequantize(quantized);
    std::vector<double> slacks;  // the lowering's own error
    for (hs::Index g = 0; g < quantized.grid().count(); ++g) {
      slacks.push_back(static_cast<double>(hs::lower(quantized.quantizer(g)).max_error));
    }
    for (hs::Index m = 0; m < 6; ++m) {
      for (hs::Index n = 0; n < 37; ++n) {
        double exact = 0, bound = 0;
        for (hs::Index c = 0; c < k; ++c) {
          const double a = encoded.value(m, c), b = static_cast<double>(values(n, c));
          exact += a * b;
          const double slack = slacks[static_cast<std::size_t>(quantized.grid().granule(n, c))];
          // That error, and (groups + 2) roundings of float.
          bound += std::fabs(a) * (slack + std::ldexp(std::fabs(b), -23) * (static_cast<double>(k) / 16 + 3));
        }
        CAPTURE(k, m, n, exact);
        REQUIRE(std::fabs(static_cast<double>(y(m, n)) - exact) <= bound);
      }
    }
  }
}

TEMPLATE_TEST_CASE("8-bit blocks stay codes, which meet floats", "[quantize_blocks]", hs::MXFP8E4M3, hs::MXFP8E5M2) {
  using F = TestType;
  for (const hs::Index k : {1, 31, 32, 100, 256}) {
    hs::MatrixF w = random_eigen(37, k, 42);
    w.row(3).setZero();
    const auto quantized = hs::quantize_blocks<F>(w);
    const hs::PackedMatrix packed = hs::pack(quantized);
    CHECK(packed.storage() == hs::WeightStorage::minifloats);
    const auto unpacked = hs::unpack(packed, quantized);
    const hs::MatrixF values = hs::dequantize(quantized);
    const hs::MatrixU8 codes = hs::unpack_codes(packed);
    for (hs::Index n = 0; n < 37; ++n) {
      for (hs::Index c = 0; c < k; ++c) {
        REQUIRE(unpacked.code(n, c) == quantized.code(n, c));
        REQUIRE(codes(n, c) == quantized.code(n, c));
        REQUIRE(hs::packed_value(packed, n, c) == values(n, c));
      }
    }
    const hs::MatrixF x = random_eigen(6, k, 43);
    CHECK(difference(hs::matmul(x, packed), hs::reference_float_product(hs::view(x), packed)) == "");
  }
}

TEST_CASE("bits are those of the formats", "[quantize_blocks]") {
  const hs::MatrixF w = random_eigen(64, 256, 44);
  CHECK(hs::quantize_blocks<hs::MXFP4>(w).bits_per_weight() == 4.25);
  CHECK(hs::quantize_blocks<hs::MXFP6E3M2>(w).bits_per_weight() == 6.25);
  CHECK(hs::quantize_blocks<hs::MXFP8E4M3>(w).bits_per_weight() == 8.25);
  CHECK(hs::quantize_blocks<hs::NVFP4>(w).bits_per_weight() == 4.5 + 32.0 / (64 * 256));
  CHECK(hs::quantize_blocks<hs::NVFP4>(hs::MatrixF(0, 16)).bytes() == 0);
}

TEST_CASE("one level leaves the scale of the tensor out", "[quantize_blocks]") {
  const hs::MatrixF w = random_eigen(3, 40, 45);
  const auto q = hs::quantize_blocks<hs::NVFP4>(w, {.levels = hs::ScaleLevels::one});
  for (hs::Index g = 0; g < q.grid().count(); ++g) CHECK(q.quantizer(g).tensor_scale == 1);
  CHECK(q.quantizer_at(1, 20).scale == hs::stored_scale(largest_of(w, 1, 16, 32) / 6, hs::ScaleStorage::e4m3));
}

TEST_CASE("the executor does not show, and what cannot be a block is refused", "[quantize_blocks]") {
  hs::ThreadPool pool(3);
  hs::MatrixF w = random_eigen(200, 130, 46);
  CHECK(hs::quantize_blocks<hs::NVFP4>(w, {.executor = pool}) == hs::quantize_blocks<hs::NVFP4>(w));
  w(7, 65) = std::numeric_limits<float>::infinity();
  CHECK_RAISES(hs::quantize_blocks<hs::MXFP4>(w),
               "halfstep: quantize_blocks: matrix is not finite: row 7, column 65 is inf");
  CHECK_RAISES(hs::quantize<hs::Uniform<4>>(random_eigen(2, 3, 47), {.scale_storage = hs::ScaleStorage::e4m3}),
               "scale_storage is e4m3, which reaches from 2^-6 to 448 only");
}

TEST_CASE("scales of a block format are stored as its blocks are, in any tiling", "[quantize_blocks]") {
  const hs::MatrixF w = random_eigen(3, 64, 49);
  for (const hs::ScaleStorage asked : {hs::ScaleStorage::f32, hs::ScaleStorage::f16}) {
    const auto q = hs::quantize<hs::MXFP4>(w, {.tiling = hs::per_row(), .scale_storage = asked});
    CHECK(q.scale_storage() == hs::ScaleStorage::e8m0);
    CHECK(q.bits_per_weight() == 4 + 8.0 / 64);
    for (hs::Index g = 0; g < q.grid().count(); ++g)
      CHECK(std::exp2(std::ilogb(q.quantizer(g).scale)) == q.quantizer(g).scale);
  }
}

TEST_CASE("scales of any quantizer may be powers of two", "[quantize_blocks]") {
  const hs::MatrixF w = random_eigen(3, 64, 48);
  const auto q = hs::quantize<hs::Uniform<4>>(
      w, {.tiling = hs::per_group(32), .symmetry = hs::Symmetry::symmetric, .scale_storage = hs::ScaleStorage::e8m0});
  for (hs::Index g = 0; g < q.grid().count(); ++g) {
    const float scale = q.quantizer(g).scale;
    CHECK(std::exp2(std::ilogb(scale)) == scale);
  }
  CHECK(q.bits_per_weight() == 4 + (8.0 + 32) / 32);  // a zero point is kept as it is in memory
}
