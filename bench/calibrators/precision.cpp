/// Sensitivities and allocation of precision, one thread, CPU time.
///
/// Rows `<sensitivity>/...`: GOPS of its products, or Melements. Rows `allocate_<solver>/layers:<n>/sizes:<m>`: 6
/// options for each of n layers, whose weights have one of m sizes; counter loss_ratio, its loss over the Lagrangian
/// bound.

#include <halfstep/calibrators/precision/exact_allocation.hpp>
#include <halfstep/calibrators/precision/greedy_allocation.hpp>
#include <halfstep/calibrators/precision/lagrangian_allocation.hpp>
#include <halfstep/calibrators/precision/relevance.hpp>
#include <halfstep/calibrators/precision/sensitivity.hpp>
#include <halfstep/core/random.hpp>

#include <benchmark/benchmark.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "support/clock.hpp"

namespace hs = halfstep;
using hs::Index;

namespace {

hs::MatrixF normals(Index rows, Index cols, std::uint64_t stream) {
  const hs::Random random(1, stream);
  hs::MatrixF x(rows, cols);
  for (Index i = 0; i < x.size(); ++i) x.data()[i] = random.normal(static_cast<std::uint64_t>(i));
  return x;
}

/// Runs `call` for each iteration and counts `amount` of them per second as `counter`.
template <class Call>
void count(benchmark::State& state, const char* counter, double amount, Call call) {
  double seconds = 0;
  for ([[maybe_unused]] auto _ : state) {
    const double start = halfstep_bench::cpu_seconds();
    benchmark::DoNotOptimize(call());
    const double spent = halfstep_bench::cpu_seconds() - start;
    state.SetIterationTime(spent);
    seconds += spent;
  }
  state.counters[counter] = amount * static_cast<double>(state.iterations()) / seconds;
}

void output_error(benchmark::State& state) {
  const hs::MatrixF x = normals(512, 384, 1), w = normals(384, 384, 2), w_hat = 0.99f * w;
  count(state, "GOPS", 2e-9 * 512 * 384 * 384, [&] { return hs::output_error(x, w, x, w_hat); });
}
void weight_error_trace(benchmark::State& state) {
  const hs::MatrixF w = normals(384, 384, 2), w_hat = 0.99f * w;
  const hs::MatrixD moment = normals(384, 384, 3).cast<double>();
  count(state, "GOPS", 2e-9 * 384 * 384 * 384, [&] { return hs::weight_error_trace(w, w_hat, moment); });
}
void logit_divergence(benchmark::State& state) {
  const hs::MatrixF exact = normals(128, 1000, 4), other = 0.99f * exact;
  count(state, "Melements", 128e3 * 1e-6, [&] { return hs::logit_divergence(exact, other); });
}
void relevance_of_linear(benchmark::State& state) {
  const hs::MatrixF x = normals(512, 384, 1), w = normals(384, 384, 2), r = normals(512, 384, 5);
  count(state, "GOPS", 8e-9 * 512 * 384 * 384, [&] { return hs::relevance_of_linear(x, w, r).eval(); });
}

/// Layers of a transformer whose losses fall by about 4 for each bit, some faster than others.
std::vector<hs::LayerOptions> layers_of(Index count, Index sizes) {
  const hs::Random random(7);
  std::vector<hs::LayerOptions> layers;
  for (Index l = 0; l < count; ++l) {
    const auto at = static_cast<std::uint64_t>(l);
    hs::LayerOptions& layer = layers.emplace_back();
    const Index weights = 768 * 768 + 12289 * (l % sizes);
    double loss = std::exp(2.0 * static_cast<double>(random.normal(at)));
    for (const int bits : {2, 3, 4, 5, 6, 8}) {
      layer.costs.push_back(weights * bits);
      layer.losses.push_back(loss);
      loss *= 0.15 + 0.2 * static_cast<double>(random.uniform(1000 + 10 * at + static_cast<std::uint64_t>(bits)));
    }
  }
  return layers;
}

template <class Solve>
void allocate(benchmark::State& state, Solve solve) {
  const std::vector<hs::LayerOptions> layers = layers_of(state.range(0), state.range(1));
  std::int64_t budget = 0;
  for (const hs::LayerOptions& layer : layers) budget += layer.costs[2];
  double loss = 0;
  count(state, "solved_per_s", 1, [&] { return loss = solve(layers, budget); });
  state.counters["loss_ratio"] = loss / hs::allocate_lagrangian(layers, budget).bound;
}

void allocate_greedy(benchmark::State& state) {
  allocate(state, [](const auto& layers, auto budget) { return hs::allocate_greedy(layers, budget).loss; });
}
void allocate_lagrangian(benchmark::State& state) {
  allocate(state,
           [](const auto& layers, auto budget) { return hs::allocate_lagrangian(layers, budget).allocation.loss; });
}
void allocate_exact(benchmark::State& state) {
  allocate(state, [](const auto& layers, auto budget) { return hs::allocate_exact(layers, budget).loss; });
}

void all_problems(benchmark::internal::Benchmark* row) {
  row->ArgNames({"layers", "sizes"})->Args({48, 4})->Args({48, 48})->Args({300, 300});
  row->UseManualTime()->Unit(benchmark::kMicrosecond);
}

BENCHMARK(output_error)->UseManualTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(weight_error_trace)->UseManualTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(logit_divergence)->UseManualTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(relevance_of_linear)->UseManualTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(allocate_greedy)->Apply(all_problems);
BENCHMARK(allocate_lagrangian)->Apply(all_problems);
BENCHMARK(allocate_exact)->Apply(all_problems);

}  // namespace
