/// Products of 8-bit activations, affine, symmetric and encoded on the way in, with weights of 8 and 4 bits in steps,
/// FP4, NF4 and ternary ones, beside the float and int8 products of other libraries where these are installed. FP4, NF4
/// and ternary weights are met by affine activations only (`u8`): what differs is the weight's planes. `mxfp4_mxfp4`
/// and `nvfp4_nvfp4` have a scale for each 32 or 16 values on both sides, `bin_bin` is signs with signs.
///
/// Rows are named `matmul/<activation>_<weight>/M:197/N:3072/K:768/threads:1`. Counters: GOPS (2 M N K per second, CPU
/// time with one thread), GBps (bytes of the packed weight per second), limit_share (of the int8 limit that this
/// program measures first), sqnr_db (of the output, against the float64 product of the unquantized operands). A
/// weight's name ends in `_g128` or `_g32` where a scale stands for that many inputs; plain is a scale per row.

#include <halfstep/halfstep.hpp>

#include <benchmark/benchmark.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "support/limits.hpp"
#include "support/peers.hpp"

namespace hs = halfstep;
using hs::Index;

namespace {

struct Shape {
  Index m, n, k;
};

constexpr Shape shapes[] = {{197, 768, 768}, {197, 2304, 768}, {197, 3072, 768},  {197, 768, 3072}, {197, 192, 192},
                            {197, 576, 192}, {197, 768, 192},  {128, 4096, 4096}, {8, 4096, 4096},  {1, 4096, 4096}};

/// Float operands of one shape: activations with a few large channels, as transformers have them, and normal weights.
struct Operands {
  hs::MatrixF x, w;
  std::vector<double> exact;  ///< the first 4 rows of x * w^T in double
  explicit Operands(const Shape& shape) : x(shape.m, shape.k), w(shape.n, shape.k) {
    const hs::Random random(1, 0);
    for (Index i = 0; i < x.size(); ++i) {
      x.data()[i] = random.normal(static_cast<std::uint64_t>(i)) * (i % shape.k % 97 == 0 ? 6.0f : 1.0f);
    }
    const hs::Random other(1, 1);
    for (Index i = 0; i < w.size(); ++i) w.data()[i] = 0.02f * other.normal(static_cast<std::uint64_t>(i));
    for (Index m = 0; m < std::min<Index>(4, shape.m); ++m) {
      for (Index n = 0; n < shape.n; ++n) {
        double sum = 0;
        for (Index k = 0; k < shape.k; ++k) sum += static_cast<double>(x(m, k)) * static_cast<double>(w(n, k));
        exact.push_back(sum);
      }
    }
  }
};

const Operands& operands(const Shape& shape) {
  static std::map<std::string, std::unique_ptr<Operands>> cache;
  auto& entry = cache[hs::concat(shape.m, "x", shape.n, "x", shape.k)];
  if (!entry) entry = std::make_unique<Operands>(shape);
  return *entry;
}

double sqnr_db(const hs::MatrixF& y, const std::vector<double>& exact) {
  double signal = 0, noise = 0;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    const double error = static_cast<double>(y.data()[i]) - exact[i];
    signal += exact[i] * exact[i];
    noise += error * error;
  }
  return noise == 0 ? INFINITY : 10 * std::log10(signal / noise);
}

void report(benchmark::State& state, const Shape& shape, double seconds, double weight_bytes, double quality) {
  const double operations =
      2e-9 * static_cast<double>(shape.m) * static_cast<double>(shape.n) * static_cast<double>(shape.k);
  const double calls = static_cast<double>(state.iterations());
  state.counters["GOPS"] = operations * calls / seconds;
  state.counters["GBps"] = 1e-9 * weight_bytes * calls / seconds;
  state.counters["limit_share"] = operations * calls / seconds / halfstep_bench::int8_limit_gops();
  if (std::isfinite(quality)) state.counters["sqnr_db"] = quality;
}

/// One row: `multiply` is timed by the thread's CPU time, or by wall time with more threads.
void add_row(const std::string& name, const Shape& shape, int threads,
             std::function<std::function<void(hs::MatrixF&)>(double& weight_bytes)> prepare) {
  const std::string full =
      hs::concat("matmul/", name, "/M:", shape.m, "/N:", shape.n, "/K:", shape.k, "/threads:", threads);
  benchmark::RegisterBenchmark(
      full.c_str(),
      [=](benchmark::State& state) {
        double weight_bytes = 0;
        const auto multiply = prepare(weight_bytes);
        hs::MatrixF y(shape.m, shape.n);
        multiply(y);
        double seconds = 0;
        for (auto _ : state) {
          const double start = threads == 1 ? halfstep_bench::cpu_seconds() : halfstep_bench::wall_seconds();
          multiply(y);
          const double spent = (threads == 1 ? halfstep_bench::cpu_seconds() : halfstep_bench::wall_seconds()) - start;
          state.SetIterationTime(spent);
          seconds += spent;
        }
        report(state, shape, seconds, weight_bytes, sqnr_db(y, operands(shape).exact));
      })
      ->UseManualTime()
      ->Unit(benchmark::kMicrosecond);
}

using Pack = std::function<hs::PackedMatrix(const hs::MatrixF&)>;

const std::vector<std::pair<std::string, Pack>>& weights() {
  static const std::vector<std::pair<std::string, Pack>> list{
      {"s8",
       [](const hs::MatrixF& w) {
         return hs::pack(
             hs::quantize<hs::Uniform<8>>(w, {.tiling = hs::per_row(), .symmetry = hs::Symmetry::symmetric}));
       }},
      {"int4",
       [](const hs::MatrixF& w) { return hs::pack(hs::quantize<hs::Uniform<4>>(w, {.tiling = hs::per_row()})); }},
      {"int4_g128",
       [](const hs::MatrixF& w) { return hs::pack(hs::quantize<hs::Uniform<4>>(w, {.tiling = hs::per_group(128)})); }},
      {"int4_g32",
       [](const hs::MatrixF& w) { return hs::pack(hs::quantize<hs::Uniform<4>>(w, {.tiling = hs::per_group(32)})); }},
  };
  return list;
}

/// Weights whose levels are no equal steps, one scale per row.
const std::vector<std::pair<std::string, Pack>>& other_weights() {
  static const std::vector<std::pair<std::string, Pack>> list{
      {"fp4", [](const hs::MatrixF& w) { return hs::pack(hs::quantize<hs::Fp4E2M1>(w, {.tiling = hs::per_row()})); }},
      {"nf4",
       [](const hs::MatrixF& w) { return hs::pack(hs::quantize<hs::NormalFloat4>(w, {.tiling = hs::per_row()})); }},
      {"ternary",
       [](const hs::MatrixF& w) { return hs::pack(hs::quantize<hs::Ternary>(w, {.tiling = hs::per_row()})); }},
  };
  return list;
}

hs::Range range_of(const hs::MatrixF& x) { return {x.minCoeff(), x.maxCoeff(), 0}; }

/// Encoded activations (`u8`: affine, `s8`: symmetric, both static), or floats encoded inside the timed call (`f32`).
void add_ours(const std::string& activation, const std::string& weight, const Pack& pack, const Shape& shape,
              int threads) {
  add_row(activation + "_" + weight, shape, threads, [=](double& weight_bytes) -> std::function<void(hs::MatrixF&)> {
    const Operands& data = operands(shape);
    auto packed = std::make_shared<hs::PackedMatrix>(pack(data.w));
    auto workspace = std::make_shared<hs::Workspace>();
    auto pool = std::make_shared<hs::ThreadPool>(threads);
    weight_bytes = static_cast<double>(packed->bytes());
    hs::MatmulOptions options;
    if (threads > 1) options.executor = *pool;
    if (activation == "f32") {
      return [=, &data](hs::MatrixF& y) {
        (void)pool;
        hs::matmul_into(data.x, *packed, hs::mutable_view(y), *workspace, options);
      };
    }
    const hs::Symmetry symmetry = activation == "s8" ? hs::Symmetry::symmetric : hs::Symmetry::affine;
    auto encoded = std::make_shared<hs::EncodedMatrix>(
        hs::encode(data.x, hs::Uniform<8>::fit(range_of(data.x), symmetry), packed->layout().group));
    return [=](hs::MatrixF& y) {
      (void)pool;
      hs::matmul_into(*encoded, *packed, hs::mutable_view(y), *workspace, options);
    };
  });
}

/// Blocks on both sides, activations encoded before the timed call.
template <class F>
void add_blocks(const std::string& name, const Shape& shape) {
  add_row(name + "_" + name, shape, 1, [=](double& weight_bytes) -> std::function<void(hs::MatrixF&)> {
    const Operands& data = operands(shape);
    auto packed = std::make_shared<hs::PackedMatrix>(hs::pack(hs::quantize_blocks<F>(data.w)));
    auto workspace = std::make_shared<hs::Workspace>();
    weight_bytes = static_cast<double>(packed->bytes());
    hs::Activation activation = hs::Activation::per_block<F>();
    if constexpr (hs::HasTensorScale<F>)
      activation = hs::Activation::per_block<F>(F::tensor_scale_of(range_of(data.x)));
    auto encoded = std::make_shared<hs::EncodedMatrix>(hs::encode(data.x, activation));
    return [=](hs::MatrixF& y) { hs::matmul_into(*encoded, *packed, hs::mutable_view(y), *workspace); };
  });
}

/// Signs with signs, by xor and counts.
void add_signs(const Shape& shape) {
  add_row("bin_bin", shape, 1, [=](double& weight_bytes) -> std::function<void(hs::MatrixF&)> {
    const Operands& data = operands(shape);
    auto packed = std::make_shared<hs::PackedSigns>(
        hs::pack(hs::signs_of(hs::quantize<hs::Binary>(data.w, {.tiling = hs::per_row()}))));
    const float scale = data.x.cwiseAbs().mean();
    auto encoded = std::make_shared<hs::SignMatrix>(hs::encode_signs(data.x, hs::Binary{scale, 0.0f}));
    weight_bytes = static_cast<double>(packed->bytes());
    return [=](hs::MatrixF& y) { hs::sign_matmul_into(*encoded, *packed, hs::mutable_view(y)); };
  });
}

void add_peers(const Shape& shape) {
  for (const halfstep_bench::Peer& peer : halfstep_bench::peers()) {
    add_row(peer.name, shape, 1, [=](double& weight_bytes) {
      const Operands& data = operands(shape);
      weight_bytes = peer.bytes_per_weight * static_cast<double>(data.w.size());
      return peer.prepare(data.x, data.w);
    });
  }
}

}  // namespace

int main(int argc, char** argv) {
  for (const char* variable : {"OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"}) {
    if (std::getenv(variable) == nullptr) continue;
    std::fprintf(stderr, "bench_matmul: unset %s: OpenBLAS would not choose its kernels by itself\n", variable);
    return 1;
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  std::fprintf(stderr, "isa %s, tile %s, int8 limit %.1f GOP/s, DRAM %.1f GB/s%s\n",
               std::string(hs::simd::isa_name).c_str(), hs::default_tile().name, halfstep_bench::int8_limit_gops(),
               halfstep_bench::dram_limit_gbps(), halfstep_bench::peer_versions().c_str());
  for (const Shape& shape : shapes) {
    add_peers(shape);
    for (const auto& [weight, pack] : weights()) {
      for (const char* activation : {"u8", "s8", "f32"}) add_ours(activation, weight, pack, shape, 1);
      add_ours("f32", weight, pack, shape, 2);
    }
    for (const auto& [weight, pack] : other_weights()) add_ours("u8", weight, pack, shape, 1);
    add_blocks<hs::MXFP4>("mxfp4", shape);
    add_blocks<hs::NVFP4>("nvfp4", shape);
    add_signs(shape);
  }
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
