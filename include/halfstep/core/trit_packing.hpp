#pragma once

/// \file
/// Ternary codes, five to a byte: 1.6 bits per code, where two bits would be 2 and the least possible log2(3) = 1.585.
///
///     byte = c0 + 3 c1 + 9 c2 + 27 c3 + 81 c4        c = 0, 1, 2; 3^5 = 243 of the 256 bytes are in use
///
/// A way to store weights, in files and in memory; kernels read planes of bytes (kernels/pack.hpp). What a last byte
/// lacks is filled up with code 1, which is the value 0 of `Ternary`.

#include "halfstep/config.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/matrix_view.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace halfstep::inline HALFSTEP_ABI {

/// Ternary codes in a byte.
inline constexpr std::size_t trits_per_byte = 5;

/// Bytes that hold five ternary codes are below this.
inline constexpr unsigned trit_bytes = 243;

/// The bytes that `count` ternary codes take: ceil(count / 5). Error: a negative `count`.
[[nodiscard]] constexpr Index packed_trit_bytes(Index count) {
  if (count < 0) raise("packed_trit_bytes", "count is ", count, ", expected at least 0");
  const auto per_byte = static_cast<Index>(trits_per_byte);
  return count / per_byte + (count % per_byte != 0 ? 1 : 0);
}

/// Packs `codes`, each 0, 1 or 2, into the first `packed_trit_bytes(codes.size())` bytes of `out`; the bytes after them
/// stay as they are. `out` must not overlap `codes`. Two passes over the codes.
///
/// Class: exact. Errors, before anything is written: an `out` too small; a code above 2, named with its index.
///
///     const std::uint8_t codes[] = {2, 0, 1, 1, 0, 2};
///     std::vector<std::uint8_t> packed(packed_trit_bytes(6));
///     pack_trits(codes, packed);                                       // 2 + 9 + 27, 2 + 3 + 9 + 27 + 81
inline void pack_trits(std::span<const std::uint8_t> codes, std::span<std::uint8_t> out) {
  const auto needed = static_cast<std::size_t>(packed_trit_bytes(static_cast<Index>(codes.size())));
  if (out.size() < needed) {
    raise("pack_trits", "out has ", out.size(), " bytes, expected at least ", needed, " for ", codes.size(),
          " ternary codes");
  }
  for (std::size_t i = 0; i < codes.size(); ++i) {
    if (codes[i] > 2) raise("pack_trits", "code ", i, " is ", codes[i], ", expected 0 to 2");
  }
  for (std::size_t byte = 0; byte < needed; ++byte) {
    unsigned joined = 0;
    for (std::size_t i = trits_per_byte; i-- > 0;) {
      const std::size_t at = byte * trits_per_byte + i;
      joined = 3 * joined + (at < codes.size() ? codes[at] : 1u);
    }
    out[byte] = static_cast<std::uint8_t>(joined);
  }
}

/// Unpacks the first `codes.size()` codes of `packed`, one per byte. `codes` must not overlap `packed`. Two passes over
/// the bytes that hold them, and a multiplication per code.
///
/// Class: exact. Errors, before anything is written: codes that `packed` does not hold; a byte above 242, which no five
/// codes make, named with its index.
inline void unpack_trits(std::span<const std::uint8_t> packed, std::span<std::uint8_t> codes) {
  const auto needed = static_cast<std::size_t>(packed_trit_bytes(static_cast<Index>(codes.size())));
  if (packed.size() < needed) {
    raise("unpack_trits", "packed has ", packed.size(), " bytes, ", packed.size() * trits_per_byte,
          " ternary codes; asked for ", codes.size());
  }
  for (std::size_t byte = 0; byte < needed; ++byte) {
    if (packed[byte] >= trit_bytes) {
      raise("unpack_trits", "byte ", byte, " is ", packed[byte], ", expected 0 to ", trit_bytes - 1);
    }
  }
  for (std::size_t byte = 0; byte < needed; ++byte) {
    unsigned left = packed[byte];
    for (std::size_t i = byte * trits_per_byte; i < codes.size() && i < (byte + 1) * trits_per_byte; ++i, left /= 3) {
      codes[i] = static_cast<std::uint8_t>(left % 3);
    }
  }
}

}  // namespace halfstep::inline HALFSTEP_ABI
