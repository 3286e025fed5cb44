#include <string>
#include <vector>

#include "halfstep/recipes/adalog.hpp"
#include "halfstep/recipes/composed.hpp"
#include "halfstep/recipes/ptq4vit.hpp"
#include "halfstep/recipes/repquant.hpp"
#include "recipes/vit_recipes.hpp"
#include "support/catch.hpp"

namespace {

using namespace halfstep_tests;
namespace search_recipes = halfstep::recipes;

const VitRecipe vit_ptq4vit = [](const auto&... given) { return search_recipes::ptq4vit(given...); };
const VitRecipe vit_adalog = [](const auto&... given) { return search_recipes::adalog(given...); };
const VitRecipe vit_repquant = [](const auto&... given) { return search_recipes::repquant(given...); };
const VitRecipe vit_composed = [](const auto&... given) { return search_recipes::composed(given...); };

}  // namespace

TEST_CASE("recipes that search or round give every site codes that both engines agree on", "[vit_recipes]") {
  check_vit_recipe("ptq4vit", vit_ptq4vit);
  check_vit_recipe("adalog", vit_adalog);
  check_vit_recipe("repquant", vit_repquant);
  check_vit_recipe("composed", vit_composed);
}

TEST_CASE("recipes that search for weights and inputs at once refuse different widths", "[vit_recipes]") {
  const SmallVit small;
  const halfstep::VitRecipeOptions options{.weight_bits = 4, .activation_bits = 8, .images = 4};
  CHECK_RAISES(vit_ptq4vit(small.vit, small.images, options),
               "ptq4vit: site \"blocks.0.attn.qkv\" has weights of 4 bits and inputs of 8, expected one width");
  CHECK_RAISES(vit_ptq4vit(small.vit, small.images, {.weight_bits = 2, .activation_bits = 2, .images = 4}),
               "ptq4vit: site \"blocks.0.attn.qkv\" has 2 bits, expected 3 to 8");
  const auto clamped = [&] {
    return search_recipes::adalog(small.vit, small.images, {.weight_bits = 4, .activation_bits = 4, .images = 4},
                                  {.zero = halfstep::ZeroPolicy::clamp});
  };
  CHECK_RAISES(clamped(), "adalog: zero is ZeroPolicy::clamp, expected mask or reserve");
}

// Thresholds: the accuracy specification, section 8, column "at least".
TEST_CASE("glyph_vit: recipes that search or round reach their accuracy", "[vit_recipes][slow]") {
  auto model = GlyphModel::open("glyph_vit");
  if (!model) return;
  check_thresholds(*model, {{"ptq4vit", vit_ptq4vit, 8, 94.8, 0.02},
                            {"adalog", vit_adalog, 8, 94.8, 0.02},
                            {"repquant", vit_repquant, 8, 94.8, 0.02},
                            {"composed", vit_composed, 8, 94.8, 0.02},
                            {"ptq4vit", vit_ptq4vit, 6, 94.8, 0.010},
                            {"adalog", vit_adalog, 6, 94.8, 0.010},
                            {"repquant", vit_repquant, 6, 94.8, 0.010},
                            {"ptq4vit", vit_ptq4vit, 4, 92.0, 0.10},
                            {"repquant", vit_repquant, 4, 93.1, 0.05},
                            {"adalog", vit_adalog, 4, 93.4, 0.06},
                            {"composed", vit_composed, 4, 94.0, 0.04},
                            {"ptq4vit", vit_ptq4vit, 3, 71.5, 0},
                            {"repquant", vit_repquant, 3, 76.0, 0},
                            {"adalog", vit_adalog, 3, 83.5, 0.33},
                            {"composed", vit_composed, 3, 88.0, 0.18}});
}

TEST_CASE("glyph_vit_outlier: recipes that search or round survive outlier channels", "[vit_recipes][slow]") {
  auto model = GlyphModel::open("glyph_vit_outlier"), plain = GlyphModel::open("glyph_vit");
  if (!model || !plain) return;
  check_thresholds(*model, {{"repquant", vit_repquant, 8, 94.8, 0.01},
                            {"repquant", vit_repquant, 6, 94.1, 0.010},
                            {"adalog", vit_adalog, 6, 93.5, 0.04},
                            {"repquant", vit_repquant, 4, 93.0, 0},
                            {"adalog", vit_adalog, 4, 93.0, 0.06},
                            {"composed", vit_composed, 4, 93.6, 0},
                            {"repquant", vit_repquant, 3, 76.5, 0},
                            {"adalog", vit_adalog, 3, 84.5, 0.33},
                            {"composed", vit_composed, 3, 87.5, 0}});
  check_outliers_cost_little(*model, *plain,
                             {{"repquant", vit_repquant}, {"adalog", vit_adalog}, {"composed", vit_composed}});
}
