#include "halfstep/layers/float_engine.hpp"

#include <atomic>
#include <vector>

#include "halfstep/core/thread_pool.hpp"
#include "halfstep/layers/eigen_product.hpp"
#include "support/catch.hpp"
#include "support/float_matrix.hpp"

namespace hs = halfstep;
using halfstep_tests::first_difference;
using halfstep_tests::FloatMatrix;
using halfstep_tests::random_matrix;

namespace {

struct Case {
  hs::SiteList sites;
  hs::Site site = sites.add_linear("head", {6, 20});
  FloatMatrix x = random_matrix(4 * 5, 20, 91);
  FloatMatrix w = random_matrix(6, 20, 92);
  FloatMatrix bias = random_matrix(1, 6, 93);

  /// 4 images of 5 rows each.
  FloatMatrix run(hs::Engine& engine) const {
    FloatMatrix out(x.rows, w.rows);
    hs::Workspace workspace;
    engine.multiply(hs::LinearProduct{site, x.view(), w.view(), bias.values, hs::Relu{}, out.view(), 5}, workspace);
    return out;
  }
};

}  // namespace

TEST_CASE("FloatEngine multiplies, adds the bias and applies the epilogue", "[float_engine]") {
  const Case c;
  hs::FloatEngine engine(hs::plain_product);
  FloatMatrix expected(c.x.rows, c.w.rows);
  hs::plain_product(c.x.view(), c.w.view(), expected.view());
  hs::apply_bias_and_epilogue(expected.view(), c.bias.values, hs::Relu{});
  CHECK(first_difference(c.run(engine).view(), expected.view()) == "");

  const FloatMatrix keys = random_matrix(7, 20, 94);
  FloatMatrix scores(20, 7), expected_scores(20, 7);
  hs::Workspace workspace;
  engine.multiply(hs::AttentionProduct{c.site, 0, c.x.view(), keys.view(), scores.view()}, workspace);
  hs::plain_product(c.x.view(), keys.view(), expected_scores.view());
  CHECK(first_difference(scores.view(), expected_scores.view()) == "");
}

TEST_CASE("FloatEngine multiplies the rows of so many images at a time", "[float_engine]") {
  const Case c;
  for (const hs::Index images : {1, 2, 3, 9}) {
    std::vector<hs::Index> rows;
    const auto product = [&](hs::MatrixView<const float> a, hs::MatrixView<const float> b, hs::MatrixView<float> out) {
      rows.push_back(a.rows);
      hs::plain_product(a, b, out);
    };
    hs::FloatEngine engine(product, {.images_per_product = images});
    static_cast<void>(c.run(engine));
    CAPTURE(images);
    CHECK(rows == (images == 1   ? std::vector<hs::Index>{5, 5, 5, 5}
                   : images == 2 ? std::vector<hs::Index>{10, 10}
                   : images == 3 ? std::vector<hs::Index>{15, 5}
                                 : std::vector<hs::Index>{20}));
  }
  CHECK_RAISES(hs::FloatEngine(hs::plain_product, {.images_per_product = 0}), "images_per_product is 0");
}

TEST_CASE("FloatEngine gives an image the same bytes alone, in a batch and on threads", "[float_engine]") {
  const Case c;
  hs::FloatEngine serial(hs::eigen_product);
  hs::ThreadPool pool(3);
  hs::FloatEngine threaded(hs::eigen_product, {.executor = pool});
  CHECK(threaded.executor().concurrency() == 3);
  const FloatMatrix together = c.run(serial);
  CHECK(first_difference(c.run(threaded).view(), together.view()) == "");
  for (hs::Index image = 0; image < 4; ++image) {
    FloatMatrix alone(5, 6);
    hs::Workspace workspace;
    serial.multiply(hs::LinearProduct{c.site, c.x.view().row_range(5 * image, 5), c.w.view(), c.bias.values, hs::Relu{},
                                      alone.view(), 5},
                    workspace);
    CHECK(first_difference(alone.view(), together.view().row_range(5 * image, 5)) == "");
  }
}
