/// Vector codebooks: encoding in L2, and products with the codes, one thread.
///
/// Rows `encode_vectors/D:4/K:256`: Melements (values per second, CPU time) and plain_ratio (times a plain loop over
/// vectors, words and elements that is built without vectorization, measured in the same run). Rows
/// `vector_product/<form>/D:4/K:256/M:1/N:4096/K:4096`: GOPS (2 M N K per second) of M rows of activations: by tables,
/// from the codes block by block, or through byte planes packed beforehand.

#include <halfstep/kernels/encode_vectors.hpp>
#include <halfstep/kernels/matmul.hpp>
#include <halfstep/kernels/pack_vectors.hpp>
#include <halfstep/kernels/table_matmul.hpp>
#include <halfstep/kernels/vector_matmul.hpp>

#include <halfstep/core/random.hpp>

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "support/clock.hpp"

namespace hs = halfstep;
using hs::Index;

namespace {

std::vector<float> normals(Index count, std::uint64_t stream) {
  const hs::Random random(1, stream);
  std::vector<float> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = random.normal(i);
  return values;
}

template <int Dim, int Words>
hs::Codebook<Dim, Words> random_codebook() {
  hs::Codebook<Dim, Words> q;
  const std::vector<float> values = normals(static_cast<Index>(q.size), 7);
  std::copy(values.begin(), values.end(), q.values.begin());
  return q;
}

#if defined(__GNUC__) && !defined(__clang__)
#define HALFSTEP_BENCH_PLAIN __attribute__((noinline, optimize("no-tree-vectorize")))
#else
#define HALFSTEP_BENCH_PLAIN __attribute__((noinline))
#endif

/// What one would write first.
template <int Dim, int Words>
HALFSTEP_BENCH_PLAIN void encode_plainly(const hs::Codebook<Dim, Words>& q, const float* x, Index n,
                                         std::uint8_t* codes) {
#if defined(__clang__)
#pragma clang loop vectorize(disable) interleave(disable)
#endif
  for (Index i = 0; i < n; ++i) {
    float least = std::numeric_limits<float>::infinity();
    int code = 0;
#if defined(__clang__)
#pragma clang loop vectorize(disable) interleave(disable)
#endif
    for (int c = 0; c < Words; ++c) {
      float sum = 0;
      for (int j = 0; j < Dim; ++j) {
        const float d = x[i * Dim + j] - q.word(c)[j];
        sum += d * d;
      }
      if (sum < least) {
        least = sum;
        code = c;
      }
    }
    codes[i] = static_cast<std::uint8_t>(code);
  }
}

/// Seconds of the fastest of a few calls.
template <class Call>
double fastest(Call call) {
  double best = 1e300;
  for (int i = 0; i < 9; ++i) {
    const double start = halfstep_bench::cpu_seconds();
    call();
    benchmark::ClobberMemory();
    best = std::min(best, halfstep_bench::cpu_seconds() - start);
  }
  return best;
}

template <int Dim, int Words>
void encode(benchmark::State& state) {
  constexpr Index count = 32768 / Dim;  // 128 KiB of floats
  const auto q = random_codebook<Dim, Words>();
  const std::vector<float> x = normals(count * Dim, 8);
  std::vector<std::uint8_t> codes(static_cast<std::size_t>(count));
  const double plain = fastest([&] { encode_plainly(q, x.data(), count, codes.data()); });
  const double ours = fastest([&] { hs::encode_vectors(q, x.data(), count, codes.data()); });
  const double start = halfstep_bench::cpu_seconds();
  for (auto _ : state) {
    hs::encode_vectors(q, x.data(), count, codes.data());
    benchmark::ClobberMemory();
  }
  const double seconds = halfstep_bench::cpu_seconds() - start;
  state.counters["Melements"] = 1e-6 * static_cast<double>(count * Dim * state.iterations()) / seconds;
  state.counters["plain_ratio"] = plain / ours;
}

enum class Form { tables, codes, planes };

/// m rows of activations times a weight [4096, 4096].
template <int Dim, int Words>
void multiply(benchmark::State& state, Form form, Index m) {
  constexpr Index n = 4096, k = 4096;
  hs::MatrixF w(n, k), x(m, k);
  const std::vector<float> weights = normals(n * k / 64, 9), activations = normals(m * k, 10);
  for (Index i = 0; i < w.size(); ++i) w.data()[i] = weights[static_cast<std::size_t>(i) % weights.size()];
  std::copy(activations.begin(), activations.end(), x.data());
  const auto codes =
      hs::quantize_vectors<hs::Int8Codebook<Dim, Words>>(w, {hs::to_int8(random_codebook<Dim, Words>())});
  const hs::PackedMatrix packed = hs::pack(codes);
  const double start = halfstep_bench::cpu_seconds();
  for (auto _ : state) {
    const hs::MatrixF y = form == Form::tables  ? hs::table_matmul(x, codes)
                          : form == Form::codes ? hs::vector_matmul(x, codes)
                                                : hs::matmul(x, packed);
    benchmark::DoNotOptimize(y.data());
  }
  const double seconds = halfstep_bench::cpu_seconds() - start;
  state.counters["GOPS"] = 2e-9 * static_cast<double>(m * n * k * state.iterations()) / seconds;
  state.counters["bits_per_weight"] = form == Form::planes ? packed.bits_per_weight() : codes.bits_per_weight();
}

template <int Dim, int Words>
void add_rows() {
  const std::string shape = hs::concat("/D:", Dim, "/K:", Words);
  benchmark::RegisterBenchmark(("encode_vectors" + shape).c_str(), &encode<Dim, Words>);
  const auto add = [&](const char* name, Form form, Index m) {
    const std::string row = hs::concat("vector_product/", name, shape, "/M:", m, "/N:4096/K:4096");
    benchmark::RegisterBenchmark(row.c_str(), &multiply<Dim, Words>, form, m);
  };
  add("tables", Form::tables, 1);
  for (const Index m : {1, 128}) {
    add("codes", Form::codes, m);
    add("planes", Form::planes, m);
  }
}

const bool registered = [] {
  add_rows<2, 64>();
  add_rows<4, 16>();
  add_rows<4, 256>();
  add_rows<8, 256>();
  return true;
}();

}  // namespace
