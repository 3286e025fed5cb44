#pragma once

/// \file
/// The part of a `ShiftScale` that the layers around take, so that a model computes what it did before.
///
///     in front   norm:    gain_c /= scale_c;       bias_c = (bias_c - shift_c) / scale_c
///                linear:  w(c, :) /= scale_c;      bias_c = (bias_c - shift_c) / scale_c
///     behind     linear:  bias_o += sum_c w(o, c) shift_c;      w(o, c) *= scale_c
///
/// Layers are views, of the transform's scalar, edited in place. Everything is checked before anything is changed. Sums
/// over channels are double, in the order of the channels, and rounded once. Class: ordered, for any executor.

#include "halfstep/calibrators/transform/shift_scale.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/band_grain.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/linear_view.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/norm_view.hpp"
#include "halfstep/core/parallel_for.hpp"
#include "halfstep/core/vector_view.hpp"
#include "halfstep/simd/pinned.hpp"

#include <algorithm>
#include <string_view>
#include <type_traits>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Linear layers as a parameter beside a transform, whose scalar they have: a list in braces will do.
template <class Scalar>
using LinearViews = std::vector<BasicLinearView<std::type_identity_t<Scalar>>>;

/// Refuses consumers that cannot take their part.
template <class Scalar>
void require_consumers(std::string_view where, const BasicShiftScale<Scalar>& t, Index channels,
                       const LinearViews<Scalar>& consumers) {
  for (const BasicLinearView<Scalar>& layer : consumers) {
    require_consistent(where, "consumer", layer);
    if (layer.in_features() != channels) {
      raise(where, "consumer has ", layer.in_features(), " in_features, expected ", channels, " (channels)");
    }
    if (t.has_shift() && layer.out_features() > 0 && !layer.bias.available()) {
      raise(where, "consumer has no bias and no place for one, and the transform shifts");
    }
  }
}

/// Gives a checked consumer its part. A bias that it needs and does not have is created.
template <class Scalar>
void fold_into_consumer(const BasicShiftScale<Scalar>& t, const BasicLinearView<std::type_identity_t<Scalar>>& layer,
                        ExecutorRef executor = {}) {
  const MatrixView<Scalar>& w = layer.weight;
  const bool shifts = t.has_shift();
  const BasicMutableVectorView<Scalar> bias =
      shifts ? layer.bias.get_or_create("fold", layer.out_features()) : layer.bias.get();
  parallel_for(executor, w.rows, band_grain(w.cols), [&](Index first, Index last) {
    for (Index o = first; o < last; ++o) {
      double sum = shifts ? static_cast<double>(bias[o]) : 0.0;
      for (Index c = 0; c < w.cols && shifts; ++c) {
        sum += simd::pinned(static_cast<double>(w(o, c)) * static_cast<double>(t.shift_of(c)));
      }
      if (shifts) bias[o] = static_cast<Scalar>(sum);
      for (Index c = 0; c < w.cols && !t.scale.empty(); ++c) w(o, c) *= t.scale_of(c);
    }
  });
}

/// Brings the bias of a layer in front to the new variables.
template <class Scalar>
void fold_into_bias(const BasicShiftScale<Scalar>& t, BasicMutableVectorView<std::type_identity_t<Scalar>> bias) {
  for (Index c = 0; c < bias.size; ++c) {
    if (!t.shift.empty()) bias[c] -= t.shift_of(c);
    if (!t.scale.empty()) bias[c] /= t.scale_of(c);
  }
}

/// Folds into `consumers`, all that read x; the activation side is `apply`. Errors: layers of another number of
/// inputs; a shift where a consumer has no place for a bias.
template <class Scalar>
void fold(const BasicShiftScale<Scalar>& t, const LinearViews<Scalar>& consumers, ExecutorRef executor = {}) {
  if (consumers.empty()) return;
  require_transform("fold", t, consumers[0].in_features());
  require_consumers("fold", t, consumers[0].in_features(), consumers);
  for (const BasicLinearView<Scalar>& layer : consumers) fold_into_consumer(t, layer, executor);
}

/// Folds into the norm that makes x, and into `consumers`, all that read it. Errors: as above; a shift into an RMSNorm
/// or a norm without a place for a bias.
template <class Scalar>
void fold(const BasicShiftScale<Scalar>& t, const BasicNormView<std::type_identity_t<Scalar>>& norm,
          const LinearViews<Scalar>& consumers, ExecutorRef executor = {}) {
  require_consistent("fold", "norm", norm);
  require_transform("fold", t, norm.channels());
  require_consumers("fold", t, norm.channels(), consumers);
  for (Index c = 0; c < norm.channels() && t.has_shift() && !norm.bias.available(); ++c) {
    if (t.shift_of(c) == 0) continue;
    raise("fold", "a shift cannot go into ", norm.kind == NormKind::rms_norm ? "an RMSNorm" : "a norm",
          norm.kind == NormKind::rms_norm ? " (it has no bias)" : " without a place for a bias", ": channel ", c,
          " has shift ", t.shift_of(c));
  }
  for (Index c = 0; c < norm.channels() && !t.scale.empty(); ++c) norm.gain[c] /= t.scale_of(c);
  fold_into_bias(t, t.has_shift() ? norm.bias.get_or_create("fold", norm.channels()) : norm.bias.get());
  for (const BasicLinearView<Scalar>& layer : consumers) fold_into_consumer(t, layer, executor);
}

/// Folds into the linear layer that makes x, and into `consumers`, all that read it. Errors: as above.
template <class Scalar>
void fold(const BasicShiftScale<Scalar>& t, const BasicLinearView<std::type_identity_t<Scalar>>& producer,
          const LinearViews<Scalar>& consumers, ExecutorRef executor = {}) {
  require_consistent("fold", "producer", producer);
  require_transform("fold", t, producer.out_features());
  require_consumers("fold", t, producer.out_features(), consumers);
  if (t.has_shift() && producer.out_features() > 0 && !producer.bias.available()) {
    raise("fold", "producer has no bias and no place for one, and the transform shifts");
  }
  for (Index o = 0; o < producer.weight.rows && !t.scale.empty(); ++o) {
    for (Index c = 0; c < producer.weight.cols; ++c) producer.weight(o, c) /= t.scale_of(o);
  }
  fold_into_bias(t, t.has_shift() ? producer.bias.get_or_create("fold", producer.out_features()) : producer.bias.get());
  for (const BasicLinearView<Scalar>& layer : consumers) fold_into_consumer(t, layer, executor);
}

/// Folds a norm's own gain and bias into `consumers`, all that read it: `w(o, c) *= gain_c`, `bias_o += sum_c w(o, c)
/// bias_c`. The norm is left with gain 1 and bias 0, which is what a rotation needs to pass an RMSNorm. Gains may have
/// any sign. Errors: layers of another number of inputs; a norm with a bias where a consumer has no place for one.
template <class Scalar>
void fold_norm(const BasicNormView<Scalar>& norm, const LinearViews<Scalar>& consumers, ExecutorRef executor = {}) {
  require_consistent("fold_norm", "norm", norm);
  const BasicMutableVectorView<Scalar> bias = norm.bias.get();
  // What the consumers see is the change of variables from `normalized * gain + bias` back to `normalized`.
  const BasicShiftScale<Scalar> undo{{bias.data, bias.data + bias.size},
                                     {norm.gain.data, norm.gain.data + norm.gain.size}};
  require_consumers("fold_norm", undo, norm.channels(), consumers);
  for (const BasicLinearView<Scalar>& layer : consumers) fold_into_consumer(undo, layer, executor);
  std::fill_n(norm.gain.data, norm.gain.size, Scalar(1));
  std::fill_n(bias.data, bias.size, Scalar(0));
}

}  // namespace halfstep::inline HALFSTEP_ABI
