/// GPTQ: its Hessian and its solver, one thread, CPU time; medians of a few runs.
///
/// Rows `hessian/K:4096/tokens:2048`: GFLOPS (half of 2 tokens K^2, what a triangle takes), limit_share (of the FMA
/// limit measured around each run), product_ratio (time over that of the full product x^T x by the same code) and,
/// where OpenBLAS is installed, openblas_ratio (over its full product, the published add_batch).
///
/// Rows `gptq/K:4096/group:128` (weight [K, K], 4 bits): bound_ratio, time over the operation bound
/// `(2/3 K^3 + K^3 + 128 K^2) / limit` (two triangular factors, the updates, the blocks), openblas_ratio, time over the
/// published algorithm on OpenBLAS: Cholesky, inverse, Cholesky, blocks of 128 columns, plain loops within a block.
/// Rows `gptq_with/<option>/K:1024`: times over that of plain GPTQ.

#include <halfstep/calibrators/rounding/gptq.hpp>
#include <halfstep/quantizers/uniform.hpp>

#include <halfstep/core/random.hpp>

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "support/clock.hpp"
#include "support/limits.hpp"
#include "support/openblas_gptq.hpp"

namespace hs = halfstep;
using hs::Index;

namespace {

/// Normal activations that share a factor, so that the Hessian is not near a multiple of the identity.
hs::MatrixF activations(Index tokens, Index channels) {
  hs::MatrixF x(tokens, channels);
  const hs::Random random(1, 2), common(3, 4);
  for (Index t = 0; t < tokens; ++t) {
    for (Index c = 0; c < channels; ++c) {
      x(t, c) =
          random.normal(static_cast<std::uint64_t>(t * channels + c)) + common.normal(static_cast<std::uint64_t>(t));
    }
  }
  return x;
}

hs::MatrixF weights(Index rows, Index columns) {
  hs::MatrixF w(rows, columns);
  const hs::Random random(5, 6);
  for (Index i = 0; i < w.size(); ++i) w.data()[i] = 0.02f * random.normal(static_cast<std::uint64_t>(i));
  return w;
}

/// The time of a run, and the limit of the machine around it.
struct Run {
  double seconds = 0;
  double limit_gflops = 0;
};

Run timed(const std::function<void()>& call) {
  const double before = halfstep_bench::float_gflops_now();
  const double start = halfstep_bench::cpu_seconds();
  call();
  benchmark::ClobberMemory();
  const double seconds = halfstep_bench::cpu_seconds() - start;
  return {seconds, 0.5 * (before + halfstep_bench::float_gflops_now())};
}

/// Runs `ours` and the others in turn, and returns the medians of what `ratio` makes of ours and each other.
class Comparison {
 public:
  Comparison(benchmark::State& state, std::function<void()> ours) : state_(state), ours_(std::move(ours)) {}

  void against(const std::string& counter, std::function<void()> other) {
    others_.push_back({counter, std::move(other), {}});
  }

  /// `operations` in units of 1e9 is what `share` counts; returns the median time.
  void run(double operations, const std::string& share, bool as_ratio) {
    std::vector<double> shares, times;
    for (auto _ : state_) {
      const Run mine = timed(ours_);
      state_.SetIterationTime(mine.seconds);
      times.push_back(mine.seconds);
      const double best = operations / mine.limit_gflops;
      shares.push_back(as_ratio ? mine.seconds / best : best / mine.seconds);
      for (Other& other : others_) other.ratios.push_back(mine.seconds / timed(other.call).seconds);
    }
    state_.counters[share] = halfstep_bench::median(shares);
    state_.counters["seconds"] = halfstep_bench::median(times);
    for (const Other& other : others_) state_.counters[other.counter] = halfstep_bench::median(other.ratios);
  }

 private:
  struct Other {
    std::string counter;
    std::function<void()> call;
    std::vector<double> ratios;
  };
  benchmark::State& state_;
  std::function<void()> ours_;
  std::vector<Other> others_;
};

void accumulate(benchmark::State& state, Index channels, Index tokens) {
  const hs::MatrixF x = activations(tokens, channels);
  hs::HessianAccumulator h(channels);
  std::vector<double> full(static_cast<std::size_t>(channels * channels), 0.0);
  const auto read = [&](Index row, float*) -> const float* { return x.data() + row * channels; };
  Comparison comparison(state, [&] { h.add(x); });
  comparison.against("product_ratio", [&] {
    for (Index first = 0; first < tokens; first += hs::tokens_at_a_time) {
      const hs::TokenStrips strips(first, std::min(hs::tokens_at_a_time, tokens - first), channels, 0, read, {});
      hs::add_products(strips, strips, hs::ProductPart::all, 1.0,
                       [&](Index row) { return full.data() + row * channels; }, {});
    }
  });
#if defined(HALFSTEP_BENCH_OPENBLAS)
  hs::MatrixF product = hs::MatrixF::Zero(channels, channels);
  comparison.against("openblas_ratio", [&] { halfstep_bench::openblas_add_moment(x, product); });
#endif
  const double operations =
      1e-9 * static_cast<double>(tokens) * static_cast<double>(channels) * static_cast<double>(channels);
  comparison.run(operations, "limit_share", false);
  state.counters["GFLOPS"] = operations / state.counters["seconds"].value;
}

struct Layer {
  hs::MatrixF w;
  hs::HessianAccumulator h;
  explicit Layer(Index size) : w(weights(size, size)), h(size) { h.add(activations(size + size / 2, size)); }
};

void solve(benchmark::State& state, Index size, Index group) {
  const Layer layer(size);
  Comparison comparison(state, [&] {
    benchmark::DoNotOptimize(hs::gptq<hs::Uniform<4>>(layer.w, layer.h, {.group_size = group}).report.loss);
  });
#if defined(HALFSTEP_BENCH_OPENBLAS)
  hs::MatrixF h(size, size);
  for (Index i = 0; i < size; ++i) {
    for (Index j = 0; j < size; ++j) h(i, j) = static_cast<float>(layer.h.published_factor() * layer.h.sum()(i, j));
  }
  comparison.against("openblas_ratio", [&] { halfstep_bench::openblas_gptq(layer.w, h, group); });
#endif
  const auto k = static_cast<double>(size);
  comparison.run(1e-9 * (2.0 / 3 * k * k * k + k * k * k + 128 * k * k), "bound_ratio", true);
}

void solve_with(benchmark::State& state, const hs::GptqOptions& options) {
  const Layer layer(1024);
  Comparison comparison(
      state, [&] { benchmark::DoNotOptimize(hs::gptq<hs::Uniform<4>>(layer.w, layer.h, options).report.loss); });
  comparison.against("plain_ratio",
                     [&] { benchmark::DoNotOptimize(hs::gptq<hs::Uniform<4>>(layer.w, layer.h).report.loss); });
  constexpr double k = 1024;
  comparison.run(1e-9 * (2.0 / 3 * k * k * k + k * k * k + 128 * k * k), "bound_ratio", true);
}

template <class Body>
void add_row(const std::string& name, int iterations, Body body) {
  benchmark::RegisterBenchmark(name.c_str(), body)
      ->UseManualTime()
      ->Iterations(iterations)
      ->Unit(benchmark::kMillisecond);
}

const bool registered = [] {
  for (const Index channels : {768, 2048, 4096}) {
    add_row(hs::concat("hessian/K:", channels, "/tokens:2048"), 5,
            [=](benchmark::State& state) { accumulate(state, channels, 2048); });
  }
  for (const Index size : {768, 2048, 4096}) {
    for (const Index group : {0, 128}) {
      add_row(hs::concat("gptq/K:", size, "/group:", group), size > 2048 ? 3 : 7,
              [=](benchmark::State& state) { solve(state, size, group); });
    }
  }
  const auto add_option = [](const std::string& name, const hs::GptqOptions& options) {
    add_row("gptq_with/" + name + "/K:1024", 5, [=](benchmark::State& state) { solve_with(state, options); });
  };
  add_option("act_order", {.act_order = true});
  add_option("groups_during", {.group_size = 128, .group_fit = hs::GroupFit::during});
  add_option("mse", {.range = hs::GridRange::mse});
  add_option("objective", {.range = hs::GridRange::objective});
  add_option("row_guard", {.row_guard = hs::RowGuard::nearest});
  add_option("descent_3", {.descent_sweeps = 3});
  return true;
}();

}  // namespace
