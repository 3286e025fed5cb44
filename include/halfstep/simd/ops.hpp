#pragma once

/// \file
/// `OpsOf<T>`: the lane-wise operations of the scalar or batch type `T`, one struct per instruction set with the same
/// static functions. The public functions of simd/math.hpp and its neighbours call nothing else.

#include "halfstep/simd/ops_scalar.hpp"
#if defined(HALFSTEP_SIMD_AVX512)
#include "halfstep/simd/ops_avx512.hpp"
#elif defined(HALFSTEP_SIMD_AVX2)
#include "halfstep/simd/ops_avx2.hpp"
#elif defined(HALFSTEP_SIMD_SSE)
#include "halfstep/simd/ops_sse.hpp"
#elif defined(HALFSTEP_SIMD_NEON)
#include "halfstep/simd/ops_neon.hpp"
#endif

namespace halfstep::inline HALFSTEP_ABI::simd {

template <class T>
struct OpsChoice;
template <>
struct OpsChoice<float> {
  using type = ScalarOps;
};
template <>
struct OpsChoice<PortableFloat> {
  using type = PortableOps;
};
#if !defined(HALFSTEP_SIMD_GENERIC)
template <>
struct OpsChoice<FloatBatch> {
  using type = NativeOps;
};
#endif

/// The operations of `T`.
template <AnyLanes T>
using OpsOf = typename OpsChoice<FloatOf<T>>::type;

}  // namespace halfstep::inline HALFSTEP_ABI::simd
