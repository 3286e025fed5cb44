#include "halfstep/kernels/unpack.hpp"

#include <cstdint>
#include <vector>

#include "halfstep/kernels/pack.hpp"
#include "halfstep/kernels/quantize.hpp"
#include "halfstep/quantizers/uniform.hpp"
#include "kernels/matrices.hpp"
#include "support/catch.hpp"
#include "support/test_quantizers.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

namespace unpack_tests {

/// Sign and magnitude: two codes stand for zero.
template <int Bits>
struct SignMagnitude {
  static constexpr int bits = Bits;
  float scale = 1;
  friend bool operator==(const SignMagnitude&, const SignMagnitude&) = default;
  template <class T>
  auto encode(T x) const {
    constexpr int largest = (1 << (Bits - 1)) - 1;
    const auto steps = hs::simd::round_clamp(x / T(scale), -largest, largest);
    using I = decltype(steps + steps);
    return hs::simd::select(steps < I(0), I(largest + 1) - steps, steps);
  }
  template <class C>
  auto decode(C code) const {
    constexpr int half = 1 << (Bits - 1);
    const C steps = hs::simd::select(code < C(half), code, C(half) - code);
    return hs::simd::to_float(steps) * hs::simd::FloatOf<C>(scale);
  }
  static SignMagnitude fit(hs::Range range) { return {hs::usable_scale(hs::absmax(range))}; }
};

template <class Q>
hs::QuantizedMatrix<Q> all_codes() {
  hs::QuantizedMatrix<Q> matrix({1, hs::level_count<Q>}, hs::per_row());
  std::vector<std::uint8_t> codes;
  for (int code = 0; code < hs::level_count<Q>; ++code) codes.push_back(static_cast<std::uint8_t>(code));
  matrix.set_row(0, codes.data());
  return matrix;
}

}  // namespace unpack_tests

TEST_CASE("where codes share a value, bytes give the lowest and nibbles the code itself", "[unpack]") {
  using unpack_tests::SignMagnitude;
  const auto four = unpack_tests::all_codes<SignMagnitude<4>>();
  const hs::MatrixU8 nibbles = hs::unpack_codes(hs::pack(four));
  for (hs::Index code = 0; code < 16; ++code) CHECK(nibbles(0, code) == code);
  const auto five = unpack_tests::all_codes<SignMagnitude<5>>();
  const hs::MatrixU8 bytes = hs::unpack_codes(hs::pack(five));
  for (hs::Index code = 0; code < 32; ++code) CHECK(bytes(0, code) == (code == 16 ? 0 : code));
}

TEST_CASE("planes that differ between granules need the quantizers", "[unpack]") {
  const auto quantized = hs::quantize<WarpQuantizer<4>>(random_eigen(5, 40, 1, 1, 1), {.tiling = hs::per_row()});
  const hs::PackedMatrix packed = hs::pack(quantized);
  CHECK(packed.level_count() == 0);
  CHECK_RAISES(hs::unpack_codes(packed), "halfstep: unpack_codes: planes of the packed weight differ between granules");
  CHECK(hs::unpack(packed, quantized) == quantized);
}

TEST_CASE("what does not belong together is refused", "[unpack]") {
  using hs::QuantizedMatrix, hs::Uniform;
  const hs::MatrixF w = random_eigen(5, 40, 2);
  const hs::PackedMatrix packed = hs::pack(hs::quantize<Uniform<4>>(w, {.tiling = hs::per_group(16)}));
  const QuantizedMatrix<Uniform<4>> wider({5, 41}, hs::per_group(16)), other_groups({5, 40}, hs::per_group(8));
  CHECK_RAISES(hs::unpack(packed, wider),
               "packed weight of shape [5, 40] was not made from a matrix of this shape [5, 41]");
  CHECK_RAISES(hs::unpack(packed, other_groups), "was not made from");
  const QuantizedMatrix<Uniform<8>> eight({5, 40}, hs::per_group(16));
  CHECK_RAISES(hs::unpack(packed, eight), "was not made from");
  // Six bits have bytes that five bits have no code for.
  const hs::PackedMatrix six = hs::pack(hs::quantize<Uniform<6>>(w, {.tiling = hs::per_group(16)}));
  const QuantizedMatrix<Uniform<5>> five({5, 40}, hs::per_group(16));
  CHECK_RAISES(hs::unpack(six, five), "which no code stands for");
}
