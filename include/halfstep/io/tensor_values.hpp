#pragma once

/// \file
/// The values of a tensor's bytes, whatever their type and address.

#include "halfstep/core/float16.hpp"
#include "halfstep/core/float8.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/io/dtype.hpp"
#include "halfstep/io/io_error.hpp"
#include "halfstep/io/tensor_info.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Calls `visit(i, value)` for each `Stored` in `bytes`, which may lie at any address.
template <class Stored, class Visit>
void for_each_stored(std::span<const std::byte> bytes, Visit&& visit) {
  static_assert(std::is_trivially_copyable_v<Stored>);
  const std::size_t count = bytes.size() / sizeof(Stored);
  for (std::size_t i = 0; i < count; ++i) {
    Stored value;
    std::memcpy(&value, bytes.data() + i * sizeof(Stored), sizeof(Stored));
    visit(i, value);
  }
}

/// Calls `visit(i, value)` for each element of an integer type (BOOL reads as 0 or 1), in its own C++ type. Returns
/// false, without a call, for every other type.
template <class Visit>
[[nodiscard]] bool visit_integers(DType dtype, std::span<const std::byte> bytes, Visit&& visit) {
  switch (dtype) {
    case DType::U64:
      for_each_stored<std::uint64_t>(bytes, visit);
      return true;
    case DType::I64:
      for_each_stored<std::int64_t>(bytes, visit);
      return true;
    case DType::U32:
      for_each_stored<std::uint32_t>(bytes, visit);
      return true;
    case DType::I32:
      for_each_stored<std::int32_t>(bytes, visit);
      return true;
    case DType::U16:
      for_each_stored<std::uint16_t>(bytes, visit);
      return true;
    case DType::I16:
      for_each_stored<std::int16_t>(bytes, visit);
      return true;
    case DType::U8:
      for_each_stored<std::uint8_t>(bytes, visit);
      return true;
    case DType::I8:
      for_each_stored<std::int8_t>(bytes, visit);
      return true;
    case DType::BOOL:
      for_each_stored<std::uint8_t>(
          bytes, [&](std::size_t i, std::uint8_t value) { visit(i, static_cast<std::uint8_t>(value != 0 ? 1 : 0)); });
      return true;
    default:
      return false;
  }
}

/// Calls `visit(i, value)` for each element of a floating-point type, as the float or double that holds it exactly.
/// Returns false, without a call, for every other type.
template <class Visit>
[[nodiscard]] bool visit_floats(DType dtype, std::span<const std::byte> bytes, Visit&& visit) {
  const auto with = [&](auto decode) {
    return [&visit, decode](std::size_t i, auto stored) { visit(i, decode(stored)); };
  };
  switch (dtype) {
    case DType::F64:
      for_each_stored<double>(bytes, visit);
      return true;
    case DType::F32:
      for_each_stored<float>(bytes, visit);
      return true;
    case DType::F16:
      for_each_stored<Half>(bytes, with([](Half x) { return to_float(x); }));
      return true;
    case DType::BF16:
      for_each_stored<BFloat16>(bytes, with([](BFloat16 x) { return to_float(x); }));
      return true;
    case DType::F8_E4M3:
      for_each_stored<std::uint8_t>(bytes, with(decode_e4m3));
      return true;
    case DType::F8_E5M2:
      for_each_stored<std::uint8_t>(bytes, with(decode_e5m2));
      return true;
    case DType::F8_E4M3FNUZ:
      for_each_stored<std::uint8_t>(bytes, with(decode_e4m3fnuz));
      return true;
    case DType::F8_E5M2FNUZ:
      for_each_stored<std::uint8_t>(bytes, with(decode_e5m2fnuz));
      return true;
    case DType::F8_E8M0:
      for_each_stored<std::uint8_t>(bytes, with(decode_e8m0));
      return true;
    default:
      return false;
  }
}

/// The elements of a tensor as `Real` (float or double), row-major. Exact for every type that fits; F64 to float, and
/// integers of more bits than the mantissa, are rounded to nearest even. Errors: E_UNSUPPORTED for C64 and the types
/// of less than a byte. Cost: one pass, one allocation. Class: exact.
template <class Real>
[[nodiscard]] std::vector<Real> real_values(const TensorInfo& info, std::span<const std::byte> bytes,
                                            std::string_view file) {
  static_assert(std::is_floating_point_v<Real>);
  std::vector<Real> values(static_cast<std::size_t>(element_count(info)));
  const auto store = [&](std::size_t i, auto value) { values[i] = static_cast<Real>(value); };
  if (!visit_floats(info.dtype, bytes, store) && !visit_integers(info.dtype, bytes, store)) {
    raise_io(IoErrorCode::unsupported, file, "tensor ", in_quotes(info.name), " of ", info.dtype,
             " cannot be read as real numbers, only as bytes");
  }
  return values;
}

/// The elements of an integer tensor as `Integer`. Errors: E_TYPE for a tensor of another type, E_RANGE naming the
/// first element that `Integer` cannot hold. Cost: one pass, one allocation. Class: exact.
template <class Integer>
[[nodiscard]] std::vector<Integer> integer_values(const TensorInfo& info, std::span<const std::byte> bytes,
                                                  std::string_view file) {
  static_assert(std::is_integral_v<Integer> && !std::is_same_v<Integer, bool> && !std::is_same_v<Integer, char>);
  std::vector<Integer> values(static_cast<std::size_t>(element_count(info)));
  const bool is_integer = visit_integers(info.dtype, bytes, [&](std::size_t i, auto value) {
    if (!std::in_range<Integer>(value)) {
      raise_io(IoErrorCode::range, file, "tensor ", in_quotes(info.name), ": element ", i, " is ", value,
               ", which does not fit into ", dtype_name(dtype_of<Integer>()));
    }
    values[i] = static_cast<Integer>(value);
  });
  if (!is_integer) {
    raise_io(IoErrorCode::type, file, "tensor ", in_quotes(info.name), " has dtype ", info.dtype,
             ", expected integers");
  }
  return values;
}

}  // namespace halfstep::inline HALFSTEP_ABI
