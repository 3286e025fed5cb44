#pragma once

/// \file
/// From a kernel's order back to codes in logical order: the inverse of `pack`, for inspection and tests.

#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/kernels/byte_map.hpp"
#include "halfstep/kernels/pack_plan.hpp"
#include "halfstep/kernels/packed_matrix.hpp"
#include "halfstep/kernels/quantized_matrix.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// The code of each pair of plane bytes; the lowest where several codes share a value.
class PlaneInverse {
 public:
  PlaneInverse() = default;

  /// `byte(p, code)` is the byte of plane p for a code below `levels`.
  template <class ByteOf>
  PlaneInverse(int levels, int plane_count, ByteOf byte) {
    for (int code = 0; code < levels; ++code) {
      const auto at = static_cast<std::uint8_t>(code);
      const std::uint8_t second = plane_count == 2 ? byte(1, at) : std::uint8_t{0};
      entries_.push_back({key(byte(0, at), second), at});
    }
    std::sort(entries_.begin(), entries_.end());
  }

  /// Errors: bytes that no code stands for.
  [[nodiscard]] std::uint8_t code(std::uint8_t first, std::uint8_t second) const {
    const Entry wanted{key(first, second), 0};
    const auto found = std::lower_bound(entries_.begin(), entries_.end(), wanted);
    if (found == entries_.end() || found->first != wanted.first) {
      raise("unpack", "packed weight holds the bytes ", int{first}, " and ", int{second}, ", which no code stands for");
    }
    return found->second;
  }

 private:
  using Entry = std::pair<std::uint16_t, std::uint8_t>;
  [[nodiscard]] static std::uint16_t key(std::uint8_t first, std::uint8_t second) {
    return static_cast<std::uint16_t>(first << 8 | second);
  }
  std::vector<Entry> entries_;
};

/// Calls `visit(n, planes)` for each row of a packed weight, `planes[p]` being its bytes as they are laid out along K.
template <class Visit>
void for_each_packed_row(const PackedMatrix& packed, Visit&& visit) {
  const int planes = packed.shares_lines() ? 1 : packed.plane_count();
  std::array<std::vector<std::uint8_t>, 2> rows;
  for (std::vector<std::uint8_t>& row : rows) row.resize(static_cast<std::size_t>(packed.layout().padded_k()));
  for (Index n = 0; n < packed.rows(); ++n) {
    for (int p = 0; p < planes; ++p) packed.read_row(p, n, rows[static_cast<std::size_t>(p)].data());
    visit(n, rows);
  }
}

/// The codes that a packed weight was made from, `[out_features, in_features]`, columns in file order. Where several
/// codes share a value, bytes give the lowest of them (codes of up to 4 bits and minifloats are kept as they are).
/// Class: exact.
///
/// Errors: a weight in which codes mean other integers from granule to granule: `unpack(packed, like)` knows them.
[[nodiscard]] inline MatrixU8 unpack_codes(const PackedMatrix& packed) {
  if (packed.level_count() == 0) {
    raise("unpack_codes", "planes of the packed weight differ between granules: use unpack(packed, like)");
  }
  const bool is_code = packed.storage() != WeightStorage::bytes;
  const PlaneInverse inverse(packed.level_count(), packed.plane_count(), [&](int p, std::uint8_t code) {
    return static_cast<std::uint8_t>(packed.code_values(p)[code]);
  });
  MatrixU8 codes(packed.rows(), packed.cols());
  for_each_packed_row(packed, [&](Index n, const auto& planes) {
    for (Index k = 0; k < packed.cols(); ++k) {
      const auto at = static_cast<std::size_t>(packed.layout().position(k));
      const std::uint8_t first = planes[0][at];
      codes(n, packed.channel(k)) = is_code ? first : inverse.code(first, planes[1][at]);
    }
  });
  return codes;
}

/// `like` with the codes of `packed` in place of its own: the exact inverse of `pack` for a `like` that has the tiling
/// and the quantizers of what was packed (where several codes share a value, see `unpack_codes`). Class: exact.
///
/// Errors: another shape, tiling or number of planes; bytes that none of a granule's codes stand for.
template <ScalarQuantizer Q>
[[nodiscard]] QuantizedMatrix<Q> unpack(const PackedMatrix& packed, QuantizedMatrix<Q> like) {
  const PackPlan<Q> plan(like);
  if (packed.shape() != like.shape() || packed.layout() != plan.layout() || packed.storage() != plan.storage() ||
      packed.plane_count() != plan.plane_count() || packed.input_order() != plan.order().order) {
    raise("unpack", "packed weight of shape ", packed.shape(), " was not made from a matrix of this shape ",
          like.shape(), ", tiling and quantizer");
  }
  const auto inverse_of = [&](const PlaneMaps& maps) {
    return PlaneInverse(level_count<Q>, plan.plane_count(),
                        [&](int p, std::uint8_t code) { return maps[static_cast<std::size_t>(p)][code]; });
  };
  PlaneInverse inverse = inverse_of(plan.shared_maps());
  std::vector<std::uint8_t> codes(static_cast<std::size_t>(like.cols()));
  for_each_packed_row(packed, [&](Index n, const auto& planes) {
    Index last = -1;
    for (Index k = 0; k < packed.cols(); ++k) {
      const auto column = static_cast<std::size_t>(packed.channel(k));
      const auto at = static_cast<std::size_t>(packed.layout().position(k));
      const Index granule = like.grid().granule(n, static_cast<Index>(column));
      if (!plan.is_shared() && granule != last) inverse = inverse_of(plan.granule(granule).maps);
      last = granule;
      const bool is_code = packed.storage() != WeightStorage::bytes;
      codes[column] = is_code ? planes[0][at] : inverse.code(planes[0][at], planes[1][at]);
    }
    like.set_row(n, codes.data());
  });
  return like;
}

}  // namespace halfstep::inline HALFSTEP_ABI
