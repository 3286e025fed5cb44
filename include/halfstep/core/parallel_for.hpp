#pragma once

/// \file
/// Loops whose iterations an executor may run at the same time.

#include "halfstep/config.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/first_error.hpp"
#include "halfstep/core/function_ref.hpp"
#include "halfstep/core/matrix_view.hpp"

#include <algorithm>

namespace halfstep::inline HALFSTEP_ABI {

/// The number of chunks of `chunk_size` >= 1 elements that `count` >= 0 elements make, a shorter last one included.
[[nodiscard]] constexpr Index chunk_count(Index count, Index chunk_size) {
  return count / chunk_size + (count % chunk_size != 0 ? 1 : 0);
}

/// Calls `body(chunk, begin, end)` once for each chunk: number c holds the elements [c * chunk_size,
/// min(count, (c + 1) * chunk_size)). Which elements form a chunk depends on nothing but `count` and `chunk_size`; so a
/// sum that keeps one partial sum per chunk and adds them in the order of the chunks is the same for every executor.
///
/// One chunk, or an executor of concurrency 1, runs on the calling thread, in order. If bodies throw, the caller gets
/// the exception of the lowest chunk that throws, for any executor; chunks above it may have been skipped. May be
/// called from a body. Errors: a negative `count`, a `chunk_size` below 1.
inline void parallel_chunks(ExecutorRef executor, Index count, Index chunk_size,
                            FunctionRef<void(Index chunk, Index begin, Index end)> body) {
  if (count < 0) raise("parallel_chunks", "count is ", count, ", expected at least 0");
  if (chunk_size < 1) raise("parallel_chunks", "chunk_size is ", chunk_size, ", expected at least 1");
  const Index chunks = chunk_count(count, chunk_size);
  const auto run_chunk = [&](Index chunk) {
    const Index begin = chunk * chunk_size;
    body(chunk, begin, begin + std::min(chunk_size, count - begin));
  };
  if (chunks <= 1 || executor.concurrency() <= 1) return SerialExecutor().run(chunks, run_chunk);
  FirstError error;
  executor.run(chunks, [&](Index chunk) { error.run(chunk, run_chunk); });
  error.rethrow();
}

/// Calls `body(begin, end)` for ranges that together are [0, count), each element in one of them. Ranges start at
/// multiples of `grain`, the least work that is worth a task; up to `grain` elements are one call on the calling
/// thread. How many ranges there are depends on the executor: for sums see `parallel_chunks`.
///
/// An executor of concurrency 1 gets one call. If bodies throw, the caller gets the exception of the lowest range that
/// throws: for bodies that go through their elements in order, the one that a plain loop would have thrown. May be
/// called from a body. Errors: a negative `count`, a `grain` below 1.
inline void parallel_for(ExecutorRef executor, Index count, Index grain,
                         FunctionRef<void(Index begin, Index end)> body) {
  if (count < 0) raise("parallel_for", "count is ", count, ", expected at least 0");
  if (grain < 1) raise("parallel_for", "grain is ", grain, ", expected at least 1");
  if (count == 0) return;
  const Index concurrency = executor.concurrency();
  if (count <= grain || concurrency <= 1) return body(0, count);
  // A few ranges per thread, so that a thread that starts late or is interrupted holds up little.
  constexpr Index ranges_per_thread = 4;
  const Index grains = chunk_count(count, grain);
  const Index grains_per_range = chunk_count(grains, std::min(grains, concurrency * ranges_per_thread));
  parallel_chunks(executor, count, grains_per_range * grain, [&](Index, Index begin, Index end) { body(begin, end); });
}

}  // namespace halfstep::inline HALFSTEP_ABI
