#include "halfstep/quantizers/codebook.hpp"

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <tuple>
#include <vector>

#include "halfstep/simd/memory.hpp"
#include "halfstep/simd/portable.hpp"
#include "support/catch.hpp"
#include "support/special_values.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

using Codebooks = std::tuple<Codebook<1, 2>, Codebook<1, 3>, Codebook<2, 64>, Codebook<3, 17>, Codebook<4, 16>,
                             Codebook<4, 256>, Codebook<8, 256>, Codebook<16, 5>>;

template <class Q>
Q random_codebook(std::uint32_t seed, float deviation = 1) {
  Q q;
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal(0, deviation);
  for (float& value : q.values) value = normal(generator);
  return q;
}

template <class Q>
using Vector = VectorLanes<Q::dim, float>;

/// Normal vectors, words, middles between words, and special values; a multiple of 16 of them.
template <class Q>
std::vector<Vector<Q>> sample_vectors(const Q& q, std::uint32_t seed) {
  std::vector<Vector<Q>> samples(1600);
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal(0, 1.5f);
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const auto a = q.decode(static_cast<int>(i) % Q::words), b = q.decode(static_cast<int>(i / 7) % Q::words);
    for (std::size_t j = 0; j < a.size(); ++j) {
      samples[i][j] = i % 4 == 0 ? a[j] : (i % 4 == 1 ? (a[j] + b[j]) / 2 : normal(generator));
    }
    const float special[] = {infinity, -infinity, std::nanf(""), 1e30f, -3e38f, 1e-42f};
    if (i % 100 == 99) samples[i][i % samples[i].size()] = special[i / 100 % 6];
  }
  return samples;
}

/// The definition, with products that no compiler may fuse.
template <class Q>
std::int32_t nearest(const Q& q, const Vector<Q>& x, const Vector<Q>* h = nullptr) {
  float least = infinity;
  std::int32_t code = 0;
  for (std::int32_t c = 0; c < Q::words; ++c) {
    const auto word = q.decode(c);
    volatile float sum = 0;
    for (std::size_t j = 0; j < x.size(); ++j) {
      const volatile float difference = x[j] - word[j];
      volatile float square = difference * difference;
      if (h != nullptr) square = (*h)[j] * square;
      sum = j == 0 ? square : sum + square;
    }
    if (sum < least) {
      least = sum;
      code = c;
    }
  }
  return code;
}

template <class Batch, class Q>
int batch_differences(const Q& q, const std::vector<Vector<Q>>& xs) {
  constexpr std::size_t lanes = simd::lanes_of<Batch>;
  int wrong = 0;
  for (std::size_t i = 0; i + lanes <= xs.size(); i += lanes) {
    VectorLanes<Q::dim, Batch> batch;
    for (std::size_t j = 0; j < batch.size(); ++j) {
      std::array<float, lanes> element;
      for (std::size_t l = 0; l < lanes; ++l) element[l] = xs[i + l][j];
      batch[j] = simd::load<Batch>(element.data());
    }
    std::array<std::int32_t, lanes> codes;
    simd::store(codes.data(), q.encode(batch));
    for (std::size_t l = 0; l < lanes; ++l) wrong += codes[l] != q.encode(xs[i + l]) ? 1 : 0;
  }
  return wrong;
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("vectors get their nearest word, scalar and batch alike", "[codebook]", Codebooks) {
  using Q = TestType;
  for (std::uint32_t seed = 1; seed <= 3; ++seed) {
    const auto q = random_codebook<Q>(seed);
    const auto xs = sample_vectors(q, seed + 10);
    CAPTURE(seed);
    int wrong = 0;
    for (const auto& x : xs) wrong += q.encode(x) != nearest(q, x) ? 1 : 0;
    CHECK(wrong == 0);
    CHECK(batch_differences<simd::FloatBatch>(q, xs) == 0);
    CHECK(batch_differences<simd::PortableFloat>(q, xs) == 0);
    const auto in_bytes = to_int8(q);
    CHECK(batch_differences<simd::FloatBatch>(in_bytes, {xs.begin(), xs.begin() + 160}) == 0);
  }
}

TEMPLATE_LIST_TEST_CASE("a word is its own nearest, and ties go to the lowest index", "[codebook]", Codebooks) {
  using Q = TestType;
  auto q = random_codebook<Q>(4);
  for (std::int32_t c = 0; c < Q::words; ++c) {
    CHECK(q.encode(q.decode(c)) == c);
    CHECK(q.decode(c) == [&] {
      Vector<Q> word;
      std::copy_n(q.word(c), Q::dim, word.begin());
      return word;
    }());
  }
  CHECK(q.decode((1 << Q::bits) - 1) == q.decode(Q::words - 1));
  // Two words at the same distance, on either side; the others far away.
  std::fill(q.values.begin(), q.values.end(), 100.0f);
  for (int j = 0; j < Q::dim; ++j) {
    q.word(Q::words - 2)[j] = 1;
    q.word(Q::words - 1)[j] = -1;
  }
  CHECK(q.encode(Vector<Q>{}) == Q::words - 2);
  std::copy_n(q.word(Q::words - 2), Q::dim, q.word(Q::words - 1));
  CHECK(q.encode(q.decode(Q::words - 1)) == Q::words - 2);
}

TEST_CASE("weighted distances count each element as told", "[codebook]") {
  const auto q = random_codebook<Codebook<3, 17>>(5);
  std::mt19937 generator(6);
  std::uniform_real_distribution<float> uniform(0, 3);
  int wrong = 0, moved = 0;
  for (const auto& x : sample_vectors(q, 7)) {
    const Vector<Codebook<3, 17>> h{uniform(generator), uniform(generator), 0};
    wrong += q.encode(x, h) != nearest(q, x, &h) ? 1 : 0;
    moved += q.encode(x, h) != q.encode(x) ? 1 : 0;
  }
  CHECK(wrong == 0);
  CHECK(moved > 0);
}

TEST_CASE("vectors that have no nearest word get the code 0", "[codebook]") {
  const auto q = random_codebook<Codebook<2, 64>>(8);
  for (const float bad : {infinity, -infinity, std::nanf(""), 1e30f}) {
    CHECK(q.encode(VectorLanes<2, float>{0.5f, bad}) == 0);
  }
}

TEST_CASE("words are told apart as far as squares of floats go", "[codebook]") {
  for (const float deviation : {0x1p-50f, 0x1p-20f, 1.0f, 0x1p20f, 0x1p50f}) {
    const auto q = random_codebook<Codebook<4, 256>>(11, deviation);
    CAPTURE(deviation);
    for (std::int32_t c = 0; c < 256; ++c) CHECK(q.encode(q.decode(c)) == c);
  }
}

TEST_CASE("a codebook in 8 bits is within half a step of its words", "[codebook]") {
  for (const float deviation : {1e-30f, 0.01f, 1.0f, 1e30f}) {
    const auto q = random_codebook<Codebook<4, 16>>(9, deviation);
    const auto in_bytes = to_int8(q);
    float largest = 0;
    for (const float value : q.values) largest = std::fmax(largest, std::fabs(value));
    CHECK(in_bytes.scale == largest / 127);
    const auto decoded = in_bytes.decoded();
    for (std::int32_t c = 0; c < 16; ++c) {
      const auto word = in_bytes.decode(c);
      for (std::size_t j = 0; j < 4; ++j) {
        CHECK(std::fabs(word[j] - q.word(c)[j]) <= in_bytes.scale * 0.5001f);
        CHECK(word[j] == decoded.word(c)[j]);
      }
      if (deviation > 1e-18f) CHECK(in_bytes.decode(in_bytes.encode(word)) == word);  // else squares underflow
    }
  }
  CHECK(to_int8(Codebook<4, 16>{}).scale == 1);
  CHECK(to_int8(Codebook<1, 2>{{300.0f, -300.0f}}, 1.0f).values == std::array<std::int8_t, 2>{127, -128});
}
