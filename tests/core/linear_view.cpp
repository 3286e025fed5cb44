#include "halfstep/core/linear_view.hpp"

#include <vector>

#include "halfstep/core/eigen.hpp"
#include "support/catch.hpp"

namespace hs = halfstep;

TEST_CASE("a slot creates the bias that a layer does not have yet", "[linear_view]") {
  std::vector<float> bias;
  const hs::BiasSlot slot = bias;
  CHECK(slot.available());
  CHECK(slot.get().empty());
  const hs::MutableVectorView created = slot.get_or_create("fold", 3);
  CHECK(bias == std::vector<float>{0, 0, 0});
  created[2] = 5;
  CHECK(bias[2] == 5);
  CHECK(slot.get_or_create("fold", 3)[2] == 5);  // what is there is left as it is

  Eigen::VectorXf eigen_bias;
  const hs::BiasSlot eigen_slot = eigen_bias;
  eigen_slot.get_or_create("fold", 2)[1] = 7;
  CHECK(eigen_bias.size() == 2);
  CHECK(eigen_bias[0] == 0);
  CHECK(eigen_bias[1] == 7);
}

TEST_CASE("a slot may be missing, or fixed", "[linear_view]") {
  const hs::BiasSlot none;
  CHECK_FALSE(none.available());
  CHECK_RAISES(none.get_or_create("fold", 2), "halfstep: fold: the layer has no bias and no place for one");
  float memory[2] = {1, 2};
  const hs::BiasSlot fixed = hs::MutableVectorView(memory, 2);
  CHECK(fixed.available());
  CHECK(fixed.get_or_create("fold", 2).data == memory);
}

TEST_CASE("a linear layer has a bias for each output, or none", "[linear_view]") {
  hs::MatrixF weight = hs::MatrixF::Zero(3, 4);
  std::vector<float> bias(2);
  CHECK_RAISES(hs::require_consistent("fold", "layer", hs::LinearView{hs::mutable_view(weight), bias}),
               "layer has a bias of 2 elements, expected 3 (its out_features)");
  bias.clear();
  const hs::LinearView layer{hs::mutable_view(weight), bias};
  CHECK_NOTHROW(hs::require_consistent("fold", "layer", layer));
  CHECK(layer.out_features() == 3);
  CHECK(layer.in_features() == 4);
}

TEST_CASE("layers of doubles are viewed like those of floats", "[linear_view]") {
  hs::MatrixD weight = hs::MatrixD::Ones(3, 2);
  std::vector<double> bias;
  const hs::BasicLinearView<double> layer{hs::mutable_view(weight), bias};
  CHECK(layer.out_features() == 3);
  hs::require_consistent("test", "layer", layer);
  CHECK(layer.bias.get_or_create("test", 3).size == 3);
  CHECK(bias == std::vector<double>(3));
  bias.push_back(0);
  CHECK_RAISES(hs::require_consistent("test", "layer", layer), "layer has a bias of 4 elements, expected 3");
}
