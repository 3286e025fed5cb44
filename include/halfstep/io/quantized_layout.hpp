#pragma once

/// \file
/// The names and types under which a quantized matrix stands in a safetensors file.
///
/// A matrix `t` of R x C codes of b bits, its granules in G rows and H columns of granules:
///
///     t.codes          U8 [R, ceil(C b / 8)]      bit fields, lowest bit first, each row padded to a byte
///     t.shape          I64 [2]                    R, C
///     t.<parameter>    F32 or I32 [G, H], or [G, H, n] for a member that is an array of n; one for each member of the
///                      quantizer, under the name that its scheme gives
///     t.scale          F32, F16, F8_E8M0 or F8_E4M3: the type says how scales are stored; that of a block format is
///                      the one of its blocks
///     t.tensor_scale   F32 [1]
///     t.groups         I32 [C], the group of each column, where columns are mapped to groups
///
///     metadata "halfstep.format": "1"
///     metadata "halfstep.tensor.t": {"scheme": "uniform", "scheme_version": 1, "bits": 4, "axis": 1, "group": 128,
///                                    "rounding": "half_even", "params": {"tile_rows": 1}}
///
/// `group` columns and `tile_rows` rows share parameters, 0 standing for all. A granule's values follow from its
/// scheme's `decode`.

#include "halfstep/config.hpp"
#include "halfstep/core/fields.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/tiling.hpp"
#include "halfstep/io/described_tensors.hpp"
#include "halfstep/io/dtype.hpp"
#include "halfstep/io/quantizer_scheme.hpp"
#include "halfstep/quantizers/block_format.hpp"
#include "halfstep/quantizers/scale_storage.hpp"

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// The number under "halfstep.format". A reader refuses a higher one.
inline constexpr int quantized_format_version = 1;

/// The metadata key that tells a file of quantized matrices, and the one of a matrix.
inline constexpr std::string_view quantized_format_key = "halfstep.format";
[[nodiscard]] inline std::string quantized_tensor_key(std::string_view name) {
  return "halfstep.tensor." + std::string(name);
}

/// The element type of stored scales, and back.
[[nodiscard]] constexpr DType dtype_of_storage(ScaleStorage storage) {
  switch (storage) {
    case ScaleStorage::f16:
      return DType::F16;
    case ScaleStorage::e8m0:
      return DType::F8_E8M0;
    case ScaleStorage::e4m3:
      return DType::F8_E4M3;
    case ScaleStorage::f32:
      break;
  }
  return DType::F32;
}
[[nodiscard]] constexpr std::optional<ScaleStorage> storage_of_dtype(DType dtype) {
  for (const ScaleStorage storage : {ScaleStorage::f32, ScaleStorage::f16, ScaleStorage::e8m0, ScaleStorage::e4m3}) {
    if (dtype_of_storage(storage) == dtype) return storage;
  }
  return std::nullopt;
}

/// A member of a quantizer: whether it is the scale, the tensor's scale, or an array of how many elements.
enum class ParameterRole { scale, tensor_scale, value, array };

/// The C++ type of one element of a member.
template <class Member>
struct ParameterElement {
  using type = Member;
  static constexpr std::size_t count = 1;
};
template <class T, std::size_t N>
struct ParameterElement<std::array<T, N>> {
  using type = T;
  static constexpr std::size_t count = N;
};

/// The type of member number `I` of `Q`.
template <class Q, std::size_t I>
using ParameterMember = std::remove_reference_t<std::tuple_element_t<I, decltype(tie_fields(std::declval<Q&>()))>>;

/// The role of member number `I` of `Q`.
template <StorableQuantizer Q, std::size_t I>
[[nodiscard]] ParameterRole parameter_role() {
  Q q{};
  const auto& member = std::get<I>(tie_fields(q));
  using Member = std::remove_cvref_t<decltype(member)>;
  if constexpr (ParameterElement<Member>::count > 1) return ParameterRole::array;
  const void* const address = &member;
  if constexpr (HasScale<Q>) {
    if (address == &q.scale) return ParameterRole::scale;
  }
  if constexpr (HasTensorScale<Q>) {
    if (address == &q.tensor_scale) return ParameterRole::tensor_scale;
  }
  return ParameterRole::value;
}

/// Calls `visit(index)` with each member's number as a `std::integral_constant`, in the order of declaration.
template <StorableQuantizer Q, class Visit>
void for_each_parameter(Visit&& visit) {
  [&]<std::size_t... I>(std::index_sequence<I...>) { (visit(std::integral_constant<std::size_t, I>{}), ...); }
  (std::make_index_sequence<field_count<Q>()>());
}

/// The shape of the tensor of a member.
template <class Member>
[[nodiscard]] std::vector<Index> parameter_shape(const TilingGrid& grid, ParameterRole role) {
  if (role == ParameterRole::tensor_scale) return {1};
  std::vector<Index> shape{grid.row_tiles(), grid.col_tiles()};
  if (role == ParameterRole::array) shape.push_back(static_cast<Index>(ParameterElement<Member>::count));
  return shape;
}

}  // namespace halfstep::inline HALFSTEP_ABI
