// Agreement with golden/gptq.safetensors: GPTQ as its authors' program computed it, and the row quantizer by itself.
// Cases are found by the names of the tensors, and what each is by its `cfg`. How they compare is the index' rule: the
// Hessian to 1e-5; rows of nothing but 0 decode to 0; rows that are not fragile have all codes, and a proxy dw H dw^T
// within 1e-4; fragile rows have the codes before the fragile column (in the order of rounding) and a proxy within a
// factor of 2.5; the sum of proxies is within 3 percent. A billionth of the largest proxy is slack for proxies of 0.
// Scales within 1e-5, those of groups fitted during the sweep 1e-4.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "halfstep/calibrators/range/published_fits.hpp"
#include "halfstep/calibrators/rounding/gptq.hpp"
#include "halfstep/calibrators/rounding/row_grid.hpp"
#include "support/catch.hpp"
#include "support/close.hpp"
#include "support/golden.hpp"
#include "support/with_bits.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

/// The published settings of a case.
struct Config {
  int bits, symmetric, per_channel, mse, group_size, block_size, act_order, static_groups, ternary, damping;

  Config(const Golden& file, const std::string& name) {
    const std::vector<int> cfg = file.values<int>(name + ".cfg");
    REQUIRE(cfg.size() == 10);
    int* const fields[] = {&bits,       &symmetric, &per_channel,   &mse,     &group_size,
                           &block_size, &act_order, &static_groups, &ternary, &damping};
    for (std::size_t i = 0; i < cfg.size(); ++i) *fields[i] = cfg[i];
  }

  [[nodiscard]] GptqOptions options() const {
    GptqOptions o;
    o.group_size = std::max(group_size, 0);
    o.scope = per_channel != 0 ? GridScope::row : GridScope::tensor;
    o.group_fit = static_groups != 0 ? GroupFit::before : GroupFit::during;
    o.act_order = act_order != 0;
    o.range = mse != 0 ? GridRange::mse : GridRange::min_max;
    o.damping = {.share = damping / 1000.0, .dead_diagonal = DeadDiagonal::one};
    o.block_size = block_size;
    return o;
  }
  [[nodiscard]] bool fits_during_sweep() const { return group_size > 0 && static_groups == 0; }
};

struct GptqLayer {
  LoadedMatrix<float> w;
  HessianAccumulator own, stored;
  std::vector<int> dead;

  GptqLayer(const Golden& file, const std::string& shape)
      : w(file.matrix(shape + ".W")), own(w.cols), stored(w.cols), dead(file.values<int>(shape + ".dead")) {
    const LoadedMatrix<float> x = file.matrix(shape + ".X"), h = file.matrix(shape + ".H");
    const Index sequences = file.shape(shape + ".X").at(0), length = x.rows / sequences;
    for (Index s = 0; s < sequences; ++s) own.add(x.view().row_range(s * length, length));
    stored = HessianAccumulator::of_matrix(h.view(), sequences, x.rows);
    for (Index i = 0; i < w.cols; ++i) {
      for (Index j = 0; j < w.cols; ++j) {
        const double scale = own.published_factor() * std::sqrt(own.sum()(i, i) * own.sum()(j, j));
        // An element is a sum of terms of both signs: 1e-5 of what it could be.
        CHECK(close(own.published_factor() * own.sum()(i, j), static_cast<double>(h.view()(i, j)), 1e-5, 1e-5 * scale));
      }
    }
  }
};

/// dw H dw^T of a row, dead channels counting as weight 0.
double proxy(const GptqLayer& layer, const HessianAccumulator& h, Index row, const std::vector<float>& values) {
  std::vector<double> dw(static_cast<std::size_t>(layer.w.cols));
  for (Index c = 0; c < layer.w.cols; ++c) {
    const bool dead = std::find(layer.dead.begin(), layer.dead.end(), static_cast<int>(c)) != layer.dead.end();
    const double w = dead ? 0.0 : static_cast<double>(layer.w.view()(row, c));
    dw[static_cast<std::size_t>(c)] = w - static_cast<double>(values[static_cast<std::size_t>(c)]);
  }
  double sum = 0;
  for (Index i = 0; i < layer.w.cols; ++i) {
    for (Index j = 0; j < layer.w.cols; ++j) {
      sum += dw[static_cast<std::size_t>(i)] * h.published_factor() * h.sum()(i, j) * dw[static_cast<std::size_t>(j)];
    }
  }
  return sum;
}

/// Whether a code is that of the file.
template <int Bits>
bool is_code(const QuantizedMatrix<Uniform<Bits>>& q, Index r, Index c, int expected) {
  return q.code(r, c) == expected;
}
/// Ternary: codes 2 and 3 are one level, and in a row without negative weights 0 and 1 are.
bool is_code(const QuantizedMatrix<LevelTable<2>>& q, Index r, Index c, int expected) {
  const int least = q.quantizer_at(r, c).levels[0] == 0 ? 1 : 0;
  return std::clamp<int>(q.code(r, c), least, 2) == std::max(expected, least);
}

template <class Q>
void check_rows(const Golden& file, const std::string& name, const Config& config, const GptqLayer& layer,
                const GptqResult<Q>& result, const HessianAccumulator& h) {
  const std::vector<int> codes = file.values<int>(name + ".codes"), perm = file.values<int>(name + ".perm"),
                         fragile = file.values<int>(name + ".fragile_col");
  const std::vector<double> proxies = file.values<double>(name + ".row_proxy64");
  const LoadedMatrix<float> deq = file.matrix(name + ".deq");
  const Index rows = layer.w.rows, cols = layer.w.cols;
  const double slack = 1e-9 * *std::max_element(proxies.begin(), proxies.end());
  double total = 0, expected_total = 0;
  for (Index r = 0; r < rows; ++r) {
    CAPTURE(r, fragile[static_cast<std::size_t>(r)]);
    std::vector<float> values(static_cast<std::size_t>(cols));
    for (Index c = 0; c < cols; ++c) values[static_cast<std::size_t>(c)] = result.matrix.value(r, c);
    const double found = proxy(layer, h, r, values), expected = proxies[static_cast<std::size_t>(r)];
    total += found;
    expected_total += expected;
    const float* const w = layer.w.view().row(r);
    if (std::all_of(w, w + cols, [](float x) { return x == 0; })) {
      CHECK(std::all_of(values.begin(), values.end(), [](float x) { return x == 0; }));
      continue;
    }
    const int fragile_from = fragile[static_cast<std::size_t>(r)];
    Index wrong = 0;
    for (Index p = 0; p < (fragile_from < 0 ? cols : fragile_from); ++p) {
      const Index c = perm[static_cast<std::size_t>(p)];
      wrong += !is_code(result.matrix, r, c, codes[static_cast<std::size_t>(r * cols + c)]);
    }
    CHECK(wrong == 0);
    if (fragile_from < 0) {
      CHECK(close(found, expected, 1e-4, slack));
      Index wrong_values = 0;
      const double tolerance = config.fits_during_sweep() ? 1e-4 : 1e-5;
      for (Index c = 0; c < cols; ++c) {
        const double value = values[static_cast<std::size_t>(c)];
        wrong_values += !close(value, static_cast<double>(deq.view()(r, c)), tolerance);
      }
      CHECK(wrong_values == 0);
    } else {
      CHECK(found <= 2.5 * expected + slack);
      CHECK(expected <= 2.5 * found + slack);
    }
  }
  CHECK(close(total, expected_total, 0.03));
}

/// Parameters of groups that begin before a row becomes fragile.
template <int Bits>
void check_parameters(const Golden& file, const std::string& name, const Config& config,
                      const GptqResult<Uniform<Bits>>& result) {
  const LoadedMatrix<float> scale = file.matrix(name + ".scale"), zero = file.matrix(name + ".zero");
  const std::vector<int> g_idx = file.values<int>(name + ".g_idx"), perm = file.values<int>(name + ".perm"),
                         fragile = file.values<int>(name + ".fragile_col");
  for (Index r = 0; r < scale.rows; ++r) {
    for (Index p = 0; p < static_cast<Index>(perm.size()); ++p) {
      if (fragile[static_cast<std::size_t>(r)] >= 0 && p >= fragile[static_cast<std::size_t>(r)]) break;
      const Index c = perm[static_cast<std::size_t>(p)], g = g_idx[static_cast<std::size_t>(c)];
      CHECK(result.matrix.grid().col_tile(c) == (scale.cols == 1 ? 0 : g));
      const Uniform<Bits> q = result.matrix.quantizer_at(r, c);
      CHECK(close(q.scale, static_cast<double>(scale.view()(r, g)), config.fits_during_sweep() ? 1e-4 : 1e-5));
      CHECK(static_cast<float>(q.zero_point) == zero.view()(r, g));
    }
  }
}

/// The published program stores the upper level as scale and the lower one as zero.
void check_ternary(const Golden& file, const std::string& name, const GptqResult<LevelTable<2>>& result) {
  const LoadedMatrix<float> scale = file.matrix(name + ".scale"), zero = file.matrix(name + ".zero");
  const std::vector<int> g_idx = file.values<int>(name + ".g_idx");
  for (Index r = 0; r < scale.rows; ++r) {
    for (Index c = 0; c < static_cast<Index>(g_idx.size()); ++c) {
      const Index g = g_idx[static_cast<std::size_t>(c)];
      const LevelTable<2> q = result.matrix.quantizer_at(r, c);
      CHECK(close(q.levels[2], static_cast<double>(scale.view()(r, g)), 1e-5));
      CHECK(close(q.levels[0], static_cast<double>(zero.view()(r, g)), 1e-5));
    }
  }
}

/// The published loss: that of the file to 1e-4 where no row of it is fragile, and the identity with the codes.
template <class Q>
void check_loss(const Golden& file, const std::string& name, const Config& config, const GptqLayer& layer,
                const GptqResult<Q>& result, const HessianAccumulator& h) {
  const std::vector<int> fragile = file.values<int>(name + ".fragile_col");
  const std::vector<double> loss = file.values<double>(name + ".loss64");
  if (std::all_of(fragile.begin(), fragile.end(), [](int f) { return f < 0; })) {
    CHECK(close(result.report.loss, loss.at(1), 1e-4));
  }
  const double lambda = result.report.damping;
  double sum = 0;
  for (Index r = 0; r < layer.w.rows; ++r) {
    std::vector<float> values;
    for (Index c = 0; c < layer.w.cols; ++c) values.push_back(result.matrix.value(r, c));
    sum += proxy(layer, h, r, values);
    for (Index c = 0; c < layer.w.cols; ++c) {
      const bool dead = std::find(layer.dead.begin(), layer.dead.end(), static_cast<int>(c)) != layer.dead.end();
      const double dw = (dead ? 0.0 : static_cast<double>(layer.w.view()(r, c))) -
                        static_cast<double>(values[static_cast<std::size_t>(c)]);
      sum += (lambda + (dead ? 1.0 : 0.0)) * dw * dw;
    }
  }
  // The sweep is float32: a relative error of about sqrt(K) 2^-24 in what it squares.
  CHECK(close(2 * result.report.loss, sum, 1e-5));
  CHECK(result.report.rung == DampingRung::first);
  CHECK(close(result.report.share, config.damping / 1000.0, 1e-12));
}

}  // namespace

TEST_CASE("golden: gptq", "[golden]") {
  const Golden file("gptq");
  for (const GoldenCase& shape : file.cases("*.W")) {
    const std::string prefix = shape.prefix.substr(0, shape.prefix.size() - 1);
    const GptqLayer layer(file, prefix);
    for (const GoldenCase& c : file.cases(prefix + ".*.cfg")) {
      const std::string name = c.prefix.substr(0, c.prefix.size() - 1);
      CAPTURE(name);
      const Config config(file, name);
      const auto check = [&](const auto& result, const HessianAccumulator& h) {
        check_rows(file, name, config, layer, result, h);
        check_loss(file, name, config, layer, result, h);
        const std::vector<int> perm = file.values<int>(name + ".perm");
        CHECK(std::equal(perm.begin(), perm.end(), result.report.order.begin(), result.report.order.end(),
                         [&](int a, Index b) {  // dead channels come in any order among themselves
                           return a == b || (layer.own.sum()(a, a) == 0 && layer.own.sum()(b, b) == 0);
                         }));
      };
      for (const HessianAccumulator* h : {&layer.own, &layer.stored}) {
        if (config.ternary != 0) {
          const auto symmetry = config.symmetric != 0 ? Symmetry::symmetric : Symmetry::affine;
          const auto result = gptq<LevelTable<2>>(layer.w.view(), *h, config.options(), [&](const Range& range) {
            return gptq_ternary_fit(range, symmetry);
          });
          check(result, *h);
          check_ternary(file, name, result);
          continue;
        }
        with_bits(config.bits, [&](auto bits) {
          constexpr int Bits = bits();
          const auto rule = config.symmetric != 0 ? gptq_symmetric_fit<Bits> : gptq_fit<Bits>;
          const auto result = gptq<Uniform<Bits>>(layer.w.view(), *h, config.options(), rule);
          check(result, *h);
          check_parameters(file, name, config, result);
        });
      }
    }
  }
}

TEST_CASE("golden: gptq's row quantizer", "[golden]") {
  const Golden file("gptq");
  for (const GoldenCase& c : file.cases("params.*_b*.scale")) {
    const std::string name = c.prefix.substr(0, c.prefix.size() - 1);
    CAPTURE(name);
    const std::string data = name.substr(0, name.rfind("_b"));
    const std::string settings = name.substr(name.rfind("_b") + 2);  // bits, sym or asym, perhaps mse
    const LoadedMatrix<float> x = file.matrix(data + ".x"), deq = file.matrix(name + ".deq");
    const std::vector<float> scale = file.values<float>(name + ".scale"), zero = file.values<float>(name + ".zero");
    const bool mse = settings.ends_with("_mse"), symmetric = settings.find("_sym") != std::string::npos;
    with_bits(std::stoi(settings), [&](auto bits) {
      constexpr int Bits = bits();
      const auto rule = symmetric ? gptq_symmetric_fit<Bits> : gptq_fit<Bits>;
      const GranuleFit<Uniform<Bits>> fit{rule, mse ? GridRange::mse : GridRange::min_max};
      for (Index r = 0; r < x.rows; ++r) {
        CAPTURE(r);
        const std::span<const float> row(x.view().row(r), static_cast<std::size_t>(x.cols));
        const Uniform<Bits> q = fit(row, 1.0f);
        const float expected = scale[static_cast<std::size_t>(r)];
        if (close(q.scale, expected, 1e-5)) {
          CHECK(static_cast<float>(q.zero_point) == zero[static_cast<std::size_t>(r)]);
          int differing = 0;
          for (Index i = 0; i < x.cols; ++i) {
            const float value = q.decode(q.encode(row[static_cast<std::size_t>(i)]));
            if (close(value, static_cast<double>(deq.view()(r, i)), 1e-6)) continue;
            ++differing;  // a tie, one code apart
            CHECK(close(std::fabs(value - deq.view()(r, i)), q.scale, 1e-5));
            const float steps = row[static_cast<std::size_t>(i)] / q.scale;
            CHECK(std::fabs(std::fabs(steps - std::nearbyint(steps)) - 0.5f) <= 1e-5f * std::fabs(steps) + 1e-6f);
          }
          CHECK(differing <= 1);
        } else {  // a tie of the search: one step of its grid away, and as good
          CHECK(mse);
          const Range range = range_of_values<Uniform<Bits>>(row);
          const double step = static_cast<double>(rule(range).scale) / 100;
          CHECK(std::fabs(static_cast<double>(q.scale) - static_cast<double>(expected)) <= 1.01 * step);
          const Uniform<Bits> stored{expected, static_cast<std::int32_t>(zero[static_cast<std::size_t>(r)])};
          CHECK(error_of_power_2_4(q, row, 1.0f) <= error_of_power_2_4(stored, row, 1.0f) * (1 + 1e-5));
        }
      }
    });
  }
  file.require_consumed("params.*");
}

TEST_CASE("golden: gptq is consumed", "[golden]") {
  Golden("gptq").require_all_consumed_at_end(
      {{"*.codes_f64", "the double run of the same cases: codes are those of the float run but on fragile rows"},
       {"pack3.*", "the layout of checkpoints comes with their reader"}});
}
