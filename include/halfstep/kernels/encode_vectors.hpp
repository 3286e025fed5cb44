#pragma once

/// \file
/// The bulk loops of a vector quantizer over vectors of one granule that lie side by side. All read and write exactly
/// what they are given, at any alignment. Class: exact.

#include "halfstep/config.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/quantizers/vector_quantizer.hpp"
#include "halfstep/simd/lookup.hpp"
#include "halfstep/simd/memory.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace halfstep::inline HALFSTEP_ABI {

/// `batch_lanes` vectors of `Dim` floats that lie side by side, element by element.
template <int Dim>
[[nodiscard]] VectorLanes<Dim, simd::FloatBatch> load_vectors(const float* x) {
  std::array<std::int32_t, simd::batch_lanes> first;
  for (std::size_t l = 0; l < first.size(); ++l) first[l] = static_cast<std::int32_t>(l) * Dim;
  const auto at = simd::load<simd::IntBatch>(first.data());
  VectorLanes<Dim, simd::FloatBatch> vectors;
  for (std::size_t j = 0; j < vectors.size(); ++j) vectors[j] = simd::gather(x + j, at);
  return vectors;
}

/// Calls `visit(i, count, vectors)` for vectors i .. i + count - 1 of n, a register of them at a time; lanes from
/// `count` on hold zeros.
template <int Dim, class Visit>
void for_each_vector_batch(const float* x, Index n, Visit visit) {
  constexpr auto lanes = static_cast<Index>(simd::batch_lanes);
  Index i = 0;
  for (; i + lanes <= n; i += lanes) visit(i, lanes, load_vectors<Dim>(x + i * Dim));
  if (i == n) return;
  std::array<float, simd::batch_lanes* static_cast<std::size_t>(Dim)> rest{};
  std::copy_n(x + i * Dim, (n - i) * Dim, rest.begin());
  visit(i, n - i, load_vectors<Dim>(rest.data()));
}

/// `codes[i] = q.encode(x[i * dim .. (i + 1) * dim))`, i < n.
template <VectorQuantizer Q>
void encode_vectors(const Q& q, const float* x, Index n, std::uint8_t* codes) {
  if constexpr (requires { q.decoded(); }) {  // words that must be decoded are decoded once
    encode_vectors(q.decoded(), x, n, codes);
  } else {
    constexpr auto lanes = static_cast<Index>(simd::batch_lanes);
    Index done = 0;
    if constexpr (requires(VectorLanes<Q::dim, simd::FloatBatch> v) { q.encode_several(std::array{v, v}); }) {
      for (; Q::dim <= 4 && done + 2 * lanes <= n; done += 2 * lanes) {  // more would not stay in registers
        const float* const from = x + done * Q::dim;
        const auto pair =
            q.encode_several(std::array{load_vectors<Q::dim>(from), load_vectors<Q::dim>(from + lanes * Q::dim)});
        simd::store_bytes(codes + done, pair[0]);
        simd::store_bytes(codes + done + lanes, pair[1]);
      }
    }
    for_each_vector_batch<Q::dim>(x + done * Q::dim, n - done, [&](Index i, Index count, const auto& vectors) {
      const simd::IntBatch code = q.encode(vectors);
      if (count == lanes) {
        simd::store_bytes(codes + done + i, code);
      } else {
        simd::store_bytes_tail(codes + done + i, code, static_cast<std::size_t>(count));
      }
    });
  }
}

/// The values of `codes[0 .. n)` to `x[0 .. n * dim)`.
template <VectorQuantizer Q>
void decode_vectors(const Q& q, const std::uint8_t* codes, Index n, float* x) {
  for (Index i = 0; i < n; ++i) {
    const auto values = q.decode(std::int32_t{codes[i]});
    std::copy_n(values.data(), Q::dim, x + i * Q::dim);
  }
}

}  // namespace halfstep::inline HALFSTEP_ABI
