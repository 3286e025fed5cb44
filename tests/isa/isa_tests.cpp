// One suite for every instruction set: small enough for an emulator, and it ends with a checksum over everything that
// the library promises to be the same on all of them. Builds are compared by that line.

#include <bit>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <string>
#include <tuple>
#include <vector>

#include "halfstep/kernels/matmul.hpp"
#include "halfstep/kernels/matmul_encoded.hpp"
#include "halfstep/kernels/pack.hpp"
#include "halfstep/kernels/pack_activation.hpp"
#include "halfstep/kernels/quantize.hpp"
#include "halfstep/kernels/reference_product.hpp"
#include "halfstep/kernels/tile_generic.hpp"
#include "halfstep/kernels/unpack.hpp"
#include "halfstep/simd/pinned.hpp"
#include "support/all_quantizers.hpp"
#include "support/catch.hpp"
#include "support/code_twins.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

namespace {

/// FNV-1a over the bytes of numbers, lowest first.
class Checksum {
 public:
  void add(std::uint64_t bits, int bytes) {
    for (int i = 0; i < bytes; ++i, bits >>= 8) value_ = (value_ ^ (bits & 255)) * 0x100000001b3u;
  }
  void add(float x) { add(x != x ? 0x7fc00000u : std::bit_cast<std::uint32_t>(x), 4); }
  void add(std::int32_t x) { add(static_cast<std::uint32_t>(x), 4); }
  void add(std::uint8_t x) { add(std::uint64_t{x}, 1); }
  [[nodiscard]] std::uint64_t value() const { return value_; }

 private:
  std::uint64_t value_ = 0xcbf29ce484222325u;
};

/// Over every test of this program.
Checksum& checksum_of_all() {
  static Checksum sum;
  return sum;
}

/// Folds the checksum of one test into the program's.
void fold(const Checksum& sum) { checksum_of_all().add(sum.value(), 8); }

/// One or two quantizers of each kind rather than all: this program is built for every instruction set.
using SomeQuantizers =
    std::tuple<hs::Uniform<2>, hs::Uniform<3>, hs::Uniform<4>, hs::Uniform<5>, hs::Uniform<6>, hs::Uniform<7>,
               hs::Uniform<8>, SqrtQuantizer<3>, SqrtQuantizer<4>, EvenOddQuantizer<4>, PowerQuantizer<4>,
               WarpQuantizer<4>, WarpQuantizer<5>, hs::Log2<4>, hs::LogSqrt2<4>, hs::AdaLog<4>, hs::ShiftLog2<4>,
               hs::TanQ<8>, hs::TwinSoftmax<4>, hs::TwinGelu<8>, hs::Ternary, hs::Binary, hs::Elastic<4>, hs::Fp4E2M1,
               hs::Fp6E3M2, hs::Fp8E4M3, hs::MXFP6E2M3, hs::NVFP4, hs::NormalFloat4, hs::LevelTable<3>>;

/// Random numbers without the standard library's distributions, which differ between libraries.
class Numbers {
 public:
  explicit Numbers(std::uint32_t seed) : state_(seed * 2654435761u + 1) {}
  std::uint32_t bits() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 17;
    state_ ^= state_ << 5;
    return state_;
  }
  /// Four dice: bell-shaped in (-2, 2), exact in float.
  float value() {
    std::int32_t sum = 0;
    for (int i = 0; i < 4; ++i) sum += static_cast<std::int32_t>(bits() >> 12);
    return static_cast<float>(sum - (1 << 21)) * 0x1p-20f;
  }
  hs::MatrixF matrix(hs::Index rows, hs::Index cols) {
    hs::MatrixF m(rows, cols);
    for (hs::Index i = 0; i < m.size(); ++i) m.data()[i] = value();
    return m;
  }

 private:
  std::uint32_t state_;
};

void add(Checksum& sum, const hs::MatrixF& m) {
  for (hs::Index i = 0; i < m.size(); ++i) sum.add(m.data()[i]);
}

bool same_bits(const hs::MatrixF& a, const hs::MatrixF& b) {
  if (a.rows() != b.rows() || a.cols() != b.cols()) return false;
  for (hs::Index i = 0; i < a.size(); ++i) {
    const float x = a.data()[i], y = b.data()[i];
    if (std::bit_cast<std::uint32_t>(x) != std::bit_cast<std::uint32_t>(y) && !(x != x && y != y)) return false;
  }
  return true;
}

/// Values near what rounding turns on, and odd ones.
template <class Q>
std::vector<float> inputs(const Q& q) {
  std::vector<float> xs{0.0f,
                        -0.0f,
                        1e-45f,
                        -1e-45f,
                        1e38f,
                        -1e38f,
                        std::numeric_limits<float>::infinity(),
                        -std::numeric_limits<float>::infinity(),
                        std::numeric_limits<float>::quiet_NaN()};
  Numbers numbers(3);
  for (int i = 0; i < 300; ++i) xs.push_back(std::bit_cast<float>(numbers.bits()));
  for (int i = 0; i < 300; ++i) xs.push_back(numbers.value());
  for (int code = 1; code < hs::level_count<Q>; ++code) {
    // Pinned: the compiler may fuse the product that decode ends in with this sum, and the inputs would differ.
    const float below = hs::simd::pinned(q.decode(std::int32_t{code - 1}));
    const float above = hs::simd::pinned(q.decode(std::int32_t{code}));
    const float middle = (below + above) * 0.5f;
    const std::uint32_t bits = std::bit_cast<std::uint32_t>(middle);
    xs.insert(xs.end(), {middle, std::bit_cast<float>(bits + 1), std::bit_cast<float>(bits - 1)});
  }
  return xs;
}

template <class Q>
void check_quantizer(Checksum& sum) {
  for (const hs::Symmetry symmetry : {hs::Symmetry::affine, hs::Symmetry::symmetric}) {
    const Q q = hs::fit<Q>({-1.25f, 1.875f, 0.5f}, symmetry);
    const std::vector<float> xs = inputs(q);
    const auto n = static_cast<hs::Index>(xs.size());
    std::vector<std::uint8_t> codes(xs.size());
    std::vector<float> values(xs.size());
    CHECK_FALSE(hs::encode_row(q, xs.data(), n, codes.data()).is_finite);
    hs::decode_row(q, codes.data(), n, values.data());
    int wrong = 0;
    for (std::size_t i = 0; i < xs.size(); ++i) {
      wrong += q.encode(xs[i]) != codes[i] || q.decode(std::int32_t{codes[i]}) != values[i] ? 1 : 0;
      sum.add(codes[i]);
      sum.add(values[i]);
    }
    CHECK(wrong == 0);
  }
}

/// Whether unpacking gives what was packed, but for codes that the planes do not tell from a lower one.
template <class Q>
bool comes_back(const hs::PackedMatrix& packed, const hs::QuantizedMatrix<Q>& quantized) {
  const hs::QuantizedMatrix<Q> unpacked = hs::unpack(packed, quantized);
  if (!(hs::pack(unpacked) == packed && unpacked.parameters() == quantized.parameters())) return false;
  for (hs::Index r = 0; r < quantized.rows(); ++r) {
    for (hs::Index c = 0; c < quantized.cols(); ++c) {
      if (!is_code_or_twin(quantized.quantizer_at(r, c), unpacked.code(r, c), quantized.code(r, c))) return false;
    }
  }
  return true;
}

/// Products of a weight with `activation` and with 8 bits, against the reference.
void check_encoded_products(const hs::PackedMatrix& packed, const hs::MatrixF& x, const hs::Activation& activation,
                            Checksum& sum) {
  for (const hs::Activation& rule : {hs::Activation(), activation}) {
    const hs::EncodedMatrix encoded = hs::encode(x, rule);
    const hs::MatrixF expected = hs::reference_product(encoded, packed);
    CHECK(same_bits(hs::matmul(x, packed, {.activation = rule}), expected));
    CHECK(same_bits(hs::matmul(encoded, packed, {.blocking = {5, 16}}), expected));
    CHECK(same_bits(hs::matmul(encoded, packed, {.tile = &hs::tile_generic}), expected));
    add(sum, expected);
  }
}

/// Products of `Q`, as weight and as activation, against the reference. Those of floats are left out of the checksum:
/// their bits depend on whether a multiply-add rounds once.
template <class Q>
void check_products(Checksum& sum) {
  Numbers numbers(5);
  const hs::MatrixF w = numbers.matrix(37, 83), x = numbers.matrix(9, 83);
  const hs::Activation activation = hs::fit<Q>({-1.25f, 1.875f, 0.5f}, hs::Symmetry::affine);
  for (const hs::Tiling& tiling : {hs::per_row(), hs::per_group(19), hs::per_group(32)}) {
    const auto quantized = hs::quantize<Q>(w, {.tiling = tiling});
    const hs::PackedMatrix packed = hs::pack(quantized);
    CHECK(comes_back(packed, quantized));
    add(sum, hs::dequantize(quantized));
    const hs::MatrixF floats = hs::matmul(x, packed, {.activation = hs::Activation::kept_in_float()});
    CHECK(same_bits(floats, hs::reference_float_product(hs::view(x), packed)));
    if (packed.needs_floats()) {
      check_encoded_products(hs::pack(hs::quantize<hs::Uniform<4>>(w, {.tiling = tiling})), x, activation, sum);
    } else {
      check_encoded_products(packed, x, activation, sum);
    }
  }
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("codes, values and products of every kind of quantizer", "[isa]", SomeQuantizers) {
  Checksum sum;
  check_quantizer<TestType>(sum);
  check_products<TestType>(sum);
  fold(sum);
}

TEST_CASE("extremes", "[isa]") {
  for (const hs::Index k : {64, 2049}) {
    const hs::MatrixF x = hs::MatrixF::Constant(7, k, 255.0f), w = hs::MatrixF::Constant(65, k, -128.0f);
    const hs::PackedMatrix packed = hs::pack(hs::quantize_with(w, std::vector{hs::Uniform<8>{1, 128}}));
    const hs::MatrixF y = hs::matmul(x, packed, {.activation = hs::Uniform<8>{1, 0}});
    for (hs::Index i = 0; i < y.size(); ++i)
      REQUIRE(y.data()[i] == static_cast<float>(255.0 * -128.0 * static_cast<double>(k)));
  }
}

TEST_CASE("bias, functions, residual, NaN", "[isa]") {
  Checksum sum;
  Numbers numbers(7);
  hs::MatrixF x = numbers.matrix(7, 50), residual = numbers.matrix(7, 70);
  const hs::MatrixF bias = numbers.matrix(1, 70);
  x(3, 49) = std::numeric_limits<float>::quiet_NaN();
  const hs::PackedMatrix w =
      hs::pack(hs::quantize<hs::Uniform<4>>(numbers.matrix(70, 50), {.tiling = hs::per_group(32)}));
  for (const hs::Epilogue function :
       {hs::Epilogue(), hs::Epilogue(hs::Relu{}), hs::Epilogue(hs::Gelu{}), hs::Epilogue(hs::Silu{})}) {
    const hs::MatrixF y = hs::matmul(
        x, w, {.bias = hs::VectorView(bias.data(), 70), .epilogue = function, .residual = hs::view(residual)});
    for (hs::Index n = 0; n < 70; ++n) CHECK(y(3, n) != y(3, n));
    add(sum, y);
  }
  fold(sum);
}

TEST_CASE("attention and chains of products", "[isa]") {
  Numbers numbers(9);
  const hs::MatrixF q = numbers.matrix(11, 24), k = numbers.matrix(19, 24), v = numbers.matrix(19, 24);
  const hs::Activation rule = hs::Uniform<8>{0.0155f, 117};
  const hs::PackedMatrix keys = hs::pack_activation(k, rule), values = hs::pack_activation(hs::transposed(v), rule);
  const hs::MatrixF scores = hs::matmul(q, keys, {.activation = rule});
  CHECK(same_bits(scores, hs::reference_product(hs::encode(q, rule), keys)));
  const hs::MatrixF out = hs::matmul(scores, values, {.activation = PowerQuantizer<4>{8.0f}});
  CHECK(hs::matmul_encoded(q, keys, {.activation = rule}, rule) == hs::encode(scores, rule));
  CHECK(hs::matmul_encoded(q, keys, {.activation = rule}, hs::Activation()) == hs::encode(scores, hs::Activation()));
  Checksum sum;
  add(sum, scores);
  add(sum, out);
  fold(sum);
}

// Runs last: test cases run in the order of their declaration.
TEST_CASE("the checksum is that of every other instruction set and compiler", "[isa]") {
  std::printf("halfstep isa checksum: %016llx (%s, tile %s)\n",
              static_cast<unsigned long long>(checksum_of_all().value()), std::string(hs::simd::isa_name).c_str(),
              hs::default_tile().name);
  // Changing this number is a decision: some code, value or product has other bits than before.
  CHECK(checksum_of_all().value() == 0xe27b910c3b828e7du);
}
