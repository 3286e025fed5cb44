// Agreement with the searches of golden/fp4.safetensors: the same formats and biases (within 1e-5) and shifts, or a
// mean squared error within 2 percent of the first stored one. Where formats and biases agree, decoded operands are
// 1e-5 of themselves but for single steps beside ties, in less than 0.5 percent of them, and where no such step occurs,
// outputs are within 1e-5 of the largest.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "halfstep/calibrators/range/minifloat_search.hpp"
#include "support/catch.hpp"
#include "support/golden.hpp"
#include "support/with_bits.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

std::size_t differing(const MatrixF& found, const std::vector<float>& expected) {
  REQUIRE(static_cast<std::size_t>(found.size()) == expected.size());
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    wrong += !(std::fabs(found.data()[i] - expected[i]) <= 1e-5f * std::fabs(expected[i]));
  }
  return wrong;
}

bool all_within(const std::vector<float>& a, const std::vector<float>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](float x, float y) { return std::fabs(x - y) <= 1e-5f; });
}

template <int Bits>
void check_minifloat_search(const Golden& g, const std::string& prefix) {
  const LoadedMatrix<float> x = g.matrix(prefix + "X"), w = g.matrix(prefix + "W");
  const auto fmt = g.values<std::int32_t>(prefix + "fmt");
  const int mantissa = Bits - 1 - fmt.at(5);
  const MinifloatChoice found = minifloat_search<Bits>(
      x.view(), w.view(),
      {.rounds = fmt.at(4), .initial_weight_mantissa = mantissa, .initial_activation_mantissa = mantissa});
  CHECK(found.is_complete);
  const double expected = g.values<double>(prefix + "mse64").at(0);
  const std::vector<float> biases = g.values<float>(prefix + "w_bias");
  const auto shifts = g.values<std::int32_t>(prefix + "a_shift");
  const std::vector<float> channel_biases = g.values<float>(prefix + "a_channel_bias");
  const std::vector<float> bias = g.values<float>(prefix + "bias");
  const MinifloatFormat weight{fmt.at(0), fmt.at(1)}, activation{fmt.at(2), fmt.at(3)};
  const bool is_same = found.weight.format == weight && found.activation.format == activation &&
                       all_within(found.weight.biases, biases) &&
                       std::fabs(found.activation.shared.bias - g.scalar<float>(prefix + "rho")) <= 1e-5f &&
                       found.activation.shared.shifts == shifts;
  CAPTURE(is_same, found.mse, expected);
  CHECK((is_same || std::fabs(found.mse - expected) <= 0.02 * expected));
  CHECK(found.mse <= 1.02 * expected);
  // What the stored parameters decode to.
  const MatrixF rows = as_eigen(x.view()), words = as_eigen(w.view());
  const MatrixF x_hat = decoded_activation<Bits>({activation, {g.scalar<float>(prefix + "rho"), shifts}}, rows, {});
  const MatrixF w_hat = decoded_weight<Bits>({weight, biases}, words, {});
  const std::size_t wrong_x = differing(x_hat, g.values<float>(prefix + "a_deq"));
  const std::size_t wrong_w = differing(w_hat, g.values<float>(prefix + "w_deq"));
  CHECK(wrong_x * 200 < x.values.size());
  CHECK(wrong_w * 200 < w.values.size());
  const MatrixF y = (x_hat * w_hat.transpose()).rowwise() + Eigen::Map<const Eigen::RowVectorXf>(bias.data(), w.rows);
  const std::vector<float> stored = g.values<float>(prefix + "y");
  REQUIRE(static_cast<std::size_t>(y.size()) == stored.size());
  const float largest = y.cwiseAbs().maxCoeff();
  for (std::size_t i = 0; i < stored.size() && wrong_x + wrong_w == 0; ++i) {
    CHECK(std::fabs(y.data()[i] - stored[i]) <= 1e-5f * largest);
  }
  // The stored biases of channels are the min-max ones of the format that won, from which the shifts follow.
  for (Index c = 0; c < rows.cols(); ++c) {
    CHECK(std::fabs(exponent_bias_of(activation, rows.col(c).cwiseAbs().maxCoeff()) -
                    channel_biases[static_cast<std::size_t>(c)]) <= 1e-5f);
  }
  CHECK(shared_exponent_bias(activation, channel_biases, g.scalar<float>(prefix + "rho")).shifts == shifts);
}

}  // namespace

TEST_CASE("golden: fp4 searches of formats and biases", "[golden]") {
  const Golden g("fp4");
  for (const GoldenCase& c : g.cases("s*.fmt")) {
    CAPTURE(c.name);
    const auto fmt = g.values<std::int32_t>(c.name);
    REQUIRE(with_value<4, 6, 8>(1 + fmt.at(0) + fmt.at(1),
                                [&](auto bits) { check_minifloat_search<bits()>(g, c.prefix); }));
  }
  g.require_consumed("s*.*");
}
