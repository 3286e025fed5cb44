#pragma once

/// \file
/// Time as a loaded machine allows to measure it.

#include <algorithm>
#include <chrono>
#include <ctime>
#include <vector>

namespace halfstep_bench {

/// Seconds of CPU time of the calling thread: a neighbour that takes the core does not count.
inline double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/// Seconds of wall time, for work that runs on more than one thread.
inline double wall_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

inline double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 != 0 ? values[half] : 0.5 * (values[half - 1] + values[half]);
}

}  // namespace halfstep_bench
