// What a user's program does first: quantize, pack, multiply, and look at what came out.
#include <halfstep/halfstep.hpp>

#if defined(CONSUMER_HAS_VARIANTS)
#include <halfstep/kernels/dispatch.hpp>
#endif

#include <iostream>

namespace hs = halfstep;

float other_unit(const hs::MatrixF& x, const hs::MatrixF& w);

int main() {
  hs::MatrixF w(48, 64), x(5, 64);
  const hs::Random random(1);
  for (hs::Index i = 0; i < w.size(); ++i) w.data()[i] = random.normal(static_cast<std::uint64_t>(i));
  for (hs::Index i = 0; i < x.size(); ++i) x.data()[i] = random.normal(static_cast<std::uint64_t>(100000 + i));

  const auto q = hs::quantize<hs::Uniform<8>>(w, {.tiling = hs::per_group(32)});
  const hs::PackedMatrix p = hs::pack(q);
  const hs::MatrixF y = hs::matmul(x, p);
  const hs::ErrorStats e = hs::compare(hs::MatrixF(x * w.transpose()), y);
  std::cout << "consumer: " << p.bits_per_weight() << " bits per weight, " << e.sqnr_db() << " dB\n";
  if (!(e.sqnr_db() > 30)) return 1;

  try {
    static_cast<void>(hs::matmul(hs::MatrixF(5, 63), p));
    return 2;
  } catch (const hs::Error&) {
  }
#if defined(CONSUMER_HAS_VARIANTS)
  std::cout << "consumer: kernels for " << hs::use_best_kernels().isa << "\n";
  if (hs::matmul(x, p) != y || hs::linked_kernels().size() != 2) return 4;
#endif
#if defined(CONSUMER_HAS_OTHER_UNIT)
  if (other_unit(x, w) != y(4, 47)) return 3;
#endif
  return 0;
}
