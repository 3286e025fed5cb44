#pragma once

/// \file
/// Every kind of activation and of weight, by the names that rows have, ready to be multiplied.

#include <halfstep/calibrators/rounding/k_means.hpp>
#include <halfstep/halfstep.hpp>

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "support/limits.hpp"
#include "support/matmul_operands.hpp"
#include "support/peers.hpp"

namespace halfstep_bench {

/// A product that is ready to run.
struct ReadyProduct {
  std::function<void(halfstep::MatrixF& y)> multiply;
  double weight_bytes = 0;  ///< of one copy
};

/// How activations meet a weight.
struct ActivationCase {
  std::string name;
  ActivationData data = ActivationData::normal;
  /// The rule, known beforehand from the data.
  std::function<halfstep::Activation(const halfstep::MatrixF& x)> rule;
  bool timed = false;  ///< whether encoding is part of what is timed
};

inline halfstep::Range range_of(const halfstep::MatrixF& x) {
  return {x.minCoeff(), x.maxCoeff(), x.cwiseAbs().mean()};
}

template <class Q>
ActivationCase static_case(const char* name, ActivationData data = ActivationData::normal,
                           halfstep::Symmetry symmetry = halfstep::Symmetry::affine) {
  return {name, data, [=](const halfstep::MatrixF& x) { return halfstep::fit<Q>(range_of(x), symmetry); }};
}

template <class F>
ActivationCase block_case(const char* name) {
  return {name, ActivationData::normal, [](const halfstep::MatrixF& x) {
            if constexpr (halfstep::HasTensorScale<F>) {
              return halfstep::Activation::per_block<F>(F::tensor_scale_of(range_of(x)));
            } else {
              static_cast<void>(x);
              return halfstep::Activation::per_block<F>();
            }
          }};
}

/// `u8` and `s8` are affine and symmetric, `f32` is quantized per token on the way in, `f32w` is kept in float, and
/// the logarithmic ones have 4 bits but `log2b3`.
inline std::vector<ActivationCase> activation_cases() {
  using halfstep::Activation;
  constexpr ActivationData probabilities = ActivationData::probabilities;
  constexpr auto symmetric = halfstep::Symmetry::symmetric;
  return {static_case<halfstep::Uniform<8>>("u8"),
          static_case<halfstep::Uniform<8>>("s8", ActivationData::normal, symmetric),
          static_case<halfstep::Uniform<4>>("u4"),
          static_case<halfstep::Uniform<4>>("s4", ActivationData::normal, symmetric),
          static_case<halfstep::Fp4E2M1>("fp4"),
          block_case<halfstep::MXFP4>("mxfp4"),
          block_case<halfstep::NVFP4>("nvfp4"),
          {"f32", ActivationData::normal, [](const halfstep::MatrixF&) { return Activation(); }, true},
          {"f32w", ActivationData::normal, [](const halfstep::MatrixF&) { return Activation::kept_in_float(); }, true},
          static_case<halfstep::Log2<4>>("log2", probabilities),
          static_case<halfstep::Log2<3>>("log2b3", probabilities),
          static_case<halfstep::LogSqrt2<4>>("logsqrt2", probabilities),
          static_case<halfstep::AdaLog<4>>("adalog", probabilities),
          static_case<halfstep::TanQ<4>>("tanq", probabilities),
          static_case<halfstep::ShiftLog2<4>>("sulq", probabilities),
          static_case<halfstep::TwinSoftmax<4>>("twin", probabilities)};
}

/// Where a weight is when it is its turn: where the last call left it, or in memory.
enum class WeightResidence { cached, cold };

/// How a product is to be timed.
struct MatmulRun {
  int threads = 1;
  WeightResidence residence = WeightResidence::cached;

  /// Copies of a weight that are taken in turn.
  [[nodiscard]] std::size_t copies(double weight_bytes) const {
    return residence == WeightResidence::cached ? 1 : static_cast<std::size_t>(cold_bytes() / weight_bytes) + 2;
  }
};

/// A weight, whatever holds it: gives the product, or nothing where such an activation cannot meet it.
struct WeightCase {
  std::string name;
  std::function<std::optional<ReadyProduct>(const ActivationCase&, const MatmulOperands&, const MatmulRun&)> prepare;
};

/// Calls `product(copy, y)` for one copy of `weight` after the other. What it needs is kept alive with it.
template <class W, class Product>
ReadyProduct in_turn(const W& weight, const MatmulRun& run, Product product) {
  const auto bytes = static_cast<double>(weight.bytes());
  const auto copies = std::make_shared<std::vector<W>>(run.copies(bytes), weight);
  const auto turn = std::make_shared<std::size_t>(0);
  return {[=](halfstep::MatrixF& y) { product((*copies)[(*turn)++ % copies->size()], y); }, bytes};
}

/// What a thread pool and scratch memory of one product are.
struct MatmulContext {
  explicit MatmulContext(const MatmulRun& run) : pool(run.threads) {
    if (run.threads > 1) options.executor = pool;
  }
  halfstep::ThreadPool pool;
  halfstep::Workspace workspace;
  halfstep::MatmulOptions options;
};

inline std::optional<ReadyProduct> packed_product(const halfstep::PackedMatrix& weight,
                                                  const ActivationCase& activation, const MatmulOperands& data,
                                                  const MatmulRun& run) {
  const auto context = std::make_shared<MatmulContext>(run);
  const halfstep::Activation rule = activation.rule(data.x);
  if (activation.timed) {
    if (weight.needs_floats() && !rule.may_keep_floats()) return {};
    context->options.activation = rule;
    return in_turn(weight, run, [context, &data](const halfstep::PackedMatrix& w, halfstep::MatrixF& y) {
      halfstep::matmul_into(data.x, w, halfstep::mutable_view(y), context->workspace, context->options);
    });
  }
  if (weight.needs_floats() || !rule.fits_blocks(weight.layout())) return {};
  const auto encoded = std::make_shared<halfstep::EncodedMatrix>(halfstep::encode(data.x, rule, weight.layout().group));
  return in_turn(weight, run, [context, encoded](const halfstep::PackedMatrix& w, halfstep::MatrixF& y) {
    halfstep::matmul_into(*encoded, w, halfstep::mutable_view(y), context->workspace, context->options);
  });
}

template <class Q>
WeightCase packed_case(std::string name, const halfstep::Tiling& tiling = halfstep::per_row(),
                       halfstep::Symmetry symmetry = halfstep::Symmetry::affine) {
  return {std::move(name), [=](const ActivationCase& activation, const MatmulOperands& data, const MatmulRun& run) {
            const auto weight = halfstep::pack(halfstep::quantize<Q>(data.w, {.tiling = tiling, .symmetry = symmetry}));
            return packed_product(weight, activation, data, run);
          }};
}

template <class F>
WeightCase packed_blocks_case(std::string name) {
  return {std::move(name), [](const ActivationCase& activation, const MatmulOperands& data, const MatmulRun& run) {
            return packed_product(halfstep::pack(halfstep::quantize_blocks<F>(data.w)), activation, data, run);
          }};
}

/// A weight in `Stages` codebooks of 8-bit words: `f32w` by tables, all else from the codes as planes.
template <int Dim, int Words, int Stages>
WeightCase vector_case(std::string name) {
  using Book = halfstep::Int8Codebook<Dim, Words>;
  return {std::move(name),
          [](const ActivationCase& activation, const MatmulOperands& data,
             const MatmulRun& run) -> std::optional<ReadyProduct> {
            if (activation.name != "u8" && activation.name != "f32" && activation.name != "f32w") return {};
            const halfstep::MatrixF sample = data.w.topRows(std::min<halfstep::Index>(16, data.w.rows()));
            const auto first = halfstep::k_means<Dim, Words>(sample, {.iterations = 5}).codebook;
            auto second = first;  // what a stage leaves over is about that much smaller
            for (float& value : second.values) value *= 0.3f;
            const auto stages = halfstep::to_int8_stages<Dim, Words>({first}, {second});
            std::vector<std::vector<Book>> books{stages.first, stages.second};
            books.resize(Stages);
            const auto weight = halfstep::quantize_residual<Book>(data.w, books);
            const auto context = std::make_shared<MatmulContext>(run);
            using Weight = halfstep::ResidualMatrix<Book>;
            if (activation.name == "f32w") {
              return in_turn(weight, run, [context, &data](const Weight& w, halfstep::MatrixF& y) {
                y = halfstep::table_matmul(data.x, w, {}, context->options.executor);
              });
            }
            if (activation.timed) {
              return in_turn(weight, run, [context, &data](const Weight& w, halfstep::MatrixF& y) {
                y = halfstep::vector_matmul(data.x, w, context->options);
              });
            }
            const auto encoded =
                std::make_shared<halfstep::EncodedMatrix>(halfstep::encode(data.x, activation.rule(data.x)));
            return in_turn(weight, run, [context, encoded](const Weight& w, halfstep::MatrixF& y) {
              y = halfstep::vector_matmul(*encoded, w, context->options);
            });
          }};
}

/// 8-bit weights under activations whose outlier columns stay float; splitting is part of what is timed.
inline WeightCase split_case(std::string name) {
  return {std::move(name),
          [](const ActivationCase& activation, const MatmulOperands& data,
             const MatmulRun& run) -> std::optional<ReadyProduct> {
            if (activation.name != "f32") return {};
            const auto weight = halfstep::pack(halfstep::quantize<halfstep::Absmax<8>>(
                data.w, {.tiling = halfstep::per_row(), .symmetry = halfstep::Symmetry::symmetric}));
            const auto context = std::make_shared<MatmulContext>(run);
            return in_turn(weight, run, [context, &data](const halfstep::PackedMatrix& w, halfstep::MatrixF& y) {
              const halfstep::SplitMatrix x = halfstep::split(data.x, {.threshold = 20});
              halfstep::split_matmul_into(x, w, halfstep::mutable_view(y), context->workspace,
                                          {.executor = context->options.executor});
            });
          }};
}

/// Signs with signs, by xor and counts. Its activations have no other name than `bin`.
inline ReadyProduct sign_product(const MatmulOperands& data, const MatmulRun& run) {
  const auto weight =
      halfstep::pack(halfstep::signs_of(halfstep::quantize<halfstep::Binary>(data.w, {.tiling = halfstep::per_row()})));
  const auto context = std::make_shared<MatmulContext>(run);
  const auto encoded = std::make_shared<halfstep::SignMatrix>(
      halfstep::encode_signs(data.x, halfstep::Binary{data.x.cwiseAbs().mean(), 0.0f}));
  return in_turn(weight, run, [context, encoded](const halfstep::PackedSigns& w, halfstep::MatrixF& y) {
    halfstep::sign_matmul_into(*encoded, w, halfstep::mutable_view(y), {.executor = context->options.executor});
  });
}

/// The product of another library, under the same conditions.
inline ReadyProduct peer_product(const Peer& peer, const MatmulOperands& data, const MatmulRun& run) {
  const double bytes = peer.bytes_per_weight * static_cast<double>(data.w.size());
  const auto weights = std::make_shared<std::vector<halfstep::MatrixF>>(run.copies(bytes) - 1, data.w);
  const auto products = std::make_shared<std::vector<std::function<void(halfstep::MatrixF&)>>>();
  products->push_back(peer.prepare(data.x, data.w));
  for (const halfstep::MatrixF& w : *weights) products->push_back(peer.prepare(data.x, w));
  const auto turn = std::make_shared<std::size_t>(0);
  return {[=](halfstep::MatrixF& y) {
            static_cast<void>(weights);
            (*products)[(*turn)++ % products->size()](y);
          },
          bytes};
}

/// A name that ends in `_g128` or `_g32` has a scale for that many inputs; others have one per row, or are blocks.
inline std::vector<WeightCase> weight_cases() {
  using namespace halfstep;  // NOLINT(google-build-using-namespace): a list of its types
  return {packed_case<Uniform<8>>("s8", per_row(), Symmetry::symmetric),
          packed_case<Uniform<8>>("s8_g128", per_group(128), Symmetry::symmetric),
          packed_case<Uniform<4>>("int4"),
          packed_case<Uniform<4>>("int4_g128", per_group(128)),
          packed_case<Uniform<4>>("int4_g32", per_group(32)),
          packed_case<Uniform<3>>("int3"),
          packed_case<Uniform<3>>("int3_g128", per_group(128)),
          packed_case<Uniform<2>>("int2"),
          packed_case<Uniform<2>>("int2_g32", per_group(32)),
          packed_case<Fp4E2M1>("fp4"),
          packed_case<Fp4E2M1>("fp4_g128", per_group(128)),
          packed_case<Fp4E2M1>("fp4_g32", per_group(32)),
          packed_case<Fp6E2M3>("fp6"),
          packed_case<Fp8E4M3>("fp8"),
          packed_case<NormalFloat4>("nf4"),
          packed_case<NormalFloat4>("nf4_g128", per_group(128)),
          packed_case<NormalFloat4>("nf4_g32", per_group(32)),
          packed_blocks_case<MXFP4>("mxfp4"),
          packed_blocks_case<MXFP6E2M3>("mxfp6"),
          packed_blocks_case<MXFP8E4M3>("mxfp8"),
          packed_blocks_case<NVFP4>("nvfp4"),
          packed_case<Ternary>("ternary"),
          packed_case<Binary>("bin"),
          vector_case<2, 16, 1>("vq2"),
          vector_case<4, 256, 1>("vq4"),
          vector_case<8, 256, 1>("vq8"),
          vector_case<8, 256, 2>("vq8x2"),
          split_case("s8out")};
}

}  // namespace halfstep_bench
