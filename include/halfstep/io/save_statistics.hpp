#pragma once

/// \file
/// Writing the statistics of observers: `save`. What is written: io/statistics_layout.hpp.

#include "halfstep/config.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/range.hpp"
#include "halfstep/core/tiling.hpp"
#include "halfstep/io/atomic_file.hpp"
#include "halfstep/io/described_tensors.hpp"
#include "halfstep/io/dtype.hpp"
#include "halfstep/io/json.hpp"
#include "halfstep/io/named_tensor.hpp"
#include "halfstep/io/owned_tensors.hpp"
#include "halfstep/io/safetensors_writer.hpp"
#include "halfstep/io/statistics_layout.hpp"
#include "halfstep/io/tensor_info.hpp"

#include <cstdint>
#include <deque>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Statistics of any observers, to be written as one file.
///
///     hs::StatisticsTensors statistics;
///     statistics.add("blocks.0.attn.qkv", seen);       // hs::Histogram, hs::MinMax, a running one
///     hs::save("calibration.safetensors", statistics);
///
/// Statistics are copied. Error, for each: no data was observed; after an error nothing is added.
class StatisticsTensors {
 public:
  void add(const std::string& name, const Histogram& seen) {
    std::vector<float> ends;
    std::vector<std::int64_t> zeros, counts;
    std::vector<std::int32_t> octaves;
    for (const FloatBins& bins : seen.granules()) {
      const FloatBinsParts parts = bins.parts();
      ends.insert(ends.end(), {parts.min, parts.max});
      zeros.push_back(parts.zeros);
      for (const FloatBinsSide* side : {&parts.positive, &parts.negative}) {
        octaves.insert(octaves.end(),
                       {static_cast<std::int32_t>(side->first_octave), static_cast<std::int32_t>(side->octaves)});
        counts.insert(counts.end(), side->counts.begin(), side->counts.end());
      }
    }
    const auto granules = static_cast<Index>(zeros.size());
    describe(name, tiled<Histogram>(name, seen.tiling(), {{"mantissa_bits", seen.mantissa_bits()}}));
    add_shape(name, seen.shape());
    tensors_.add(part_name(name, "ends"), DType::F32, {granules, 2}, ends);
    tensors_.add(part_name(name, "zeros"), DType::I64, {granules}, zeros);
    tensors_.add(part_name(name, "octaves"), DType::I32, {granules, 4}, octaves);
    tensors_.add(part_name(name, "counts"), DType::I64, {static_cast<Index>(counts.size())}, counts);
  }

  void add(const std::string& name, const MinMax& seen) {
    std::vector<float> ends;
    std::vector<std::int64_t> values;
    std::vector<std::uint64_t> sums;
    for (const RangeStatistic& granule : seen.granules()) {
      const RangeStatisticParts parts = granule.parts();
      ends.insert(ends.end(), {parts.min, parts.max});
      values.push_back(parts.count);
      sums.insert(sums.end(), parts.sum_abs.begin(), parts.sum_abs.end());
    }
    const auto granules = static_cast<Index>(values.size());
    describe(name, tiled<MinMax>(name, seen.tiling(), nlohmann::json::object()));
    add_shape(name, seen.shape());
    tensors_.add(part_name(name, "ends"), DType::F32, {granules, 2}, ends);
    tensors_.add(part_name(name, "values"), DType::I64, {granules}, values);
    tensors_.add(part_name(name, "sum_abs"), DType::U64, {granules, 5}, sums);
  }

  void add(const std::string& name, const RunningAverage& seen) {
    add_ranges<RunningAverage>(name, seen, seen.options().tiling, {{"sigma", seen.options().sigma}});
  }
  void add(const std::string& name, const RunningPercentile& seen) {
    const RunningPercentileOptions options = seen.options();
    add_ranges<RunningPercentile>(name, seen, options.tiling, {{"sigma", options.sigma}, {"p", options.p}});
  }
  void add(const std::string& name, const RunningPercentileMax& seen) {
    const RunningPercentileMaxOptions options = seen.options();
    add_ranges<RunningPercentileMax>(name, seen, options.tiling, {{"sigma", options.sigma}, {"p", options.p}});
  }

  void add(const std::string& name, const HeadwiseRange& seen) {
    std::vector<float> estimates;
    for (const HeadwiseRange::Estimate& e : seen.estimates()) estimates.insert(estimates.end(), {e.span, e.shift});
    describe(name, {{"kind", statistics_kind<HeadwiseRange>},
                    {"groups", seen.options().groups},
                    {"sigma", seen.options().sigma},
                    {"batches", seen.batches()}});
    tensors_.add(part_name(name, "estimates"), DType::F32, {seen.options().groups, 2}, estimates);
  }

  [[nodiscard]] const std::deque<NamedTensor>& tensors() const { return tensors_.tensors(); }
  [[nodiscard]] const Metadata& metadata() const { return metadata_; }

 private:
  /// A description with a tiling, whose column map becomes a tensor.
  template <class Observer>
  [[nodiscard]] nlohmann::json tiled(const std::string& name, const Tiling& tiling, nlohmann::json description) {
    description["kind"] = statistics_kind<Observer>;
    description["tile_rows"] = tiling.tile_rows;
    description["tile_cols"] = tiling.tile_cols;
    if (tiling.is_column_map()) {
      tensors_.add(part_name(name, "groups"), DType::I32, {static_cast<Index>(tiling.column_groups.size())},
                   tiling.column_groups);
    }
    return description;
  }

  template <class Observer>
  void add_ranges(const std::string& name, const Observer& seen, const Tiling& tiling, nlohmann::json description) {
    std::vector<float> ranges;
    for (const Range& range : seen.ranges()) ranges.insert(ranges.end(), {range.min, range.max, range.mean_abs});
    const auto granules = static_cast<Index>(ranges.size()) / 3;
    description["batches"] = seen.batches();
    describe(name, tiled<Observer>(name, tiling, std::move(description)));
    tensors_.add(part_name(name, "ranges"), DType::F32, {granules, 3}, ranges);
  }

  void describe(const std::string& name, const nlohmann::json& description) {
    metadata_[statistics_key(name)] = description.dump();
  }
  void add_shape(const std::string& name, Shape shape) {
    tensors_.add<std::int64_t>(part_name(name, "shape"), DType::I64, {2}, {shape.rows, shape.cols});
  }

  OwnedTensors tensors_;
  Metadata metadata_;
};

/// Writes statistics as one safetensors file, which `load_statistics` reads. The same statistics give the same bytes.
/// Nothing appears under `path` before the file is complete. Returns its size in bytes. Errors: those of
/// `SafetensorsWriter`, such as two observers of one name.
inline std::uint64_t save(const std::filesystem::path& path, const StatisticsTensors& statistics,
                          Existing existing = Existing::refuse) {
  Metadata metadata = statistics.metadata();
  metadata.emplace(statistics_format_key, std::to_string(statistics_format_version));
  return write_each_tensor(path, statistics.tensors(), {.metadata = std::move(metadata), .existing = existing});
}

/// The same for one observer. Errors: those of `StatisticsTensors::add` as well.
template <StorableObserver Observer>
std::uint64_t save(const std::filesystem::path& path, const std::string& name, const Observer& seen,
                   Existing existing = Existing::refuse) {
  StatisticsTensors statistics;
  statistics.add(name, seen);
  return save(path, statistics, existing);
}

}  // namespace halfstep::inline HALFSTEP_ABI
