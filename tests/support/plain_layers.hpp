#pragma once

/// \file
/// What layers compute, as plain loops in double: the oracle of floors 7 and 8.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "halfstep/core/matrix_view.hpp"
#include "halfstep/layers/layer_norm.hpp"
#include "halfstep/layers/linear.hpp"
#include "halfstep/layers/patch_embedding.hpp"
#include "halfstep/layers/transformer_block.hpp"

namespace halfstep_tests {

using halfstep::Index;

/// A row-major double matrix.
struct PlainMatrix {
  Index rows = 0;
  Index cols = 0;
  std::vector<double> values;

  PlainMatrix(Index rows_, Index cols_) : rows(rows_), cols(cols_), values(static_cast<std::size_t>(rows_ * cols_)) {}
  explicit PlainMatrix(halfstep::MatrixView<const float> m) : PlainMatrix(m.rows, m.cols) {
    for (Index r = 0; r < rows; ++r) {
      for (Index c = 0; c < cols; ++c) (*this)(r, c) = static_cast<double>(m(r, c));
    }
  }
  [[nodiscard]] double& operator()(Index r, Index c) { return values[static_cast<std::size_t>(r * cols + c)]; }
  [[nodiscard]] double operator()(Index r, Index c) const { return values[static_cast<std::size_t>(r * cols + c)]; }
};

inline double plain_gelu(double x) { return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0))); }

inline PlainMatrix plain_linear(const halfstep::Linear& layer, const PlainMatrix& x) {
  PlainMatrix y(x.rows, layer.out_features());
  for (Index r = 0; r < x.rows; ++r) {
    for (Index n = 0; n < y.cols; ++n) {
      double sum = layer.bias.empty() ? 0.0 : static_cast<double>(layer.bias[static_cast<std::size_t>(n)]);
      for (Index k = 0; k < x.cols; ++k) sum += x(r, k) * static_cast<double>(layer.weight_view()(n, k));
      y(r, n) = sum;
    }
  }
  return y;
}

inline PlainMatrix plain_norm(const halfstep::LayerNorm& norm, const PlainMatrix& x) {
  PlainMatrix y(x.rows, x.cols);
  const auto count = static_cast<double>(x.cols);
  for (Index r = 0; r < x.rows; ++r) {
    double mean = 0, variance = 0;
    for (Index c = 0; c < x.cols; ++c) mean += x(r, c) / count;
    for (Index c = 0; c < x.cols; ++c) variance += (x(r, c) - mean) * (x(r, c) - mean) / count;
    for (Index c = 0; c < x.cols; ++c) {
      const auto at = static_cast<std::size_t>(c);
      const double z = (x(r, c) - mean) / std::sqrt(variance + static_cast<double>(norm.epsilon));
      y(r, c) = z * static_cast<double>(norm.weight[at]) + static_cast<double>(norm.bias[at]);
    }
  }
  return y;
}

/// Attention of images of `tokens` rows each.
inline PlainMatrix plain_attention(const halfstep::Attention& attention, const PlainMatrix& x, Index tokens) {
  const PlainMatrix packed = plain_linear(attention.qkv, x);
  const Index dim = attention.dim(), size = dim / attention.heads();
  PlainMatrix context(x.rows, dim);
  for (Index row = 0; row < x.rows; ++row) {
    const Index first = row / tokens * tokens;
    for (Index head = 0; head < attention.heads(); ++head) {
      std::vector<double> p(static_cast<std::size_t>(tokens));
      for (Index t = 0; t < tokens; ++t) {
        double sum = 0;
        for (Index c = head * size; c < (head + 1) * size; ++c) sum += packed(row, c) * packed(first + t, dim + c);
        p[static_cast<std::size_t>(t)] = sum / std::sqrt(static_cast<double>(size));
      }
      const double largest = *std::max_element(p.begin(), p.end());
      double sum = 0;
      for (double& value : p) sum += value = std::exp(value - largest);
      for (Index c = head * size; c < (head + 1) * size; ++c) {
        for (Index t = 0; t < tokens; ++t) {
          context(row, c) += p[static_cast<std::size_t>(t)] / sum * packed(first + t, 2 * dim + c);
        }
      }
    }
  }
  return plain_linear(attention.proj, context);
}

inline PlainMatrix plain_mlp(const halfstep::Mlp& mlp, const PlainMatrix& x) {
  PlainMatrix hidden = plain_linear(mlp.fc1, x);
  for (double& value : hidden.values) value = plain_gelu(value);
  return plain_linear(mlp.fc2, hidden);
}

inline PlainMatrix plain_sum(PlainMatrix a, const PlainMatrix& b) {
  for (std::size_t i = 0; i < a.values.size(); ++i) a.values[i] += b.values[i];
  return a;
}

inline PlainMatrix plain_block(const halfstep::TransformerBlock& block, const PlainMatrix& x, Index tokens) {
  const PlainMatrix y = plain_sum(x, plain_attention(block.attn, plain_norm(block.norm1, x), tokens));
  return plain_sum(y, plain_mlp(block.mlp, plain_norm(block.norm2, y)));
}

/// The normalized patches of images, a row each, then the linear map.
inline PlainMatrix plain_patches(const halfstep::PatchEmbedding& embedding, const halfstep::ImageView& images) {
  const Index height = embedding.patch_height, width = embedding.patch_width;
  PlainMatrix values(0, embedding.proj.in_features());
  for (Index i = 0; i < images.count; ++i) {
    for (Index top = 0; top < images.height; top += height) {
      for (Index left = 0; left < images.width; left += width) {
        for (Index c = 0; c < images.channels; ++c) {
          for (Index y = top; y < top + height; ++y) {
            for (Index x = left; x < left + width; ++x) {
              const Index at = ((i * images.channels + c) * images.height + y) * images.width + x;
              const auto channel = static_cast<std::size_t>(c);
              values.values.push_back((images.pixels[at] / 255.0 - static_cast<double>(embedding.mean[channel])) /
                                      static_cast<double>(embedding.deviation[channel]));
            }
          }
        }
        ++values.rows;
      }
    }
  }
  return plain_linear(embedding.proj, values);
}

/// The largest difference of two matrices over the largest value of `expected`.
inline double relative_difference(halfstep::MatrixView<const float> found, const PlainMatrix& expected) {
  double difference = 0, largest = 0;
  for (Index r = 0; r < expected.rows; ++r) {
    for (Index c = 0; c < expected.cols; ++c) {
      difference = std::max(difference, std::fabs(static_cast<double>(found(r, c)) - expected(r, c)));
      largest = std::max(largest, std::fabs(expected(r, c)));
    }
  }
  return difference / largest;
}

/// Several float products and sums of 2^-24 each stay well below this for the sizes of the tests (some 100 terms).
inline constexpr double float_tolerance = 1e-5;

}  // namespace halfstep_tests
