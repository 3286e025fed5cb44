#pragma once

/// \file
/// A change of variables channel by channel: `x' = (x - shift) / scale`, taken back by what multiplies with x'.
///
/// What it serves: moving outliers from activations to weights, centring channels, fixed noise before a quantizer. The
/// activation side is `apply`, or free of charge where a layer in front takes it in; `fold` (fold.hpp) gives the layers
/// around their part.

#include "halfstep/config.hpp"
#include "halfstep/core/band_grain.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/finite.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/parallel_for.hpp"
#include "halfstep/core/read_row.hpp"

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// `x'_c = (x_c - shift_c) / scale_c`. Either vector has one entry per channel, or none: no shift, no scale. `Scalar`
/// is float (`ShiftScale`) or double.
template <class Scalar>
struct BasicShiftScale {
  std::vector<Scalar> shift;
  std::vector<Scalar> scale;  ///< positive

  friend bool operator==(const BasicShiftScale&, const BasicShiftScale&) = default;

  /// Number of channels; 0 for a transform that does nothing.
  [[nodiscard]] Index channels() const { return static_cast<Index>(std::max(shift.size(), scale.size())); }
  [[nodiscard]] Scalar shift_of(Index c) const {
    return shift.empty() ? Scalar(0) : shift[static_cast<std::size_t>(c)];
  }
  [[nodiscard]] Scalar scale_of(Index c) const {
    return scale.empty() ? Scalar(1) : scale[static_cast<std::size_t>(c)];
  }
  /// Whether any shift is not 0, so that consumers need a bias.
  [[nodiscard]] bool has_shift() const {
    return std::any_of(shift.begin(), shift.end(), [](Scalar s) { return s != 0; });
  }
};

/// The transform of float layers, which is what calibrators return.
using ShiftScale = BasicShiftScale<float>;

/// Refuses a transform that is not one of `channels` channels: another number of entries, a shift that is not finite, a
/// scale that is not positive and finite.
template <class Scalar>
void require_transform(std::string_view where, const BasicShiftScale<Scalar>& t, Index channels) {
  const auto check_size = [&](std::string_view argument, const std::vector<Scalar>& values) {
    if (values.empty() || static_cast<Index>(values.size()) == channels) return;
    raise(where, argument, " of the transform has ", values.size(), " entries, expected ", channels, " (channels)");
  };
  check_size("shift", t.shift);
  check_size("scale", t.scale);
  for (std::size_t c = 0; c < t.shift.size(); ++c) {
    if (is_finite_bits(t.shift[c])) continue;
    raise(where, "shift of channel ", c, " is ", name_of_non_finite(static_cast<float>(t.shift[c])),
          ", expected a finite number");
  }
  for (std::size_t c = 0; c < t.scale.size(); ++c) {
    if (!(is_finite_bits(t.scale[c]) && t.scale[c] > 0)) {
      raise(where, "scale of channel ", c, " is ", t.scale[c], ", expected a positive number");
    }
  }
}

/// The transformed activations of x `[tokens, channels]`, of the transform's scalar: one subtraction and one division
/// each; scales and shifts that are not there are left out. Class: exact, for any executor. Errors: a transform of
/// another number of channels.
template <class Scalar, Viewable M>
[[nodiscard]] MatrixOf<Scalar> apply(const BasicShiftScale<Scalar>& t, const M& x, ExecutorRef executor = {}) {
  const auto source = view(x);
  require_readable("apply", "x", source);
  require_transform("apply", t, source.cols);
  MatrixOf<Scalar> out(source.rows, source.cols);
  parallel_for(executor, source.rows, band_grain(source.cols), [&](Index first, Index last) {
    for (Index r = first; r < last; ++r) {
      Scalar* const to = out.data() + r * source.cols;
      copy_row(source, r, to);
      if (!t.shift.empty()) {
        for (Index c = 0; c < source.cols; ++c) to[c] -= t.shift[static_cast<std::size_t>(c)];
      }
      if (!t.scale.empty()) {
        for (Index c = 0; c < source.cols; ++c) to[c] /= t.scale[static_cast<std::size_t>(c)];
      }
    }
  });
  return out;
}

}  // namespace halfstep::inline HALFSTEP_ABI
