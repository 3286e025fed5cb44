#pragma once

/// \file
/// Layer-wise relevance propagation: how much each value took part in a decision, from the logits backward.
///
///     linear         R_x = a (x+ (S W+) + x- (S W-)) - (a - 1) (x+ (T W-) + x- (T W+)),
///                    S = R / (x+ W+^T + x- W-^T),  T = R / (x+ W-^T + x- W+^T);   no bias
///     a + b          R_a = a S, R_b = b S, S = R / (a + b), each scaled to its share of the relevance
///     A B            R_A = A (S B^T) / 2, R_B = B (A^T S) / 2, S = R / (A B)
///     x used often   R_x = x sum_i(R_i / x)
///     LayerNorm, GELU, softmax, dropout, scaling     R as it is
///
/// with x+ = max(x, 0), x- = min(x, 0) and quotients that are 0 where the denominator is. Relevance starts as one at
/// the logit of the target class. Sources: Chefer, Gur and Wolf, "Transformer Interpretability Beyond Attention
/// Visualization", CVPR 2021, and its published program; Ranjan and Savakis, "LRP-QViT", 2024, for what it is used for
/// here. All sums are double, results are rounded once. Class: bounded; the same for any executor.

#include "halfstep/calibrators/precision/sensitivity.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/band_grain.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/finite.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/parallel_for.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// `a / b` with 1e-9 added to b, whatever its sign, and 0 where b is 0: the engine's quotient.
[[nodiscard]] inline double relevance_quotient(double a, double b) {
  constexpr double epsilon = 1e-9;
  if (b == 0) return 0;
  const double denominator = b + epsilon;
  return a / (denominator == 0 ? epsilon : denominator);
}

/// The relevance of both operands of a sum or a product.
struct RelevancePair {
  MatrixF first;
  MatrixF second;
};

/// `relevance_quotient` element by element.
[[nodiscard]] inline MatrixD relevance_quotients(const MatrixD& a, const MatrixD& b) {
  MatrixD quotients(a.rows(), a.cols());
  for (Index i = 0; i < a.size(); ++i) quotients.data()[i] = relevance_quotient(a.data()[i], b.data()[i]);
  return quotients;
}

/// The relevance of the inputs `x` `[tokens, in_features]` of a linear layer with weight `w` `[out_features,
/// in_features]` from that of its outputs, `relevance` `[tokens, out_features]`. `alpha` is what activators count;
/// inhibitors count `alpha - 1`, so that 1, the default, ignores them. Errors: no elements; one that is not finite, by
/// position; shapes that do not fit; alpha below 1. Costs 4 products, 8 with inhibitors.
template <Viewable X, Viewable W, Viewable R>
[[nodiscard]] MatrixF relevance_of_linear(const X& x, const W& w, const R& relevance, double alpha = 1,
                                          ExecutorRef executor = {}) {
  const MatrixF rows = finite_copy("relevance_of_linear", "x", view(x), executor);
  const MatrixF words = finite_copy("relevance_of_linear", "w", view(w), executor);
  const MatrixF given = finite_copy("relevance_of_linear", "relevance", view(relevance), executor);
  if (!(alpha >= 1)) raise("relevance_of_linear", "alpha is ", alpha, ", expected at least 1");
  if (words.cols() != rows.cols()) {
    raise("relevance_of_linear", "w has ", words.cols(), " columns, x has ", rows.cols(), " (in_features)");
  }
  const Shape outputs{rows.rows(), words.rows()}, found = shape_of(view(given));
  if (!(found == outputs)) {
    raise("relevance_of_linear", "relevance has shape ", found, ", expected ", outputs, " (tokens, out_features)");
  }
  const MatrixD w_plus = words.cast<double>().cwiseMax(0.0), w_minus = words.cast<double>().cwiseMin(0.0);
  MatrixF result(rows.rows(), rows.cols());
  // What products of x+ with `with_plus` and of x- with `with_minus` pass on.
  const auto part = [](const MatrixD& plus, const MatrixD& minus, const MatrixD& r, const MatrixD& with_plus,
                       const MatrixD& with_minus) -> MatrixD {
    const MatrixD sum = plus * with_plus.transpose() + minus * with_minus.transpose();
    const MatrixD s = relevance_quotients(r, sum);
    return plus.cwiseProduct(s * with_plus) + minus.cwiseProduct(s * with_minus);
  };
  parallel_chunks(executor, rows.rows(), 32, [&](Index, Index begin, Index end) {
    const MatrixD some = rows.middleRows(begin, end - begin).cast<double>();
    const MatrixD r = given.middleRows(begin, end - begin).cast<double>();
    const MatrixD plus = some.cwiseMax(0.0), minus = some.cwiseMin(0.0);
    MatrixD all = alpha * part(plus, minus, r, w_plus, w_minus);
    if (alpha > 1) all -= (alpha - 1) * part(plus, minus, r, w_minus, w_plus);
    result.middleRows(begin, end - begin) = all.cast<float>();
  });
  return result;
}

/// The relevance of both terms of a residual sum `a + b` from that of the sum, all of one shape. The two keep the sum
/// of `relevance`: each is scaled to the share that the size of its own sum has. Errors: no elements; one that is not
/// finite, by position; different shapes.
template <Viewable A, Viewable B, Viewable R>
[[nodiscard]] RelevancePair relevance_of_sum(const A& a, const B& b, const R& relevance) {
  const MatrixF left = finite_copy("relevance_of_sum", "a", view(a), {});
  const MatrixF right = finite_copy("relevance_of_sum", "b", view(b), {});
  const MatrixF given = finite_copy("relevance_of_sum", "relevance", view(relevance), {});
  require_same_shape("relevance_of_sum", "b", right, "a", left);
  require_same_shape("relevance_of_sum", "relevance", given, "a", left);
  const MatrixD r = given.cast<double>(), first = left.cast<double>(), second = right.cast<double>();
  const MatrixD s = relevance_quotients(r, first + second);
  MatrixD of_first = first.cwiseProduct(s), of_second = second.cwiseProduct(s);
  const double first_sum = of_first.sum(), second_sum = of_second.sum(), total = r.sum();
  const double both = std::fabs(first_sum) + std::fabs(second_sum);
  const auto share = [&](double sum) {
    return relevance_quotient(relevance_quotient(std::fabs(sum), both) * total, sum);
  };
  of_first *= share(first_sum);
  of_second *= share(second_sum);
  return {of_first.cast<float>(), of_second.cast<float>()};
}

/// The relevance of both factors of a matrix product `a b`, a `[m, k]`, b `[k, n]`, from that of the product,
/// `relevance` `[m, n]`; each gets half. Errors: no elements; one that is not finite, by position; shapes that do not
/// fit.
template <Viewable A, Viewable B, Viewable R>
[[nodiscard]] RelevancePair relevance_of_product(const A& a, const B& b, const R& relevance) {
  const MatrixF left = finite_copy("relevance_of_product", "a", view(a), {});
  const MatrixF right = finite_copy("relevance_of_product", "b", view(b), {});
  const MatrixF given = finite_copy("relevance_of_product", "relevance", view(relevance), {});
  if (right.rows() != left.cols()) {
    raise("relevance_of_product", "b has ", right.rows(), " rows, a has ", left.cols(), " columns");
  }
  const Shape outputs{left.rows(), right.cols()}, found = shape_of(view(given));
  if (!(found == outputs)) raise("relevance_of_product", "relevance has shape ", found, ", expected ", outputs);
  const MatrixD first = left.cast<double>(), second = right.cast<double>();
  const MatrixD s = relevance_quotients(given.cast<double>(), first * second);
  const MatrixD of_first = 0.5 * first.cwiseProduct(s * second.transpose());
  const MatrixD of_second = 0.5 * second.cwiseProduct(first.transpose() * s);
  return {of_first.cast<float>(), of_second.cast<float>()};
}

/// The relevance of one head's queries, keys and values.
struct AttentionRelevance {
  MatrixF queries, keys, values;  ///< `[tokens, head_size]` each
  MatrixF probabilities;          ///< `[tokens, tokens]`; the scores' as well, softmax being the identity
};

/// The relevance of a head's operands from that of its output `probabilities * values`: through that product, the
/// softmax, and the product of queries and keys. Errors: those of `relevance_of_product`.
template <Viewable Q, Viewable K, Viewable P, Viewable V, Viewable R>
[[nodiscard]] AttentionRelevance relevance_of_attention(const Q& queries, const K& keys, const P& probabilities,
                                                        const V& values, const R& relevance) {
  RelevancePair context = relevance_of_product(probabilities, values, relevance);
  RelevancePair scores = relevance_of_product(queries, transposed(view(keys)), context.first);
  return {std::move(scores.first), scores.second.transpose(), std::move(context.second), std::move(context.first)};
}

/// The relevance of a value `x` that is used in several places, from what each of them gives it, all of the shape of x.
/// Errors: no places; no elements; one that is not finite, by position; different shapes.
template <Viewable X>
[[nodiscard]] MatrixF relevance_of_copies(const X& x, std::span<const MatrixF> relevances) {
  const MatrixF values = finite_copy("relevance_of_copies", "x", view(x), {});
  if (relevances.empty()) raise("relevance_of_copies", "relevances is empty, expected one for each use of x");
  const MatrixD of_x = values.cast<double>();
  MatrixD sum = MatrixD::Zero(of_x.rows(), of_x.cols());
  for (const MatrixF& relevance : relevances) {
    const MatrixF given = finite_copy("relevance_of_copies", "relevance", view(relevance), {});
    require_same_shape("relevance_of_copies", "relevance", given, "x", values);
    sum += relevance_quotients(given.cast<double>(), of_x);
  }
  return of_x.cwiseProduct(sum).cast<float>();
}

/// The relevance that arrives at a layer: the sum of |R|. Errors: no elements; one that is not finite, by position.
template <Viewable R>
[[nodiscard]] double relevance_magnitude(const R& relevance) {
  return finite_copy("relevance_magnitude", "relevance", view(relevance), {}).template cast<double>().cwiseAbs().sum();
}

/// Scores of layers that sum to 1, from magnitudes `[images][layers]`: each image's relevance is shared out among the
/// layers, shares are averaged over images. `relevance_losses` makes losses of them. How the paper averages is not
/// known; this is the library's own. Errors: no images, no layers, images of different numbers of layers; a magnitude
/// that is negative or not finite; an image without relevance.
[[nodiscard]] inline std::vector<double> relevance_scores(std::span<const std::vector<double>> magnitudes) {
  if (magnitudes.empty() || magnitudes[0].empty()) raise("relevance_scores", "magnitudes is empty");
  std::vector<double> scores(magnitudes[0].size(), 0.0);
  for (std::size_t i = 0; i < magnitudes.size(); ++i) {
    if (magnitudes[i].size() != scores.size()) {
      raise("relevance_scores", "image ", i, " has ", magnitudes[i].size(), " layers, expected ", scores.size());
    }
    double sum = 0;
    for (std::size_t l = 0; l < scores.size(); ++l) {
      const double magnitude = magnitudes[i][l];
      if (!(is_finite_bits(magnitude) && magnitude >= 0)) {
        raise("relevance_scores", "image ", i, ", layer ", l, " has a magnitude of ", magnitude,
              ", expected at least 0");
      }
      sum += magnitude;
    }
    if (!(sum > 0)) raise("relevance_scores", "image ", i, " has no relevance");
    for (std::size_t l = 0; l < scores.size(); ++l) {
      scores[l] += magnitudes[i][l] / sum / static_cast<double>(magnitudes.size());
    }
  }
  return scores;
}

}  // namespace halfstep::inline HALFSTEP_ABI
