#pragma once

/// \file
/// Requantization with a ratio and a bias for each channel: what stands between the products of an integer-only model.
///
///     y = rne((z + bias_c) * multiplier_c / 2^shift_c)

#include "halfstep/config.hpp"
#include "halfstep/core/band_grain.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/parallel_for.hpp"
#include "halfstep/kernels/dyadic.hpp"
#include "halfstep/kernels/integer_rows.hpp"

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Dyadic ratios and biases by channel. A value.
class ChannelRequantizer {
 public:
  ChannelRequantizer() = default;

  /// From integers whose unit of channel c is worth `scale[c]` to integers of `out_scale[c]` (one number: of all
  /// channels), after adding `bias[c]`, a real that becomes the nearest integer number of units; no biases: none. A
  /// negative scale turns the sign. Errors: other numbers of biases or output scales; a ratio that `Dyadic` does not
  /// hold; a bias of 2^30 units or more.
  ChannelRequantizer(const std::vector<double>& scale, const std::vector<float>& bias,
                     const std::vector<double>& out_scale) {
    constexpr const char* where = "ChannelRequantizer";
    if ((!bias.empty() && bias.size() != scale.size()) || (out_scale.size() != 1 && out_scale.size() != scale.size())) {
      raise(where, "bias has ", bias.size(), " elements and out_scale ", out_scale.size(), ", scale has ",
            scale.size());
    }
    for (std::size_t c = 0; c < scale.size(); ++c) {
      const Dyadic ratio = Dyadic::of(std::fabs(scale[c]) / out_scale[out_scale.size() == 1 ? 0 : c]);
      multiplier_.push_back(scale[c] < 0 ? -ratio.multiplier : ratio.multiplier);
      shift_.push_back(ratio.shift);
      is_narrow_ = is_narrow_ && ratio.shift <= 62;
      const double units = bias.empty() ? 0 : std::nearbyint(static_cast<double>(bias[c]) / scale[c]);
      if (!(std::fabs(units) < 0x1p30)) {
        raise(where, "bias of channel ", c, " is ", bias[c], ", expected less than 2^30 units of ", scale[c]);
      }
      bias_.push_back(static_cast<std::int32_t>(units));
    }
  }

  [[nodiscard]] Index channels() const { return static_cast<Index>(multiplier_.size()); }

  /// Calls `store(c, y)` for each channel of a row z, below 2^30 in size. Class: exact.
  template <class Store>
  void for_row(const std::int32_t* z, const Store& store) const {
    if (!is_narrow_) return for_wide_row(z, store);
    for (Index c = 0; c < channels(); ++c) {
      const auto at = static_cast<std::size_t>(c);
      store(c, requantize_narrow(z[c] + bias_[at], multiplier_[at], shift_[at]));
    }
  }
  /// The same below 2^61 in size.
  template <class Store>
  void for_row(const std::int64_t* z, const Store& store) const {
    for_wide_row(z, store);
  }

 private:
  template <class In, class Store>
  void for_wide_row(const In* z, const Store& store) const {
    for (Index c = 0; c < channels(); ++c) {
      const auto at = static_cast<std::size_t>(c);
      store(c, requantize(std::int64_t{z[c]} + bias_[at], Dyadic{multiplier_[at], shift_[at]}));
    }
  }

  std::vector<std::int64_t> multiplier_;
  std::vector<int> shift_;
  std::vector<std::int32_t> bias_;
  bool is_narrow_ = true;
};

/// Refuses a requantizer of another number of channels.
inline void require_channels(std::string_view where, const ChannelRequantizer& to, Index channels) {
  if (to.channels() != channels) {
    raise(where, "the requantizer has ", to.channels(), " channels, expected ", channels);
  }
}

/// Calls `store(element, y)` for each element of `out` and what becomes of that of x. Errors, in the
/// name of the call `where`: shapes that do not fit.
template <std::signed_integral In, std::signed_integral Out, class Store>
void for_each_requantized(std::string_view where, MatrixView<const In> x, const ChannelRequantizer& to,
                          MatrixView<Out> out, ExecutorRef executor, const Store& store) {
  require_integer_rows(where, x, out);
  require_channels(where, to, x.cols);
  parallel_for(executor, x.rows, band_grain(x.cols), [&](Index first, Index last) {
    for (Index r = first; r < last; ++r) {
      Out* const row = out.row(r);
      to.for_row(x.row(r), [&](Index c, std::int64_t y) { store(row[c], y); });
    }
  });
}

/// `out = clamp(to(x), -largest, largest)`, x and out `[rows, channels]` with contiguous rows, x below 2^30 in size
/// where it is int32, below 2^61 where it is int64 (then without biases to speak of). Class: exact, for any executor.
/// Errors: shapes that do not fit.
template <std::signed_integral In>
void requantize_channels(MatrixView<const In> x, const ChannelRequantizer& to, std::int32_t largest,
                         MatrixView<std::int8_t> out, ExecutorRef executor = {}) {
  for_each_requantized("requantize_channels", x, to, out, executor, [&](std::int8_t& code, std::int64_t y) {
    code = static_cast<std::int8_t>(std::clamp<std::int64_t>(y, -largest, largest));
  });
}

/// `sum = clamp(sum + to(x), -largest, largest)`: a branch joins a residual stream. Class: exact, for any executor.
/// Errors: shapes that do not fit.
inline void add_requantized(MatrixView<const std::int32_t> x, const ChannelRequantizer& to, std::int32_t largest,
                            MatrixView<std::int32_t> sum, ExecutorRef executor = {}) {
  for_each_requantized("add_requantized", x, to, sum, executor, [&](std::int32_t& element, std::int64_t y) {
    element = static_cast<std::int32_t>(std::clamp<std::int64_t>(element + y, -largest, largest));
  });
}

}  // namespace halfstep::inline HALFSTEP_ABI
