#include "halfstep/kernels/integer_matmul.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "halfstep/core/random.hpp"
#include "halfstep/core/thread_pool.hpp"
#include "support/catch.hpp"

namespace hs = halfstep;

namespace {

/// Random 8-bit integers over the whole range, the ends among them.
std::vector<std::int8_t> random_bytes(hs::Index size, std::uint64_t seed) {
  const hs::Random random(seed);
  std::vector<std::int8_t> bytes;
  for (hs::Index i = 0; i < size; ++i) {
    bytes.push_back(static_cast<std::int8_t>(random.bits(static_cast<std::uint64_t>(i)) & 255));
  }
  return bytes;
}

}  // namespace

TEST_CASE("integer_matmul gives the sums of products, whatever the shape and the threads", "[integer_matmul]") {
  hs::ThreadPool pool(3);
  for (const auto& [rows, k, cols] : {std::array<hs::Index, 3>{1, 1, 1}, {7, 33, 70}, {65, 32, 65}, {3, 5000, 20}}) {
    CAPTURE(rows, k, cols);
    const std::vector<std::int8_t> x = random_bytes(rows * k, 11), w = random_bytes(k * cols, 12);
    // w is stored with inputs as rows, so that it goes in through strides.
    const hs::MatrixView<const std::int8_t> weight =
        hs::transposed(hs::MatrixView<const std::int8_t>(w.data(), k, cols));
    const hs::PackedMatrix packed = hs::pack_integers(weight);
    std::vector<std::int32_t> expected, out(static_cast<std::size_t>(rows * cols));
    for (hs::Index m = 0; m < rows; ++m) {
      for (hs::Index n = 0; n < cols; ++n) {
        std::int32_t sum = 0;
        for (hs::Index i = 0; i < k; ++i) sum += x[static_cast<std::size_t>(m * k + i)] * weight(n, i);
        expected.push_back(sum);
      }
    }
    hs::Workspace workspace;
    for (const hs::ExecutorRef executor : {hs::ExecutorRef(), hs::ExecutorRef(pool)}) {
      hs::integer_matmul_into({x.data(), rows, k}, packed, {out.data(), rows, cols}, workspace, executor);
      REQUIRE(out == expected);
    }
  }
}

TEST_CASE("the largest sums fit", "[integer_matmul]") {
  const hs::Index k = hs::longest_integer_sum;
  const std::vector<std::int8_t> x(static_cast<std::size_t>(k), -128), w(static_cast<std::size_t>(k), -128);
  std::int32_t out = 0;
  hs::Workspace workspace;
  hs::integer_matmul_into({x.data(), 1, k}, hs::pack_integers({w.data(), 1, k}), {&out, 1, 1}, workspace);
  CHECK(out == 128 * 128 * 65536);
}

TEST_CASE("integer_matmul refuses operands that do not fit", "[integer_matmul]") {
  const std::vector<std::int8_t> x = random_bytes(24, 13);
  std::vector<std::int32_t> out(12);
  hs::Workspace workspace;
  const hs::PackedMatrix w = hs::pack_integers({x.data(), 3, 6});
  CHECK_RAISES(hs::integer_matmul_into({x.data(), 4, 5}, w, {out.data(), 4, 3}, workspace), "x has 5 columns");
  CHECK_RAISES(hs::integer_matmul_into({x.data(), 4, 6}, w, {out.data(), 3, 4}, workspace), "out has shape [3, 4]");
  CHECK_RAISES(
      hs::integer_matmul_into({x.data(), 4, 6}, hs::PackedMatrix(3, hs::KLayout(6, 0), hs::WeightStorage::nibbles, 1),
                              {out.data(), 4, 3}, workspace),
      "does not hold plain 8-bit integers");
}
