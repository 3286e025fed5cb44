#pragma once

/// \file
/// The methods of the command line: an id and a recipe each.

#include <halfstep/models/images.hpp>
#include <halfstep/models/vision_transformer.hpp>
#include <halfstep/recipes/quantized_model.hpp>
#include <halfstep/recipes/vit_options.hpp>

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace quantize_vit {

/// Quantizes a vision transformer, calibrated on images.
using Recipe = std::function<halfstep::QuantizedVit(const halfstep::Vit& vit, const halfstep::ImageView& calibration,
                                                    const halfstep::VitRecipeOptions& options)>;

/// One method. Where an id ends in `-reserve`, logarithmic codes hold zero within the stated bits; without it they are
/// the published ones, one code more.
struct Method {
  std::string id;
  Recipe quantize;
};

/// Methods that set ranges, and those that search or round; compiled apart, since each takes a while.
std::vector<Method> range_methods();
std::vector<Method> search_methods();

/// Every method there is, in the order of the table.
inline const std::vector<Method>& methods() {
  static const std::vector<Method> all = [] {
    std::vector<Method> list = range_methods();
    for (Method& method : search_methods()) list.push_back(std::move(method));
    return list;
  }();
  return all;
}

/// Their ids.
inline std::vector<std::string> method_ids() {
  std::vector<std::string> ids;
  for (const Method& method : methods()) ids.push_back(method.id);
  return ids;
}

/// A recipe that has options of its own, with these.
template <class Recipe, class Options>
[[nodiscard]] auto with(Recipe recipe, Options options) {
  return [=](const halfstep::Vit& vit, const halfstep::ImageView& calibration,
             const halfstep::VitRecipeOptions& given) { return recipe(vit, calibration, given, options); };
}

}  // namespace quantize_vit
