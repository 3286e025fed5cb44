#pragma once

/// \file
/// A random transformer block with specifications for all its sites, and an engine that holds the integer product
/// against the fake-quantized one, product by product.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "halfstep/core/tiling.hpp"
#include "halfstep/kernels/decode_planes.hpp"
#include "halfstep/kernels/pack.hpp"
#include "halfstep/kernels/quantize.hpp"
#include "halfstep/layers/fake_quantized_engine.hpp"
#include "halfstep/layers/integer_engine.hpp"
#include "halfstep/layers/site_spec.hpp"
#include "halfstep/quantizers/uniform.hpp"
#include "support/float_matrix.hpp"
#include "support/random_layers.hpp"

namespace halfstep_tests {

/// A weight in `Bits` bits, one range per output, and inputs between -4 and 4 in `InputBits`.
template <int Bits, int InputBits>
halfstep::LinearSpec linear_spec(const halfstep::Linear& layer) {
  namespace hs = halfstep;
  return {hs::pack(hs::quantize<hs::Uniform<Bits>>(layer.weight_view(), {.tiling = hs::per_row()})), Bits,
          hs::Uniform<InputBits>::fit({-4.0f, 4.0f})};
}

/// A block whose layers are large enough to be shared among threads, quantized at every site. One rule per head for
/// queries, one for all heads elsewhere.
struct QuantizedBlock {
  static constexpr halfstep::Index dim = 48, heads = 3, hidden = 96, tokens = 17;
  halfstep::SiteList sites;
  halfstep::TransformerBlock block = random_block(sites, "", dim, heads, hidden, 300);
  halfstep::SiteSpecs specs{sites};

  QuantizedBlock() {
    namespace hs = halfstep;
    specs.set("attn.qkv", linear_spec<4, 8>(block.attn.qkv));
    specs.set("attn.proj", linear_spec<8, 6>(block.attn.proj));
    specs.set("mlp.fc1", linear_spec<6, 4>(block.mlp.fc1));
    specs.set("mlp.fc2", linear_spec<3, 8>(block.mlp.fc2));
    const hs::Uniform<8> eight = hs::Uniform<8>::fit({-5.0f, 4.0f});
    const hs::Uniform<5> five = hs::Uniform<5>::fit({-3.0f, 4.0f});
    specs.set("attn.qk", hs::AttentionSpec{{eight, five, eight}, {hs::Uniform<7>::fit({-4.0f, 5.0f})}});
    specs.set("attn.av", hs::AttentionSpec{{hs::Uniform<8>::fit({0.0f, 1.0f})}, {eight}});
  }

  /// What the block makes of `images * tokens` rows.
  [[nodiscard]] FloatMatrix run(const FloatMatrix& input, halfstep::Engine& engine) const {
    FloatMatrix x = input;
    halfstep::RunWorkspace workspace;
    block.forward(x.view(), tokens, engine, workspace);
    return x;
  }
};

/// The largest `|integer - fake|` over the bound that `FakeQuantizedEngine` states, `(K + 8) 2^-24 (sum |x w| +
/// |bias|)` with the decoded operands x `[m, k]` and w `[n, k]`: at most 1 where the two agree, infinite where one of
/// them alone is not finite.
inline double difference_over_bound(halfstep::MatrixView<const float> integer, halfstep::MatrixView<const float> fake,
                                    halfstep::MatrixView<const float> x, halfstep::MatrixView<const float> w,
                                    halfstep::VectorView bias) {
  double worst = 0;
  for (halfstep::Index m = 0; m < integer.rows; ++m) {
    for (halfstep::Index n = 0; n < integer.cols; ++n) {
      double size = bias.empty() ? 0.0 : std::fabs(static_cast<double>(bias.data[n]));
      for (halfstep::Index k = 0; k < x.cols; ++k) {
        size += std::fabs(static_cast<double>(x(m, k)) * static_cast<double>(w(n, k)));
      }
      const double difference = std::fabs(static_cast<double>(integer(m, n)) - static_cast<double>(fake(m, n)));
      const double bound = static_cast<double>(x.cols + 8) * std::ldexp(size, -24);
      if (std::isnan(integer(m, n)) != std::isnan(fake(m, n))) return INFINITY;
      if (difference > 0) worst = std::max(worst, bound > 0 ? difference / bound : INFINITY);
    }
  }
  return worst;
}

/// Runs on the integer engine, serially, and repeats each product on the fake-quantized one from the same inputs, but
/// for those that stay float. For inputs that are codes or floats, without a transform.
class PairedEngine final : public halfstep::Engine {
 public:
  PairedEngine(const halfstep::SiteSpecs& specs, halfstep::FloatProduct product)
      : specs_(specs), integer_(specs, {}, product), fake_(specs, product) {}

  void multiply(const halfstep::LinearProduct& product, halfstep::Workspace& workspace) override {
    if (std::holds_alternative<halfstep::FloatSpec>(specs_.at(product.site))) {
      return integer_.multiply(product, workspace);
    }
    const auto& spec = std::get<halfstep::LinearSpec>(specs_.at(product.site));
    FloatMatrix x(product.x.rows, product.x.cols), integer(product.out.rows, product.out.cols), fake = integer;
    const auto& activation = std::get<halfstep::Activation>(spec.input);
    if (!activation.keeps_floats()) {
      halfstep::fake_quantize_into(product.x, activation, x.view(), workspace);
    } else {
      for (halfstep::Index r = 0; r < x.rows; ++r) std::copy_n(product.x.row(r), x.cols, x.view().row(r));
    }
    const halfstep::MatrixF weight = halfstep::decode_packed(spec.weight);
    integer_.multiply(without_epilogue(product, integer), workspace);
    fake_.multiply(without_epilogue(product, fake), workspace);
    note(difference_over_bound(integer.view(), fake.view(), x.view(), halfstep::view(weight), product.bias));
    integer_.multiply(product, workspace);
  }

  void multiply(const halfstep::AttentionProduct& product, halfstep::Workspace& workspace) override {
    if (std::holds_alternative<halfstep::FloatSpec>(specs_.at(product.site))) {
      return integer_.multiply(product, workspace);
    }
    const auto& spec = std::get<halfstep::AttentionSpec>(specs_.at(product.site));
    FloatMatrix lhs(product.lhs.rows, product.lhs.cols), rhs(product.rhs.rows, product.rhs.cols);
    FloatMatrix fake(product.out.rows, product.out.cols);
    halfstep::fake_quantize_into(product.lhs, spec.lhs_of(product.part), lhs.view(), workspace);
    halfstep::fake_quantize_into(product.rhs, spec.rhs_of(product.part), rhs.view(), workspace);
    fake_.multiply(halfstep::AttentionProduct{product.site, product.part, product.lhs, product.rhs, fake.view()},
                   workspace);
    integer_.multiply(product, workspace);
    note(difference_over_bound(product.out, fake.view(), lhs.view(), rhs.view(), {}));
  }

  [[nodiscard]] halfstep::ExecutorRef executor() const override { return {}; }
  [[nodiscard]] const halfstep::IntegerEngine& integer() const { return integer_; }
  /// The largest `difference_over_bound` of all products.
  [[nodiscard]] double worst() const { return worst_; }
  [[nodiscard]] halfstep::Index products() const { return products_; }

 private:
  static halfstep::LinearProduct without_epilogue(const halfstep::LinearProduct& product, FloatMatrix& out) {
    return {product.site, product.x, product.weight, product.bias, {}, out.view(), product.image_rows};
  }
  void note(double ratio) {
    worst_ = std::max(worst_, ratio);
    ++products_;
  }

  const halfstep::SiteSpecs& specs_;
  halfstep::IntegerEngine integer_;
  halfstep::FakeQuantizedEngine fake_;
  double worst_ = 0;
  halfstep::Index products_ = 0;
};

}  // namespace halfstep_tests
