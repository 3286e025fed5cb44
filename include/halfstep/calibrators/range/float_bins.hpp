#pragma once

/// \file
/// How often which floats occur, binned by their leading bits.

#include "halfstep/calibrators/range/float_bins_parts.hpp"
#include "halfstep/calibrators/range/moved_toward.hpp"
#include "halfstep/calibrators/range/quantile.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/kernels/row_range.hpp"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// A run of floats, and how many values were in it: `low <= x <= high` for each, both ends being floats that belong.
struct FloatBin {
  float low = 0;
  float high = 0;
  std::int64_t count = 0;
  friend bool operator==(const FloatBin&, const FloatBin&) = default;
};

/// Counts of finite floats in bins of sign, exponent and leading `mantissa_bits` of the mantissa: 2^mantissa_bits bins
/// per octave, each as wide as 2^-mantissa_bits of its lower end (subnormals: of the least normal float). Zero has a
/// bin of its own.
///
/// Bins are the same whatever the data, so counts need no range in advance and merge exactly, in any order. Memory: 8
/// bytes per bin of the octaves between the least and the largest magnitude seen, for each sign. Class: exact.
class FloatBins {
 public:
  /// Throws unless 0 <= mantissa_bits <= 16.
  explicit FloatBins(int mantissa_bits = 7) : mantissa_bits_(mantissa_bits) {
    if (mantissa_bits < 0 || mantissa_bits > 16) {
      raise("FloatBins", "mantissa_bits is ", mantissa_bits, ", expected 0 to 16");
    }
  }

  /// Counts that were taken before. Error: `fault_of` has one.
  explicit FloatBins(const FloatBinsParts& parts) : FloatBins(parts.mantissa_bits) {
    if (const std::string_view fault = fault_of(parts); !fault.empty()) raise("FloatBins", fault);
    min_ = parts.min;
    max_ = parts.max;
    count_ = count_of(parts);
    zeros_ = parts.zeros;
    sides_[0] = parts.positive;
    sides_[1] = parts.negative;
  }
  /// The counts in the open. There must be values.
  [[nodiscard]] FloatBinsParts parts() const { return {mantissa_bits_, min(), max(), zeros_, sides_[0], sides_[1]}; }

  /// Counts x, which must be finite.
  void add(float x) { add(&x, 1); }

  /// Counts x[0] to x[n - 1]. Two to three nanoseconds an element.
  void add(const float* x, Index n) {
    RunningRange ends{min_, max_, 0, count_};
    static_cast<void>(widen(ends, x, n));  // finite, as asked for
    min_ = ends.min;
    max_ = ends.max;
    count_ = ends.count;
    for (Index i = 0; i < n; ++i) {
      const std::uint32_t bits = std::bit_cast<std::uint32_t>(x[i]);
      const std::uint32_t magnitude = bits & 0x7fffffffu;
      if (magnitude == 0) {
        ++zeros_;
        continue;
      }
      Side& side = sides_[bits >> 31];
      if ((magnitude >> 23) - side.first_octave >= side.octaves) grow_for(side, bits >> 31, x + i, n - i);
      ++side.counts[(magnitude >> shift()) - (side.first_octave << mantissa_bits_)];
    }
  }

  /// Adds the counts of `other`, which must have bins of the same width.
  void merge(const FloatBins& other) {
    if (mantissa_bits_ != other.mantissa_bits_) {
      raise("FloatBins::merge", "other has ", other.mantissa_bits_, " mantissa bits, expected ", mantissa_bits_);
    }
    min_ = other.min_ < min_ ? other.min_ : min_;
    max_ = other.max_ > max_ ? other.max_ : max_;
    count_ += other.count_;
    zeros_ += other.zeros_;
    for (std::size_t s = 0; s < 2; ++s) {
      const Side& from = other.sides_[s];
      Side& to = sides_[s];
      if (from.octaves == 0) continue;
      grow(to, from.first_octave, from.first_octave + from.octaves);
      const std::size_t base = std::size_t{from.first_octave - to.first_octave} << mantissa_bits_;
      for (std::size_t i = 0; i < from.counts.size(); ++i) to.counts[base + i] += from.counts[i];
    }
  }

  [[nodiscard]] int mantissa_bits() const { return mantissa_bits_; }
  /// Number of values.
  [[nodiscard]] std::int64_t count() const { return count_; }
  /// The least value, exactly; +infinity if there was none. Zero is positive.
  [[nodiscard]] float min() const { return min_ + 0.0f; }
  /// The largest value, exactly; -infinity if there was none.
  [[nodiscard]] float max() const { return max_ + 0.0f; }

  /// Calls `visit(FloatBin)` for the bins that hold values, in ascending order. The outermost ones end
  /// at the least and the largest value.
  template <class Visit>
  void for_each_bin(Visit&& visit) const {
    const Side& negative = sides_[1];
    for (std::size_t i = negative.counts.size(); i-- > 0;) {
      if (negative.counts[i] != 0)
        visit_clipped(visit, -last_of(negative, i), -first_of(negative, i), negative.counts[i]);
    }
    if (zeros_ != 0) visit(FloatBin{0.0f, 0.0f, zeros_});
    const Side& positive = sides_[0];
    for (std::size_t i = 0; i < positive.counts.size(); ++i) {
      if (positive.counts[i] != 0)
        visit_clipped(visit, first_of(positive, i), last_of(positive, i), positive.counts[i]);
    }
  }

  friend bool operator==(const FloatBins& a, const FloatBins& b) {
    return a.mantissa_bits_ == b.mantissa_bits_ && a.count_ == b.count_ && a.zeros_ == b.zeros_ && a.min_ == b.min_ &&
           a.max_ == b.max_ && a.sides_[0] == b.sides_[0] && a.sides_[1] == b.sides_[1];
  }

 private:
  using Side = FloatBinsSide;

  [[nodiscard]] int shift() const { return 23 - mantissa_bits_; }

  /// Extends `side` to octaves [first, last): to what was seen and no further, so that order leaves no trace.
  void grow(Side& side, std::uint32_t first, std::uint32_t last) const {
    if (side.octaves != 0) {
      first = std::min(first, side.first_octave);
      last = std::max(last, side.first_octave + side.octaves);
    }
    if (first == side.first_octave && last - first == side.octaves) return;
    std::vector<std::int64_t> counts(std::size_t{last - first} << mantissa_bits_);
    if (side.octaves != 0) {
      const auto at = static_cast<std::ptrdiff_t>(std::size_t{side.first_octave - first} << mantissa_bits_);
      std::copy(side.counts.begin(), side.counts.end(), counts.begin() + at);
    }
    side = {first, last - first, std::move(counts)};
  }

  /// Extends `side` to the octaves of all x of its sign, at once: a run costs one allocation, not one per octave.
  void grow_for(Side& side, std::uint32_t sign, const float* x, Index n) const {
    std::uint32_t first = 255, last = 0;
    for (Index i = 0; i < n; ++i) {
      const std::uint32_t bits = std::bit_cast<std::uint32_t>(x[i]);
      const std::uint32_t octave = (bits & 0x7fffffffu) >> 23;
      if (bits >> 31 != sign || (bits & 0x7fffffffu) == 0) continue;
      first = std::min(first, octave);
      last = std::max(last, octave);
    }
    grow(side, first, last + 1);
  }

  /// The least and the largest magnitude of bin i.
  [[nodiscard]] float first_of(const Side& side, std::size_t i) const {
    return first_magnitude(side, i, mantissa_bits_);
  }
  [[nodiscard]] float last_of(const Side& side, std::size_t i) const { return last_magnitude(side, i, mantissa_bits_); }

  template <class Visit>
  void visit_clipped(Visit& visit, float low, float high, std::int64_t count) const {
    visit(FloatBin{low < min_ ? min_ : low, high > max_ ? max_ : high, count});
  }

  int mantissa_bits_;
  std::int64_t count_ = 0;
  std::int64_t zeros_ = 0;
  float min_ = std::numeric_limits<float>::infinity();
  float max_ = -std::numeric_limits<float>::infinity();
  Side sides_[2];  // positive, negative
};

/// Value number `k` (from 0) of all in ascending order, taking those of a bin as evenly spread: off by less than the
/// width of its bin. The first and the last value are exact. O(bins).
[[nodiscard]] inline float order_statistic(const FloatBins& bins, std::int64_t k) {
  if (k <= 0) return bins.min();
  if (k >= bins.count() - 1) return bins.max();
  std::int64_t before = 0;
  float value = 0;
  bins.for_each_bin([&](const FloatBin& bin) {
    if (k >= before && k < before + bin.count) {
      const double share = (static_cast<double>(k - before) + 0.5) / static_cast<double>(bin.count);
      value = std::min(moved_toward(bin.low, bin.high, static_cast<float>(share)), bin.high);
    }
    before += bin.count;
  });
  return value;
}

/// Quantile `p` of the counted values, with the ranks of quantile.hpp: off by less than the width of the bins that hold
/// the two neighbours of the rank. Errors: no values; p outside [0, 1]. Class: ordered.
[[nodiscard]] inline float quantile(const FloatBins& bins, double p) {
  const QuantileRank rank = quantile_rank(bins.count(), p);
  return value_at(rank, order_statistic(bins, rank.below), order_statistic(bins, rank.above));
}

}  // namespace halfstep::inline HALFSTEP_ABI
