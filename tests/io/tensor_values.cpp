#include "halfstep/io/tensor_values.hpp"

#include "io/io_checks.hpp"
#include "support/catch.hpp"

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

namespace {

namespace hs = halfstep;
using halfstep_tests::bytes_of;
using halfstep_tests::check_io_error;
using hs::DType;
using hs::IoErrorCode;

/// A tensor `[n]` of these stored values, at an odd address.
template <class Stored>
struct Fixture {
  Fixture(DType dtype, const std::vector<Stored>& stored) : bytes(1 + stored.size() * sizeof(Stored), 'x') {
    if (!stored.empty()) std::memcpy(bytes.data() + 1, stored.data(), stored.size() * sizeof(Stored));
    info = {"t", dtype, {static_cast<hs::Index>(stored.size())}, 0, stored.size() * sizeof(Stored)};
  }
  [[nodiscard]] std::span<const std::byte> data() const { return bytes_of(bytes).subspan(1); }
  std::string bytes;
  hs::TensorInfo info;
};

template <class Real, class Stored>
std::vector<Real> reals(DType dtype, const std::vector<Stored>& stored) {
  const Fixture<Stored> fixture(dtype, stored);
  return hs::real_values<Real>(fixture.info, fixture.data(), "f");
}

template <class Integer, class Stored>
std::vector<Integer> integers(DType dtype, const std::vector<Stored>& stored) {
  const Fixture<Stored> fixture(dtype, stored);
  return hs::integer_values<Integer>(fixture.info, fixture.data(), "f");
}

template <class T>
constexpr T least = std::numeric_limits<T>::lowest();
template <class T>
constexpr T most = std::numeric_limits<T>::max();

/// The extremes of an integer type read exactly as double and as itself.
template <class Stored>
void check_integer_type(DType dtype) {
  const std::vector<Stored> stored{0, 1, 100, least<Stored>, most<Stored>};
  std::vector<double> expected;
  for (const Stored value : stored) expected.push_back(static_cast<double>(value));  // rounds to nearest for 64 bits
  CHECK(reals<double>(dtype, stored) == expected);
  CHECK(integers<Stored>(dtype, stored) == stored);
}

}  // namespace

TEST_CASE("tensor_values: every integer type, unaligned") {
  check_integer_type<std::int8_t>(DType::I8);
  check_integer_type<std::uint8_t>(DType::U8);
  check_integer_type<std::int16_t>(DType::I16);
  check_integer_type<std::uint16_t>(DType::U16);
  check_integer_type<std::int32_t>(DType::I32);
  check_integer_type<std::uint32_t>(DType::U32);
  check_integer_type<std::int64_t>(DType::I64);
  check_integer_type<std::uint64_t>(DType::U64);
  CHECK(reals<float>(DType::BOOL, std::vector<std::uint8_t>{0, 1, 255}) == std::vector<float>{0, 1, 1});
  CHECK(integers<std::int32_t>(DType::BOOL, std::vector<std::uint8_t>{0, 1, 255}) ==
        std::vector<std::int32_t>{0, 1, 1});
}

TEST_CASE("tensor_values: floats and doubles, unaligned") {
  const std::vector<float> floats{0.0f, -0.0f, 1.5f, least<float>, std::numeric_limits<float>::denorm_min(), HUGE_VALF};
  const auto same = reals<float>(DType::F32, floats);
  REQUIRE(same.size() == floats.size());
  CHECK(std::memcmp(same.data(), floats.data(), floats.size() * sizeof(float)) == 0);
  const std::vector<double> doubles{0.1, -1e300, 0x1.000001p0, 0x1.000003p0, 1e-60};
  CHECK(reals<double>(DType::F64, doubles) == doubles);
  // Rounded to nearest, ties to even; what float cannot hold becomes infinity or 0.
  CHECK(reals<float>(DType::F64, doubles) == std::vector<float>{0.1f, -HUGE_VALF, 1.0f, 0x1.000004p0f, 0.0f});
  CHECK(reals<float>(DType::I32, std::vector<std::int32_t>{(1 << 24) + 1, (1 << 24) + 3}) ==
        std::vector<float>{16777216.0f, 16777220.0f});
}

TEST_CASE("tensor_values: all codes of the 16-bit and 8-bit floats agree with the scalar conversions") {
  std::vector<std::uint16_t> halves(65536);
  for (std::size_t i = 0; i < halves.size(); ++i) halves[i] = static_cast<std::uint16_t>(i);
  const auto bits = [](float x) { return std::bit_cast<std::uint32_t>(x); };
  const auto f16 = reals<float>(DType::F16, halves), bf16 = reals<float>(DType::BF16, halves);
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < halves.size(); ++i) {
    if (bits(f16[i]) != bits(hs::to_float(hs::Half{halves[i]}))) ++wrong;
    if (bits(bf16[i]) != static_cast<std::uint32_t>(i) << 16) ++wrong;
  }
  CHECK(wrong == 0);
  std::vector<std::uint8_t> codes(256);
  for (std::size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<std::uint8_t>(i);
  const auto check = [&](DType dtype, float (*decode)(std::uint8_t)) {
    const auto values = reals<float>(dtype, codes);
    for (std::size_t i = 0; i < codes.size(); ++i) {
      if (bits(values[i]) != bits(decode(codes[i]))) ++wrong;
    }
  };
  check(DType::F8_E4M3, hs::decode_e4m3);
  check(DType::F8_E5M2, hs::decode_e5m2);
  check(DType::F8_E4M3FNUZ, hs::decode_e4m3fnuz);
  check(DType::F8_E5M2FNUZ, hs::decode_e5m2fnuz);
  check(DType::F8_E8M0, hs::decode_e8m0);
  CHECK(wrong == 0);
}

TEST_CASE("tensor_values: types without values are refused") {
  for (const DType dtype : {DType::C64, DType::F4, DType::F6_E2M3, DType::F6_E3M2}) {
    const hs::TensorInfo info{"t", dtype, {8}, 0, static_cast<std::uint64_t>(hs::bit_width(dtype))};
    const std::string bytes(static_cast<std::size_t>(info.end), '\0');
    check_io_error([&] { static_cast<void>(hs::real_values<float>(info, bytes_of(bytes), "f")); },
                   IoErrorCode::unsupported, {"f: tensor \"t\" of ", hs::dtype_name(dtype)});
    check_io_error([&] { static_cast<void>(hs::integer_values<std::int32_t>(info, bytes_of(bytes), "f")); },
                   IoErrorCode::type, {"expected integers"});
  }
  check_io_error([] { integers<std::int32_t>(DType::F32, std::vector<float>{1}); }, IoErrorCode::type,
                 {"tensor \"t\" has dtype F32, expected integers"});
}

TEST_CASE("tensor_values: integers that do not fit are refused, not wrapped") {
  check_io_error(
      [] {
        integers<std::uint8_t>(DType::I32, std::vector<std::int32_t>{0, 255, 256});
      },
      IoErrorCode::range, {"f: tensor \"t\": element 2 is 256, which does not fit into U8"});
  check_io_error([] { integers<std::uint8_t>(DType::I8, std::vector<std::int8_t>{-1}); }, IoErrorCode::range,
                 {"is -1"});
  check_io_error([] { integers<std::int64_t>(DType::U64, std::vector<std::uint64_t>{most<std::uint64_t>}); },
                 IoErrorCode::range, {"is 18446744073709551615, which does not fit into I64"});
  CHECK(integers<std::int64_t>(DType::U32, std::vector<std::uint32_t>{most<std::uint32_t>})[0] == 4294967295);
  CHECK(integers<std::int8_t>(DType::I64, std::vector<std::int64_t>{-128, 127}) == std::vector<std::int8_t>{-128, 127});
}

TEST_CASE("tensor_values: an empty tensor has no values") {
  CHECK(reals<float>(DType::F16, std::vector<std::uint16_t>{}).empty());
  CHECK(integers<std::int32_t>(DType::I64, std::vector<std::int64_t>{}).empty());
}
