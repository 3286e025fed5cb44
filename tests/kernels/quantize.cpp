#include "halfstep/kernels/quantize.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <vector>

#include "halfstep/core/thread_pool.hpp"
#include "kernels/matrices.hpp"
#include "support/all_quantizers.hpp"
#include "support/catch.hpp"
#include "support/executors.hpp"
#include "support/quantizer_ref.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

namespace {

/// The range and the mean magnitude of each granule, in plain loops.
std::vector<hs::Range> ranges_of(const hs::MatrixF& matrix, const hs::TilingGrid& grid) {
  std::vector<hs::Range> ranges(static_cast<std::size_t>(grid.count()));
  std::vector<double> sums(ranges.size()), counts(ranges.size());
  for (hs::Index r = 0; r < matrix.rows(); ++r) {
    for (hs::Index c = 0; c < matrix.cols(); ++c) {
      const auto granule = static_cast<std::size_t>(grid.granule(r, c));
      hs::Range& range = ranges.at(granule);
      const float x = matrix(r, c);
      range.min = counts[granule] == 0 ? x : std::fmin(range.min, x);
      range.max = counts[granule] == 0 ? x : std::fmax(range.max, x);
      sums[granule] += std::fabs(static_cast<double>(x));
      counts[granule] += 1;
    }
  }
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    CHECK(counts[i] > 0);
    ranges[i].mean_abs = static_cast<float>(sums[i] / counts[i]);
  }
  return ranges;
}

/// Codes and decoded values against the quantizers of their granules.
void check_elements(const hs::MatrixF& matrix, const hs::TilingGrid& grid, const std::vector<QuantizerRef>& quantizers,
                    const std::function<std::int32_t(hs::Index, hs::Index)>& code, const hs::MatrixF& values) {
  for (hs::Index r = 0; r < matrix.rows(); ++r) {
    for (hs::Index c = 0; c < matrix.cols(); ++c) {
      const QuantizerRef& q = quantizers[static_cast<std::size_t>(grid.granule(r, c))];
      const std::int32_t expected = q.encode(matrix(r, c));
      REQUIRE(code(r, c) == expected);
      REQUIRE(values(r, c) == q.decode(expected));
    }
  }
}

/// Checks `quantized` element by element: the parameters are the fit of the granule's range, the codes those of the
/// quantizer.
template <class Q>
void check_quantized(const hs::QuantizedMatrix<Q>& quantized, const hs::MatrixF& matrix,
                     const hs::QuantizeOptions& options) {
  const hs::TilingGrid grid(options.tiling, hs::Shape{matrix.rows(), matrix.cols()});
  REQUIRE(quantized.shape() == hs::Shape{matrix.rows(), matrix.cols()});
  std::vector<Q> quantizers;
  for (const hs::Range& range : ranges_of(matrix, grid)) {
    const Q q = quantized.quantizer(static_cast<hs::Index>(quantizers.size()));
    quantizers.push_back(q);
    if constexpr (!hs::reads_mean_abs<Q>()) {
      CHECK(q == hs::with_stored_scale(hs::fit<Q>(range, options.symmetry), options.scale_storage));
    } else if constexpr (requires { q.warp; }) {
      // The mean is summed in another order here: doubles, so one rounding to float at most.
      CHECK(q.warp == Approx(Q::fit(range).warp).epsilon(0x1p-22));
    }
  }
  check_elements(
      matrix, grid, {quantizers.begin(), quantizers.end()},
      [&](hs::Index r, hs::Index c) { return quantized.code(r, c); }, hs::dequantize(quantized));
}

template <class Q>
void check_shape(hs::Index rows, hs::Index cols, const hs::QuantizeOptions& options) {
  CAPTURE(rows, cols, options.tiling.tile_rows, options.tiling.tile_cols);
  const hs::MatrixF matrix = random_eigen(rows, cols, 17);
  check_quantized(hs::quantize<Q>(matrix, options), matrix, options);
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("every quantizer under every tiling", "[quantize]", QuantizerKinds) {
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
  check_quantized(hs::quantize<hs::Uniform<4>>(halves, options), halves.cast<float>(), options);
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
