#include "halfstep/calibrators/rounding/codebook_candidates.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "support/catch.hpp"
#include "support/float_matrix.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

Codebook<2, 64> random_book(std::uint32_t seed) {
  Codebook<2, 64> book;
  const FloatMatrix values = random_matrix(1, 128, seed);
  std::copy(values.values.begin(), values.values.end(), book.values.begin());
  return book;
}

}  // namespace

TEST_CASE("candidates are the nearest words, nearest first, lower indices first where they tie") {
  auto book = random_book(1);
  std::copy_n(book.word(9), 2, book.word(40));  // a tie everywhere
  const FloatMatrix x = random_matrix(50, 2, 2);
  const CodebookCandidates found = candidates(book, x.values.data(), 50, 5);
  for (std::size_t i = 0; i < 50; ++i) {
    std::vector<std::pair<float, int>> all;
    const VectorLanes<2, float> v{x.values[2 * i], x.values[2 * i + 1]};
    for (int c = 0; c < 64; ++c) all.emplace_back(squared_distance(book.word(c), v), c);
    std::sort(all.begin(), all.end());
    CHECK(found.index[5 * i] == book.encode(v));
    for (std::size_t m = 0; m < 5; ++m) {
      CHECK(found.index[5 * i + m] == all[m].second);
      CHECK(found.distance[5 * i + m] == std::sqrt(all[m].first));
    }
  }
}

TEST_CASE("logits of distances weigh near words more, and stay finite for duplicates") {
  const CodebookCandidates found{2, 3, {0, 1, 2, 3, 4, 5}, {0.5f, 1, 2, 0, 0, 0}};
  const std::vector<float> logits = distance_logits(found);
  CHECK(logits[0] == Approx(std::log(2 / 0.50001)));
  CHECK(logits[1] == Approx(std::log(2 / 1.00001)));
  CHECK(logits[2] == 0);
  for (std::size_t i = 3; i < 6; ++i) CHECK(logits[i] == 0);
}

TEST_CASE("mixtures lie between their words") {
  const auto book = random_book(3);
  const FloatMatrix x = random_matrix(20, 2, 4);
  const CodebookCandidates found = candidates(book, x.values.data(), 20, 2);
  const std::vector<float> equal = soft_vectors(book, found, std::vector<float>(40, 3.0f));
  std::vector<float> hard(40, 0.0f);
  for (std::size_t i = 0; i < 40; i += 2) hard[i] = 10000;
  const std::vector<float> first = soft_vectors(book, found, hard);
  for (std::size_t i = 0; i < 20; ++i) {
    for (std::size_t j = 0; j < 2; ++j) {
      const float a = book.word(found.index[2 * i])[j], b = book.word(found.index[2 * i + 1])[j];
      CHECK(first[2 * i + j] == a);
      CHECK(equal[2 * i + j] == Approx((static_cast<double>(a) + static_cast<double>(b)) / 2).margin(1e-6));
    }
  }
}

TEST_CASE("vectors that are not finite have candidates too") {
  const auto book = random_book(5);
  const std::vector<float> x{std::numeric_limits<float>::quiet_NaN(), 1, std::numeric_limits<float>::infinity(), 1};
  const CodebookCandidates found = candidates(book, x.data(), 2, 3);
  CHECK(found.index == std::vector<std::uint8_t>{0, 1, 2, 0, 1, 2});
}

TEST_CASE("candidates say what is wrong") {
  const auto book = random_book(6);
  const std::vector<float> x{1, 2};
  CHECK_RAISES(candidates(book, x.data(), 1, 0), "candidates: number is 0, expected 1 to 64");
  CHECK_RAISES(candidates(book, x.data(), 1, 65), "candidates: number is 65");
  CHECK_RAISES(soft_vectors(book, candidates(book, x.data(), 1, 2), std::vector<float>(3)),
               "soft_vectors: logits has 3 entries, expected 2");
}
