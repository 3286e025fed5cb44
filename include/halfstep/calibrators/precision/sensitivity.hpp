#pragma once

/// \file
/// How much a layer, or a model, loses by being quantized: the losses that an allocation of precision adds up.
///
///     output_error        mean (x_hat w_hat^T - x w^T)^2           a layer by itself, on data
///     weight_error_trace  tr(dw M dw^T), dw = w_hat - w            the same from the second moment M = x^T x alone
///     logit_divergence    mean KL(softmax(logits) || softmax(variant))     a model with one layer quantized
///
/// A fourth measure, by relevance, is in relevance.hpp.

#include "halfstep/calibrators/range/product_error.hpp"
#include "halfstep/calibrators/range/squared_error.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/finite.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/read_row.hpp"
#include "halfstep/simd/pinned.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string_view>
#include <type_traits>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// A matrix with elements, all finite, copied as floats. Errors, in the name of the call `where`: none, one that is
/// not.
template <class T>
[[nodiscard]] MatrixF finite_copy(std::string_view where, std::string_view argument, const MatrixView<const T>& matrix,
                                  ExecutorRef executor) {
  require_readable(where, argument, matrix);
  if (matrix.empty()) raise(where, argument, " of shape ", shape_of(matrix), " has no elements");
  require_finite(where, argument, matrix, executor);
  MatrixF copy(matrix.rows, matrix.cols);
  copy_rows(matrix, copy.data());
  return copy;
}

/// Refuses a matrix of another shape than that of the one it stands in for.
inline void require_same_shape(std::string_view where, std::string_view argument, const MatrixF& matrix,
                               std::string_view other, const MatrixF& expected) {
  const Shape found = shape_of(view(matrix)), wanted = shape_of(view(expected));
  if (found == wanted) return;
  raise(where, argument, " has shape ", found, ", expected that of ", other, ", ", wanted);
}

/// The mean squared error of a layer's output over tokens and features: `x w^T` with x `[tokens, in_features]` and w
/// `[out_features, in_features]`, against the same with both as they are decoded. To measure one operand, hand over the
/// other unchanged.
///
/// Errors: no elements; one that is not finite, by position; shapes that do not fit. Costs tokens * in_features *
/// out_features products in double for each operand that changes. Class: bounded; the same for any executor.
template <Viewable X, Viewable W, Viewable XHat, Viewable WHat>
[[nodiscard]] double output_error(const X& x, const W& w, const XHat& x_hat, const WHat& w_hat,
                                  ExecutorRef executor = {}) {
  const MatrixF rows = finite_copy("output_error", "x", view(x), executor);
  const MatrixF words = finite_copy("output_error", "w", view(w), executor);
  const MatrixF seen_rows = finite_copy("output_error", "x_hat", view(x_hat), executor);
  const MatrixF seen_words = finite_copy("output_error", "w_hat", view(w_hat), executor);
  if (words.cols() != rows.cols()) {
    raise("output_error", "w has ", words.cols(), " columns, x has ", rows.cols(), " (in_features)");
  }
  require_same_shape("output_error", "x_hat", seen_rows, "x", rows);
  require_same_shape("output_error", "w_hat", seen_words, "w", words);
  const double sum = squared_product_error(rows, words, seen_rows, seen_words, executor);
  return sum / (static_cast<double>(rows.rows()) * static_cast<double>(words.rows()));
}

/// `tr((w_hat - w) M (w_hat - w)^T)`: the squared output error of a layer's weight `[out_features, in_features]`,
/// summed over all tokens and features, from the second moment of its inputs `M = x^T x` `[in_features, in_features]`,
/// float or double, alone. With M a Hessian of GPTQ it is that method's proxy, twice the mean over its sequences.
///
/// Errors: no elements; one that is not finite, by position; shapes that do not fit. Costs out_features * in_features^2
/// products in double. Class: bounded; the same for any executor.
template <Viewable W, Viewable WHat, Viewable M>
[[nodiscard]] double weight_error_trace(const W& w, const WHat& w_hat, const M& second_moment,
                                        ExecutorRef executor = {}) {
  const auto moment = view(second_moment);
  const MatrixF words = finite_copy("weight_error_trace", "w", view(w), executor);
  const MatrixF seen = finite_copy("weight_error_trace", "w_hat", view(w_hat), executor);
  require_same_shape("weight_error_trace", "w_hat", seen, "w", words);
  require_readable("weight_error_trace", "second_moment", moment);
  const Shape square{words.cols(), words.cols()};
  if (!(shape_of(moment) == square)) {
    raise("weight_error_trace", "second_moment has shape ", shape_of(moment), ", expected ", square, " (in_features)");
  }
  MatrixD m(moment.rows, moment.cols);
  for (Index r = 0; r < moment.rows; ++r) {
    for (Index c = 0; c < moment.cols; ++c) {
      if constexpr (std::is_same_v<ViewedElement<M>, double>) {
        m(r, c) = moment(r, c);
      } else {
        m(r, c) = static_cast<double>(element_to_float(moment(r, c)));
      }
      if (is_finite_bits(m(r, c))) continue;
      raise("weight_error_trace", "second_moment is not finite: row ", r, ", column ", c, " is ",
            name_of_non_finite(static_cast<float>(m(r, c))));
    }
  }
  return chunked_sum(executor, words.rows(), 64, [&](Index begin, Index end) {
    const MatrixD change =
        seen.middleRows(begin, end - begin).cast<double>() - words.middleRows(begin, end - begin).cast<double>();
    const MatrixD product = change * m;
    return product.cwiseProduct(change).sum();
  });
}

/// Log-probabilities of a row of logits, in double.
[[nodiscard]] inline std::vector<double> log_softmax(const float* row, Index classes) {
  double largest = static_cast<double>(row[0]), sum = 0;
  for (Index c = 1; c < classes; ++c) largest = std::max(largest, static_cast<double>(row[c]));
  for (Index c = 0; c < classes; ++c) sum += std::exp(static_cast<double>(row[c]) - largest);
  const double shift = largest + std::log(sum);
  std::vector<double> all(static_cast<std::size_t>(classes));
  for (Index c = 0; c < classes; ++c) all[static_cast<std::size_t>(c)] = static_cast<double>(row[c]) - shift;
  return all;
}

/// The mean over rows of `KL(softmax(logits) || softmax(variant))` in nats: logits `[images or tokens, classes]` of the
/// float model and of one that is quantized in part. Errors: no elements; one that is not finite, by position;
/// different shapes. Sums are double, in order. Class: bounded (exp and log of the C library).
template <Viewable L, Viewable V>
[[nodiscard]] double logit_divergence(const L& logits, const V& variant) {
  const MatrixF exact = finite_copy("logit_divergence", "logits", view(logits), {});
  const MatrixF seen = finite_copy("logit_divergence", "variant", view(variant), {});
  require_same_shape("logit_divergence", "variant", seen, "logits", exact);
  double total = 0;
  for (Index r = 0; r < exact.rows(); ++r) {
    const std::vector<double> p = log_softmax(exact.data() + r * exact.cols(), exact.cols());
    const std::vector<double> q = log_softmax(seen.data() + r * seen.cols(), seen.cols());
    for (std::size_t c = 0; c < p.size(); ++c) total += simd::pinned(std::exp(p[c]) * (p[c] - q[c]));
  }
  return total / static_cast<double>(exact.rows());
}

}  // namespace halfstep::inline HALFSTEP_ABI
