#include "halfstep/kernels/quantize.hpp"

#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <vector>

#include "halfstep/core/thread_pool.hpp"
#include "kernels/matrices.hpp"
#include "support/all_quantizers.hpp"
#include "support/catch.hpp"
#include "support/executors.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

namespace {

/// Checks `quantized` element by element: the parameters are the fit of the granule's range, the codes those of the
/// quantizer.
template <class Q, class M>
void check_quantized(const hs::QuantizedMatrix<Q>& quantized, const M& matrix, const hs::QuantizeOptions& options) {
  const auto source = hs::view(matrix);
  const hs::TilingGrid grid(options.tiling, hs::shape_of(source));
  REQUIRE(quantized.shape() == hs::shape_of(source));
  std::map<hs::Index, hs::Range> ranges;
  std::map<hs::Index, double> sums, counts;
  for (hs::Index r = 0; r < source.rows; ++r) {
    for (hs::Index c = 0; c < source.cols; ++c) {
      const float x = hs::element_to_float(source(r, c));
      const hs::Index granule = grid.granule(r, c);
      const auto [range, is_new] = ranges.try_emplace(granule, hs::Range{x, x, 0});
      range->second.min = std::fmin(range->second.min, x);
      range->second.max = std::fmax(range->second.max, x);
      sums[granule] += std::fabs(static_cast<double>(x));
      counts[granule] += 1;
    }
  }
  CHECK(static_cast<hs::Index>(ranges.size()) == grid.count());
  for (auto& [granule, range] : ranges) {
    const Q q = quantized.quantizer(granule);
    if constexpr (!hs::reads_mean_abs<Q>()) {
      CHECK(q == hs::with_stored_scale(hs::fit<Q>(range, options.symmetry), options.scale_storage));
    } else if constexpr (requires { q.warp; }) {
      // The mean is summed in another order here: doubles, so one rounding to float at most.
      const auto mean = static_cast<float>(sums[granule] / counts[granule]);
      CHECK(q.warp == Approx(Q::fit({range.min, range.max, mean}).warp).epsilon(0x1p-22));
    }
  }
  for (hs::Index r = 0; r < source.rows; ++r) {
    for (hs::Index c = 0; c < source.cols; ++c) {
      REQUIRE(quantized.code(r, c) == quantized.quantizer_at(r, c).encode(hs::element_to_float(source(r, c))));
    }
  }
}

template <class Q>
void check_shape(hs::Index rows, hs::Index cols, const hs::QuantizeOptions& options) {
  CAPTURE(rows, cols, options.tiling.tile_rows, options.tiling.tile_cols);
  const hs::MatrixF matrix = random_eigen(rows, cols, 17);
  const auto quantized = hs::quantize<Q>(matrix, options);
  check_quantized(quantized, matrix, options);
  const hs::MatrixF values = hs::dequantize(quantized);
  for (hs::Index r = 0; r < rows; ++r) {
    for (hs::Index c = 0; c < cols; ++c) REQUIRE(values(r, c) == quantized.value(r, c));
  }
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("every quantizer under every tiling", "[quantize]", AllQuantizers) {
  for (const hs::Symmetry symmetry : {hs::Symmetry::affine, hs::Symmetry::symmetric}) {
    for (const hs::Tiling& tiling : all_tilings(29)) {
      check_shape<TestType>(11, 29, {.tiling = tiling, .symmetry = symmetry});
    }
  }
}

TEST_CASE("every shape, with scales as F16, too", "[quantize]") {
  for (const hs::Index rows : {0, 1, 2, 17, 130}) {
    for (const hs::Index cols : {0, 1, 7, 16, 33, 130}) {
      for (const hs::Tiling& tiling : {hs::per_tensor(), hs::per_row(), hs::per_column(), hs::per_group(16)}) {
        check_shape<hs::Uniform<4>>(rows, cols, {.tiling = tiling, .scale_storage = hs::ScaleStorage::f16});
        check_shape<hs::Uniform<3>>(rows, cols, {.tiling = tiling});
      }
    }
  }
}

TEST_CASE("any storage order, stride and element type", "[quantize]") {
  const hs::MatrixF matrix = random_eigen(13, 21, 5);
  const auto expected = hs::quantize<hs::Uniform<4>>(matrix, {.tiling = hs::per_group(8)});
  const hs::QuantizeOptions options{.tiling = hs::per_group(8)};

  const ColumnMajorF column_major = matrix;
  CHECK(hs::quantize<hs::Uniform<4>>(column_major, options) == expected);
  const hs::MatrixD doubles = matrix.cast<double>();
  CHECK(hs::quantize<hs::Uniform<4>>(doubles, options) == expected);

  hs::MatrixF wide = hs::MatrixF::Constant(30, 50, 1e9f);
  wide.block(3, 7, 13, 21) = matrix;
  CHECK(hs::quantize<hs::Uniform<4>>(wide.block(3, 7, 13, 21), options) == expected);
  const hs::MatrixF turned = matrix.transpose();
  CHECK(hs::quantize<hs::Uniform<4>>(hs::transposed(turned), options) == expected);

  using HalfMatrix = Eigen::Matrix<Eigen::half, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const HalfMatrix halves = matrix.cast<Eigen::half>();
  check_quantized(hs::quantize<hs::Uniform<4>>(halves, options), halves, options);
}

TEST_CASE("codes do not depend on the executor", "[quantize]") {
  hs::ThreadPool pool(3);
  BackwardsExecutor backwards;
  const hs::MatrixF matrix = random_eigen(300, 257, 6);
  for (const hs::Tiling& tiling : {hs::per_tensor(), hs::per_row(), hs::per_column(), hs::per_block(100, 31)}) {
    const auto expected = hs::quantize<WarpQuantizer<4>>(matrix, {.tiling = tiling});
    CHECK(hs::quantize<WarpQuantizer<4>>(matrix, {.tiling = tiling, .executor = pool}) == expected);
    CHECK(hs::quantize<WarpQuantizer<4>>(matrix, {.tiling = tiling, .executor = backwards}) == expected);
    CHECK(difference(hs::dequantize(expected), hs::dequantize(expected, pool)) == "");
    check_quantized(expected, matrix, {.tiling = tiling});
  }
}

TEST_CASE("data that is not finite is refused by its position", "[quantize]") {
  for (const hs::Index rows : {5, 200}) {
    hs::MatrixF matrix = random_eigen(rows, 70, 7);
    matrix(rows - 1, 69) = -std::numeric_limits<float>::infinity();
    matrix(rows - 2, 4) = std::numeric_limits<float>::quiet_NaN();
    const std::string expected =
        hs::concat("halfstep: quantize: matrix is not finite: row ", rows - 2, ", column 4 is nan");
    for (const hs::Tiling& tiling : all_tilings(70)) {
      CHECK_RAISES(hs::quantize<hs::Uniform<4>>(matrix, {.tiling = tiling}), expected);
    }
    matrix(rows - 2, 4) = 0;
    CHECK_RAISES(hs::quantize<hs::Uniform<4>>(matrix), hs::concat("row ", rows - 1, ", column 69 is -inf"));
  }
}

TEST_CASE("quantizers may come from elsewhere", "[quantize]") {
  const hs::MatrixF matrix = random_eigen(3, 10, 8);
  const std::vector<hs::Uniform<4>> quantizers{{0.1f, 8}, {0.2f, 7}, {0.3f, 6}};
  const auto quantized = hs::quantize_with(matrix, quantizers, {.tiling = hs::per_row()});
  for (hs::Index r = 0; r < 3; ++r) {
    for (hs::Index c = 0; c < 10; ++c) {
      CHECK(quantized.code(r, c) == quantizers[static_cast<std::size_t>(r)].encode(matrix(r, c)));
    }
  }
  CHECK_RAISES(hs::quantize_with(matrix, quantizers, {.tiling = hs::per_group(5)}),
               "quantizers has 3 entries, the tiling of a matrix of shape [3, 10] has 6 granules");
}

TEST_CASE("fake quantization is what codes stand for", "[quantize]") {
  const ColumnMajorF matrix = random_eigen<ColumnMajorF>(6, 37, 9);
  const hs::Uniform<5> q{0.07f, 11};
  hs::ThreadPool pool(2);
  const hs::MatrixF faked = hs::fake_quantize(matrix, q, pool);
  for (hs::Index r = 0; r < 6; ++r) {
    for (hs::Index c = 0; c < 37; ++c) CHECK(faked(r, c) == q.decode(q.encode(matrix(r, c))));
  }
}
