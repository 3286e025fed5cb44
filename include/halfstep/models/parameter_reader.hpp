#pragma once

/// \file
/// The parameters of layers out of a checkpoint, their shapes checked against what they must be.

#include "halfstep/config.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/io/io_error.hpp"
#include "halfstep/io/safetensors.hpp"
#include "halfstep/layers/linear.hpp"
#include "halfstep/layers/site.hpp"

#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Reads from `file`, which must outlive it. Errors name the file and the tensor: E_NOT_FOUND for a missing one,
/// E_SHAPE with the shape found, the one expected and what it follows from, E_VALUE for values that are not finite.
class ParameterReader {
 public:
  explicit ParameterReader(const SafetensorsFile& file) : file_(file) {}

  /// The first size of a tensor, which must have `rank` sizes of at least 1.
  [[nodiscard]] Index leading(std::string_view name, std::size_t rank = 2) const { return sizes(name, rank).front(); }

  [[nodiscard]] const std::vector<Index>& sizes(std::string_view name, std::size_t rank) const {
    const std::vector<Index>& shape = file_.tensor(name).shape;
    bool valid = shape.size() == rank;
    for (const Index size : shape) valid = valid && size >= 1;
    if (valid) return shape;
    raise_io(IoErrorCode::shape, file_.path(), "tensor ", in_quotes(name), " has shape ", shape_text(shape),
             ", expected ", rank, " sizes of at least 1");
  }

  /// The values of a tensor of exactly this shape; `source` says what the shape follows from.
  [[nodiscard]] std::vector<float> values(const std::string& name, std::initializer_list<Index> shape,
                                          std::string_view source) const {
    file_.require_shape(name, shape, source);
    return std::move(file_.matrix(name).values);
  }

  /// `name`.weight `[out, in]` and, where it is there, `name`.bias.
  [[nodiscard]] Linear linear(const std::string& name, Index out, Index in, SiteList& sites,
                              std::string_view source) const {
    Linear layer;
    layer.weight = values(name + ".weight", {out, in}, source);
    layer.bias = bias(name, out);
    layer.site = sites.add_linear(name, {out, in});
    return layer;
  }

  [[nodiscard]] std::vector<float> bias(const std::string& name, Index out) const {
    if (!file_.contains(name + ".bias")) return {};
    return values(name + ".bias", {out}, name + ".weight");
  }

 private:
  const SafetensorsFile& file_;
};

}  // namespace halfstep::inline HALFSTEP_ABI
