/// Searches for the ranges of published methods, one thread, CPU time.
///
/// Rows `<search>/T:<tokens>/C:<channels>`: Gelements, elements encoded per second over all candidates. Rows
/// `<search>/T:<tokens>/C:<channels>/O:<outputs>`, by the error of a layer's output: GOPS of the products that a plain
/// evaluation of every candidate would have computed (2 T C O each), and eigen_ratio, the share of what Eigen's double
/// product of that shape reaches in the same run: above 1 where the search computes fewer.

#include <halfstep/calibrators/range/dual_clip.hpp>
#include <halfstep/calibrators/range/minifloat_search.hpp>
#include <halfstep/calibrators/range/noise_search.hpp>
#include <halfstep/calibrators/range/power_of_two_factors.hpp>
#include <halfstep/calibrators/range/region_ratio_search.hpp>
#include <halfstep/calibrators/range/running_percentile_max.hpp>
#include <halfstep/core/random.hpp>
#include <halfstep/quantizers/uniform.hpp>

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>

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

/// Times `call` and returns the CPU seconds of all iterations.
template <class Call>
double timed(benchmark::State& state, Call call) {
  double seconds = 0;
  for ([[maybe_unused]] auto _ : state) {
    const double start = halfstep_bench::cpu_seconds();
    call();
    benchmark::ClobberMemory();
    const double spent = halfstep_bench::cpu_seconds() - start;
    state.SetIterationTime(spent);
    seconds += spent;
  }
  return seconds;
}

/// A search that encodes each of `tokens` x `channels` values once for each of `candidates`.
template <class Search>
void by_values(benchmark::State& state, double candidates, Search search) {
  const hs::MatrixF x = normals(state.range(0), state.range(1), 2);
  const double seconds = timed(state, [&] { benchmark::DoNotOptimize(search(x)); });
  const double elements = static_cast<double>(x.size()) * candidates * static_cast<double>(state.iterations());
  state.counters["Gelements"] = 1e-9 * elements / seconds;
}

void dual_clip(benchmark::State& state) {
  by_values(state, 169, [](const hs::MatrixF& x) { return hs::dual_clip<hs::Uniform<4>>(x); });
}
void power_of_two_factors(benchmark::State& state) {
  by_values(state, 4, [](const hs::MatrixF& x) { return hs::power_of_two_factors<8>(x); });
}
void region_ratio_search(benchmark::State& state) {
  by_values(state, 900, [](const hs::MatrixF& x) { return hs::region_ratio_search<4>(x); });
}
void running_percentile_max(benchmark::State& state) {
  by_values(state, 1, [](const hs::MatrixF& x) {
    hs::RunningPercentileMax seen;
    seen.observe(x);
    return seen.range();
  });
}

/// A search that judges `candidates` by the output of a layer.
template <class Search>
void by_output(benchmark::State& state, double candidates, Search search) {
  const hs::MatrixF x = normals(state.range(0), state.range(1), 3), w = normals(state.range(2), state.range(1), 4);
  const hs::MatrixD a = x.cast<double>(), b = w.cast<double>();
  hs::MatrixD product(a.rows(), b.rows());
  double plain = 1e300;
  for (int i = 0; i < 5; ++i) {
    const double start = halfstep_bench::cpu_seconds();
    product.noalias() = a * b.transpose();
    benchmark::ClobberMemory();
    plain = std::min(plain, halfstep_bench::cpu_seconds() - start);
  }
  const double seconds = timed(state, [&] { benchmark::DoNotOptimize(search(x, w)); });
  const double products = candidates * static_cast<double>(state.iterations());
  const double operations = 2.0 * static_cast<double>(x.size()) * static_cast<double>(w.rows());
  state.counters["GOPS"] = 1e-9 * operations * products / seconds;
  state.counters["eigen_ratio"] = plain * products / seconds;
}

void noise_search(benchmark::State& state) {
  by_output(state, 3400, [](const hs::MatrixF& x, const hs::MatrixF& w) { return hs::noise_search<6>(x, w).mse; });
}
void minifloat_search(benchmark::State& state) {
  by_output(state, 600, [](const hs::MatrixF& x, const hs::MatrixF& w) {
    return hs::minifloat_search<4>(x, w, {.rounds = 1}).mse;
  });
}

BENCHMARK(dual_clip)->ArgNames({"T", "C"})->Args({1024, 384})->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(power_of_two_factors)
    ->ArgNames({"T", "C"})
    ->Args({1024, 384})
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK(region_ratio_search)->ArgNames({"T", "C"})->Args({256, 384})->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(running_percentile_max)
    ->ArgNames({"T", "C"})
    ->Args({1024, 384})
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK(noise_search)
    ->ArgNames({"T", "C", "O"})
    ->Args({64, 192, 192})
    ->Args({64, 192, 768})
    ->UseManualTime()
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);
BENCHMARK(minifloat_search)
    ->ArgNames({"T", "C", "O"})
    ->Args({1024, 192, 192})
    ->UseManualTime()
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);

}  // namespace
