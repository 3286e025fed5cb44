#pragma once

/// \file
/// The bulk loops of a quantizer over a row of one granule. Class: exact.

#include "halfstep/config.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/range.hpp"
#include "halfstep/quantizers/concepts.hpp"
#include "halfstep/simd/math.hpp"
#include "halfstep/simd/memory.hpp"

#include <cstdint>

namespace halfstep::inline HALFSTEP_ABI {

/// `codes[i] = q.encode(x[i])`, i < n. Reads and writes n elements, no more; any alignment.
template <ScalarQuantizer Q>
void encode_row(const Q& q, const float* x, Index n, std::uint8_t* codes) {
  constexpr auto lanes = static_cast<Index>(simd::batch_lanes);
  Index i = 0;
  for (; i + lanes <= n; i += lanes) {
    simd::store_bytes(codes + i, q.encode(simd::load<simd::FloatBatch>(x + i)));
  }
  if (i < n) {
    const auto rest = static_cast<std::size_t>(n - i);
    simd::store_bytes_tail(codes + i, q.encode(simd::load_tail<simd::FloatBatch>(x + i, rest)), rest);
  }
}

/// `x[i] = q.decode(codes[i])`, i < n.
template <ScalarQuantizer Q>
void decode_row(const Q& q, const std::uint8_t* codes, Index n, float* x) {
  constexpr auto lanes = static_cast<Index>(simd::batch_lanes);
  Index i = 0;
  for (; i + lanes <= n; i += lanes) {
    simd::store(x + i, q.decode(simd::load_bytes<simd::IntBatch>(codes + i)));
  }
  if (i < n) {
    const auto rest = static_cast<std::size_t>(n - i);
    simd::store_tail(x + i, q.decode(simd::load_bytes_tail<simd::IntBatch>(codes + i, rest)), rest);
  }
}

/// `out[i] = q.decode(q.encode(x[i]))`, i < n: what the codes stand for, in one pass. `out` may be `x`.
template <ScalarQuantizer Q>
void fake_quantize_row(const Q& q, const float* x, Index n, float* out) {
  constexpr auto lanes = static_cast<Index>(simd::batch_lanes);
  Index i = 0;
  for (; i + lanes <= n; i += lanes) {
    simd::store(out + i, q.decode(q.encode(simd::load<simd::FloatBatch>(x + i))));
  }
  if (i < n) {
    const auto rest = static_cast<std::size_t>(n - i);
    simd::store_tail(out + i, q.decode(q.encode(simd::load_tail<simd::FloatBatch>(x + i, rest))), rest);
  }
}

}  // namespace halfstep::inline HALFSTEP_ABI
