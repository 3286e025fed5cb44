#pragma once

/// \file
/// The parameters of a shift-log2 quantizer (SULQ): what is added before the logarithm, and the ends of its range.

#include "halfstep/calibrators/range/candidate_search.hpp"
#include "halfstep/calibrators/range/min_max.hpp"
#include "halfstep/calibrators/range/value_loss.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/progress.hpp"
#include "halfstep/core/range.hpp"
#include "halfstep/core/tiling.hpp"
#include "halfstep/quantizers/shift_log2.hpp"
#include "halfstep/simd/log.hpp"

#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Options of `shift_log2_search`.
struct ShiftLog2SearchOptions {
  std::vector<float> etas = {0.001f, 0.005f, 0.01f, 0.02f, 0.03f, 0.04f, 0.05f, 0.1f, 0.2f, 0.5f, 1.0f};
  Tiling tiling = per_tensor();
  ExecutorRef executor = {};       ///< results do not depend on it
  ProgressCallback progress = {};  ///< may cancel; the best of what was tried is returned
};

/// For each eta the quantizer whose ends are the logarithms of `range.min + eta` and `range.max + eta`. Also the
/// candidates of an `output_search`. Errors: no etas; one that is not positive, or does not lift the range above 0.
/// Class: exact.
template <int Bits>
[[nodiscard]] std::vector<ShiftLog2<Bits>> shift_log2_candidates(const Range& range, const std::vector<float>& etas) {
  if (etas.empty()) raise("shift_log2_candidates", "etas is empty, expected at least one");
  std::vector<ShiftLog2<Bits>> candidates;
  for (const float eta : etas) {
    if (!(eta > 0 && range.min + eta > 0)) {
      raise("shift_log2_candidates", "eta is ", eta, ", expected more than 0 and more than minus the least value, ",
            range.min);
    }
    candidates.push_back({eta, simd::log2(range.min + eta), simd::log2(range.max + eta)});
  }
  return candidates;
}

/// For each granule of `matrix` `[rows, cols]`, probabilities after a softmax, the eta of least mean squared error, of
/// equals the first, and the ends that go with it.
///
/// Errors: no elements; one that is not finite; an eta that does not lift all values above 0. Encodes each granule once
/// per eta. Class: ordered, for any executor. Source: Zhong et al., I&S-ViT, 2023, section 3.2, and published program
/// (which searches with 2^b - 1 steps, as here, and then runs with 2^b).
template <int Bits, Viewable M>
[[nodiscard]] SearchResult<ShiftLog2<Bits>> shift_log2_search(const M& matrix,
                                                              const ShiftLog2SearchOptions& options = {}) {
  GranuleValues values = values_of_granules("shift_log2_search", matrix, options.tiling, options.executor);
  std::vector<std::vector<ShiftLog2<Bits>>> lists;
  for (const std::vector<float>& own : values) {
    RangeStatistic seen;
    seen.add(own.data(), static_cast<Index>(own.size()));
    lists.push_back(shift_log2_candidates<Bits>(seen.range(), options.etas));
  }
  return candidate_search(Candidates<ShiftLog2<Bits>>(lists), ValueLoss<ShiftLog2<Bits>>(std::move(values)),
                          SearchOptions{options.executor, options.progress});
}

}  // namespace halfstep::inline HALFSTEP_ABI
