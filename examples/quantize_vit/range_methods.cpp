/// Methods that set ranges from the data.

#include <halfstep/quantizers/zero_policy.hpp>
#include <halfstep/recipes/dopq.hpp>
#include <halfstep/recipes/fq_vit.hpp>
#include <halfstep/recipes/i_and_s.hpp>
#include <halfstep/recipes/nearest.hpp>
#include <halfstep/recipes/percentile.hpp>
#include <halfstep/recipes/repq.hpp>

#include "methods.hpp"

namespace quantize_vit {

std::vector<Method> range_methods() {
  namespace recipes = halfstep::recipes;
  constexpr auto reserve = halfstep::ZeroPolicy::reserve;
  return {{"min-max", recipes::nearest},
          {"percentile", recipes::percentile},
          {"fq-vit", with(recipes::fq_vit, recipes::FqVitOptions{})},
          {"fq-vit-reserve", with(recipes::fq_vit, recipes::FqVitOptions{.zero = reserve})},
          {"repq", with(recipes::repq, recipes::RepqOptions{})},
          {"repq-reserve", with(recipes::repq, recipes::RepqOptions{.zero = reserve})},
          {"dopq", with(recipes::dopq, recipes::DopqOptions{})},
          {"i-and-s", with(recipes::i_and_s, recipes::IAndSOptions{})}};
}

}  // namespace quantize_vit
