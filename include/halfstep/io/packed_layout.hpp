#pragma once

/// \file
/// The names and types under which a packed weight stands in a safetensors file: what products multiply, whatever
/// quantizer it came from.
///
/// A weight `t` of R outputs and K inputs in P planes, K cut into G groups:
///
///     t.codes          I8 [P, R, K]             the values of the planes (storage "bytes"), or
///                      U8 [R, ceil(K b / 8)]    codes of b = 4 or 2 bits, lowest first ("nibbles", "quarters"), or
///                      U8 [R, K]                codes (storage "minifloats")
///     t.cols           I64 [1]                  K, where codes share a byte
///     t.scale          F32 [G, R]               what a unit of a row of a group is worth
///     t.zero           F32 [G, R]
///     t.levels         I8 [P, L]                the values of the L codes, where all granules agree on them
///     t.input_order    I32 [K]                  the input at each position of K, where that is another order
///
///     metadata "halfstep.tensor.t": {"scheme": "byte_planes", "scheme_version": 1, "bits": 4, "axis": 1,
///                                    "group": 128, "params": {"storage": "nibbles", "plane_weights": [1]}}
///
/// beside "halfstep.format": "1" (io/quantized_layout.hpp). For minifloats `params` has "exponent_bits",
/// "mantissa_bits" and "largest_code". The value at (n, k), g the group of k:
///
///     scale[g, n] * (sum_p plane_weights[p] * plane_p[n, k] - zero[g, n])
///
/// A plane holds a code's value in `levels`, or the value itself.

#include "halfstep/config.hpp"
#include "halfstep/kernels/packed_matrix.hpp"

#include <string_view>

namespace halfstep::inline HALFSTEP_ABI {

/// What files call packed weights, and the newest version that is known.
inline constexpr std::string_view packed_scheme = "byte_planes";
inline constexpr int packed_scheme_version = 1;

/// What the names of packed weights begin with in the file of a model, before the name of the site.
inline constexpr std::string_view packed_prefix = "packed.";
[[nodiscard]] inline bool is_packed_part(std::string_view tensor) { return tensor.starts_with(packed_prefix); }

/// Inputs up to which a packed weight from a file is believed: sums of rows stay in int32.
inline constexpr Index largest_packed_cols = Index{1} << 23;

/// What files call a storage.
[[nodiscard]] constexpr std::string_view storage_name(WeightStorage storage) {
  switch (storage) {
    case WeightStorage::nibbles:
      return "nibbles";
    case WeightStorage::quarters:
      return "quarters";
    case WeightStorage::minifloats:
      return "minifloats";
    case WeightStorage::bytes:
      break;
  }
  return "bytes";
}

}  // namespace halfstep::inline HALFSTEP_ABI
