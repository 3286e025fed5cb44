#include "halfstep/models/generate.hpp"

#include <algorithm>
#include <vector>

#include "halfstep/layers/eigen_product.hpp"
#include "halfstep/layers/float_engine.hpp"
#include "support/catch.hpp"
#include "support/llama_checkpoint.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

TEST_CASE("generate_greedily takes the likeliest token after all before it", "[generate]") {
  const hs::Llama llama = LlamaCheckpoint(LlamaSizes{}).load();
  const std::vector<std::int32_t> prompt{3, 17, 5};
  hs::FloatEngine engine(hs::plain_product);
  std::vector<std::int32_t> all = prompt;
  for (int i = 0; i < 12; ++i) {
    const hs::MatrixF logits = llama.forward({all.data(), 1, static_cast<hs::Index>(all.size())}, engine);
    const auto last = logits.row(logits.rows() - 1);
    hs::Index best = 0;
    last.maxCoeff(&best);
    all.push_back(static_cast<std::int32_t>(best));
  }
  const std::vector<std::int32_t> found = hs::generate_greedily(llama, prompt, 12, engine);
  CHECK(std::equal(found.begin(), found.end(), all.begin() + 3, all.end()));
  CHECK(hs::generate_greedily(llama, prompt, 0, engine).empty());
}

TEST_CASE("generate_greedily refuses an empty prompt and more tokens than there are positions", "[generate]") {
  const hs::Llama llama = LlamaCheckpoint({.max_tokens = 8}).load();
  const std::vector<std::int32_t> prompt{3, 17, 5};
  hs::FloatEngine engine(hs::plain_product);
  CHECK(hs::generate_greedily(llama, prompt, 5, engine).size() == 5);
  CHECK_RAISES(
      hs::generate_greedily(llama, prompt, 6, engine),
      "generate_greedily: prompt has 3 tokens, and 6 are to follow; expected at least 1, and 8 in all at most");
  CHECK_RAISES(hs::generate_greedily(llama, {}, 2, engine), "prompt has 0 tokens");
}
