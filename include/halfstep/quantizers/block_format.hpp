#pragma once

/// \file
/// Formats whose codes come in blocks of a fixed size with a scale of a narrow type: MX and NV.

#include "halfstep/config.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/range.hpp"
#include "halfstep/quantizers/concepts.hpp"
#include "halfstep/quantizers/scale_storage.hpp"

#include <concepts>

namespace halfstep::inline HALFSTEP_ABI {

/// A quantizer with a factor that all granules of a tensor share, beside the scale of each.
template <class Q>
concept HasTensorScale = HasScale<Q> && requires(Q q) {
  { q.tensor_scale } -> std::same_as<float&>;
};

/// A scalar quantizer that holds the parameters of one block: `block_size` consecutive elements along K, whose scale is
/// stored as `scale_storage`. `fit(Range)` gives a scale which that type holds. A format with a tensor scale offers
/// `tensor_scale_of(Range)`, of the whole tensor, and `fit_block(Range, tensor_scale)`.
///
/// The block is a granule like any other: `quantize_blocks` chooses tiling and storage, and packing, products and files
/// take the result as they take every `QuantizedMatrix`.
template <class F>
concept BlockFormat = HasScale<F> && requires(Range range) {
  { F::block_size } -> std::convertible_to<Index>;
  { F::scale_storage } -> std::convertible_to<ScaleStorage>;
} &&(!HasTensorScale<F> || requires(Range range) {
  { F::tensor_scale_of(range) } -> std::same_as<float>;
  { F::fit_block(range, 1.0f) } -> std::same_as<F>;
});

/// Bits per element of a format, with the scale of its block and without that of the tensor.
template <BlockFormat F>
inline constexpr double block_bits_per_element = F::bits + 8.0 * storage_bytes(F::scale_storage) /
                                                               static_cast<double>(F::block_size);

}  // namespace halfstep::inline HALFSTEP_ABI
