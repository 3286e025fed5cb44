#include "halfstep/core/read_row.hpp"

#include <vector>

#include "support/catch.hpp"

namespace hs = halfstep;

TEST_CASE("a row that is an array of floats is read in place", "[read_row]") {
  const std::vector<float> memory{1, 2, 3, 4, 5, 6};
  const hs::MatrixView view(memory.data(), 2, 3);
  std::vector<float> scratch(3);
  CHECK(hs::read_row(view, 1, scratch.data()) == memory.data() + 3);
}

TEMPLATE_TEST_CASE("other rows are copied and converted", "[read_row]", float, double, hs::Half, hs::BFloat16, int) {
  std::vector<TestType> memory;
  for (int i = 0; i < 40; ++i) {
    if constexpr (std::is_same_v<TestType, hs::Half>) {
      memory.push_back(hs::half_from_float(static_cast<float>(i)));
    } else if constexpr (std::is_same_v<TestType, hs::BFloat16>) {
      memory.push_back(hs::bfloat16_from_float(static_cast<float>(i)));
    } else {
      memory.push_back(static_cast<TestType>(i));
    }
  }
  const hs::MatrixView<const TestType> column_major(memory.data(), 5, 8, 1, 5);
  const hs::MatrixView<const TestType> row_major(memory.data(), 5, 8);
  std::vector<float> scratch(9, -1.0f);
  for (hs::Index r = 0; r < 5; ++r) {
    const float* by_stride = hs::read_row(column_major, r, scratch.data());
    for (hs::Index c = 0; c < 8; ++c) CHECK(by_stride[c] == static_cast<float>(r + 5 * c));
    const float* in_a_row = hs::read_row(row_major, r, scratch.data());
    for (hs::Index c = 0; c < 8; ++c) CHECK(in_a_row[c] == static_cast<float>(8 * r + c));
  }
  CHECK(scratch[8] == -1);  // nothing behind the row is written
  std::vector<float> copy(41, -1.0f);
  hs::copy_rows(column_major, copy.data());
  for (std::size_t i = 0; i < 40; ++i) CHECK(copy[i] == static_cast<float>(i / 8 + 5 * (i % 8)));
  CHECK(copy[40] == -1);
  hs::copy_row(row_major, 3, copy.data());
  for (std::size_t c = 0; c < 8; ++c) CHECK(copy[c] == static_cast<float>(24 + c));
  CHECK(copy[8] == 1);  // as before
}

TEST_CASE("rows that are arrays of floats are copied as well", "[read_row]") {
  const std::vector<float> memory{1, 2, 3, 4, 5, 6};
  std::vector<float> copy(6);
  hs::copy_rows(hs::MatrixView(memory.data(), 2, 3), copy.data());
  CHECK(copy == memory);
}

TEST_CASE("rows are read as doubles where the scratch is of doubles", "[read_row]") {
  const std::vector<double> doubles{1e300, 0.1, -3};
  const hs::MatrixView<const double> exact(doubles.data(), 1, 3);
  std::vector<double> scratch(3);
  CHECK(hs::read_row(exact, 0, scratch.data()) == doubles.data());  // nothing to convert
  const std::vector<float> floats{0.1f, 2, 3, 4};
  const hs::MatrixView<const float> strided(floats.data(), 2, 2, 1, 2);
  CHECK(hs::read_row(strided, 0, scratch.data()) == scratch.data());
  CHECK(scratch[0] == static_cast<double>(0.1f));
  CHECK(scratch[1] == 3);
}
