#pragma once

/// \file
/// Codes of 1 to 8 bits without gaps between them: how codes are stored, in memory and in most files.
///
/// Code i takes the bits [i * b, i * b + b) of a little-endian stream, least significant bit first: bit n of the stream
/// is bit n % 8 of byte n / 8. Read as little-endian words of any width, the stream is the number sum_i code_i *
/// 2^(i*b). Eight codes of b bits fill b bytes exactly, so every eighth code starts a byte.
///
///     b = 3:  byte 0             byte 1             byte 2
///             c2c2 c1c1c1 c0c0c0 c5 c4c4c4 c3c3c3c2 c7c7c7 c6c6c6 c5c5     (bit 7 .. bit 0 of each)

#include "halfstep/config.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/matrix_view.hpp"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

namespace halfstep::inline HALFSTEP_ABI {

static_assert(std::endian::native == std::endian::little, "halfstep needs a little-endian machine");

/// Refuses a number of bits per code other than 1 to 8.
constexpr void require_code_bits(std::string_view where, int bits) {
  if (bits < 1 || bits > 8) raise(where, "bits is ", bits, ", expected 1 to 8");
}

/// The bytes that `count` codes of `bits` bits take, the last one filled up with zero bits: ceil(count * bits / 8).
/// Errors: a negative `count`; `bits` outside 1 .. 8.
[[nodiscard]] constexpr Index packed_bytes(Index count, int bits) {
  require_code_bits("packed_bytes", bits);
  if (count < 0) raise("packed_bytes", "count is ", count, ", expected at least 0");
  return count / 8 * bits + (count % 8 * bits + 7) / 8;
}

/// The whole codes of `bits` bits that `bytes` bytes have room for. Errors: `bits` outside 1 .. 8.
[[nodiscard]] constexpr Index packed_capacity(std::size_t bytes, int bits) {
  require_code_bits("packed_capacity", bits);
  const auto size = static_cast<Index>(bytes);
  return size / bits * 8 + size % bits * 8 / bits;
}

/// Moves eight codes of `Bits` bits between the bytes of a word and its lowest 8 * Bits bits.
template <int Bits>
struct CodeWord {
  static_assert(Bits >= 1 && Bits <= 8, "CodeWord<Bits>: Bits is 1 to 8");

  /// Joins the codes in the bytes of `codes`, each below 2^Bits: pairs, pairs of pairs, halves.
  [[nodiscard]] static constexpr std::uint64_t join(std::uint64_t codes) {
    std::uint64_t x = codes;
    x = (x & 0x00FF'00FF'00FF'00FFu) | ((x & 0xFF00'FF00'FF00'FF00u) >> (8 - Bits));
    x = (x & 0x0000'FFFF'0000'FFFFu) | ((x & 0xFFFF'0000'FFFF'0000u) >> (16 - 2 * Bits));
    return (x & 0x0000'0000'FFFF'FFFFu) | (x >> 32 << (4 * Bits));
  }

  /// Spreads the lowest 8 * Bits bits over the bytes of a word; the bits above them are ignored.
  [[nodiscard]] static constexpr std::uint64_t spread(std::uint64_t joined) {
    constexpr std::uint64_t four = (std::uint64_t{1} << (4 * Bits)) - 1;
    constexpr std::uint64_t two = ((std::uint64_t{1} << (2 * Bits)) - 1) * 0x0000'0001'0000'0001u;
    constexpr std::uint64_t one = ((std::uint64_t{1} << Bits) - 1) * 0x0001'0001'0001'0001u;
    std::uint64_t x = (joined & four) | (joined >> (4 * Bits) & four) << 32;
    x = (x & two) | (x << (16 - 2 * Bits) & two << 16);
    return (x & one) | (x << (8 - Bits) & one << 8);
  }
};

/// The `bytes` <= 8 bytes at `from` as a little-endian number.
[[nodiscard]] inline std::uint64_t load_word(const std::uint8_t* from, std::size_t bytes) {
  std::uint64_t word = 0;
  std::memcpy(&word, from, bytes);
  return word;
}

/// Packs `count` codes, each below 2^Bits, into `packed_bytes(count, Bits)` bytes at `out`. Unchecked. Class: exact.
template <int Bits>
void pack_codes(const std::uint8_t* codes, std::size_t count, std::uint8_t* out) {
  std::size_t i = 0;
  for (; i + 8 <= count; i += 8, out += Bits) {
    const std::uint64_t joined = CodeWord<Bits>::join(load_word(codes + i, 8));
    std::memcpy(out, &joined, Bits);
  }
  if (i == count) return;
  const std::uint64_t joined = CodeWord<Bits>::join(load_word(codes + i, count - i));
  std::memcpy(out, &joined, ((count - i) * Bits + 7) / 8);
}

/// Code number `index` of the stream at `packed`. Reads only bytes that hold a part of it. Unchecked. Class: exact.
[[nodiscard]] inline std::uint8_t code_at(const std::uint8_t* packed, int bits, std::size_t index) {
  const auto width = static_cast<unsigned>(bits);
  const std::size_t first_bit = index * width;
  const auto offset = static_cast<unsigned>(first_bit % 8);
  unsigned window = packed[first_bit / 8];
  if (offset + width > 8) window |= static_cast<unsigned>(packed[first_bit / 8 + 1]) << 8;
  return static_cast<std::uint8_t>(window >> offset & ((1u << width) - 1));
}

/// Writes the codes [first, first + count) of the stream at `packed` to `codes`, one per byte. Reads only bytes that
/// hold a part of them. Unchecked. Class: exact.
template <int Bits>
void unpack_codes(const std::uint8_t* packed, std::size_t first, std::uint8_t* codes, std::size_t count) {
  std::size_t i = 0;
  for (; i < count && (first + i) % 8 != 0; ++i) codes[i] = code_at(packed, Bits, first + i);
  const std::uint8_t* from = packed + (first + i) / 8 * Bits;
  // A whole word is one load where `Bits` bytes may be three; as long as eight bytes hold codes that are asked for.
  for (; (count - i) * Bits >= 64; i += 8, from += Bits) {
    const std::uint64_t spread = CodeWord<Bits>::spread(load_word(from, 8));
    std::memcpy(codes + i, &spread, 8);
  }
  for (; i + 8 <= count; i += 8, from += Bits) {
    const std::uint64_t spread = CodeWord<Bits>::spread(load_word(from, Bits));
    std::memcpy(codes + i, &spread, 8);
  }
  if (i == count) return;
  const std::uint64_t spread = CodeWord<Bits>::spread(load_word(from, ((count - i) * Bits + 7) / 8));
  std::memcpy(codes + i, &spread, count - i);
}

/// Calls `visit` with `bits`, 1 .. 8, as a std::integral_constant: one branch, and loops that know their width.
template <class Visit>
void with_code_bits(int bits, Visit&& visit) {
  switch (bits) {
    case 1:
      return visit(std::integral_constant<int, 1>());
    case 2:
      return visit(std::integral_constant<int, 2>());
    case 3:
      return visit(std::integral_constant<int, 3>());
    case 4:
      return visit(std::integral_constant<int, 4>());
    case 5:
      return visit(std::integral_constant<int, 5>());
    case 6:
      return visit(std::integral_constant<int, 6>());
    case 7:
      return visit(std::integral_constant<int, 7>());
    default:
      return visit(std::integral_constant<int, 8>());
  }
}

/// Refuses codes that do not fit `bits` bits, 1 .. 8, and names the first. One pass, eight codes at a time.
inline void require_codes_fit(std::string_view where, std::span<const std::uint8_t> codes, int bits) {
  const unsigned largest = (1u << static_cast<unsigned>(bits)) - 1;
  std::uint64_t seen = 0;
  std::size_t i = 0;
  for (; i + 8 <= codes.size(); i += 8) seen |= load_word(codes.data() + i, 8);
  for (; i < codes.size(); ++i) seen |= codes[i];
  if ((seen & (0xFFu & ~largest) * 0x0101'0101'0101'0101u) == 0) return;
  for (i = 0; codes[i] <= largest;) ++i;
  raise(where, "code ", i, " is ", codes[i], ", expected 0 to ", largest, " (", bits, " bits)");
}

/// Refuses an `out` that does not hold `codes`, packed.
inline void require_packed_room(std::string_view where, std::span<const std::uint8_t> codes, int bits,
                                std::span<const std::uint8_t> out) {
  const auto needed = static_cast<std::size_t>(packed_bytes(static_cast<Index>(codes.size()), bits));
  if (out.size() >= needed) return;
  raise(where, "out has ", out.size(), " bytes, expected at least ", needed, " for ", codes.size(), " codes of ", bits,
        " bits");
}

/// Packs `codes`, one per byte, into the first `packed_bytes(codes.size(), bits)` bytes of `out`; unused bits of the
/// last of them are zero, the bytes after it stay as they are. `out` must not overlap `codes`. Two passes over the
/// codes.
///
/// Class: exact. Errors, before anything is written: `bits` outside 1 .. 8; an `out` too small; a code that does not
/// fit, named with its index.
///
///     const std::uint8_t codes[] = {1, 6, 3};
///     std::vector<std::uint8_t> packed(packed_bytes(3, 3));
///     pack_bits(codes, 3, packed);                                     // 0b11'110'001, 0b0000000'0
inline void pack_bits(std::span<const std::uint8_t> codes, int bits, std::span<std::uint8_t> out) {
  require_code_bits("pack_bits", bits);
  require_packed_room("pack_bits", codes, bits, out);
  if (codes.empty()) return;
  require_codes_fit("pack_bits", codes, bits);
  with_code_bits(bits, [&](auto b) { pack_codes<b()>(codes.data(), codes.size(), out.data()); });
}

/// Refuses a range of codes that `packed` does not hold.
inline void require_packed_range(std::string_view where, std::span<const std::uint8_t> packed, int bits, Index first,
                                 Index count) {
  require_code_bits(where, bits);
  const Index held = packed_capacity(packed.size(), bits);
  if (first < 0 || first > held || count > held - first) {
    raise(where, "packed has ", packed.size(), " bytes, ", held, " codes of ", bits, " bits; asked for ", count,
          " from code ", first);
  }
}

/// Unpacks the codes [first, first + codes.size()) of the stream `packed` into `codes`, one per byte; `first` may be
/// any code, but every eighth starts a byte and needs no steps before the words. `codes` must not overlap `packed`.
///
/// Class: exact. Errors, before anything is written: `bits` outside 1 .. 8; codes that `packed` does not hold.
inline void unpack_bits(std::span<const std::uint8_t> packed, int bits, Index first, std::span<std::uint8_t> codes) {
  require_packed_range("unpack_bits", packed, bits, first, static_cast<Index>(codes.size()));
  if (codes.empty()) return;
  with_code_bits(bits, [&](auto b) {
    unpack_codes<b()>(packed.data(), static_cast<std::size_t>(first), codes.data(), codes.size());
  });
}

/// Code number `index` of the stream `packed`. Class: exact. Errors as `unpack_bits`.
[[nodiscard]] inline std::uint8_t read_code(std::span<const std::uint8_t> packed, int bits, Index index) {
  require_packed_range("read_code", packed, bits, index, 1);
  return code_at(packed.data(), bits, static_cast<std::size_t>(index));
}

}  // namespace halfstep::inline HALFSTEP_ABI
