// One unit of the link test, compiled several times with different flags: LINK_UNIT is its name, LINK_FLAGS says which.
// No matrix of Eigen's, whose memory units with different flags release in different ways (docs/isa.md).

#include "link/unit.hpp"

#include <cstdio>
#include <cstring>
#include <vector>

#include "halfstep/halfstep.hpp"
#include "halfstep/simd/isa.hpp"
#include "halfstep/simd/require_cpu.hpp"

namespace hs = halfstep;

namespace {

std::uint64_t add(std::uint64_t sum, const void* bytes, std::size_t count) {
  const auto* p = static_cast<const unsigned char*>(bytes);
  for (std::size_t i = 0; i < count; ++i) sum = (sum ^ p[i]) * 0x100000001b3u;
  return sum;
}

std::vector<float> numbers(hs::Index count, std::uint64_t seed) {
  std::vector<float> values(static_cast<std::size_t>(count));
  const hs::Random random(seed);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = random.normal(i);
  return values;
}

std::uint64_t checksum() {
  const hs::Index tokens = 7, out = 70, in = 150;
  const std::vector<float> x = numbers(tokens * in, 1), w = numbers(out * in, 2), bias = numbers(out, 3);
  std::vector<float> y(static_cast<std::size_t>(tokens * out));
  const hs::MatrixView<const float> weight(w.data(), out, in);
  hs::Workspace workspace;
  hs::ThreadPool pool(2);
  std::uint64_t sum = 0xcbf29ce484222325u;
  for (const hs::Tiling& tiling : {hs::per_row(), hs::per_group(32)}) {
    const hs::PackedMatrix packed = hs::pack(hs::quantize<hs::Uniform<4>>(weight, {.tiling = tiling}));
    hs::matmul_into(hs::MatrixView<const float>(x.data(), tokens, in), packed,
                    hs::MatrixView<float>(y.data(), tokens, out), workspace,
                    {.bias = bias, .epilogue = hs::Gelu{}, .executor = pool});
    sum = add(sum, y.data(), y.size() * sizeof(float));
  }
  return sum;
}

const char* message(char* buffer, int size) {
#if HALFSTEP_HAS_EXCEPTIONS
  hs::Workspace workspace;
  try {
    hs::matmul_into(hs::MatrixView<const float>(), hs::PackedMatrix(2, hs::KLayout(3, 0), hs::WeightStorage::bytes, 1),
                    hs::MatrixView<float>(), workspace);
  } catch (const hs::Error& error) {
    std::snprintf(buffer, static_cast<std::size_t>(size), "%s", error.what());
    return buffer;
  }
#endif
  static_cast<void>(buffer);
  static_cast<void>(size);
  return nullptr;
}

}  // namespace

extern const LinkUnit LINK_UNIT;
const LinkUnit LINK_UNIT{LINK_FLAGS, hs::simd::isa_name.data(), &hs::simd::missing_compiled_feature, &checksum,
                         &message};
