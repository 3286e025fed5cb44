#include "halfstep/calibrators/precision/relevance.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include "halfstep/core/thread_pool.hpp"
#include "support/catch.hpp"
#include "support/executors.hpp"
#include "support/float_matrix.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

MatrixF relevance_matrix(const FloatMatrix& m) { return as_eigen(m.view()); }

/// Rounding of about a hundred floats, each below the largest in size.
double float_noise(const MatrixF& m) { return 100 * 0x1p-24 * static_cast<double>(m.cwiseAbs().maxCoeff()); }

}  // namespace

TEST_CASE("the quotient is 0 at 0, and adds to any other denominator") {
  CHECK(relevance_quotient(2, 4) == Approx(0.5).epsilon(1e-9));
  CHECK(relevance_quotient(2, 0) == 0);
  CHECK(relevance_quotient(2, -0.0) == 0);
  CHECK(relevance_quotient(1, 1e-9) == Approx(0.5e9));
  CHECK(relevance_quotient(1, -1e-9) == Approx(1e9));  // 0 would be no denominator
}

TEST_CASE("a linear layer hands on the relevance that it gets, activators alone") {
  // All products positive: with alpha 1 a layer keeps each token's sum.
  const MatrixF x = relevance_matrix(random_matrix(5, 12, 91)).cwiseAbs(),
                w = relevance_matrix(random_matrix(7, 12, 92)).cwiseAbs();
  const MatrixF r = relevance_matrix(random_matrix(5, 7, 93));
  const MatrixF found = relevance_of_linear(x, w, r);
  for (Index t = 0; t < 5; ++t) CHECK(std::fabs(found.row(t).sum() - r.row(t).sum()) <= float_noise(r));
  // One input: x w takes all of it, whatever the sign.
  const std::vector<float> one = {-2}, weight = {-3}, given = {5};
  const MatrixF all =
      relevance_of_linear(MatrixView<const float>(one.data(), 1, 1), MatrixView<const float>(weight.data(), 1, 1),
                          MatrixView<const float>(given.data(), 1, 1));
  CHECK(all(0, 0) == Approx(5.0f).epsilon(1e-6));
}

TEST_CASE("inhibitors count with the opposite sign, as the rule says term by term") {
  const MatrixF x = relevance_matrix(random_matrix(3, 6, 94)), w = relevance_matrix(random_matrix(4, 6, 95));
  const MatrixF r = relevance_matrix(random_matrix(3, 4, 96));
  const MatrixF found = relevance_of_linear(x, w, r, 2);
  for (Index t = 0; t < 3; ++t) {
    for (Index k = 0; k < 6; ++k) {
      double sum = 0;
      for (Index o = 0; o < 4; ++o) {
        double activators = 0, inhibitors = 0;
        for (Index j = 0; j < 6; ++j) {
          const double product = static_cast<double>(x(t, j)) * static_cast<double>(w(o, j));
          (product > 0 ? activators : inhibitors) += product;
        }
        const double product = static_cast<double>(x(t, k)) * static_cast<double>(w(o, k));
        const double share = static_cast<double>(r(t, o));
        sum += product > 0 ? 2 * product * relevance_quotient(share, activators)
                           : -product * relevance_quotient(share, inhibitors);
      }
      CHECK(std::fabs(static_cast<double>(found(t, k)) - sum) <= 1e-5 * std::fabs(sum) + float_noise(r));
    }
  }
}

TEST_CASE("sums, products, attention and copies keep relevance together") {
  const MatrixF a = relevance_matrix(random_matrix(6, 5, 97)).cwiseAbs(),
                b = relevance_matrix(random_matrix(6, 5, 98)).cwiseAbs();
  const MatrixF r = relevance_matrix(random_matrix(6, 5, 99)).cwiseAbs();
  const RelevancePair of_sum = relevance_of_sum(a, b, r);
  CHECK(std::fabs(of_sum.first.sum() + of_sum.second.sum() - r.sum()) <= 30 * float_noise(r));
  const MatrixF c = relevance_matrix(random_matrix(5, 4, 100)).cwiseAbs(),
                s = relevance_matrix(random_matrix(6, 4, 101)).cwiseAbs();
  const RelevancePair of_product = relevance_of_product(a, c, s);
  CHECK(std::fabs(of_product.first.sum() - s.sum() / 2) <= 30 * float_noise(s));
  CHECK(std::fabs(of_product.second.sum() - s.sum() / 2) <= 30 * float_noise(s));
  const MatrixF p = relevance_matrix(random_matrix(6, 6, 102)).cwiseAbs();
  const AttentionRelevance head = relevance_of_attention(a, b, p, r, r);
  CHECK(std::fabs(head.values.sum() - r.sum() / 2) <= 30 * float_noise(r));
  CHECK(std::fabs(head.probabilities.sum() - r.sum() / 2) <= 30 * float_noise(r));
  CHECK(std::fabs(head.queries.sum() - r.sum() / 4) <= 30 * float_noise(r));
  CHECK(std::fabs(head.keys.sum() - r.sum() / 4) <= 30 * float_noise(r));
  const std::vector<MatrixF> uses = {r, b};
  const MatrixF copies = relevance_of_copies(a, uses);
  CHECK(std::fabs(copies.sum() - r.sum() - b.sum()) <= 60 * float_noise(b));
}

TEST_CASE("the relevance of a linear layer is the same for any executor") {
  const FloatMatrix x = random_matrix(200, 20, 103), w = random_matrix(30, 20, 104), r = random_matrix(200, 30, 105);
  const MatrixF expected = relevance_of_linear(x.view(), w.view(), r.view(), 2);
  ThreadPool pool(3);
  const BackwardsExecutor backwards;
  CHECK(relevance_of_linear(x.view(), w.view(), r.view(), 2, pool) == expected);
  CHECK(relevance_of_linear(x.view(), w.view(), r.view(), 2, backwards) == expected);
}

TEST_CASE("scores share out each image's relevance among the layers") {
  const std::vector<std::vector<double>> magnitudes = {{1, 3}, {20, 20}};
  CHECK(relevance_scores(magnitudes) == std::vector<double>{(0.25 + 0.5) / 2, (0.75 + 0.5) / 2});
  const std::vector<float> r = {-1, 2, 0, 4};
  CHECK(relevance_magnitude(MatrixView<const float>(r.data(), 2, 2)) == 7);
}

TEST_CASE("relevance says what is wrong") {
  FloatMatrix x = random_matrix(3, 4, 1), w = random_matrix(2, 4, 2), r = random_matrix(3, 2, 3);
  CHECK_RAISES(relevance_of_linear(x.view(), w.view(), r.view(), 0.5), "alpha is 0.5, expected at least 1");
  CHECK_RAISES(relevance_of_linear(x.view(), r.view(), r.view()), "w has 2 columns, x has 4 (in_features)");
  CHECK_RAISES(relevance_of_linear(x.view(), w.view(), x.view()), "relevance has shape [3, 4], expected [3, 2]");
  CHECK_RAISES(relevance_of_sum(x.view(), w.view(), x.view()), "b has shape [2, 4], expected that of a, [3, 4]");
  CHECK_RAISES(relevance_of_product(x.view(), w.view(), r.view()), "b has 2 rows, a has 4 columns");
  CHECK_RAISES(relevance_of_copies(x.view(), {}), "relevances is empty");
  const std::vector<std::vector<double>> none, uneven = {{1, 2}, {1}}, negative = {{1, -2}}, dead = {{0, 0}};
  CHECK_RAISES(relevance_scores(none), "magnitudes is empty");
  CHECK_RAISES(relevance_scores(uneven), "image 1 has 1 layers, expected 2");
  CHECK_RAISES(relevance_scores(negative), "image 0, layer 1 has a magnitude of -2");
  CHECK_RAISES(relevance_scores(dead), "image 0 has no relevance");
  x.values[5] = std::numeric_limits<float>::quiet_NaN();
  CHECK_RAISES(relevance_of_linear(x.view(), w.view(), r.view()), "x is not finite: row 1, column 1 is nan");
}
