#pragma once

/// \file
/// Scalar codebooks: the nearest of any 2 to 256 levels, times a scale.
///
///     code  = the level nearest to x / scale; halfway between two, the lower one
///     value = scale * level[code]
///
/// `FixedLevels<table>` has its table in the type: NF4 and whatever else is the same for every granule.
/// `LevelTable<Bits>` has it among its parameters, for levels that were searched. Neither takes a logarithm or a
/// distance: a code is how many middles between neighbouring levels lie below x / scale, so it is exact on every
/// instruction set.

#include "halfstep/config.hpp"
#include "halfstep/core/range.hpp"
#include "halfstep/quantizers/concepts.hpp"
#include "halfstep/quantizers/scale.hpp"
#include "halfstep/simd/lookup.hpp"
#include "halfstep/simd/math.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace halfstep::inline HALFSTEP_ABI {

/// The middle of two neighbouring levels, rounded to a float once.
template <simd::FloatLanes T>
[[nodiscard]] constexpr T middle_level(T low, T high) {
  return simd::pinned(low * 0.5f) + simd::pinned(high * 0.5f);
}

/// Room for the `Count` middles that `count_below` searches.
template <std::size_t Count>
inline constexpr std::size_t search_size = std::max(std::size_t{16}, std::bit_ceil(Count + 1));

/// How many of the `Count` ascending `middles` are below `y`: 0 for NaN. `middles` has `search_size<Count>` elements,
/// infinity in those left over. Few are compared with one by one where registers hold no table of them, else they are
/// searched by halves, in ceil(log2(Count + 1)) look-ups.
template <std::size_t Count, simd::FloatLanes T>
[[nodiscard]] simd::IntOf<T> count_below(const float* middles, T y) {
  using Int = simd::IntOf<T>;
  Int below(0);
  if constexpr (Count <= 15 && !simd::holds_table<search_size<Count>>) {
    for (std::size_t i = 0; i < Count; ++i) below += simd::select(y > T(middles[i]), Int(1), 0);
  } else {
    for (auto step = static_cast<std::int32_t>(std::bit_floor(Count)); step > 0; step /= 2) {
      const T middle = simd::lookup<search_size<Count>>(middles, below + Int(step - 1));
      below = simd::select(simd::as_int_mask(y > middle), below + Int(step), below);
    }
  }
  return below;
}

/// Whether a table can be searched: finite levels, each above the one before.
template <std::size_t Count>
[[nodiscard]] constexpr bool is_ascending(const std::array<float, Count>& levels) {
  for (std::size_t i = 1; i < Count; ++i) {
    if (!(levels[i - 1] < levels[i])) return false;
  }
  return true;
}

/// NF4: quantiles of the normal distribution, 0 among them. Source: QLoRA (Dettmers et al., 2023), appendix E.
inline constexpr std::array<float, 16> nf4_levels = {-1.0f,
                                                     -0.6961928009986877f,
                                                     -0.5250730514526367f,
                                                     -0.39491748809814453f,
                                                     -0.28444138169288635f,
                                                     -0.18477343022823334f,
                                                     -0.09105003625154495f,
                                                     0.0f,
                                                     0.07958029955625534f,
                                                     0.16093020141124725f,
                                                     0.24611230194568634f,
                                                     0.33791524171829224f,
                                                     0.44070982933044434f,
                                                     0.5626170039176941f,
                                                     0.7229568362236023f,
                                                     1.0f};

/// Quantizer whose levels are `Table`, a constant std::array of 2 to 256 ascending floats. The codes that a table of
/// no power of two leaves over are never made, and decode like the last. NaN gets the code of the level nearest to 0,
/// infinities the end codes. Class: exact.
template <const auto& Table>
struct FixedLevels {
  static constexpr std::size_t level_number = Table.size();
  static_assert(level_number >= 2 && level_number <= 256, "FixedLevels<Table>: a table has 2 to 256 levels");
  static_assert(is_ascending(Table), "FixedLevels<Table>: each level must be above the one before");
  static constexpr int bits = std::bit_width(level_number - 1);
  static constexpr bool reads_mean_abs = false;

  float scale = 1;  ///< positive

  friend bool operator==(const FixedLevels&, const FixedLevels&) = default;

  template <simd::FloatLanes T>
  [[nodiscard]] auto encode(T x) const {
    const T y = x / T(scale);
    return count_below<level_number - 1>(middles.data(), simd::select(simd::is_nan(y), T(0.0f), y));
  }

  template <simd::IntLanes C>
  [[nodiscard]] auto decode(C code) const {
    return simd::lookup<padded.size()>(padded.data(), code) * simd::FloatOf<C>(scale);
  }

  /// The least scale with which the levels span the range: what exceeds 0 on a side of the table is covered by it.
  [[nodiscard]] static FixedLevels fit(Range range) {
    constexpr float low = Table.front(), high = Table.back();
    const float below = low < 0 && range.min < 0 ? range.min / low : 0.0f;
    const float above = high > 0 && range.max > 0 ? range.max / high : 0.0f;
    const float scale = std::min(std::max(below, above), 0x1.fffffp127f);
    return {finite_scale(usable_scale(scale), std::max(-low, high))};
  }

 private:
  static constexpr auto middles = [] {
    std::array<float, search_size<level_number - 1>> values{};
    values.fill(std::numeric_limits<float>::infinity());
    for (std::size_t i = 0; i + 1 < level_number; ++i) values[i] = middle_level(Table[i], Table[i + 1]);
    return values;
  }();
  /// The levels of all codes of `bits` bits, at least 8 of them, which a register holds.
  static constexpr auto padded = [] {
    std::array<float, std::max(std::size_t{8}, std::size_t{1} << bits)> values{};
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = Table[std::min(i, level_number - 1)];
    return values;
  }();
};

using NormalFloat4 = FixedLevels<nf4_levels>;  ///< NF4: levels in -1 .. 1, scaled by the largest magnitude

/// Quantizer of 2^Bits levels, 1 to 8 bits, that are parameters of the granule. They ascend, and may repeat.
/// NaN gets the code nearest to 0, infinities the end codes. Class: exact.
template <int Bits>
struct LevelTable {
  static_assert(Bits >= 1 && Bits <= 8, "LevelTable<Bits>: Bits is 1 to 8");
  static constexpr int bits = Bits;
  static constexpr bool reads_mean_abs = false;
  static constexpr std::size_t level_number = std::size_t{1} << Bits;

  /// Equal steps from -1 to 1.
  [[nodiscard]] static constexpr std::array<float, level_number> equal_steps() {
    std::array<float, level_number> values{};
    for (std::size_t i = 0; i < level_number; ++i) {
      values[i] =
          (2 * static_cast<float>(i) - static_cast<float>(level_number - 1)) / static_cast<float>(level_number - 1);
    }
    return values;
  }

  float scale = 1;                                         ///< positive
  std::array<float, level_number> levels = equal_steps();  ///< ascending

  friend bool operator==(const LevelTable&, const LevelTable&) = default;

  template <simd::FloatLanes T>
  [[nodiscard]] auto encode(T x) const {
    using Int = simd::IntOf<T>;
    const T quotient = x / T(scale);
    const T y = simd::select(simd::is_nan(quotient), T(0.0f), quotient);
    Int below(0);
    if constexpr (Bits <= 4 && !simd::holds_table<level_number>) {
      for (std::size_t i = 0; i + 1 < level_number; ++i) {
        below += simd::select(y > T(middle_level(levels[i], levels[i + 1])), Int(1), 0);
      }
    } else {
      for (std::int32_t step = 1 << (Bits - 1); step > 0; step /= 2) {
        const Int at = below + Int(step - 1);  // below + step <= last
        const T middle = middle_level(simd::lookup<level_number>(levels.data(), at),
                                      simd::lookup<level_number>(levels.data(), at + Int(1)));
        below = simd::select(y > middle, below + Int(step), below);
      }
    }
    return below;
  }

  template <simd::IntLanes C>
  [[nodiscard]] auto decode(C code) const {
    return simd::lookup<level_number>(levels.data(), code) * simd::FloatOf<C>(scale);
  }

  /// Equal steps over plus and minus the largest magnitude, up to 2^126 (so that the span is a float). Levels that suit
  /// the data are a calibrator's.
  [[nodiscard]] static LevelTable fit(Range range) {
    return {std::min(usable_scale(absmax(range)), 0x1p126f), equal_steps()};
  }
};

}  // namespace halfstep::inline HALFSTEP_ABI
