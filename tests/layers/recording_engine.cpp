#include "halfstep/layers/recording_engine.hpp"

#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/float_matrix.hpp"

namespace hs = halfstep;
using halfstep_tests::first_difference;
using halfstep_tests::FloatMatrix;
using halfstep_tests::random_matrix;

TEST_CASE("RecordingEngine shows the operands of each product and computes in float", "[recording_engine]") {
  hs::SiteList sites;
  const hs::Site linear = sites.add_linear("fc1", {6, 20}), attention = sites.add_attention("qk", 3);
  const FloatMatrix x = random_matrix(4, 20, 101), w = random_matrix(6, 20, 102), k = random_matrix(5, 20, 103);
  std::vector<std::string> seen;
  const auto visit = [&](const hs::ProductRecord& record) {
    seen.push_back(hs::concat(record.site.name, " ", record.part));
    CHECK(record.lhs.data == x.values.data());
    CHECK(record.rhs.data == (record.site.kind == hs::SiteKind::linear ? w.values.data() : k.values.data()));
    CHECK(hs::shape_of(record.lhs) == hs::Shape{4, 20});
  };
  hs::RecordingEngine engine(hs::plain_product, visit);
  CHECK(engine.executor().concurrency() == 1);
  hs::Workspace workspace;
  FloatMatrix y(4, 6), scores(4, 5), expected_y(4, 6), expected_scores(4, 5);
  engine.multiply(hs::LinearProduct{linear, x.view(), w.view(), {}, {}, y.view(), 4}, workspace);
  engine.multiply(hs::AttentionProduct{attention, 2, x.view(), k.view(), scores.view()}, workspace);
  CHECK(seen == std::vector<std::string>{"fc1 0", "qk 2"});
  hs::plain_product(x.view(), w.view(), expected_y.view());
  hs::plain_product(x.view(), k.view(), expected_scores.view());
  CHECK(first_difference(y.view(), expected_y.view()) == "");
  CHECK(first_difference(scores.view(), expected_scores.view()) == "");
}
