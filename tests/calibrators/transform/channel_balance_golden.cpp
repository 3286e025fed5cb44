// Agreement with golden/viditq.safetensors: codes and zero points exact; scales 1e-5 and outputs 1e-4 of the largest;
// of the codes after a rotation at most 0.1 % may differ by 1.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "halfstep/calibrators/range/fit_each.hpp"
#include "halfstep/calibrators/range/min_max.hpp"
#include "halfstep/calibrators/range/published_fits.hpp"
#include "halfstep/calibrators/range/running_average.hpp"
#include "halfstep/calibrators/transform/channel_balance.hpp"
#include "halfstep/calibrators/transform/fold.hpp"
#include "halfstep/calibrators/transform/fold_rotation.hpp"
#include "halfstep/calibrators/transform/layer_output_error.hpp"
#include "halfstep/kernels/quantize.hpp"
#include "support/catch.hpp"
#include "support/golden.hpp"
#include "support/transform_golden.hpp"
#include "support/with_bits.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

/// `matrix` under ViDiT-Q's rule, one scale per row.
template <int Bits>
QuantizedMatrix<Uniform<Bits>> quantized_rows(const MatrixF& matrix, Symmetry symmetry = Symmetry::affine) {
  MinMax seen(per_row());
  seen.observe(matrix);
  const auto quantizers = symmetry == Symmetry::affine
                              ? fit_each<Uniform<Bits>>(seen.ranges(), vidit_q_fit<Bits>)
                              : fit_each<Uniform<Bits>>(seen.ranges(), vidit_q_symmetric_fit<Bits>);
  return quantize_with(matrix, quantizers, {.tiling = per_row()});
}

/// How many codes differ from the tensor `name`, which stores them minus `offset`; none by more than 1.
template <class Quantized>
int different_codes(const Golden& g, const std::string& name, const Quantized& quantized, int offset = 0) {
  const auto codes = g.values<std::int32_t>(name);
  REQUIRE(static_cast<Index>(codes.size()) == quantized.rows() * quantized.cols());
  int different = 0;
  for (std::size_t i = 0; i < codes.size(); ++i) {
    const Index at = static_cast<Index>(i);
    const int code = quantized.code(at / quantized.cols(), at % quantized.cols());
    CHECK(std::abs(code - offset - codes[i]) <= 1);
    different += code - offset != codes[i] ? 1 : 0;
  }
  return different;
}

/// Scales, zero points and codes of rows against three tensors.
template <class Quantized>
void check_rows(const Golden& g, const std::string& delta, const std::string& zero, const std::string& codes,
                const Quantized& quantized, int offset = 0) {
  CAPTURE(codes);
  const auto zeros = g.values<std::int32_t>(zero);
  std::vector<float> scales;
  for (Index r = 0; r < quantized.rows(); ++r) {
    scales.push_back(quantized.quantizer(r).scale);
    CHECK(quantized.quantizer(r).zero_point - offset == zeros.at(static_cast<std::size_t>(r)));
  }
  CHECK(mismatches_with(g, delta, scales, of_largest(g, delta, 1e-5)) == 0);
  CHECK(different_codes(g, codes, quantized, offset) == 0);
}

/// `[batch, tokens, channels]` as one row per token position.
MatrixF by_position(const MatrixF& x, Index batch) {
  const Index tokens = x.rows() / batch, channels = x.cols();
  MatrixF rows(tokens, batch * channels);
  for (Index b = 0; b < batch; ++b) {
    for (Index t = 0; t < tokens; ++t) rows.row(t).segment(b * channels, channels) = x.row(b * tokens + t);
  }
  return rows;
}

/// The product of what codes stand for, with the bias of the case.
template <class X, class W>
MatrixF output(const Golden& g, const std::string& prefix, const X& x, const W& w) {
  MatrixF out = layer_output<double>(dequantize(x), dequantize(w)).template cast<float>();
  const std::vector<float> bias = g.values<float>(prefix + "b");
  for (Index r = 0; r < out.rows(); ++r) {
    for (Index o = 0; o < out.cols(); ++o) out(r, o) += bias[static_cast<std::size_t>(o)];
  }
  return out;
}

/// Codes and outputs of a layer under the transform of the first range, and with a rotation behind it.
template <int WeightBits, int ActivationBits>
void check_layer(const Golden& g, const std::string& prefix, const ShiftScale& t) {
  GoldenLayer layer{eigen_matrix(g, prefix + "W"), {}};
  fold(t, {layer.view()});
  const MatrixF x = apply(t, eigen_matrix(g, prefix + "x"));
  const auto qx = quantized_rows<ActivationBits>(x);
  const auto qw = quantized_rows<WeightBits>(layer.weight);
  check_rows(g, prefix + "dx", prefix + "zx", prefix + "qx", qx);
  check_rows(g, prefix + "dw", prefix + "zw", prefix + "qw", qw);
  CHECK(mismatches_with(g, prefix + "y", output(g, prefix, qx, qw), of_largest(g, prefix + "y", 1e-4)) == 0);

  const Rotation r = hadamard_rotation(x.cols());
  fold(r, {}, {layer.view()});
  const MatrixF rotated = apply(r, x);
  const auto rx = quantized_rows<ActivationBits>(rotated);
  const auto rw = quantized_rows<WeightBits>(layer.weight);
  const int off_x = different_codes(g, prefix + "rot.qx", rx), off_w = different_codes(g, prefix + "rot.qw", rw);
  CHECK(off_x <= 0.001 * static_cast<double>(x.size()));
  CHECK(off_w <= 0.001 * static_cast<double>(layer.weight.size()));
  // A code that differs moves its outputs by more than the tolerance.
  const std::vector<float> expected = g.values<float>(prefix + "rot.y");
  const MatrixF y = output(g, prefix, rx, rw);
  if (off_x + off_w == 0) {
    CHECK(mismatches(
              expected, [&](std::size_t i) { return y.data()[i]; }, of_largest(g, prefix + "rot.y", 1e-4)) == 0);
  }
}

}  // namespace

TEST_CASE("golden: viditq weights", "[golden]") {
  const Golden g("viditq");
  for (const char* kind : {"a", "s"}) {
    const bool is_symmetric = std::string(kind) == "s";
    for (const GoldenCase& c : g.cases(std::string("w*") + kind + ".W")) {
      with_bits(c.number(), [&](auto bits) {
        const auto q =
            quantized_rows<bits()>(eigen_matrix(g, c.name), is_symmetric ? Symmetry::symmetric : Symmetry::affine);
        check_rows(g, c.prefix + "delta", c.prefix + "zp", c.prefix + "codes", q, is_symmetric ? 1 << (bits() - 1) : 0);
        CHECK(mismatches_with(g, c.prefix + "deq", dequantize(q), of_largest(g, c.prefix + "deq", 1e-5)) == 0);
      });
    }
  }
}

TEST_CASE("golden: viditq activations per token, also a dead one", "[golden]") {
  const Golden g("viditq");
  for (const GoldenCase& c : g.cases("dyn*.*.x")) {
    const Index batch = g.shape(c.name).at(0);
    with_bits(c.number(1), [&](auto bits) {
      const MatrixF x = by_position(eigen_matrix(g, c.name), batch);
      const auto q = quantized_rows<bits()>(x);
      // Codes are stored in the order of x.
      const auto codes = g.values<std::int32_t>(c.prefix + "codes");
      const auto zeros = g.values<std::int32_t>(c.prefix + "zp");
      const Index channels = x.cols() / batch;
      for (Index t = 0; t < x.rows(); ++t) {
        CHECK(q.quantizer(t).zero_point == zeros.at(static_cast<std::size_t>(t)));
        for (Index k = 0; k < x.cols(); ++k) {
          const Index at = (k / channels * x.rows() + t) * channels + k % channels;
          CHECK(q.code(t, k) == codes.at(static_cast<std::size_t>(at)));
        }
      }
      std::vector<float> scales;
      for (Index t = 0; t < x.rows(); ++t) scales.push_back(q.quantizer(t).scale);
      CHECK(mismatches_with(g, c.prefix + "delta", scales, of_largest(g, c.prefix + "delta", 1e-5)) == 0);
    });
  }
  check_rows(g, "dead.delta", "dead.zp", "dead.codes", quantized_rows<8>(eigen_matrix(g, "dead.x")));
}

TEST_CASE("golden: viditq running range of a tensor", "[golden]") {
  const Golden g("viditq");
  const MatrixF x = eigen_matrix(g, "static.x");
  const std::vector<Index> shape = g.shape("static.x");
  RunningAverage average({.sigma = 0.05f});
  const Index rows = shape.at(1) * shape.at(2);
  for (Index i = 0; i < shape.at(0); ++i) average.observe(MatrixF(x.middleRows(i * rows, rows)));
  const Uniform<8> q = vidit_q_fit<8>(average.range());
  CHECK(q.scale == Approx(g.scalar<float>("static.delta")).epsilon(1e-5));
  CHECK(q.zero_point == g.scalar<std::int32_t>("static.zp"));
}

TEST_CASE("golden: viditq channel balancing and rotation", "[golden]") {
  const Golden g("viditq");
  for (const GoldenCase& c : g.cases("lin*.cfg")) {
    CAPTURE(c.prefix);
    const std::vector<float> cfg = g.values<float>(c.name);
    const MatrixF calib = eigen_matrix(g, c.prefix + "calib"), w = eigen_matrix(g, c.prefix + "W");
    const std::vector<Index> shape = g.shape(c.prefix + "calib");  // steps, samples, tokens, channels
    const auto steps = g.values<std::int32_t>(c.prefix + "calib_t");
    TimestepMaxima seen({.last_steps = {499}});
    const Index rows = shape.at(1) * shape.at(2);
    for (std::size_t i = 0; i < steps.size(); ++i) {
      seen.observe(calib.middleRows(static_cast<Index>(i) * rows, rows), shape.at(1), steps[i]);
    }
    std::vector<float> maxima;
    for (Index range = 0; range < seen.ranges(); ++range) {
      const std::vector<float> one = seen.maxima(range);
      maxima.insert(maxima.end(), one.begin(), one.end());
      const ShiftScale t = channel_balance(one, {w}, {.alpha = cfg.at(2), .inactive = InactiveChannel::published});
      const std::string name = c.prefix + "s" + std::to_string(range);
      CHECK(mismatches_with(g, name, t.scale, of_largest(g, name, 1e-5)) == 0);
      if (range > 0) continue;
      with_bits(static_cast<int>(cfg.at(0)), [&](auto wb) {
        with_bits(static_cast<int>(cfg.at(1)), [&](auto ab) { check_layer<wb(), ab()>(g, c.prefix, t); });
      });
    }
    CHECK(mismatches_with(g, c.prefix + "act_max", maxima, of_largest(g, c.prefix + "act_max", 1e-5)) == 0);
    const MatrixF x = eigen_matrix(g, c.prefix + "x");
    MatrixF y = layer_output<double>(x, w).cast<float>();
    const std::vector<float> bias = g.values<float>(c.prefix + "b");
    for (Index r = 0; r < y.rows(); ++r) {
      for (Index o = 0; o < y.cols(); ++o) y(r, o) += bias[static_cast<std::size_t>(o)];
    }
    CHECK(mismatches_with(g, c.prefix + "y_fp", y, of_largest(g, c.prefix + "y_fp", 1e-4)) == 0);
  }
}

TEST_CASE("golden: viditq is consumed", "[golden]") {
  Golden("viditq").require_all_consumed_at_end(
      {{"dead.*_released", "what one dead token does to a tensor under the published rule, which we do not follow"}});
}
