/// Lesson 1: quantize a weight to 4 bits, multiply with the codes, and look at what it cost.

#include <halfstep/halfstep.hpp>

#include <iostream>

namespace hs = halfstep;

int main() {
  // Compiled for a newer CPU than this one, the rest would end in an illegal instruction: ask before anything else.
  if (const char* lack = hs::simd::missing_compiled_feature()) return std::cerr << "this CPU lacks " << lack << "\n", 2;

  // A weight [out_features, in_features] and activations [tokens, in_features], row-major as everywhere in the library.
  hs::MatrixF w(256, 512), x(3, 512);
  const hs::Random random(7);
  for (hs::Index i = 0; i < w.size(); ++i) w.data()[i] = 0.05f * random.normal(static_cast<std::uint64_t>(i));
  for (hs::Index i = 0; i < x.size(); ++i) x.data()[i] = random.normal(static_cast<std::uint64_t>(1'000'000 + i));

  // [snippet five_lines]
  auto q = hs::quantize<hs::Uniform<4>>(w, {.tiling = hs::per_group(128)});  // codes + one quantizer per 128 inputs
  auto p = hs::pack(q);                                                      // the order that kernels read, done once
  hs::MatrixF y = hs::matmul(x, p);                                          // x is quantized per token on the way in
  hs::ErrorStats e = hs::compare(w, hs::dequantize(q));                      // look before you trust
  std::cout << p.bits_per_weight() << " bits per weight, " << e.sqnr_db() << " dB\n";
  // [end five_lines]

  // One element by hand: its code, its quantizer, and the value that both stand for.
  const hs::Uniform<4> granule = q.quantizer_at(0, 0);
  std::cout << "w(0, 0) = " << w(0, 0) << " has code " << int{q.code(0, 0)} << ": " << granule.scale << " * ("
            << int{q.code(0, 0)} << " - " << granule.zero_point << ") = " << q.value(0, 0) << "\n";

  // The product computed from the codes against the same product in floats.
  double largest = 0;
  for (hs::Index m = 0; m < x.rows(); ++m) {
    for (hs::Index n = 0; n < w.rows(); ++n) {
      double exact = 0;
      for (hs::Index k = 0; k < w.cols(); ++k) exact += static_cast<double>(x(m, k)) * static_cast<double>(w(n, k));
      largest = std::max(largest, std::abs(exact - static_cast<double>(y(m, n))));
    }
  }
  std::cout << "largest difference of an output: " << largest << " (outputs have a deviation of about "
            << 0.05 * std::sqrt(512.0) << ")\n";
  return largest < 1.0 ? 0 : 1;
}
