// No access outside what the user hands over: all of it lies between protected pages, at every small size.

#include <algorithm>
#include <cstdint>
#include <vector>

#include "halfstep/core/bit_packing.hpp"
#include "halfstep/core/finite.hpp"
#include "halfstep/core/high_first_packing.hpp"
#include "halfstep/core/trit_packing.hpp"
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
  const Q fitted = hs::fit<Q>({-2, 2.5f, 0.8f}, hs::Symmetry::affine);
  const Guarded<Q> parameters(1, guard, &fitted);  // tables that are looked up are the user's memory too
  const Q& q = *parameters.data();
  hs::encode_row(q, x.data(), n, codes.data());
  hs::decode_row(q, codes.data(), n, out.data());
  int wrong = 0;
  for (std::size_t i = 0; i < count; ++i) wrong += out.data()[i] == q.decode(q.encode(x.data()[i])) ? 0 : 1;
  CHECK(wrong == 0);
}

/// n vectors: encoded, decoded, and multiplied by tables.
template <class Q>
void check_vectors(hs::Index n, Guard guard) {
  const auto count = static_cast<std::size_t>(n), floats = count * static_cast<std::size_t>(Q::dim);
  const hs::Index cols = n * Q::dim;
  const Guarded<float> x(floats, guard, numbers(cols).data());
  Guarded<float> decoded(floats, guard);
  Guarded<std::uint8_t> codes(count, guard);
  const auto words = numbers(Q::words * Q::dim);
  Q filled;
  std::copy(words.begin(), words.end(), filled.values.begin());
  const Guarded<Q> codebook(1, guard, &filled);
  const Q& q = *codebook.data();
  hs::encode_vectors(q, x.data(), n, codes.data());
  hs::decode_vectors(q, codes.data(), n, decoded.data());
  int wrong = 0;
  for (std::size_t i = 0; i < count; ++i) {
    hs::VectorLanes<Q::dim, float> one;
    std::copy_n(x.data() + i * one.size(), one.size(), one.begin());
    wrong += q.encode(one) == codes.data()[i] ? 0 : 1;
    const auto value = q.decode(std::int32_t{codes.data()[i]});
    wrong += std::equal(value.begin(), value.end(), decoded.data() + i * one.size()) ? 0 : 1;
  }
  CHECK(wrong == 0);
  if (n == 0) return;  // no granule, hence no codebook
  const hs::MatrixView<const float> row(x.data(), 1, cols);
  const auto weight = hs::quantize_vectors<Q>(row, {q});
  const Guarded<float> bias(1, guard, numbers(1).data());
  const hs::MatrixF y = hs::table_matmul(row, weight, hs::VectorView(bias.data(), 1));
  CHECK(y == hs::table_matmul(hs::MatrixF(hs::as_eigen(row)), weight, std::vector<float>{bias.data()[0]}));
}

}  // namespace

TEST_CASE("rows of codes, dot products and packed bits stay inside", "[guard]") {
  for (const Guard guard : {Guard::before, Guard::after}) {
    for (const hs::Index n : sizes()) {
      CAPTURE(n);
      check_rows<hs::Uniform<4>>(n, guard);
      check_rows<WarpQuantizer<5>>(n, guard);
      check_rows<hs::NormalFloat4>(n, guard);
      check_rows<hs::LevelTable<3>>(n, guard);
      check_rows<hs::LevelTable<8>>(n, guard);
      check_rows<hs::AdaLog<4>>(n, guard);
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

TEST_CASE("codes with the first in the highest bits and ternary codes stay inside", "[guard]") {
  for (const Guard guard : {Guard::before, Guard::after}) {
    for (const hs::Index n : sizes()) {
      CAPTURE(n);
      const auto count = static_cast<std::size_t>(n);
      std::vector<std::uint8_t> a(count);
      for (const int bits : {1, 2, 4, 8}) {
        for (std::size_t i = 0; i < count; ++i) a[i] = static_cast<std::uint8_t>((37 * i) & ((1u << bits) - 1));
        const Guarded<std::uint8_t> codes(count, guard, a.data());
        Guarded<std::uint8_t> packed(static_cast<std::size_t>(hs::packed_bytes(n, bits)), guard);
        Guarded<std::uint8_t> unpacked(count, guard);
        hs::pack_high_first({codes.data(), count}, bits, {packed.data(), packed.size()});
        hs::unpack_high_first({packed.data(), packed.size()}, bits, {unpacked.data(), count});
        CHECK(std::equal(a.begin(), a.end(), unpacked.data()));
      }
      for (std::size_t i = 0; i < count; ++i) a[i] = static_cast<std::uint8_t>(7 * i % 3);
      const Guarded<std::uint8_t> codes(count, guard, a.data());
      Guarded<std::uint8_t> packed(static_cast<std::size_t>(hs::packed_trit_bytes(n)), guard), unpacked(count, guard);
      hs::pack_trits({codes.data(), count}, {packed.data(), packed.size()});
      hs::unpack_trits({packed.data(), packed.size()}, {unpacked.data(), count});
      CHECK(std::equal(a.begin(), a.end(), unpacked.data()));
    }
  }
}

TEST_CASE("vectors, their codebooks and their products stay inside", "[guard]") {
  for (const Guard guard : {Guard::before, Guard::after}) {
    for (const hs::Index n : sizes()) {
      CAPTURE(n);
      check_vectors<hs::Codebook<4, 16>>(n, guard);
      check_vectors<hs::Codebook<2, 64>>(n, guard);
      check_vectors<hs::Codebook<3, 5>>(n, guard);
    }
  }
}

TEST_CASE("split activations and their products stay inside", "[guard]") {
  for (const Guard guard : {Guard::before, Guard::after}) {
    for (const hs::Index n : sizes()) {
      if (n == 0) continue;
      CAPTURE(n);
      const hs::Index tokens = 3, out_features = n % 5 + 1;
      std::vector<float> values = numbers(tokens * n);
      values[static_cast<std::size_t>(n - 1)] = 50;  // the last column of the first row is an outlier
      const auto size = [](hs::Index a, hs::Index b) { return static_cast<std::size_t>(a * b); };
      const Guarded<float> x(size(tokens, n), guard, values.data());
      const Guarded<float> w(size(out_features, n), guard, numbers(out_features * n).data());
      const Guarded<float> bias(size(out_features, 1), guard, numbers(out_features).data());
      Guarded<float> y(size(tokens, out_features), guard);
      const hs::MatrixView<const float> ws(w.data(), out_features, n);
      const hs::PackedMatrix packed = hs::pack(hs::quantize<hs::Absmax<8>>(ws, {.tiling = hs::per_row()}));
      const hs::SplitMatrix split = hs::split(hs::MatrixView<const float>(x.data(), tokens, n));
      CHECK(split.columns().back() == n - 1);
      const hs::SplitMatmulOptions options{.float_weight = ws, .bias = hs::VectorView(bias.data(), out_features)};
      hs::Workspace workspace;
      hs::split_matmul_into(split, packed, hs::MatrixView<float>(y.data(), tokens, out_features), workspace, options);
      const hs::MatrixF again = hs::split_matmul(split, packed, options);
      CHECK(std::equal(y.data(), y.data() + y.size(), again.data()));
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
        const hs::MatmulOptions floats{.activation = hs::Activation::kept_in_float(), .bias = options.bias};
        hs::matmul_into(xs, packed, ys, workspace, floats);
        const hs::MatrixF copy = hs::matmul(hs::as_eigen(xs), packed, floats);
        CHECK(std::equal(y.data(), y.data() + y.size(), copy.data()));
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
