/// Lesson 2: parameters for activations that are known only through samples.

#include <halfstep/halfstep.hpp>

#include <iostream>

namespace hs = halfstep;

namespace {

/// A batch of activations [64, 256]: mostly small numbers, now and then a large one.
hs::MatrixF batch(std::uint64_t number) {
  hs::MatrixF x(64, 256);
  const hs::Random random(11, number);
  for (hs::Index i = 0; i < x.size(); ++i) {
    const auto at = static_cast<std::uint64_t>(i);
    x.data()[i] = random.normal(at) * (random.uniform(1'000'000 + at) < 0.001f ? 12.0f : 1.0f);
  }
  return x;
}

double mean_squared_error(const hs::Uniform<4>& q, const hs::MatrixF& x) {
  return hs::compare(x, hs::fake_quantize(x, q)).mse();
}

}  // namespace

int main() {
  if (const char* lack = hs::simd::missing_compiled_feature()) return std::cerr << "this CPU lacks " << lack << "\n", 2;

  // [snippet calibrate]
  hs::Histogram seen(hs::per_tensor());
  for (std::uint64_t i = 0; i < 16; ++i) seen.observe(batch(i));  // threads: one histogram each, then seen.merge(other)
  const auto act = hs::mse_range<hs::Uniform<4>>(seen);           // a quantizer
  // [end calibrate]

  const hs::MatrixF fresh = batch(99);
  const auto min_max = hs::Uniform<4>::fit(seen.range());
  std::cout << "min-max: step " << min_max.scale << ", error " << mean_squared_error(min_max, fresh) << "\n"
            << "least squared error: step " << act.scale << ", error " << mean_squared_error(act, fresh) << "\n";
  return mean_squared_error(act, fresh) < mean_squared_error(min_max, fresh) ? 0 : 1;
}
