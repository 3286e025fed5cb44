#pragma once

/// \file
/// Shiftmax: I-ViT's softmax of integers, without a float.
///
///     e_c   = ShiftExp(x_c - max)                                          n = 15, `kernels/shift_exp.hpp`
///     out_c = (e_c * floor((2^31 - 1) / min(sum e, 2^31 - 1))) >> (32 - bits)
///
/// A code stands for `out * 2^(1 - bits)`; the largest is 2^(bits - 1) - 1, what a row with one key gets.
///
/// Source: Li and Gu, "I-ViT", ICCV 2023, section 3.3. The published program simulates the integers in float32, which
/// does not hold 31 bits: its codes differ in places, by one.

#include "halfstep/config.hpp"
#include "halfstep/core/band_grain.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/parallel_for.hpp"
#include "halfstep/kernels/integer_rows.hpp"
#include "halfstep/kernels/ordered_sum.hpp"
#include "halfstep/kernels/shift_exp.hpp"
#include "halfstep/simd/math.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// The largest value of a signed 31-bit fraction, which integer quotients are taken of.
inline constexpr std::int32_t integer_one = std::numeric_limits<std::int32_t>::max();

/// The distance of x from `largest`, at most 0 and not below `lowest`, without overflow.
[[nodiscard]] inline simd::IntBatch distance_below(simd::IntBatch x, std::int32_t largest, std::int32_t lowest) {
  const std::int64_t least = std::int64_t{largest} + lowest;
  const auto floor = static_cast<std::int32_t>(std::max<std::int64_t>(least, std::numeric_limits<std::int32_t>::min()));
  return simd::max(x, floor) - simd::IntBatch(largest);
}

/// Shiftmax of `x[0 .. n)`, n at least 1, into codes of `bits` bits; `powers` holds n int32 of scratch. Class: exact.
template <IntegerElement T>
void shiftmax_row(const T* x, Index n, const ShiftExp& exp, int bits, std::int32_t* powers, std::uint8_t* out) {
  const std::int32_t largest = row_maximum(x, n);
  for_each_part(n, [&](Index i, Index part) {
    store_integers(powers + i, exp(distance_below(load_integers(x + i, part), largest, exp.lowest())), part);
  });
  std::int64_t sum = 0;
  for (Index i = 0; i < n; ++i) sum += powers[i];
  const auto factor = static_cast<std::int32_t>(integer_one / std::min<std::int64_t>(sum, integer_one));
  for_each_part(n, [&](Index i, Index part) {  // e <= sum, or the factor is 1: no product passes 2^31 - 1
    store_integers(out + i, (load_integers(powers + i, part) * simd::IntBatch(factor)) >> (32 - bits), part);
  });
}

/// How many halvings below the largest power Shiftmax tells apart.
inline constexpr std::int32_t shiftmax_halvings = 15;

/// The softmax of each row of x `[queries, keys]`, int8 or int32 in steps of `scale`, as codes of `bits` bits in `out`
/// of the same shape: values in steps of 2^(1 - bits). Rows must be contiguous. Class: exact, for any executor.
///
/// Close to the softmax of `scale * x` to within the bound of docs/numerics.md, section 7.
/// Errors: shapes that do not fit; a scale below 2^-15 or above 2^100; bits outside 2 .. 8.
template <IntegerElement T>
void shiftmax(MatrixView<const T> x, float scale, MatrixView<std::uint8_t> out, int bits = 8,
              ExecutorRef executor = {}) {
  require_integer_rows("shiftmax", x, out);
  require_integer_scale("shiftmax", "scale", scale, 0x1p-15f);
  if (bits < 2 || bits > 8) raise("shiftmax", "bits is ", bits, ", expected 2 to 8");
  if (x.empty()) return;
  const ShiftExp exp{ShiftExp::root(scale), shiftmax_halvings};
  parallel_for(executor, x.rows, band_grain(x.cols), [&](Index first, Index last) {
    std::vector<std::int32_t> powers(static_cast<std::size_t>(x.cols));
    for (Index r = first; r < last; ++r) shiftmax_row(x.row(r), x.cols, exp, bits, powers.data(), out.row(r));
  });
}

}  // namespace halfstep::inline HALFSTEP_ABI
