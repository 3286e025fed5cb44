#pragma once

/// \file
/// Uniform quantizers of a width that is known at run time only, as what engines take: packed weights and activations.

#include "halfstep/config.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/range.hpp"
#include "halfstep/core/tiling.hpp"
#include "halfstep/kernels/activation.hpp"
#include "halfstep/kernels/pack.hpp"
#include "halfstep/kernels/packed_matrix.hpp"
#include "halfstep/kernels/quantize.hpp"
#include "halfstep/quantizers/uniform.hpp"

#include <string_view>

namespace halfstep::inline HALFSTEP_ABI {

/// Calls `visit.operator()<Bits>()` for the number of bits that `bits` is, 2 to 8. Error: any other, in the name of the
/// call `where` and its argument.
template <class Visit>
auto with_uniform_bits(std::string_view where, std::string_view argument, int bits, Visit visit) {
  switch (bits) {
    case 2:
      return visit.template operator()<2>();
    case 3:
      return visit.template operator()<3>();
    case 4:
      return visit.template operator()<4>();
    case 5:
      return visit.template operator()<5>();
    case 6:
      return visit.template operator()<6>();
    case 7:
      return visit.template operator()<7>();
    case 8:
      return visit.template operator()<8>();
    default:
      raise(where, argument, " is ", bits, ", expected 2 to 8");
  }
}

/// Refuses a width that `with_uniform_bits` does, before work is done with it.
inline void require_uniform_bits(std::string_view where, std::string_view argument, int bits) {
  with_uniform_bits(where, argument, bits, []<int>() {});
}

/// `weight` `[out_features, in_features]` rounded to nearest, one range (min-max) per granule of `options.tiling`, and
/// packed.
[[nodiscard]] inline PackedMatrix pack_nearest(MatrixView<const float> weight, int bits,
                                               const QuantizeOptions& options) {
  return with_uniform_bits("pack_nearest", "bits", bits, [&]<int Bits>() {
    return pack(quantize<Uniform<Bits>>(weight, options), options.executor);
  });
}

/// The same, affine with one range per output row.
[[nodiscard]] inline PackedMatrix pack_nearest(MatrixView<const float> weight, int bits, ExecutorRef executor = {}) {
  return pack_nearest(weight, bits, QuantizeOptions{.tiling = per_row(), .executor = executor});
}

/// The affine uniform quantizer that covers `range`, the same for every row of a tensor.
[[nodiscard]] inline Activation uniform_activation(const Range& range, int bits) {
  return with_uniform_bits("uniform_activation", "bits", bits,
                           [&]<int Bits>() { return Activation(Uniform<Bits>::fit(range)); });
}

/// The affine uniform quantizer, fitted to each row.
[[nodiscard]] inline Activation uniform_per_token(int bits) {
  return with_uniform_bits("uniform_per_token", "bits", bits,
                           []<int Bits>() { return Activation::per_token<Uniform<Bits>>(); });
}

}  // namespace halfstep::inline HALFSTEP_ABI
