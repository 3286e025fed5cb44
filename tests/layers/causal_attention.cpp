#include "halfstep/layers/causal_attention.hpp"

#include <algorithm>
#include <set>
#include <string>

#include "halfstep/core/thread_pool.hpp"
#include "halfstep/layers/eigen_product.hpp"
#include "halfstep/layers/float_engine.hpp"
#include "halfstep/layers/recording_engine.hpp"
#include "support/catch.hpp"
#include "support/llama_checkpoint.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

namespace {

hs::Llama model_with_heads(hs::Index heads, hs::Index kv_heads) {
  return LlamaCheckpoint({.dim = 24, .heads = heads, .kv_heads = kv_heads}).load();
}

}  // namespace

TEST_CASE("CausalAttention agrees with loops in double", "[causal_attention]") {
  for (const auto& [heads, kv_heads] : {std::pair{1, 1}, {4, 4}, {4, 2}, {6, 1}, {6, 3}}) {
    const hs::Llama llama = model_with_heads(heads, kv_heads);
    const hs::CausalAttention& attention = llama.blocks[0].self_attn;
    CHECK(attention.heads() == heads);
    CHECK(attention.head_size() == 24 / heads);
    for (const hs::Index tokens : {1, 3, 17}) {
      const FloatMatrix x = random_matrix(3 * tokens, 24, 521, 2.0f);
      FloatMatrix y(x.rows, 24);
      hs::FloatEngine engine(hs::eigen_product);
      hs::RunWorkspace workspace;
      attention.forward(x.view(), tokens, llama.rope, y.view(), engine, workspace);
      CAPTURE(heads, kv_heads, tokens);
      const PlainMatrix expected = plain_causal_attention(attention, llama.rope.base(), PlainMatrix(x.view()), tokens);
      CHECK(relative_difference(y.view(), expected) < float_tolerance);
    }
  }
}

TEST_CASE("CausalAttention sees nothing of later tokens and of other sequences", "[causal_attention]") {
  const hs::Llama llama = model_with_heads(4, 2);
  FloatMatrix x = random_matrix(2 * 6, 24, 522), y(12, 24), z(12, 24);
  hs::FloatEngine engine(hs::plain_product);
  hs::RunWorkspace workspace;
  const auto run = [&](FloatMatrix& out) {
    llama.blocks[0].self_attn.forward(x.view(), 6, llama.rope, out.view(), engine, workspace);
  };
  run(y);
  for (hs::Index c = 0; c < 24; ++c) x.view()(4, c) += 1.0f;
  run(z);
  CHECK(first_difference(z.view().row_range(0, 4), y.view().row_range(0, 4)) == "");
  CHECK(first_difference(z.view().row_range(4, 1), y.view().row_range(4, 1)) != "");
  CHECK(first_difference(z.view().row_range(5, 1), y.view().row_range(5, 1)) != "");
  CHECK(first_difference(z.view().row_range(6, 6), y.view().row_range(6, 6)) == "");
}

TEST_CASE("CausalAttention over a cache gives the bytes of the whole sequence, however it is cut",
          "[causal_attention]") {
  const hs::Llama llama = model_with_heads(4, 2);
  const hs::CausalAttention& attention = llama.blocks[0].self_attn;
  const FloatMatrix x = random_matrix(13, 24, 523);
  FloatMatrix whole(13, 24);
  hs::FloatEngine engine(hs::plain_product);
  hs::RunWorkspace workspace;
  attention.forward(x.view(), 13, llama.rope, whole.view(), engine, workspace);
  for (const hs::Index step : {1, 2, 5, 13}) {
    hs::KeyValueCache cache = llama.make_cache(13);
    FloatMatrix y(13, 24);
    for (hs::Index first = 0; first < 13; first += step) {
      const hs::Index count = std::min<hs::Index>(step, 13 - first);
      attention.forward(x.view().row_range(first, count), cache.extended(0, count), llama.rope,
                        y.view().row_range(first, count), engine, workspace);
      cache.advance(count);
    }
    CAPTURE(step);
    CHECK(first_difference(y.view(), whole.view()) == "");
  }
}

TEST_CASE("CausalAttention names its products, one part for each head of queries", "[causal_attention]") {
  const hs::Llama llama = model_with_heads(4, 2);
  std::vector<std::string> seen;
  const auto visit = [&](const hs::ProductRecord& record) {
    seen.push_back(record.site.kind == hs::SiteKind::attention ? hs::concat(record.site.name, "/", record.part)
                                                               : record.site.name);
  };
  hs::RecordingEngine engine(hs::plain_product, visit);
  hs::RunWorkspace workspace;
  const FloatMatrix x = random_matrix(5, 24, 524);
  FloatMatrix y(5, 24);
  llama.blocks[1].self_attn.forward(x.view(), 5, llama.rope, y.view(), engine, workspace);
  std::vector<std::string> expected;
  for (const char* name :
       {"q_proj", "k_proj", "v_proj", "qk/0", "av/0", "qk/1", "av/1", "qk/2", "av/2", "qk/3", "av/3", "o_proj"}) {
    expected.push_back(std::string("model.layers.1.self_attn.") + name);
  }
  CHECK(seen == expected);
}

TEST_CASE("CausalAttention gives the same bytes on threads", "[causal_attention]") {
  const hs::Llama llama = model_with_heads(6, 3);
  const FloatMatrix x = random_matrix(4 * 9, 24, 525);
  FloatMatrix serial(x.rows, 24), threaded(x.rows, 24);
  hs::ThreadPool pool(3);
  hs::FloatEngine one(hs::eigen_product), three(hs::eigen_product, {.executor = pool});
  hs::RunWorkspace workspace;
  llama.blocks[0].self_attn.forward(x.view(), 9, llama.rope, serial.view(), one, workspace);
  llama.blocks[0].self_attn.forward(x.view(), 9, llama.rope, threaded.view(), three, workspace);
  CHECK(first_difference(threaded.view(), serial.view()) == "");
}
