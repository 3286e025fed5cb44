/// Searches for quantizers by output error: a linear layer of ViT-tiny (192 channels, 768 outputs, 4096 tokens) and one
/// image of its attention (3 heads, 197 tokens), on one thread and on four.
///
/// Rows `output_search/<operand>/<metric>/threads:1`: 100 candidates for one operand; time per search (wall
/// clock) and GFLOPS of the products that a plain evaluation of every candidate would have computed (2 T I O each): the
/// squared metric computes fewer. Rows `adalog_linear`, `ptq4vit_linear`, `adalog_softmax`: one round of both operands.

#include <halfstep/calibrators/range/adalog_search.hpp>
#include <halfstep/calibrators/range/candidate_ranges.hpp>
#include <halfstep/calibrators/range/output_search.hpp>
#include <halfstep/calibrators/range/ptq4vit_search.hpp>
#include <halfstep/core/random.hpp>
#include <halfstep/core/thread_pool.hpp>
#include <halfstep/kernels/softmax.hpp>

#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace hs = halfstep;
using hs::Index;

namespace {

constexpr Index tokens = 4096, channels = 192, outputs = 768, heads = 3, image_tokens = 197, head_size = 64;

hs::MatrixF normals(Index rows, Index cols, std::uint64_t stream) {
  const hs::Random random(1, stream);
  hs::MatrixF x(rows, cols);
  for (Index i = 0; i < x.size(); ++i) x.data()[i] = random.normal(static_cast<std::uint64_t>(i));
  return x;
}

/// A linear layer as it ran.
struct Layer {
  hs::MatrixF x = normals(tokens, channels, 1), w = normals(outputs, channels, 2),
              gradient = normals(tokens, outputs, 3);
  hs::ObservedProduct product{.lhs = hs::view(x), .rhs = hs::view(w), .gradient = hs::view(gradient)};
};
const Layer& layer() {
  static const Layer made;
  return made;
}

/// The heads of one image.
struct Attention {
  std::vector<hs::MatrixF> probabilities, values;
  std::vector<hs::ObservedProduct> products;
  Attention() {
    for (Index h = 0; h < heads; ++h) {
      hs::MatrixF scores = 3 * normals(image_tokens, image_tokens, 10 + static_cast<std::uint64_t>(h));
      hs::softmax(hs::mutable_view(scores));
      probabilities.push_back(scores);
      values.push_back(normals(image_tokens, head_size, 20 + static_cast<std::uint64_t>(h)));
    }
    for (Index h = 0; h < heads; ++h) {
      const auto at = static_cast<std::size_t>(h);
      products.push_back({.lhs = hs::view(probabilities[at]), .rhs = hs::transposed(hs::view(values[at])), .head = h});
    }
  }
};
const Attention& attention() {
  static const Attention made;
  return made;
}

template <class Search>
void run(benchmark::State& state, int threads, double products, Search search) {
  hs::ThreadPool pool(threads);
  for (auto _ : state) benchmark::DoNotOptimize(search(pool));
  if (products > 0) {
    state.counters["GFLOPS"] = benchmark::Counter(
        products * 2e-9 * static_cast<double>(tokens * channels * outputs) * static_cast<double>(state.iterations()),
        benchmark::Counter::kIsRate);
  }
}

template <class Search>
void add(const std::string& name, double products, Search search) {
  for (const int threads : {1, 4}) {
    benchmark::RegisterBenchmark(hs::concat(name, "/threads:", threads).c_str(),
                                 [=](benchmark::State& state) { run(state, threads, products, search); })
        ->UseRealTime()
        ->Unit(benchmark::kMillisecond);
  }
}

const bool registered = [] {
  using Uniform = hs::Uniform<4>;
  for (const auto& [metric_name, metric] :
       {std::pair{"squared", hs::OutputMetric::squared}, std::pair{"hessian", hs::OutputMetric::hessian},
        std::pair{"cosine", hs::OutputMetric::cosine}}) {
    for (const auto& [operand_name, operand] :
         {std::pair{"weight", hs::Operand::rhs}, std::pair{"input", hs::Operand::lhs}}) {
      add(hs::concat("output_search/", operand_name, "/", metric_name), 100,
          [metric = metric, operand = operand](hs::ThreadPool& pool) {
            const hs::Candidates<Uniform> candidates(hs::scaled_candidates(Uniform{0.6f, 8}));
            return hs::output_search({&layer().product, 1}, candidates,
                                     {.operand = operand, .metric = metric, .executor = pool});
          });
    }
  }
  add("ptq4vit_linear/rounds:1", 0, [](hs::ThreadPool& pool) {
    return hs::ptq4vit_linear<4, Uniform>(layer().product, {.rounds = 1, .executor = pool});
  });
  add("adalog_linear/rounds:1", 0,
      [](hs::ThreadPool& pool) { return hs::adalog_linear<4, 4>(layer().product, {.rounds = 1, .executor = pool}); });
  add("adalog_softmax/rounds:1", 0, [](hs::ThreadPool& pool) {
    return hs::adalog_softmax<hs::AdaLog<4>, 4>(attention().products, {.rounds = 1, .executor = pool});
  });
  return true;
}();

}  // namespace
