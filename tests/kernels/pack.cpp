#include "halfstep/kernels/pack.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "halfstep/core/thread_pool.hpp"
#include "halfstep/kernels/quantize.hpp"
#include "halfstep/kernels/reference_product.hpp"
#include "halfstep/kernels/unpack.hpp"
#include "kernels/matrices.hpp"
#include "support/all_quantizers.hpp"
#include "support/catch.hpp"
#include "support/code_twins.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

namespace {

/// A quantized matrix with its type forgotten: codes, and what they stand for granule by granule.
struct Quantized {
  hs::TilingGrid grid;
  hs::MatrixU8 codes;
  std::vector<std::vector<float>> levels;  ///< by granule and code
  std::vector<double> bounds;              ///< how far an element of the packed weight may be, by granule
  bool is_uniform;                         ///< packed exactly, but for the rounding of decode

  [[nodiscard]] std::size_t granule(hs::Index r, hs::Index c) const {
    return static_cast<std::size_t>(grid.granule(r, c));
  }
  [[nodiscard]] double value(hs::Index r, hs::Index c, std::int32_t code) const {
    return static_cast<double>(levels[granule(r, c)].at(static_cast<std::size_t>(code)));
  }
};

void add_granule(Quantized& quantized, const QuantizerRef& q) {
  quantized.bounds.push_back(packed_error_bound(q));
  std::vector<float>& levels = quantized.levels.emplace_back();
  for (std::int32_t code = 0; code < q.level_count(); ++code) levels.push_back(q.decode(code));
}

template <class Q>
hs::MatrixU8 codes_of(const hs::QuantizedMatrix<Q>& matrix) {
  hs::MatrixU8 codes(matrix.rows(), matrix.cols());
  for (hs::Index r = 0; r < matrix.rows(); ++r) {
    for (hs::Index c = 0; c < matrix.cols(); ++c) codes(r, c) = static_cast<std::uint8_t>(matrix.code(r, c));
  }
  return codes;
}

template <class Q>
Quantized forget_type(const hs::QuantizedMatrix<Q>& matrix) {
  Quantized quantized{matrix.grid(), codes_of(matrix), {}, {}, requires(const Q& q){q.zero_point;
}
};
for (hs::Index i = 0; i < matrix.grid().count(); ++i) add_granule(quantized, matrix.quantizer(i));
return quantized;
}

// A million assertions take longer than what they assert: they are made where one fails.

/// Every element of a packed weight against the lowering of its quantizer, sums against its planes, padding against 0.
void check_values(const hs::PackedMatrix& packed, const Quantized& quantized) {
  const hs::KLayout& layout = packed.layout();
  for (hs::Index n = 0; n < packed.padded_rows(); ++n) {
    for (hs::Index g = 0; g < layout.groups(); ++g) {
      std::vector<std::int64_t> sums(2);
      for (hs::Index k = layout.begin(g); n < packed.rows() && k < layout.begin(g) + layout.length(g); ++k) {
        const hs::Index column = packed.channel(k);
        const double decoded = quantized.value(n, column, quantized.codes(n, column));
        if (packed.needs_floats()) {
          if (static_cast<double>(hs::packed_value(packed, n, k)) == decoded) continue;
          CAPTURE(n, k, decoded);
          REQUIRE(static_cast<double>(hs::packed_value(packed, n, k)) == decoded);
        }
        double value = -static_cast<double>(packed.zero(g)[n]);
        for (int p = 0; p < packed.plane_count(); ++p) {
          const int plane = packed.plane_value(p, n, k);
          value += static_cast<double>(packed.plane_weight(p)) * plane;
          sums[static_cast<std::size_t>(p)] += plane;
        }
        value *= static_cast<double>(packed.scale(g)[n]);
        const double bound =
            quantized.is_uniform ? std::ldexp(std::fabs(decoded), -24) : quantized.bounds[quantized.granule(n, column)];
        if (std::fabs(value - decoded) <= bound) continue;
        CAPTURE(n, k, value, decoded);
        REQUIRE(std::fabs(value - decoded) <= bound);
      }
      for (int p = 0; p < packed.plane_count() && !packed.needs_floats(); ++p) {
        REQUIRE(packed.sum(p, g)[n] == sums[static_cast<std::size_t>(p)]);
      }
      if (n >= packed.rows()) CHECK((packed.scale(g)[n] == 0 && packed.zero(g)[n] == 0));
    }
  }
}

/// Codes that came back against those that were packed, as `is_code_or_twin` has it.
void check_codes(const Quantized& quantized, const hs::MatrixU8& back) {
  for (hs::Index n = 0; n < quantized.codes.rows(); ++n) {
    for (hs::Index k = 0; k < quantized.codes.cols(); ++k) {
      const std::int32_t found = back(n, k), expected = quantized.codes(n, k);
      if (found == expected) continue;
      const double distance = quantized.value(n, k, found) - quantized.value(n, k, expected);
      CAPTURE(n, k, distance);
      if (found > expected || std::fabs(distance) > 2 * quantized.bounds[quantized.granule(n, k)]) {
        REQUIRE(found == expected);
      }
    }
  }
}

void check_packed(const hs::PackedMatrix& packed, const Quantized& quantized, const hs::MatrixU8& unpacked) {
  REQUIRE(packed.shape() == hs::Shape{quantized.codes.rows(), quantized.codes.cols()});
  check_values(packed, quantized);
  check_codes(quantized, unpacked);
  if (packed.level_count() > 0) check_codes(quantized, hs::unpack_codes(packed));
}

/// A packed weight, and the way back.
template <class Q>
void check_way_back(const hs::QuantizedMatrix<Q>& quantized) {
  const hs::PackedMatrix packed = hs::pack(quantized);
  hs::QuantizedMatrix<Q> frame(quantized.shape(), quantized.tiling(), quantized.scale_storage());
  for (hs::Index i = 0; i < quantized.grid().count(); ++i) frame.set_quantizer(i, quantized.quantizer(i));
  const hs::QuantizedMatrix<Q> unpacked = hs::unpack(packed, frame);
  CHECK(hs::pack(unpacked) == packed);
  CHECK(unpacked.parameters() == quantized.parameters());
  check_packed(packed, forget_type(quantized), codes_of(unpacked));
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("packing keeps every value and comes back, for every tiling", "[pack]", PackableKinds) {
  for (const hs::Symmetry symmetry : {hs::Symmetry::affine, hs::Symmetry::symmetric}) {
    for (const hs::Tiling& tiling : all_tilings(50)) {
      CAPTURE(tiling.tile_rows, tiling.tile_cols);
      const hs::MatrixF w = random_eigen(19, 50, 11, 1, 0.5f);
      check_way_back(hs::quantize<TestType>(w, {.tiling = tiling, .symmetry = symmetry}));
    }
  }
}

TEST_CASE("every shape", "[pack]") {
  for (const hs::Index rows : {0, 1, 15, 16, 17, 63, 64, 65, 130}) {
    for (const hs::Index cols : {0, 1, 3, 16, 17, 64, 100}) {
      for (const hs::Tiling& tiling : {hs::per_row(), hs::per_group(32), dealt_columns(cols, 16)}) {
        const hs::MatrixF w = random_eigen(rows, cols, 12);
        check_way_back(hs::quantize<hs::Uniform<4>>(w, {.tiling = tiling}));
        check_way_back(hs::quantize<hs::Uniform<8>>(w, {.tiling = tiling}));
      }
    }
  }
}

TEST_CASE("few bits stay few, and a zero that all share vanishes", "[pack]") {
  const hs::MatrixF w = random_eigen(64, 128, 13);
  const auto symmetric =
      hs::pack(hs::quantize<hs::Uniform<4>>(w, {.tiling = hs::per_group(64), .symmetry = hs::Symmetry::symmetric}));
  CHECK(symmetric.storage() == hs::WeightStorage::nibbles);
  CHECK_FALSE(symmetric.has_zeros());
  // 4 bits, a scale and a sum for each 64.
  CHECK(symmetric.bits_per_weight() == 4 + 2 * 32.0 / 64);
  const auto affine = hs::pack(hs::quantize<hs::Uniform<4>>(w, {.tiling = hs::per_group(64)}));
  CHECK(affine.storage() == hs::WeightStorage::nibbles);
  CHECK(affine.has_zeros());
  CHECK(affine.zeros_are_integers());
  CHECK(affine.bits_per_weight() == 4 + 3 * 32.0 / 64);
  const auto two = hs::pack(hs::quantize<hs::Uniform<2>>(w, {.tiling = hs::per_group(64)}));
  CHECK(two.storage() == hs::WeightStorage::quarters);
  CHECK(two.bits_per_weight() == 2 + 3 * 32.0 / 64);
  CHECK(hs::pack(hs::quantize<hs::Ternary>(w)).storage() == hs::WeightStorage::quarters);
  CHECK(hs::pack(hs::quantize<hs::Uniform<5>>(w)).storage() == hs::WeightStorage::bytes);
  CHECK(hs::pack(hs::quantize<WarpQuantizer<4>>(w, {.tiling = hs::per_row()})).storage() == hs::WeightStorage::bytes);
  // Parameters of one granule are always shared.
  CHECK(hs::pack(hs::quantize<WarpQuantizer<4>>(w)).storage() == hs::WeightStorage::nibbles);
}

TEST_CASE("codes of more bits than are stated are refused", "[pack]") {
  const hs::MatrixF w = random_eigen(4, 16, 15);
  CHECK_RAISES(hs::pack(hs::quantize<hs::Log2<3, hs::ZeroPolicy::mask>>(w)),
               "halfstep: pack: codes take 4 bits where 3 are stated");
  CHECK_RAISES(hs::pack(hs::quantize<hs::ShiftLog2<4, hs::LogSteps::published>>(w)),
               "halfstep: pack: codes take 5 bits where 4 are stated");
}

TEST_CASE("the executor does not show", "[pack]") {
  hs::ThreadPool pool(3);
  const hs::MatrixF w = random_eigen(150, 700, 14);
  const auto quantized = hs::quantize<hs::Uniform<3>>(w, {.tiling = hs::per_group(32)});
  CHECK(hs::pack(quantized, pool) == hs::pack(quantized));
  const auto warped = hs::quantize<WarpQuantizer<5>>(w, {.tiling = hs::per_group(32)});
  CHECK(hs::pack(warped, pool) == hs::pack(warped));
}
