#include "halfstep/models/perplexity.hpp"

#include <cmath>
#include <vector>

#include "halfstep/layers/eigen_product.hpp"
#include "halfstep/layers/float_engine.hpp"
#include "support/catch.hpp"
#include "support/llama_checkpoint.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

TEST_CASE("negative_log_likelihood is the mean of -log softmax of the next tokens", "[perplexity]") {
  FloatMatrix logits(3, 2);
  logits.values = {0.0f, std::log(3.0f), 1000.0f, 1000.0f, 5.0f, -5.0f};
  const std::vector<std::int32_t> ids{0, 1, 0};
  // The first row gives 3/4 to token 1, the second 1/2 to token 0; the third predicts nothing.
  const double expected = 0.5 * (std::log(4.0 / 3) + std::log(2.0));
  CHECK(hs::negative_log_likelihood(logits.view(), ids) == Approx(expected).epsilon(0x1p-22));
}

TEST_CASE("evaluate gives the loss of each sequence, whatever goes together", "[perplexity]") {
  const hs::Llama llama = LlamaCheckpoint(LlamaSizes{}).load();
  const hs::Tokens tokens = random_tokens(5, 12, 23, 621);
  hs::FloatEngine engine(hs::eigen_product);
  std::vector<hs::Index> seen;
  const auto progress = [&](hs::Index done) { seen.push_back(done); };
  const hs::Likelihood found =
      hs::evaluate(llama, tokens.view(), engine, {.sequences_at_a_time = 2, .progress = progress});
  CHECK(seen == std::vector<hs::Index>{2, 4, 5});
  REQUIRE(found.of_sequence.size() == 5);
  const PlainMatrix logits = plain_llama(llama, tokens.view());
  double mean = 0;
  for (hs::Index i = 0; i < 5; ++i) {
    double sum = 0;
    for (hs::Index p = 0; p < 11; ++p) {
      double powers = 0;
      for (hs::Index c = 0; c < 23; ++c) powers += std::exp(logits(12 * i + p, c));
      sum += std::log(powers) - logits(12 * i + p, tokens.ids[static_cast<std::size_t>(12 * i + p + 1)]);
    }
    CHECK(found.of_sequence[static_cast<std::size_t>(i)] == Approx(sum / 11).epsilon(float_tolerance));
    mean += sum / 11 / 5;
  }
  CHECK(found.nll() == Approx(mean).epsilon(float_tolerance));
  CHECK(found.perplexity() == std::exp(found.nll()));
  CHECK(hs::evaluate(llama, tokens.view(), engine).of_sequence == found.of_sequence);
}

TEST_CASE("evaluate refuses what predicts nothing", "[perplexity]") {
  const hs::Llama llama = LlamaCheckpoint(LlamaSizes{}).load();
  const hs::Tokens tokens = random_tokens(5, 1, 23, 622);
  hs::FloatEngine engine(hs::plain_product);
  CHECK_RAISES(hs::evaluate(llama, tokens.view(), engine),
               "evaluate: tokens are 5 sequences of 1, expected at least 1 of at least 2 tokens");
  CHECK_RAISES(hs::evaluate(llama, {tokens.ids.data(), 0, 5}, engine), "tokens are 0 sequences of 5");
  CHECK_RAISES(hs::evaluate(llama, {tokens.ids.data(), 1, 5}, engine, {.sequences_at_a_time = 0}),
               "sequences_at_a_time is 0");
}
