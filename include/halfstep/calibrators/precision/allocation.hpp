#pragma once

/// \file
/// Which precision each layer gets: the options of layers, and what an assignment of them costs and loses.

#include "halfstep/config.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/finite.hpp"
#include "halfstep/core/matrix_view.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// The options of one layer (or of one group of sites that share a precision), cheapest first.
struct LayerOptions {
  std::vector<std::int64_t> costs;  ///< in the unit of the budget, growing: bits, bytes or operations
  std::vector<double> losses;       ///< of each option: what the model is expected to lose by it, additive over layers
};

/// An option for each layer.
struct Allocation {
  std::vector<int> choices;  ///< of each layer: the number of its option
  std::int64_t cost = 0;     ///< of all layers
  double loss = 0;           ///< of all layers, added in their order
  bool is_complete = true;   ///< false: a progress callback stopped the solver; the best so far
  friend bool operator==(const Allocation&, const Allocation&) = default;
};

/// Bits of a weight `[out_features, in_features]`.
[[nodiscard]] inline std::int64_t weight_bits(Index out_features, Index in_features, int bits) {
  return out_features * in_features * bits;
}
/// Bytes of a weight whose rows are packed each to whole bytes.
[[nodiscard]] inline std::int64_t weight_bytes(Index out_features, Index in_features, int bits) {
  return out_features * ((in_features * bits + 7) / 8);
}
/// Bit operations of a linear layer: `tokens * out_features * in_features * weight_bits * activation_bits`.
[[nodiscard]] inline std::int64_t bit_operations(Index tokens, Index out_features, Index in_features, int weight_bits,
                                                 int activation_bits) {
  return tokens * out_features * in_features * weight_bits * activation_bits;
}

/// The losses of bit widths for a layer of relevance `score`: `score * 4^-bits`, a step's squared width.
/// Source: Ranjan and Savakis, "LRP-QViT", 2024; the loss is the library's own.
[[nodiscard]] inline std::vector<double> relevance_losses(double score, std::span<const int> bits) {
  std::vector<double> losses;
  for (const int b : bits) losses.push_back(score * std::ldexp(1.0, -2 * b));
  return losses;
}

/// Refuses layers that no solver can use, and a budget below the least that they cost: "budget is 100, the least that
/// the layers cost is 120".
inline void require_allocation(std::string_view where, std::span<const LayerOptions> layers, std::int64_t budget) {
  if (layers.empty()) raise(where, "layers is empty, expected at least one");
  std::int64_t least = 0, most = 0;
  constexpr std::int64_t largest = std::numeric_limits<std::int64_t>::max();
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const LayerOptions& layer = layers[l];
    if (layer.costs.empty()) raise(where, "layer ", l, " has no options");
    if (layer.costs.size() != layer.losses.size()) {
      raise(where, "layer ", l, " has ", layer.costs.size(), " costs and ", layer.losses.size(), " losses");
    }
    for (std::size_t o = 0; o < layer.costs.size(); ++o) {
      if (layer.costs[o] < 0)
        raise(where, "layer ", l, ", option ", o, " costs ", layer.costs[o], ", expected at least 0");
      if (o > 0 && layer.costs[o] <= layer.costs[o - 1]) {
        raise(where, "layer ", l, ", option ", o, " costs ", layer.costs[o], ", expected more than the ",
              layer.costs[o - 1], " of the option before it");
      }
      if (!is_finite_bits(layer.losses[o])) raise(where, "layer ", l, ", option ", o, " has a loss that is not finite");
    }
    if (layer.costs.back() > largest - most) raise(where, "layers cost more than 2^63 - 1 together");
    least += layer.costs.front();
    most += layer.costs.back();
  }
  if (budget < least) raise(where, "budget is ", budget, ", the least that the layers cost is ", least);
}

/// The allocation with these choices. Class: exact (costs), ordered (loss).
[[nodiscard]] inline Allocation allocation_of(std::span<const LayerOptions> layers, std::vector<int> choices) {
  Allocation all{std::move(choices), 0, 0, true};
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const auto option = static_cast<std::size_t>(all.choices[l]);
    all.cost += layers[l].costs[option];
    all.loss += layers[l].losses[option];
  }
  return all;
}

}  // namespace halfstep::inline HALFSTEP_ABI
