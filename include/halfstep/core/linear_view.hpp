#pragma once

/// \file
/// A linear layer that somebody else owns, as what edits layers in place sees it.

#include "halfstep/config.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/vector_view.hpp"

#include <concepts>
#include <string_view>

namespace halfstep::inline HALFSTEP_ABI {

/// The place where a layer keeps its bias, which may still be empty: whoever folds a shift into the layer then creates
/// the bias there. Refers to the owner's container, which must outlive it. Trivially copyable.
template <class T>
class BasicBiasSlot {
 public:
  /// No bias, and no place for one.
  constexpr BasicBiasSlot() = default;

  /// A bias of a fixed size in memory that cannot grow.
  constexpr BasicBiasSlot(BasicMutableVectorView<T> bias) : fixed_(bias) {}  // NOLINT(google-explicit-constructor)

  /// A container of floats that can be resized (std::vector<float>, Eigen::VectorXf); empty: no bias yet.
  template <class V>
  requires(!std::same_as<V, BasicBiasSlot> && FloatsInARow<V, T> &&
           requires(V & v) {
             v.resize(v.size());
           }) constexpr BasicBiasSlot(V& storage)  // NOLINT(google-explicit-constructor): as views convert
      : storage_(&storage),
        get_([](void* v) { return BasicMutableVectorView<T>(*static_cast<V*>(v)); }),
        create_([](void* v, Index size) {
          V& bias = *static_cast<V*>(v);
          bias.resize(static_cast<decltype(bias.size())>(size));
          for (Index i = 0; i < size; ++i) bias.data()[i] = T(0);
        }) {}

  /// The bias as it is now; empty where there is none.
  [[nodiscard]] BasicMutableVectorView<T> get() const { return storage_ == nullptr ? fixed_ : get_(storage_); }
  /// Whether a bias is there, or can be created.
  [[nodiscard]] bool available() const { return storage_ != nullptr || !fixed_.empty(); }

  /// The bias; where there is none, one of `size` zeros is created. Errors: no place for a bias.
  [[nodiscard]] BasicMutableVectorView<T> get_or_create(std::string_view where, Index size) const {
    if (get().empty() && size > 0) {
      if (storage_ == nullptr) raise(where, "the layer has no bias and no place for one");
      create_(storage_, size);
    }
    return get();
  }

 private:
  BasicMutableVectorView<T> fixed_;
  void* storage_ = nullptr;
  BasicMutableVectorView<T> (*get_)(void*) = nullptr;
  void (*create_)(void*, Index) = nullptr;
};

using BiasSlot = BasicBiasSlot<float>;

/// `y = x * weight^T + bias`, weight `[out_features, in_features]`, bias `[out_features]`.
template <class T>
struct BasicLinearView {
  MatrixView<T> weight;
  BasicBiasSlot<T> bias;

  [[nodiscard]] Index out_features() const { return weight.rows; }
  [[nodiscard]] Index in_features() const { return weight.cols; }
};

using LinearView = BasicLinearView<float>;

/// Refuses a layer whose bias has another size than its weight has rows.
template <class T>
void require_consistent(std::string_view where, std::string_view argument, const BasicLinearView<T>& layer) {
  require_readable(where, argument, layer.weight);
  const BasicMutableVectorView<T> bias = layer.bias.get();
  if (!bias.empty() && bias.size != layer.out_features()) {
    raise(where, argument, " has a bias of ", bias.size, " elements, expected ", layer.out_features(),
          " (its out_features)");
  }
}

}  // namespace halfstep::inline HALFSTEP_ABI
