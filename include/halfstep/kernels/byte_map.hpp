#pragma once

/// \file
/// The map from codes to the bytes of a plane, applied to many codes at a time.

#include "halfstep/config.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/simd/bytes.hpp"
#include "halfstep/simd/memory.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace halfstep::inline HALFSTEP_ABI {

/// `out[i] = table[codes[i]]`, i < n, for codes below `Entries` (16 to 256). `out` may be `codes`. Class: exact.
template <std::size_t Entries>
void lookup_row(const std::uint8_t* table, const std::uint8_t* codes, Index n, std::uint8_t* out) {
  using Ops = simd::ByteOps<simd::NativeIsa>;
  const simd::ByteTable<Entries> held(table);
  constexpr auto step = static_cast<Index>(Ops::size);
  Index i = 0;
  for (; i + step <= n; i += step) Ops::store(out + i, simd::lookup_bytes(held, Ops::load(codes + i)));
  for (; i < n; ++i) out[i] = table[codes[i]];
}

/// A map from codes of 1 to 8 bits to bytes. Signed values are kept as their bytes modulo 256.
class ByteMap {
 public:
  ByteMap() : ByteMap(8) {
    for (std::size_t code = 0; code < 256; ++code) table_[code] = static_cast<std::uint8_t>(code);
    classify();
  }

  /// Code c becomes `values[c] - offset`, for c below 2^bits.
  ByteMap(const std::array<std::int16_t, 256>& values, int bits, int offset) : ByteMap(bits) {
    for (std::size_t code = 0; code < levels(); ++code) table_[code] = static_cast<std::uint8_t>(values[code] - offset);
    classify();
  }

  [[nodiscard]] int bits() const { return bits_; }
  [[nodiscard]] const std::array<std::uint8_t, 256>& table() const { return table_; }
  [[nodiscard]] std::uint8_t operator[](std::uint8_t code) const { return table_[code]; }
  /// Whether every code becomes itself.
  [[nodiscard]] bool is_identity() const { return is_shift_ && table_[0] == 0; }

  /// `out[i] = map[codes[i]]`, i < n. `out` may be `codes`. Class: exact.
  void apply(const std::uint8_t* codes, Index n, std::uint8_t* out) const {
    if (is_shift_) {
      const std::uint8_t shift = table_[0];
      for (Index i = 0; i < n; ++i) out[i] = static_cast<std::uint8_t>(codes[i] + shift);
    } else if (bits_ <= 4) {
      lookup_row<16>(table_.data(), codes, n, out);
    } else if (bits_ == 5) {
      lookup_row<32>(table_.data(), codes, n, out);
    } else if (bits_ == 6) {
      lookup_row<64>(table_.data(), codes, n, out);
    } else {
      for (Index i = 0; i < n; ++i) out[i] = table_[codes[i]];  // as fast as 8 or 16 look-ups in registers
    }
  }

 private:
  explicit ByteMap(int bits) : bits_(bits) {}

  [[nodiscard]] std::size_t levels() const { return std::size_t{1} << bits_; }

  void classify() {
    is_shift_ = true;
    for (std::size_t code = 0; code < levels(); ++code) {
      is_shift_ = is_shift_ && table_[code] == static_cast<std::uint8_t>(table_[0] + code);
    }
  }

  std::array<std::uint8_t, 256> table_{};
  int bits_ = 8;
  bool is_shift_ = true;
};

/// The sum of n bytes, unsigned or signed, for n up to 2^23. Class: exact.
template <simd::Byte B>
[[nodiscard]] std::int32_t sum_bytes(const B* p, Index n) {
  using simd::IntBatch;
  constexpr auto lanes = static_cast<Index>(simd::batch_lanes);
  IntBatch first(0), second(0);
  Index i = 0;
  for (; i + 2 * lanes <= n; i += 2 * lanes) {
    first += simd::load_bytes<IntBatch>(p + i);
    second += simd::load_bytes<IntBatch>(p + i + lanes);
  }
  std::int32_t lane_sums[simd::batch_lanes];
  simd::store(lane_sums, first + second);
  std::int32_t sum = 0;
  for (const std::int32_t lane : lane_sums) sum += lane;
  for (; i < n; ++i) sum += p[i];
  return sum;
}

}  // namespace halfstep::inline HALFSTEP_ABI
