#pragma once

/// \file
/// How published methods turn a range into a uniform quantizer, where that is not the library's own rule.
///
/// L = 2^b is the number of codes. A symmetric quantizer stores its signed codes plus L/2, so its zero point is L/2.
/// All divisions are float32 divisions and all rounding is half to even, as in the published implementations.
///
/// Two things are not part of the parameters. FQ-ViT adds the zero point before it rounds, `rne(x / scale + z)`, all
/// others (and `Uniform`) after, `rne(x / scale) + z`: codes differ where x / scale is an exact tie and z is odd, and
/// where float32 rounds the sum to one. And where a rule leaves the scale of an empty range undefined (0 / 0), it is 1.
///
/// Each is a plain function, to be handed to `fit_each`, `percentile_mse` and `omse`. Class: exact.

#include "halfstep/config.hpp"
#include "halfstep/core/range.hpp"
#include "halfstep/quantizers/concepts.hpp"
#include "halfstep/quantizers/level_table.hpp"
#include "halfstep/quantizers/scale.hpp"
#include "halfstep/quantizers/uniform.hpp"
#include "halfstep/simd/math.hpp"

#include <cstdint>

namespace halfstep::inline HALFSTEP_ABI {

/// The least scale of FQ-ViT's observers: the machine epsilon of float32.
inline constexpr float fq_vit_least_scale = 0x1p-23f;

/// FQ-ViT, unsigned: `scale = max((max - min) / (L - 1), 2^-23)`, `zero_point = clip(-rne(min / scale), 0, L - 1)`.
///
/// The range is not widened to hold 0, so a constant far from 0 is lost: its range is empty, its scale the floor, and
/// the largest value that the codes reach is 3e-5 at 8 bits.
/// Source: Lin et al., FQ-ViT, IJCAI 2022, published observers minmax, ema, percentile, omse.
template <int Bits>
[[nodiscard]] Uniform<Bits> fq_vit_unsigned_fit(const Range& range) {
  constexpr auto largest = static_cast<float>(Uniform<Bits>::max_code);
  const float step = divided_span(range.min, range.max, largest);
  const float scale = step > fq_vit_least_scale ? step : fq_vit_least_scale;
  return {scale, simd::round_clamp(-(range.min / scale), 0.0f, largest)};
}

/// FQ-ViT, signed (its weights): `scale = max(absmax / ((L - 1) / 2), 2^-23)`, 127.5 at 8 bits, so that the largest
/// value is half a step beyond the largest code. Source: as above.
template <int Bits>
[[nodiscard]] Uniform<Bits> fq_vit_signed_fit(const Range& range) {
  const float step = absmax(range) / (static_cast<float>(Uniform<Bits>::max_code) / 2.0f);
  return {step > fq_vit_least_scale ? step : fq_vit_least_scale, 1 << (Bits - 1)};
}

/// PTQ4ViT and AdaLog, symmetric: `scale = absmax / (L/2 - 0.5)`. The value of FQ-ViT's signed rule without its floor.
/// Source: Yuan et al., PTQ4ViT, ECCV 2022; Wu et al., AdaLog, ECCV 2024; published layers.
template <int Bits>
[[nodiscard]] Uniform<Bits> ptq4vit_fit(const Range& range) {
  return {usable_scale(absmax(range) / (static_cast<float>(1 << (Bits - 1)) - 0.5f)), 1 << (Bits - 1)};
}

/// NoisyQuant and I-ViT, symmetric: `scale = absmax / (L/2 - 1)`, 127 at 8 bits. The library's own symmetric rule,
/// under the name of its source: Liu et al., NoisyQuant, CVPR 2023; Li and Gu, I-ViT, ICCV 2023.
template <int Bits>
[[nodiscard]] Uniform<Bits> noisyquant_fit(const Range& range) {
  return Uniform<Bits>::fit(range, Symmetry::symmetric);
}

/// RepQ-ViT and I&S-ViT, unclipped: `scale = (max - min) / (L - 1)`, `zero_point = rne(-min / scale)`, which leaves
/// 0 .. L - 1 where the range does not hold 0. The ends are percentiles (`percentile_mse`).
///
/// A range too narrow for its distance from 0 has steps below the resolution of its own floats, and in the end a zero
/// point that no integer holds: steps are at least absmax * 2^-22 here, which keeps |zero_point| below 2^23 and gives a
/// constant back to within half such a step. (Published: 0 / 0 for a constant.)
/// Source: Li et al., RepQ-ViT, ICCV 2023, published quantizer; Zhong et al., I&S-ViT, 2023.
template <int Bits>
[[nodiscard]] Uniform<Bits> repq_fit(const Range& range) {
  const float step = divided_span(range.min, range.max, static_cast<float>(Uniform<Bits>::max_code));
  const float least = absmax(range) * 0x1p-22f;
  const float scale = usable_scale(step > least ? step : least);
  return {scale, simd::round_clamp(-range.min / scale, -0x1p23f, 0x1p23f)};
}

/// The least scale of the outlier-free transformers' quantizers.
inline constexpr float outlier_free_least_scale = 1e-8f;

/// Outlier-free transformers, asymmetric: the range is widened to hold 0 and 1e-8, `scale = max((max - min) / (L - 1),
/// 1e-8)`, `zero_point = clip(rne(-min / scale), 0, L - 1)`. The library's own affine rule but for its floors.
/// Source: Bondarenko et al., Quantizable Transformers, NeurIPS 2023, published quantizers.
template <int Bits>
[[nodiscard]] Uniform<Bits> outlier_free_fit(const Range& range) {
  constexpr auto largest = static_cast<float>(Uniform<Bits>::max_code);
  const float low = range.min < 0 ? range.min : 0.0f;
  const float high = range.max > outlier_free_least_scale ? range.max : outlier_free_least_scale;
  const float step = divided_span(low, high, largest);
  const float scale = step > outlier_free_least_scale ? step : outlier_free_least_scale;
  return {scale, simd::round_clamp(-low / scale, 0.0f, largest)};
}

/// Outlier-free transformers, symmetric: signed codes, `scale = absmax / (L/2 - 1)`, where the range has negative
/// values; codes 0 .. L - 1 of `scale = max / (L - 1)` where it has none. Scales are at least 1e-8. Source: as above.
template <int Bits>
[[nodiscard]] Uniform<Bits> outlier_free_symmetric_fit(const Range& range) {
  const bool is_signed = range.min < 0;
  const std::int32_t zero_point = is_signed ? 1 << (Bits - 1) : 0;
  const float step = absmax(range) / static_cast<float>(is_signed ? zero_point - 1 : Uniform<Bits>::max_code);
  return {step > outlier_free_least_scale ? step : outlier_free_least_scale, zero_point};
}

/// The least scale of Quamba's activation quantizers.
inline constexpr float quamba_least_scale = 1e-6f;

/// Quamba, symmetric: `scale = max(absmax / (L/2 - 1), 1e-6)`, 127 at 8 bits, codes over the whole of -L/2 .. L/2 - 1.
/// The floor of 1e-5 that the published observers put on absmax is below that of the scale. Range: of a
/// `RunningPercentileMax` for the input of the scan and for its state, of a `MinMax` for all else.
/// Source: Chiang et al., "Quamba", 2024, published observers.
template <int Bits>
[[nodiscard]] Uniform<Bits> quamba_fit(const Range& range) {
  const float step = absmax(range) / static_cast<float>((1 << (Bits - 1)) - 1);
  return {step > quamba_least_scale ? step : quamba_least_scale, 1 << (Bits - 1)};
}

/// GPTQ, asymmetric: the range is widened to hold 0, one of nothing but 0 counts as -1 .. 1; `scale = (max - min) /
/// (L - 1)`, `zero_point = rne(-min / scale)`. The library's own affine rule but for ranges of nothing but 0.
/// Source: Frantar et al., GPTQ, ICLR 2023, published quantizer.
template <int Bits>
[[nodiscard]] Uniform<Bits> gptq_fit(const Range& range) {
  constexpr auto largest = static_cast<float>(Uniform<Bits>::max_code);
  const bool is_empty = !(range.min < 0) && !(range.max > 0);
  const float low = is_empty ? -1.0f : (range.min < 0 ? range.min : 0.0f);
  const float high = is_empty ? 1.0f : (range.max > 0 ? range.max : 0.0f);
  const float scale = usable_scale(divided_span(low, high, largest));
  return {scale, simd::round_clamp(-low / scale, 0.0f, largest)};
}

/// What GPTQ's symmetric rule makes of ranges without negative values.
enum class OneSided {
  published,  ///< half the step of the others, so that what is above half of the maximum is clipped
  corrected,  ///< the step of the others
};

/// GPTQ, symmetric: `scale = 2 absmax / (L - 1)`, zero point L/2; absmax counts as 1 where it is 0. The most negative
/// value of a range that reaches as far below 0 as above lies exactly between two codes. Source: Frantar et al., GPTQ,
/// ICLR 2023, published quantizer.
template <int Bits, OneSided Rule = OneSided::published>
[[nodiscard]] Uniform<Bits> gptq_symmetric_fit(const Range& range) {
  constexpr auto largest = static_cast<float>(Uniform<Bits>::max_code);
  const float high = absmax(range) > 0 ? absmax(range) : 1.0f;
  const bool is_one_sided = Rule == OneSided::published && !(range.min < 0) && range.max > 0;
  return {usable_scale(divided_span(is_one_sided ? 0.0f : -high, high, largest)), 1 << (Bits - 1)};
}

/// GPTQ, ternary: levels min, 0 and max (-absmax, 0, absmax where symmetric and the range has negative values), the
/// border of each at its half. The fourth code stands for max as well.
/// Source: Frantar et al., GPTQ, ICLR 2023, published quantizer ("trits").
[[nodiscard]] inline LevelTable<2> gptq_ternary_fit(const Range& range, Symmetry symmetry = Symmetry::affine) {
  const bool is_empty = !(range.min < 0) && !(range.max > 0);
  const bool is_symmetric = symmetry == Symmetry::symmetric && range.min < 0;
  const float high = is_empty ? 1.0f : (is_symmetric ? absmax(range) : (range.max > 0 ? range.max : 0.0f));
  const float low = is_empty || is_symmetric ? -high : (range.min < 0 ? range.min : 0.0f);
  return {1.0f, {low, 0.0f, high, high}};
}

/// SmoothQuant, symmetric: `scale = max(absmax, 1e-5) / (L/2 - 1)`. Source: Xiao et al., SmoothQuant, ICML 2023,
/// published quantizers.
template <int Bits>
[[nodiscard]] Uniform<Bits> smooth_quant_fit(const Range& range) {
  const float largest = absmax(range) > 1e-5f ? absmax(range) : 1e-5f;
  return {largest / static_cast<float>((1 << (Bits - 1)) - 1), 1 << (Bits - 1)};
}

/// AWQ, asymmetric: `scale = max(max - min, 1e-5) / (L - 1)`, `zero_point = clip(-rne(min / scale), 0, L - 1)`. The
/// range is not widened to hold 0. Source: Lin et al., AWQ, MLSys 2024, published quantizer.
template <int Bits>
[[nodiscard]] Uniform<Bits> awq_fit(const Range& range) {
  constexpr auto largest = static_cast<float>(Uniform<Bits>::max_code);
  const float step = divided_span(range.min, range.max, largest);
  const float scale = step > 1e-5f / largest ? step : 1e-5f / largest;
  return {scale, simd::round_clamp(-(range.min / scale), 0.0f, largest)};
}

/// AWQ, symmetric: SmoothQuant's rule, under the name of its source. Source: as above.
template <int Bits>
[[nodiscard]] Uniform<Bits> awq_symmetric_fit(const Range& range) {
  return smooth_quant_fit<Bits>(range);
}

/// The least scale of ViDiT-Q's quantizers.
inline constexpr float vidit_q_least_scale = 1e-6f;

/// ViDiT-Q, asymmetric: the library's own affine rule, but for a least scale of 1e-6. The published program gives all
/// granules of a tensor that scale if one of them falls below it, so that a single token of zeros destroys the rest;
/// here the floor is each granule's own. Source: Zhao et al., ViDiT-Q, 2024, published quantizers.
template <int Bits>
[[nodiscard]] Uniform<Bits> vidit_q_fit(const Range& range) {
  constexpr auto largest = static_cast<float>(Uniform<Bits>::max_code);
  const float low = range.min < 0 ? range.min : 0.0f;
  const float step = divided_span(low, range.max > 0 ? range.max : 0.0f, largest);
  const float scale = step > vidit_q_least_scale ? step : vidit_q_least_scale;
  return {scale, simd::round_clamp(-low / scale, 0.0f, largest)};
}

/// ViDiT-Q, symmetric: Quamba's rule, under the name of its source. Source: as above.
template <int Bits>
[[nodiscard]] Uniform<Bits> vidit_q_symmetric_fit(const Range& range) {
  return quamba_fit<Bits>(range);
}

}  // namespace halfstep::inline HALFSTEP_ABI
