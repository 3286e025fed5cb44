// One line: a checksum of everything that the library promises to be the same for every compiler, optimization, set of
// flags and instruction set. checksum.sh compares it over builds, so this file is kept small: it compiles often.
//
// Within one run it also checks what must not show: threads, the position in an array (a vector and its tail), the rows
// around. Prints the line, or what differs.

#include <bit>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <string>
#include <vector>

#include "halfstep/calibrators/range/mse_range.hpp"
#include "halfstep/calibrators/transform/rotate.hpp"
#include "halfstep/core/random.hpp"
#include "halfstep/core/thread_pool.hpp"
#include "halfstep/kernels/matmul.hpp"
#include "halfstep/kernels/pack.hpp"
#include "halfstep/kernels/quantize.hpp"
#include "halfstep/kernels/softmax.hpp"
#include "halfstep/quantizers/adalog.hpp"
#include "halfstep/quantizers/log2.hpp"
#include "halfstep/quantizers/minifloat.hpp"
#include "halfstep/quantizers/tanq.hpp"
#include "halfstep/quantizers/uniform.hpp"

namespace hs = halfstep;

namespace {

std::uint64_t checksum = 0xcbf29ce484222325u;
int differences = 0;

/// Says what differs, the first time that anything does.
void report(const char* what) {
  if (differences++ == 0) std::printf("%s; ", what);
}
void add(std::uint64_t bits, int bytes) {
  for (int i = 0; i < bytes; ++i, bits >>= 8) checksum = (checksum ^ (bits & 255)) * 0x100000001b3u;
}
/// By bits, but for NaN, whose payload processors choose.
std::uint32_t bits_of(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  return (bits & 0x7fffffffu) > 0x7f800000u ? 0x7fc00000u : bits;
}
void add(const hs::MatrixF& m) {
  for (hs::Index i = 0; i < m.size(); ++i) add(bits_of(m.data()[i]), 4);
}
void require_same(const hs::MatrixF& a, const hs::MatrixF& b, const char* what) {
  bool same = a.rows() == b.rows() && a.cols() == b.cols();
  for (hs::Index i = 0; same && i < a.size(); ++i) same = bits_of(a.data()[i]) == bits_of(b.data()[i]);
  if (same) return;
  report(what);
}

hs::MatrixF matrix(hs::Index rows, hs::Index cols, std::uint64_t seed) {
  hs::MatrixF m(rows, cols);
  const hs::Random random(seed);
  for (hs::Index i = 0; i < m.size(); ++i) m.data()[i] = random.normal(static_cast<std::uint64_t>(i));
  return m;
}

/// Odd values, values of every exponent, and those between two codes, where rounding turns.
template <class Q>
std::vector<float> inputs(const Q& q) {
  const float infinity = std::numeric_limits<float>::infinity();
  std::vector<float> xs{
      0.0f, -0.0f, 1e-45f, -1e-45f, 1e38f, -1e38f, infinity, -infinity, std::bit_cast<float>(0x7fc00000)};
  const hs::Random random(5);
  for (std::uint64_t i = 0; i < 200; ++i)
    xs.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(random.bits(i))));
  for (std::uint64_t i = 200; i < 400; ++i) xs.push_back(random.normal(i));
  for (int code = 1; code < hs::level_count<Q>; ++code) {
    const float below = hs::simd::pinned(q.decode(std::int32_t{code - 1}));
    const float above = hs::simd::pinned(q.decode(std::int32_t{code}));
    const auto middle = std::bit_cast<std::uint32_t>((below + above) * 0.5f);
    for (std::uint32_t near_it : {middle - 1, middle, middle + 1}) xs.push_back(std::bit_cast<float>(near_it));
  }
  return xs;
}

/// Codes and what they stand for, from every position of a vector and from its tail.
template <class Q>
void add_codes(const Q& q) {
  const std::vector<float> xs = inputs(q);
  const auto n = static_cast<hs::Index>(xs.size());
  std::vector<std::uint8_t> codes(xs.size()), again(xs.size());
  std::vector<float> values(xs.size());
  hs::encode_row(q, xs.data(), n, codes.data());
  hs::decode_row(q, codes.data(), n, values.data());
  for (hs::Index offset : {1, 3, 7, 15, 16, 31}) {
    hs::encode_row(q, xs.data() + offset, n - offset, again.data() + offset);
    for (hs::Index i = offset; i < n; ++i) {
      const auto at = static_cast<std::size_t>(i);
      if (again[at] != codes[at]) report("the position of a value shows in its code");
    }
  }
  for (std::size_t i = 0; i < xs.size(); ++i) {
    if (q.encode(xs[i]) != codes[i]) report("a scalar has another code than a lane");
    add(codes[i], 1);
    add(bits_of(values[i]), 4);
  }
}

/// Products of weights of Q with activations of Q and of 8 bits fitted to each row.
template <class Q>
void add_products(hs::ExecutorRef threads) {
  const hs::MatrixF w = matrix(37, 83, 6), x = matrix(9, 83, 7);
  const hs::Activation own = hs::fit<Q>({-1.25f, 1.875f, 0.5f}, hs::Symmetry::affine);
  for (const hs::Tiling& tiling : {hs::per_row(), hs::per_group(19), hs::per_group(32)}) {
    const auto quantized = hs::quantize<Q>(w, {.tiling = tiling});
    add(hs::dequantize(quantized));
    const hs::PackedMatrix packed = hs::pack(quantized, threads);
    for (const hs::Activation& rule : {hs::Activation(), own}) {
      const hs::MatrixF y = hs::matmul(x, packed, {.activation = rule, .epilogue = hs::Gelu{}});
      require_same(hs::matmul(x, packed, {.activation = rule, .epilogue = hs::Gelu{}, .executor = threads}), y,
                   "the number of threads shows");
      require_same(hs::matmul(x.row(4), packed, {.activation = rule, .epilogue = hs::Gelu{}}), y.row(4),
                   "other rows show");
      add(y);
    }
  }
}

template <class... Qs>
void add_all(hs::ExecutorRef threads) {
  for (const hs::Symmetry symmetry : {hs::Symmetry::affine, hs::Symmetry::symmetric}) {
    (add_codes(hs::fit<Qs>({-1.25f, 1.875f, 0.5f}, symmetry)), ...);
  }
  (add_products<Qs>(threads), ...);
}

}  // namespace

int main() {
  hs::ThreadPool pool(3);
  add_all<hs::Uniform<3>, hs::Uniform<8>, hs::Log2<4>, hs::AdaLog<4>, hs::TanQ<4>, hs::Float<2, 1>>(pool);
  hs::MatrixF scores = matrix(5, 77, 8);
  hs::softmax(hs::mutable_view(scores), 0.3f);
  add(scores);
  const auto searched = hs::mse_range<hs::Uniform<4>>(matrix(50, 50, 9), {});
  add(bits_of(searched.scale), 4);
  for (const hs::Index size : {128, 24, 160, 172}) {  // bases of order 1, 12, 40, and a random one of 43
    const hs::MatrixF rotated = hs::apply(hs::hadamard_rotation(size), matrix(90, size, 10));
    require_same(hs::apply(hs::hadamard_rotation(size), matrix(90, size, 10), pool), rotated,
                 "the number of threads shows in a rotation");
    add(rotated);
  }
  std::printf("halfstep checksum %016llx\n", static_cast<unsigned long long>(checksum));
  return differences == 0 ? 0 : 1;
}
