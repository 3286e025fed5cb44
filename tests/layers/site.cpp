#include "halfstep/layers/site.hpp"

#include "support/catch.hpp"

namespace hs = halfstep;

TEST_CASE("SiteList numbers sites in the order in which they are added", "[site]") {
  hs::SiteList sites;
  const hs::Site qkv = sites.add_linear("blocks.0.attn.qkv", {12, 4});
  const hs::Site qk = sites.add_attention("blocks.0.attn.qk", 2);
  CHECK(qkv == hs::Site{"blocks.0.attn.qkv", 0, hs::SiteKind::linear, 1, {12, 4}});
  CHECK(qk == hs::Site{"blocks.0.attn.qk", 1, hs::SiteKind::attention, 2, {}});
  CHECK(sites.size() == 2);
  CHECK(sites.all()[1] == qk);
  CHECK(sites.at("blocks.0.attn.qk") == qk);
  CHECK(*sites.find("blocks.0.attn.qkv") == qkv);
  CHECK(sites.find("blocks.0.attn") == nullptr);
}

TEST_CASE("SiteList names what is wrong", "[site]") {
  hs::SiteList sites;
  CHECK_RAISES(sites.at("head"), "SiteList: no site \"head\" among the 0 of the model");
  static_cast<void>(sites.add_linear("head", {2, 3}));
  CHECK_RAISES(sites.at("heads"), "no site \"heads\" among the 1 of the model, the first of which is \"head\"");
  CHECK_RAISES(sites.add_attention("head", 2), "there is already a site \"head\"");
}
