#pragma once

/// \file
/// How long sums of byte products may be before int32 does not hold them, and a check that counts where it would not.
///
/// K products of at most |a| |b| each stay within int32 for K <= (2^31 - 1) / (|a| |b|): 65793 for u8 with s8, which is
/// why `Blocking::panel_k` ends at 65536 and longer K are cut (docs/numerics.md, section 3).

#include "halfstep/config.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/kernels/activation.hpp"
#include "halfstep/kernels/blocking.hpp"
#include "halfstep/kernels/encoded_matrix.hpp"
#include "halfstep/kernels/packed_matrix.hpp"
#include "halfstep/kernels/reference_product.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace halfstep::inline HALFSTEP_ABI {

/// The longest K for which sums of products of integers up to `largest_a` and `largest_b` in size fit int32 whatever
/// they hold; the largest Index where one of them is 0. Class: exact.
[[nodiscard]] constexpr Index longest_sum(std::int64_t largest_a, std::int64_t largest_b) {
  const std::int64_t product = largest_a * largest_b;
  return product == 0 ? std::numeric_limits<Index>::max() : std::numeric_limits<std::int32_t>::max() / product;
}

/// The same for codes of activations of `ABits` bits, as they are, and weights of `WBits` bits less their middle.
template <int ABits, int WBits>
inline constexpr Index longest_sum_of_bits = longest_sum((1 << ABits) - 1, 1 << (WBits - 1));

static_assert(longest_sum_of_bits<8, 8> == 65793);
static_assert(Blocking{}.panel_k <= longest_sum_of_bits<8, 8> && 65536 <= longest_sum_of_bits<8, 8>);

/// The same for the bytes that these operands can hold: shorter formats have longer sums. A weight whose granules do
/// not share their values counts as full bytes.
[[nodiscard]] inline Index longest_sum(const Activation& activation, const PackedMatrix& w) {
  std::int64_t largest_a = 0, largest_b = w.level_count() == 0 ? 128 : 0;
  for (int p = 0; p < activation.plane_count(); ++p) {
    for (std::size_t code = 0; code < std::size_t{1} << activation.bits(); ++code) {
      largest_a = std::max<std::int64_t>(largest_a, activation.plane_bytes(p)[code]);
    }
  }
  for (int p = 0; p < w.plane_count(); ++p) {
    for (std::size_t code = 0; code < static_cast<std::size_t>(w.level_count()); ++code) {
      const std::int64_t value = w.code_values(p)[code];
      largest_b = std::max(largest_b, value < 0 ? -value : value);
    }
  }
  return longest_sum(largest_a, largest_b);
}

/// What `check_sums` saw.
struct SumReport {
  Index sums = 0;            ///< integer sums: outputs times pairs of planes times pieces of K
  Index overflows = 0;       ///< of them, those that leave int32 on the way
  std::int64_t largest = 0;  ///< the largest sum on the way; of a negative one, -sum - 1
  friend bool operator==(const SumReport&, const SumReport&) = default;
};

/// Goes through the integer sums of a product one by one in 64 bits, in ascending order of K within pieces of `piece`
/// elements of each group (0: groups uncut), and counts those that an int32 accumulator would not have held. Whatever
/// `Blocking` allows has none. Slow: for tests and for trying accumulators out. Class: exact.
///
/// Errors: another number of columns; a negative piece.
[[nodiscard]] inline SumReport check_sums(const EncodedRows& x, const PackedMatrix& w, Index piece) {
  if (x.layout.k != w.cols()) raise("check_sums", "x has ", x.layout.k, " columns, packed weight expects ", w.cols());
  if (piece < 0) raise("check_sums", "piece is ", piece, ", expected at least 0");
  SumReport report;
  const auto add_piece = [&](int p, Index m, int r, Index n, Index begin, Index end) {
    std::int64_t sum = 0, largest = 0;
    for (Index k = begin; k < end; ++k) {
      sum += activation_byte(x, p, m, w, k) * w.plane_value(r, n, k);
      largest = std::max(largest, sum < 0 ? -sum - 1 : sum);  // -2^31 is an int32
    }
    ++report.sums;
    report.overflows += largest > std::numeric_limits<std::int32_t>::max() ? 1 : 0;
    report.largest = std::max(report.largest, largest);
  };
  for (Index m = 0; m < x.rows; ++m) {
    for (Index n = 0; n < w.rows(); ++n) {
      for (int pair = 0; pair < x.plane_count * w.plane_count(); ++pair) {
        for (Index g = 0; g < w.layout().groups(); ++g) {
          const Index begin = w.layout().begin(g), end = begin + w.layout().length(g);
          const Index step = piece > 0 ? piece : std::max<Index>(1, end - begin);
          for (Index k = begin; k < end; k += step) {
            add_piece(pair / w.plane_count(), m, pair % w.plane_count(), n, k, std::min(end, k + step));
          }
        }
      }
    }
  }
  return report;
}

}  // namespace halfstep::inline HALFSTEP_ABI
