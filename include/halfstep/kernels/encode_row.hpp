#pragma once

/// \file
/// The bulk loops of a quantizer over values of one granule. All read and write exactly the n elements that they are
/// given, at any alignment. Class: exact.

#include "halfstep/config.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/quantizers/concepts.hpp"
#include "halfstep/simd/lookup.hpp"
#include "halfstep/simd/math.hpp"
#include "halfstep/simd/memory.hpp"

#include <cstddef>
#include <cstdint>

namespace halfstep::inline HALFSTEP_ABI {

/// What `encode_row` notices on the way.
struct EncodedRow {
  std::int32_t code_sum = 0;  ///< sum of the codes, for n up to 2^23
  bool is_finite = true;      ///< whether no value was NaN or infinite
};

/// `codes[i] = q.encode(x[i])`, i < n. One pass, four batches at a time.
template <ScalarQuantizer Q>
EncodedRow encode_row(const Q& q, const float* x, Index n, std::uint8_t* codes) {
  using simd::FloatBatch;
  using simd::IntBatch;
  constexpr auto lanes = static_cast<Index>(simd::batch_lanes);
  IntBatch sum(0), largest(0);  // of codes; of the magnitudes' bits, which order like the magnitudes
  const auto encode = [&](FloatBatch values) {
    largest = simd::max(simd::to_bits(values) & IntBatch(0x7fffffff), largest);
    const IntBatch code = q.encode(values);
    sum += code;
    return code;
  };
  Index i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    const IntBatch a = encode(simd::load<FloatBatch>(x + i));
    const IntBatch b = encode(simd::load<FloatBatch>(x + i + lanes));
    const IntBatch c = encode(simd::load<FloatBatch>(x + i + 2 * lanes));
    const IntBatch d = encode(simd::load<FloatBatch>(x + i + 3 * lanes));
    simd::store_bytes(codes + i, a, b, c, d);
  }
  for (; i + lanes <= n; i += lanes) simd::store_bytes(codes + i, encode(simd::load<FloatBatch>(x + i)));
  EncodedRow seen;
  std::int32_t lane_sums[simd::batch_lanes];
  simd::store(lane_sums, sum);
  if (i < n) {  // the lanes after the last value hold 0, whose codes the sum leaves out
    const auto rest = static_cast<std::size_t>(n - i);
    simd::store_bytes_tail(codes + i, encode(simd::load_tail<FloatBatch>(x + i, rest)), rest);
    for (; i < n; ++i) seen.code_sum += codes[i];
  }
  seen.is_finite = !simd::any(largest >= IntBatch(0x7f800000));
  for (const std::int32_t lane : lane_sums) seen.code_sum += lane;
  return seen;
}

/// All levels of a quantizer, to be looked up by registers of codes.
template <ScalarQuantizer Q>
class LevelReader {
 public:
  explicit LevelReader(const Q& q) {
    std::uint8_t codes[table_size];
    for (std::size_t i = 0; i < table_size; ++i) codes[i] = static_cast<std::uint8_t>(i);
    for (std::size_t i = 0; i < table_size; i += simd::batch_lanes) {
      simd::store(levels_ + i, q.decode(simd::load_bytes<simd::IntBatch>(codes + i)));
    }
  }
  [[nodiscard]] simd::FloatBatch operator()(simd::IntBatch codes) const {
    return simd::lookup<table_size>(levels_, codes);
  }

 private:
  static constexpr std::size_t table_size = level_count<Q> < 16 ? 16 : level_count<Q>;  // whole registers

  float levels_[table_size];
};

/// `loop(decode)` with what decodes `n` codes of `q`: a table of its levels where the quantizer asks for one and `n` is
/// worth it, else `q.decode`.
template <ScalarQuantizer Q, class Loop>
void with_decoder(const Q& q, Index n, Loop&& loop) {
  if constexpr (decodes_by_table<Q>()) {
    if (n >= 2 * level_count<Q>) return loop(LevelReader<Q>(q));
  }
  loop([&](simd::IntBatch codes) { return q.decode(codes); });
}

/// `x[i] = q.decode(codes[i])`, i < n.
template <ScalarQuantizer Q>
void decode_row(const Q& q, const std::uint8_t* codes, Index n, float* x) {
  constexpr auto lanes = static_cast<Index>(simd::batch_lanes);
  with_decoder(q, n, [&](const auto& decode) {
    Index i = 0;
    for (; i + lanes <= n; i += lanes) simd::store(x + i, decode(simd::load_bytes<simd::IntBatch>(codes + i)));
    if (i == n) return;
    const auto rest = static_cast<std::size_t>(n - i);
    simd::store_tail(x + i, decode(simd::load_bytes_tail<simd::IntBatch>(codes + i, rest)), rest);
  });
}

/// `out[i] = q.decode(q.encode(x[i]))`, i < n: what the codes stand for, in one pass. `out` may be `x`.
template <ScalarQuantizer Q>
void fake_quantize_row(const Q& q, const float* x, Index n, float* out) {
  constexpr auto lanes = static_cast<Index>(simd::batch_lanes);
  with_decoder(q, n, [&](const auto& decode) {
    Index i = 0;
    for (; i + lanes <= n; i += lanes) simd::store(out + i, decode(q.encode(simd::load<simd::FloatBatch>(x + i))));
    if (i == n) return;
    const auto rest = static_cast<std::size_t>(n - i);
    simd::store_tail(out + i, decode(q.encode(simd::load_tail<simd::FloatBatch>(x + i, rest))), rest);
  });
}

}  // namespace halfstep::inline HALFSTEP_ABI
