#pragma once

/// \file
/// The methods of the command line: an id and a recipe each.

#include <halfstep/models/images.hpp>
#include <halfstep/models/vision_transformer.hpp>
#include <halfstep/recipes/mixed_precision.hpp>
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

/// One setting: the widths of all sites (w4a8), or the average of widths that each site has of its own (avg3).
struct Bits {
  int weight = 8;
  int activation = 8;
  double average = 0;  ///< bits of a multiplication; 0: the widths are as they stand
};

/// Whether a recipe takes weights and activations of different widths.
enum class Sides { any, alike };

/// One method. Where an id ends in `-reserve`, logarithmic codes hold zero within the stated bits; without it they are
/// the published ones, one code more.
struct Method {
  std::string id;
  Recipe quantize;
  std::vector<int> widths = {2, 3, 4, 5, 6, 8};  ///< that sites may have, ascending; one: no mixed precision
  Sides sides = Sides::any;
  halfstep::PrecisionSearch search = halfstep::PrecisionSearch::exact;

  /// Whether the recipe has this setting.
  [[nodiscard]] bool takes(const Bits& bits) const {
    if (bits.average > 0) return widths.size() > 1 && bits.average >= widths.front();
    const auto fits = [&](int b) { return b >= widths.front() && b <= widths.back(); };
    return fits(bits.weight) && fits(bits.activation) && (sides == Sides::any || bits.weight == bits.activation);
  }
};

/// The method whose model has an engine of its own, and no float between the patches and the logits.
inline constexpr const char* integer_method = "integer";

/// Methods that set ranges, those that search or round, and those that move scales between layers; compiled apart,
/// since each takes a while.
std::vector<Method> range_methods();
std::vector<Method> search_methods();
std::vector<Method> scale_methods();

/// Every method there is, in the order of the table.
inline const std::vector<Method>& methods() {
  static const std::vector<Method> all = [] {
    std::vector<Method> list = range_methods();
    for (Method& method : search_methods()) list.push_back(std::move(method));
    for (Method& method : scale_methods()) list.push_back(std::move(method));
    return list;
  }();
  return all;
}

/// Whether a method has a setting.
inline bool takes(const std::string& id, const Bits& bits) {
  if (id == integer_method) return bits.average == 0;
  for (const Method& method : methods()) {
    if (method.id == id) return method.takes(bits);
  }
  return false;
}

/// Their ids.
inline std::vector<std::string> method_ids() {
  std::vector<std::string> ids;
  for (const Method& method : methods()) ids.push_back(method.id);
  ids.push_back(integer_method);
  return ids;
}

/// A recipe that has options of its own, with these.
template <class Recipe, class Options>
[[nodiscard]] auto with(Recipe recipe, Options options) {
  return [=](const halfstep::Vit& vit, const halfstep::ImageView& calibration,
             const halfstep::VitRecipeOptions& given) { return recipe(vit, calibration, given, options); };
}

}  // namespace quantize_vit
