#pragma once

/// \file
/// How a Hessian is made positive definite, with as little change as will do.
///
///     first     H + share * mean(diag H) I
///     more      the same with share + step, share + 2 step, ... below `limit`: the least that does
///     floor     each h of the diagonal at least f, max(h + f, f), for f = 10^-6, ..., 10^-1 of its largest magnitude,
///               and again share, share + step, ...
///     raised    an unpivoted L D L^T whose pivots are made positive where they are not
///     nearest   none: weights are rounded to nearest
///
/// Sources: Frantar et al., GPTQ, ICLR 2023 (the first); GPTQModel (the second and third). A sum of x x^T is never less
/// than positive semidefinite, up to rounding: with a share above 0 it takes the first rung. The others are for shares
/// of 0 and for stored matrices.

#include "halfstep/calibrators/rounding/curvature.hpp"
#include "halfstep/calibrators/rounding/lower_factor.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <string_view>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// The rungs, see the head of this file.
enum class DampingRung { first, more, floor, raised, nearest };

/// How much is added to the diagonal.
struct DampingOptions {
  double share = 0.01;  ///< of the mean of the diagonal, at least 0; GPTQ's percdamp, GPTQModel's is 0.05
  double step = 0.01;   ///< by which the share grows, above 0
  double limit = 1.0;   ///< which the share stays below, but for the first
  DeadDiagonal dead_diagonal = DeadDiagonal::mean;
};

/// Refuses options that no ladder can follow.
inline void require_damping(std::string_view where, const DampingOptions& options) {
  if (!(options.share >= 0) || !std::isfinite(options.share)) {
    raise(where, "damping.share is ", options.share, ", expected a finite number of at least 0");
  }
  if (!(options.step > 0)) raise(where, "damping.step is ", options.step, ", expected more than 0");
}

/// What was added to the diagonal, in the unit of the curvature.
struct Damping {
  DampingRung rung = DampingRung::first;
  double share = 0;
  double floor = 0;  ///< 0: none
};

/// What stands on the diagonal for channel c under a damping.
[[nodiscard]] inline double damped_diagonal(const Curvature& h, const Damping& damping, Index c) {
  const double value = h.diagonal()[static_cast<std::size_t>(c)];
  const double held = damping.floor > 0 ? std::max(value + damping.floor, damping.floor) : value;
  return held + damping.share * h.mean();
}

/// Tries rung after rung on one factor.
class DampingLadder {
 public:
  /// `factor` has the size of H and room for all of it.
  DampingLadder(const Curvature& h, std::span<const Index> order, const DampingOptions& options,
                LowerFactor<double>& factor, ExecutorRef executor)
      : h_(h), reversed_(order.rbegin(), order.rend()), options_(options), executor_(executor), factor_(factor) {
    const double steps = std::ceil((options.limit - options.share) / options.step) - 1;
    most_steps_ = steps >= 1 ? static_cast<int>(std::min(steps, 1e6)) : 0;
  }

  /// Returns what was added; the factor is that of the damped matrix then, unless the rung is `nearest`.
  Damping climb() {
    if (h_.live() == 0) return {DampingRung::nearest};
    if (fits({DampingRung::first, options_.share})) return {DampingRung::first, options_.share};
    if (const Damping found = least_share(DampingRung::more, 0, 1); found.rung == DampingRung::more) return found;
    double floor = 1e-6 * h_.largest();
    for (int k = 0; k < 6; ++k, floor *= 10) {
      if (const Damping found = least_share(DampingRung::floor, floor, 0); found.rung == DampingRung::floor)
        return found;
    }
    const Damping raised{DampingRung::raised, options_.share};
    if (factor(raised, PivotRule::raised, 1e-6 * h_.largest())) return raised;
    return {DampingRung::nearest};
  }

 private:
  [[nodiscard]] double share_after(int steps) const { return options_.share + steps * options_.step; }

  /// Factors H, damped, in the reverse of the order: row i of the factor is column `order[size - 1 - i]`.
  bool factor(const Damping& damping, PivotRule rule, double least) {
    const auto read = [&](Index i, Index j, Index count, double* to) {
      const Index c = reversed_[static_cast<std::size_t>(j)];
      h_.read({reversed_.data() + i, static_cast<std::size_t>(count)}, c, to);
      if (i == j) to[0] = damped_diagonal(h_, damping, c);
    };
    return factor_.factor(read, rule, least, executor_);
  }
  bool fits(const Damping& damping) { return factor(damping, PivotRule::positive, 0); }

  /// The least number of steps, from `first_step` on, that makes the matrix positive definite. More damping never makes
  /// it less so, so it is found by halves. Rung `nearest` if none does.
  Damping least_share(DampingRung rung, double floor, int first_step) {
    const auto damping_after = [&](int steps) { return Damping{rung, share_after(steps), floor}; };
    int low = first_step, high = most_steps_;
    if (low > high || !fits(damping_after(high))) return {DampingRung::nearest};
    while (low < high) {
      const int middle = low + (high - low) / 2;
      if (fits(damping_after(middle))) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    return fits(damping_after(high)) ? damping_after(high) : Damping{DampingRung::nearest};
  }

  const Curvature& h_;
  std::vector<Index> reversed_;
  DampingOptions options_;
  ExecutorRef executor_;
  LowerFactor<double>& factor_;
  int most_steps_ = 0;
};

/// Largest over least pivot: a lower bound of the condition number of the matrix that was factored.
[[nodiscard]] inline double condition_estimate(const LowerFactor<double>& factor) {
  double least = std::numeric_limits<double>::infinity(), largest = 0;
  for (Index i = 0; i < factor.size(); ++i) {
    const double root = factor(i, i);
    least = std::min(least, root * root);
    largest = std::max(largest, root * root);
  }
  return largest / least;
}

/// The rank of H: how many eigenvalues of the correlation matrix of its live channels are above 10^-4, well above what
/// sums in float leave of a zero. Counted by the signs of an L S L^T in float: as many operations as a factorization,
/// in half the time of one in double.
[[nodiscard]] inline Index rank_of(const Curvature& h, ExecutorRef executor) {
  if (h.live() == 0) return 0;
  constexpr float threshold = 1e-4f, least = 1e-7f;
  std::vector<double> inverse_root;
  std::vector<Index> reversed;
  for (Index c = h.size() - 1; c >= 0; --c) {
    const double d = h.diagonal()[static_cast<std::size_t>(c)];
    inverse_root.push_back(d != 0 ? 1 / std::sqrt(std::fabs(d)) : 0.0);
    reversed.push_back(c);
  }
  LowerFactor<float> factor(h.size());
  const auto read = [&](Index i, Index j, Index count, float* to) {
    double values[LowerFactor<float>::panel];
    const auto column = static_cast<std::size_t>(j);
    h.read({reversed.data() + i, static_cast<std::size_t>(count)}, reversed[column], values);
    if (i == j) values[0] = h.diagonal()[static_cast<std::size_t>(reversed[column])];
    for (Index k = 0; k < count; ++k) {
      to[k] = static_cast<float>(values[k] * inverse_root[column] * inverse_root[static_cast<std::size_t>(i + k)]);
    }
    if (i == j) to[0] -= threshold;
  };
  const bool is_finite = factor.factor(read, PivotRule::signs, least, executor);
  return is_finite ? factor.positive_signs() - (h.size() - h.live()) : 0;
}

}  // namespace halfstep::inline HALFSTEP_ABI
