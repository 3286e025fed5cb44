#pragma once

/// \file
/// How activations become codes: one quantizer for the whole tensor, or one fitted to each row, or to each block of a
/// row, as it comes.

#include "halfstep/config.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/kernels/byte_map.hpp"
#include "halfstep/kernels/encode_row.hpp"
#include "halfstep/kernels/k_layout.hpp"
#include "halfstep/kernels/row_range.hpp"
#include "halfstep/quantizers/block_format.hpp"
#include "halfstep/quantizers/concepts.hpp"
#include "halfstep/quantizers/uniform.hpp"
#include "halfstep/simd/pinned.hpp"

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <type_traits>

namespace halfstep::inline HALFSTEP_ABI {

/// The rule that encodes a row of activations. Any scalar quantizer converts to one (static: the same parameters for
/// every row); `per_token` fits a quantizer to each row's own range (dynamic). A value without template parameters, so
/// that options and layers can hold it; copying it is cheap, and const use is safe from any number of threads.
///
/// What a code stands for: `unit * (sum_p weight_p * byte_p[code] - zero)`, the planes of the quantizer's lowering,
/// each moved so that its least value is the byte 0.
class Activation {
 public:
  /// Unit and zero of a row. The unit is NaN where the row holds a value that is not finite.
  using RowScale = LoweringScale;

  /// 8 bits, affine, fitted to each row. Where a weight takes floats only (FP8, MXFP8), activations are kept in float.
  Activation() : Activation(standard()) {}

  /// No codes at all: x meets the weight as it is, and the weight its values (weight-only quantization).
  [[nodiscard]] static Activation kept_in_float() {
    Activation activation;
    activation.float_use_ = FloatUse::always;
    activation.bits_ = 32;
    activation.encode_ = &refuse_to_encode;
    activation.made_of_ = nullptr;
    return activation;
  }

  /// The same quantizer for every row.
  template <class Q>
  requires(!std::same_as<Q, Activation> && ScalarQuantizer<Q>)
      Activation(const Q& q)  // NOLINT(google-explicit-constructor): any quantizer is an activation
      : Activation(lower(q), Q::bits) {
    encode_ = &encode_static<Q>;
    made_of_ = &tag<Q>;
    if constexpr (fits_inline<Q>) {
      std::memcpy(inline_.bytes, &q, sizeof q);
    } else {
      shared_ = std::make_shared<const Q>(q);
    }
  }

  /// `Q` fitted to the range of each row. Errors: a quantizer whose planes depend on its parameters.
  template <ScalarQuantizer Q>
  [[nodiscard]] static Activation per_token(Symmetry symmetry = Symmetry::affine) {
    const Lowering lowering = lower(fit<Q>(Range{-1.0f, 1.0f, 0.5f}, symmetry));
    for (const Range probe : {Range{0.0f, 3.0f, 1.0f}, Range{-7.0f, 0.3f, 2.0f}}) {
      if (lower(fit<Q>(probe, symmetry)).planes != lowering.planes) {
        raise("Activation::per_token", "the planes of this quantizer depend on its parameters: fit it once instead");
      }
    }
    Activation activation(lowering, Q::bits);
    activation.encode_ = &encode_dynamic<Q>;
    activation.made_of_ = &tag<Q>;
    activation.symmetry_ = symmetry;
    activation.is_dynamic_ = true;
    return activation;
  }

  /// The block format `F` (MX, NV): each `F::block_size` consecutive values of a row get the scale of their own range.
  /// `tensor_scale` is the factor of a format that has one (NVFP4): `F::tensor_scale_of` the range of the data, known
  /// beforehand, so that a row's codes depend on nothing but that row; 1 is the one-level form.
  ///
  /// Meets weights whose groups divide a block, or blocks of one group: MXFP4 and NVFP4 weights, or any other quantized
  /// under `per_group(F::block_size)`. Errors: a tensor scale that is not positive and finite, or not 1 where the
  /// format has none.
  template <BlockFormat F>
  [[nodiscard]] static Activation per_block(float tensor_scale = 1.0f) {
    const bool is_usable = tensor_scale > 0 && tensor_scale <= std::numeric_limits<float>::max();
    if (!is_usable || (!HasTensorScale<F> && tensor_scale != 1.0f)) {
      raise("Activation::per_block", "tensor_scale is ", tensor_scale, ", expected ",
            HasTensorScale<F> ? "a positive number" : "1: this format has none");
    }
    Activation activation(lower(fit_block<F>({-1.0f, 1.0f, 0.5f}, 1.0f)), F::bits);
    activation.encode_ = &refuse_to_encode_a_row;
    activation.encode_blocks_ = &encode_in_blocks<F>;
    activation.made_of_ = &tag<F>;
    activation.block_size_ = F::block_size;
    activation.tensor_scale_ = tensor_scale;
    activation.is_dynamic_ = true;
    return activation;
  }

  /// Bits of a code; 32 where floats are kept.
  [[nodiscard]] int bits() const { return bits_; }
  /// Whether there are no codes, whatever the weight.
  [[nodiscard]] bool keeps_floats() const { return float_use_ == FloatUse::always; }
  /// Whether x may meet a weight that takes floats only: floats are kept, or nothing else was asked for.
  [[nodiscard]] bool may_keep_floats() const { return float_use_ != FloatUse::never; }
  [[nodiscard]] bool is_dynamic() const { return is_dynamic_; }
  /// How many consecutive values of a row share a unit and a zero; 0: all of them.
  [[nodiscard]] Index block_size() const { return block_size_; }
  [[nodiscard]] int plane_count() const { return plane_count_; }
  [[nodiscard]] float plane_weight(int p) const { return plane_weight_[static_cast<std::size_t>(p)]; }
  [[nodiscard]] const std::array<float, 2>& plane_weights() const { return plane_weight_; }
  /// The byte that plane p holds for each code, as a map and as a table.
  [[nodiscard]] const ByteMap& plane_map(int p) const { return plane_map_[static_cast<std::size_t>(p)]; }
  [[nodiscard]] const std::array<std::uint8_t, 256>& plane_bytes(int p) const { return plane_map(p).table(); }
  /// Whether there is one plane and it holds the codes as they are, without a look-up.
  [[nodiscard]] bool planes_are_codes() const { return plane_count_ == 1 && plane_map_[0].is_identity(); }
  /// Unit and zero of every finite row. Of a static activation only.
  [[nodiscard]] RowScale static_scale() const { return {scale_.unit, scale_.zero - zero_shift_}; }

  /// Whether the rule is made of `Q`: one for every row, one for each, or one for each block. For what writes rules
  /// down.
  template <ScalarQuantizer Q>
  [[nodiscard]] bool is_made_of() const {
    return made_of_ == &tag<Q>;
  }
  /// The quantizer of every row. Of a static activation that is made of `Q` only.
  template <ScalarQuantizer Q>
  [[nodiscard]] Q static_quantizer() const {
    return quantizer<Q>();
  }
  /// What quantizers are fitted to rows under. Of `per_token` only.
  [[nodiscard]] Symmetry symmetry() const { return symmetry_; }
  /// The factor of the tensor. Of `per_block` only.
  [[nodiscard]] float tensor_scale() const { return tensor_scale_; }

  /// Codes of the row `x[0 .. layout.k)`: element k to `codes[layout.position(k)]`, the sum of the codes of group g to
  /// `sums[g]`. Bytes between the groups are left as they are. Returns unit and zero of the row.
  RowScale encode(const float* x, const KLayout& layout, std::uint8_t* codes, std::int32_t* sums) const {
    RowScale scale = encode_(*this, x, layout, codes, sums);
    scale.zero -= zero_shift_;
    return scale;
  }

  /// Codes of a row in blocks, as above; unit and zero of group g go to `units[g]` and `zeros[g]`. Groups divide blocks
  /// (`fits_blocks`). All units are NaN where the row holds a value that is not finite. Of block formats only.
  void encode_blocks(const float* x, const KLayout& layout, std::uint8_t* codes, std::int32_t* sums, float* units,
                     float* zeros) const {
    encode_blocks_(*this, x, layout, codes, sums, units, zeros);
  }

  /// Whether each group of `layout` lies in one block.
  [[nodiscard]] bool fits_blocks(const KLayout& layout) const {
    if (block_size_ == 0) return true;
    return layout.groups() == 1 ? layout.k <= block_size_ : block_size_ % layout.group == 0;
  }

  /// Codes of `x[0 .. n)`, side by side.
  RowScale encode(const float* x, Index n, std::uint8_t* codes) const {
    std::int32_t sum = 0;
    return encode(x, KLayout(n, 0), codes, &sum);
  }

 private:
  /// Its address tells one quantizer from another.
  template <class Q>
  static constexpr char tag = 0;
  template <class Q>
  static constexpr bool fits_inline = std::is_trivially_copyable_v<Q> && sizeof(Q) <= 64;

  Activation(const Lowering& lowering, int bits)
      : plane_count_(lowering.plane_count), bits_(bits), scale_{lowering.unit, lowering.zero} {
    for (std::size_t p = 0; p < static_cast<std::size_t>(plane_count_); ++p) {
      const BytePlane& plane = lowering.planes[p];
      int least = plane.values[0];
      for (std::size_t code = 1; code < std::size_t{1} << bits; ++code) {
        least = plane.values[code] < least ? plane.values[code] : least;
      }
      plane_weight_[p] = plane.weight;
      plane_map_[p] = ByteMap(plane.values, bits, least);
      zero_shift_ += simd::pinned(plane.weight * static_cast<float>(least));
    }
  }

  /// Whether floats may stay floats.
  enum class FloatUse { never, if_needed, always };

  static const Activation& standard() {
    static const Activation activation = [] {
      Activation made = per_token<Uniform<8>>();
      made.float_use_ = FloatUse::if_needed;
      return made;
    }();
    return activation;
  }

  [[noreturn]] static RowScale refuse_to_encode(const Activation&, const float*, const KLayout&, std::uint8_t*,
                                                std::int32_t*) {
    raise("Activation::encode", "this activation keeps floats, it has no codes");
  }

  [[noreturn]] static RowScale refuse_to_encode_a_row(const Activation& self, const float*, const KLayout&,
                                                      std::uint8_t*, std::int32_t*) {
    raise("Activation::encode", "this activation has a scale for each ", self.block_size_, " values of a row: use ",
          "encode_blocks");
  }

  template <class Q>
  [[nodiscard]] Q quantizer() const {
    if constexpr (fits_inline<Q>) {
      Q q;
      std::memcpy(&q, inline_.bytes, sizeof q);
      return q;
    } else {
      return *static_cast<const Q*>(shared_.get());
    }
  }

  /// Returns whether all values are finite.
  template <class Q>
  static bool encode_groups(const Q& q, const float* x, const KLayout& layout, std::uint8_t* codes,
                            std::int32_t* sums) {
    bool finite = true;
    for (Index g = 0; g < layout.groups(); ++g) {
      const EncodedRow seen = encode_row(q, x + layout.begin(g), layout.length(g), codes + layout.padded_begin(g));
      sums[g] = seen.code_sum;
      finite = finite && seen.is_finite;
    }
    return finite;
  }

  template <class Q>
  static RowScale encode_static(const Activation& self, const float* x, const KLayout& layout, std::uint8_t* codes,
                                std::int32_t* sums) {
    const bool finite = encode_groups(self.quantizer<Q>(), x, layout, codes, sums);
    return {finite ? self.scale_.unit : std::numeric_limits<float>::quiet_NaN(), self.scale_.zero};
  }

  template <class Q>
  static RowScale encode_dynamic(const Activation& self, const float* x, const KLayout& layout, std::uint8_t* codes,
                                 std::int32_t* sums) {
    RunningRange range;
    const bool finite = widen(range, x, layout.k);
    if constexpr (reads_mean_abs<Q>()) add_abs(range, x, layout.k);
    const Q q = finite ? fit<Q>(range.range(), self.symmetry_) : Q{};
    encode_groups(q, x, layout, codes, sums);
    RowScale scale = lowering_scale(q);
    if (!finite) scale.unit = std::numeric_limits<float>::quiet_NaN();
    return scale;
  }

  template <class F>
  [[nodiscard]] static F fit_block(Range range, float tensor_scale) {
    if constexpr (HasTensorScale<F>) {
      return F::fit_block(range, tensor_scale);
    } else {
      return F::fit(range);
    }
  }

  template <class F>
  static void encode_in_blocks(const Activation& self, const float* x, const KLayout& layout, std::uint8_t* codes,
                               std::int32_t* sums, float* units, float* zeros) {
    bool finite = true;
    for (Index g = 0; g < layout.groups();) {
      const Index begin = layout.begin(g), count = std::min<Index>(F::block_size, layout.k - begin);
      RunningRange range;
      finite = widen(range, x + begin, count) && finite;
      const F q = finite ? fit_block<F>(range.range(), self.tensor_scale_) : F{};
      const RowScale scale = lowering_scale(q);
      do {  // once even for a row without elements
        sums[g] = encode_row(q, x + layout.begin(g), layout.length(g), codes + layout.padded_begin(g)).code_sum;
        units[g] = scale.unit;
        zeros[g] = scale.zero - self.zero_shift_;
        ++g;
      } while (g < layout.groups() && layout.begin(g) < begin + count);
    }
    if (!finite) std::fill_n(units, layout.groups(), std::numeric_limits<float>::quiet_NaN());
  }

  using EncodeBlocks = void (*)(const Activation&, const float*, const KLayout&, std::uint8_t*, std::int32_t*, float*,
                                float*);
  using Encode = RowScale (*)(const Activation&, const float*, const KLayout&, std::uint8_t*, std::int32_t*);

  std::array<float, 2> plane_weight_{1, 1};
  std::array<ByteMap, 2> plane_map_;
  int plane_count_ = 1;
  int bits_ = 8;
  bool is_dynamic_ = false;
  FloatUse float_use_ = FloatUse::never;
  Symmetry symmetry_ = Symmetry::affine;
  RowScale scale_;        // of a static activation, before planes are moved
  float zero_shift_ = 0;  // what moving the planes takes from the zero
  const char* made_of_ = nullptr;
  Encode encode_ = nullptr;
  EncodeBlocks encode_blocks_ = nullptr;
  Index block_size_ = 0;
  float tensor_scale_ = 1;  // of block formats
  struct {
    alignas(std::max_align_t) unsigned char bytes[64] = {};
  } inline_;                            // the quantizer, where it is small,
  std::shared_ptr<const void> shared_;  // or here
};

}  // namespace halfstep::inline HALFSTEP_ABI
