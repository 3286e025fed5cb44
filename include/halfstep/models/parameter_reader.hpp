#pragma once

/// \file
/// The parameters of layers out of a checkpoint, their shapes checked against what they must be.

#include "halfstep/config.hpp"
#include "halfstep/core/function_ref.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/io/io_error.hpp"
#include "halfstep/io/safetensors.hpp"
#include "halfstep/layers/linear.hpp"
#include "halfstep/layers/site.hpp"

#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// The shape of the weight of the layer `name`, where it is not read as a tensor of floats: a file of a quantized model
/// has codes instead.
using FindWeight = FunctionRef<std::optional<Shape>(const std::string& name)>;

/// Reads from `file`, which must outlive it. Weights that `find` knows stay empty. Errors name the file and the tensor:
/// E_NOT_FOUND for a missing one, E_SHAPE with the shape found, the one expected and what it follows from, E_VALUE for
/// values that are not finite.
class ParameterReader {
 public:
  explicit ParameterReader(const SafetensorsFile& file, FindWeight find = {}) : file_(file), find_(find) {}

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

  /// The outputs of the linear layer `name`.
  [[nodiscard]] Index outputs(const std::string& name) const {
    const std::optional<Shape> elsewhere = weight_elsewhere(name);
    return elsewhere ? elsewhere->rows : leading(name + ".weight");
  }

  /// Whether the weight of the layer `name` is none of the tensors to be read.
  [[nodiscard]] bool is_elsewhere(const std::string& name) const { return weight_elsewhere(name).has_value(); }

  /// The weight of the linear layer `name`, a tensor of exactly this shape: outputs first.
  [[nodiscard]] std::vector<float> weight(const std::string& name, std::initializer_list<Index> shape,
                                          std::string_view source) const {
    const std::optional<Shape> elsewhere = weight_elsewhere(name);
    if (!elsewhere) return values(name + ".weight", shape, source);
    Index inputs = 1;
    for (const Index* size = shape.begin() + 1; size != shape.end(); ++size) inputs *= *size;
    if (elsewhere == Shape{*shape.begin(), inputs}) return {};
    raise_io(IoErrorCode::shape, file_.path(), "weight of ", in_quotes(name), " has shape ", *elsewhere, ", expected ",
             Shape{*shape.begin(), inputs}, " from ", source);
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
    layer.weight = weight(name, {out, in}, source);
    layer.bias = bias(name, out);
    layer.site = sites.add_linear(name, {out, in});
    return layer;
  }

  [[nodiscard]] std::vector<float> bias(const std::string& name, Index out) const {
    if (!file_.contains(name + ".bias")) return {};
    return values(name + ".bias", {out}, name + ".weight");
  }

 private:
  [[nodiscard]] std::optional<Shape> weight_elsewhere(const std::string& name) const {
    return find_ ? find_(name) : std::nullopt;
  }

  const SafetensorsFile& file_;
  FindWeight find_;
};

}  // namespace halfstep::inline HALFSTEP_ABI
