// What the library leaves alone, and what may be set around it: standard output and error, the floating-point
// environment, processors that flush subnormal numbers to zero.

#include <unistd.h>

#include <bit>
#include <cfenv>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "halfstep/halfstep.hpp"
#include "halfstep/quantizers/adalog.hpp"
#include "halfstep/quantizers/log2.hpp"
#include "halfstep/quantizers/minifloat.hpp"
#include "halfstep/quantizers/tanq.hpp"
#include "support/catch.hpp"

#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace hs = halfstep;

namespace {

/// Everything that a program does, and an error.
void use_the_library() {
  const hs::MatrixF w = hs::MatrixF::Random(70, 90), x = hs::MatrixF::Random(5, 90);
  hs::ThreadPool pool(2);
  hs::Histogram seen;
  seen.observe(w, pool);
  static_cast<void>(hs::mse_range<hs::Uniform<4>>(seen));
  const hs::PackedMatrix packed = hs::pack(hs::quantize<hs::Uniform<4>>(w, {.tiling = hs::per_group(32)}), pool);
  static_cast<void>(hs::compare(hs::matmul(x, packed), hs::MatrixF(x * w.transpose())));
  try {
    static_cast<void>(hs::matmul(w.leftCols(3).eval(), packed));
  } catch (const hs::Error&) {
  }
}

/// What `call` writes to file descriptor `descriptor`.
template <class Call>
std::string written_to(int descriptor, const Call& call) {
  std::fflush(nullptr);
  std::FILE* const file = std::tmpfile();
  const int kept = dup(descriptor);
  dup2(fileno(file), descriptor);
  call();
  std::fflush(nullptr);
  dup2(kept, descriptor);
  close(kept);
  std::rewind(file);
  std::string text(1000, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file));
  std::fclose(file);
  return text;
}

#if defined(__SSE2__)
template <class Q>
std::vector<std::uint8_t> codes_of(const Q& q, const std::vector<float>& xs) {
  std::vector<std::uint8_t> codes(2 * xs.size());
  hs::encode_row(q, xs.data(), static_cast<hs::Index>(xs.size()), codes.data());
  for (std::size_t i = 0; i < xs.size(); ++i) codes[xs.size() + i] = static_cast<std::uint8_t>(q.encode(xs[i]));
  return codes;
}

/// Subnormal operands count as zero, subnormal results become zero.
struct FlushToZero {
  unsigned before = _mm_getcsr();
  FlushToZero() { _mm_setcsr(before | 0x8040u); }
  ~FlushToZero() { _mm_setcsr(before); }
};

template <class Q>
void check_codes_of_normal_numbers(const std::vector<float>& xs) {
  for (const hs::Range range : {hs::Range{-1.5f, 2.0f, 0.5f}, hs::Range{0, 1, 0.2f}, hs::Range{-1e-30f, 1e-30f, 1e-31f},
                                hs::Range{-1e30f, 1e30f, 1e29f}}) {
    const Q q = hs::fit<Q>(range, hs::Symmetry::affine);
    const auto expected = codes_of(q, xs);
    const FlushToZero flush;
    const Q fitted = hs::fit<Q>(range, hs::Symmetry::affine);
    const bool same = codes_of(q, xs) == expected;
    const bool fits_same = codes_of(fitted, xs) == expected;
    CHECK(same);
    CHECK(fits_same);
  }
}
#endif

}  // namespace

TEST_CASE("the library writes nothing to standard output or error", "[surroundings]") {
  CHECK(written_to(STDOUT_FILENO, [] { std::printf("seen"); }) == "seen");
  CHECK(written_to(STDOUT_FILENO, use_the_library) == "");
  CHECK(written_to(STDERR_FILENO, use_the_library) == "");
}

TEST_CASE("the rounding mode is as it was", "[surroundings]") {
  const int mode = std::fegetround();
  use_the_library();
  CHECK(std::fegetround() == mode);
#if defined(__SSE2__)
  const unsigned control = _mm_getcsr() & ~0x3fu;  // all but the flags that say what has happened
  use_the_library();
  CHECK((_mm_getcsr() & ~0x3fu) == control);
#endif
}

#if defined(__SSE2__)
TEST_CASE("flush-to-zero changes no code of a normal number", "[surroundings]") {
  std::vector<float> xs{0.0f, -0.0f};
  const hs::Random random(3);
  for (std::uint64_t i = 0; xs.size() < 5000; ++i) {
    const float x = std::bit_cast<float>(random.bits(i));
    const auto exponent = std::bit_cast<std::uint32_t>(x) >> 23 & 255u;
    if (exponent != 0 && exponent != 255) xs.push_back(x);
    xs.push_back(random.normal(i));
  }
  check_codes_of_normal_numbers<hs::Uniform<2>>(xs);
  check_codes_of_normal_numbers<hs::Uniform<4>>(xs);
  check_codes_of_normal_numbers<hs::Uniform<8>>(xs);
  check_codes_of_normal_numbers<hs::Log2<4>>(xs);
  check_codes_of_normal_numbers<hs::AdaLog<4>>(xs);
  check_codes_of_normal_numbers<hs::TanQ<4>>(xs);
  check_codes_of_normal_numbers<hs::Fp4E2M1>(xs);
  check_codes_of_normal_numbers<hs::Fp8E4M3>(xs);
}
#endif
