#pragma once

/// \file
/// A search over a coarse grid that is refined around its best candidates, step by step: AdaLog's fast progressive
/// combining search (FPCS), for quantizers with a scale and anything beside it.

#include "halfstep/calibrators/range/candidate_search.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/finite.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/quantizers/concepts.hpp"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Where a progressive search starts.
template <HasScale Q>
struct ProgressiveGrid {
  Candidates<Q> candidates;
  std::vector<float> steps;  ///< by granule: the distance between the scales of neighbours
};

/// How a grid is refined. The defaults are AdaLog's for uniform quantizers.
struct Refinement {
  int keep = 16;          ///< candidates that survive a step
  int children = 8;       ///< that each of them has in the next
  int steps = 6;          ///< the grid is the first
  float least_scale = 0;  ///< smaller ones are raised to it
};

/// Candidates that a progressive search over `count` starts with tries in all.
[[nodiscard]] constexpr Index progressive_count(Index count, const Refinement& refinement) {
  return count + Index{refinement.steps - 1} * refinement.children * std::min<Index>(refinement.keep, count);
}

/// The numbers of the `keep` least losses of granule `granule` among `[candidate][granule]`, best first, of equals the
/// earlier first.
[[nodiscard]] inline std::vector<Index> least_losses(std::span<const double> losses, Index granules, Index granule,
                                                     Index keep) {
  std::vector<Index> order(losses.size() / static_cast<std::size_t>(granules));
  std::iota(order.begin(), order.end(), Index{0});
  const auto loss = [&](Index c) {
    const double value = losses[static_cast<std::size_t>(c * granules + granule)];
    return is_finite_bits(value) ? value : std::numeric_limits<double>::max();  // what is no number comes last
  };
  const auto is_better = [&](Index a, Index b) { return loss(a) < loss(b) || (loss(a) == loss(b) && a < b); };
  const auto kept = std::min<std::size_t>(order.size(), static_cast<std::size_t>(keep));
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(kept), order.end(), is_better);
  order.resize(kept);
  return order;
}

/// The children of the survivors: for each its copies with the scales s + (j / (children - 1) - 1/2) * step.
template <HasScale Q>
[[nodiscard]] Candidates<Q> children_of(const Candidates<Q>& parents, std::span<const double> losses,
                                        const std::vector<float>& steps, const Refinement& refinement) {
  const Index granules = parents.granules(), tried = static_cast<Index>(losses.size()) / granules;
  Candidates<Q> children(granules, std::min<Index>(refinement.keep, tried) * refinement.children);
  for (Index g = 0; g < granules; ++g) {
    Index next = 0;
    for (const Index survivor : least_losses(losses, granules, g, refinement.keep)) {
      for (int j = 0; j < refinement.children; ++j) {
        Q child = parents.at(survivor, g);
        const float share = static_cast<float>(j) / static_cast<float>(refinement.children - 1) - 0.5f;
        const float scale = child.scale + share * steps[static_cast<std::size_t>(g)];
        if (scale > 0) child.scale = scale;
        child.scale = std::max(child.scale, refinement.least_scale);
        children.set(next++, g, child);
      }
    }
  }
  return children;
}

/// Refuses what cannot be refined.
template <HasScale Q>
void require_progressive(std::string_view where, const ProgressiveGrid<Q>& grid, const Refinement& refinement) {
  if (refinement.keep < 1) raise(where, "keep is ", refinement.keep, ", expected at least 1");
  if (refinement.children < 2) raise(where, "children is ", refinement.children, ", expected at least 2");
  if (refinement.steps < 1) raise(where, "steps is ", refinement.steps, ", expected at least 1");
  if (static_cast<Index>(grid.steps.size()) != grid.candidates.granules()) {
    raise(where, "grid has ", grid.steps.size(), " steps for ", grid.candidates.granules(), " granules");
  }
}

/// The same within a larger run.
template <HasScale Q, CandidateLoss<Q> Loss>
[[nodiscard]] SearchResult<Q> progressive_search(ProgressiveGrid<Q> grid, const Loss& loss,
                                                 const Refinement& refinement, SearchRun& run) {
  require_progressive("progressive_search", grid, refinement);
  require_candidates("progressive_search", grid.candidates, loss);
  SearchResult<Q> result;
  Index tried = 0;
  for (int step = 1;; ++step) {
    const std::vector<double> losses = candidate_losses(grid.candidates, loss, run);
    offer_candidates(grid.candidates, std::span<const double>(losses), tried, result.choices);
    tried += grid.candidates.count();
    if (step == refinement.steps || run.is_cancelled()) break;
    grid.candidates = children_of(grid.candidates, std::span<const double>(losses), grid.steps, refinement);
    for (float& s : grid.steps) s /= static_cast<float>(refinement.children) - 0.5f;
  }
  result.is_complete = !run.is_cancelled();
  return result;
}

/// Tries a grid, then, `steps - 1` times, the children of its `keep` best candidates: each survivor's copies with
/// `children` scales spread over one step around its own, all else the same; after each time the step is divided by
/// `children - 1/2`. Granules are refined by themselves, side by side. Returns the best of all that were tried; where
/// the published program keeps the best of the last step, an earlier candidate that was better wins here.
///
/// Errors: a grid without candidates, or for other granules than the loss has; fewer than 1 survivor, 2 children, 1
/// step. Costs count + (steps - 1) * keep * children calls of `loss`. Class: that of the loss, for any executor.
/// Source: Wu et al., AdaLog, ECCV 2024, section 3.4, and its published program.
template <HasScale Q, CandidateLoss<Q> Loss>
[[nodiscard]] SearchResult<Q> progressive_search(const ProgressiveGrid<Q>& grid, const Loss& loss,
                                                 const Refinement& refinement = {}, const SearchOptions& options = {}) {
  SearchRun run(options, progressive_count(grid.candidates.count(), refinement));
  return progressive_search(grid, loss, refinement, run);
}

}  // namespace halfstep::inline HALFSTEP_ABI
