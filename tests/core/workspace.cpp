#include "halfstep/core/workspace.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <span>
#include <utility>
#include <vector>

#include "support/allocations.hpp"
#include "support/catch.hpp"

namespace {

namespace hs = halfstep;
using hs::Index;
using hs::Workspace;

/// Takes pieces of these sizes and checks that each is its own: all are filled first and read afterwards.
void use(Workspace& workspace, std::span<const Index> sizes) {
  const Workspace::Scope scope(workspace);
  constexpr std::size_t most = 64;
  std::span<std::uint8_t> pieces[most];
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    pieces[i] = workspace.take<std::uint8_t>(sizes[i]);
    std::fill(pieces[i].begin(), pieces[i].end(), static_cast<std::uint8_t>(i + 1));
  }
  bool intact = true;
  bool aligned = true;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    intact = intact && static_cast<Index>(pieces[i].size()) == sizes[i] &&
             std::all_of(pieces[i].begin(), pieces[i].end(), [i](std::uint8_t x) { return x == i + 1; });
    aligned = aligned && reinterpret_cast<std::uintptr_t>(pieces[i].data()) % 64 == 0;
  }
  if (!intact) FAIL("a piece was overwritten by another");
  if (!aligned) FAIL("a piece does not start on a cache line");
}

std::vector<Index> random_sizes(std::mt19937& random, Index largest) {
  std::uniform_int_distribution<std::size_t> count(1, 20);
  std::uniform_int_distribution<Index> size(0, largest);
  std::vector<Index> sizes(count(random));
  for (Index& s : sizes) s = size(random);
  return sizes;
}

}  // namespace

TEST_CASE("Workspace: pieces are aligned, distinct and typed", "[core][workspace]") {
  Workspace workspace;
  CHECK(workspace.capacity() == 0);
  const std::span<float> floats = workspace.take<float>(5);
  const std::span<std::int32_t> ints = workspace.take<std::int32_t>(7);
  CHECK(floats.size() == 5);
  CHECK(ints.size() == 7);
  CHECK(reinterpret_cast<std::uintptr_t>(ints.data()) % 64 == 0);
  CHECK(reinterpret_cast<const char*>(ints.data()) - reinterpret_cast<const char*>(floats.data()) == 64);
  CHECK(workspace.take<double>(0).empty());
  use(workspace, std::vector<Index>{1, 63, 64, 65, 0, 4096, 100000, 1, 3000000});
}

TEST_CASE("Workspace: a released piece is handed out again", "[core][workspace]") {
  Workspace workspace;
  const std::span<float> outer = workspace.take<float>(10);
  const float* first = nullptr;
  {
    const Workspace::Scope scope(workspace);
    first = workspace.take<float>(20).data();
    {
      const Workspace::Scope inner(workspace);
      CHECK(workspace.take<float>(20).data() > first);
    }
    const Workspace::Mark mark = workspace.mark();
    const float* const second = workspace.take<float>(1).data();
    workspace.release(mark);
    CHECK(workspace.take<float>(1).data() == second);
  }
  CHECK(workspace.take<float>(20).data() == first);
  CHECK(outer.data() < first);
}

TEST_CASE("Workspace: growing leaves the pieces where they are", "[core][workspace]") {
  Workspace workspace;
  const std::span<std::uint8_t> early = workspace.take<std::uint8_t>(1000);
  std::fill(early.begin(), early.end(), std::uint8_t{42});
  for (int i = 0; i < 20; ++i) {
    const std::span<std::uint8_t> late = workspace.take<std::uint8_t>(200000);
    std::fill(late.begin(), late.end(), std::uint8_t{1});
  }
  CHECK(std::count(early.begin(), early.end(), 42) == 1000);
}

TEST_CASE("Workspace: once warm, the same or smaller pieces allocate nothing", "[core][workspace]") {
  const unsigned seed = 20240501;
  CAPTURE(seed);
  std::mt19937 random(seed);
  for (const Index largest : {Index{300}, Index{70000}, Index{1000000}}) {
    for (int round = 0; round < 30; ++round) {
      Workspace workspace;
      const std::vector<Index> sizes = random_sizes(random, largest);
      use(workspace, sizes);
      CAPTURE(sizes);
      CHECK(halfstep_tests::allocations_of([&] { use(workspace, sizes); }) == 0);
      std::vector<Index> smaller = sizes;
      for (Index& s : smaller) s = std::uniform_int_distribution<Index>(0, s)(random);
      smaller.resize(std::uniform_int_distribution<std::size_t>(1, sizes.size())(random));
      CAPTURE(smaller);
      CHECK(halfstep_tests::allocations_of([&] { use(workspace, smaller); }) == 0);
    }
  }
}

TEST_CASE("Workspace: memory stays within a small factor of what is taken", "[core][workspace]") {
  Workspace workspace;
  for (int i = 0; i < 100; ++i) use(workspace, std::vector<Index>{50000, 50000, 50000, 50000});
  CHECK(workspace.capacity() >= 200000);
  CHECK(workspace.capacity() <= 800000);
}

TEST_CASE("Workspace: a failed take leaves earlier pieces and the workspace usable", "[core][workspace]") {
  Workspace workspace;
  const std::span<int> piece = workspace.take<int>(3);
  std::fill(piece.begin(), piece.end(), 7);
  CHECK_RAISES(workspace.take<int>(-1), "halfstep: Workspace::take: size is -1, expected at least 0");
  CHECK_RAISES(workspace.take<int>(std::numeric_limits<Index>::max()), "more than this machine can address");
  halfstep_tests::set_allocation_limit(1 << 20);
  const auto message = halfstep_tests::error_message([&] { static_cast<void>(workspace.take<int>(1 << 20)); });
  halfstep_tests::set_allocation_limit(SIZE_MAX);
  CHECK((message && message->find("out of memory") != std::string::npos));
  CHECK(std::count(piece.begin(), piece.end(), 7) == 3);
  use(workspace, std::vector<Index>{10, 5000000, 10});
}

TEST_CASE("Workspace: a moved one keeps its memory, the other starts anew", "[core][workspace]") {
  Workspace source;
  use(source, std::vector<Index>{100000, 100000, 100000});
  static_cast<void>(source.take<int>(50000));
  const std::size_t capacity = source.capacity();
  Workspace target(std::move(source));
  CHECK(target.capacity() == capacity);
  CHECK(source.capacity() == 0);  // NOLINT(bugprone-use-after-move): that state is documented
  use(source, std::vector<Index>{10, 20});
  use(target, std::vector<Index>{100000, 100000});
  const std::size_t grown = target.capacity();
  source = std::move(target);
  CHECK(source.capacity() == grown);
  use(target, std::vector<Index>{10, 20});
}
