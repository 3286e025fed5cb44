/// Lesson 3: products in a program that runs for long: static activations, an epilogue, a thread pool, no allocation.

#include <halfstep/halfstep.hpp>

#include <iostream>

namespace hs = halfstep;

int main() {
  if (const char* lack = hs::simd::missing_compiled_feature()) return std::cerr << "this CPU lacks " << lack << "\n", 2;

  hs::MatrixF w(512, 384), x(64, 384);
  std::vector<float> bias(512, 0.1f);
  const hs::Random random(3);
  for (hs::Index i = 0; i < w.size(); ++i) w.data()[i] = 0.05f * random.normal(static_cast<std::uint64_t>(i));
  for (hs::Index i = 0; i < x.size(); ++i) x.data()[i] = random.normal(static_cast<std::uint64_t>(1'000'000 + i));

  const hs::PackedMatrix p = hs::pack(hs::quantize<hs::Uniform<8>>(w, {.tiling = hs::per_row()}));
  const auto act = hs::Uniform<8>::fit({-4, 4, 0});  // chosen once, from calibration; any quantizer is an activation

  // [snippet matmul_into]
  hs::ThreadPool pool(2);
  hs::Workspace workspace;  // grows in the first call; later calls of this size allocate nothing
  hs::MatrixF y(x.rows(), w.rows());
  const hs::MatmulOptions options{.activation = act, .bias = bias, .epilogue = hs::Gelu{}, .executor = pool};
  hs::matmul_into(x, p, hs::mutable_view(y), workspace, options);
  // [end matmul_into]

  // A row's result depends on nothing but that row: neither on the other rows nor on the number of threads.
  const hs::MatrixF alone = hs::matmul(x.row(5), p, {.activation = act, .bias = bias, .epilogue = hs::Gelu{}});
  const bool same = alone.row(0) == y.row(5);
  std::cout << "row 5 alone and among 64 rows: " << (same ? "the same bits" : "different") << "\n";
  return same ? 0 : 1;
}
