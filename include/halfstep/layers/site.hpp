#pragma once

/// \file
/// The products of a model, by name: what a recipe gives specifications to, and what an engine multiplies.

#include "halfstep/config.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/matrix_view.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// What the right side of a product is.
enum class SiteKind {
  linear,    ///< a weight of the model
  attention  ///< activations: keys, or values with tokens as the K axis
};

/// One named product of a model, such as `blocks.3.attn.qkv` or `blocks.3.attn.qk`.
struct Site {
  std::string name;
  Index index = 0;  ///< its place among the sites of its model
  SiteKind kind = SiteKind::linear;
  Index parts = 1;    ///< attention: heads, each a product that may have parameters of its own
  Shape weight = {};  ///< linear: `[out_features, in_features]`
  friend bool operator==(const Site&, const Site&) = default;
};

/// The sites of a model, in the order in which a run reaches them.
class SiteList {
 public:
  /// Appends a product with a weight and returns its site. Error: a name that is there already.
  Site add_linear(std::string name, Shape weight) { return add({std::move(name), 0, SiteKind::linear, 1, weight}); }

  /// Appends a product of activations, `heads` at a time. Error: as above.
  Site add_attention(std::string name, Index heads) {
    return add({std::move(name), 0, SiteKind::attention, heads, {}});
  }

  [[nodiscard]] const std::vector<Site>& all() const { return sites_; }
  [[nodiscard]] Index size() const { return static_cast<Index>(sites_.size()); }

  /// The site of that name, or null.
  [[nodiscard]] const Site* find(std::string_view name) const {
    for (const Site& site : sites_) {
      if (site.name == name) return &site;
    }
    return nullptr;
  }

  /// The site of that name. Error: there is none.
  [[nodiscard]] const Site& at(std::string_view name) const {
    if (const Site* site = find(name)) return *site;
    raise("SiteList", "no site \"", name, "\" among the ", sites_.size(), " of the model",
          sites_.empty() ? "" : ", the first of which is \"" + sites_.front().name + "\"");
  }

 private:
  Site add(Site site) {
    if (find(site.name) != nullptr) raise("SiteList", "there is already a site \"", site.name, "\"");
    site.index = size();
    sites_.push_back(site);
    return site;
  }

  std::vector<Site> sites_;
};

}  // namespace halfstep::inline HALFSTEP_ABI
