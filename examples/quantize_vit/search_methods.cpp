/// Methods that search by the error of outputs, or round weights for it.

#include <halfstep/quantizers/zero_policy.hpp>
#include <halfstep/recipes/adalog.hpp>
#include <halfstep/recipes/composed.hpp>
#include <halfstep/recipes/ptq4vit.hpp>
#include <halfstep/recipes/repquant.hpp>

#include "methods.hpp"

namespace quantize_vit {

std::vector<Method> search_methods() {
  namespace recipes = halfstep::recipes;
  constexpr auto reserve = halfstep::ZeroPolicy::reserve;
  return {{.id = "ptq4vit",
           .quantize = with(recipes::ptq4vit, recipes::Ptq4vitRecipeOptions{}),
           .widths = {3, 4, 5, 6, 8},
           .sides = Sides::alike},
          {"repquant", with(recipes::repquant, recipes::RepquantOptions{})},
          {"repquant-reserve", with(recipes::repquant, recipes::RepquantOptions{.zero = reserve})},
          {.id = "adalog", .quantize = with(recipes::adalog, recipes::AdaLogRecipeOptions{}), .sides = Sides::alike},
          {.id = "adalog-reserve",
           .quantize = with(recipes::adalog, recipes::AdaLogRecipeOptions{.zero = reserve}),
           .sides = Sides::alike},
          {"composed", with(recipes::composed, recipes::ComposedOptions{})},
          {"composed-reserve", with(recipes::composed, recipes::ComposedOptions{.zero = reserve})}};
}

}  // namespace quantize_vit
