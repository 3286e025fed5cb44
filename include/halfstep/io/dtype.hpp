#pragma once

/// \file
/// The element types that tensor files hold.

#include "halfstep/core/float16.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/io/io_error.hpp"

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

namespace halfstep::inline HALFSTEP_ABI {

static_assert(std::endian::native == std::endian::little, "halfstep reads and writes files on little-endian CPUs only");

/// The element types of safetensors, in the order in which the reference writer sorts tensors: widest first.
enum class DType : std::uint8_t {
  U64,
  I64,
  F64,
  C64,
  F32,
  U32,
  I32,
  BF16,
  F16,
  U16,
  I16,
  F8_E5M2FNUZ,
  F8_E4M3FNUZ,
  F8_E8M0,
  F8_E4M3,
  F8_E5M2,
  I8,
  U8,
  F6_E3M2,
  F6_E2M3,
  F4,
  BOOL,
};

/// What is known about an element type.
struct DTypeTraits {
  DType dtype;
  std::string_view name;  ///< as files spell it
  int bits;               ///< of one element
};

/// One row per `DType`, in its order.
inline constexpr std::array<DTypeTraits, 22> dtype_table{{
    {DType::U64, "U64", 64},
    {DType::I64, "I64", 64},
    {DType::F64, "F64", 64},
    {DType::C64, "C64", 64},
    {DType::F32, "F32", 32},
    {DType::U32, "U32", 32},
    {DType::I32, "I32", 32},
    {DType::BF16, "BF16", 16},
    {DType::F16, "F16", 16},
    {DType::U16, "U16", 16},
    {DType::I16, "I16", 16},
    {DType::F8_E5M2FNUZ, "F8_E5M2FNUZ", 8},
    {DType::F8_E4M3FNUZ, "F8_E4M3FNUZ", 8},
    {DType::F8_E8M0, "F8_E8M0", 8},
    {DType::F8_E4M3, "F8_E4M3", 8},
    {DType::F8_E5M2, "F8_E5M2", 8},
    {DType::I8, "I8", 8},
    {DType::U8, "U8", 8},
    {DType::F6_E3M2, "F6_E3M2", 6},
    {DType::F6_E2M3, "F6_E2M3", 6},
    {DType::F4, "F4", 4},
    {DType::BOOL, "BOOL", 8},
}};

[[nodiscard]] constexpr std::string_view dtype_name(DType dtype) {
  return dtype_table[static_cast<std::size_t>(dtype)].name;
}

/// The width of one element in bits.
[[nodiscard]] constexpr int bit_width(DType dtype) { return dtype_table[static_cast<std::size_t>(dtype)].bits; }

/// Whether an element takes whole bytes. Of the types for which it does not, only the bytes of a tensor are read: where
/// an element sits in its byte is not standardised.
[[nodiscard]] constexpr bool is_byte_sized(DType dtype) { return bit_width(dtype) % 8 == 0; }

/// The type that files spell `name`, if there is one.
[[nodiscard]] constexpr std::optional<DType> parse_dtype(std::string_view name) {
  for (const DTypeTraits& row : dtype_table) {
    if (row.name == name) return row.dtype;
  }
  return std::nullopt;
}

inline void append_text(std::string& text, DType dtype) { text += dtype_name(dtype); }

/// The element type that stores values of the C++ type `T`.
template <class T>
[[nodiscard]] consteval DType dtype_of() {
  using V = std::remove_cv_t<T>;
  if constexpr (std::is_same_v<V, float>)
    return DType::F32;
  else if constexpr (std::is_same_v<V, double>)
    return DType::F64;
  else if constexpr (std::is_same_v<V, Half>)
    return DType::F16;
  else if constexpr (std::is_same_v<V, BFloat16>)
    return DType::BF16;
  else if constexpr (std::is_same_v<V, std::int8_t>)
    return DType::I8;
  else if constexpr (std::is_same_v<V, std::uint8_t>)
    return DType::U8;
  else if constexpr (std::is_same_v<V, std::int16_t>)
    return DType::I16;
  else if constexpr (std::is_same_v<V, std::uint16_t>)
    return DType::U16;
  else if constexpr (std::is_same_v<V, std::int32_t>)
    return DType::I32;
  else if constexpr (std::is_same_v<V, std::uint32_t>)
    return DType::U32;
  else if constexpr (std::is_same_v<V, std::int64_t>)
    return DType::I64;
  else if constexpr (std::is_same_v<V, std::uint64_t>)
    return DType::U64;
  else
    static_assert(sizeof(V) == 0, "no element type of tensor files stores this C++ type");
}

/// A shape as messages show it: "[1152, 384]".
[[nodiscard]] inline std::string shape_text(std::span<const Index> shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) text += ", ";
    append_part(text, shape[i]);
  }
  return text += ']';
}

/// The number of bits that elements of a shape occupy, `bit_width(dtype)` times the product of the sizes (1 for no
/// sizes at all); nothing if that, or the product of any of the first sizes, exceeds the range of `Index`. A zero thus
/// rescues only what follows it, as in the reference reader. Requires sizes of at least 0.
[[nodiscard]] constexpr std::optional<std::uint64_t> checked_bits(DType dtype, std::span<const Index> shape) {
  constexpr auto most = static_cast<std::uint64_t>(std::numeric_limits<Index>::max());
  std::uint64_t product = 1;
  for (const Index size : shape) {
    const auto factor = static_cast<std::uint64_t>(size);
    if (factor != 0 && product > most / factor) return std::nullopt;
    product *= factor;
  }
  const auto bits = static_cast<std::uint64_t>(bit_width(dtype));
  if (product > most / bits) return std::nullopt;
  return product * bits;
}

}  // namespace halfstep::inline HALFSTEP_ABI
