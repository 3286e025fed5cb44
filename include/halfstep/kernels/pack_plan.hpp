#pragma once

/// \file
/// What the granules of a quantized weight look like to a kernel: found once, before any code is moved.

#include "halfstep/config.hpp"
#include "halfstep/core/band_grain.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/parallel_for.hpp"
#include "halfstep/kernels/byte_map.hpp"
#include "halfstep/kernels/group_order.hpp"
#include "halfstep/kernels/packed_matrix.hpp"
#include "halfstep/kernels/quantized_matrix.hpp"
#include "halfstep/quantizers/concepts.hpp"
#include "halfstep/quantizers/minifloat_code.hpp"
#include "halfstep/simd/pinned.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// What the values of a plane are lowered by to fit s8: the zero that all granules share (null: none), if the values
/// then fit (it vanishes), nothing if they fit as they are and some are negative, or the middle of the plane.
[[nodiscard]] inline int plane_offset(const BytePlane& plane, int levels, const float* common_zero) {
  const auto end = plane.values.begin() + levels;
  const int least = *std::min_element(plane.values.begin(), end);
  const int largest = *std::max_element(plane.values.begin(), end);
  if (common_zero != nullptr && std::fabs(*common_zero) < 512.0f && *common_zero == std::nearbyint(*common_zero)) {
    const int zero = static_cast<int>(*common_zero);
    if (least - zero >= -128 && largest - zero <= 127) return zero;
  }
  if (least >= -128 && largest <= 127 && least < 0) return 0;
  return (least + largest + 1) / 2;
}

/// The maps from codes to the s8 bytes of both planes.
using PlaneMaps = std::array<ByteMap, 2>;

/// One granule as s8 planes.
struct PackedGranule {
  PlaneMaps maps;
  LoweringScale scale;
};

/// The lowering of every granule of a weight, brought to planes of common weights. All granules of most quantizers have
/// the same planes, which are then kept once; else a granule's are made again where they are needed.
template <ScalarQuantizer Q>
class PackPlan {
 public:
  explicit PackPlan(const QuantizedMatrix<Q>& matrix, ExecutorRef executor = {})
      : matrix_(matrix), order_(group_order(matrix.tiling(), matrix.cols())) {
    const Index granules = matrix.grid().count();
    units_.resize(static_cast<std::size_t>(granules));
    zeros_.resize(static_cast<std::size_t>(granules));
    if constexpr (HasMinifloatCode<Q>) {
      keep_codes(executor);
      return;
    }
    model_ = lower(granules > 0 ? matrix.quantizer(0) : Q{});
    if (!lower_all(executor)) {
      // Planes of different weights, or more in some granules than in the first: all get the two of a table, 256 and 1.
      use_tables_ = true;
      model_ = two_planes_of_a_table(Q{});
      lower_all(executor);
    }
    const bool is_common = common_zero_ && model_.plane_count == 1 && granules > 0;
    const float* const common = is_common ? zeros_.data() : nullptr;
    for (int p = 0; p < model_.plane_count; ++p) {
      const BytePlane& plane = model_.planes[static_cast<std::size_t>(p)];
      offsets_[static_cast<std::size_t>(p)] = plane_offset(plane, level_count<Q>, common);
    }
    shared_maps_ = maps_of(model_, offsets_);
  }

  [[nodiscard]] const GroupOrder& order() const { return order_; }
  [[nodiscard]] int plane_count() const { return model_.plane_count; }
  [[nodiscard]] float plane_weight(int p) const { return model_.planes[static_cast<std::size_t>(p)].weight; }
  /// Whether the maps of all granules are the same.
  [[nodiscard]] bool is_shared() const { return is_shared_; }
  [[nodiscard]] const PlaneMaps& shared_maps() const { return shared_maps_; }
  [[nodiscard]] WeightStorage storage() const {
    if constexpr (HasMinifloatCode<Q>) return WeightStorage::minifloats;
    if (Q::bits > 4 || !is_shared_) return WeightStorage::bytes;
    return Q::bits <= 2 ? WeightStorage::quarters : WeightStorage::nibbles;
  }
  [[nodiscard]] KLayout layout() const { return KLayout(matrix_.cols(), order_.group); }

  /// Unit and zero of granule i, where maps are shared.
  [[nodiscard]] LoweringScale shared_scale(Index i) const {
    const auto at = static_cast<std::size_t>(i);
    return {units_[at], moved(zeros_[at], offsets_)};
  }
  /// Granule i, where maps are not shared.
  [[nodiscard]] PackedGranule granule(Index i) const {
    const Lowering lowering = *lower_granule(i);
    std::array<int, 2> offsets{};
    for (std::size_t p = 0; p < 2; ++p) offsets[p] = plane_offset(lowering.planes[p], level_count<Q>, nullptr);
    return {maps_of(lowering, offsets), {lowering.unit, moved(lowering.zero, offsets)}};
  }

 private:
  /// The plan of minifloats: bytes are codes, and a granule has its scale.
  void keep_codes(ExecutorRef executor) {
    model_ = lower_codes(level_count<Q>, 1.0f, 0.0f);
    shared_maps_ = maps_of(model_, offsets_);
    const Index granules = static_cast<Index>(units_.size());
    parallel_for(executor, granules, 4096, [&](Index begin, Index end) {
      for (Index i = begin; i < end; ++i) units_[static_cast<std::size_t>(i)] = matrix_.quantizer(i).scale;
    });
  }

  /// Fills units and zeros, and notes what all granules share. False: a granule does not fit the planes of the model.
  bool lower_all(ExecutorRef executor) {
    std::atomic<bool> fits{true}, shared{true}, common{true};
    const Index granules = static_cast<Index>(units_.size());
    parallel_for(executor, granules, band_grain(level_count<Q>), [&](Index begin, Index end) {
      for (Index i = begin; i < end && fits; ++i) {
        const std::optional<Lowering> lowering = lower_granule(i);
        if (!lowering) {
          fits = false;
          break;
        }
        if (!same_planes(*lowering)) shared = false;
        if (lowering->zero != model_.zero) common = false;
        units_[static_cast<std::size_t>(i)] = lowering->unit;
        zeros_[static_cast<std::size_t>(i)] = lowering->zero;
      }
    });
    is_shared_ = shared;
    common_zero_ = common && !use_tables_;
    return fits;
  }

  [[nodiscard]] static Lowering two_planes_of_a_table(const Q& q) {
    Lowering lowering = lower_levels(levels_of(q).data(), level_count<Q>);
    if (lowering.plane_count == 1) {
      lowering.planes[1] = lowering.planes[0];
      lowering.planes[0] = BytePlane{256.0f, {}};
      lowering.plane_count = 2;
    }
    return lowering;
  }

  /// The lowering of granule i with the planes of the model: as many, of the same weights. A plane that the granule
  /// does not have is 0. Nothing where it cannot be brought to that form.
  [[nodiscard]] std::optional<Lowering> lower_granule(Index i) const {
    const Q q = matrix_.quantizer(i);
    if (use_tables_) return two_planes_of_a_table(q);
    Lowering lowering = lower(q);
    if (lowering.plane_count == 1 && model_.plane_count == 2 && lowering.planes[0].weight == model_.planes[1].weight) {
      lowering.planes[1] = lowering.planes[0];
      lowering.planes[0] = BytePlane{model_.planes[0].weight, {}};
      lowering.plane_count = 2;
    }
    bool fits = lowering.plane_count == model_.plane_count;
    for (std::size_t p = 0; p < static_cast<std::size_t>(model_.plane_count); ++p) {
      fits = fits && lowering.planes[p].weight == model_.planes[p].weight;
    }
    return fits ? std::optional<Lowering>(lowering) : std::nullopt;
  }

  [[nodiscard]] bool same_planes(const Lowering& lowering) const {
    for (std::size_t p = 0; p < static_cast<std::size_t>(model_.plane_count); ++p) {
      const auto first = model_.planes[p].values.begin();
      if (!std::equal(first, first + level_count<Q>, lowering.planes[p].values.begin())) return false;
    }
    return true;
  }

  /// The zero that goes with planes lowered by `offsets`.
  [[nodiscard]] float moved(float zero, const std::array<int, 2>& offsets) const {
    for (int p = 0; p < model_.plane_count; ++p) {
      zero -= simd::pinned(plane_weight(p) * static_cast<float>(offsets[static_cast<std::size_t>(p)]));
    }
    return zero;
  }

  [[nodiscard]] static PlaneMaps maps_of(const Lowering& lowering, const std::array<int, 2>& offsets) {
    return {ByteMap(lowering.planes[0].values, Q::bits, offsets[0]),
            ByteMap(lowering.planes[1].values, Q::bits, offsets[1])};
  }

  const QuantizedMatrix<Q>& matrix_;
  GroupOrder order_;
  Lowering model_;  // the planes that all granules have, or the weights that they agree on
  bool use_tables_ = false;
  bool is_shared_ = true;
  bool common_zero_ = true;
  std::array<int, 2> offsets_{};
  PlaneMaps shared_maps_;
  std::vector<float> units_, zeros_;  // by granule, before planes are moved
};

}  // namespace halfstep::inline HALFSTEP_ABI
