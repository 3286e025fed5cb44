#pragma once

/// \file
/// Codes of 1, 2, 4 or 8 bits with the first one in the highest bits of its byte: the order of Mesa's stored
/// activations and of bitsandbytes' 4-bit files. Everything else in the library has the first code in the lowest bits
/// (core/bit_packing.hpp).
///
///     b = 2:  byte 0: c0c0 c1c1 c2c2 c3c3      (bit 7 .. bit 0)

#include "halfstep/config.hpp"
#include "halfstep/core/bit_packing.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/matrix_view.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace halfstep::inline HALFSTEP_ABI {

/// Refuses widths that do not divide a byte.
constexpr void require_divides_byte(std::string_view where, int bits) {
  if (bits != 1 && bits != 2 && bits != 4 && bits != 8) raise(where, "bits is ", bits, ", expected 1, 2, 4 or 8");
}

/// Packs `codes`, one per byte, into the first `packed_bytes(codes.size(), bits)` bytes of `out`; unused bits of the
/// last of them are zero. `out` must not overlap `codes`.
///
/// Class: exact. Errors, before anything is written: `bits` that do not divide 8; an `out` too small; a code that does
/// not fit, named with its index.
inline void pack_high_first(std::span<const std::uint8_t> codes, int bits, std::span<std::uint8_t> out) {
  require_divides_byte("pack_high_first", bits);
  require_packed_room("pack_high_first", codes, bits, out);
  require_codes_fit("pack_high_first", codes, bits);
  const auto width = static_cast<std::size_t>(bits), per_byte = 8 / width;
  for (std::size_t byte = 0; byte * per_byte < codes.size(); ++byte) {
    unsigned joined = 0;
    for (std::size_t i = 0; i < per_byte; ++i) {
      const std::size_t at = byte * per_byte + i;
      joined = joined << width | (at < codes.size() ? codes[at] : 0u);
    }
    out[byte] = static_cast<std::uint8_t>(joined);
  }
}

/// Unpacks the first `codes.size()` codes of `packed`, one per byte. `codes` must not overlap `packed`.
///
/// Class: exact. Errors, before anything is written: `bits` that do not divide 8; codes that `packed` does not hold.
inline void unpack_high_first(std::span<const std::uint8_t> packed, int bits, std::span<std::uint8_t> codes) {
  require_divides_byte("unpack_high_first", bits);
  require_packed_range("unpack_high_first", packed, bits, 0, static_cast<Index>(codes.size()));
  const auto width = static_cast<std::size_t>(bits), per_byte = 8 / width;
  for (std::size_t i = 0; i < codes.size(); ++i) {
    const std::size_t shift = (per_byte - 1 - i % per_byte) * width;
    codes[i] = static_cast<std::uint8_t>(packed[i / per_byte] >> shift & ((1u << width) - 1));
  }
}

}  // namespace halfstep::inline HALFSTEP_ABI
