/// Integer operators and the float ones beside them, operands in L2, one thread.
///
/// Rows `softmax/f32/keys:197`, `softmax/shiftmax/...`, `softmax/log_int/...`, `gelu/f32/channels:3072`,
/// `gelu/shift/...`, `layer_norm/f32/channels:768`, `layer_norm/integer/...`, `layer_norm/factor/...` and
/// `requantize/dyadic/...`: Melements (per second of CPU time).

#include <halfstep/kernels/dyadic.hpp>
#include <halfstep/kernels/epilogue.hpp>
#include <halfstep/kernels/factor_layer_norm.hpp>
#include <halfstep/kernels/integer_layer_norm.hpp>
#include <halfstep/kernels/layer_norm.hpp>
#include <halfstep/kernels/log_int_softmax.hpp>
#include <halfstep/kernels/shift_gelu.hpp>
#include <halfstep/kernels/shiftmax.hpp>
#include <halfstep/kernels/softmax.hpp>

#include <halfstep/core/random.hpp>

#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "support/clock.hpp"

namespace hs = halfstep;
using hs::Index;

namespace {

/// What one token of the operators looks like: normal values, as floats and as integers in steps of 0.05.
struct Rows {
  Index rows, cols;
  std::vector<float> floats, float_out;
  std::vector<std::int8_t> bytes, byte_out;
  std::vector<std::uint8_t> codes, code_out;
  std::vector<std::int32_t> ints, int_out, shifts;
  std::vector<std::int64_t> wide_out;
  std::vector<float> gain, bias;
  static constexpr float scale = 0.05f;

  Rows(Index rows_, Index cols_) : rows(rows_), cols(cols_) {
    const auto size = static_cast<std::size_t>(rows * cols);
    const hs::Random random(1, 3);
    for (std::size_t i = 0; i < size; ++i) {
      const float x = random.normal(i);
      floats.push_back(x);
      const float steps = x / scale < -128 ? -128 : (x / scale > 127 ? 127 : x / scale);
      bytes.push_back(static_cast<std::int8_t>(steps));
      codes.push_back(static_cast<std::uint8_t>(bytes.back() + 128));
      ints.push_back(static_cast<std::int32_t>(x * 8000));
    }
    float_out.resize(size), byte_out.resize(size), code_out.resize(size), int_out.resize(size), wide_out.resize(size);
    for (Index c = 0; c < cols; ++c) {
      gain.push_back(1.0f + 0.01f * static_cast<float>(c % 50));
      bias.push_back(0.1f * static_cast<float>(c % 9 - 4));
      shifts.push_back(static_cast<std::int32_t>(c % 4));
    }
  }
  template <class T>
  [[nodiscard]] hs::MatrixView<const T> in(const std::vector<T>& values) const {
    return {values.data(), rows, cols};
  }
  template <class T>
  [[nodiscard]] hs::MatrixView<T> out(std::vector<T>& values) const {
    return {values.data(), rows, cols};
  }
};

template <class Operator>
void add_row(const char* name, const char* axis, Index rows, Index cols, Operator apply) {
  benchmark::RegisterBenchmark(hs::concat(name, "/", axis, ":", cols).c_str(), [=](benchmark::State& state) {
    Rows data(rows, cols);
    const double start = halfstep_bench::cpu_seconds();
    for (auto _ : state) {
      apply(data);
      benchmark::ClobberMemory();
    }
    const double seconds = halfstep_bench::cpu_seconds() - start;
    state.counters["Melements"] = 1e-6 * static_cast<double>(rows * cols * state.iterations()) / seconds;
  });
}

void add_softmaxes(Index keys) {
  const Index rows = 32;
  add_row("softmax/f32", "keys", rows, keys, [](Rows& d) {
    d.float_out = d.floats;
    hs::softmax(d.out(d.float_out));
  });
  add_row("softmax/shiftmax", "keys", rows, keys,
          [](Rows& d) { hs::shiftmax(d.in(d.bytes), Rows::scale, d.out(d.code_out)); });
  add_row("softmax/log_int", "keys", rows, keys,
          [](Rows& d) { hs::log_int_softmax(d.in(d.bytes), Rows::scale, d.out(d.code_out)); });
}

void add_gelus(Index channels) {
  const Index rows = 8;
  add_row("gelu/f32", "channels", rows, channels, [](Rows& d) {
    hs::for_each_part(d.rows * d.cols, [&](Index i, Index part) {
      hs::store_part(d.float_out.data() + i,
                     hs::apply_epilogue(hs::Epilogue::Kind::gelu, hs::load_part(d.floats.data() + i, part)), part);
    });
  });
  add_row("gelu/shift", "channels", rows, channels,
          [](Rows& d) { hs::shift_gelu(d.in(d.bytes), Rows::scale, d.out(d.int_out)); });
}

void add_norms(Index channels) {
  const Index rows = 16;
  add_row("layer_norm/f32", "channels", rows, channels,
          [](Rows& d) { hs::layer_norm(d.in(d.floats), d.gain, d.bias, 1e-6f, d.out(d.float_out)); });
  add_row("layer_norm/integer", "channels", rows, channels, [](Rows& d) {
    const hs::IntegerNorm norm = hs::IntegerNorm::of(d.gain, d.bias);
    hs::integer_layer_norm(d.in(d.ints), norm, d.out(d.wide_out));
  });
  add_row("layer_norm/factor", "channels", rows, channels, [](Rows& d) {
    hs::factor_layer_norm({d.in(d.codes), 0.01f, 128, d.shifts}, d.gain, d.bias, {0.05f, 128}, d.out(d.code_out));
  });
  add_row("requantize/dyadic", "channels", rows, channels,
          [](Rows& d) { hs::requantize(d.in(d.ints), hs::Dyadic::of(0.003), d.out(d.byte_out)); });
}

const bool registered = [] {
  for (const Index keys : {64, 197, 1024}) add_softmaxes(keys);
  for (const Index channels : {768, 3072}) add_gelus(channels);
  for (const Index channels : {192, 768}) add_norms(channels);
  return true;
}();

}  // namespace
