// Built with -ffast-math, which lets a compiler take NaN and infinity for impossible: the library's checks go by bits.

#include <bit>
#include <cstdint>
#include <cstdio>
#include <cstring>

#include "halfstep/core/finite.hpp"
#include "halfstep/halfstep.hpp"

#if !defined(__FAST_MATH__)
#error "this program is to be compiled with -ffast-math"
#endif

namespace hs = halfstep;

namespace {

int failures = 0;

void check(bool holds, const char* what) {
  if (holds) return;
  std::printf("does not hold: %s\n", what);
  ++failures;
}

/// Whether the call refuses its data for this reason.
template <class Call>
void check_refuses(const Call& call, const char* message) {
  try {
    call();
    check(false, message);
  } catch (const hs::Error& error) {
    check(std::strstr(error.what(), message) != nullptr, error.what());
  }
}

bool is_nan_by_bits(float x) { return (std::bit_cast<std::uint32_t>(x) & 0x7fffffffu) > 0x7f800000u; }

}  // namespace

int main() {
  // From bits, and volatile: the compiler knows nothing of them.
  volatile std::uint32_t nan_bits = 0x7fc00000u, infinity_bits = 0x7f800000u;
  const float nan = std::bit_cast<float>(std::uint32_t{nan_bits});
  const float infinity = std::bit_cast<float>(std::uint32_t{infinity_bits});
  check(!hs::is_finite_bits(nan) && !hs::is_finite_bits(infinity) && hs::is_finite_bits(1.0f), "is_finite_bits");

  hs::MatrixF w = hs::MatrixF::Random(20, 300);
  const hs::PackedMatrix packed = hs::pack(hs::quantize<hs::Uniform<4>>(w, {.tiling = hs::per_group(64)}));
  const hs::MatrixF good = hs::matmul(w, packed);
  w(11, 299) = nan;
  check_refuses([&] { static_cast<void>(hs::quantize<hs::Uniform<4>>(w)); }, "row 11, column 299 is nan");
  w(7, 31) = infinity;
  check_refuses([&] { static_cast<void>(hs::quantize<hs::Uniform<4>>(w)); }, "row 7, column 31 is inf");
  check_refuses([&] { hs::Histogram().observe(w); }, "row 7, column 31 is inf");
  check_refuses([&] { hs::MinMax().observe(w); }, "row 7, column 31 is inf");

  for (const hs::Activation& rule : {hs::Activation(), hs::Activation(hs::Uniform<8>{0.01f, 128})}) {
    const hs::MatrixF y = hs::matmul(w, packed, {.activation = rule});
    bool marked = true, others = true;
    for (hs::Index n = 0; n < y.cols(); ++n) {
      marked = marked && is_nan_by_bits(y(7, n)) && is_nan_by_bits(y(11, n));
      others = others && hs::is_finite_bits(y(6, n)) && hs::is_finite_bits(y(12, n));
    }
    check(marked, "a row that is not finite gives a row of NaN");
    check(others, "and leaves the others alone");
  }
  check(good.allFinite(), "products of finite numbers");
  return failures == 0 ? 0 : 1;
}
