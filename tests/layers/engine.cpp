#include "halfstep/layers/engine.hpp"

#include <string>
#include <vector>

#include "halfstep/layers/float_product.hpp"
#include "halfstep/layers/transformer_block.hpp"
#include "support/catch.hpp"
#include "support/float_matrix.hpp"
#include "support/random_layers.hpp"

namespace hs = halfstep;

namespace {

/// An engine as a program of its own would write it: it notes what it is asked for.
class ListingEngine final : public hs::Engine {
 public:
  void multiply(const hs::LinearProduct& product, hs::Workspace&) override {
    asked.push_back(hs::concat(product.site.name, " ", hs::shape_of(product.x), " by ", hs::shape_of(product.weight),
                               " in images of ", product.image_rows));
    hs::plain_product(product.x, product.weight, product.out);
    hs::apply_bias_and_epilogue(product.out, product.bias, product.epilogue);
  }
  void multiply(const hs::AttentionProduct& product, hs::Workspace&) override {
    asked.push_back(hs::concat(product.site.name, ".", product.part, " ", hs::shape_of(product.lhs), " by ",
                               hs::shape_of(product.rhs)));
    hs::plain_product(product.lhs, product.rhs, product.out);
  }
  [[nodiscard]] hs::ExecutorRef executor() const override { return {}; }

  std::vector<std::string> asked;
};

}  // namespace

TEST_CASE("a block asks its engine for every product, by site, with both operands", "[engine]") {
  hs::SiteList sites;
  const hs::TransformerBlock block = halfstep_tests::random_block(sites, "b.", 6, 2, 10, 111);
  halfstep_tests::FloatMatrix x = halfstep_tests::random_matrix(8, 6, 112);  // two images of four tokens
  ListingEngine engine;
  hs::RunWorkspace workspace;
  block.forward(x.view(), 4, engine, workspace);
  CHECK(engine.asked == std::vector<std::string>{"b.attn.qkv [8, 6] by [18, 6] in images of 4",  //
                                                 "b.attn.qk.0 [4, 3] by [4, 3]",                 //
                                                 "b.attn.av.0 [4, 4] by [3, 4]",                 //
                                                 "b.attn.qk.1 [4, 3] by [4, 3]",                 //
                                                 "b.attn.av.1 [4, 4] by [3, 4]",                 //
                                                 "b.attn.qk.0 [4, 3] by [4, 3]",                 //
                                                 "b.attn.av.0 [4, 4] by [3, 4]",                 //
                                                 "b.attn.qk.1 [4, 3] by [4, 3]",                 //
                                                 "b.attn.av.1 [4, 4] by [3, 4]",                 //
                                                 "b.attn.proj [8, 6] by [6, 6] in images of 4",  //
                                                 "b.mlp.fc1 [8, 6] by [10, 6] in images of 4",   //
                                                 "b.mlp.fc2 [8, 10] by [6, 10] in images of 4"});
}
