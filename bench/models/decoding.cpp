/// Decoding one token after the other (one row of activations) at the geometry of a Llama of 1.1 billion parameters,
/// with synthetic weights: what counts is how fast weights come from memory.
///
/// Rows are named `decode/llama_1b/<weights>/threads:1`. A step is one token of a sequence over a cache of keys and
/// values; weights of all blocks and of the head are read once. Counters: tokens (per second: CPU time with one thread,
/// wall time with more), GBps (bytes of weights per second), dram_share (of what one thread reads from DRAM, which this
/// program measures first). Inputs are 8-bit codes per token, but for float32 and the codebook, whose products are
/// look-ups in tables of floats.

#include <halfstep/core/executor.hpp>
#include <halfstep/core/random.hpp>
#include <halfstep/core/thread_pool.hpp>
#include <halfstep/kernels/pack.hpp>
#include <halfstep/kernels/quantize.hpp>
#include <halfstep/kernels/table_matmul.hpp>
#include <halfstep/kernels/vector_matrix.hpp>
#include <halfstep/layers/eigen_product.hpp>
#include <halfstep/layers/float_engine.hpp>
#include <halfstep/layers/integer_engine.hpp>
#include <halfstep/layers/site_spec.hpp>
#include <halfstep/models/language_model.hpp>
#include <halfstep/quantizers/codebook.hpp>
#include <halfstep/quantizers/minifloat.hpp>
#include <halfstep/quantizers/uniform.hpp>
#include <halfstep/simd/isa.hpp>

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "support/clock.hpp"
#include "support/limits.hpp"

namespace hs = halfstep;
using hs::Index;

namespace {

constexpr Index dim = 2048, hidden = 5632, depth = 22, heads = 32, kv_heads = 4, vocabulary = 32000, max_tokens = 64;

/// Normal values of the size of trained weights, the same pattern again and again.
std::vector<float> synthetic_weights(Index size) {
  static const std::vector<float> pattern = [] {
    const hs::Random random(7, 0);
    std::vector<float> values(1 << 20);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = 0.02f * random.normal(i);
    return values;
  }();
  std::vector<float> weights(static_cast<std::size_t>(size));
  for (std::size_t i = 0; i < weights.size(); i += pattern.size()) {
    std::copy_n(pattern.begin(), std::min(pattern.size(), weights.size() - i),
                weights.begin() + static_cast<std::ptrdiff_t>(i));
  }
  return weights;
}

enum class FloatWeights { absent, present };

hs::Linear linear(hs::SiteList& sites, const std::string& name, Index out, Index in, FloatWeights weights) {
  return {sites.add_linear(name, {out, in}),
          weights == FloatWeights::present ? synthetic_weights(out * in) : std::vector<float>(),
          {}};
}

/// Engines of codes read no float weights, so they need not be there.
hs::Llama model(FloatWeights weights) {
  hs::Llama llama;
  llama.embedding = synthetic_weights(vocabulary * dim);
  llama.rope = hs::RotaryEmbedding(dim / heads, max_tokens, 10000);
  const auto norm = [](const std::string& name) { return hs::RmsNorm{name, std::vector<float>(dim, 1.0f), 1e-5f}; };
  constexpr Index keys = dim / heads * kv_heads;
  for (Index i = 0; i < depth; ++i) {
    const std::string name = hs::concat("model.layers.", i, ".");
    hs::DecoderBlock block;
    block.input_layernorm = norm(name + "input_layernorm");
    hs::CausalAttention& attention = block.self_attn;
    attention.kv_heads = kv_heads;
    attention.q_proj = linear(llama.sites, name + "self_attn.q_proj", dim, dim, weights);
    attention.k_proj = linear(llama.sites, name + "self_attn.k_proj", keys, dim, weights);
    attention.v_proj = linear(llama.sites, name + "self_attn.v_proj", keys, dim, weights);
    attention.qk = llama.sites.add_attention(name + "self_attn.qk", heads);
    attention.av = llama.sites.add_attention(name + "self_attn.av", heads);
    attention.o_proj = linear(llama.sites, name + "self_attn.o_proj", dim, dim, weights);
    block.post_attention_layernorm = norm(name + "post_attention_layernorm");
    block.mlp.gate_proj = linear(llama.sites, name + "mlp.gate_proj", hidden, dim, weights);
    block.mlp.up_proj = linear(llama.sites, name + "mlp.up_proj", hidden, dim, weights);
    block.mlp.down_proj = linear(llama.sites, name + "mlp.down_proj", dim, hidden, weights);
    llama.blocks.push_back(std::move(block));
  }
  llama.norm = norm("model.norm");
  llama.lm_head = linear(llama.sites, "lm_head", vocabulary, dim, weights);
  return llama;
}

/// One weight of each shape, to be copied for the layers that have it.
template <class Weight>
class WeightOfShape {
 public:
  using Make = std::function<Weight(const hs::MatrixF&)>;
  explicit WeightOfShape(Make make) : make_(std::move(make)) {}

  const Weight& operator()(const hs::Shape& shape) {
    auto& entry = made_[{shape.rows, shape.cols}];
    if (!entry) {
      std::vector<float> values = synthetic_weights(shape.rows * shape.cols);
      entry = std::make_unique<Weight>(make_(Eigen::Map<hs::MatrixF>(values.data(), shape.rows, shape.cols)));
    }
    return *entry;
  }

 private:
  Make make_;
  std::map<std::pair<Index, Index>, std::unique_ptr<Weight>> made_;
};

using Book = hs::Int8Codebook<4, 256>;  // 2 bits per weight

/// Multiplies linear sites by look-ups in tables, attention in float.
class CodebookEngine final : public hs::Engine {
 public:
  CodebookEngine(const hs::SiteList& sites, hs::ExecutorRef executor)
      : float_(hs::plain_product, {.executor = executor}), weights_(static_cast<std::size_t>(sites.size())) {
    WeightOfShape<hs::VectorMatrix<Book>> of([](const hs::MatrixF& w) {
      const hs::Random random(7, 1);
      Book book{0.01f, {}};
      for (std::size_t i = 0; i < book.values.size(); ++i) {
        book.values[i] = static_cast<std::int8_t>(std::clamp(40.0f * random.normal(i), -127.0f, 127.0f));
      }
      hs::VectorMatrix<Book> matrix({w.rows(), w.cols()}, hs::per_tensor(), {book});
      std::vector<std::uint8_t> codes(static_cast<std::size_t>(matrix.vectors()));
      for (Index r = 0; r < w.rows(); ++r) {  // any codes do
        for (std::size_t v = 0; v < codes.size(); ++v)
          codes[v] = static_cast<std::uint8_t>(r * 31 + static_cast<Index>(v) * 17);
        matrix.set_row(r, codes.data());
      }
      return matrix;
    });
    for (const hs::Site& site : sites.all()) {
      if (site.kind == hs::SiteKind::linear) weights_[static_cast<std::size_t>(site.index)] = of(site.weight);
    }
  }

  void multiply(const hs::LinearProduct& product, hs::Workspace&) override {
    const auto& weight = weights_[static_cast<std::size_t>(product.site.index)];
    const hs::MatrixF y = hs::table_matmul(product.x, weight, product.bias, executor());
    for (Index r = 0; r < y.rows(); ++r) std::copy_n(y.data() + r * y.cols(), y.cols(), product.out.row(r));
    hs::apply_bias_and_epilogue(product.out, {}, product.epilogue);
  }
  void multiply(const hs::AttentionProduct& product, hs::Workspace& workspace) override {
    float_.multiply(product, workspace);
  }
  [[nodiscard]] hs::ExecutorRef executor() const override { return float_.executor(); }
  [[nodiscard]] Index bytes() const {
    Index sum = 0;
    for (const auto& weight : weights_) sum += weight.bytes();
    return sum;
  }

 private:
  hs::FloatEngine float_;
  std::vector<hs::VectorMatrix<Book>> weights_;
};

/// A model, an engine, and the bytes of weights that a step reads.
struct Decoder {
  hs::Llama llama;
  std::unique_ptr<hs::SiteSpecs> specs;
  std::unique_ptr<hs::Engine> engine;
  double bytes = 0;
};

using Pack = std::function<hs::PackedMatrix(const hs::MatrixF&)>;

Decoder packed_decoder(int weight_bits, const Pack& pack, hs::ExecutorRef executor) {
  Decoder decoder{model(FloatWeights::absent), nullptr, nullptr, 0};
  decoder.specs = std::make_unique<hs::SiteSpecs>(hs::float_specs(decoder.llama.sites));
  WeightOfShape<hs::PackedMatrix> of(pack);
  for (const hs::Site& site : decoder.llama.sites.all()) {
    if (site.kind != hs::SiteKind::linear) continue;
    const hs::PackedMatrix& weight = of(site.weight);
    decoder.bytes += static_cast<double>(weight.bytes());
    decoder.specs->set(site.name, hs::LinearSpec{weight, weight_bits});
  }
  decoder.engine = std::make_unique<hs::IntegerEngine>(*decoder.specs, executor, hs::plain_product);
  return decoder;
}

Decoder float_decoder(hs::ExecutorRef executor) {
  Decoder decoder{model(FloatWeights::present), nullptr, nullptr, 0};
  decoder.llama.for_each_linear(
      [&](const hs::Linear& layer) { decoder.bytes += 4.0 * static_cast<double>(layer.weight.size()); });
  decoder.engine = std::make_unique<hs::FloatEngine>(hs::eigen_product, hs::FloatEngineOptions{.executor = executor});
  return decoder;
}

Decoder codebook_decoder(hs::ExecutorRef executor) {
  Decoder decoder{model(FloatWeights::absent), nullptr, nullptr, 0};
  auto engine = std::make_unique<CodebookEngine>(decoder.llama.sites, executor);
  decoder.bytes = static_cast<double>(engine->bytes());
  decoder.engine = std::move(engine);
  return decoder;
}

void add_row(const std::string& name, int threads, std::function<Decoder(hs::ExecutorRef)> make) {
  benchmark::RegisterBenchmark(
      hs::concat("decode/llama_1b/", name, "/threads:", threads).c_str(),
      [=](benchmark::State& state) {
        hs::ThreadPool pool(threads);
        const hs::ExecutorRef executor = threads == 1 ? hs::ExecutorRef() : hs::ExecutorRef(pool);
        const Decoder decoder = make(executor);
        hs::KeyValueCache cache = decoder.llama.make_cache(max_tokens);
        hs::RunWorkspace workspace;
        hs::MatrixF logits(1, vocabulary);
        const auto now = threads == 1 ? halfstep_bench::cpu_seconds : halfstep_bench::wall_seconds;
        const auto step = [&](std::int32_t token) {
          if (cache.length() == max_tokens) cache.truncate(0);
          const double start = now();
          decoder.llama.continue_into({&token, 1}, cache, *decoder.engine, workspace, hs::mutable_view(logits));
          return now() - start;
        };
        step(0);
        double seconds = 0;
        std::int32_t token = 0;
        for (auto _ : state) {
          token = (token + 4099) % static_cast<std::int32_t>(vocabulary);
          const double spent = step(token);
          state.SetIterationTime(spent);
          seconds += spent;
        }
        const double steps = static_cast<double>(state.iterations());
        state.counters["tokens"] = steps / seconds;
        state.counters["GBps"] = 1e-9 * decoder.bytes * steps / seconds;
        state.counters["dram_share"] = 1e-9 * decoder.bytes * steps / seconds / halfstep_bench::dram_limit_gbps();
      })
      ->UseManualTime()
      ->Unit(benchmark::kMillisecond);
}

template <class Q>
Pack packer(const hs::Tiling& tiling) {
  return [tiling](const hs::MatrixF& w) { return hs::pack(hs::quantize<Q>(w, {.tiling = tiling})); };
}

}  // namespace

int main(int argc, char** argv) {
  for (const int threads : {1, 2}) {
    add_row("float32", threads, float_decoder);
    const auto add_packed = [&](const std::string& name, int bits, const Pack& pack) {
      add_row(name, threads, [=](hs::ExecutorRef executor) { return packed_decoder(bits, pack, executor); });
    };
    add_packed("int8", 8, packer<hs::Uniform<8>>(hs::per_row()));
    add_packed("int4_g128", 4, packer<hs::Uniform<4>>(hs::per_group(128)));
    add_packed("fp4_g128", 4, packer<hs::Fp4E2M1>(hs::per_group(128)));
    add_row("codebook_2bit", threads, codebook_decoder);
  }
  benchmark::Initialize(&argc, argv);
  std::fprintf(stderr, "isa %s, DRAM %.1f GB/s by one thread\n", std::string(hs::simd::isa_name).c_str(),
               halfstep_bench::dram_limit_gbps());
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
