#pragma once

/// \file
/// `FloatBatch` and `IntBatch`, the vectors of the instruction set that this translation unit is compiled for, and the
/// concepts by which a function is written once for a scalar and for a batch:
///
///     template <simd::FloatLanes T> auto decode(simd::IntOf<T> c) { return simd::to_float(c) * scale; }

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "halfstep/simd/native.hpp"
#include "halfstep/simd/portable.hpp"

namespace halfstep::inline HALFSTEP_ABI::simd {

#if defined(HALFSTEP_SIMD_GENERIC)
using FloatBatch = PortableFloat;
using IntBatch = PortableInt;
using FloatMask = PortableMask;
using IntMask = PortableMask;
#else
/// As many float32 lanes as a register of the compiled instruction set holds. Has the operators of a float.
using FloatBatch = Native<float>;
/// As many int32 lanes as `FloatBatch` has. Arithmetic wraps around; `>>` is arithmetic.
using IntBatch = Native<std::int32_t>;
/// What comparing two `FloatBatch` gives: one truth value per lane, combined by `&`, `|`, `^` and `!`.
using FloatMask = NativeMask<float>;
/// What comparing two `IntBatch` gives. `as_float_mask` and `as_int_mask` convert at no cost.
using IntMask = NativeMask<std::int32_t>;
#endif

/// Lanes of `FloatBatch` and of `IntBatch`: 16 (AVX-512), 8 (AVX2) or 4.
inline constexpr std::size_t batch_lanes = FloatBatch::size;

/// The types that go with a scalar or batch `T`; the primary template says that `T` is neither.
template <class T>
struct LaneTypes {
  static constexpr bool valid = false;
};

/// The four types of one family: floats, integers of the same number of lanes, and their masks.
template <class FloatT, class IntT, class FloatM, class IntM, std::size_t Lanes>
struct LaneFamily {
  static constexpr bool valid = true;
  static constexpr std::size_t lanes = Lanes;
  using Float = FloatT;
  using Int = IntT;
  using FloatMaskType = FloatM;
  using IntMaskType = IntM;
};

template <>
struct LaneTypes<float> : LaneFamily<float, std::int32_t, bool, bool, 1> {};
template <>
struct LaneTypes<std::int32_t> : LaneTypes<float> {};
template <>
struct LaneTypes<PortableFloat>
    : LaneFamily<PortableFloat, PortableInt, PortableMask, PortableMask, PortableFloat::size> {};
template <>
struct LaneTypes<PortableInt> : LaneTypes<PortableFloat> {};
#if !defined(HALFSTEP_SIMD_GENERIC)
template <>
struct LaneTypes<FloatBatch> : LaneFamily<FloatBatch, IntBatch, FloatMask, IntMask, batch_lanes> {};
template <>
struct LaneTypes<IntBatch> : LaneTypes<FloatBatch> {};
#endif

/// A float or a batch of floats.
template <class T>
concept FloatLanes = LaneTypes<T>::valid && std::same_as<T, typename LaneTypes<T>::Float>;

/// A std::int32_t or a batch of them.
template <class T>
concept IntLanes = LaneTypes<T>::valid && std::same_as<T, typename LaneTypes<T>::Int>;

/// A float, a std::int32_t or a batch of either.
template <class T>
concept AnyLanes = LaneTypes<T>::valid;

/// The float type (float or batch) with as many lanes as `T`.
template <AnyLanes T>
using FloatOf = typename LaneTypes<T>::Float;
/// The integer type (std::int32_t or batch) with as many lanes as `T`.
template <AnyLanes T>
using IntOf = typename LaneTypes<T>::Int;
/// What comparing two values of type `T` gives; bool for a scalar.
template <AnyLanes T>
using MaskOf =
    std::conditional_t<FloatLanes<T>, typename LaneTypes<T>::FloatMaskType, typename LaneTypes<T>::IntMaskType>;

/// Number of lanes of `T`: 1 for a scalar.
template <AnyLanes T>
inline constexpr std::size_t lanes_of = LaneTypes<T>::lanes;

/// A parameter that takes no part in deduction: a literal converts to the type of the other argument.
template <class T>
using Like = std::type_identity_t<T>;

}  // namespace halfstep::inline HALFSTEP_ABI::simd
