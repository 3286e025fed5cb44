// Sweeps against plain loops. Values are small integers, so that all sums are exact.

#include "halfstep/calibrators/rounding/column_sweep.hpp"

#include <vector>

#include "support/catch.hpp"

using namespace halfstep;

namespace {

template <class T>
T weight(Index p, Index q) {
  return static_cast<T>((p * 5 + q * 3) % 7 - 3);
}

template <class T>
PackedColumns<T> weights_of(Index size, Index block, ColumnExtent extent) {
  const auto read = [](Index q, Index columns, Index rows, T* to) {
    for (Index p = 0; p < rows; ++p) {
      for (Index h = 0; h < columns; ++h) to[p * PackedColumns<T>::height + h] = weight<T>(p, q + h);
    }
  };
  return PackedColumns<T>(size, block, extent, read, {});
}

}  // namespace

TEMPLATE_TEST_CASE("column_sweep: each column is told the sum of those before it", "", float, double) {
  using Strips = RowStrips<TestType>;
  for (const Index size : {1, 4, 5, 30, 33}) {
    for (const Index block : {1, 3, 8, 30, 128}) {
      CAPTURE(size, block);
      const auto weights = weights_of<TestType>(size, block, ColumnExtent::above_diagonal);
      Strips values(2, size);
      ColumnSweep<TestType> sweep(2);
      sweep.add(weights, values, values);
      Index wrong = 0, visits = 0;
      std::vector<Index> next(2, 0), blocks;
      sweep.run(
          [&](Index s, Index q) {
            wrong += next[static_cast<std::size_t>(s)]++ != q;
            ++visits;
            for (Index r = 0; r < Strips::width; ++r) {
              TestType sum = 0;
              for (Index p = 0; p < q; ++p) sum += values.at(s, p)[r] * weight<TestType>(p, q);
              wrong += sweep.sums(0, s, q)[r] != sum;
              values.at(s, q)[r] = static_cast<TestType>((r + q + s) % 4);
            }
          },
          [&](Index b) { blocks.push_back(b); });
      CHECK(wrong == 0);
      CHECK(visits == 2 * size);
      CHECK(static_cast<Index>(blocks.size()) == weights.blocks());
    }
  }
}

TEMPLATE_TEST_CASE("column_sweep: two operands, and columns of the same block from elsewhere", "", float, double) {
  using Strips = RowStrips<TestType>;
  const Index size = 21, block = 8;
  const auto above = weights_of<TestType>(size, block, ColumnExtent::above_diagonal);
  const auto whole = weights_of<TestType>(size, block, ColumnExtent::whole);
  Strips a(1, size), near(1, size), b(1, size), changes(1, size);
  for (Index q = 0; q < size; ++q) {
    for (Index r = 0; r < Strips::width; ++r) b.at(0, q)[r] = static_cast<TestType>((3 * q + r) % 5);
  }
  ColumnSweep<TestType> sweep(1);
  sweep.add(above, a, near);
  sweep.add(whole, b, changes);
  Index wrong = 0;
  std::vector<TestType> start;  // of b, at the start of a block
  sweep.run([&](Index s, Index q) {
    const Index begin = q / block * block;
    for (Index r = 0; r < Strips::width; ++r) {
      TestType first = 0, second = 0;
      for (Index p = 0; p < begin; ++p) first += a.at(s, p)[r] * weight<TestType>(p, q);
      for (Index p = begin; p < q; ++p) first += near.at(s, p)[r] * weight<TestType>(p, q);
      for (Index p = 0; p < size; ++p) second += b.at(s, p)[r] * weight<TestType>(p, q);
      wrong += sweep.sums(0, s, q)[r] != first;
      wrong += sweep.sums(1, s, q)[r] != second;
      a.at(s, q)[r] = static_cast<TestType>((q + r) % 3);
      near.at(s, q)[r] = static_cast<TestType>((q + 2 * r) % 4);
      // b changes as it goes: sums across are those of the block's start, the changes come from `within`.
      const TestType change = static_cast<TestType>((q + r) % 2);
      b.at(s, q)[r] += change;
      changes.at(s, q)[r] = change;
    }
  });
  CHECK(wrong == 0);
}
