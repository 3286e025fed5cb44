// Macros of other headers, defined before ours: none breaks the library, and all are there afterwards. macros.sh does
// the same with every header, and looks for macros that ours leave behind.

#include "foreign_macros.hpp"
// After them:
#include <halfstep/halfstep.hpp>

#define TEXT(x) TEXT_(x)
#define TEXT_(x) #x

static_assert(sizeof(TEXT(Success)) == sizeof("0") && sizeof(TEXT(None)) == sizeof("0L"));
static_assert(sizeof(TEXT(Status)) == sizeof("int") && sizeof(TEXT(Bool)) == sizeof("int"));
static_assert(sizeof(TEXT(I)) == sizeof("_Complex_I") && sizeof(TEXT(small)) == sizeof("char"));
static_assert(sizeof(TEXT(near)) == 1 && sizeof(TEXT(far)) == 1 && True == 1 && False == 0 && Always == 2);

int main() {
  halfstep::MatrixF w(8, 32);
  w.setConstant(0.5f);
  const auto packed = halfstep::pack(halfstep::quantize<halfstep::Uniform<4>>(w));
  return halfstep::matmul(w, packed).cols() == 8 ? 0 : 1;
}
