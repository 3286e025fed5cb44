#include "halfstep/recipes/site_observers.hpp"

#include <string>
#include <vector>

#include "halfstep/calibrators/range/min_max.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/tiling.hpp"
#include "support/catch.hpp"
#include "support/float_matrix.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

namespace {

/// Notes the shape of each matrix that it is given.
struct ShapeObserver {
  std::string seen;
  void observe(hs::MatrixView<const float> matrix) { seen += hs::concat(hs::shape_of(matrix), " "); }
};

}  // namespace

TEST_CASE("SiteObservers shows each operand to the observer of its site", "[site_observers]") {
  hs::SiteList sites;
  const hs::Site fc = sites.add_linear("fc", {6, 20}), qk = sites.add_attention("qk", 2);
  const hs::Site head = sites.add_linear("head", {3, 6});
  const FloatMatrix x = random_matrix(4, 20, 411), w = random_matrix(6, 20, 412);
  const FloatMatrix q = random_matrix(4, 5, 413), k = random_matrix(7, 5, 414);
  hs::SiteObservers<ShapeObserver> shapes(sites, ShapeObserver{"> "});
  shapes.observe({fc, 0, x.view(), w.view()});
  shapes.observe({qk, 0, q.view(), k.view()});
  shapes.observe({qk, 1, k.view(), q.view()});
  CHECK(shapes.lhs(fc).seen == "> [4, 20] ");
  CHECK(shapes.rhs(fc).seen == "> ");  // weights are not observed
  CHECK(shapes.lhs(qk).seen == "> [4, 5] [7, 5] ");
  CHECK(shapes.rhs(qk).seen == "> [7, 5] [4, 5] ");
  CHECK(shapes.lhs(head).seen == "> ");
}

TEST_CASE("SiteObservers joins the heads of a site", "[site_observers]") {
  hs::SiteList sites;
  const hs::Site qk = sites.add_attention("qk", 2), head = sites.add_linear("head", {3, 6});
  FloatMatrix q = random_matrix(4, 5, 415), k = random_matrix(7, 5, 416);
  q.values[3] = -9;
  k.values[8] = 11;
  hs::SiteObservers<hs::MinMax> seen(sites);
  seen.observe({qk, 0, q.view(), k.view()});
  seen.observe({qk, 1, k.view(), q.view()});
  CHECK(seen.lhs(qk).range().min == -9);
  CHECK(seen.lhs(qk).range().max == 11);
  CHECK(seen.rhs(qk) == [&] {
    hs::MinMax both;
    both.observe(q.view());
    both.observe(k.view());
    return both;
  }());
  CHECK_RAISES(seen.lhs(head).range(), "MinMax::range");
  CHECK(hs::SiteObservers<hs::MinMax>(sites, hs::MinMax(hs::per_column())).lhs(qk).tiling() == hs::per_column());
}
