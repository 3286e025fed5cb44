#include <string>
#include <vector>

#include "halfstep/recipes/dopq.hpp"
#include "halfstep/recipes/fq_vit.hpp"
#include "halfstep/recipes/i_and_s.hpp"
#include "halfstep/recipes/nearest.hpp"
#include "halfstep/recipes/percentile.hpp"
#include "halfstep/recipes/repq.hpp"
#include "recipes/vit_recipes.hpp"
#include "support/catch.hpp"

namespace {

using namespace halfstep_tests;
namespace vit_recipes = halfstep::recipes;

const VitRecipe vit_min_max = [](const auto&... given) { return vit_recipes::nearest(given...); };
const VitRecipe vit_percentile = [](const auto&... given) { return vit_recipes::percentile(given...); };
const VitRecipe vit_fq = [](const auto&... given) { return vit_recipes::fq_vit(given...); };
const VitRecipe vit_repq = [](const auto&... given) { return vit_recipes::repq(given...); };
const VitRecipe vit_dopq = [](const auto&... given) { return vit_recipes::dopq(given...); };
const VitRecipe vit_i_and_s = [](const auto&... given) { return vit_recipes::i_and_s(given...); };
const VitRecipe vit_published_head = [](const auto&... given) {
  return vit_recipes::repq(given..., {.head = vit_recipes::RepqHead::published});
};

}  // namespace

TEST_CASE("recipes that set ranges give every site codes that both engines agree on", "[vit_recipes]") {
  check_vit_recipe("nearest", vit_min_max);
  check_vit_recipe("percentile", vit_percentile);
  check_vit_recipe("fq_vit", vit_fq);
  check_vit_recipe("repq", vit_repq);
  check_vit_recipe("dopq", vit_dopq);
  check_vit_recipe("i_and_s", vit_i_and_s);
}

// Thresholds: the accuracy specification, section 8, column "at least"; relative ones below its table.
TEST_CASE("glyph_vit: recipes that set ranges reach their accuracy", "[vit_recipes][slow]") {
  auto model = GlyphModel::open("glyph_vit");
  if (!model) return;
  check_thresholds(*model, {{"min-max", vit_min_max, 8, 94.8, 0.02},
                            {"percentile", vit_percentile, 8, 94.8, 0.02},
                            {"fq-vit", vit_fq, 8, 94.8, 0.02},
                            {"repq", vit_repq, 8, 94.8, 0.02},
                            {"dopq", vit_dopq, 8, 94.8, 0.02},
                            {"i-and-s", vit_i_and_s, 8, 94.8, 0.02},
                            {"min-max", vit_min_max, 6, 94.0, 0.02},
                            {"percentile", vit_percentile, 6, 94.0, 0.02},
                            {"fq-vit", vit_fq, 6, 93.0, 0.03},
                            {"i-and-s", vit_i_and_s, 6, 93.0, 0.03},
                            {"repq", vit_repq, 6, 94.8, 0.010},
                            {"dopq", vit_dopq, 6, 94.8, 0.010},
                            {"percentile", vit_percentile, 4, 89.5, 0.19},
                            {"fq-vit", vit_fq, 4, 89.7, 0.16},
                            {"i-and-s", vit_i_and_s, 4, 92.0, 0.08},
                            {"dopq", vit_dopq, 4, 92.7, 0.07},
                            {"repq", vit_repq, 4, 93.0, 0.06}});
  check_thresholds(
      *model, {{"repq", vit_repq, 3, 69.5, 0}, {"dopq", vit_dopq, 3, 77.5, 0}, {"i-and-s", vit_i_and_s, 3, 79.0, 0}},
      3);
  const VitScore four = model->score("repq", vit_repq, 4), three = model->score("repq", vit_repq, 3);
  const VitScore plain_four = model->score("min-max", vit_min_max, 4);
  CHECK(four.top1 >= plain_four.top1 + 4);
  CHECK(plain_four.kl >= 3 * four.kl);
  CHECK(three.top1 >= model->score("min-max", vit_min_max, 3).top1 + 20);
}

TEST_CASE("glyph_vit_outlier: recipes that know channels survive, min-max does not", "[vit_recipes][slow]") {
  auto model = GlyphModel::open("glyph_vit_outlier"), plain = GlyphModel::open("glyph_vit");
  if (!model || !plain) return;
  check_thresholds(*model, {{"repq", vit_repq, 8, 94.8, 0.01},
                            {"dopq", vit_dopq, 8, 94.8, 0.01},
                            {"repq", vit_repq, 6, 94.1, 0.010},
                            {"dopq", vit_dopq, 6, 94.1, 0.010},
                            {"i-and-s", vit_i_and_s, 6, 93.5, 0.04},
                            {"repq", vit_repq, 4, 92.4, 0},
                            {"dopq", vit_dopq, 4, 92.7, 0},
                            {"i-and-s", vit_i_and_s, 4, 91.8, 0}});
  check_thresholds(
      *model, {{"repq", vit_repq, 3, 70, 0}, {"dopq", vit_dopq, 3, 76.5, 0}, {"i-and-s", vit_i_and_s, 3, 76.5, 0}}, 3);
  CHECK(model->score("min-max", vit_min_max, 6).top1 < 10);
  CHECK(model->score("min-max", vit_min_max, 4).top1 < 10);
  CHECK(model->score("repq with the published head", vit_published_head, 4).top1 < 10);
  check_outliers_cost_little(*model, *plain, {{"repq", vit_repq}, {"dopq", vit_dopq}, {"i-and-s", vit_i_and_s}});
}
