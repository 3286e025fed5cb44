#pragma once

/// \file
/// The mean of each channel of what comes in pieces of rows, in double.

#include "halfstep/config.hpp"
#include "halfstep/core/matrix_view.hpp"

#include <cstddef>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Sums in the order of the rows. Class: ordered.
class RunningChannelMeans {
 public:
  template <class T>
  void add(MatrixView<const T> x) {
    sums_.resize(static_cast<std::size_t>(x.cols));
    for (Index r = 0; r < x.rows; ++r) {
      for (Index c = 0; c < x.cols; ++c) sums_[static_cast<std::size_t>(c)] += static_cast<double>(x(r, c));
    }
    rows_ += x.rows;
  }
  [[nodiscard]] double mean(Index c) const { return sums_[static_cast<std::size_t>(c)] / static_cast<double>(rows_); }

 private:
  std::vector<double> sums_;
  Index rows_ = 0;
};

}  // namespace halfstep::inline HALFSTEP_ABI
