// No access outside what the user hands over: all of it lies between protected pages, at every small size.

#include <algorithm>
#include <cstdint>
#include <vector>

#include "halfstep/core/bit_packing.hpp"
#include "halfstep/core/finite.hpp"
#include "halfstep/halfstep.hpp"
#include "halfstep/kernels/layer_norm.hpp"
#include "halfstep/kernels/softmax.hpp"
#include "halfstep/simd/dot.hpp"
#include "support/catch.hpp"
#include "support/float_matrix.hpp"
#include "support/guarded.hpp"
#include "support/test_quantizers.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

namespace {

/// 0 to 70, and primes beyond: around every vector, tile and group.
std::vector<hs::Index> sizes() {
  std::vector<hs::Index> all;
  for (hs::Index n = 0; n <= 70; ++n) all.push_back(n);
  for (hs::Index prime : {101, 127, 131, 257, 521, 1031}) all.push_back(prime);
  return all;
}

std::vector<float> numbers(hs::Index n) { return random_matrix(1, n, 51).values; }

template <class Q>
void check_rows(hs::Index n, Guard guard) {
  const auto count = static_cast<std::size_t>(n);
  const Guarded<float> x(count, guard, numbers(n).data());
  Guarded<float> out(count, guard);
  Guarded<std::uint8_t> codes(count, guard);
  const Q q = hs::fit<Q>({-2, 2.5f, 0.8f}, hs::Symmetry::affine);
  hs::encode_row(q, x.data(), n, codes.data());
  hs::decode_row(q, codes.data(), n, out.data());
  int wrong = 0;
  for (std::size_t i = 0; i < count; ++i) wrong += out.data()[i] == q.decode(q.encode(x.data()[i])) ? 0 : 1;
  CHECK(wrong == 0);
}

}  // namespace

TEST_CASE("rows of codes, dot products and packed bits stay inside", "[guard]") {
  for (const Guard guard : {Guard::before, Guard::after}) {
    for (const hs::Index n : sizes()) {
      CAPTURE(n);
      check_rows<hs::Uniform<4>>(n, guard);
      check_rows<WarpQuantizer<5>>(n, guard);
      const auto count = static_cast<std::size_t>(n);
      std::vector<std::uint8_t> a(count);
      std::vector<std::int8_t> b(count);
      std::int32_t expected = 0;
      for (std::size_t i = 0; i < count; ++i) {
        a[i] = static_cast<std::uint8_t>(37 * i), b[i] = static_cast<std::int8_t>(static_cast<int>(91 * i % 256) - 128);
        expected += a[i] * b[i];
      }
      const Guarded<std::uint8_t> ga(count, guard, a.data());
      const Guarded<std::int8_t> gb(count, guard, b.data());
      CHECK(hs::simd::dot_u8s8(ga.data(), gb.data(), count) == expected);
      for (auto& code : a) code = static_cast<std::uint8_t>(code & 7);
      const Guarded<std::uint8_t> codes(count, guard, a.data());
      Guarded<std::uint8_t> packed(static_cast<std::size_t>(hs::packed_bytes(n, 3)), guard), unpacked(count, guard);
      hs::pack_codes<3>(codes.data(), count, packed.data());
      hs::unpack_codes<3>(packed.data(), 0, unpacked.data(), count);
      CHECK(std::equal(a.begin(), a.end(), unpacked.data()));
    }
  }
}

TEST_CASE("products read and write what they are given", "[guard]") {
  hs::Workspace workspace;
  for (const Guard guard : {Guard::before, Guard::after}) {
    for (const hs::Index n : sizes()) {
      const hs::Index tokens = 3, out_features = n % 7 == 3 ? 67 : n % 5 + 1;
      const auto size = [](hs::Index a, hs::Index b) { return static_cast<std::size_t>(a * b); };
      CAPTURE(n, out_features);
      const Guarded<float> x(size(tokens, n), guard, numbers(tokens * n).data());
      const Guarded<float> w(size(out_features, n), guard, numbers(out_features * n).data());
      const Guarded<float> bias(size(out_features, 1), guard, numbers(out_features).data());
      const Guarded<float> residual(size(tokens, out_features), guard, numbers(tokens * out_features).data());
      Guarded<float> y(size(tokens, out_features), guard);
      const hs::MatrixView<const float> xs(x.data(), tokens, n), ws(w.data(), out_features, n);
      const hs::MatrixView<float> ys(y.data(), tokens, out_features);
      const hs::MatmulOptions options{.bias = hs::VectorView(bias.data(), out_features),
                                      .epilogue = hs::Gelu{},
                                      .residual = {residual.data(), tokens, out_features}};
      for (const hs::Tiling& tiling : {hs::per_row(), hs::per_group(19)}) {
        const hs::PackedMatrix packed = hs::pack(hs::quantize<hs::Uniform<4>>(ws, {.tiling = tiling}));
        hs::matmul_into(xs, packed, ys, workspace, options);
        const hs::EncodedMatrix encoded = hs::encode(xs, hs::Activation());
        const hs::MatrixF again = hs::matmul(encoded, packed, options);
        CHECK(std::equal(y.data(), y.data() + y.size(), again.data()));
      }
    }
  }
}

TEST_CASE("16-bit and strided input, normalization and statistics stay inside", "[guard]") {
  for (const Guard guard : {Guard::before, Guard::after}) {
    for (const hs::Index n : sizes()) {
      if (n == 0) continue;
      CAPTURE(n);
      const auto count = static_cast<std::size_t>(n);
      const std::vector<float> values = numbers(n);
      std::vector<hs::BFloat16> brain;
      std::vector<hs::Half> half;
      for (const float x : values) {
        brain.push_back(hs::bfloat16_from_float(x));
        half.push_back(hs::half_from_float(x));
      }
      const Guarded<hs::BFloat16> b(count, guard, brain.data());
      const Guarded<hs::Half> h(count, guard, half.data());
      const Guarded<float> x(count, guard, values.data());
      Guarded<float> out(count, guard, values.data());
      static_cast<void>(hs::quantize<hs::Uniform<8>>(hs::MatrixView<const hs::BFloat16>(b.data(), 1, n)));
      static_cast<void>(hs::quantize<hs::Uniform<8>>(hs::MatrixView<const hs::Half>(h.data(), 1, n)));
      const hs::MatrixView<const float> column(x.data(), n, 1);  // read as [1, n] through strides
      const hs::MatrixView<const float> as_row = hs::transposed(column);
      CHECK(hs::dequantize(hs::quantize<hs::Uniform<8>>(as_row)).cols() == n);
      CHECK(hs::find_non_finite(x.data(), n) == n);
      hs::Histogram seen;
      seen.observe(as_row);
      CHECK(seen.granules()[0].count() == n);
      hs::softmax(hs::MatrixView<float>(out.data(), 1, n));
      hs::layer_norm(hs::MatrixView<const float>(x.data(), 1, n), hs::VectorView(x.data(), n),
                     hs::VectorView(x.data(), n), 1e-5f, hs::MatrixView<float>(out.data(), 1, n));
    }
  }
}
