/// Activations into codes, one thread: 128 rows, from L2 or L3 into memory that is there already.
///
/// Rows `encode/per_token/uniform8/channels:4096` (a range and a scale for each row), `encode/static/...`,
/// `encode/per_block/mxfp4/...`: Melements (per second of CPU time) and GBps (of floats read).

#include <halfstep/core/random.hpp>
#include <halfstep/kernels/encode_into.hpp>
#include <halfstep/quantizers/mx_float.hpp>
#include <halfstep/quantizers/uniform.hpp>

#include <benchmark/benchmark.h>

#include <cstdint>

#include "support/clock.hpp"

namespace hs = halfstep;
using hs::Index;

namespace {

void encode(benchmark::State& state, const hs::Activation& activation, Index channels) {
  constexpr Index rows = 128;
  hs::MatrixF x(rows, channels);
  const hs::Random random(1, 4);
  for (Index i = 0; i < x.size(); ++i) x.data()[i] = random.normal(static_cast<std::uint64_t>(i));
  hs::EncodedMatrix out;
  hs::Workspace workspace;
  hs::encode_into(x, activation, out, workspace);
  const double start = halfstep_bench::cpu_seconds();
  for (auto _ : state) {
    hs::encode_into(x, activation, out, workspace);
    benchmark::ClobberMemory();
  }
  const double seconds = halfstep_bench::cpu_seconds() - start;
  const double elements = static_cast<double>(x.size() * state.iterations());
  state.counters["Melements"] = 1e-6 * elements / seconds;
  state.counters["GBps"] = 4e-9 * elements / seconds;
}

void add_row(const char* name, const hs::Activation& activation) {
  for (const Index channels : {192, 768, 4096}) {
    benchmark::RegisterBenchmark(hs::concat("encode/", name, "/channels:", channels).c_str(), &encode, activation,
                                 channels);
  }
}

const bool registered = [] {
  add_row("per_token/uniform8", hs::Activation());
  add_row("per_token/uniform8_symmetric", hs::Activation::per_token<hs::Uniform<8>>(hs::Symmetry::symmetric));
  add_row("static/uniform8", hs::Uniform<8>{0.03f, 128});
  add_row("static/uniform4", hs::Uniform<4>{0.5f, 8});
  add_row("per_block/mxfp4", hs::Activation::per_block<hs::MXFP4>());
  return true;
}();

}  // namespace
