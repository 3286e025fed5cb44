#include "halfstep/core/fields.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <tuple>
#include <type_traits>

#include "support/catch.hpp"

namespace {

namespace hs = halfstep;

struct None {};
struct OnlyStatic {
  [[maybe_unused]] static constexpr int bits = 3;
  [[maybe_unused]] static constexpr std::array<int, 3> table{1, 2, 3};
};
struct Affine {
  [[maybe_unused]] static constexpr int bits = 4;
  float scale = 1;
  std::int32_t zero_point = 0;
  friend bool operator==(const Affine&, const Affine&) = default;
  [[nodiscard]] float decode(int code) const { return scale * static_cast<float>(code - zero_point); }
};
struct OneArray {
  std::array<float, 4> table{};
};
struct ArrayFirst {
  std::array<float, 4> table{};
  std::int32_t zero = 0;
};
struct ArrayLast {
  double unit = 0;
  std::array<std::int8_t, 16> codes{};
};
struct ArrayOfArrays {
  std::array<std::array<float, 2>, 3> planes{};
  std::array<std::uint8_t, 1> one{};
  std::array<int, 0> none{};
  bool last = false;
};
struct CArray {
  float before = 0;
  float values[3] = {};
  int after = 0;
};
struct Nested {
  Affine inner;
  std::uint8_t tag = 0;
};
struct EmptyMember {
  None none;
  float scale = 0;
};
struct Eight {
  bool a = false;
  char b = 0;
  std::int8_t c = 0;
  std::int16_t d = 0;
  std::int32_t e = 0;
  std::int64_t f = 0;
  float g = 0;
  double h = 0;
};
template <int Bits>
struct Template {
  [[maybe_unused]] static constexpr int bits = Bits;
  float scale = 1;
};
struct NoDefaults {  // like a struct of C: no member has an initializer
  float a;
  int b;
  unsigned char c;
};

struct WithConstructor {
  explicit WithConstructor(int v) : value(v) {}
  int value;
};
class Private {
 public:
  int shown = 0;
  [[nodiscard]] int get() const { return hidden_; }

 private:
  int hidden_ = 0;
};

static_assert(hs::field_count<None>() == 0);
static_assert(hs::field_count<OnlyStatic>() == 0);
static_assert(hs::field_count<Affine>() == 2);
static_assert(hs::field_count<OneArray>() == 1);
static_assert(hs::field_count<ArrayFirst>() == 2);
static_assert(hs::field_count<ArrayLast>() == 2);
static_assert(hs::field_count<ArrayOfArrays>() == 4);
static_assert(hs::field_count<CArray>() == 3);
static_assert(hs::field_count<Nested>() == 2);
static_assert(hs::field_count<EmptyMember>() == 2);
static_assert(hs::field_count<Eight>() == 8);
static_assert(hs::field_count<Template<5>>() == 1);
static_assert(hs::field_count<NoDefaults>() == 3);

struct M3 {
  int a = 1, b = 2, c = 3;
};
struct M4 {
  int a = 1, b = 2, c = 3, d = 4;
};
struct M5 {
  int a = 1, b = 2, c = 3, d = 4, e = 5;
};
struct M6 {
  int a = 1, b = 2, c = 3, d = 4, e = 5, f = 6;
};
struct M7 {
  int a = 1, b = 2, c = 3, d = 4, e = 5, f = 6, g = 7;
};
struct M9 {
  int a = 1, b = 2, c = 3, d = 4, e = 5, f = 6, g = 7, h = 8, i = 9;
};

static_assert(hs::FieldAggregate<Affine> && hs::FieldAggregate<None> && hs::FieldAggregate<M9>);
static_assert(!hs::FieldAggregate<WithConstructor>);
static_assert(!hs::FieldAggregate<Private>);
static_assert(!hs::FieldAggregate<int>);
static_assert(!hs::FieldAggregate<int[2]>);
static_assert(!hs::FieldAggregate<std::array<int, 2>>);

static_assert(std::is_same_v<decltype(hs::tie_fields(std::declval<Affine&>())), std::tuple<float&, std::int32_t&>>);
static_assert(std::is_same_v<decltype(hs::tie_fields(std::declval<const Affine&>())),
                             std::tuple<const float&, const std::int32_t&>>);
template <class T>
concept TiesTemporary = requires {
  hs::tie_fields(T{});
};
static_assert(!TiesTemporary<Affine>);

/// Tied, read and written in a constant expression.
constexpr int at_compile_time() {
  ArrayFirst value;
  auto [table, zero] = hs::tie_fields(value);
  table[2] = 1.5f;
  zero = 7;
  return static_cast<int>(value.table[2] * 2) + value.zero;
}
static_assert(at_compile_time() == 10);

/// The sum of i * field i: tells members in another order apart.
template <class T>
int weighted_sum(const T& value) {
  return std::apply(
      [](const auto&... field) {
        int sum = 0;
        int position = 0;
        ((sum += ++position * static_cast<int>(field)), ...);
        return sum;
      },
      hs::tie_fields(value));
}

}  // namespace

TEST_CASE("tie_fields refers to the members themselves, in their order", "[core][fields]") {
  Affine q{0.25f, 3};
  auto fields = hs::tie_fields(q);
  CHECK(&std::get<0>(fields) == &q.scale);
  CHECK(&std::get<1>(fields) == &q.zero_point);
  std::get<0>(fields) = 2.0f;
  std::get<1>(fields) = -1;
  CHECK(q == Affine{2.0f, -1});
}

TEST_CASE("tie_fields ties each number of members from 0 to 8", "[core][fields]") {
  CHECK(weighted_sum(None{}) == 0);
  CHECK(weighted_sum(Template<3>{9}) == 9);
  CHECK(weighted_sum(Affine{5, 7}) == 5 + 14);
  CHECK(weighted_sum(M3{}) == 14);
  CHECK(weighted_sum(M4{}) == 30);
  CHECK(weighted_sum(M5{}) == 55);
  CHECK(weighted_sum(M6{}) == 91);
  CHECK(weighted_sum(M7{}) == 140);
  CHECK(weighted_sum(Eight{true, 2, 3, 4, 5, 6, 7, 8}) == 204);
}

TEST_CASE("tie_fields takes an array member as one field", "[core][fields]") {
  ArrayOfArrays value;
  auto [planes, one, none, last] = hs::tie_fields(value);
  planes[2][1] = 4.0f;
  one[0] = 200;
  last = true;
  CHECK(value.planes[2][1] == 4.0f);
  CHECK(value.one[0] == 200);
  CHECK(none.size() == 0);
  CHECK(value.last);

  CArray c;
  auto tied = hs::tie_fields(c);
  static_assert(std::is_same_v<std::tuple_element_t<1, decltype(tied)>, float(&)[3]>);
  std::get<1>(tied)[2] = 1.0f;
  std::get<2>(tied) = 5;
  CHECK(c.values[2] == 1.0f);
  CHECK(c.after == 5);
}

TEST_CASE("assigning tied fields copies one struct to another", "[core][fields]") {
  const Affine source{0.5f, 128};
  Affine target;
  hs::tie_fields(target) = hs::tie_fields(source);
  CHECK(target == source);
}
