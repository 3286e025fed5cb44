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
  return {{"ptq4vit", with(recipes::ptq4vit, recipes::Ptq4vitRecipeOptions{})},
          {"repquant", with(recipes::repquant, recipes::RepquantOptions{})},
          {"repquant-reserve", with(recipes::repquant, recipes::RepquantOptions{.zero = reserve})},
          {"adalog", with(recipes::adalog, recipes::AdaLogRecipeOptions{})},
          {"adalog-reserve", with(recipes::adalog, recipes::AdaLogRecipeOptions{.zero = reserve})},
          {"composed", with(recipes::composed, recipes::ComposedOptions{})},
          {"composed-reserve", with(recipes::composed, recipes::ComposedOptions{.zero = reserve})}};
}

}  // namespace quantize_vit
