// The calls that users write, as they write them: what is promised of the interface compiles, runs and gives what it
// should. Details are tested beside each header.

#include <cmath>
#include <thread>
#include <vector>

#include "halfstep/halfstep.hpp"
#include "halfstep/layers/eigen_product.hpp"
#include "halfstep/layers/float_engine.hpp"
#include "halfstep/models/vit.hpp"
#include "halfstep/recipes/nearest.hpp"
#include "support/catch.hpp"
#include "support/random_layers.hpp"
#include "support/temporary_directory.hpp"
#include "support/vit_checkpoint.hpp"

namespace hs = halfstep;

namespace {

hs::MatrixF normal_matrix(hs::Index rows, hs::Index cols, std::uint64_t seed) {
  hs::MatrixF x(rows, cols);
  const hs::Random random(seed);
  for (hs::Index i = 0; i < x.size(); ++i) x.data()[i] = random.normal(static_cast<std::uint64_t>(i));
  return x;
}

double sqnr_of_product(const hs::MatrixF& x, const hs::MatrixF& w, const hs::MatrixF& y) {
  hs::MatrixF exact(x.rows(), w.rows());
  for (hs::Index m = 0; m < x.rows(); ++m) {
    for (hs::Index n = 0; n < w.rows(); ++n) {
      double sum = 0;
      for (hs::Index k = 0; k < w.cols(); ++k) sum += static_cast<double>(x(m, k)) * static_cast<double>(w(n, k));
      exact(m, n) = static_cast<float>(sum);
    }
  }
  return hs::compare(exact, y).sqnr_db();
}

}  // namespace

TEST_CASE("a weight is quantized, packed and multiplied in five lines", "[api]") {
  const hs::MatrixF w = normal_matrix(48, 256, 1), x = normal_matrix(5, 256, 2);
  auto q = hs::quantize<hs::Uniform<4>>(w, {.tiling = hs::per_group(128)});
  auto p = hs::pack(q);
  hs::MatrixF y = hs::matmul(x, p);
  hs::ErrorStats e = hs::compare(w, hs::dequantize(q));

  hs::Workspace workspace;
  hs::MatrixF again(5, 48);
  hs::matmul_into(x, p, again, workspace);
  CHECK(again == y);
  // Normal data on 16 levels over its own range: the step is near 5.4 / 15 sigma, its noise a twelfth of its square.
  CHECK(e.sqnr_db() > 17);
  CHECK(std::fabs(sqnr_of_product(x, w, y) - e.sqnr_db()) < 3);
  CHECK(p.bits_per_weight() < 5);
}

TEST_CASE("activations are calibrated over batches, on several threads", "[api]") {
  const std::vector<hs::MatrixF> batches{normal_matrix(32, 64, 3), normal_matrix(32, 64, 4)};
  hs::Histogram seen(hs::per_tensor()), other(hs::per_tensor());
  std::thread thread([&] { other.observe(batches[1]); });
  seen.observe(batches[0]);
  thread.join();
  seen.merge(other);
  hs::Histogram both(hs::per_tensor());
  for (const auto& batch : batches) both.observe(batch);
  const auto act = hs::mse_range<hs::Uniform<8>>(seen);
  CHECK(act == hs::mse_range<hs::Uniform<8>>(both));

  const hs::MatrixF w = normal_matrix(40, 64, 5);
  const auto p = hs::pack(hs::quantize<hs::Uniform<8>>(w, {.tiling = hs::per_row()}));
  const std::vector<float> b(40, 0.25f);
  const hs::MatrixF y = hs::matmul(batches[0], p, {.activation = act, .bias = b, .epilogue = hs::Gelu{}});
  CHECK(y.minCoeff() > -0.171f);  // the least value of GELU is -0.16997
}

TEST_CASE("outliers move from activations into weights, and are turned away", "[api]") {
  hs::MatrixF x = normal_matrix(40, 48, 9);
  x.col(7) *= 30;
  hs::MatrixF w_q = normal_matrix(24, 48, 10), w_k = normal_matrix(24, 48, 11);
  const hs::MatrixF old_q = w_q;
  std::vector<float> gain(48, 1.0f), beta(48), b_q, b_k;
  hs::MinMax seen(hs::per_column());
  seen.observe(x);
  const hs::NormView norm{hs::NormKind::layer_norm, gain, beta};
  const hs::LinearView q{hs::mutable_view(w_q), b_q}, k{hs::mutable_view(w_k), b_k};
  // [snippet transforms]
  auto t = hs::smooth_quant(hs::channel_absmax(seen.ranges()), {w_q, w_k}, {.alpha = 0.5f});
  hs::fold(t, norm, {q, k});  // the norm makes x / scale, both weights are times scale

  auto r = hs::hadamard_rotation(48);                  // any size
  hs::fold(r, {}, {q, k});                             // both weights read rotated activations
  hs::MatrixF turned = hs::apply(r, hs::apply(t, x));  // and here they are
  // [end transforms]
  CHECK(gain[7] < 0.5f);
  CHECK(turned.cwiseAbs().maxCoeff() < x.cwiseAbs().maxCoeff() / 5);
  hs::MatrixF exact(40, 24), now(40, 24);
  hs::eigen_product(hs::view(x), hs::view(old_q), hs::mutable_view(exact));
  hs::eigen_product(hs::view(turned), hs::view(w_q), hs::mutable_view(now));
  CHECK(hs::compare(exact, now).sqnr_db() > 110);  // 24 bits, a few roundings of each of 48 terms

  const auto as8 = [](const hs::MatrixF& m, const hs::MatrixF& w) {
    return hs::matmul(m, hs::pack(hs::quantize<hs::Uniform<8>>(w, {.tiling = hs::per_row()})));
  };
  CHECK(sqnr_of_product(x, old_q, as8(turned, w_q)) > sqnr_of_product(x, old_q, as8(x, old_q)) + 3);
}

TEST_CASE("GPTQ rounds a weight for the inputs that it meets", "[api]") {
  const hs::MatrixF w = normal_matrix(40, 256, 30);
  const std::vector<hs::MatrixF> batches{normal_matrix(300, 256, 31), normal_matrix(300, 256, 32)};
  const bool stop_requested = false;
  // [snippet gptq]
  hs::HessianAccumulator h(w.cols());
  for (const auto& batch : batches) h.add(batch);
  auto [q3, report] = hs::gptq<hs::Uniform<3>>(
      w, h, {.group_size = 128, .act_order = true, .progress = [&](const hs::Progress&) { return !stop_requested; }});
  // [end gptq]
  CHECK(report.is_complete);
  CHECK(report.rung == hs::DampingRung::first);
  CHECK(report.rank == 256);
  const auto nearest = hs::quantize<hs::Uniform<3>>(w, {.tiling = hs::per_group(128)});
  const auto error = [&](const auto& q) {
    const hs::MatrixF dw = w - hs::dequantize(q);
    double sum = 0;
    for (const auto& batch : batches) sum += static_cast<double>((batch * dw.transpose()).squaredNorm());
    return sum;
  };
  CHECK(error(q3) < 0.8 * error(nearest));
  CHECK(hs::matmul(batches[0], hs::pack(q3)).rows() == 300);
}

TEST_CASE("attention multiplies codes with codes", "[api]") {
  hs::MatrixF probabilities = normal_matrix(16, 16, 6), v = normal_matrix(16, 24, 7);
  hs::softmax(hs::mutable_view(probabilities));
  const auto a = hs::Uniform<8>::fit({0, probabilities.maxCoeff(), 0});
  const hs::MatrixF o =
      hs::matmul(hs::encode(probabilities, a), hs::pack(hs::quantize<hs::Uniform<8>>(hs::transposed(v))));
  CHECK(sqnr_of_product(probabilities, v.transpose(), o) > 30);
}

TEST_CASE("an input is quantized by what its layer loses", "[api]") {
  const hs::MatrixF x = normal_matrix(64, 48, 11), w = normal_matrix(24, 48, 12);
  hs::MinMax seen;
  seen.observe(x);
  // [snippet output_search]
  const std::vector<hs::ObservedProduct> layer = {{.lhs = hs::view(x), .rhs = hs::view(w)}};
  const hs::Candidates<hs::Uniform<4>> candidates(hs::shrunk_candidates<hs::Uniform<4>>(seen.range()));
  const auto best = hs::output_search(layer, candidates, {.operand = hs::Operand::lhs});
  const hs::Uniform<4> input = best.choices[0].quantizer;  // least squared error of x w^T, never worse than min-max

  const auto both = hs::adalog_linear<4, 4>(layer[0]);  // input and weight in turns
  const auto weight = hs::quantize_with(w, both.rhs, {.tiling = hs::per_row()});
  // [end output_search]
  const auto error = [&](const hs::MatrixF& x_hat, const hs::MatrixF& w_hat) {
    return (x_hat * w_hat.transpose() - x * w.transpose()).squaredNorm();
  };
  CHECK(error(hs::fake_quantize(x, input), w) <= error(hs::fake_quantize(x, candidates.at(0, 0)), w) * 1.0001f);
  CHECK(error(hs::fake_quantize(x, both.lhs[0]), hs::dequantize(weight)) <
        error(hs::fake_quantize(x, candidates.at(0, 0)),
              hs::dequantize(hs::quantize<hs::Uniform<4>>(w, {.tiling = hs::per_row()}))));
}

TEST_CASE("attention on AdaLog codes, their base searched by what the product loses", "[api]") {
  hs::MatrixF probabilities = 4 * normal_matrix(16, 16, 6), v = normal_matrix(16, 24, 7);
  hs::softmax(hs::mutable_view(probabilities));
  auto a = hs::fpcs<hs::AdaLog<4>>(probabilities, v, {});
  hs::MatrixF o = hs::matmul(hs::encode(probabilities, a), hs::pack(hs::quantize<hs::Uniform<8>>(hs::transposed(v))));
  CHECK(hs::compare(hs::MatrixF(probabilities * v), o).sqnr_db() > 12);
}

TEST_CASE("a whole model is quantized by a recipe", "[api]") {
  const halfstep_tests::TemporaryDirectory directory;
  halfstep_tests::VitCheckpoint(halfstep_tests::VitSizes{}).write(directory.file("vit.safetensors"));
  const std::vector<std::uint8_t> pixels = halfstep_tests::random_pixels(32 * 3 * 8 * 12, 8);
  const hs::ImageView images{pixels.data(), 32, 3, 8, 12};

  auto vit = hs::load_vit(directory.file("vit.safetensors"));
  auto quantized = hs::recipes::nearest(vit, images, {.weight_bits = 8, .activation_bits = 8});
  hs::MatrixF logits = quantized.forward(images);  // integer engine

  hs::FloatEngine engine(hs::eigen_product);
  CHECK(hs::compare(vit.forward(images, engine), logits).sqnr_db() > 20);
}
