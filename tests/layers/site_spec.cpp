#include "halfstep/layers/site_spec.hpp"

#include "halfstep/core/tiling.hpp"
#include "halfstep/kernels/pack.hpp"
#include "halfstep/kernels/quantize.hpp"
#include "support/catch.hpp"
#include "support/float_matrix.hpp"

namespace hs = halfstep;
using halfstep_tests::random_matrix;

namespace {

hs::LinearSpec weight_of(hs::Index out, hs::Index in) {
  return {hs::pack(hs::quantize<hs::Uniform<4>>(random_matrix(out, in, 181).view(), {.tiling = hs::per_row()})), 4, {}};
}

hs::SiteSpecs empty_specs() {
  hs::SiteList sites;
  static_cast<void>(sites.add_linear("fc1", {6, 10}));
  static_cast<void>(sites.add_attention("qk", 3));
  return hs::SiteSpecs(sites);
}

}  // namespace

TEST_CASE("SiteSpecs keeps what was said of each site", "[site_spec]") {
  hs::SiteSpecs specs = empty_specs();
  specs.set("fc1", weight_of(6, 10));
  specs.set("qk", hs::FloatSpec{});
  specs.require_complete();
  CHECK(std::holds_alternative<hs::FloatSpec>(specs.at(specs.sites().at("qk"))));
  CHECK(std::get<hs::LinearSpec>(specs.at(specs.sites().at("fc1"))).weight_bits == 4);

  const hs::Activation four = hs::Uniform<4>{}, five = hs::Uniform<5>{}, six = hs::Uniform<6>{};
  specs.set("qk", hs::AttentionSpec{{four, five, six}, {six}});
  const auto& attention = std::get<hs::AttentionSpec>(specs.at(specs.sites().at("qk")));
  CHECK(attention.lhs_of(0).bits() == 4);
  CHECK(attention.lhs_of(2).bits() == 6);
  CHECK(attention.rhs_of(0).bits() == 6);
  CHECK(attention.rhs_of(2).bits() == 6);
}

TEST_CASE("SiteSpecs refuses what does not fit a site, and names it", "[site_spec]") {
  hs::SiteSpecs specs = empty_specs();
  CHECK_RAISES(specs.set("fc3", hs::FloatSpec{}), "no site \"fc3\"");
  CHECK_RAISES(specs.set("fc1", weight_of(10, 6)), "weight of \"fc1\" has shape [10, 6], expected [6, 10]");
  CHECK_RAISES(specs.set("qk", weight_of(6, 10)), "site \"qk\" has no weight");
  CHECK_RAISES(specs.set("fc1", hs::AttentionSpec{{hs::Activation()}, {hs::Activation()}}),
               "site \"fc1\" multiplies a weight");
  CHECK_RAISES(specs.set("qk", hs::AttentionSpec{{hs::Activation(), hs::Activation()}, {hs::Activation()}}),
               "lhs of \"qk\" has 2 rules, expected 1 or 3 (its heads)");
  CHECK_RAISES(specs.set("qk", hs::AttentionSpec{{hs::Activation()}, {}}), "rhs of \"qk\" has 0 rules");
  CHECK_RAISES(specs.require_complete(), "site \"fc1\" has no specification");
  specs.set("fc1", hs::FloatSpec{});
  CHECK_RAISES(specs.require_complete(), "site \"qk\" has no specification");
}
