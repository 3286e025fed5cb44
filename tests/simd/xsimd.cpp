// The macros that other libraries bring along before this one is included: X11, <complex.h>, Windows.
#include "support/catch.hpp"

#define I x11_or_complex
#define small char
#define near
#define far
#define None 0L
#define Bool int
#define True 1
#define False 0
#define Always 2
#define Status int
#define Success 0
#define Complex double
#define generic void
#define min(a, b) ((a) < (b) ? (a) : (b))
#define max(a, b) ((a) > (b) ? (a) : (b))

#include "halfstep/simd/xsimd.hpp"

#undef min
#undef max

#include "halfstep/simd/gelu.hpp"
#include "halfstep/simd/log.hpp"
#include "halfstep/simd/lookup.hpp"
#include "halfstep/simd/tan.hpp"

TEST_CASE("xsimd is included under the macros of other libraries, and leaves them in place") {
  Bool everywhere = True;
  CHECK(everywhere == 1);
  CHECK(None == Success);
  CHECK(Always == 2);
  CHECK(sizeof(small) == 1);
#if !defined(I) || !defined(generic) || !defined(near) || !defined(far) || !defined(Status) || !defined(Complex)
  FAIL("a macro is gone");
#endif
  CHECK(halfstep::simd::FloatBatch(2.0f).get(0) == 2.0f);
}
