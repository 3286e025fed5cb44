#pragma once

/// \file
/// Ranges of attention heads that follow their batches: Mesa's head-wise running estimates.

#include "halfstep/calibrators/range/granule_statistics.hpp"
#include "halfstep/calibrators/range/min_max.hpp"
#include "halfstep/calibrators/range/moved_toward.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/finite.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/tiling.hpp"
#include "halfstep/quantizers/shifted_uniform.hpp"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <string_view>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Where the heads of an activation are. `heads` 0: side by side in each row, `[images * tokens, heads * size]`. Else
/// rows are `[images, heads, tokens]`, of `size` columns.
struct HeadLayout {
  Index heads = 0;
  Index tokens = 0;  ///< of one head of one image; read where `heads` is not 0

  /// The tiling whose granules are parts of heads: blocks of columns, or blocks of rows.
  [[nodiscard]] Tiling tiling(Index groups, Index cols) const {
    return heads == 0 ? per_column_block(cols / groups) : per_row_block(tokens);
  }
  /// The group that granule number `granule` of that tiling belongs to.
  [[nodiscard]] Index group(Index granule, Index groups) const {
    return heads == 0 ? granule : granule % heads / (heads / groups);
  }
};

/// How `HeadwiseRange` is kept.
struct HeadwiseRangeOptions {
  Index groups = 1;    ///< of heads; consecutive heads, or channels, share one
  float sigma = 0.1f;  ///< weight of a new batch, in (0, 1]: 1 less the paper's decay
};

/// A running estimate for each group of heads: `shift` follows the least value of the batches, `span` the distance from
/// it to the largest. The first batch sets both, each further one moves them, `v += sigma * (current - v)`.
///
///     HeadwiseRange seen({.groups = 12});
///     seen.observe(keys);                                   // the batch that is about to be encoded comes first
///     const Tiling tiling = HeadLayout{}.tiling(12, keys.cols());
///     auto codes = quantize_with(keys, seen.quantizers_for({keys.rows(), keys.cols()}), {.tiling = tiling});
///
/// Source: Pan et al., "Mesa: A Memory-saving Training Framework for Transformers", 2021, section 3.2; published
/// program. An estimate depends on the order of its batches, so it cannot be merged. Class: exact, given the order.
class HeadwiseRange {
 public:
  /// The estimate of one group.
  struct Estimate {
    float span = 0;
    float shift = 0;
    friend bool operator==(const Estimate&, const Estimate&) = default;
  };

  explicit HeadwiseRange(HeadwiseRangeOptions options = {}) : options_(options) {
    if (options.groups < 1) raise("HeadwiseRange", "groups is ", options.groups, ", expected at least 1");
    if (!(options.sigma > 0 && options.sigma <= 1)) {
      raise("HeadwiseRange", "sigma is ", options.sigma, ", expected more than 0 and at most 1");
    }
  }

  /// What was kept before. Errors: no batches; another number of estimates than groups; estimates that are none.
  HeadwiseRange(HeadwiseRangeOptions options, Index batches, std::vector<Estimate> estimates) : HeadwiseRange(options) {
    if (batches < 1) raise("HeadwiseRange", "batches is ", batches, ", expected at least 1");
    if (static_cast<Index>(estimates.size()) != options.groups) {
      raise("HeadwiseRange", "there are ", estimates.size(), " estimates, expected ", options.groups, " (groups)");
    }
    if (const std::string_view fault = fault_of(estimates); !fault.empty()) raise("HeadwiseRange", fault);
    batches_ = batches;
    estimates_ = std::move(estimates);
  }

  /// Why these are no estimates; empty if they are.
  [[nodiscard]] static std::string_view fault_of(const std::vector<Estimate>& estimates) {
    for (const Estimate& e : estimates) {
      if (!(is_finite_bits(e.span) && e.span >= 0)) return "a span is negative or not finite";
      if (!is_finite_bits(e.shift)) return "a shift is not finite";
    }
    return {};
  }

  [[nodiscard]] const HeadwiseRangeOptions& options() const { return options_; }
  /// Number of batches so far.
  [[nodiscard]] Index batches() const { return batches_; }

  /// Moves the estimates toward the ranges of `batch`, which must have elements, all finite. Errors: heads, channels or
  /// rows that cannot be dealt out evenly.
  template <Viewable M>
  void observe(const M& batch, HeadLayout layout = {}, ExecutorRef executor = {}) {
    const auto source = view(batch);
    require_readable("HeadwiseRange::observe", "batch", source);
    require_layout("HeadwiseRange::observe", shape_of(source), layout);
    GranuleStatistics<RangeStatistic> seen(layout.tiling(options_.groups, source.cols));
    seen.observe("HeadwiseRange::observe", source, executor);
    std::vector<RangeStatistic> groups(static_cast<std::size_t>(options_.groups));
    Index granule = 0;
    for (const RangeStatistic& part : seen.observed("HeadwiseRange::observe")) {
      groups[static_cast<std::size_t>(layout.group(granule++, options_.groups))].merge(part);
    }
    move_toward(groups);
  }

  /// The estimate of each group. Error: no data was observed.
  [[nodiscard]] const std::vector<Estimate>& estimates() const {
    if (batches_ == 0) raise("HeadwiseRange::estimates", "no data was observed");
    return estimates_;
  }

  /// The quantizer of each group. Error: no data was observed.
  [[nodiscard]] std::vector<ShiftedUniform<8>> quantizers() const {
    std::vector<ShiftedUniform<8>> quantizers;
    for (const Estimate& e : estimates()) quantizers.push_back(ShiftedUniform<8>::over(e.shift, e.span));
    return quantizers;
  }

  /// The quantizer of each granule of `layout.tiling(groups, cols)` over a matrix of this shape: what `quantize_with`
  /// takes. Errors: as `observe`; no data was observed.
  [[nodiscard]] std::vector<ShiftedUniform<8>> quantizers_for(Shape shape, HeadLayout layout = {}) const {
    require_layout("HeadwiseRange::quantizers_for", shape, layout);
    const std::vector<ShiftedUniform<8>> by_group = quantizers();
    const TilingGrid grid(layout.tiling(options_.groups, shape.cols), shape);
    std::vector<ShiftedUniform<8>> by_granule;
    for (Index g = 0; g < grid.count(); ++g) {
      by_granule.push_back(by_group[static_cast<std::size_t>(layout.group(g, options_.groups))]);
    }
    return by_granule;
  }

 private:
  void require_layout(std::string_view where, Shape shape, HeadLayout layout) const {
    if (layout.heads == 0) {
      if (shape.cols % options_.groups == 0) return;
      raise(where, "batch has ", shape.cols, " columns, expected a multiple of the ", options_.groups, " groups");
    }
    if (layout.heads < 0 || layout.heads % options_.groups != 0) {
      raise(where, "layout has ", layout.heads, " heads, expected a multiple of the ", options_.groups, " groups");
    }
    if (layout.tokens < 1 || shape.rows % (layout.heads * layout.tokens) != 0) {
      raise(where, "batch has ", shape.rows, " rows, expected a multiple of ", layout.heads, " heads times ",
            layout.tokens, " tokens");
    }
  }

  void move_toward(const std::vector<RangeStatistic>& groups) {
    const bool is_first = batches_ == 0;
    estimates_.resize(groups.size());
    for (std::size_t g = 0; g < groups.size(); ++g) {
      const Range range = groups[g].range();
      const float span = std::min(range.max - range.min, std::numeric_limits<float>::max());
      Estimate& e = estimates_[g];
      e.span = is_first ? span : moved_toward(e.span, span, options_.sigma);
      e.shift = is_first ? range.min : moved_toward(e.shift, range.min, options_.sigma);
    }
    ++batches_;
  }

  HeadwiseRangeOptions options_;
  std::vector<Estimate> estimates_;
  Index batches_ = 0;
};

}  // namespace halfstep::inline HALFSTEP_ABI
