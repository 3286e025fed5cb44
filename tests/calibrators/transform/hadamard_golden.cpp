// Agreement with golden/hadamard.safetensors: base matrices exact, transforms 1e-5 of the largest output, int8 codes
// exact up to ties, which the same tolerance makes of what lies nearer to one.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "halfstep/calibrators/transform/fold_rotation.hpp"
#include "halfstep/calibrators/transform/hadamard.hpp"
#include "halfstep/calibrators/transform/rotate.hpp"
#include "halfstep/quantizers/uniform.hpp"
#include "support/catch.hpp"
#include "support/golden.hpp"
#include "support/golden_codes.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

double largest(const std::vector<float>& values) {
  double most = 0;
  for (const float value : values) most = std::max(most, std::fabs(static_cast<double>(value)));
  return most;
}

/// Checks `found` against the tensor `name`, to 1e-5 of its largest entry.
template <class Matrix>
void check_close(const Golden& g, const std::string& name, const Matrix& found) {
  CAPTURE(name);
  const std::vector<float> expected = g.values<float>(name);
  REQUIRE(static_cast<std::size_t>(found.size()) == expected.size());
  CHECK(mismatches(expected, [&](std::size_t i) { return found.data()[i]; }, {0, 1e-5 * largest(expected)}) == 0);
}

}  // namespace

TEST_CASE("golden: hadamard base matrices", "[golden]") {
  const Golden g("hadamard");
  for (const GoldenCase& c : g.cases("base.*")) {
    CAPTURE(c.name);
    const HadamardMatrix base = hadamard_base(c.number());
    CHECK(mismatches(g.values<std::int32_t>(c.name), [&](std::size_t i) { return base.at(i); }) == 0);
  }
}

TEST_CASE("golden: hadamard transforms of all sizes, in float and double", "[golden]") {
  const Golden g("hadamard");
  for (const GoldenCase& c : g.cases("x*")) {
    const LoadedMatrix<float> x = g.matrix(c.name);
    CHECK(hadamard_order(x.cols) > 0);
    check_close(g, "y" + c.parts[0], apply(hadamard_rotation(x.cols), x.view()));
    check_close(g, "y" + c.parts[0], apply(hadamard_rotation<double>(x.cols), x.view()));
  }
}

TEST_CASE("golden: hadamard rotations fused into weights", "[golden]") {
  const Golden g("hadamard");
  for (const GoldenCase& c : g.cases("fuse_*.W")) {
    const LoadedMatrix<float> w = g.matrix(c.name);
    MatrixF in(w.rows, w.cols);
    std::copy(w.values.begin(), w.values.end(), in.data());
    fold(hadamard_rotation(w.cols), {}, {LinearView{mutable_view(in), {}}});
    check_close(g, c.prefix + "in", in);
    fold(hadamard_rotation(w.rows), {LinearView{mutable_view(in), {}}}, {});
    check_close(g, c.prefix + "inout", in);
  }
}

TEST_CASE("golden: hadamard int8 codes of rotated activations", "[golden]") {
  const Golden g("hadamard");
  const LoadedMatrix<float> x = g.matrix("q.x");
  const Uniform<8> q{g.scalar<float>("q.scale"), 128};
  const MatrixF y = apply(hadamard_rotation(x.cols), x.view());
  const auto codes = g.values<std::int32_t>("q.codes");
  REQUIRE(codes.size() == static_cast<std::size_t>(y.size()));
  const double noise = 1e-5 * static_cast<double>(y.cwiseAbs().maxCoeff()) / static_cast<double>(q.scale);
  for (std::size_t i = 0; i < codes.size(); ++i) {
    const double steps = static_cast<double>(y.data()[i]) / static_cast<double>(q.scale);
    const bool is_tie = std::fabs(std::fabs(steps - std::floor(steps)) - 0.5) <= noise;
    CHECK(std::abs(q.encode(y.data()[i]) - 128 - codes[i]) <= (is_tie ? 1 : 0));
  }
}

TEST_CASE("golden: hadamard is consumed", "[golden]") { Golden("hadamard").require_all_consumed_at_end(); }
