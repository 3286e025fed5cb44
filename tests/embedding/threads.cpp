// Whatever takes an executor, on threads: the same bits as on one, and nothing that two threads touch unprotected. The
// second is for ThreadSanitizer to see (.ci/run threads); matrices are just large enough to be shared.

#include <mutex>
#include <thread>
#include <vector>

#include "halfstep/calibrators/range/histogram.hpp"
#include "halfstep/calibrators/rounding/k_means.hpp"
#include "halfstep/calibrators/transform/shift_scale.hpp"
#include "halfstep/core/thread_pool.hpp"
#include "halfstep/kernels/pack.hpp"
#include "halfstep/kernels/quantize.hpp"
#include "halfstep/kernels/softmax.hpp"
#include "halfstep/kernels/split_matmul.hpp"
#include "halfstep/kernels/split_matrix.hpp"
#include "halfstep/kernels/table_matmul.hpp"
#include "halfstep/kernels/vector_matmul.hpp"
#include "halfstep/kernels/vector_matrix.hpp"
#include "halfstep/layers/fake_quantized_engine.hpp"
#include "halfstep/layers/float_engine.hpp"
#include "halfstep/layers/integer_engine.hpp"
#include "halfstep/quantizers/absmax.hpp"
#include "halfstep/quantizers/codebook.hpp"
#include "support/catch.hpp"
#include "support/float_matrix.hpp"
#include "support/quantized_block.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

namespace {

constexpr int thread_count = 3;

/// Activations of which every tenth column is 20 times as large as the others.
FloatMatrix with_outliers(hs::Index rows, hs::Index cols) {
  FloatMatrix x = random_matrix(rows, cols, 71);
  for (hs::Index r = 0; r < rows; ++r) {
    for (hs::Index c = 3; c < cols; c += 10) x.view().row(r)[c] *= 20;
  }
  return x;
}

}  // namespace

TEST_CASE("histograms of several threads merge into that of one", "[threads]") {
  const FloatMatrix x = random_matrix(480, 300, 70);
  hs::Histogram alone(hs::per_column_block(100)), merged(hs::per_column_block(100));
  alone.observe(x.view());
  std::mutex mutex;
  std::vector<std::thread> threads;
  hs::ThreadPool pool(thread_count);
  for (hs::Index t = 0; t < thread_count; ++t) {
    threads.emplace_back([&, t] {
      hs::Histogram own(hs::per_column_block(100));
      own.observe(x.view().row_range(160 * t, 160), pool);
      const std::lock_guard lock(mutex);
      merged.merge(own);
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(merged == alone);
}

TEST_CASE("k-means and the products of what it finds do not depend on threads", "[threads]") {
  const FloatMatrix w = random_matrix(600, 64, 72), x = random_matrix(70, 64, 73);
  hs::ThreadPool pool(thread_count);
  const auto alone = hs::k_means<4, 16>(w.view(), {.iterations = 4, .seed = 1});
  const auto shared = hs::k_means<4, 16>(w.view(), {.iterations = 4, .seed = 1, .executor = pool});
  CHECK(shared.codes == alone.codes);
  CHECK(shared.codebook == alone.codebook);

  using Words = hs::Codebook<4, 16>;
  const auto q = hs::quantize_vectors<Words>(w.view(), {alone.codebook});
  CHECK(hs::quantize_vectors<Words>(w.view(), {alone.codebook}, hs::per_tensor(), pool) == q);
  CHECK(hs::dequantize(q, pool) == hs::dequantize(q));
  CHECK(hs::table_matmul(x.view(), q, {}, pool) == hs::table_matmul(x.view(), q));
  const auto bytes = hs::quantize_vectors<hs::Int8Codebook<4, 16>>(w.view(), {hs::to_int8(alone.codebook)});
  CHECK(hs::vector_matmul(x.view(), bytes, {.executor = pool}) == hs::vector_matmul(x.view(), bytes));
}

TEST_CASE("split products do not depend on threads", "[threads]") {
  const FloatMatrix w = random_matrix(300, 200, 74), x = with_outliers(400, 200);
  hs::ThreadPool pool(thread_count);
  const hs::PackedMatrix packed = hs::pack(hs::quantize<hs::Absmax<8>>(w.view(), {.tiling = hs::per_row()}));
  const hs::SplitMatrix alone = hs::split(x.view());
  const hs::SplitMatrix shared = hs::split(x.view(), {.executor = pool});
  REQUIRE(alone.columns().size() >= 20);
  CHECK(hs::split_matmul(shared, packed, {.executor = pool}) == hs::split_matmul(alone, packed));
  CHECK(hs::split_matmul(shared, packed, {.float_weight = w.view(), .executor = pool}) ==
        hs::split_matmul(alone, packed, {.float_weight = w.view()}));
}

TEST_CASE("softmax and a change of variables do not depend on threads", "[threads]") {
  FloatMatrix alone = random_matrix(500, 200, 75), shared = alone;
  const FloatMatrix x = alone;
  hs::ThreadPool pool(thread_count);
  hs::softmax(alone.view(), 0.5f);
  hs::softmax(shared.view(), 0.5f, pool);
  CHECK(shared.values == alone.values);
  hs::clipped_softmax(alone.view(), {-0.1f, 1.1f}, 3.0f);
  hs::clipped_softmax(shared.view(), {-0.1f, 1.1f}, 3.0f, pool);
  CHECK(shared.values == alone.values);

  const hs::ShiftScale t{random_matrix(1, 200, 76).values, random_matrix(1, 200, 77, 0.1f, 1).values};
  CHECK(hs::apply(t, x.view(), pool) == hs::apply(t, x.view()));
}

TEST_CASE("a block on every engine does not depend on threads", "[threads]") {
  const QuantizedBlock block;
  const FloatMatrix x = random_matrix(8 * QuantizedBlock::tokens, QuantizedBlock::dim, 78);
  hs::ThreadPool pool(thread_count);
  const auto check = [&](hs::Engine& serial, hs::Engine& threaded) {
    CHECK(block.run(x, threaded).values == block.run(x, serial).values);
  };
  hs::IntegerEngine integer(block.specs), integer_on_pool(block.specs, pool);
  check(integer, integer_on_pool);
  hs::FakeQuantizedEngine fake(block.specs, hs::plain_product);
  hs::FakeQuantizedEngine fake_on_pool(block.specs, hs::plain_product, {.executor = pool});
  check(fake, fake_on_pool);
  hs::FloatEngine exact(hs::plain_product), exact_on_pool(hs::plain_product, {.executor = pool});
  check(exact, exact_on_pool);
}
