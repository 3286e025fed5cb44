/// Lesson 6: round a weight for the inputs that it will meet (GPTQ), and see what that buys over rounding to nearest.

#include <halfstep/halfstep.hpp>

#include <iostream>

namespace hs = halfstep;

namespace {

/// Activations [tokens, 128] whose channels go together, as those of a real layer do: few causes, many channels.
hs::MatrixF activations(hs::Index tokens, std::uint64_t stream) {
  const hs::Random mixing(21), random(21, stream);
  hs::MatrixF causes(tokens, 24), mix(24, 128), noise(tokens, 128);
  for (hs::Index i = 0; i < mix.size(); ++i) mix.data()[i] = mixing.normal(static_cast<std::uint64_t>(i));
  for (hs::Index i = 0; i < causes.size(); ++i) causes.data()[i] = random.normal(static_cast<std::uint64_t>(i));
  for (hs::Index i = 0; i < noise.size(); ++i) {
    noise.data()[i] = 0.3f * random.normal(static_cast<std::uint64_t>(1'000'000 + i));
  }
  return causes * mix + noise;
}

/// Signal over noise of the layer's outputs on inputs that nothing was calibrated on.
double output_sqnr_db(const hs::MatrixF& x, const hs::MatrixF& w, const hs::MatrixF& rounded) {
  return hs::compare(hs::MatrixF(x * w.transpose()), hs::MatrixF(x * rounded.transpose())).sqnr_db();
}

}  // namespace

int main() {
  if (const char* lack = hs::simd::missing_compiled_feature()) return std::cerr << "this CPU lacks " << lack << "\n", 2;

  hs::MatrixF w(96, 128);
  const hs::Random random(22);
  for (hs::Index i = 0; i < w.size(); ++i) w.data()[i] = 0.05f * random.normal(static_cast<std::uint64_t>(i));

  // [snippet gptq]
  hs::HessianAccumulator hessian(w.cols());  // sum of x^T x: batch by batch, threads merge their own
  for (std::uint64_t batch = 0; batch < 8; ++batch) hessian.add(activations(64, batch));
  const auto rounded = hs::gptq<hs::Uniform<3>>(w, hessian, {.act_order = true});
  const hs::PackedMatrix packed = hs::pack(rounded.matrix);  // multiplied like any other weight
  // [end gptq]

  const auto nearest = hs::quantize<hs::Uniform<3>>(w, {.tiling = hs::per_row()});
  const hs::MatrixF fresh = activations(256, 99);
  const double before = output_sqnr_db(fresh, w, hs::dequantize(nearest));
  const double after = output_sqnr_db(fresh, w, hs::dequantize(rounded.matrix));
  std::cout << "outputs at 3 bits: nearest " << before << " dB, GPTQ " << after << " dB\n"
            << "the Hessian had rank " << rounded.report.rank << " of " << w.cols() << " and needed "
            << 100 * rounded.report.share << " % damping; " << packed.bits_per_weight() << " bits per weight\n";
  return after > before ? 0 : 1;
}
