#pragma once

/// \file
/// A normalization layer that somebody else owns, as what edits layers in place sees it.

#include "halfstep/config.hpp"
#include "halfstep/core/linear_view.hpp"
#include "halfstep/core/vector_view.hpp"

namespace halfstep::inline HALFSTEP_ABI {

/// layer_norm subtracts the mean and may have a bias; rms_norm does neither.
enum class NormKind { layer_norm, rms_norm };

/// `y = normalized(x) * gain + bias`, both `[channels]`. The slot of an rms_norm is `BiasSlot{}`.
template <class T>
struct BasicNormView {
  NormKind kind = NormKind::layer_norm;
  BasicMutableVectorView<T> gain;
  BasicBiasSlot<T> bias = {};

  [[nodiscard]] Index channels() const { return gain.size; }
};

using NormView = BasicNormView<float>;

/// Refuses a norm without gain, one whose bias has another size, and an rms_norm with a bias.
template <class T>
void require_consistent(std::string_view where, std::string_view argument, const BasicNormView<T>& norm) {
  if (norm.gain.data == nullptr && !norm.gain.empty()) raise(where, argument, " has no gain (null pointer)");
  if (norm.kind == NormKind::rms_norm && norm.bias.available()) {
    raise(where, argument, " is an RMSNorm with a bias, expected none");
  }
  const BasicMutableVectorView<T> bias = norm.bias.get();
  if (!bias.empty() && bias.size != norm.channels()) {
    raise(where, argument, " has a bias of ", bias.size, " elements and a gain of ", norm.channels());
  }
}

}  // namespace halfstep::inline HALFSTEP_ABI
