#pragma once

/// \file
/// One axis of a plot: the interval of values it shows, where a value lies on it, and the ticks a reader would choose.

#include "halfstep/config.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/report/number_text.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI::report {

/// How values map to positions.
enum class AxisScale { linear, log10 };

/// What a caller may say about an axis.
struct AxisOptions {
  std::string label = {};
  std::string unit = {};
  AxisScale scale = AxisScale::linear;
  std::optional<double> least = {};     ///< start of the axis; from the data where not given
  std::optional<double> greatest = {};  ///< end of the axis; from the data where not given
};

/// The unit of an axis as it follows a number: " dB", or nothing.
[[nodiscard]] inline std::string unit_suffix(const AxisOptions& options) {
  return options.unit.empty() ? "" : " " + options.unit;
}

/// Whether an axis can show `value`: finite, of magnitude at most 1e300 (room for the arithmetic of the axis itself),
/// and at least 1e-300 where the scale is logarithmic.
[[nodiscard]] inline bool drawable(double value, AxisScale scale) {
  return is_finite(value) && std::abs(value) <= 1e300 && (scale == AxisScale::linear || value >= 1e-300);
}

/// Least and greatest of the values that an axis of this scale can show.
class DataRange {
 public:
  explicit DataRange(AxisScale scale) : scale_(scale) {}

  /// Takes a value into account, and says whether it can be shown.
  bool include(double value) {
    if (!drawable(value, scale_)) return false;
    least_ = std::min(least_, value);
    greatest_ = std::max(greatest_, value);
    integers_ = integers_ && value == std::floor(value);
    return true;
  }

  [[nodiscard]] AxisScale scale() const { return scale_; }
  [[nodiscard]] bool empty() const { return least_ > greatest_; }
  [[nodiscard]] double least() const { return least_; }
  [[nodiscard]] double greatest() const { return greatest_; }
  /// Whether every value so far was an integer, such as a number of bits: ticks between integers mean nothing then.
  [[nodiscard]] bool integers() const { return integers_; }

 private:
  AxisScale scale_;
  double least_ = std::numeric_limits<double>::max();
  double greatest_ = std::numeric_limits<double>::lowest();
  bool integers_ = true;
};

/// The least step from {1, 2, 5} * 10^k that cuts `span` (> 0) into at most `most` parts.
[[nodiscard]] inline double nice_step(double span, double most) {
  const double raw = span / most;
  const double power = std::pow(10.0, std::floor(std::log10(raw)));
  const double ratio = raw / power * (1 - 1e-9);
  return power * (ratio <= 1 ? 1 : ratio <= 2 ? 2 : ratio <= 5 ? 5 : 10);
}

/// A mark of the axis; one without a label is a minor one.
struct Tick {
  double value;
  std::string label;
};

/// The interval shown, its ticks and the title. A value; built by `make_axis`.
class Axis {
 public:
  Axis(AxisScale scale, double least, double greatest, std::string title)
      : scale_(scale), least_(least), greatest_(greatest), title_(std::move(title)) {}

  [[nodiscard]] AxisScale scale() const { return scale_; }
  [[nodiscard]] double least() const { return least_; }
  [[nodiscard]] double greatest() const { return greatest_; }
  /// Label, unit and common power of ten: "KL [nats, 10⁻⁵]".
  [[nodiscard]] const std::string& title() const { return title_; }
  [[nodiscard]] const std::vector<Tick>& ticks() const { return ticks_; }
  void set_ticks(std::vector<Tick> ticks) { ticks_ = std::move(ticks); }

  /// Whether `value` is drawable and within the interval.
  [[nodiscard]] bool shows(double value) const {
    return drawable(value, scale_) && value >= least_ && value <= greatest_;
  }

  /// Where a drawable value lies: 0 at the start of the axis, 1 at its end, beyond where the value is.
  [[nodiscard]] double position(double value) const {
    if (scale_ == AxisScale::linear) return (value - least_) / (greatest_ - least_);
    return (std::log10(value) - std::log10(least_)) / (std::log10(greatest_) - std::log10(least_));
  }

 private:
  AxisScale scale_;
  double least_, greatest_;
  std::string title_;
  std::vector<Tick> ticks_;
};

/// What an axis does with the space around the data.
enum class AxisFit {
  padded,     ///< a little air at both ends
  from_zero,  ///< reaches zero, and air at the other end: bars, counts
  tight       ///< from the least to the greatest value
};

/// Whether `least` and `greatest` are far enough apart for ticks between them to have different values.
[[nodiscard]] inline bool distinguishable(double least, double greatest) {
  return greatest - least > 1e-9 * std::max(std::abs(least), std::abs(greatest));
}

/// The interval of an axis for `range`, before the caller's own limits: never empty.
[[nodiscard]] inline std::pair<double, double> fitted_interval(const DataRange& range, AxisFit fit) {
  if (range.empty()) return range.scale() == AxisScale::linear ? std::pair{0.0, 1.0} : std::pair{0.1, 1.0};
  double least = range.least(), greatest = range.greatest();
  if (range.scale() == AxisScale::log10) {
    const double decades = std::log10(greatest) - std::log10(least);
    const double air = std::pow(10.0, decades < 1e-3 ? 0.3 : fit == AxisFit::tight ? 0.0 : 0.06 * decades);
    return {std::max(least / air, 1e-305), std::min(greatest * air, 1e305)};
  }
  if (fit == AxisFit::from_zero) {
    least = std::min(least, 0.0);
    greatest = std::max(greatest, 0.0);
  }
  const double magnitude = std::max(std::abs(least), std::abs(greatest));
  if (!distinguishable(least, greatest)) {
    const double half = magnitude > 1e-290 ? 0.1 * magnitude : 1.0;
    if (magnitude == 0 && fit == AxisFit::from_zero) return {0.0, 1.0};
    return {least - half, greatest + half};
  }
  const double air = fit == AxisFit::tight ? 0 : 0.05 * (greatest - least);
  const bool keep_least = fit == AxisFit::from_zero && least == 0;
  const bool keep_greatest = fit == AxisFit::from_zero && greatest == 0;
  return {keep_least ? 0 : least - air, keep_greatest ? 0 : greatest + air};
}

/// How the labels of a linear axis are written: divided by 10^exponent, with `digits` after the point and a suffix.
struct TickFormat {
  int exponent = 0;
  int digits = 0;
  std::string suffix = {};
  bool exponent_in_title = false;
};

/// The format for steps of `step` and values up to `magnitude`: thousands as "k", "M", "G"; beyond, and for small
/// numbers, a power of ten that the title names.
[[nodiscard]] inline TickFormat tick_format(double magnitude, double step) {
  TickFormat format;
  if (magnitude >= 1e4 && magnitude < 1e12) {
    format.exponent = magnitude >= 1e9 ? 9 : magnitude >= 1e6 ? 6 : 3;
    format.suffix = magnitude >= 1e9 ? "G" : magnitude >= 1e6 ? "M" : "k";
  } else if (magnitude >= 1e12 || magnitude < 1e-2) {
    format.exponent = static_cast<int>(std::floor(std::log10(magnitude) + 1e-9));
    format.exponent_in_title = true;
  }
  const int step_exponent = static_cast<int>(std::floor(std::log10(step) + 1e-9));
  format.digits = std::clamp(format.exponent - step_exponent, 0, 12);
  return format;
}

/// Ticks of a linear axis, `step` apart.
[[nodiscard]] inline std::vector<Tick> linear_ticks(const Axis& axis, double step, const TickFormat& format) {
  std::vector<Tick> ticks;
  const double slack = 1e-9 * (axis.greatest() - axis.least());
  for (double n = std::ceil((axis.least() - slack) / step); n * step <= axis.greatest() + slack; ++n) {
    const double scaled = n * (step / std::pow(10.0, format.exponent));
    const std::string number = number_text(scaled, {.digits = format.digits});
    ticks.push_back({n * step, with_minus_sign(number) + (n == 0 ? "" : format.suffix)});
  }
  return ticks;
}

/// The label of the tick `digit` * 10^exponent: a plain number where all ticks of the axis are of moderate size.
[[nodiscard]] inline std::string log_label(int digit, int exponent, bool plain) {
  if (plain) return short_number(digit * std::pow(10.0, exponent), 6);
  return digit == 1 ? power_of_ten(exponent) : std::to_string(digit) + "·" + power_of_ten(exponent);
}

/// Ticks of a logarithmic axis: decades (every n-th where there are many); 2 and 5 of each are labelled where there are
/// at most two decades, and the rest of 2..9 are minor ticks where there are at most six.
[[nodiscard]] inline std::vector<Tick> log_ticks(const Axis& axis, double most) {
  const double low = std::log10(axis.least()), high = std::log10(axis.greatest());
  const int first = static_cast<int>(std::floor(low)), last = static_cast<int>(std::ceil(high));
  const int every = std::max(1, static_cast<int>(std::ceil((high - low) / most)));
  const bool plain = first >= -3 && last <= 4;
  std::vector<Tick> ticks;
  for (int decade = first; decade <= last; ++decade) {
    for (int digit = 1; digit <= 9; ++digit) {
      const double value = digit * std::pow(10.0, decade);
      const double slack = 1e-12 * value;
      if (value < axis.least() - slack || value > axis.greatest() + slack) continue;
      const bool fine = high - low <= 2.0 && (digit == 2 || digit == 5);
      const bool labelled = (digit == 1 && decade % every == 0) || fine;
      if (labelled || high - low <= 6.0) ticks.push_back({value, labelled ? log_label(digit, decade, plain) : ""});
    }
  }
  return ticks;
}

/// Refuses limits that no axis can have.
inline void check_limits(const AxisOptions& options, const char* where) {
  for (const auto& limit : {options.least, options.greatest}) {
    if (limit && !drawable(*limit, options.scale)) {
      raise(where, "axis \"", options.label, "\" has limit ", *limit, ", expected a finite number",
            options.scale == AxisScale::log10 ? " of at least 1e-300" : "", " and at most 1e300 in magnitude");
    }
  }
  if (options.least && options.greatest && !distinguishable(*options.least, *options.greatest)) {
    raise(where, "axis \"", options.label, "\" goes from ", *options.least, " to ", *options.greatest,
          ", expected the first to be clearly less");
  }
}

/// The interval of an axis: the caller's limits exactly, else what the data ask for; where one given limit lies beyond
/// all data, an interval of some size that starts or ends there.
[[nodiscard]] inline std::pair<double, double> shown_interval(const DataRange& range, const AxisOptions& options,
                                                              AxisFit fit) {
  auto [least, greatest] = fitted_interval(range, fit);
  if (options.least) least = *options.least;
  if (options.greatest) greatest = *options.greatest;
  if (distinguishable(least, greatest)) return {least, greatest};
  const bool logarithmic = options.scale == AxisScale::log10;
  if (options.greatest) return {logarithmic ? greatest / 10 : greatest - std::abs(greatest) - 1, greatest};
  return {least, logarithmic ? least * 10 : least + std::abs(least) + 1};
}

/// The axis for the data in `range`, with at most `most` (>= 1) intervals between labelled ticks; no
/// ticks where neither data nor caller gave the interval a meaning. Errors: limits that
/// are not finite, not in order, or not positive on a logarithmic axis; the message starts with `where`.
[[nodiscard]] inline Axis make_axis(const DataRange& range, const AxisOptions& options, AxisFit fit, double most,
                                    const char* where) {
  check_limits(options, where);
  const auto [least, greatest] = shown_interval(range, options, fit);
  const bool whole = range.integers() && !range.empty();
  const double step = std::max(nice_step(greatest - least, most), whole ? 1.0 : 0.0);
  TickFormat format;
  if (options.scale == AxisScale::linear) format = tick_format(std::max(std::abs(least), std::abs(greatest)), step);
  std::string unit = options.unit;
  if (format.exponent_in_title)
    unit = (unit.empty() ? "×" : "") + power_of_ten(format.exponent) + (unit.empty() ? "" : " ") + unit;
  Axis axis(options.scale, least, greatest, options.label + (unit.empty() ? "" : " [" + unit + "]"));
  if (range.empty() && !options.least && !options.greatest) return axis;
  if (options.scale == AxisScale::linear) {
    axis.set_ticks(linear_ticks(axis, step, format));
    return axis;
  }
  std::vector<Tick> ticks = log_ticks(axis, most);
  const auto labelled = std::count_if(ticks.begin(), ticks.end(), [](const Tick& tick) { return !tick.label.empty(); });
  if (labelled < 2) {  // less than a decade: steps that are even in value
    const double fine = nice_step(greatest - least, most);
    ticks = linear_ticks(axis, fine, {.digits = tick_format(1, fine).digits});
  }
  axis.set_ticks(std::move(ticks));
  return axis;
}

}  // namespace halfstep::inline HALFSTEP_ABI::report
