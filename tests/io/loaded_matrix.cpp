#include "halfstep/io/loaded_matrix.hpp"

#include "io/io_checks.hpp"
#include "support/catch.hpp"
#include "support/special_values.hpp"

#include <cmath>
#include <vector>

namespace {

namespace hs = halfstep;
using namespace halfstep_tests;
using halfstep_tests::check_io_error;
using hs::IoErrorCode;
using hs::NonFinite;

/// 4 rows of 3: one NaN in row 1, an infinity and a NaN in row 3.
template <class Real = float>
hs::LoadedMatrix<Real> spoiled() {
  return {{1, 2, 3, 4, 5, static_cast<Real>(not_a_number), 7, 8, 9, static_cast<Real>(-infinity), 11,
           static_cast<Real>(not_a_number)},
          4,
          3,
          {}};
}

constexpr hs::NonFiniteReport expected_report{3, 2, 1, 2};

}  // namespace

TEST_CASE("loaded_matrix: case 49, an error names tensor, row, column and count") {
  auto matrix = spoiled();
  check_io_error(
      [&] { hs::apply_non_finite_policy(matrix, NonFinite::error, "w", "f.safetensors"); }, IoErrorCode::value,
      {"f.safetensors: tensor \"w\" is not finite: row 1, column 2 is nan (3 of 12 values, in 2 of 4 rows)"});
  auto doubles = spoiled<double>();
  doubles.values[1] = -HUGE_VAL;
  check_io_error([&] { hs::apply_non_finite_policy(doubles, NonFinite::error, "w", "f"); }, IoErrorCode::value,
                 {"row 0, column 1 is -inf (4 of 12 values, in 3 of 4 rows)"});
}

TEST_CASE("loaded_matrix: case 49, skip_rows leaves out the rows and keeps the order") {
  auto matrix = spoiled();
  hs::apply_non_finite_policy(matrix, NonFinite::skip_rows, "w", "f");
  CHECK(matrix.rows == 2);
  CHECK(matrix.cols == 3);
  CHECK(matrix.values == std::vector<float>{1, 2, 3, 7, 8, 9});
  CHECK(matrix.non_finite == expected_report);
  hs::LoadedMatrix<float> hopeless{{not_a_number, 1, 2, infinity}, 2, 2, {}};
  hs::apply_non_finite_policy(hopeless, NonFinite::skip_rows, "w", "f");
  CHECK(hopeless.rows == 0);
  CHECK(hopeless.values.empty());
}

TEST_CASE("loaded_matrix: case 49, zero replaces the values") {
  auto matrix = spoiled();
  hs::apply_non_finite_policy(matrix, NonFinite::zero, "w", "f");
  CHECK(matrix.rows == 4);
  CHECK(matrix.values == std::vector<float>{1, 2, 3, 4, 5, 0, 7, 8, 9, 0, 11, 0});
  CHECK(matrix.non_finite == expected_report);
}

TEST_CASE("loaded_matrix: keep passes everything on") {
  auto matrix = spoiled();
  hs::apply_non_finite_policy(matrix, NonFinite::keep, "w", "f");
  CHECK(matrix.values.size() == 12);
  CHECK_FALSE(hs::is_finite_bits(matrix.values[5]));
  CHECK(matrix.non_finite == hs::NonFiniteReport{});
}

TEST_CASE("loaded_matrix: a finite matrix and an empty one pass every policy") {
  for (const auto policy : {NonFinite::error, NonFinite::skip_rows, NonFinite::zero, NonFinite::keep}) {
    hs::LoadedMatrix<float> finite{{1, 2, 3, 4}, 2, 2, {}};
    hs::apply_non_finite_policy(finite, policy, "w", "f");
    CHECK(finite.values == std::vector<float>{1, 2, 3, 4});
    CHECK(finite.non_finite == hs::NonFiniteReport{});
    hs::LoadedMatrix<float> none{{}, hs::Index{1} << 62, 0, {}};  // must not be walked row by row
    hs::apply_non_finite_policy(none, policy, "w", "f");
    CHECK(none.rows == hs::Index{1} << 62);
  }
}

TEST_CASE("loaded_matrix: views show the values") {
  auto matrix = spoiled();
  matrix.view()(0, 1) = 20;
  const auto& constant = matrix;
  CHECK(constant.view()(0, 1) == 20);
  CHECK(hs::shape_of(constant.view()) == hs::Shape{4, 3});
}
