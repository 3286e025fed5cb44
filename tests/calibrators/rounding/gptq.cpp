// The whole of `gptq`: against the published program written down plainly, in every option's own property, at the
// edges.

#include "halfstep/calibrators/rounding/gptq.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <vector>

#include "calibrators/rounding/gptq_samples.hpp"
#include "halfstep/calibrators/range/published_fits.hpp"
#include "halfstep/core/thread_pool.hpp"
#include "halfstep/kernels/quantize_blocks.hpp"
#include "halfstep/quantizers/level_table.hpp"
#include "halfstep/quantizers/minifloat.hpp"
#include "halfstep/quantizers/mx_float.hpp"
#include "halfstep/quantizers/nv_float.hpp"
#include "halfstep/quantizers/uniform.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/executors.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

GptqOptions options_for(const PublishedSettings& s, const SampleLayer& layer) {
  GptqOptions o;
  o.group_size = s.group_size;
  o.block_size = s.block_size;
  o.act_order = s.act_order;
  o.group_fit = s.static_groups ? GroupFit::before : GroupFit::during;
  o.damping = {.share = s.damping, .dead_diagonal = DeadDiagonal::one};
  o.alpha = s.alpha;
  if (s.alpha != 0) o.float_path = &layer.difference;
  return o;
}

/// Codes of all rows that never come within a 500th of a step of a border, where float sums could decide otherwise.
void check_published(const SampleLayer& layer, const PublishedSettings& s) {
  CAPTURE(layer.w.rows, layer.w.cols, s.group_size, s.block_size, s.act_order, s.static_groups, s.alpha);
  const PublishedGptq<4> expected(layer, s);
  const auto result = gptq<Uniform<4>>(layer.w.view(), layer.hessian, options_for(s, layer), gptq_fit<4>);
  CHECK(result.report.order == expected.order);
  Index compared = 0, wrong = 0;
  for (Index r = 0; r < layer.w.rows; ++r) {
    if (expected.margin[static_cast<std::size_t>(r)] < 2e-3) continue;
    ++compared;
    for (Index c = 0; c < layer.w.cols; ++c) wrong += result.matrix.code(r, c) != expected.codes(r, c);
  }
  CHECK(wrong == 0);
  CHECK(compared >= layer.w.rows / 4);
}

/// The same codes, parameters and report for any executor.
template <class Q>
void check_executors(const SampleLayer& layer, GptqOptions options) {
  const auto serial = gptq<Q>(layer.w.view(), layer.hessian, options);
  const BackwardsExecutor backwards(3);
  const FreshThreadsExecutor threads(3);
  for (const ExecutorRef executor : {ExecutorRef(backwards), ExecutorRef(threads)}) {
    options.executor = executor;
    const auto other = gptq<Q>(layer.w.view(), layer.hessian, options);
    CHECK(other.matrix == serial.matrix);
    CHECK(other.report.row_losses == serial.report.row_losses);
    CHECK(other.report.loss == serial.report.loss);
    CHECK(other.report.rank == serial.report.rank);
    CHECK(other.report.nearest_rows == serial.report.nearest_rows);
  }
}

FloatMatrix scaled(const FloatMatrix& x, int exponent) {
  FloatMatrix result = x;
  for (float& value : result.values) value = std::ldexp(value, exponent);
  return result;
}

/// Whether each row's proxy is at most that of `other`, but for what float leaves of a difference.
template <class Q>
Index rows_above(const SampleLayer& layer, const QuantizedMatrix<Q>& q, const QuantizedMatrix<Q>& other) {
  const DoubleMatrix h = layer.second_moment();
  Index above = 0;
  for (Index r = 0; r < q.rows(); ++r) above += proxy(layer, h, q, r) > proxy(layer, h, other, r) * (1 + 1e-6);
  return above;
}

/// GPTQ on the grids of Q closes in on the outputs: no row above nearest with the guard, most of them far below.
template <class Q>
void check_grid(const SampleLayer& layer, const QuantizedMatrix<Q>& nearest, Index group_size) {
  const auto result =
      gptq<Q>(layer.w.view(), layer.hessian, {.group_size = group_size, .row_guard = RowGuard::nearest});
  CHECK(result.matrix.tiling() == nearest.tiling());
  CHECK(result.matrix.scale_storage() == nearest.scale_storage());
  CHECK(result.matrix.parameters() == nearest.parameters());
  CHECK(rows_above(layer, result.matrix, nearest) == 0);
  const DoubleMatrix h = layer.second_moment();
  double sum = 0, nearest_sum = 0;
  for (Index r = 0; r < layer.w.rows; ++r) {
    sum += proxy(layer, h, result.matrix, r);
    nearest_sum += proxy(layer, h, nearest, r);
  }
  CHECK(sum < 0.5 * nearest_sum);
}

}  // namespace

TEST_CASE("gptq: the published program's codes, over shapes, groups, blocks and orders") {
  std::uint32_t seed = 1;
  for (const Index columns : {1, 3, 4, 5, 31, 127, 128, 129, 150}) {
    const SampleLayer layer(columns == 150 ? 49 : 23, columns, 80, seed++);
    check_published(layer, {});
    check_published(layer, {.act_order = true});
    check_published(layer, {.group_size = 16, .static_groups = true});
  }
  const SampleLayer layer(50, 150, 400, 77, {3, 90});
  for (const Index block : {7, 32, 50, 128}) {
    for (const Index group : {5, 16, 19, 64, 140}) {
      check_published(layer, {.group_size = group, .block_size = block});
      check_published(layer, {.group_size = group, .block_size = block, .act_order = true});
    }
  }
  check_published(layer, {.group_size = 19, .act_order = true, .static_groups = true, .damping = 0.1});
}

TEST_CASE("gptq: GPTAQ's codes, across blocks, in groups, with dead channels") {
  const SampleLayer layer(50, 150, 400, 5, {10, 149});
  for (const Index block : {16, 50, 128}) {
    check_published(layer, {.block_size = block, .alpha = 0.25});
    check_published(layer, {.block_size = block, .act_order = true, .alpha = 0.5});
    check_published(layer, {.group_size = 19, .block_size = block, .alpha = 0.25});
    check_published(layer,
                    {.group_size = 32, .block_size = block, .act_order = true, .static_groups = true, .alpha = 1});
  }
}

TEST_CASE("gptq: the same bits for any executor") {
  const SampleLayer layer(130, 100, 150, 9, {4});
  check_executors<Uniform<3>>(layer, {});
  check_executors<Uniform<3>>(layer, {.group_size = 16,
                                      .group_fit = GroupFit::during,
                                      .act_order = true,
                                      .float_path = &layer.difference,
                                      .alpha = 0.25});
  check_executors<Uniform<3>>(layer, {.group_size = 16,
                                      .act_order = true,
                                      .order = ActOrder::by_group,
                                      .range = GridRange::objective,
                                      .row_guard = RowGuard::nearest,
                                      .descent_sweeps = 2,
                                      .float_path = &layer.difference});
}

TEST_CASE("gptq: a row depends on nothing but itself") {
  const SampleLayer layer(61, 90, 200, 10);
  const auto all = gptq<Uniform<4>>(layer.w.view(), layer.hessian, {.group_size = 32});
  for (const Index r : {0, 23, 24, 60}) {
    const auto one = gptq<Uniform<4>>(layer.w.view().row_range(r, 1), layer.hessian, {.group_size = 32});
    Index wrong = 0;
    for (Index c = 0; c < 90; ++c) wrong += one.matrix.code(0, c) != all.matrix.code(r, c);
    CHECK(wrong == 0);
    CHECK(one.report.loss == all.report.row_losses[static_cast<std::size_t>(r)]);
  }
}

TEST_CASE("gptq: powers of two in the unit of the inputs or the weights change no code") {
  const SampleLayer layer(30, 70, 60, 11, {5, 6});
  for (const bool guarded : {false, true}) {
    const GptqOptions options{.group_size = guarded ? 16 : 0,
                              .act_order = true,
                              .range = guarded ? GridRange::objective : GridRange::mse,
                              .row_guard = guarded ? RowGuard::nearest : RowGuard::off,
                              .descent_sweeps = guarded ? 1 : 0};
    const auto expected = gptq<Uniform<3>>(layer.w.view(), layer.hessian, options);
    for (const int exponent : {-90, -1, 1, 3, 90}) {
      HessianAccumulator h(70);
      h.add(scaled(layer.x, exponent).view());
      const auto q = gptq<Uniform<3>>(layer.w.view(), h, options);
      CHECK(q.matrix == expected.matrix);
      CHECK(q.report.rank == expected.report.rank);
      CHECK(q.report.loss == std::ldexp(expected.report.loss, 2 * exponent));
      const auto other = gptq<Uniform<3>>(scaled(layer.w, exponent).view(), layer.hessian, options);
      Index wrong = 0;
      for (Index r = 0; r < 30; ++r) {
        for (Index c = 0; c < 70; ++c) wrong += other.matrix.code(r, c) != expected.matrix.code(r, c);
      }
      CHECK(wrong == 0);
    }
  }
}

TEST_CASE("gptq: the counting convention cancels in codes and scales losses") {
  const SampleLayer layer(10, 40, 64, 12);
  HessianAccumulator two(40), four(40);
  four.add_sequences(layer.x.view(), 4);
  two.add(layer.x.view().row_range(0, 32));
  two.add(layer.x.view().row_range(32, 32));
  const auto a = gptq<Uniform<4>>(layer.w.view(), layer.hessian), b = gptq<Uniform<4>>(layer.w.view(), four);
  CHECK(a.matrix == b.matrix);
  CHECK(a.report.loss == 4 * b.report.loss);
  CHECK(a.report.damping == 4 * b.report.damping);
  CHECK(two.sequences() == 2);
  CHECK(two.published_factor() == 1);
}

TEST_CASE("gptq: any quantizer is a grid") {
  const SampleLayer layer(48, 96, 300, 13);
  const auto w = layer.w.view();
  check_grid<Uniform<4>>(layer, quantize<Uniform<4>>(w, {.tiling = per_row()}), 0);
  check_grid<Fp4E2M1>(layer, quantize<Fp4E2M1>(w, {.tiling = per_group(32)}), 32);
  check_grid<NormalFloat4>(layer, quantize<NormalFloat4>(w, {.tiling = per_row()}), 0);
  check_grid<LevelTable<3>>(layer, quantize<LevelTable<3>>(w, {.tiling = per_row()}), 0);
  check_grid<MXFP4>(layer, quantize_blocks<MXFP4>(w), 0);
  check_grid<NVFP4>(layer, quantize_blocks<NVFP4>(w), 16);
}

TEST_CASE("gptq: errors are those of the scale as it is stored") {
  const SampleLayer layer(20, 64, 200, 14);
  for (const ScaleStorage storage : {ScaleStorage::f16, ScaleStorage::e8m0}) {
    const auto result = gptq<Uniform<4>>(layer.w.view(), layer.hessian, {.group_size = 16, .scale_storage = storage});
    CHECK(result.matrix.scale_storage() == storage);
    for (Index g = 0; g < result.matrix.grid().count(); ++g) {
      const float scale = result.matrix.quantizer(g).scale;
      CHECK(stored_scale(scale, storage) == scale);
    }
    // The reported loss is that of the decoded codes: nothing was fed back that they do not stand for.
    DoubleMatrix h = layer.second_moment();
    for (Index c = 0; c < 64; ++c) h(c, c) += result.report.damping / 2;
    double sum = 0;
    for (Index r = 0; r < 20; ++r) sum += proxy(layer, h, result.matrix, r);
    CHECK(std::fabs(result.report.loss - sum) < 1e-5 * sum);  // float sweep; published unit 2 sum, halved
  }
}

TEST_CASE("gptq: without data weights are rounded to nearest") {
  const SampleLayer layer(20, 33, 10, 15);
  for (const Index group : {0, 8}) {
    const Tiling tiling = group == 0 ? per_row() : per_group(group);
    const auto expected = quantize<Uniform<4>>(layer.w.view(), {.tiling = tiling});
    HessianAccumulator silent(33);
    silent.add(FloatMatrix(5, 33).view());
    for (const HessianAccumulator& h : {HessianAccumulator(33), silent}) {
      const auto result = gptq<Uniform<4>>(layer.w.view(), h, {.group_size = group, .act_order = true});
      CHECK(result.matrix == expected);
      CHECK(result.report.rank == 0);
      CHECK(result.report.rung == DampingRung::nearest);
      CHECK(result.report.tokens == h.tokens());
      CHECK(result.report.dead_channels == 33);
      CHECK(result.report.loss == 0);
      CHECK(result.report.is_complete);
    }
  }
}

TEST_CASE("gptq: weights of dead channels count as 0") {
  const SampleLayer layer(12, 40, 100, 16, {0, 17, 39});
  const auto result = gptq<Uniform<4>>(layer.w.view(), layer.hessian, {.act_order = true});
  for (Index r = 0; r < 12; ++r) {
    for (const Index c : {0, 17, 39}) CHECK(result.matrix.value(r, c) == 0);
  }
  CHECK(result.report.dead_channels == 3);
  CHECK(result.report.rank == 37);
}

TEST_CASE("gptq: a guarded row is never above nearest") {
  // Few tokens, little damping and 2 bits: feedback pushes weights out of their range in some rows.
  const SampleLayer layer(60, 80, 40, 17);
  const GptqOptions plain{
      .group_size = 16, .group_fit = GroupFit::during, .damping = {.share = 1e-4}, .block_size = 16};
  GptqOptions guarded = plain;
  guarded.row_guard = RowGuard::nearest;
  const auto nearest = quantize<Uniform<2>>(layer.w.view(), {.tiling = per_group(16)});
  const auto free = gptq<Uniform<2>>(layer.w.view(), layer.hessian, plain);
  const auto held = gptq<Uniform<2>>(layer.w.view(), layer.hessian, guarded);
  const Index above = rows_above(layer, free.matrix, nearest);
  CHECK(above > 0);
  CHECK(rows_above(layer, held.matrix, nearest) == 0);
  CHECK(held.report.nearest_rows == above);
  CHECK(held.report.loss <= free.report.loss);
}

TEST_CASE("gptq: the search by the objective is never worse than the factor 1, row by row") {
  const SampleLayer layer(40, 64, 300, 18);
  for (const Index group : {0, 16}) {
    const GptqOptions plain{.group_size = group, .act_order = true};
    GptqOptions searched = plain;
    searched.range = GridRange::objective;
    const auto a = gptq<Uniform<2>>(layer.w.view(), layer.hessian, plain);
    const auto b = gptq<Uniform<2>>(layer.w.view(), layer.hessian, searched);
    CHECK(rows_above(layer, b.matrix, a.matrix) == 0);
    CHECK(b.report.loss < 0.9 * a.report.loss);
  }
}

TEST_CASE("gptq: coordinate descent never raises the objective") {
  const SampleLayer layer(40, 90, 300, 19, {8});
  const DoubleMatrix h = layer.second_moment();
  const auto check = [&](const auto& before, const auto& after) {
    double sum = 0, lower = 0;
    for (Index r = 0; r < 40; ++r) {
      // Both sums are double: what is compared carries a relative 1e-12 of the terms, which cancel a hundredfold.
      CHECK(proxy(layer, h, after, r) <= proxy(layer, h, before, r) * (1 + 1e-10));
      sum += proxy(layer, h, before, r);
      lower += proxy(layer, h, after, r);
    }
    CHECK(lower < sum);
  };
  GptqOptions options{.act_order = true, .block_size = 32};
  const auto plain = gptq<Uniform<3>>(layer.w.view(), layer.hessian, options);
  options.descent_sweeps = 1;
  const auto once = gptq<Uniform<3>>(layer.w.view(), layer.hessian, options);
  options.descent_sweeps = 20;
  const auto often = gptq<Uniform<3>>(layer.w.view(), layer.hessian, options);
  check(plain.matrix, once.matrix);
  check(once.matrix, often.matrix);
  CHECK(plain.matrix.parameters() == often.matrix.parameters());

  // At the end no single code can be moved to any gain.
  for (Index r = 0; r < 40; ++r) {
    const Uniform<3> q = often.matrix.quantizer_at(r, 0);
    for (Index c = 0; c < 90; ++c) {
      double slope = 0;
      for (Index k = 0; k < 90; ++k) {
        slope += h(k, c) * (static_cast<double>(layer.w(r, k)) - static_cast<double>(often.matrix.value(r, k)));
      }
      for (const int step : {-1, 1}) {
        const int code = often.matrix.code(r, c) + step;
        if (code < 0 || code > 7) continue;
        const double change = static_cast<double>(q.decode(code)) - static_cast<double>(often.matrix.value(r, c));
        CHECK(change * (change * h(c, c) - 2 * slope) >= -1e-6 * change * change * h(c, c));
      }
    }
  }
}

TEST_CASE("gptq: with the float path objectives are distances from the float model's outputs") {
  const SampleLayer layer(40, 90, 400, 20, {30});
  GptqOptions options{.act_order = true};
  const auto same_input = gptq<Uniform<3>>(layer.w.view(), layer.hessian, options).matrix;
  options.float_path = &layer.difference;
  CHECK(gptq<Uniform<3>>(layer.w.view(), layer.hessian, options).matrix == same_input);  // no objective is asked for
  options.descent_sweeps = 3;
  const auto descended = gptq<Uniform<3>>(layer.w.view(), layer.hessian, options).matrix;
  options.range = GridRange::objective;
  options.descent_sweeps = 0;
  const auto searched = gptq<Uniform<3>>(layer.w.view(), layer.hessian, options).matrix;
  options.alpha = 0.25;
  options.row_guard = RowGuard::nearest;
  options.descent_sweeps = 3;
  const auto all = gptq<Uniform<3>>(layer.w.view(), layer.hessian, options).matrix;
  const auto nearest = quantize<Uniform<3>>(layer.w.view(), {.tiling = per_row()});
  double sum = 0, lower = 0, lowest = 0;
  for (Index r = 0; r < 40; ++r) {
    CHECK(output_error(layer, descended, r) <= output_error(layer, same_input, r) * (1 + 1e-10));
    CHECK(output_error(layer, searched, r) <= output_error(layer, same_input, r) * (1 + 1e-6));
    CHECK(output_error(layer, all, r) <= output_error(layer, nearest, r) * (1 + 1e-6));
    sum += output_error(layer, same_input, r);
    lower += output_error(layer, descended, r);
    lowest += output_error(layer, all, r);
  }
  CHECK(lower < sum);
  CHECK(lowest < lower);
}

TEST_CASE("gptq: group-aware order keeps groups whole") {
  const SampleLayer layer(20, 70, 200, 21);
  for (const GroupFit fit : {GroupFit::before, GroupFit::during}) {
    const auto result =
        gptq<Uniform<3>>(layer.w.view(), layer.hessian,
                         {.group_size = 16, .group_fit = fit, .act_order = true, .order = ActOrder::by_group});
    CHECK(result.matrix.tiling() == per_group(16));
    for (std::size_t q = 0; q < 64; q += 16) {
      for (std::size_t i = q; i < q + 16; ++i) CHECK(result.report.order[i] / 16 == result.report.order[q] / 16);
    }
    CHECK(rows_above(layer, result.matrix, quantize<Uniform<3>>(layer.w.view(), {.tiling = per_group(16)})) == 0);
  }
}

TEST_CASE("gptq: beside weights and codes it needs at most 3 K^2 floats, the Hessian's included") {
  constexpr Index columns = 768;
  const FloatMatrix w = random_matrix(200, columns, 23), x = random_matrix(64, columns, 24);
  for (const bool act_order : {false, true}) {
    Index codes = 0, rank = 0;
    const std::int64_t peak = peak_bytes_of([&] {
      HessianAccumulator h(columns);
      h.add(x.view());
      const auto result = gptq<Uniform<4>>(w.view(), h, {.act_order = act_order});
      codes = result.matrix.bytes();
      rank = result.report.rank;
    });
    CAPTURE(act_order, peak, codes);
    CHECK(rank == 64);
    CHECK(peak - codes <= 3 * columns * columns * Index{sizeof(float)});
    CHECK(peak >= columns * columns * Index{sizeof(float)});  // the Hessian at least: what is counted is all there is
  }
}

TEST_CASE("gptq: progress is told, cancels, and passes on what it throws") {
  const SampleLayer layer(200, 40, 100, 22);
  const auto nearest = quantize<Uniform<4>>(layer.w.view(), {.tiling = per_row()});
  const auto full = gptq<Uniform<4>>(layer.w.view(), layer.hessian);
  ThreadPool pool(3);
  const BackwardsExecutor backwards(2);
  for (const ExecutorRef executor : {ExecutorRef(), ExecutorRef(pool), ExecutorRef(backwards)}) {
    Index last = 0;
    const auto told =
        gptq<Uniform<4>>(layer.w.view(), layer.hessian, {.executor = executor, .progress = [&](const Progress& p) {
                                                           CHECK(p.total == 200);
                                                           CHECK(p.done >= last);
                                                           last = p.done;
                                                           return true;
                                                         }});
    CHECK(last == 200);
    CHECK(told.report.is_complete);
    CHECK(told.matrix == full.matrix);

    const auto cut =
        gptq<Uniform<4>>(layer.w.view(), layer.hessian,
                         {.executor = executor, .progress = [](const Progress& p) { return p.done == 0; }});
    CHECK(!cut.report.is_complete);
    Index rounded = 0;
    for (Index r = 0; r < 200; ++r) {
      const auto same = [&](const QuantizedMatrix<Uniform<4>>& q) {
        const auto a = cut.matrix.packed_row(r), b = q.packed_row(r);
        return std::equal(a.begin(), a.end(), b.begin(), b.end()) && cut.matrix.quantizer(r) == q.quantizer(r);
      };
      CHECK((same(full.matrix) || same(nearest)));
      rounded += same(full.matrix) && !same(nearest);
    }
    CHECK(rounded > 0);
    const auto at_once = gptq<Uniform<4>>(layer.w.view(), layer.hessian,
                                          {.executor = executor, .progress = [](const Progress&) { return false; }});
    CHECK(!at_once.report.is_complete);
    CHECK(at_once.matrix == nearest);
    CHECK_THROWS_AS((gptq<Uniform<4>>(layer.w.view(), layer.hessian,
                                      {.executor = executor,
                                       .progress = [](const Progress& p) -> bool {
                                         if (p.done > 0) throw std::runtime_error("enough");
                                         return true;
                                       }})),
                    std::runtime_error);
  }
}

TEST_CASE("gptq: matrices of any storage, and of no rows") {
  const SampleLayer layer(9, 30, 60, 23);
  const auto expected = gptq<Uniform<4>>(layer.w.view(), layer.hessian);
  const Eigen::MatrixXf columns = as_eigen(layer.w.view());
  CHECK(gptq<Uniform<4>>(columns, layer.hessian).matrix == expected.matrix);
  const MatrixD doubles = as_eigen(layer.w.view()).cast<double>();
  CHECK(gptq<Uniform<4>>(doubles, layer.hessian).matrix == expected.matrix);
  const auto empty = gptq<Uniform<4>>(layer.w.view().row_range(0, 0), layer.hessian);
  CHECK(empty.matrix.rows() == 0);
  CHECK(empty.report.is_complete);
}

TEST_CASE("gptq: what cannot be done is refused") {
  const SampleLayer layer(4, 20, 30, 24);
  const auto call = [&](const GptqOptions& options) {
    return gptq<Uniform<4>>(layer.w.view(), layer.hessian, options);
  };
  CHECK_RAISES(gptq<Uniform<4>>(layer.w.view(), HessianAccumulator(21)),
               "gptq: weight has 20 columns, expected 21 as the Hessian");
  FloatMatrix bad = layer.w;
  bad.view()(2, 3) = std::numeric_limits<float>::infinity();
  CHECK_RAISES(gptq<Uniform<4>>(bad.view(), layer.hessian), "gptq: weight is not finite: row 2, column 3 is inf");
  CHECK_RAISES(gptq<NVFP4>(bad.view(), layer.hessian), "gptq: weight is not finite: row 2, column 3 is inf");
  CHECK_RAISES(call({.group_size = -1}), "group_size is -1, expected at least 0");
  CHECK_RAISES(call({.group_size = 4, .scope = GridScope::tensor}), "expected one of the two");
  CHECK_RAISES(call({.block_size = 0}), "block_size is 0, expected at least 1");
  CHECK_RAISES(call({.act_order = true, .order = ActOrder::by_group}), "by_group, which needs a group_size");
  CHECK_RAISES(call({.damping = {.share = -1}}), "damping.share is -1, expected a finite number of at least 0");
  CHECK_RAISES(call({.damping = {.step = 0}}), "damping.step is 0, expected more than 0");
  CHECK_RAISES(call({.alpha = 0.25}), "alpha is 0.25 without a float_path");
  CHECK_RAISES(call({.descent_sweeps = -1}), "descent_sweeps is -1, expected at least 0");
  CHECK_RAISES(call({.scope = GridScope::tensor, .range = GridRange::objective}), "expected row scope");
  CHECK_RAISES(call({.range = GridRange::objective, .range_factors = {0.5f, 0}}),
               "range_factors has 0, expected finite");
  CHECK_RAISES(call({.group_size = 4, .group_fit = GroupFit::during, .range = GridRange::objective}),
               "needs grids that are fitted before the sweep");
  CHECK_RAISES(call({.scale_storage = ScaleStorage::e4m3}), "expected a quantizer with a tensor scale");
  const InputDifference other(7);
  CHECK_RAISES(call({.float_path = &other}), "float_path has 7 channels, expected 20 as the Hessian");
  CHECK_RAISES(gptq<MXFP4>(layer.w.view(), layer.hessian, {.group_size = 16}), "group_size is 16, expected 32");
}
