#include "halfstep/core/aligned_buffer.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

#include "support/allocations.hpp"
#include "support/catch.hpp"

namespace {

namespace hs = halfstep;
using hs::AlignedBuffer;
using hs::Index;

struct Pod {
  float a;
  std::int16_t b;
  friend bool operator==(const Pod&, const Pod&) = default;
};
struct Incomparable {
  int a;
};

template <class T>
bool on_cache_line(const AlignedBuffer<T>& buffer) {
  return reinterpret_cast<std::uintptr_t>(buffer.data()) % 64 == 0;
}

AlignedBuffer<int> counting(Index size) {
  AlignedBuffer<int> buffer(size);
  std::iota(buffer.begin(), buffer.end(), 1);
  return buffer;
}

static_assert(std::is_nothrow_move_constructible_v<AlignedBuffer<int>>);
static_assert(std::is_nothrow_move_assignable_v<AlignedBuffer<int>>);
static_assert(!std::is_convertible_v<Index, AlignedBuffer<int>>);
static_assert(std::equality_comparable<AlignedBuffer<Pod>>);
static_assert(!std::equality_comparable<AlignedBuffer<Incomparable>>);

}  // namespace

TEST_CASE("AlignedBuffer: a fresh one is empty and owns nothing", "[core][aligned_buffer]") {
  const AlignedBuffer<double> buffer;
  CHECK(buffer.size() == 0);
  CHECK(buffer.empty());
  CHECK(buffer.data() == nullptr);
  CHECK(buffer.span().empty());
  CHECK(halfstep_tests::allocations_of([&] {
          const AlignedBuffer<double> none(0);
          const AlignedBuffer<double> zeros = AlignedBuffer<double>::zeros(0);
          const AlignedBuffer<double> copy = buffer;
        }) == 0);
  CHECK(AlignedBuffer<double>(0) == AlignedBuffer<double>());
}

TEMPLATE_TEST_CASE("AlignedBuffer: every element is there and the first is on a cache line", "[core][aligned_buffer]",
                   std::uint8_t, float, double, Pod, (std::array<std::int64_t, 3>)) {
  const Index size = GENERATE(1, 2, 15, 63, 64, 65, 1000);
  CAPTURE(size);
  AlignedBuffer<TestType> buffer(size);
  CHECK(on_cache_line(buffer));
  CHECK(buffer.size() == size);
  CHECK_FALSE(buffer.empty());
  CHECK(buffer.bytes() == static_cast<std::size_t>(size) * sizeof(TestType));
  CHECK(buffer.span().data() == buffer.data());
  CHECK(buffer.span().size() == static_cast<std::size_t>(size));
  CHECK(buffer.end() - buffer.begin() == size);
  for (TestType& element : buffer) element = TestType{};
  CHECK(&buffer[size - 1] == buffer.end() - 1);
  CHECK(&std::as_const(buffer)[size - 1] == std::as_const(buffer).end() - 1);
}

TEST_CASE("AlignedBuffer: zeros are zero, in used memory too", "[core][aligned_buffer]") {
  for (int round = 0; round < 3; ++round) {  // malloc hands the memory of the round before out again
    AlignedBuffer<std::uint8_t> buffer = AlignedBuffer<std::uint8_t>::zeros(1001);
    CHECK(std::count(buffer.begin(), buffer.end(), std::uint8_t{0}) == 1001);
    std::fill(buffer.begin(), buffer.end(), std::uint8_t{0xFF});
  }
}

TEST_CASE("AlignedBuffer: a copy is deep", "[core][aligned_buffer]") {
  const AlignedBuffer<int> source = counting(100);
  AlignedBuffer<int> copy = source;
  CHECK(copy == source);
  CHECK(copy.data() != source.data());
  CHECK(on_cache_line(copy));
  copy[99] = -1;
  CHECK(source[99] == 100);
  CHECK_FALSE(copy == source);

  AlignedBuffer<int> assigned = counting(3);
  assigned = source;
  CHECK(assigned == source);
  const AlignedBuffer<int>& self = assigned;
  assigned = self;
  CHECK(assigned == source);
  assigned = counting(7);
  CHECK(assigned == counting(7));

  const std::vector<int> values{3, 1, 2};
  const auto from_span = AlignedBuffer<int>::copy_of(values);
  CHECK(std::equal(from_span.begin(), from_span.end(), values.begin(), values.end()));
}

TEST_CASE("AlignedBuffer: a move takes the memory and leaves an empty buffer", "[core][aligned_buffer]") {
  AlignedBuffer<int> source = counting(100);
  const int* const memory = source.data();
  AlignedBuffer<int> moved = std::move(source);
  CHECK(moved.data() == memory);
  CHECK(source.empty());  // NOLINT(bugprone-use-after-move): that state is documented
  CHECK(source.data() == nullptr);
  source.reset(5);
  CHECK(source.size() == 5);
  AlignedBuffer<int> target = counting(3);
  target = std::move(moved);
  CHECK(target == counting(100));
  CHECK(target.data() == memory);
  AlignedBuffer<int>& self = target;
  target = std::move(self);
  CHECK(target == counting(100));
  AlignedBuffer<int> other = counting(2);
  other.swap(target);
  CHECK(other == counting(100));
  CHECK(target == counting(2));
}

TEST_CASE("AlignedBuffer: reset allocates only for what it never held", "[core][aligned_buffer]") {
  AlignedBuffer<int> buffer(100);
  const int* const memory = buffer.data();
  CHECK(halfstep_tests::allocations_of([&] {
          buffer.reset(10);
          buffer.reset(0);
          buffer.reset(100);
        }) == 0);
  CHECK(buffer.data() == memory);
  CHECK(buffer.size() == 100);
  CHECK(halfstep_tests::allocations_of([&] { buffer.reset(101); }) == 1);
  CHECK(buffer.size() == 101);
  buffer.reset(10);
  const AlignedBuffer<int> ten = counting(10);
  CHECK(halfstep_tests::allocations_of([&] { buffer = ten; }) == 0);
  CHECK(buffer == ten);
}

TEST_CASE("AlignedBuffer: errors name the size and leave the buffer as it was", "[core][aligned_buffer]") {
  AlignedBuffer<int> buffer = counting(10);
  CHECK_RAISES(buffer.reset(-5), "halfstep: AlignedBuffer: size is -5, expected at least 0");
  CHECK_RAISES(buffer.reset(std::numeric_limits<Index>::max()),
               "AlignedBuffer: size is 9223372036854775807 elements of 4");
  CHECK_RAISES(AlignedBuffer<double>(Index{1} << 61), "more than this machine can address");
  halfstep_tests::set_allocation_limit(1 << 20);
  const auto reset_error = halfstep_tests::error_message([&] { buffer.reset(1 << 18); });
  const auto zeros_error = halfstep_tests::error_message([] { static_cast<void>(AlignedBuffer<int>::zeros(1 << 18)); });
  halfstep_tests::set_allocation_limit(SIZE_MAX);
  CHECK(reset_error == "halfstep: AlignedBuffer: cannot allocate 1048576 bytes: out of memory");
  CHECK(zeros_error == reset_error);
  CHECK(buffer == counting(10));
}

TEST_CASE("AlignedBuffer: equality is that of size and elements", "[core][aligned_buffer]") {
  AlignedBuffer<Pod> a = AlignedBuffer<Pod>::zeros(2);
  AlignedBuffer<Pod> b = a;
  CHECK(a == b);
  b[1].b = 1;
  CHECK_FALSE(a == b);
  CHECK_FALSE(counting(3) == counting(4));
  AlignedBuffer<float> zero = AlignedBuffer<float>::zeros(1);
  AlignedBuffer<float> minus_zero = zero;
  minus_zero[0] = -0.0f;
  CHECK(zero == minus_zero);  // as the elements compare, not as the bytes do
}

TEST_CASE("AlignedBuffer: a large one copies, moves and goes", "[core][aligned_buffer]") {
  const Index size = static_cast<Index>(hs::huge_page_threshold / sizeof(int)) + 3;
  AlignedBuffer<int> large = counting(size);
  const AlignedBuffer<int> copy = large;
  large.reset(1);  // the memory is still of the large kind and must be released as such
  CHECK(copy[size - 1] == static_cast<int>(size));
  large = copy;
  CHECK(large == copy);
}
