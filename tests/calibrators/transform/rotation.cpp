#include "halfstep/calibrators/transform/rotation.hpp"

#include <cmath>
#include <cstddef>
#include <vector>

#include "halfstep/calibrators/transform/rotate.hpp"
#include "support/catch.hpp"
#include "support/double_layers.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

/// R itself: what it makes of unit vectors, one a row.
MatrixD matrix_of(const BasicRotation<double>& r) {
  return apply(r, MatrixD(MatrixD::Identity(r.size, r.size))).transpose();
}

}  // namespace

TEST_CASE("rotations of all kinds of sizes are orthonormal, and their inverse takes them back") {
  for (const Index size : {1, 2, 3, 5, 6, 10, 12, 20, 24, 28, 40, 43, 48, 80, 128, 172, 344}) {
    CAPTURE(size);
    const auto r = hadamard_rotation<double>(size, {.seed = 5});
    const MatrixD m = matrix_of(r), product = m * m.transpose() - MatrixD::Identity(size, size);
    // Sums of `size` products of entries of a size of at most 1, the entries good to a few roundings.
    CHECK(product.cwiseAbs().maxCoeff() <= static_cast<double>(size) * 8 * 0x1p-52);
    const MatrixD x = random_doubles(3, size, 6), back = apply(inverse(r), apply(r, x)) - x;
    // Twice `size` roundings at most, of a norm below 5 sqrt(size).
    CHECK(back.cwiseAbs().maxCoeff() <= 10 * std::pow(static_cast<double>(size), 1.5) * 0x1p-52);
  }
}

TEST_CASE("the random part depends on the seed and on nothing else") {
  CHECK(hadamard_rotation(172, {.seed = 1}) == hadamard_rotation(172, {.seed = 1}));
  CHECK_FALSE(hadamard_rotation(172, {.seed = 1}) == hadamard_rotation(172, {.seed = 2}));
  CHECK(hadamard_rotation(768, {.seed = 1}) == hadamard_rotation(768, {.seed = 2}));
  const Rotation r = hadamard_rotation(688);
  CHECK(r.order == 43);
  CHECK(r.factor == 0.25f);
  CHECK(hadamard_rotation(43).factor == 1);
}

TEST_CASE("rotations of no channels are refused") {
  CHECK_RAISES(hadamard_rotation(0), "hadamard_rotation: size is 0, expected at least 1");
  CHECK_RAISES(hadamard_rotation(-4), "size is -4");
}
