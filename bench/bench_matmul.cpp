/// Every kind of activation (support/matmul_cases.hpp) with every kind of weight that it can meet, beside the float and
/// int8 products of other libraries where these are installed.
///
/// Rows are named `matmul/<activation>_<weight>/M:197/N:3072/K:768/threads:1`; those that end in `/cold` take as many
/// copies of the weight in turn as no cache holds, the others find theirs where the last call left it. Counters: GOPS
/// (2 M N K per second, CPU time with one thread), GBps (bytes of the packed weight per second), limit_share (of the
/// int8 limit that this program measures first), sqnr_db (of the output, against the float64 product of the
/// unquantized operands).

#include <halfstep/halfstep.hpp>

#include <benchmark/benchmark.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <optional>
#include <string>

#include "support/limits.hpp"
#include "support/machine.hpp"
#include "support/matmul_cases.hpp"
#include "support/peers.hpp"

namespace hs = halfstep;
using namespace halfstep_bench;

namespace {

constexpr MatmulShape shapes[] = {{197, 768, 768},    {197, 2304, 768}, {197, 3072, 768}, {197, 768, 3072},
                                  {197, 192, 192},    {197, 576, 192},  {197, 768, 192},  {128, 4096, 4096},
                                  {128, 11008, 4096}, {8, 4096, 4096},  {1, 4096, 4096}};

using Prepare = std::function<std::optional<ReadyProduct>(const MatmulOperands&, const MatmulRun&)>;

void report(benchmark::State& state, const MatmulShape& shape, double seconds, double weight_bytes, double quality) {
  const double calls = static_cast<double>(state.iterations());
  const double gops = 1e-9 * shape.operations() * calls / seconds;
  state.counters["GOPS"] = gops;
  state.counters["GBps"] = 1e-9 * weight_bytes * calls / seconds;
  state.counters["limit_share"] = gops / int8_limit_gops();
  if (std::isfinite(quality)) state.counters["sqnr_db"] = quality;
}

/// Times one product by the thread's CPU time, or by wall time with more threads.
void run_row(benchmark::State& state, const Prepare& prepare, const MatmulShape& shape, ActivationData kind,
             const MatmulRun& run) {
  const MatmulOperands& data = matmul_operands(shape, kind);
  const std::optional<ReadyProduct> product = prepare(data, run);
  if (!product) {
    state.SkipWithError("these two cannot meet");
    return;
  }
  hs::MatrixF y(shape.m, shape.n);
  product->multiply(y);
  const auto clock = run.threads == 1 ? cpu_seconds : wall_seconds;
  double seconds = 0;
  for (auto _ : state) {
    const double start = clock();
    product->multiply(y);
    const double spent = clock() - start;
    state.SetIterationTime(spent);
    seconds += spent;
  }
  report(state, shape, seconds, product->weight_bytes, sqnr_db(y, data.exact));
}

void add_row(const std::string& name, const Prepare& prepare, const MatmulShape& shape, ActivationData kind,
             const MatmulRun& run) {
  const std::string row = hs::concat("matmul/", name, "/M:", shape.m, "/N:", shape.n, "/K:", shape.k,
                                     "/threads:", run.threads, run.residence == WeightResidence::cold ? "/cold" : "");
  benchmark::RegisterBenchmark(row.c_str(), [=](benchmark::State& state) { run_row(state, prepare, shape, kind, run); })
      ->UseManualTime()
      ->Unit(benchmark::kMicrosecond);
}

/// Which rows a pair has beside one thread and a weight in cache.
struct MoreRows {
  bool threads = false;  ///< two threads
  bool cold = false;     ///< few rows of x, and weights from memory
};

void add_rows(const std::string& name, const Prepare& prepare, ActivationData kind, const MoreRows& more) {
  for (const MatmulShape& shape : shapes) {
    add_row(name, prepare, shape, kind, {});
    if (more.threads) add_row(name, prepare, shape, kind, {.threads = 2});
    if (more.cold && shape.m <= 8) add_row(name, prepare, shape, kind, {.residence = WeightResidence::cold});
  }
}

/// Whether the two can meet, found out with a small product.
bool can_meet(const ActivationCase& activation, const WeightCase& weight) {
  const MatmulShape small{2, 16, 128};
  return weight.prepare(activation, matmul_operands(small, activation.data), {}).has_value();
}

void add_all_rows() {
  for (const ActivationCase& activation : activation_cases()) {
    for (const WeightCase& weight : weight_cases()) {
      if (!can_meet(activation, weight)) continue;
      const auto prepare = [=](const MatmulOperands& data, const MatmulRun& run) {
        return weight.prepare(activation, data, run);
      };
      const bool is_whole_layer = activation.name == "f32" || activation.name == "f32w";
      add_rows(activation.name + "_" + weight.name, prepare, activation.data,
               {.threads = is_whole_layer, .cold = is_whole_layer || activation.name == "u8"});
    }
  }
  add_rows("bin_bin", sign_product, ActivationData::normal, {});
  for (const Peer& peer : peers()) {
    const auto prepare = [=](const MatmulOperands& data, const MatmulRun& run) {
      return peer_product(peer, data, run);
    };
    add_rows(peer.name, prepare, ActivationData::normal, {.cold = true});
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (!openblas_chooses("bench_matmul")) return 1;
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  std::fprintf(stderr, "%s\n", machine_line().c_str());
  add_all_rows();
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
