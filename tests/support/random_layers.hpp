#pragma once

/// \file
/// Layers and vision transformers with random parameters, of any size.

#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "halfstep/core/error.hpp"
#include "halfstep/layers/layer_norm.hpp"
#include "halfstep/layers/linear.hpp"
#include "halfstep/layers/patch_embedding.hpp"
#include "halfstep/layers/site.hpp"
#include "halfstep/layers/transformer_block.hpp"
#include "support/float_matrix.hpp"

namespace halfstep_tests {

/// A linear layer whose outputs are about as large as its inputs, with a bias.
inline halfstep::Linear random_linear(halfstep::SiteList& sites, const std::string& name, halfstep::Index out,
                                      halfstep::Index in, std::uint32_t seed) {
  const float deviation = 1.0f / std::sqrt(static_cast<float>(in));
  return {sites.add_linear(name, {out, in}), random_matrix(out, in, seed, deviation).values,
          random_matrix(1, out, seed + 1, 0.2f).values};
}

inline halfstep::LayerNorm random_norm(const std::string& name, halfstep::Index dim, std::uint32_t seed) {
  return {name, random_matrix(1, dim, seed, 0.3f, 1.0f).values, random_matrix(1, dim, seed + 1, 0.3f).values, 1e-6f};
}

inline halfstep::Attention random_attention(halfstep::SiteList& sites, const std::string& prefix, halfstep::Index dim,
                                            halfstep::Index heads, std::uint32_t seed) {
  halfstep::Attention attention;
  attention.qkv = random_linear(sites, prefix + "attn.qkv", 3 * dim, dim, seed);
  attention.qk = sites.add_attention(prefix + "attn.qk", heads);
  attention.av = sites.add_attention(prefix + "attn.av", heads);
  attention.proj = random_linear(sites, prefix + "attn.proj", dim, dim, seed + 2);
  return attention;
}

inline halfstep::Mlp random_mlp(halfstep::SiteList& sites, const std::string& prefix, halfstep::Index dim,
                                halfstep::Index hidden, std::uint32_t seed) {
  return {random_linear(sites, prefix + "mlp.fc1", hidden, dim, seed),
          random_linear(sites, prefix + "mlp.fc2", dim, hidden, seed + 2)};
}

inline halfstep::TransformerBlock random_block(halfstep::SiteList& sites, const std::string& prefix,
                                               halfstep::Index dim, halfstep::Index heads, halfstep::Index hidden,
                                               std::uint32_t seed) {
  halfstep::TransformerBlock block;
  block.norm1 = random_norm(prefix + "norm1", dim, seed);
  block.attn = random_attention(sites, prefix, dim, heads, seed + 2);
  block.norm2 = random_norm(prefix + "norm2", dim, seed + 6);
  block.mlp = random_mlp(sites, prefix, dim, hidden, seed + 8);
  return block;
}

/// Random pixels of images `[count, channels, height, width]`.
inline std::vector<std::uint8_t> random_pixels(halfstep::Index size, std::uint32_t seed) {
  std::mt19937 generator(seed);
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(size));
  for (std::uint8_t& pixel : pixels) pixel = static_cast<std::uint8_t>(generator() >> 24);
  return pixels;
}

}  // namespace halfstep_tests
