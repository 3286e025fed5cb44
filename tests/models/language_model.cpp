#include "halfstep/models/language_model.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "halfstep/core/thread_pool.hpp"
#include "halfstep/layers/eigen_product.hpp"
#include "halfstep/layers/float_engine.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/llama_checkpoint.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

namespace {

/// Logits of a sequence, `step` tokens at a time over a cache.
hs::MatrixF in_steps(const hs::Llama& llama, std::span<const std::int32_t> tokens, hs::Index step, hs::Engine& engine) {
  const auto count = static_cast<hs::Index>(tokens.size());
  hs::MatrixF logits(count, llama.vocabulary());
  hs::KeyValueCache cache = llama.make_cache(count);
  hs::RunWorkspace workspace;
  for (hs::Index first = 0; first < count; first += step) {
    const hs::Index rows = std::min(step, count - first);
    llama.continue_into(tokens.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(rows)), cache, engine,
                        workspace, hs::mutable_view(logits).row_range(first, rows));
  }
  return logits;
}

}  // namespace

TEST_CASE("Llama agrees with loops in double", "[language_model]") {
  for (const LlamaSizes& sizes :
       {LlamaSizes{},
        LlamaSizes{.dim = 24, .hidden = 7, .depth = 3, .heads = 6, .kv_heads = 1, .vocabulary = 11, .rope_base = 50},
        LlamaSizes{.dim = 2,
        .hidden = 1,
        .depth = 1,
        .heads = 1,
        .kv_heads = 1,
        .vocabulary = 2,
        .max_tokens = 9,
        .tied = true}}) {
    const hs::Llama llama = LlamaCheckpoint(sizes).load();
    const hs::Tokens tokens = random_tokens(3, 9, sizes.vocabulary, 601);
    hs::FloatEngine engine(hs::eigen_product);
    const hs::MatrixF logits = llama.forward(tokens.view(), engine);
    CAPTURE(sizes.dim, sizes.heads);
    CHECK(relative_difference(hs::view(logits), plain_llama(llama, tokens.view())) < float_tolerance);
    CHECK(llama.forward(tokens.view().range(0, 0), engine).rows() == 0);
  }
}

TEST_CASE("Llama gives a sequence the same bytes alone, in any batch, on any number of threads", "[language_model]") {
  const hs::Llama llama = LlamaCheckpoint(LlamaSizes{}).load();
  const hs::Tokens tokens = random_tokens(7, 12, 23, 602);
  hs::FloatEngine engine(hs::eigen_product);
  const hs::MatrixF together = llama.forward(tokens.view(), engine);
  for (hs::Index i = 0; i < tokens.count; ++i) {
    const hs::MatrixF alone = llama.forward(tokens.view().range(i, 1), engine);
    CHECK(first_difference(hs::view(alone), hs::view(together).row_range(12 * i, 12)) == "");
  }
  for (const hs::Index at_a_time : {1, 3, 100}) {
    hs::ThreadPool pool(3);
    hs::FloatEngine threaded(hs::eigen_product, {.executor = pool});
    const hs::MatrixF cut = llama.forward(tokens.view(), threaded, {.sequences_at_a_time = at_a_time});
    CHECK(first_difference(hs::view(cut), hs::view(together)) == "");
  }
}

TEST_CASE("Llama over a cache gives the logits of a run over the whole sequence", "[language_model]") {
  const hs::Llama llama = LlamaCheckpoint(LlamaSizes{}).load();
  const hs::Tokens tokens = random_tokens(1, 20, 23, 603);
  hs::FloatEngine ordered(hs::plain_product), eigen(hs::eigen_product);
  const hs::MatrixF whole = llama.forward(tokens.view(), ordered);
  for (const hs::Index step : {1, 3, 20}) {
    CAPTURE(step);
    CHECK(first_difference(hs::view(in_steps(llama, tokens.ids, step, ordered)), hs::view(whole)) == "");
    const hs::MatrixF close = in_steps(llama, tokens.ids, step, eigen);
    CHECK(relative_difference(hs::view(close), PlainMatrix(hs::view(whole))) < float_tolerance);
  }
}

TEST_CASE("a cache that was cut back continues from there", "[language_model]") {
  const hs::Llama llama = LlamaCheckpoint(LlamaSizes{}).load();
  const hs::Tokens tokens = random_tokens(1, 9, 23, 604);
  hs::FloatEngine engine(hs::plain_product);
  hs::RunWorkspace workspace;
  hs::KeyValueCache cache = llama.make_cache(9);
  hs::MatrixF first(9, 23), again(4, 23);
  llama.continue_into(tokens.ids, cache, engine, workspace, hs::mutable_view(first));
  cache.truncate(5);
  llama.continue_into(std::span(tokens.ids).subspan(5), cache, engine, workspace, hs::mutable_view(again));
  CHECK(first_difference(hs::view(again), hs::view(first).row_range(5, 4)) == "");
}

TEST_CASE("Llama shows what its blocks give", "[language_model]") {
  const hs::Llama llama = LlamaCheckpoint(LlamaSizes{}).load();
  const hs::Tokens tokens = random_tokens(3, 5, 23, 605);
  hs::FloatEngine engine(hs::plain_product);
  std::vector<std::string> seen;
  const auto hidden = [&](hs::Index number, hs::MatrixView<const float> x) {
    seen.push_back(hs::concat(number, ": ", hs::shape_of(x)));
  };
  static_cast<void>(llama.forward(tokens.view(), engine, {.sequences_at_a_time = 2, .hidden = hidden}));
  CHECK(seen == std::vector<std::string>{"0: [10, 16]", "1: [10, 16]", "2: [10, 16]", "0: [5, 16]", "1: [5, 16]",
                                         "2: [5, 16]"});
}

TEST_CASE("a warm Llama allocates nothing, neither over sequences nor token by token", "[language_model]") {
  const hs::Llama llama = LlamaCheckpoint(LlamaSizes{}).load();
  const hs::Tokens tokens = random_tokens(3, 8, 23, 606);
  hs::FloatEngine engine(hs::plain_product);
  hs::RunWorkspace workspace;
  hs::MatrixF logits(24, 23);
  const auto run = [&] { llama.forward_into(tokens.view(), engine, workspace, hs::mutable_view(logits)); };
  run();
  CHECK(allocations_of(run) == 0);

  hs::KeyValueCache cache = llama.make_cache(8);
  const auto decode = [&] {
    cache.truncate(0);
    for (std::size_t t = 0; t < 8; ++t) {
      llama.continue_into({&tokens.ids[t], 1}, cache, engine, workspace, hs::mutable_view(logits).row_range(0, 1));
    }
  };
  decode();
  CHECK(allocations_of(decode) == 0);
}

TEST_CASE("Llama visits its linear layers in the order of a run, and by the input they share", "[language_model]") {
  hs::Llama llama = LlamaCheckpoint({.depth = 1}).load();
  std::string names, stages;
  llama.for_each_linear([&](const hs::Linear& layer) { names += layer.site.name + " "; });
  llama.for_each_stage(0, [&](const std::vector<const hs::Linear*>& layers) {
    for (const hs::Linear* layer : layers) stages += layer->site.name + " ";
    stages += "| ";
  });
  const std::string block = "model.layers.0.";
  const std::string q = block + "self_attn.q_proj ", k = block + "self_attn.k_proj ", v = block + "self_attn.v_proj ",
                    o = block + "self_attn.o_proj ", gate = block + "mlp.gate_proj ", up = block + "mlp.up_proj ",
                    down = block + "mlp.down_proj ";
  CHECK(names == q + k + v + o + gate + up + down + "lm_head ");
  CHECK(stages == q + k + v + "| " + o + "| " + gate + up + "| " + down + "| ");
}

TEST_CASE("Llama refuses tokens, outputs and caches that do not fit", "[language_model]") {
  const hs::Llama llama = LlamaCheckpoint({.max_tokens = 8}).load();
  hs::FloatEngine engine(hs::plain_product);
  hs::RunWorkspace workspace;
  hs::Tokens tokens = random_tokens(2, 5, 23, 607);
  tokens.ids[7] = 23;
  CHECK_RAISES(llama.forward(tokens.view(), engine), "Llama::forward: token 2 of sequence 1 is 23, expected 0 to 22");
  tokens.ids[7] = -1;
  CHECK_RAISES(llama.forward(tokens.view(), engine), "token 2 of sequence 1 is -1");
  CHECK_RAISES(llama.forward(random_tokens(1, 9, 23, 608).view(), engine),
               "sequences have 9 tokens, the model has positions for 8");
  CHECK_RAISES(llama.forward({nullptr, 2, 3}, engine), "tokens are 2 sequences of 3 without data");
  tokens.ids[7] = 0;
  hs::MatrixF small(9, 23);
  CHECK_RAISES(llama.forward_into(tokens.view(), engine, workspace, hs::mutable_view(small)),
               "out has shape [9, 23], expected [10, 23] with contiguous rows");
  CHECK_RAISES(llama.forward(tokens.view(), engine, {.sequences_at_a_time = 0}), "sequences_at_a_time is 0");

  hs::MatrixF out(5, 23);
  const auto proceed = [&](hs::KeyValueCache& cache) {
    llama.continue_into(std::span(tokens.ids).first(5), cache, engine, workspace, hs::mutable_view(out));
  };
  hs::KeyValueCache short_cache = llama.make_cache(4), other(3, 8, 9), full = llama.make_cache(100);
  CHECK_RAISES(proceed(short_cache), "no room for 5 more tokens: 0 of 4 are taken (capacity of the cache)");
  CHECK_RAISES(proceed(other), "cache is for 3 layers of 8, expected 2 of 8");
  proceed(full);
  CHECK_RAISES(proceed(full), "no room for 5 more tokens: 5 of 8 are taken (positions of the model)");
  CHECK(full.length() == 5);
}
