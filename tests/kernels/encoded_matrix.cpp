#include "halfstep/kernels/encoded_matrix.hpp"

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "halfstep/core/thread_pool.hpp"
#include "kernels/every_quantizer.hpp"
#include "kernels/matrices.hpp"
#include "support/catch.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

namespace {

/// Every element, sum and padding byte against what `activation` says of the row.
template <class M>
void check_encoded(const hs::EncodedMatrix& encoded, const M& matrix, const hs::Activation& activation) {
  const auto source = hs::view(matrix);
  REQUIRE(encoded.shape() == hs::shape_of(source));
  const hs::KLayout& layout = encoded.layout();
  const hs::EncodedRows rows = encoded.rows_view();
  CHECK(rows.row_stride % 64 == 0);
  for (hs::Index r = 0; r < source.rows; ++r) {
    std::vector<float> x;
    for (hs::Index c = 0; c < source.cols; ++c) x.push_back(hs::element_to_float(source(r, c)));
    std::vector<std::uint8_t> codes(x.size());
    const auto scale = activation.encode(x.data(), source.cols, codes.data());
    CHECK(encoded.scale(r) == scale.unit);
    CHECK(encoded.zero(r) == scale.zero);
    for (int p = 0; p < encoded.plane_count(); ++p) {
      std::vector<std::int32_t> sums(static_cast<std::size_t>(layout.groups()));
      std::vector<bool> is_element(static_cast<std::size_t>(rows.row_stride));
      for (hs::Index c = 0; c < source.cols; ++c) {
        const std::uint8_t byte = activation.plane_map(p)[codes[static_cast<std::size_t>(c)]];
        REQUIRE(encoded.plane_value(p, r, c) == byte);
        sums[static_cast<std::size_t>(c / layout.group)] += byte;
        is_element[static_cast<std::size_t>(layout.position(c))] = true;
      }
      for (hs::Index g = 0; g < layout.groups(); ++g) {
        REQUIRE(encoded.sum(p, r, g) == sums[static_cast<std::size_t>(g)]);
      }
      const std::uint8_t* const bytes = rows.plane[static_cast<std::size_t>(p)] + r * rows.row_stride;
      for (hs::Index i = 0; i < rows.row_stride; ++i) {
        if (!is_element[static_cast<std::size_t>(i)]) REQUIRE(bytes[i] == 0);
      }
    }
  }
}

void check_every_layout(const hs::Activation& activation) {
  for (const hs::Index cols : {1, 16, 61, 130}) {
    const hs::MatrixF matrix = random_eigen(3, cols, 7);
    for (const hs::Index group : {0, 1, 16, 19, 64}) {
      check_encoded(hs::encode(matrix, activation, group), matrix, activation);
    }
  }
}

}  // namespace

TEST_CASE("every quantizer in every layout", "[encoded_matrix]") {
  for (const KernelQuantizer& quantizer : every_quantizer()) {
    INFO(quantizer.name);
    check_every_layout(quantizer.fitted.activation);
  }
}

TEST_CASE("activations per token, of any shape, order and type", "[encoded_matrix]") {
  const hs::Activation activation;
  for (const hs::Index rows : {0, 1, 5, 70}) {
    for (const hs::Index cols : {0, 1, 33, 1000}) {
      const hs::MatrixF matrix = random_eigen(rows, cols, 8);
      check_encoded(hs::encode(matrix, activation), matrix, activation);
    }
  }
  const hs::MatrixF matrix = random_eigen(7, 40, 9);
  const hs::EncodedMatrix expected = hs::encode(matrix, activation, 16);
  const ColumnMajorF column_major = matrix;
  CHECK(hs::encode(column_major, activation, 16) == expected);
  const hs::MatrixD doubles = matrix.cast<double>();
  CHECK(hs::encode(doubles, activation, 16) == expected);
  CHECK_FALSE(hs::encode(matrix, activation) == expected);
  using BFloatMatrix = Eigen::Matrix<Eigen::bfloat16, Eigen::Dynamic, Eigen::Dynamic>;
  const BFloatMatrix bfloats = matrix.cast<Eigen::bfloat16>();
  check_encoded(hs::encode(bfloats, activation), bfloats, activation);
}

TEST_CASE("what an element stands for", "[encoded_matrix]") {
  hs::MatrixF matrix(2, 3);
  matrix << -1, 0, 2, 0.5f, 0.25f, std::numeric_limits<float>::quiet_NaN();
  const hs::EncodedMatrix encoded = hs::encode(matrix, hs::Uniform<4>{0.5f, 2});
  CHECK(encoded.value(0, 0) == -1);
  CHECK(encoded.value(0, 1) == 0);
  CHECK(encoded.value(0, 2) == 2);
  CHECK(std::isnan(encoded.value(1, 0)));
  CHECK(encoded.bytes() == 2 * 64 + 2 * 4 * 2 + 2 * 4);
}

TEST_CASE("the executor does not show, and memory is used again", "[encoded_matrix]") {
  hs::ThreadPool pool(3);
  const hs::MatrixF matrix = random_eigen(200, 700, 10);
  CHECK(hs::encode(matrix, hs::Activation(), 0, pool) == hs::encode(matrix, hs::Activation()));

  hs::EncodedMatrix encoded = hs::encode(matrix, hs::Activation());
  const std::uint8_t* const before = encoded.rows_view().plane[0];
  encoded.reset(100, hs::KLayout(300, 16), 1, {1, 1});
  CHECK(encoded.rows_view().plane[0] == before);
  CHECK(encoded.shape() == hs::Shape{100, 300});
}
