#pragma once

/// \file
/// Reading the statistics of observers: `load_statistics`. What is read: io/statistics_layout.hpp.

#include "halfstep/config.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/range.hpp"
#include "halfstep/core/tiling.hpp"
#include "halfstep/io/described_tensors.hpp"
#include "halfstep/io/dtype.hpp"
#include "halfstep/io/io_error.hpp"
#include "halfstep/io/json.hpp"
#include "halfstep/io/safetensors.hpp"
#include "halfstep/io/statistics_layout.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Reads the statistics of one observer of an open file; everything that it says is checked before it is used.
class StatisticsReader {
 public:
  StatisticsReader(const SafetensorsFile& file, std::string_view name) : tensors_(file, "statistics", name) {
    tensors_.require_version(statistics_format_key, statistics_format_version);
    description_ = tensors_.description(statistics_key(name));
  }

  void require_kind(std::string_view expected) const {
    const std::string kind = tensors_.text(description_, "kind");
    if (kind == expected) return;
    tensors_.fail(IoErrorCode::unsupported, "are of the kind ", in_quotes(kind), ", expected ", in_quotes(expected));
  }

  [[nodiscard]] Histogram read(const Histogram*) const {
    const Shape shape = tensors_.shape();
    const Tiling tiling = tiled(shape.cols);
    const Index granules = granules_of(tiling, shape, sizeof(FloatBins));
    const auto mantissa_bits = static_cast<int>(tensors_.number(description_, "mantissa_bits", 16));
    const auto ends = values<float>("ends", DType::F32, {granules, 2});
    const auto zeros = values<std::int64_t>("zeros", DType::I64, {granules});
    const auto octaves = values<std::int32_t>("octaves", DType::I32, {granules, 4});
    const std::vector<std::size_t> starts = starts_of(octaves, mantissa_bits);
    const std::size_t total = starts.back();
    const auto counts = values<std::int64_t>("counts", DType::I64, {static_cast<Index>(total)});
    std::vector<FloatBins> all;
    for (std::size_t g = 0; g < static_cast<std::size_t>(granules); ++g) {
      FloatBinsParts parts{mantissa_bits, ends[2 * g], ends[2 * g + 1], zeros[g], {}, {}};
      parts.positive = side(octaves, counts, starts, 2 * g);
      parts.negative = side(octaves, counts, starts, 2 * g + 1);
      require_no_fault(fault_of(parts), g);
      all.emplace_back(parts);
    }
    return {tiling, shape, std::move(all)};
  }

  [[nodiscard]] MinMax read(const MinMax*) const {
    const Shape shape = tensors_.shape();
    const Tiling tiling = tiled(shape.cols);
    const Index granules = granules_of(tiling, shape, sizeof(RangeStatistic));
    const auto ends = values<float>("ends", DType::F32, {granules, 2});
    const auto counts = values<std::int64_t>("values", DType::I64, {granules});
    const auto sums = values<std::uint64_t>("sum_abs", DType::U64, {granules, 5});
    std::vector<RangeStatistic> all;
    for (std::size_t g = 0; g < static_cast<std::size_t>(granules); ++g) {
      RangeStatisticParts parts{ends[2 * g], ends[2 * g + 1], counts[g], {}};
      std::copy_n(sums.begin() + static_cast<std::ptrdiff_t>(5 * g), 5, parts.sum_abs.begin());
      require_no_fault(fault_of(parts), g);
      all.emplace_back(parts);
    }
    return {tiling, shape, std::move(all)};
  }

  [[nodiscard]] RunningAverage read(const RunningAverage*) const {
    return {{.tiling = tiled_any(), .sigma = sigma()}, batches(), ranges()};
  }
  [[nodiscard]] RunningPercentile read(const RunningPercentile*) const {
    const double p = tensors_.real(description_, "p", 0.5, 1);
    return {{.p = p, .tiling = tiled_any(), .sigma = sigma()}, batches(), ranges()};
  }
  [[nodiscard]] RunningPercentileMax read(const RunningPercentileMax*) const {
    const double p = tensors_.real(description_, "p", 0, 1);
    return {{.p = p, .tiling = tiled_any(), .sigma = sigma()}, batches(), ranges()};
  }

  [[nodiscard]] HeadwiseRange read(const HeadwiseRange*) const {
    const Index groups = tensors_.number(description_, "groups");
    if (groups < 1) tensors_.fail(IoErrorCode::range, "have 0 as \"groups\", expected at least 1");
    const auto stored = values<float>("estimates", DType::F32, {groups, 2});
    std::vector<HeadwiseRange::Estimate> estimates;
    for (std::size_t g = 0; g < stored.size(); g += 2) estimates.push_back({stored[g], stored[g + 1]});
    const std::string_view fault = HeadwiseRange::fault_of(estimates);
    if (!fault.empty()) tensors_.fail(IoErrorCode::value, "cannot be: ", fault);
    return {{.groups = groups, .sigma = sigma()}, batches(), std::move(estimates)};
  }

 private:
  void require_no_fault(std::string_view fault, std::size_t granule) const {
    if (!fault.empty()) tensors_.fail(IoErrorCode::value, "of granule ", granule, " cannot be: ", fault);
  }

  /// A tensor of the description's own making, as it stands.
  template <class T>
  [[nodiscard]] std::vector<T> values(std::string_view part, DType dtype, std::initializer_list<Index> shape) const {
    const std::string name = tensors_.part(part);
    tensors_.file().require_shape(name, shape, "the description");
    tensors_.require_dtype(name, dtype);
    const std::span<const std::byte> bytes = tensors_.file().bytes(name);
    std::vector<T> all(bytes.size() / sizeof(T));
    if (!all.empty()) std::memcpy(all.data(), bytes.data(), bytes.size());
    return all;
  }

  [[nodiscard]] Tiling tiled(Index cols) const {
    return {tensors_.number(description_, "tile_rows"), tensors_.number(description_, "tile_cols"),
            tensors_.column_groups(cols)};
  }
  /// The same where no shape says how many columns there are.
  [[nodiscard]] Tiling tiled_any() const {
    const TensorInfo* groups = tensors_.file().find(tensors_.part("groups"));
    const bool is_list = groups != nullptr && groups->shape.size() == 1;
    return tiled(is_list ? groups->shape[0] : 0);
  }

  /// How many granules there are. Refuses none, and more than the file accounts for.
  [[nodiscard]] Index granules_of(const Tiling& tiling, Shape shape, std::size_t bytes_each) const {
    const Index granules = granule_count(tiling, shape);
    if (granules == 0) tensors_.fail(IoErrorCode::value, "have a shape without elements");
    const std::size_t most = (tensors_.file().size() + DescribedTensors::allowance) / bytes_each;
    if (static_cast<std::size_t>(granules) > most) {
      tensors_.fail(IoErrorCode::limit, "have ", granules, " granules, which would take more memory than the file and ",
                    DescribedTensors::allowance, " bytes");
    }
    return granules;
  }

  /// Where the counts of each sign of each granule begin, and where the last end.
  [[nodiscard]] std::vector<std::size_t> starts_of(const std::vector<std::int32_t>& octaves, int mantissa_bits) const {
    std::vector<std::size_t> starts = {0};
    for (std::size_t i = 1; i < octaves.size(); i += 2) {
      if (octaves[i] < 0 || octaves[i] > 255 || octaves[i - 1] < 0 || octaves[i - 1] > 255) {
        tensors_.fail(IoErrorCode::range, "have ", octaves[i], " octaves from number ", octaves[i - 1],
                      " on, expected 0 to 255");
      }
      starts.push_back(starts.back() + (static_cast<std::size_t>(octaves[i]) << mantissa_bits));
    }
    return starts;
  }

  [[nodiscard]] static FloatBinsSide side(const std::vector<std::int32_t>& octaves,
                                          const std::vector<std::int64_t>& counts,
                                          const std::vector<std::size_t>& starts, std::size_t i) {
    const auto at = [&](std::size_t start) { return counts.begin() + static_cast<std::ptrdiff_t>(start); };
    return {static_cast<std::uint32_t>(octaves[2 * i]), static_cast<std::uint32_t>(octaves[2 * i + 1]),
            std::vector<std::int64_t>(at(starts[i]), at(starts[i + 1]))};
  }

  [[nodiscard]] float sigma() const {
    const auto value = static_cast<float>(tensors_.real(description_, "sigma", 0, 1));
    if (!(value > 0)) tensors_.fail(IoErrorCode::range, "have a \"sigma\" of 0, expected more");
    return value;
  }

  [[nodiscard]] Index batches() const {
    const Index count = tensors_.number(description_, "batches", std::numeric_limits<Index>::max());
    if (count < 1) tensors_.fail(IoErrorCode::range, "have 0 as \"batches\", expected at least 1");
    return count;
  }

  [[nodiscard]] std::vector<Range> ranges() const {
    const std::string name = tensors_.part("ranges");
    const TensorInfo& info = tensors_.file().tensor(name);
    const Index granules = info.shape.size() == 2 ? info.shape[0] : 0;
    const auto stored = values<float>("ranges", DType::F32, {granules, 3});
    if (granules == 0) tensors_.fail(IoErrorCode::value, "have no ranges");
    std::vector<Range> all;
    for (std::size_t i = 0; i < stored.size(); i += 3) all.push_back({stored[i], stored[i + 1], stored[i + 2]});
    const std::string_view fault = fault_of(all);
    if (!fault.empty()) tensors_.fail(IoErrorCode::value, "cannot be: ", fault);
    return all;
  }

  DescribedTensors tensors_;
  nlohmann::json description_;
};

/// The observer `name` of a file that `save` wrote, with the statistics that it had: it compares equal, merges and goes
/// on like the one that was saved.
///
///     const auto file = hs::SafetensorsFile::open("calibration.safetensors");
///     auto seen = hs::load_statistics<hs::Histogram>(file, "blocks.0.attn.qkv");
///
/// Errors, each naming file and statistics: E_NOT_FOUND; E_VERSION for a later format; E_UNSUPPORTED for another kind
/// of statistics; E_SYNTAX, E_DUPLICATE, E_TYPE, E_RANGE for a description that cannot be read; E_TYPE and E_SHAPE for
/// parts that do not fit; E_VALUE for statistics that no values have; E_LIMIT for more granules than the file accounts
/// for. No allocation is larger than the file and 64 MiB.
template <StorableObserver Observer>
[[nodiscard]] Observer load_statistics(const SafetensorsFile& file, std::string_view name) {
  const StatisticsReader reader(file, name);
  reader.require_kind(statistics_kind<Observer>);
  return reader.read(static_cast<const Observer*>(nullptr));
}

}  // namespace halfstep::inline HALFSTEP_ABI
