#pragma once

/// \file
/// What a recipe says about each site: which codes its operands become. One set of specifications gives the integer
/// engine and the fake-quantized one.

#include "halfstep/config.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/kernels/activation.hpp"
#include "halfstep/kernels/packed_matrix.hpp"
#include "halfstep/layers/input_rule.hpp"
#include "halfstep/layers/input_transform.hpp"
#include "halfstep/layers/site.hpp"

#include <cstddef>
#include <optional>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// The product stays float, on purpose.
struct FloatSpec {};

/// A weight that has been rounded and packed, by whatever method and quantizer, and how its input meets it: transformed
/// where there is a transform, then by the rule.
struct LinearSpec {
  PackedMatrix weight;
  int weight_bits = 8;  ///< of a code; for reports
  InputRule input = {};
  InputTransform transform = {};
};

/// The rules that encode both operands of an attention product: one for all heads, or one per head.
struct AttentionSpec {
  std::vector<Activation> lhs;  ///< queries or probabilities
  std::vector<Activation> rhs;  ///< keys or values

  [[nodiscard]] const Activation& lhs_of(Index head) const { return of(lhs, head); }
  [[nodiscard]] const Activation& rhs_of(Index head) const { return of(rhs, head); }

 private:
  [[nodiscard]] static const Activation& of(const std::vector<Activation>& rules, Index head) {
    return rules[rules.size() == 1 ? 0 : static_cast<std::size_t>(head)];
  }
};

using SiteSpec = std::variant<FloatSpec, LinearSpec, AttentionSpec>;

/// The specification of every site of a model. Built site by site; engines take a complete one.
class SiteSpecs {
 public:
  explicit SiteSpecs(SiteList sites) : sites_(std::move(sites)), specs_(static_cast<std::size_t>(sites_.size())) {}

  [[nodiscard]] const SiteList& sites() const { return sites_; }

  /// Says what the site does, instead of what was said before. Errors: no such site; a specification of another kind of
  /// site; a weight of another shape; neither one rule nor one per head.
  void set(std::string_view site_name, SiteSpec spec) {
    const Site& site = sites_.at(site_name);
    if (const auto* linear = std::get_if<LinearSpec>(&spec)) require_fit(site, *linear);
    if (const auto* attention = std::get_if<AttentionSpec>(&spec)) require_fit(site, *attention);
    specs_[static_cast<std::size_t>(site.index)] = std::move(spec);
  }

  /// The specification of a site. Error: none was set.
  [[nodiscard]] const SiteSpec& at(const Site& site) const {
    const auto& spec = specs_[static_cast<std::size_t>(site.index)];
    if (!spec) raise("SiteSpecs", "site \"", site.name, "\" has no specification (FloatSpec says that it stays float)");
    return *spec;
  }

  /// Refuses a set in which a site is missing, by name.
  void require_complete() const {
    for (const Site& site : sites_.all()) static_cast<void>(at(site));
  }

 private:
  static void require_fit(const Site& site, const LinearSpec& spec) {
    if (site.kind != SiteKind::linear) raise("SiteSpecs::set", "site \"", site.name, "\" has no weight");
    if (spec.weight.shape() != site.weight) {
      raise("SiteSpecs::set", "weight of \"", site.name, "\" has shape ", spec.weight.shape(), ", expected ",
            site.weight);
    }
    if (spec.transform && std::holds_alternative<SplitInput>(spec.input)) {
      raise("SiteSpecs::set", "input of \"", site.name, "\" is split, and has a transform: expected one of them");
    }
  }

  static void require_fit(const Site& site, const AttentionSpec& spec) {
    if (site.kind != SiteKind::attention) {
      raise("SiteSpecs::set", "site \"", site.name, "\" multiplies a weight: it takes a LinearSpec");
    }
    const auto require_rules = [&](std::string_view operand, const std::vector<Activation>& rules) {
      const auto count = static_cast<Index>(rules.size());
      if (count == 1 || count == site.parts) return;
      raise("SiteSpecs::set", operand, " of \"", site.name, "\" has ", count, " rules, expected 1 or ", site.parts,
            " (its heads)");
    };
    require_rules("lhs", spec.lhs);
    require_rules("rhs", spec.rhs);
  }

  SiteList sites_;
  std::vector<std::optional<SiteSpec>> specs_;
};

/// Specifications that leave every site float, to be replaced where codes are wanted.
[[nodiscard]] inline SiteSpecs float_specs(const SiteList& sites) {
  SiteSpecs specs(sites);
  for (const Site& site : sites.all()) specs.set(site.name, FloatSpec{});
  return specs;
}

}  // namespace halfstep::inline HALFSTEP_ABI
