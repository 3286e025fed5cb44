/// Lesson 5: a quantizer of your own is a value type with `encode`, `decode` and `fit`. Packing, products, tests and
/// benchmarks take it from there.

#include <halfstep/halfstep.hpp>

#include <iostream>

namespace hs = halfstep;

// [snippet own_quantizer]
/// Levels 0, s, 4 s, 9 s, ...: finer near zero. For values that are never negative.
template <int Bits>
struct SquareLevels {
  static constexpr int bits = Bits;
  float scale = 1;

  friend bool operator==(const SquareLevels&, const SquareLevels&) = default;

  // Written once for a float and for a batch of floats.
  template <hs::simd::FloatLanes T>
  auto encode(T x) const {
    return hs::simd::round_clamp(hs::simd::sqrt(hs::simd::max(x / T(scale), 0.0f)), 0.0f, (1 << Bits) - 1.0f);
  }
  template <hs::simd::IntLanes C>
  auto decode(C code) const {
    const auto root = hs::simd::to_float(code);
    return root * root * scale;
  }
  static SquareLevels fit(hs::Range range) {
    constexpr float top = ((1 << Bits) - 1.0f) * ((1 << Bits) - 1.0f);
    return {hs::usable_scale(range.max / top)};
  }
};
static_assert(hs::ScalarQuantizer<SquareLevels<4>>);
// [end own_quantizer]

int main() {
  if (const char* lack = hs::simd::missing_compiled_feature()) return std::cerr << "this CPU lacks " << lack << "\n", 2;

  hs::MatrixF probabilities(16, 64), values(64, 32);
  const hs::Random random(5);
  for (hs::Index m = 0; m < probabilities.rows(); ++m) {
    float sum = 0;
    for (hs::Index k = 0; k < probabilities.cols(); ++k) {
      const auto at = static_cast<std::uint64_t>(m * probabilities.cols() + k);
      probabilities(m, k) = std::exp(2 * random.normal(at));
      sum += probabilities(m, k);
    }
    probabilities.row(m) /= sum;
  }
  for (hs::Index i = 0; i < values.size(); ++i)
    values.data()[i] = random.normal(static_cast<std::uint64_t>(1'000'000 + i));

  const hs::Range range{0, probabilities.maxCoeff(), probabilities.mean()};
  const auto square = SquareLevels<4>::fit(range);
  const auto uniform = hs::Uniform<4>::fit(range);
  const double own = hs::compare(probabilities, hs::fake_quantize(probabilities, square)).sqnr_db();
  const double even = hs::compare(probabilities, hs::fake_quantize(probabilities, uniform)).sqnr_db();
  std::cout << "softmax outputs in 4 bits: uniform " << even << " dB, square levels " << own << " dB\n";

  // Probabilities times values, from the codes: the values go in transposed, the token axis is the product's K.
  const auto packed = hs::pack(hs::quantize<hs::Uniform<8>>(hs::transposed(hs::view(values))));
  const hs::MatrixF output = hs::matmul(hs::encode(probabilities, square), packed);
  std::cout << "o(0, 0) = " << output(0, 0) << "\n";
  return own > even ? 0 : 1;
}
