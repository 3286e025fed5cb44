#include "halfstep/calibrators/range/observed_product.hpp"

#include <cstddef>
#include <limits>
#include <vector>

#include "halfstep/kernels/quantize.hpp"
#include "halfstep/quantizers/adalog.hpp"
#include "halfstep/quantizers/uniform.hpp"
#include "support/catch.hpp"
#include "support/executors.hpp"
#include "support/float_matrix.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

/// Two images of two heads: queries [5, 8], keys [7, 8], cut out of wider rows.
struct Heads2 {
  FloatMatrix queries = random_matrix(10, 16, 1), keys = random_matrix(14, 16, 2);
  std::vector<ObservedProduct> products;
  Heads2() {
    for (Index image = 0; image < 2; ++image) {
      for (Index head = 0; head < 2; ++head) {
        products.push_back({.lhs = queries.view().block(image * 5, head * 8, 5, 8),
                            .rhs = keys.view().block(image * 7, head * 8, 7, 8),
                            .head = head});
      }
    }
  }
};

}  // namespace

TEST_CASE("the values of an operand, by head, together, and by row blocks") {
  const Heads2 heads;
  const GranuleValues apart = operand_values("test", heads.products, Operand::lhs, {});
  REQUIRE(apart.size() == 2);
  CHECK(apart[1].size() == 80);
  CHECK(apart[1][0] == heads.queries(0, 8));
  CHECK(apart[1][40] == heads.queries(5, 8));
  const GranuleValues together = operand_values("test", heads.products, Operand::rhs, Heads::together);
  REQUIRE(together.size() == 1);
  CHECK(together[0].size() == 14 * 16);
  const GranuleValues blocks = operand_values("test", heads.products, Operand::rhs, per_row_block(4));
  REQUIRE(blocks.size() == 4);  // 4 and 3 rows for each head
  CHECK(blocks[3].size() == 2 * 3 * 8);
  CHECK(blocks[3][0] == heads.keys(4, 8));
}

TEST_CASE("an operand under its quantizers is each element under its own") {
  const Heads2 heads;
  const FreshThreadsExecutor threads(3);
  const std::vector<Uniform<4>> quantizers = {{0.3f, 7}, {0.2f, 9}, {0.5f, 8}, {0.1f, 3}};
  const auto found = fake_quantize_operand(std::span<const ObservedProduct>(heads.products), Operand::rhs, quantizers,
                                           per_row_block(4), threads);
  REQUIRE(found.size() == 4);
  for (std::size_t p = 0; p < 4; ++p) {
    for (Index r = 0; r < 7; ++r) {
      const auto& q = quantizers[static_cast<std::size_t>(heads.products[p].head * 2 + r / 4)];
      for (Index c = 0; c < 8; ++c) CHECK(found[p](r, c) == q.decode(q.encode(heads.products[p].rhs(r, c))));
    }
  }
  // Rows that lie side by side go through in one piece; a table of levels serves all of them.
  const FloatMatrix x = random_matrix(50, 12, 3);
  const AdaLog<4> log{3, 1, 12};
  const std::vector<ObservedProduct> one = {{.lhs = x.view(), .rhs = x.view()}};
  const auto whole = fake_quantize_operand(std::span<const ObservedProduct>(one), Operand::lhs, std::vector{log});
  CHECK(whole.at(0) == fake_quantize(x.view(), log));
}

TEST_CASE("products that cannot be are refused") {
  Heads2 heads;
  auto& products = heads.products;
  const auto values = [&](const ProductTiling& tiling = {}) {
    return operand_values("test", products, Operand::lhs, tiling);
  };
  CHECK_RAISES(operand_values("test", {}, Operand::lhs, {}), "test: products is empty, expected at least one");
  CHECK_RAISES(values(per_column()), "test: tiling divides rows, expected granules of whole rows");
  products[1].head = 4;
  CHECK_RAISES(values(), "test: head of product 1 is 4, expected 0 to 3");
  products[1].head = 3;
  CHECK_RAISES(values(), "test: no product has head 2, the largest is 3");
  products[1].head = 1;
  products[2].rhs = products[2].rhs.col_range(0, 7);
  CHECK_RAISES(values(), "test: lhs of product 2 has 8 columns, rhs has 7");
  products[2].rhs = {};
  CHECK_RAISES(values(), "test: rhs of product 2 of shape [0, 0] has no elements");
  heads = Heads2();
  const std::vector<float> bias(6);
  products[0].bias = bias;
  CHECK_RAISES(values(), "test: bias of product 0 has 6 elements, rhs has 7 rows");
  heads.queries.values[static_cast<std::size_t>(6 * 16 + 9)] = std::numeric_limits<float>::quiet_NaN();
  heads.products.clear();
  for (Index head = 0; head < 2; ++head) {
    heads.products.push_back({.lhs = heads.queries.view().col_range(head * 8, 8),
                              .rhs = heads.keys.view().col_range(head * 8, 8),
                              .head = head});
  }
  CHECK_RAISES(values(), "test: lhs of product 1 is not finite: row 6, column 1 is nan");
  heads.products.resize(1);
  heads.products[0].lhs = heads.queries.view().col_range(8, 8);
  CHECK_RAISES(values(), "test: lhs is not finite: row 6, column 1 is nan");
  CHECK_RAISES(
      fake_quantize_operand(std::span<const ObservedProduct>(heads.products), Operand::rhs, std::vector<Uniform<4>>(3)),
      "fake_quantize_operand: quantizers has 3 entries, the operand has 1 granules");
}
