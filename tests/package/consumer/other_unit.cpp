// A second translation unit with the same headers: a function that is not inline would be defined twice.
#include <halfstep/halfstep.hpp>

float other_unit(const halfstep::MatrixF& x, const halfstep::MatrixF& w);

float other_unit(const halfstep::MatrixF& x, const halfstep::MatrixF& w) {
  namespace hs = halfstep;
  return hs::matmul(x, hs::pack(hs::quantize<hs::Uniform<8>>(w, {.tiling = hs::per_group(32)})))(4, 47);
}
