#pragma once

/// \file
/// The part of a `Rotation` that the layers around take, so that a model computes what it did before.
///
///     in front   w = R w (each column),  bias = R bias        so that the layer makes R y
///     behind     w = w R^T (each row)                         so that the layer reads R x
///
/// Layers are views, of the rotation's scalar, edited in place. Everything is checked before anything is changed.
/// Class: ordered, for any executor.

#include "halfstep/calibrators/transform/fold.hpp"
#include "halfstep/calibrators/transform/rotate.hpp"
#include "halfstep/calibrators/transform/rotation.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/linear_view.hpp"
#include "halfstep/core/norm_view.hpp"
#include "halfstep/core/vector_view.hpp"

#include <type_traits>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Norms as a parameter beside a transform, whose scalar they have.
template <class Scalar>
using NormViews = std::vector<BasicNormView<std::type_identity_t<Scalar>>>;

/// Refuses layers that do not make, or do not read, as many channels as the rotation turns.
template <class Scalar>
void require_rotatable(const BasicRotation<Scalar>& r, const LinearViews<Scalar>& producers,
                       const LinearViews<Scalar>& consumers) {
  require_rotation("fold", r, r.size);
  for (const BasicLinearView<Scalar>& layer : producers) {
    require_consistent("fold", "producer", layer);
    if (layer.out_features() != r.size) {
      raise("fold", "producer has ", layer.out_features(), " out_features, expected ", r.size,
            " (the rotation's size)");
    }
  }
  for (const BasicLinearView<Scalar>& layer : consumers) {
    require_consistent("fold", "consumer", layer);
    if (layer.in_features() != r.size) {
      raise("fold", "consumer has ", layer.in_features(), " in_features, expected ", r.size, " (the rotation's size)");
    }
  }
}

/// Refuses norms that do not give rotated outputs for rotated inputs: one that subtracts a mean, and one whose gain was
/// not folded into what reads it (`fold_norm`).
template <class Scalar>
void require_transparent(const BasicRotation<Scalar>& r, const BasicNormView<std::type_identity_t<Scalar>>& norm) {
  require_consistent("fold", "norm", norm);
  if (norm.channels() != r.size) {
    raise("fold", "norm has ", norm.channels(), " channels, expected ", r.size, " (the rotation's size)");
  }
  if (norm.kind != NormKind::rms_norm) {
    raise("fold", "a rotation cannot pass a LayerNorm (it subtracts the mean), expected an RMSNorm");
  }
  for (Index c = 0; c < norm.channels(); ++c) {
    if (norm.gain[c] == 1) continue;
    raise("fold", "a rotation cannot pass a norm with a gain: channel ", c, " has gain ", norm.gain[c],
          ", expected 1: fold_norm first");
  }
}

/// Folds into `producers`, all that make x (rotated outputs), and `consumers`, all that read it. Where activations are
/// rotated online (`apply`), there are no producers. Errors: layers of another number of outputs or inputs.
///
///     fold(r, {first}, {second});          // both sides in weights: nothing is left to do at run time
///     fold(r, {}, {second});               // and x goes through apply(r, x)
template <class Scalar>
void fold(const BasicRotation<Scalar>& r, const LinearViews<Scalar>& producers, const LinearViews<Scalar>& consumers,
          ExecutorRef executor = {}) {
  require_rotatable(r, producers, consumers);
  for (const BasicLinearView<Scalar>& layer : producers) {
    rotate_columns(r, layer.weight, executor);
    const BasicMutableVectorView<Scalar> bias = layer.bias.get();
    Rotator<Scalar> rotate(r);
    if (!bias.empty()) rotate(bias.data, 1);
  }
  for (const BasicLinearView<Scalar>& layer : consumers) rotate_rows(r, layer.weight, executor);
}

/// The same across norms, for a residual stream: `producers` are all that add to it, `norms` all that read it, and
/// `consumers` all that read a norm. Rotate an embedding's rows by `rotate_rows`. Errors: as above; a norm of another
/// number of channels, a LayerNorm, a gain other than 1.
///
///     for (auto& [norm, readers] : norms) fold_norm(norm, readers);
///     fold(r, {out_proj, down}, {norm1, norm2}, {q, k, v, gate, up});
template <class Scalar>
void fold(const BasicRotation<Scalar>& r, const LinearViews<Scalar>& producers, const NormViews<Scalar>& norms,
          const LinearViews<Scalar>& consumers, ExecutorRef executor = {}) {
  require_rotatable(r, producers, consumers);
  for (const BasicNormView<Scalar>& norm : norms) require_transparent(r, norm);
  fold(r, producers, consumers, executor);
}

}  // namespace halfstep::inline HALFSTEP_ABI
