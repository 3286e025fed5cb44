#pragma once

namespace halfstep_tests {

/// average + sigma (current - average), every step rounded to float32.
inline float moved(float average, float current, float sigma) {
  const volatile float distance = current - average;
  const volatile float step = sigma * distance;
  return average + step;
}

}  // namespace halfstep_tests
