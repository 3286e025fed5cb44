/// The tables of docs/quantizers.md: levels, planes and errors of every quantizer.
///
///     quantizer_table                           prints them
///     quantizer_table docs/quantizers.md        fails where the document says something else

#include <halfstep/halfstep.hpp>
#include <halfstep/kernels/softmax.hpp>
#include <halfstep/simd/gelu.hpp>
#include <halfstep/simd/log.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <iterator>
#include <sstream>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace hs = halfstep;

namespace {

constexpr hs::Index rows = 256, cols = 128;

/// Stands where a family has no quantizer of that width.
struct None {};

/// One kind of data: 256 granules of 128 values.
struct Data {
  std::string_view name;
  hs::MatrixF values;
  hs::Range typical;  ///< what a granule of it may look like
};

hs::MatrixF normal_values(std::uint64_t seed, float deviation) {
  hs::MatrixF x(rows, cols);
  const hs::Random random(seed);
  for (hs::Index i = 0; i < x.size(); ++i) x.data()[i] = deviation * random.normal(static_cast<std::uint64_t>(i));
  return x;
}

hs::MatrixF laplace_values(std::uint64_t seed) {
  hs::MatrixF x(rows, cols);
  const hs::Random random(seed);
  for (hs::Index i = 0; i < x.size(); ++i) {
    const float u = random.uniform(static_cast<std::uint64_t>(i)) - 0.5f;
    const float size = -hs::simd::log2(std::max(1 - 2 * std::fabs(u), 0x1p-24f));
    x.data()[i] = u < 0 ? -size : size;
  }
  return x;
}

std::vector<Data> all_data() {
  hs::MatrixF probabilities = normal_values(3, 2.0f);
  hs::softmax(hs::mutable_view(probabilities));
  hs::MatrixF activations = normal_values(4, 1.5f);
  for (hs::Index i = 0; i < activations.size(); ++i) activations.data()[i] = hs::simd::gelu(activations.data()[i]);
  return {{"normal", normal_values(1, 1.0f), {-1, 1, 0.3f}},
          {"Laplace", laplace_values(2), {-1, 1, 0.2f}},
          {"softmax", probabilities, {0, 1, 0.05f}},
          {"GELU", activations, {-0.17f, 1, 0.2f}}};
}

template <class Q>
std::vector<float> code_values(const Q& q) {
  std::vector<float> levels;
  for (std::int32_t code = 0; code < hs::level_count<Q>; ++code) levels.push_back(q.decode(code));
  return levels;
}

/// Signal over noise in dB, parameters fitted to each row; "-" where values below 0 meet levels that are not.
template <class Q>
std::string signal_to_noise(const Data& data) {
  if constexpr (std::is_same_v<Q, None>) {
    return "-";
  } else {
    const std::vector<float> levels = code_values(hs::fit<Q>(data.typical, hs::Symmetry::affine));
    const float least = *std::min_element(levels.begin(), levels.end());
    if (data.typical.min < -0.5f && !(least < 0)) return "-";
    std::ostringstream text;
    text << std::fixed << std::setprecision(1);
    if constexpr (hs::BlockFormat<Q>) {
      text << hs::compare(data.values, hs::dequantize(hs::quantize_blocks<Q>(data.values))).sqnr_db();
    } else {
      const auto quantized = hs::quantize<Q>(data.values, {.tiling = hs::per_row()});
      text << hs::compare(data.values, hs::dequantize(quantized)).sqnr_db();
    }
    return text.str();
  }
}

/// The levels of `q` from -1 or 0 to 1, as a line: o for a level, @ for several.
template <class Q>
std::string picture(const Q& q) {
  const std::vector<float> levels = code_values(q);
  const float largest = *std::max_element(levels.begin(), levels.end());
  const bool has_sign = *std::min_element(levels.begin(), levels.end()) < -0.2f * largest;
  std::string line(has_sign ? 49 : 25, '.');
  for (const float level : levels) {
    const float x = level / largest;
    const float place = has_sign ? 24 + x * 24 : x * 24;
    if (place < 0 || place >= static_cast<float>(line.size())) continue;
    char& mark = line[static_cast<std::size_t>(std::lround(place))];
    mark = mark == '.' ? 'o' : '@';
  }
  return line;
}

/// Number of planes, and what they lose of the largest level, as a power of two (2 percent do not count).
template <class Q>
std::string planes() {
  if constexpr (std::is_same_v<Q, None>) {
    return "-";
  } else {
    const Q q = hs::fit<Q>({-0.17f, 1, 0.2f}, hs::Symmetry::affine);
    const hs::Lowering lowering = hs::lower(q);
    const std::vector<float> levels = code_values(q);
    const float share = lowering.max_error / *std::max_element(levels.begin(), levels.end());
    std::string text = std::to_string(lowering.plane_count);
    if (share > 0x1p-22f) text += " (2^" + std::to_string(static_cast<int>(std::ceil(std::log2(share) - 0.02f))) + ")";
    return text;
  }
}

/// A family of quantizers of 3, 4, 6 and 8 bits; the picture is that of `Shown`.
template <class Shown, class Q3, class Q4, class Q6, class Q8>
struct Family {
  std::string_view name;
  std::string_view formula;
  std::string_view use;
  hs::Range shown = {-1, 1, 0.5f};

  void print_levels(std::ostream& out) const {
    out << "| " << name << " | " << formula << " | `" << picture(hs::fit<Shown>(shown, hs::Symmetry::symmetric))
        << "` | " << planes<Q3>() << " / " << planes<Q4>() << " / " << planes<Q6>() << " / " << planes<Q8>() << " | "
        << use << " |\n";
  }
  void print_errors(std::ostream& out, const std::vector<Data>& all) const {
    out << "| " << name << " |";
    for (const Data& data : all) {
      out << " " << signal_to_noise<Q3>(data) << " / " << signal_to_noise<Q4>(data) << " / "
          << signal_to_noise<Q6>(data) << " / " << signal_to_noise<Q8>(data) << " |";
    }
    out << "\n";
  }
};

template <template <int> class Q>
using Every = Family<Q<4>, Q<3>, Q<4>, Q<6>, Q<8>>;
template <int Bits>
using Log2 = hs::Log2<Bits>;
template <int Bits>
using LogSqrt2 = hs::LogSqrt2<Bits>;
template <int Bits>
using AdaLog = hs::AdaLog<Bits>;
template <int Bits>
using ShiftLog2 = hs::ShiftLog2<Bits>;

/// Calls `visit(family)` for each row of the tables.
template <class Visit>
void for_each_family(Visit visit) {
  const hs::Range positive{0, 1, 0.1f};
  visit(Every<hs::Uniform>{"Uniform", "s (c - z)", "everything"});
  visit(Every<hs::PowerOfTwoFactor>{"PowerOfTwoFactor", "s 2^k (c - z)", "inputs of a LayerNorm"});
  visit(Every<Log2>{"Log2", "s 2^-c, 0", "post-softmax", positive});
  visit(Every<LogSqrt2>{"LogSqrt2", "s 2^(-c/2), 0", "post-softmax", positive});
  visit(Every<AdaLog>{"AdaLog", "s 2^(-c q/37) - t, -t", "post-softmax, post-GELU", positive});
  visit(Every<ShiftLog2>{"ShiftLog2", "2^rne(c d + l) - eta", "post-softmax", positive});
  visit(Every<hs::TanQ>{"TanQ", "s (m + atan(g(c)) / a)", "post-softmax", positive});
  visit(Every<hs::TwinSoftmax>{"TwinSoftmax", "s c or s 2^-k c", "post-softmax", positive});
  visit(Every<hs::TwinGelu>{"TwinGelu", "s c or -n c", "post-GELU", {-0.17f, 1, 0.2f}});
  visit(Family<hs::Fp4E2M1, hs::Float<2, 0>, hs::Fp4E2M1, hs::Fp6E2M3, hs::Fp8E4M3>{
      "Float E2M0, E2M1, E2M3, E4M3", "+-s 2^e 1.m", "weights, activations"});
  visit(Family<hs::Fp4E3M0, None, hs::Fp4E3M0, hs::Fp6E3M2, hs::Fp8E5M2>{"Float E3M0, E3M2, E5M2", "+-s 2^e 1.m",
                                                                         "wide ranges"});
  visit(Family<hs::MXFP4, None, hs::MXFP4, hs::MXFP6E2M3, hs::MXFP8E4M3>{
      "MX E2M1, E2M3, E4M3", "2^k times Float, 32 share k", "weights, stored and exchanged"});
  visit(Family<hs::MXFP6E3M2, None, None, hs::MXFP6E3M2, hs::MXFP8E5M2>{"MX E3M2, E5M2", "2^k times Float, 32 share k",
                                                                        "wide ranges"});
  visit(Family<hs::NVFP4, None, hs::NVFP4, None, None>{"NVFP4", "g s times E2M1, 16 share s", "weights"});
  visit(Family<hs::NormalFloat4, None, hs::NormalFloat4, None, None>{"NormalFloat4", "s level[c]", "normal weights"});
  visit(Every<hs::LevelTable>{"LevelTable, equal steps", "s level[c]", "searched levels"});
}

/// Those of less than 3 bits.
template <class Visit>
void for_each_short_family(Visit visit) {
  visit(Family<hs::Binary, hs::Binary, None, None, None>{"Binary (1 bit)", "+-s", "weights"});
  visit(Family<hs::Ternary, hs::Ternary, None, None, None>{"Ternary (2 bits)", "s (c - 1)", "weights"});
  visit(Family<hs::Elastic<2>, hs::Elastic<1>, hs::Elastic<2>, hs::Elastic<3>, hs::Elastic<4>>{
      "Elastic (1, 2, 3, 4 bits)", "s c + o", "unsigned activations", {0, 1, 0.25f}});
}

std::string tables() {
  std::ostringstream out;
  const std::vector<Data> all = all_data();
  const auto print_levels = [&](const auto& family) { family.print_levels(out); };
  const auto print_errors = [&](const auto& family) { family.print_errors(out, all); };
  out << "| quantizer | value of code c | levels | planes at 3 / 4 / 6 / 8 bits | for |\n|---|---|---|---|---|\n";
  for_each_family(print_levels);
  for_each_short_family(print_levels);
  out << "\n| dB at 3 / 4 / 6 / 8 bits | normal | Laplace | post-softmax | post-GELU |\n|---|---|---|---|---|\n";
  for_each_family(print_errors);
  for_each_short_family(print_errors);
  return out.str();
}

/// The lines between the marks of a document.
std::string marked_part(const char* path) {
  std::ifstream file(path);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const std::string_view begin = "<!-- quantizer_table -->\n", end = "<!-- end of quantizer_table -->";
  const std::size_t first = text.find(begin), last = text.find(end);
  if (first == std::string::npos || last == std::string::npos || last < first) return {};
  return text.substr(first + begin.size(), last - first - begin.size());
}

}  // namespace

int main(int argc, char** argv) {
  const std::string text = tables();
  if (argc < 2) {
    std::cout << text;
    return EXIT_SUCCESS;
  }
  if (marked_part(argv[1]) == text) return EXIT_SUCCESS;
  std::cerr << argv[1] << " differs from what this program prints; put that between its marks:\n" << text;
  return EXIT_FAILURE;
}
