#pragma once

/// \file
/// Input transforms that recipes use: what a weight was changed for and no layer in front can take in.

#include "halfstep/calibrators/transform/rotate.hpp"
#include "halfstep/calibrators/transform/rotation.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/matrix_view.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Multiplies channel c by 2^shifts[c], as an `InputTransform`. Class: exact.
struct ShiftExponents {
  std::vector<float> powers;

  explicit ShiftExponents(const std::vector<std::int32_t>& shifts) {
    for (const std::int32_t shift : shifts) powers.push_back(std::ldexp(1.0f, shift));
  }
  void operator()(MatrixView<const float> x, MatrixView<float> out) const {
    for (Index r = 0; r < x.rows; ++r) {
      const float* const from = x.row(r);
      float* const to = out.row(r);
      for (Index c = 0; c < x.cols; ++c) to[c] = from[c] * powers[static_cast<std::size_t>(c)];
    }
  }
};

/// Adds `numbers[c]` to channel c, as an `InputTransform`. Class: exact.
struct AddToChannels {
  std::vector<float> numbers;

  void operator()(MatrixView<const float> x, MatrixView<float> out) const {
    for (Index r = 0; r < x.rows; ++r) {
      const float* const from = x.row(r);
      float* const to = out.row(r);
      for (Index c = 0; c < x.cols; ++c) to[c] = from[c] + numbers[static_cast<std::size_t>(c)];
    }
  }
};

/// Rotates rows, as an `InputTransform`. Class: ordered.
struct RotateInput {
  Rotation rotation;
  void operator()(MatrixView<const float> x, MatrixView<float> out) const {
    Rotator<float> rotate(rotation);
    for (Index r = 0; r < x.rows; ++r) {
      std::copy_n(x.row(r), x.cols, out.row(r));
      rotate(out.row(r), 1);
    }
  }
};

}  // namespace halfstep::inline HALFSTEP_ABI
