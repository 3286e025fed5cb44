/// Bulk encoding, decoding and fake quantization with every scalar quantizer of the library, block formats as one
/// block.
///
/// Rows are named `<operation>/<quantizer>/<L2|DRAM>`, one thread. Counters: Gelements (per second), copy_share (of a
/// copy loop that reads and writes the same bytes, timed by this program on the same arrays).

#include <halfstep/halfstep.hpp>

#include <benchmark/benchmark.h>

#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "support/clock.hpp"

namespace hs = halfstep;
using hs::Index;

namespace {

/// Values like those of a layer, and room for what becomes of them.
struct Arrays {
  std::vector<float> values, decoded;
  std::vector<std::uint8_t> codes;
  explicit Arrays(std::size_t size) : values(size), decoded(size), codes(size) {
    const hs::Random random(5);
    for (std::size_t i = 0; i < size; ++i) values[i] = random.normal(i % 65536);
  }
  [[nodiscard]] Index size() const { return static_cast<Index>(values.size()); }
};

Arrays& arrays(bool in_cache) {
  static Arrays small(std::size_t{1} << 15), large(std::size_t{1} << 25);
  return in_cache ? small : large;
}

/// Reads 64 bytes and writes 16 of them mixed, as encoding does.
void copy_narrowing(const float* from, std::uint8_t* to, Index n) {
  for (Index i = 0; i + 16 <= n; i += 16) {
    std::uint64_t words[8];
    std::memcpy(words, from + i, sizeof words);
    const std::uint64_t mixed[2] = {words[0] ^ words[2] ^ words[4] ^ words[6],
                                    words[1] ^ words[3] ^ words[5] ^ words[7]};
    std::memcpy(to + i, mixed, sizeof mixed);
  }
}

/// Reads 16 bytes and writes them four times, as decoding does.
void copy_widening(const std::uint8_t* from, float* to, Index n) {
  for (Index i = 0; i + 16 <= n; i += 16) {
    for (Index j = 0; j < 4; ++j) std::memcpy(to + i + 4 * j, from + i, 16);
  }
}

double seconds_per_call(const std::function<void()>& call) {
  call();
  std::vector<double> times;
  for (int burst = 0; burst < 7; ++burst) {
    const double start = halfstep_bench::cpu_seconds();
    int calls = 0;
    do {
      call();
      ++calls;
    } while (halfstep_bench::cpu_seconds() - start < 0.01);
    times.push_back((halfstep_bench::cpu_seconds() - start) / calls);
  }
  return halfstep_bench::median(times);
}

enum class Operation { encode, decode, fake_quantize };

/// The seconds that copying the bytes of one call takes.
double copy_seconds(Operation operation, Arrays& a) {
  return seconds_per_call([&] {
    switch (operation) {
      case Operation::encode:
        return copy_narrowing(a.values.data(), a.codes.data(), a.size());
      case Operation::decode:
        return copy_widening(a.codes.data(), a.decoded.data(), a.size());
      case Operation::fake_quantize:
        std::memcpy(a.decoded.data(), a.values.data(), a.values.size() * sizeof(float));
    }
    benchmark::ClobberMemory();
  });
}

template <class Q>
void run(Operation operation, const Q& q, Arrays& a) {
  switch (operation) {
    case Operation::encode:
      hs::encode_row(q, a.values.data(), a.size(), a.codes.data());
      break;
    case Operation::decode:
      hs::decode_row(q, a.codes.data(), a.size(), a.decoded.data());
      break;
    case Operation::fake_quantize:
      hs::fake_quantize_row(q, a.values.data(), a.size(), a.decoded.data());
  }
  benchmark::ClobberMemory();
}

template <class Q>
void add_rows(const std::string& name) {
  const Q q = hs::fit<Q>(hs::Range{-4.0f, 4.0f, 0.8f}, hs::Symmetry::affine);
  const std::pair<const char*, Operation> operations[] = {
      {"encode", Operation::encode}, {"decode", Operation::decode}, {"fake_quantize", Operation::fake_quantize}};
  for (const auto& [verb, operation] : operations) {
    for (const bool in_cache : {true, false}) {
      const auto body = [q, in_cache, operation = operation](benchmark::State& state) {
        Arrays& a = arrays(in_cache);
        hs::encode_row(q, a.values.data(), a.size(), a.codes.data());
        const double copy = copy_seconds(operation, a);
        double seconds = 0;
        for (auto _ : state) {
          const double start = halfstep_bench::cpu_seconds();
          run(operation, q, a);
          const double spent = halfstep_bench::cpu_seconds() - start;
          state.SetIterationTime(spent);
          seconds += spent;
        }
        const double calls = static_cast<double>(state.iterations());
        state.counters["Gelements"] = 1e-9 * calls * static_cast<double>(a.size()) / seconds;
        state.counters["copy_share"] = calls * copy / seconds;
      };
      benchmark::RegisterBenchmark((std::string(verb) + "/" + name + (in_cache ? "/L2" : "/DRAM")).c_str(), body)
          ->UseManualTime()
          ->Unit(benchmark::kMicrosecond)
          ->MinTime(0.1);
    }
  }
}

/// Every quantizer of the library. A new one gets its rows by a line here.
void add_all_rows() {
  add_rows<hs::Uniform<4>>("uniform4");
  add_rows<hs::Uniform<8>>("uniform8");
  add_rows<hs::Absmax<8>>("absmax8");
  add_rows<hs::ShiftedUniform<8>>("shifted_uniform8");
  add_rows<hs::PowerOfTwoFactor<8>>("power_of_two_factor8");
  add_rows<hs::Log2<4>>("log2_4");
  add_rows<hs::LogSqrt2<4>>("log_sqrt2_4");
  add_rows<hs::AdaLog<4>>("adalog4");
  add_rows<hs::ShiftLog2<4>>("shift_log2_4");
  add_rows<hs::TanQ<4>>("tanq4");
  add_rows<hs::TwinSoftmax<8>>("twin_softmax8");
  add_rows<hs::TwinGelu<8>>("twin_gelu8");
  add_rows<hs::Ternary>("ternary");
  add_rows<hs::Binary>("binary");
  add_rows<hs::Elastic<4>>("elastic4");
  add_rows<hs::Fp4E2M1>("fp4_e2m1");
  add_rows<hs::Fp4E1M2>("fp4_e1m2");
  add_rows<hs::Fp4E3M0>("fp4_e3m0");
  add_rows<hs::Fp6E2M3>("fp6_e2m3");
  add_rows<hs::Fp6E3M2>("fp6_e3m2");
  add_rows<hs::Fp8E4M3>("fp8_e4m3");
  add_rows<hs::Fp8E5M2>("fp8_e5m2");
  add_rows<hs::MXFP4>("mxfp4");
  add_rows<hs::MXFP6E2M3>("mxfp6_e2m3");
  add_rows<hs::MXFP6E3M2>("mxfp6_e3m2");
  add_rows<hs::MXFP8E4M3>("mxfp8_e4m3");
  add_rows<hs::MXFP8E5M2>("mxfp8_e5m2");
  add_rows<hs::NVFP4>("nvfp4");
  add_rows<hs::NormalFloat4>("normal_float4");
  add_rows<hs::LevelTable<8>>("table8");
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  add_all_rows();
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
