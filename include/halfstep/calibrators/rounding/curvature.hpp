#pragma once

/// \file
/// The Hessian of a layer in the unit and the form in which it is factored.

#include "halfstep/calibrators/rounding/hessian.hpp"
#include "halfstep/calibrators/rounding/symmetric_matrix.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/matrix_view.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// What stands on the diagonal for a channel that was never active.
enum class DeadDiagonal {
  mean,  ///< the mean of the diagonal of the others, so that the unit of the data is of no account
  one,   ///< 1, in the unit of the published Hessian, as the published programs have it; enters the mean
};

/// A view of `H = sum x x^T`, times a power of four that brings the mean of its diagonal into [1, 4), and with
/// something on the diagonal for dead channels, those whose diagonal is 0. The accumulator must outlive it.
class Curvature {
 public:
  Curvature(HessianAccumulator&&, DeadDiagonal) = delete;
  Curvature(const HessianAccumulator& hessian, DeadDiagonal dead)
      : sum_(&hessian.sum()), diagonal_(static_cast<std::size_t>(hessian.channels())) {
    double live_sum = 0, largest = 0;
    for (Index c = 0; c < size(); ++c) {
      const double value = (*sum_)(c, c);
      live_ += value != 0;
      live_sum += value;
      largest = std::max(largest, std::fabs(value));
    }
    const double live_mean = live_ > 0 ? live_sum / static_cast<double>(live_) : 0.0;
    scale_ = scale_of(live_mean > 0 ? live_mean : largest);
    to_published_ = hessian.published_factor() / scale_;
    const double dead_value = dead == DeadDiagonal::mean ? scale_ * live_mean : 1 / to_published_;
    for (Index c = 0; c < size(); ++c) {
      diagonal_[static_cast<std::size_t>(c)] = is_dead(c) ? dead_value : scale_ * (*sum_)(c, c);
      mean_ += diagonal_[static_cast<std::size_t>(c)];
      largest_ = std::max(largest_, std::fabs(diagonal_[static_cast<std::size_t>(c)]));
    }
    mean_ /= static_cast<double>(size());
  }

  [[nodiscard]] Index size() const { return sum_->size(); }
  /// How many channels were active.
  [[nodiscard]] Index live() const { return live_; }
  [[nodiscard]] bool is_dead(Index c) const { return (*sum_)(c, c) == 0; }
  /// The diagonal, in scaled units, dead channels filled in.
  [[nodiscard]] const std::vector<double>& diagonal() const { return diagonal_; }
  /// The mean and the largest magnitude of `diagonal()`.
  [[nodiscard]] double mean() const { return mean_; }
  [[nodiscard]] double largest() const { return largest_; }
  /// H(r, c) as it was summed, in scaled units.
  [[nodiscard]] double operator()(Index r, Index c) const { return scale_ * (*sum_)(r, c); }
  /// H(r[0], c) to H(r[count - 1], c) as they were summed, in scaled units. Faster than one by one.
  void read(std::span<const Index> rows, Index c, double* to) const {
    const double* const row = sum_->row(c);
    for (std::size_t k = 0; k < rows.size(); ++k) {
      const Index r = rows[k];
      to[k] = scale_ * (r <= c ? row[r] : sum_->row(r)[c]);
    }
  }
  /// Scaled units for one of the sum, and published units (2 / sequences of the sum) for a scaled one.
  [[nodiscard]] double scale() const { return scale_; }
  [[nodiscard]] double to_published() const { return to_published_; }

 private:
  [[nodiscard]] static double scale_of(double mean) {
    if (!(mean > 0)) return 1;
    const int exponent = std::ilogb(mean);
    return std::ldexp(1.0, -2 * (exponent >= 0 ? exponent / 2 : -((1 - exponent) / 2)));
  }

  const SymmetricMatrix* sum_;
  std::vector<double> diagonal_;
  Index live_ = 0;
  double scale_ = 1;
  double to_published_ = 1;
  double mean_ = 0;
  double largest_ = 0;
};

}  // namespace halfstep::inline HALFSTEP_ABI
