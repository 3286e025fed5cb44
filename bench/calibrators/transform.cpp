/// Equivalent transforms, one thread, CPU time.
///
/// Rows `rotate/<kind>/N:4096/M:64`: Melements (numbers rotated per second) of M rows of N channels in place, or of the
/// columns of a weight [N, M], and dense_ratio (times the product with the same matrix by Eigen, measured in the same
/// run). Rows `search/<method>/T:256/N:512/K:512`: GOPS (2 T N K for each candidate and second) and candidates, for T
/// calibration tokens and a weight [N, K]; eigen_ratio is the share of what Eigen's double product of that shape
/// reaches in the same run.

#include <halfstep/calibrators/transform/awq.hpp>
#include <halfstep/calibrators/transform/outlier_suppression_plus.hpp>
#include <halfstep/calibrators/transform/rotate.hpp>
#include <halfstep/core/random.hpp>
#include <halfstep/quantizers/uniform.hpp>

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <string>

#include "support/clock.hpp"

namespace hs = halfstep;
using hs::Index;

namespace {

hs::MatrixF normals(Index rows, Index cols, std::uint64_t stream) {
  const hs::Random random(1, stream);
  hs::MatrixF m(rows, cols);
  for (Index i = 0; i < m.size(); ++i) m.data()[i] = random.normal(static_cast<std::uint64_t>(i));
  return m;
}

/// Seconds of the fastest of a few calls.
template <class Call>
double fastest(Call call) {
  double best = 1e300;
  for (int i = 0; i < 5; ++i) {
    const double start = halfstep_bench::cpu_seconds();
    call();
    benchmark::ClobberMemory();
    best = std::min(best, halfstep_bench::cpu_seconds() - start);
  }
  return best;
}

enum class Side { rows, columns };

void rotate(benchmark::State& state, Side side, Index size, Index count) {
  const hs::Rotation r = hs::hadamard_rotation(size);
  hs::MatrixF x = side == Side::rows ? normals(count, size, 2) : normals(size, count, 2);
  const auto turn = [&] {
    if (side == Side::rows) {
      hs::rotate_rows(r, hs::mutable_view(x));
    } else {
      hs::rotate_columns(r, hs::mutable_view(x));
    }
  };
  const hs::MatrixF matrix = hs::apply(r, hs::MatrixF(hs::MatrixF::Identity(size, size)));  // the transpose
  hs::MatrixF product(x.rows(), x.cols());
  const double dense = fastest([&] {
    if (side == Side::rows) {
      product.noalias() = x * matrix;
    } else {
      product.noalias() = matrix.transpose() * x;
    }
  });
  const double ours = fastest(turn);
  const double start = halfstep_bench::cpu_seconds();
  for (auto _ : state) {
    turn();  // orthonormal: numbers keep their size
    benchmark::ClobberMemory();
  }
  const double seconds = halfstep_bench::cpu_seconds() - start;
  state.counters["Melements"] = 1e-6 * static_cast<double>(x.size() * state.iterations()) / seconds;
  state.counters["dense_ratio"] = dense / ours;
}

template <class Search>
void search(benchmark::State& state, Search run) {
  constexpr Index tokens = 256, outputs = 512, channels = 512;
  hs::MatrixF x = normals(tokens, channels, 3);
  const hs::MatrixF w = normals(outputs, channels, 4);
  for (Index c = 0; c < channels; c += 37) x.col(c) *= 10;
  const hs::MatrixD wide_x = x.cast<double>(), wide_w = w.cast<double>();
  hs::MatrixD y(tokens, outputs);
  const double product = fastest([&] { y.noalias() = wide_x * wide_w.transpose(); });
  Index candidates = 0;
  const double start = halfstep_bench::cpu_seconds();
  for (auto _ : state) candidates += run(x, w);
  const double seconds = (halfstep_bench::cpu_seconds() - start) / static_cast<double>(candidates);
  state.counters["candidates"] = static_cast<double>(candidates) / static_cast<double>(state.iterations());
  state.counters["GOPS"] = 2e-9 * static_cast<double>(tokens * outputs * channels) / seconds;
  state.counters["eigen_ratio"] = product / seconds;
}

const bool registered = [] {
  struct Size {
    const char* kind;
    Index size;
  };
  for (const Size& s : {Size{"sylvester", 4096}, Size{"base12", 3072}, Size{"base40", 5120}, Size{"random43", 11008}}) {
    const std::string shape = hs::concat("/N:", s.size, "/M:64");
    benchmark::RegisterBenchmark(hs::concat("rotate/rows/", s.kind, shape).c_str(), &rotate, Side::rows, s.size, 64);
    benchmark::RegisterBenchmark(hs::concat("rotate/columns/", s.kind, shape).c_str(), &rotate, Side::columns, s.size,
                                 64);
  }
  const auto os_plus = [](const hs::MatrixF& x, const hs::MatrixF& w) {
    return static_cast<Index>(hs::outlier_suppression_plus<hs::Uniform<6>>(x, {w}).errors.size());
  };
  const auto awq = [](const hs::MatrixF& x, const hs::MatrixF& w) {
    return static_cast<Index>(hs::awq<hs::Uniform<4>>(x, {w}).errors.size());
  };
  benchmark::RegisterBenchmark("search/outlier_suppression_plus/T:256/N:512/K:512",
                               [os_plus](benchmark::State& state) { search(state, os_plus); });
  benchmark::RegisterBenchmark("search/awq/T:256/N:512/K:512", [awq](benchmark::State& state) { search(state, awq); });
  return true;
}();

}  // namespace
