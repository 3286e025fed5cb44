/// The table of ratios: each of our products beside a peer's of the same shape, both in this process, taking turns.
///
///     bench_compare [part of a row's path...]
///
/// Prints Markdown. A ratio is the median over rounds of the peer's CPU time over ours, one thread: above 1 ours is
/// faster. GOP/s is the median of 2 M N K per second, limit its share of the int8 limit that the program measures
/// first, bandwidth (weights from memory) the share of the bytes per second that one thread can read.

#include <halfstep/halfstep.hpp>

#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "support/clock.hpp"
#include "support/limits.hpp"
#include "support/machine.hpp"
#include "support/matmul_cases.hpp"
#include "support/peers.hpp"

namespace hs = halfstep;
using namespace halfstep_bench;

namespace {

/// A row of the table: one of our products and the peer that it is measured by.
struct Comparison {
  const char* path;
  const char* activation;
  const char* weight;
  MatmulShape shape;
  const char* peer;
  WeightResidence residence = WeightResidence::cached;
};

std::vector<Comparison> comparisons() {
  std::vector<Comparison> list;
  const auto gemm = [&](const char* path, const char* activation, const char* weight, const char* peer) {
    for (const MatmulShape& shape :
         {MatmulShape{197, 768, 768}, MatmulShape{197, 3072, 768}, MatmulShape{128, 4096, 4096}}) {
      list.push_back({path, activation, weight, shape, peer});
    }
  };
  const auto few = [&](const char* path, const char* activation, const char* weight, hs::Index m, const char* peer,
                       WeightResidence residence) {
    list.push_back({path, activation, weight, {m, 4096, 4096}, peer, residence});
  };
  for (const char* peer : {"onednn_u8s8", "openblas_f32"}) {
    gemm("int8", "u8", "s8", peer);
    list.push_back({"int8", "u8", "s8", {197, 192, 192}, peer});
    gemm("W4A8", "u8", "int4", peer);
    gemm("FP4", "u8", "fp4", peer);
    gemm("16-level table", "u8", "nf4", peer);
    gemm("W4A8 g128", "u8", "int4_g128", peer);
    gemm("NF4 g128", "u8", "nf4_g128", peer);
    gemm("MXFP4", "u8", "mxfp4", peer);
    gemm("W4A8 g32", "u8", "int4_g32", peer);
    gemm("W3", "u8", "int3", peer);
    gemm("W2", "u8", "int2", peer);
    gemm("ternary", "u8", "ternary", peer);
    gemm("codebook d4 K256", "u8", "vq4", peer);
    gemm("log2, 8 levels", "log2b3", "s8", peer);
    gemm("log2, 16 levels", "log2", "s8", peer);
    gemm("AdaLog", "adalog", "s8", peer);
    gemm("TanQ", "tanq", "s8", peer);
    few("int8, M=8", "u8", "s8", 8, peer, WeightResidence::cold);
  }
  for (const WeightResidence residence : {WeightResidence::cold, WeightResidence::cached}) {
    for (const char* weight : {"s8", "int4_g128", "fp4_g128", "nf4_g128", "int2", "vq4", "vq8"}) {
      few("M=1", weight[0] == 'v' ? "f32w" : "f32", weight, 1, "openblas_f32", residence);
    }
  }
  return list;
}

template <class Case>
const Case& named(const std::vector<Case>& list, const std::string& name) {
  for (const Case& c : list) {
    if (c.name == name) return c;
  }
  hs::raise("bench_compare", "no case \"", name, "\"");
}

/// Seconds of CPU time of one call, of as many calls as take about 10 ms.
double seconds_per_call(const ReadyProduct& product, hs::MatrixF& y) {
  int calls = 0;
  const double start = cpu_seconds();
  double spent = 0;
  do {
    product.multiply(y);
    benchmark::DoNotOptimize(y.data());
    ++calls;
    spent = cpu_seconds() - start;
  } while (spent < 0.01);
  return spent / calls;
}

struct Medians {
  double ratio, seconds;
};

/// Both take turns; the first round warms up.
Medians take_turns(const ReadyProduct& ours, const ReadyProduct& peer, const MatmulShape& shape) {
  hs::MatrixF y(shape.m, shape.n), other(shape.m, shape.n);
  std::vector<double> ratios, seconds;
  for (int round = 0; round < 16; ++round) {
    const double our_seconds = seconds_per_call(ours, y), peer_seconds = seconds_per_call(peer, other);
    if (round == 0) continue;
    ratios.push_back(peer_seconds / our_seconds);
    seconds.push_back(our_seconds);
  }
  return {median(ratios), median(seconds)};
}

void print_row(const Comparison& c, const Medians& medians, double weight_bytes) {
  const double gops = 1e-9 * c.shape.operations() / medians.seconds;
  std::printf("| %s | %s x %s | %lld x %lld x %lld | %.1f | %.2f |", c.path, c.activation, c.weight,
              static_cast<long long>(c.shape.m), static_cast<long long>(c.shape.n), static_cast<long long>(c.shape.k),
              gops, gops / int8_limit_gops());
  if (c.residence == WeightResidence::cold) {
    std::printf(" %.2f |", 1e-9 * weight_bytes / medians.seconds / dram_limit_gbps());
  } else {
    std::printf(" - |");
  }
  std::printf(" %.2f of %s |\n", medians.ratio, c.peer);
  std::fflush(stdout);
}

bool is_wanted(const Comparison& c, int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    if (std::strstr(c.path, argv[i]) != nullptr) return true;
  }
  return argc == 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (!openblas_chooses("bench_compare")) return 1;
  if (argc == 2 && std::strncmp(argv[1], "--benchmark_list_tests", 22) == 0) {
    for (const Comparison& c : comparisons()) std::printf("%s: %s x %s\n", c.path, c.activation, c.weight);
    return 0;
  }
  const std::vector<ActivationCase> activations = activation_cases();
  const std::vector<WeightCase> weights = weight_cases();
  std::printf("%s\n\n| path | codes | M x N x K | GOP/s | limit | bandwidth | ratio |\n|---|---|---|---|---|---|---|\n",
              machine_line().c_str());
  for (const Comparison& c : comparisons()) {
    if (!is_wanted(c, argc, argv)) continue;
    for (const Peer& peer : peers()) {
      if (peer.name != c.peer) continue;
      const ActivationCase& activation = named(activations, c.activation);
      const MatmulOperands& data = matmul_operands(c.shape, activation.data);
      const MatmulRun run{.residence = c.residence};
      const auto ours = named(weights, c.weight).prepare(activation, data, run);
      if (!ours) hs::raise("bench_compare", c.activation, " and ", c.weight, " cannot meet");
      print_row(c, take_turns(*ours, peer_product(peer, data, run), c.shape), ours->weight_bytes);
    }
  }
  return 0;
}
