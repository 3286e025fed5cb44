#pragma once

/// \file
/// What a recipe gives: a model, a specification for each of its sites, and both ways to run them.

#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/layers/fake_quantized_engine.hpp"
#include "halfstep/layers/float_product.hpp"
#include "halfstep/layers/integer_engine.hpp"
#include "halfstep/layers/site_spec.hpp"
#include "halfstep/models/language_model.hpp"
#include "halfstep/models/vision_transformer.hpp"

#include <utility>
#include <variant>

namespace halfstep::inline HALFSTEP_ABI {

/// Bytes of the weight of a linear site as products read it: codes, padding, scales, zero points and sums; 4 per weight
/// where the site stays float. 0 for an attention site.
[[nodiscard]] inline Index weight_bytes(const SiteSpecs& specs, const Site& site) {
  const auto* linear = std::get_if<LinearSpec>(&specs.at(site));
  return linear != nullptr ? linear->weight.bytes() : 4 * site.weight.rows * site.weight.cols;
}

/// How a recipe ended.
enum class RecipeEnd {
  complete,   ///< it came to all sites
  cancelled,  ///< its progress callback stopped it: sites that it did not come to are as in the float model
};

/// A model whose products run on codes. `Model` is what the recipe made of the float model: transforms folded into its
/// norms, weights and biases, sites as before. A value; const use is safe from any number of threads.
template <class Model>
class QuantizedModel {
 public:
  /// Error: a site without a specification.
  QuantizedModel(Model model, SiteSpecs specs, RecipeEnd end = RecipeEnd::complete)
      : model_(std::move(model)), specs_(std::move(specs)), end_(end) {
    specs_.require_complete();
  }

  /// False: the recipe was cancelled. The model runs all the same.
  [[nodiscard]] bool is_complete() const { return end_ == RecipeEnd::complete; }

  [[nodiscard]] const Model& model() const { return model_; }
  [[nodiscard]] const SiteSpecs& specs() const { return specs_; }

  /// Runs on the integer engine; `float_product` is needed where a site stays float. Class: ordered where none does.
  template <class Inputs>
  [[nodiscard]] MatrixF forward(const Inputs& inputs, ExecutorRef executor = {},
                                FloatProduct float_product = {}) const {
    IntegerEngine engine(specs_, executor, float_product);
    return model_.forward(inputs, engine);
  }

  /// Runs the same codes decoded, in float; see `FakeQuantizedEngine` for how close the two are.
  template <class Inputs>
  [[nodiscard]] MatrixF forward_fake_quantized(const Inputs& inputs, FloatProduct float_product,
                                               ExecutorRef executor = {}) const {
    FakeQuantizedEngine engine(specs_, float_product, {.executor = executor});
    return model_.forward(inputs, engine);
  }

  /// Weights of all linear sites.
  [[nodiscard]] Index weight_count() const {
    Index count = 0;
    for (const Site& site : specs_.sites().all()) count += site.weight.rows * site.weight.cols;
    return count;
  }

  /// The `weight_bytes` of all sites. Biases, norms and embeddings are not counted, here nor for the float model.
  [[nodiscard]] Index bytes() const {
    Index sum = 0;
    for (const Site& site : specs_.sites().all()) sum += weight_bytes(specs_, site);
    return sum;
  }

  [[nodiscard]] double bits_per_weight() const {
    return 8.0 * static_cast<double>(bytes()) / static_cast<double>(weight_count());
  }

 private:
  Model model_;
  SiteSpecs specs_;
  RecipeEnd end_;
};

/// What the recipes for vision transformers return.
using QuantizedVit = QuantizedModel<Vit>;

/// What the recipes for language models return.
using QuantizedLlama = QuantizedModel<Llama>;

/// What searches for transforms of a language model return: a model that computes what the one before did.
struct SearchedLlama {
  Llama model;
  bool is_complete = true;  ///< false: the progress callback stopped the search; transforms found by then are in
};

}  // namespace halfstep::inline HALFSTEP_ABI
