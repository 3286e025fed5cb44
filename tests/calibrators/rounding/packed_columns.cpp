#include "halfstep/calibrators/rounding/packed_columns.hpp"

#include <vector>

#include "support/catch.hpp"
#include "support/executors.hpp"

using namespace halfstep;

namespace {

template <class T>
T value(Index p, Index q) {
  return static_cast<T>((p * 31 + q * 7) % 17 - 8);
}

template <class T>
PackedColumns<T> packed(Index size, Index block, ColumnExtent extent, ExecutorRef executor = {}) {
  const auto read = [](Index q, Index columns, Index rows, T* to) {
    for (Index p = 0; p < rows; ++p) {
      for (Index h = 0; h < columns; ++h) to[p * PackedColumns<T>::height + h] = value<T>(p, q + h);
    }
  };
  return PackedColumns<T>(size, block, extent, read, executor);
}

}  // namespace

TEMPLATE_TEST_CASE("packed_columns: elements and products, whole and above the diagonal", "", float, double) {
  constexpr Index width = simd::RealTile<TestType>::width;
  const halfstep_tests::FreshThreadsExecutor threads(2);
  for (const Index size : {1, 3, 4, 9, 50}) {
    for (const Index block : {1, 4, 7, 128}) {
      for (const ColumnExtent extent : {ColumnExtent::whole, ColumnExtent::above_diagonal}) {
        CAPTURE(size, block, extent == ColumnExtent::whole);
        const auto columns = packed<TestType>(size, block, extent, threads);
        Index wrong = 0;
        for (Index p = 0; p < size; ++p) {
          for (Index q = 0; q < size; ++q) {
            const bool kept = extent == ColumnExtent::whole || p < q;
            wrong += columns(p, q) != (kept ? value<TestType>(p, q) : TestType(0));
          }
        }
        CHECK(wrong == 0);

        std::vector<TestType> x(static_cast<std::size_t>(size * width));
        for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<TestType>(i % 5);
        for (Index b = 0; b < columns.blocks(); ++b) {
          const Index last = columns.rows(b), first = last / 3;
          std::vector<TestType> sums(static_cast<std::size_t>(columns.bundles(b) * columns.height * width),
                                     TestType(2));
          columns.multiply(b, first, last, x.data(), sums.data());
          for (Index q = columns.begin(b); q < columns.end(b); ++q) {
            for (Index r = 0; r < width; ++r) {
              TestType sum = 2;
              for (Index k = first; k < last; ++k) sum += x[static_cast<std::size_t>(k * width + r)] * columns(k, q);
              wrong += sums[static_cast<std::size_t>((q - columns.begin(b)) * width + r)] != sum;
            }
          }
        }
        CHECK(wrong == 0);
      }
    }
  }
}

TEST_CASE("packed_columns: an empty matrix has no blocks") { CHECK(PackedColumns<float>().blocks() == 0); }
