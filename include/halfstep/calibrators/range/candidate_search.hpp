#pragma once

/// \file
/// The best of given quantizers, by any measure of loss: what every search for parameters ends in.

#include "halfstep/config.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/parallel_for.hpp"
#include "halfstep/core/progress.hpp"
#include "halfstep/quantizers/concepts.hpp"

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <limits>
#include <span>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// As many candidates for each of some granules: number c of all of them together is what one call of a loss judges.
template <ScalarQuantizer Q>
class Candidates {
 public:
  /// `count` default quantizers for each granule, to be filled in.
  Candidates(Index granules, Index count)
      : granules_(granules), quantizers_(static_cast<std::size_t>(granules * count)) {}

  /// The same candidates for each of `granules` granules.
  explicit Candidates(const std::vector<Q>& list, Index granules = 1)
      : Candidates(granules, static_cast<Index>(list.size())) {
    for (Index c = 0; c < count(); ++c) {
      for (Index g = 0; g < granules; ++g) set(c, g, list[static_cast<std::size_t>(c)]);
    }
  }

  /// A list for each granule. Error: lists of different lengths.
  explicit Candidates(const std::vector<std::vector<Q>>& lists)
      : Candidates(static_cast<Index>(lists.size()), lists.empty() ? 0 : static_cast<Index>(lists[0].size())) {
    for (std::size_t g = 0; g < lists.size(); ++g) {
      if (static_cast<Index>(lists[g].size()) != count()) {
        raise("Candidates", "granule ", g, " has ", lists[g].size(), " candidates, granule 0 has ", count());
      }
      for (std::size_t c = 0; c < lists[g].size(); ++c) {
        set(static_cast<Index>(c), static_cast<Index>(g), lists[g][c]);
      }
    }
  }

  [[nodiscard]] Index granules() const { return granules_; }
  /// Candidates of one granule.
  [[nodiscard]] Index count() const { return granules_ == 0 ? 0 : static_cast<Index>(quantizers_.size()) / granules_; }

  /// Candidate number `candidate` of every granule, in granule order.
  [[nodiscard]] std::span<const Q> row(Index candidate) const {
    return {quantizers_.data() + candidate * granules_, static_cast<std::size_t>(granules_)};
  }
  [[nodiscard]] const Q& at(Index candidate, Index granule) const {
    return quantizers_[static_cast<std::size_t>(candidate * granules_ + granule)];
  }
  void set(Index candidate, Index granule, const Q& q) {
    quantizers_[static_cast<std::size_t>(candidate * granules_ + granule)] = q;
  }

 private:
  Index granules_;
  std::vector<Q> quantizers_;  // [candidate][granule]
};

/// What a search makes small: given a quantizer for each granule it writes a loss for each. Granules do not see each
/// other, so that one call judges a candidate of each. Called from several threads at a time.
template <class L, class Q>
concept CandidateLoss = ScalarQuantizer<Q> &&
    requires(const L& loss, std::span<const Q> quantizers, std::span<double> losses) {
  { loss.granules() } -> std::convertible_to<Index>;
  loss(quantizers, losses);
};

/// How a search is run.
struct SearchOptions {
  ExecutorRef executor = {};       ///< results do not depend on it
  ProgressCallback progress = {};  ///< may cancel; the best of what was tried is returned
};

/// The run of a search, which may consist of several: where it runs, how far it is, whether it was cancelled.
class SearchRun {
 public:
  SearchRun(const SearchOptions& options, Index total) : options_(options), total_(total) {}

  [[nodiscard]] ExecutorRef executor() const { return options_.executor; }
  [[nodiscard]] bool is_cancelled() const { return is_cancelled_; }

  /// Says that `candidates` more were tried, and asks whether to go on. After the last there is nothing to cancel.
  void advance(Index candidates) {
    done_ += candidates;
    if (is_cancelled_ || !options_.progress) return;
    is_cancelled_ = !options_.progress({done_, total_}) && done_ < total_;
  }

 private:
  SearchOptions options_;
  Index total_;
  Index done_ = 0;
  bool is_cancelled_ = false;
};

/// The winner of one granule.
template <ScalarQuantizer Q>
struct CandidateChoice {
  Q quantizer;
  Index index = 0;  ///< its number among all that were tried
  double loss = std::numeric_limits<double>::infinity();
  friend bool operator==(const CandidateChoice&, const CandidateChoice&) = default;
};

/// What a search settles on.
template <ScalarQuantizer Q>
struct SearchResult {
  std::vector<CandidateChoice<Q>> choices;  ///< by granule
  bool is_complete = true;                  ///< false where it was cancelled: the best of what was tried
  friend bool operator==(const SearchResult&, const SearchResult&) = default;
};

/// The quantizers of all choices, in granule order: what `quantize_with` takes.
template <ScalarQuantizer Q>
[[nodiscard]] std::vector<Q> quantizers_of(const SearchResult<Q>& result) {
  std::vector<Q> quantizers;
  quantizers.reserve(result.choices.size());
  for (const CandidateChoice<Q>& choice : result.choices) quantizers.push_back(choice.quantizer);
  return quantizers;
}

/// The mean loss over all granules.
template <ScalarQuantizer Q>
[[nodiscard]] double mean_loss(const SearchResult<Q>& result) {
  double sum = 0;
  for (const CandidateChoice<Q>& choice : result.choices) sum += choice.loss;
  return sum / static_cast<double>(result.choices.size());
}

/// Refuses candidates that a loss cannot judge.
template <ScalarQuantizer Q, CandidateLoss<Q> Loss>
void require_candidates(std::string_view where, const Candidates<Q>& candidates, const Loss& loss) {
  if (candidates.count() == 0) raise(where, "candidates is empty, expected at least one");
  const Index granules = loss.granules();
  if (candidates.granules() == granules) return;
  raise(where, "candidates are for ", candidates.granules(), " granules, the loss has ", granules);
}

/// The losses of all candidates, `[candidate][granule]`; of fewer where the run is cancelled, but of 32 at least.
template <ScalarQuantizer Q, CandidateLoss<Q> Loss>
[[nodiscard]] std::vector<double> candidate_losses(const Candidates<Q>& candidates, const Loss& loss, SearchRun& run) {
  constexpr Index group_size = 32;
  const auto granules = static_cast<std::size_t>(candidates.granules());
  std::vector<double> losses;
  for (Index first = 0; first < candidates.count(); first += group_size) {
    const Index last = std::min(first + group_size, candidates.count());
    losses.resize(static_cast<std::size_t>(last) * granules);
    parallel_for(run.executor(), last - first, 1, [&](Index begin, Index end) {
      for (Index c = first + begin; c < first + end; ++c) {
        loss(candidates.row(c), std::span<double>(losses).subspan(static_cast<std::size_t>(c) * granules, granules));
      }
    });
    run.advance(last - first);
    if (run.is_cancelled()) break;
  }
  return losses;
}

/// Offers candidates and their losses `[candidate][granule]` to `choices`: of equal ones the first wins, of losses that
/// are no numbers none. `first_index` is the number of the first candidate.
template <ScalarQuantizer Q>
void offer_candidates(const Candidates<Q>& candidates, std::span<const double> losses, Index first_index,
                      std::vector<CandidateChoice<Q>>& choices) {
  const auto granules = static_cast<std::size_t>(candidates.granules());
  if (choices.empty()) {
    for (const Q& q : candidates.row(0)) choices.push_back({q, first_index});
  }
  for (std::size_t c = 0; (c + 1) * granules <= losses.size(); ++c) {
    for (std::size_t g = 0; g < granules; ++g) {
      if (!(losses[c * granules + g] < choices[g].loss)) continue;
      choices[g] = {candidates.at(static_cast<Index>(c), static_cast<Index>(g)), first_index + static_cast<Index>(c),
                    losses[c * granules + g]};
    }
  }
}

/// The same within a larger run.
template <ScalarQuantizer Q, CandidateLoss<Q> Loss>
[[nodiscard]] SearchResult<Q> candidate_search(const Candidates<Q>& candidates, const Loss& loss, SearchRun& run) {
  require_candidates("candidate_search", candidates, loss);
  SearchResult<Q> result;
  offer_candidates(candidates, std::span<const double>(candidate_losses(candidates, loss, run)), 0, result.choices);
  result.is_complete = !run.is_cancelled();
  return result;
}

/// The candidate of least loss of each granule, of equals the first. Whatever is among the candidates, the result is
/// not worse.
///
///     const auto best = candidate_search(Candidates<TanQ<4>>(list), ValueLoss<TanQ<4>>(x));
///
/// Errors: no candidates; for another number of granules than the loss has. Costs one call of `loss` per candidate,
/// shared among the threads of the executor. Class: that of the loss, for any executor.
template <ScalarQuantizer Q, CandidateLoss<Q> Loss>
[[nodiscard]] SearchResult<Q> candidate_search(const Candidates<Q>& candidates, const Loss& loss,
                                               const SearchOptions& options = {}) {
  SearchRun run(options, candidates.count());
  return candidate_search(candidates, loss, run);
}

}  // namespace halfstep::inline HALFSTEP_ABI
