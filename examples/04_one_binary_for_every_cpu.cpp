/// Lesson 4: one binary for every CPU. This file is compiled for the baseline; CMake's `halfstep_add_isa_variants` adds
/// the kernels of each instruction set, and the program picks among them when it starts. HALFSTEP_ISA forces a lower
/// one: `HALFSTEP_ISA=avx2 ./04_one_binary_for_every_cpu`.

#include <halfstep/halfstep.hpp>
#include <halfstep/kernels/dispatch.hpp>

#include <iostream>

namespace hs = halfstep;

int main() {
  if (const char* lack = hs::simd::missing_compiled_feature()) return std::cerr << "this CPU lacks " << lack << "\n", 2;

  // [snippet choose]
  try {
    const hs::KernelTable& used = hs::use_best_kernels();  // asks processor and operating system, and HALFSTEP_ISA
    std::cout << "built in: " << hs::names_of(hs::linked_kernels()) << "; in use: " << used.isa << "\n";
  } catch (const hs::Error& error) {
    std::cerr << error.what() << "\n";
    return 2;
  }
  // [end choose]

  hs::MatrixF w(100, 300), x(9, 300);
  const hs::Random random(4);
  for (hs::Index i = 0; i < w.size(); ++i) w.data()[i] = random.normal(static_cast<std::uint64_t>(i));
  for (hs::Index i = 0; i < x.size(); ++i) x.data()[i] = random.normal(static_cast<std::uint64_t>(1'000'000 + i));
  const hs::PackedMatrix p = hs::pack(hs::quantize<hs::Uniform<4>>(w, {.tiling = hs::per_group(64)}));

  // Whatever was picked, the result has the bits of every other instruction set.
  const hs::MatrixF y = hs::matmul(x, p);
  for (const hs::KernelTable* table : hs::linked_kernels()) {
    if (!hs::simd::cpu_supports(table->isa)) continue;
    if (hs::matmul(x, p, {.tile = table->tile}) != y) return 1;
    std::cout << table->isa << " gives the same bits, kernel " << table->tile->name << "\n";
  }
  return 0;
}
