#include "halfstep/kernels/pack_activation.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include "halfstep/core/thread_pool.hpp"
#include "halfstep/kernels/pack.hpp"
#include "halfstep/kernels/quantize.hpp"
#include "halfstep/kernels/unpack.hpp"
#include "kernels/every_quantizer.hpp"
#include "kernels/matrices.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/code_twins.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

namespace {

/// Codes and parameters against the quantizer; sums against the planes.
void check_packed(const hs::PackedMatrix& packed, const hs::MatrixF& matrix, const QuantizerRef& q) {
  REQUIRE(packed.shape() == hs::Shape{matrix.rows(), matrix.cols()});
  const hs::MatrixU8 codes = hs::unpack_codes(packed);
  const hs::Lowering lowering = q.lower();
  for (hs::Index n = 0; n < packed.rows(); ++n) {
    CHECK(packed.scale(0)[n] == lowering.unit);
    std::vector<std::int64_t> sums(2);
    for (hs::Index k = 0; k < packed.cols(); ++k) {
      const std::int32_t code = q.encode(matrix(n, k));
      REQUIRE(is_code_or_twin(q, codes(n, k), code));
      double value = -static_cast<double>(packed.zero(0)[n]);
      for (int p = 0; p < packed.plane_count(); ++p) {
        const int plane = packed.plane_value(p, n, k);
        value += static_cast<double>(packed.plane_weight(p)) * plane;
        sums[static_cast<std::size_t>(p)] += plane;
      }
      // The zero is moved in float, twice: exact where it is an integer.
      const double slack = std::ldexp(std::fabs(static_cast<double>(lowering.zero)) + 512, -22);
      REQUIRE(std::fabs(static_cast<double>(lowering.unit) * value - lowering.value(code)) <=
              static_cast<double>(lowering.unit) * slack);
    }
    for (int p = 0; p < packed.plane_count(); ++p) {
      REQUIRE(packed.sum(p, 0)[n] == sums[static_cast<std::size_t>(p)]);
    }
  }
}

/// Keys and values, as they lie and turned.
void check_both_ways(const hs::Activation& activation, const QuantizerRef& q) {
  const hs::MatrixF matrix = random_eigen(37, 83, 1), turned = matrix.transpose();
  const hs::PackedMatrix packed = hs::pack_activation(matrix, activation);
  check_packed(packed, matrix, q);
  CHECK(hs::pack_activation(hs::transposed(turned), activation) == packed);
}

}  // namespace

TEST_CASE("keys and values of every quantizer", "[pack_activation]") {
  for (const KernelQuantizer& quantizer : every_quantizer()) {
    INFO(quantizer.name);
    check_both_ways(quantizer.fitted.activation, quantizer.fitted.q);
  }
}

TEST_CASE("every shape and stride gives what quantize and pack give", "[pack_activation]") {
  const hs::Uniform<8> q{0.02f, 117};
  hs::PackedMatrix rows, columns, strided;
  for (const hs::Index n : {0, 1, 15, 16, 17, 63, 64, 65, 130, 197}) {
    for (const hs::Index k : {1, 3, 16, 17, 63, 64, 65, 255, 256, 257, 600}) {
      CAPTURE(n, k);
      const hs::MatrixF matrix = random_eigen(n, k, 2);
      const auto expected = hs::pack(hs::quantize_with(matrix, std::vector<hs::Uniform<8>>(n > 0 ? 1 : 0, q)));
      hs::pack_activation_into(matrix, q, rows);
      REQUIRE(rows == expected);
      const hs::MatrixF turned = matrix.transpose();
      hs::pack_activation_into(hs::transposed(turned), q, columns);
      REQUIRE(columns == expected);
      hs::MatrixF wide = hs::MatrixF::Constant(2 * n, 3 * k + 1, 1e9f);
      const hs::MatrixView<float> view(wide.data(), n, k, 2 * (3 * k + 1), 3);
      for (hs::Index r = 0; r < n; ++r) {
        for (hs::Index c = 0; c < k; ++c) view(r, c) = matrix(r, c);
      }
      hs::pack_activation_into(view, q, strided);
      REQUIRE(strided == expected);
    }
  }
  CHECK(hs::pack_activation(random_eigen(3, 0, 1), q).shape() == hs::Shape{3, 0});
}

TEST_CASE("16-bit keys and values", "[pack_activation]") {
  const hs::Uniform<8> q{0.02f, 117};
  using HalfMatrix = Eigen::Matrix<Eigen::half, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const HalfMatrix halves = random_eigen(21, 70, 3).cast<Eigen::half>();
  const hs::MatrixF floats = halves.cast<float>();
  CHECK(hs::pack_activation(halves, q) == hs::pack_activation(floats, q));
  CHECK(hs::pack_activation(hs::transposed(halves), q) == hs::pack_activation(hs::transposed(floats), q));
}

TEST_CASE("a row that is not finite has no scale; the others do", "[pack_activation]") {
  hs::MatrixF matrix = random_eigen(70, 300, 4);
  matrix(3, 299) = std::numeric_limits<float>::infinity();
  matrix(66, 0) = std::numeric_limits<float>::quiet_NaN();
  const hs::MatrixF turned = matrix.transpose();
  for (const hs::PackedMatrix& packed : {hs::pack_activation(matrix, hs::Uniform<8>{0.02f, 117}),
                                         hs::pack_activation(hs::transposed(turned), hs::Uniform<8>{0.02f, 117})}) {
    for (hs::Index n = 0; n < 70; ++n) CHECK(std::isnan(packed.scale(0)[n]) == (n == 3 || n == 66));
  }
}

TEST_CASE("a static activation is asked for", "[pack_activation]") {
  CHECK_RAISES(hs::pack_activation(random_eigen(2, 2, 5), hs::Activation()),
               "halfstep: pack_activation: activation is fitted to each row, expected a static one");
}

TEST_CASE("memory is used again, and the executor does not show", "[pack_activation]") {
  const hs::MatrixF matrix = random_eigen(300, 257, 6), smaller = random_eigen(299, 250, 7);
  const hs::Activation q = hs::Uniform<8>{0.02f, 117};
  hs::PackedMatrix packed = hs::pack_activation(matrix, q);
  CHECK(allocations_of([&] { hs::pack_activation_into(matrix, q, packed); }) == 0);
  CHECK(allocations_of([&] { hs::pack_activation_into(smaller, q, packed); }) == 0);
  hs::ThreadPool pool(3);
  CHECK(hs::pack_activation(matrix, q, pool) == hs::pack_activation(matrix, q));
}
