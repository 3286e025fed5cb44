#pragma once

/// \file
/// Tensors of values that nobody else keeps, on their way into a file.

#include "halfstep/config.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/io/dtype.hpp"
#include "halfstep/io/named_tensor.hpp"

#include <cstddef>
#include <cstring>
#include <deque>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// A list of tensors, those that it refers to and those whose bytes it holds.
class OwnedTensors {
 public:
  /// Adds a tensor whose bytes stay where they are.
  void add(NamedTensor tensor) { tensors_.push_back(std::move(tensor)); }

  /// Adds a tensor and copies its values.
  template <class T>
  void add(std::string name, DType dtype, std::vector<Index> shape, const std::vector<T>& values) {
    std::vector<std::byte>& bytes = owned_.emplace_back(values.size() * sizeof(T));
    if (!values.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
    tensors_.push_back({std::move(name), dtype, std::move(shape), bytes});
  }

  [[nodiscard]] const std::deque<NamedTensor>& tensors() const { return tensors_; }

 private:
  std::deque<NamedTensor> tensors_;
  std::deque<std::vector<std::byte>> owned_;
};

}  // namespace halfstep::inline HALFSTEP_ABI
