/// A forward pass of vision transformers at real sizes, synthetic weights, one thread.
///
/// Rows `vit/<geometry>/<setting>/batch:1`: ms_per_image (CPU time), x_float (times as fast as the faster float product
/// of the same run, Eigen's or the first peer's), and the shares of the time by what takes it: qkv, proj (of
/// attention and patches), fc1 (with GELU), fc2, qk, av, head, and the rest (softmax, norms, residuals, patches).
/// Settings: float_eigen, float_openblas where it is installed, w8a8, w4a8, w4a4, and w4a4_log2 and w4a4_adalog, whose
/// probabilities are logarithmic.

#include <halfstep/kernels/quantize.hpp>
#include <halfstep/layers/eigen_product.hpp>
#include <halfstep/layers/float_engine.hpp>
#include <halfstep/layers/integer_engine.hpp>
#include <halfstep/models/vision_transformer.hpp>
#include <halfstep/quantizers/adalog.hpp>
#include <halfstep/quantizers/log2.hpp>
#include <halfstep/recipes/nearest.hpp>

#include <halfstep/core/random.hpp>

#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "support/clock.hpp"
#include "support/peers.hpp"

namespace hs = halfstep;
using hs::Index;

namespace {

struct Geometry {
  const char* name;
  Index dim, heads;
};
constexpr std::array<Geometry, 3> geometries{{{"deit_tiny", 192, 3}, {"deit_small", 384, 6}, {"vit_base", 768, 12}}};
constexpr Index depth = 12, image_size = 224, patch = 16, tokens = 197, classes = 1000;

/// Normal values, each call from a stream of its own.
std::vector<float> normals(Index count, float deviation) {
  static std::uint64_t stream = 0;
  const hs::Random random(2, stream++);
  std::vector<float> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = deviation * random.normal(i);
  return values;
}

hs::Linear linear(hs::Vit& vit, const std::string& name, Index out, Index in) {
  return {vit.sites.add_linear(name, {out, in}), normals(out * in, 0.02f), normals(out, 0.02f)};
}

hs::LayerNorm norm(const std::string& name, Index dim) {
  return {name, std::vector<float>(static_cast<std::size_t>(dim), 1.0f), normals(dim, 0.1f), 1e-6f};
}

hs::Vit synthetic_vit(const Geometry& g) {
  hs::Vit vit;
  vit.image_height = vit.image_width = image_size;
  vit.patch_embed.patch_height = vit.patch_embed.patch_width = patch;
  vit.patch_embed.mean.assign(3, 0.5f);
  vit.patch_embed.deviation.assign(3, 0.5f);
  vit.patch_embed.proj = linear(vit, "patch_embed.proj", g.dim, 3 * patch * patch);
  vit.class_token = normals(g.dim, 0.02f);
  vit.positions = normals(tokens * g.dim, 0.02f);
  for (Index i = 0; i < depth; ++i) {
    const std::string name = hs::concat("blocks.", i, ".");
    hs::TransformerBlock block;
    block.norm1 = norm(name + "norm1", g.dim);
    block.attn.qkv = linear(vit, name + "attn.qkv", 3 * g.dim, g.dim);
    block.attn.qk = vit.sites.add_attention(name + "attn.qk", g.heads);
    block.attn.av = vit.sites.add_attention(name + "attn.av", g.heads);
    block.attn.proj = linear(vit, name + "attn.proj", g.dim, g.dim);
    block.norm2 = norm(name + "norm2", g.dim);
    block.mlp.fc1 = linear(vit, name + "mlp.fc1", 4 * g.dim, g.dim);
    block.mlp.fc2 = linear(vit, name + "mlp.fc2", g.dim, 4 * g.dim);
    vit.blocks.push_back(std::move(block));
  }
  vit.norm = norm("norm", g.dim);
  vit.head = linear(vit, "head", classes, g.dim);
  return vit;
}

const hs::Vit& vit_of(const Geometry& g) {
  static std::map<std::string, hs::Vit> made;
  const auto found = made.find(g.name);
  return found != made.end() ? found->second : made.emplace(g.name, synthetic_vit(g)).first->second;
}

hs::Images images_of(Index count) {
  hs::Images images{{}, count, 3, image_size, image_size};
  images.pixels.resize(static_cast<std::size_t>(count * 3 * image_size * image_size));
  const hs::Random random(3, 0);
  for (std::size_t i = 0; i < images.pixels.size(); ++i) {
    images.pixels[i] = static_cast<std::uint8_t>(random.bits(i / 4) >> (i % 4 * 8));
  }
  return images;
}

/// Another engine, whose products are timed by the last part of their site's name.
class TimedEngine final : public hs::Engine {
 public:
  explicit TimedEngine(hs::Engine& engine) : engine_(engine) {}
  void multiply(const hs::LinearProduct& product, hs::Workspace& workspace) override { timed(product, workspace); }
  void multiply(const hs::AttentionProduct& product, hs::Workspace& workspace) override { timed(product, workspace); }
  [[nodiscard]] hs::ExecutorRef executor() const override { return engine_.executor(); }
  [[nodiscard]] const std::map<std::string, double>& seconds() const { return seconds_; }

 private:
  template <class Product>
  void timed(const Product& product, hs::Workspace& workspace) {
    const double start = halfstep_bench::cpu_seconds();
    engine_.multiply(product, workspace);
    seconds_[product.site.name.substr(product.site.name.rfind('.') + 1)] += halfstep_bench::cpu_seconds() - start;
  }

  hs::Engine& engine_;
  std::map<std::string, double> seconds_;
};

/// The fastest float pass so far, by geometry and batch.
double& best_float(const std::string& row) {
  static std::map<std::string, double> best;
  return best.try_emplace(row, std::numeric_limits<double>::infinity()).first->second;
}

/// Times passes of `engine`; a float one is noted, others are compared with it.
void run(benchmark::State& state, const Geometry& g, Index batch, hs::Engine& engine, bool is_float) {
  const hs::Vit& vit = vit_of(g);
  const hs::Images images = images_of(batch);
  hs::MatrixF logits(batch, classes);
  hs::RunWorkspace workspace;
  vit.forward_into(images.view(), engine, workspace, hs::mutable_view(logits));
  TimedEngine timed(engine);
  std::vector<double> passes;
  double all = 0;
  for (auto _ : state) {
    const double start = halfstep_bench::cpu_seconds();
    vit.forward_into(images.view(), timed, workspace, hs::mutable_view(logits));
    passes.push_back(halfstep_bench::cpu_seconds() - start);
    all += passes.back();
    state.SetIterationTime(passes.back());
  }
  const double seconds = halfstep_bench::median(passes) / static_cast<double>(batch);
  double& reference = best_float(hs::concat(g.name, batch));
  if (is_float) reference = std::min(reference, seconds);
  state.counters["ms_per_image"] = 1e3 * seconds;
  if (reference < std::numeric_limits<double>::infinity()) state.counters["x_float"] = reference / seconds;
  double rest = 1;
  for (const auto& [name, spent] : timed.seconds()) {
    const double share = spent / all;
    rest -= share;
    state.counters["share_" + name] = share;
  }
  state.counters["share_rest"] = rest;
}

void float_rows(const Geometry& g, Index batch) {
  const auto add = [&](const char* name, hs::FloatProduct product) {
    benchmark::RegisterBenchmark(hs::concat("vit/", g.name, "/", name, "/batch:", batch).c_str(),
                                 [=](benchmark::State& state) {
                                   hs::FloatEngine engine(product, {.images_per_product = batch});
                                   run(state, g, batch, engine, true);
                                 })
        ->UseManualTime()
        ->Unit(benchmark::kMillisecond);
  };
  add("float_eigen", hs::eigen_product);
#if defined(HALFSTEP_BENCH_OPENBLAS)
  add("float_openblas", halfstep_bench::openblas_product);
#endif
}

/// `nearest` at these widths, the probabilities under `Probabilities` where that is not void.
template <class Probabilities>
void integer_row(const Geometry& g, Index batch, const char* name, int weight_bits, int activation_bits) {
  benchmark::RegisterBenchmark(hs::concat("vit/", g.name, "/", name, "/batch:", batch).c_str(),
                               [=](benchmark::State& state) {
                                 const hs::Vit& vit = vit_of(g);
                                 const hs::QuantizedVit quantized = hs::recipes::nearest(
                                     vit, images_of(2).view(),
                                     {.weight_bits = weight_bits, .activation_bits = activation_bits, .images = 2});
                                 hs::SiteSpecs specs = quantized.specs();
                                 if constexpr (!std::is_void_v<Probabilities>) {
                                   for (const hs::Site& site : vit.sites.all()) {
                                     if (!site.name.ends_with(".av")) continue;
                                     auto spec = std::get<hs::AttentionSpec>(specs.at(site));
                                     spec.lhs = {hs::Activation(Probabilities::fit({0.0f, 1.0f, 0.005f}))};
                                     specs.set(site.name, spec);
                                   }
                                 }
                                 hs::IntegerEngine engine(specs);
                                 run(state, g, batch, engine, false);
                               })
      ->UseManualTime()
      ->Unit(benchmark::kMillisecond);
}

const bool registered = [] {
  for (const Geometry& g : geometries) {
    for (const Index batch : {1, 8}) {
      float_rows(g, batch);
      integer_row<void>(g, batch, "w8a8", 8, 8);
      integer_row<void>(g, batch, "w4a8", 4, 8);
      integer_row<void>(g, batch, "w4a4", 4, 4);
      integer_row<hs::Log2<4>>(g, batch, "w4a4_log2", 4, 4);
      integer_row<hs::AdaLog<4>>(g, batch, "w4a4_adalog", 4, 4);
    }
  }
  return true;
}();

}  // namespace
