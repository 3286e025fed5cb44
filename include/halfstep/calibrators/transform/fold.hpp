#pragma once

/// \file
/// The part of a `ShiftScale` that the layers around take, so that a model computes what it did before.
///
///     in front   norm:    gain_c /= scale_c;       bias_c = (bias_c - shift_c) / scale_c
///                linear:  w(c, :) /= scale_c;      bias_c = (bias_c - shift_c) / scale_c
///     behind     linear:  bias_o += sum_c w(o, c) shift_c;      w(o, c) *= scale_c
///
/// Layers are views, edited in place. Everything is checked before anything is changed. Sums over channels are double,
/// in the order of the channels, and rounded once. Class: ordered.

#include "halfstep/calibrators/transform/shift_scale.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/linear_view.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/norm_view.hpp"
#include "halfstep/core/vector_view.hpp"
#include "halfstep/simd/pinned.hpp"

#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Refuses consumers that cannot take their part.
inline void require_consumers(const ShiftScale& t, Index channels, const std::vector<LinearView>& consumers) {
  for (const LinearView& layer : consumers) {
    require_consistent("fold", "consumer", layer);
    if (layer.in_features() != channels) {
      raise("fold", "consumer has ", layer.in_features(), " in_features, expected ", channels, " (channels)");
    }
    if (t.has_shift() && layer.out_features() > 0 && !layer.bias.available()) {
      raise("fold", "consumer has no bias and no place for one, and the transform shifts");
    }
  }
}

/// Gives a checked consumer its part. A bias that it needs and does not have is created.
inline void fold_into_consumer(const ShiftScale& t, const LinearView& layer) {
  const MatrixView<float>& w = layer.weight;
  if (t.has_shift()) {
    const MutableVectorView bias = layer.bias.get_or_create("fold", layer.out_features());
    for (Index o = 0; o < w.rows; ++o) {
      double sum = static_cast<double>(bias[o]);
      for (Index c = 0; c < w.cols; ++c) {
        sum += simd::pinned(static_cast<double>(w(o, c)) * static_cast<double>(t.shift_of(c)));
      }
      bias[o] = static_cast<float>(sum);
    }
  }
  if (t.scale.empty()) return;
  for (Index o = 0; o < w.rows; ++o) {
    for (Index c = 0; c < w.cols; ++c) w(o, c) *= t.scale_of(c);
  }
}

/// Brings the bias of a layer in front to the new variables.
inline void fold_into_bias(const ShiftScale& t, MutableVectorView bias) {
  for (Index c = 0; c < bias.size; ++c) {
    if (!t.shift.empty()) bias[c] -= t.shift_of(c);
    if (!t.scale.empty()) bias[c] /= t.scale_of(c);
  }
}

/// Folds into `consumers`, all that read x; the activation side is `apply`. Errors: layers of another number of
/// inputs; a shift where a consumer has no place for a bias.
inline void fold(const ShiftScale& t, const std::vector<LinearView>& consumers) {
  if (consumers.empty()) return;
  require_transform("fold", t, consumers[0].in_features());
  require_consumers(t, consumers[0].in_features(), consumers);
  for (const LinearView& layer : consumers) fold_into_consumer(t, layer);
}

/// Folds into the norm that makes x, and into `consumers`, all that read it. Errors: as above; a shift into an RMSNorm
/// or a norm without a place for a bias.
inline void fold(const ShiftScale& t, const NormView& norm, const std::vector<LinearView>& consumers) {
  require_consistent("fold", "norm", norm);
  require_transform("fold", t, norm.channels());
  require_consumers(t, norm.channels(), consumers);
  for (Index c = 0; c < norm.channels() && t.has_shift() && !norm.bias.available(); ++c) {
    if (t.shift_of(c) == 0) continue;
    raise("fold", "a shift cannot go into ", norm.kind == NormKind::rms_norm ? "an RMSNorm" : "a norm",
          norm.kind == NormKind::rms_norm ? " (it has no bias)" : " without a place for a bias", ": channel ", c,
          " has shift ", t.shift_of(c));
  }
  for (Index c = 0; c < norm.channels() && !t.scale.empty(); ++c) norm.gain[c] /= t.scale_of(c);
  fold_into_bias(t, t.has_shift() ? norm.bias.get_or_create("fold", norm.channels()) : norm.bias.get());
  for (const LinearView& layer : consumers) fold_into_consumer(t, layer);
}

/// Folds into the linear layer that makes x, and into `consumers`, all that read it. Errors: as above.
inline void fold(const ShiftScale& t, const LinearView& producer, const std::vector<LinearView>& consumers) {
  require_consistent("fold", "producer", producer);
  require_transform("fold", t, producer.out_features());
  require_consumers(t, producer.out_features(), consumers);
  if (t.has_shift() && producer.out_features() > 0 && !producer.bias.available()) {
    raise("fold", "producer has no bias and no place for one, and the transform shifts");
  }
  for (Index o = 0; o < producer.weight.rows && !t.scale.empty(); ++o) {
    for (Index c = 0; c < producer.weight.cols; ++c) producer.weight(o, c) /= t.scale_of(o);
  }
  fold_into_bias(t, t.has_shift() ? producer.bias.get_or_create("fold", producer.out_features()) : producer.bias.get());
  for (const LinearView& layer : consumers) fold_into_consumer(t, layer);
}

}  // namespace halfstep::inline HALFSTEP_ABI
