#pragma once

/// \file
/// What files call a quantizer and its parameters, and which values of them a reader accepts.

#include "halfstep/config.hpp"
#include "halfstep/core/fields.hpp"
#include "halfstep/quantizers/absmax.hpp"
#include "halfstep/quantizers/adalog.hpp"
#include "halfstep/quantizers/binary.hpp"
#include "halfstep/quantizers/concepts.hpp"
#include "halfstep/quantizers/level_table.hpp"
#include "halfstep/quantizers/log2.hpp"
#include "halfstep/quantizers/log_sqrt2.hpp"
#include "halfstep/quantizers/minifloat.hpp"
#include "halfstep/quantizers/mx_float.hpp"
#include "halfstep/quantizers/nv_float.hpp"
#include "halfstep/quantizers/power_of_two_factor.hpp"
#include "halfstep/quantizers/shift_log2.hpp"
#include "halfstep/quantizers/shifted_uniform.hpp"
#include "halfstep/quantizers/tanq.hpp"
#include "halfstep/quantizers/ternary.hpp"
#include "halfstep/quantizers/twin_uniform.hpp"
#include "halfstep/quantizers/uniform.hpp"
#include "halfstep/quantizers/zero_policy.hpp"

#include <array>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace halfstep::inline HALFSTEP_ABI {

/// How files describe the quantizer `Q`: the name of its scheme, the names of its members in the order in which it
/// declares them, and whether values from a file may be used. Specialize it for a quantizer of your own, with a name
/// that has a colon in it: names without one are the library's. A name is never given to another formula.
template <class Q>
struct QuantizerScheme;

/// What most schemes share.
struct SchemeDefaults {
  static constexpr int version = 1;
  static constexpr std::string_view rounding = "half_even";

 protected:
  static bool is_positive(float x) { return x > 0 && std::isfinite(x); }
  static bool is_within(std::int32_t n, std::int32_t least, std::int32_t most) { return least <= n && n <= most; }
  static std::string with_policy(std::string name, ZeroPolicy zero, LogFloor floor) {
    if (zero == ZeroPolicy::clamp) name += "_clamp";
    if (zero == ZeroPolicy::mask) name += "_mask";
    return floor == LogFloor::published ? name + "_floor" : name;
  }
};

/// A quantizer that can be written to a file and read back.
template <class Q>
concept StorableQuantizer = ScalarQuantizer<Q> && requires(const Q& q) {
  { QuantizerScheme<Q>::name() } -> std::convertible_to<std::string>;
  { QuantizerScheme<Q>::is_valid(q) } -> std::same_as<bool>;
  requires QuantizerScheme<Q>::parameters.size() == field_count<Q>();
};

template <int Bits>
struct QuantizerScheme<Uniform<Bits>> : SchemeDefaults {
  static constexpr std::array<std::string_view, 2> parameters{"scale", "zero_point"};
  static std::string name() { return "uniform"; }
  static bool is_valid(const Uniform<Bits>& q) {
    return is_positive(q.scale) && is_within(q.zero_point, -(1 << 23), 1 << 23);
  }
};

/// The largest magnitude, not the step: both directions round from it.
template <int Bits>
struct QuantizerScheme<Absmax<Bits>> : SchemeDefaults {
  static constexpr std::array<std::string_view, 1> parameters{"absmax"};
  static std::string name() { return "absmax"; }
  static bool is_valid(const Absmax<Bits>& q) {
    return is_positive(q.absmax) && is_positive(q.steps / q.absmax) && is_positive(q.absmax / q.steps) &&
           std::isfinite(q.decode(std::int32_t{0}));
  }
};

template <int Bits>
struct QuantizerScheme<ShiftedUniform<Bits>> : SchemeDefaults {
  static constexpr std::array<std::string_view, 2> parameters{"scale", "shift"};
  static std::string name() { return "shifted_uniform"; }
  static bool is_valid(const ShiftedUniform<Bits>& q) {
    return is_positive(q.scale) && std::isfinite(q.shift) && std::isfinite(q.decode(q.max_code));
  }
};

template <int Bits>
struct QuantizerScheme<PowerOfTwoFactor<Bits>> : SchemeDefaults {
  static constexpr std::array<std::string_view, 3> parameters{"scale", "zero_point", "shift"};
  static std::string name() { return "power_of_two_factor"; }
  static bool is_valid(const PowerOfTwoFactor<Bits>& q) {
    return is_positive(q.scale) && is_within(q.zero_point, -(1 << 23), 1 << 23) && is_within(q.shift, 0, 30) &&
           is_positive(q.step());
  }
};

template <int Bits, ZeroPolicy Zero, LogFloor Floor>
struct QuantizerScheme<Log2<Bits, Zero, Floor>> : SchemeDefaults {
  static constexpr std::array<std::string_view, 1> parameters{"scale"};
  static std::string name() { return with_policy("log2", Zero, Floor); }
  static bool is_valid(const Log2<Bits, Zero, Floor>& q) { return is_positive(q.scale); }
};

template <int Bits, ZeroPolicy Zero, LogFloor Floor>
struct QuantizerScheme<LogSqrt2<Bits, Zero, Floor>> : SchemeDefaults {
  static constexpr std::array<std::string_view, 1> parameters{"scale"};
  static std::string name() { return with_policy("log_sqrt2", Zero, Floor); }
  static bool is_valid(const LogSqrt2<Bits, Zero, Floor>& q) { return is_positive(q.scale); }
};

template <int Bits, ZeroPolicy Zero, LogFloor Floor>
struct QuantizerScheme<AdaLog<Bits, Zero, Floor>> : SchemeDefaults {
  static constexpr std::array<std::string_view, 3> parameters{"scale", "shift", "base"};
  static std::string name() { return with_policy("adalog", Zero, Floor); }
  static bool is_valid(const AdaLog<Bits, Zero, Floor>& q) {
    return is_positive(q.scale) && std::isfinite(q.shift) && is_within(q.q, 1, 1000);
  }
};

template <int Bits, LogSteps Steps>
struct QuantizerScheme<ShiftLog2<Bits, Steps>> : SchemeDefaults {
  static constexpr std::array<std::string_view, 3> parameters{"eta", "low", "high"};
  static std::string name() { return Steps == LogSteps::published ? "shift_log2_published" : "shift_log2"; }
  static bool is_valid(const ShiftLog2<Bits, Steps>& q) {
    return std::isfinite(q.eta) && q.low >= -150 && q.high >= q.low && q.high <= 128;
  }
};

template <int Bits>
struct QuantizerScheme<TanQ<Bits>> : SchemeDefaults {
  static constexpr std::array<std::string_view, 3> parameters{"scale", "alpha", "center"};
  static std::string name() { return "tanq"; }
  static bool is_valid(const TanQ<Bits>& q) {
    const float half_width = q.center < 0.5f ? 1 - q.center : q.center;
    return is_positive(q.scale) && is_positive(q.alpha) && q.center >= 0 && q.center <= 1 &&
           q.alpha * half_width < 1.5707963f;
  }
};

template <int Bits>
struct QuantizerScheme<TwinSoftmax<Bits>> : SchemeDefaults {
  static constexpr std::array<std::string_view, 2> parameters{"largest", "shift"};
  static std::string name() { return "twin_softmax"; }
  static bool is_valid(const TwinSoftmax<Bits>& q) {
    return is_positive(q.largest) && is_within(q.shift, 0, 60) && is_positive(q.fine_scale());
  }
};

template <int Bits>
struct QuantizerScheme<TwinGelu<Bits>> : SchemeDefaults {
  static constexpr std::array<std::string_view, 2> parameters{"scale", "negative_scale"};
  static std::string name() { return "twin_gelu"; }
  static bool is_valid(const TwinGelu<Bits>& q) { return is_positive(q.scale) && is_positive(q.negative_scale); }
};

template <>
struct QuantizerScheme<Ternary> : SchemeDefaults {
  static constexpr std::array<std::string_view, 2> parameters{"scale", "threshold"};
  static std::string name() { return "ternary"; }
  static bool is_valid(const Ternary& q) { return is_positive(q.scale) && q.threshold >= 0 && q.threshold < q.scale; }
};

template <>
struct QuantizerScheme<Binary> : SchemeDefaults {
  static constexpr std::array<std::string_view, 2> parameters{"scale", "center"};
  static std::string name() { return "binary"; }
  static bool is_valid(const Binary& q) { return is_positive(q.scale) && std::fabs(q.center) <= q.scale; }
};

template <int Bits>
struct QuantizerScheme<Elastic<Bits>> : SchemeDefaults {
  static constexpr std::array<std::string_view, 2> parameters{"scale", "offset"};
  static std::string name() { return "elastic"; }
  static bool is_valid(const Elastic<Bits>& q) { return is_positive(q.scale) && std::isfinite(q.offset); }
};

template <int E, int M, TopCodes Top>
struct QuantizerScheme<Float<E, M, Top>> : SchemeDefaults {
  static constexpr std::array<std::string_view, 1> parameters{"scale"};
  static std::string name() {
    std::string text = "float_e";
    (((text += static_cast<char>('0' + E)) += 'm') += static_cast<char>('0' + M));
    return Top == TopCodes::reserved ? text + "_ocp" : text;
  }
  static bool is_valid(const Float<E, M, Top>& q) { return is_positive(q.scale); }
};

/// The rule of a block's exponent is how codes were made, not what they mean: it is no part of the name.
template <class Element, ExponentRule Rule>
struct QuantizerScheme<MxFloat<Element, Rule>> : SchemeDefaults {
  static constexpr std::array<std::string_view, 1> parameters{"scale"};
  static std::string name() { return "mx_" + QuantizerScheme<Element>::name(); }
  static bool is_valid(const MxFloat<Element, Rule>& q) {
    return is_positive(q.scale) && stored_scale(q.scale, ScaleStorage::e8m0) == q.scale;
  }
};

template <>
struct QuantizerScheme<NVFP4> : SchemeDefaults {
  static constexpr std::array<std::string_view, 2> parameters{"scale", "tensor_scale"};
  static std::string name() { return "nvfp4"; }
  static bool is_valid(const NVFP4& q) {
    return is_positive(q.scale) && is_positive(q.tensor_scale) &&
           stored_scale(q.scale, ScaleStorage::e4m3) == q.scale && is_positive(q.scale * q.tensor_scale);
  }
};

template <>
struct QuantizerScheme<NormalFloat4> : SchemeDefaults {
  static constexpr std::string_view rounding = "half_down";
  static constexpr std::array<std::string_view, 1> parameters{"scale"};
  static std::string name() { return "nf4"; }
  static bool is_valid(const NormalFloat4& q) { return is_positive(q.scale); }
};

template <int Bits>
struct QuantizerScheme<LevelTable<Bits>> : SchemeDefaults {
  static constexpr std::string_view rounding = "half_down";
  static constexpr std::array<std::string_view, 2> parameters{"scale", "codebook"};
  static std::string name() { return "level_table"; }
  static bool is_valid(const LevelTable<Bits>& q) {
    bool is_sorted = is_positive(q.scale) && std::isfinite(q.levels[0]);
    for (std::size_t i = 1; i < q.levels.size(); ++i) {
      is_sorted = is_sorted && q.levels[i - 1] <= q.levels[i] && std::isfinite(q.levels[i]);
    }
    return is_sorted;
  }
};

}  // namespace halfstep::inline HALFSTEP_ABI
