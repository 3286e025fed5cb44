#pragma once

/// \file
/// A change of variables by an orthogonal matrix, `x' = R x`, which spreads outliers over all channels.
///
///     R = factor * (base (x) H)          base: [order, order], H: Sylvester's of order 2^m, size = order * 2^m
///
/// The base's index leads: channel k * 2^m + j. It is a Hadamard matrix of order 12, 40, 28 or 20, the first of which
/// `size` is a multiple by a power of two, and 1 where size is a power of two itself (the rule of the published
/// rotated checkpoints of Quamba); for any other size, q 2^m with q odd, such as 172 = 43 * 4, a random orthogonal
/// q x q matrix.
///
/// The activation side is `apply` (rotate.hpp); `fold` (fold_rotation.hpp) gives the layers around their part. Sources:
/// Chiang et al., "Quamba", ICLR 2025; Ashkboos et al., "QuaRot", NeurIPS 2024, whose matrices of order 12 and above
/// are others.

#include "halfstep/calibrators/transform/hadamard.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/random.hpp"
#include "halfstep/simd/pinned.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// `x' = R x` for vectors of `size` channels. A regular value; `Scalar` is float (`Rotation`) or double. Made by
/// `hadamard_rotation`.
template <class Scalar>
struct BasicRotation {
  Index size = 1;
  Index order = 1;                 ///< of the base; size / order is a power of two
  std::vector<Scalar> base = {1};  ///< `[order, order]`, row by row, rows orthogonal and of one length
  Scalar factor = 1;               ///< what makes R orthonormal

  friend bool operator==(const BasicRotation&, const BasicRotation&) = default;
};

/// The rotation of float layers.
using Rotation = BasicRotation<float>;

/// How `hadamard_rotation` makes what it has to draw.
struct RotationOptions {
  std::uint64_t seed = 0;  ///< of the orthogonal matrix, for sizes without a Hadamard base
};

/// A random orthogonal matrix `[order, order]`, uniformly distributed: normal numbers, row i at positions i * order on,
/// made orthonormal row after row (Gram and Schmidt, twice over). In double, products rounded before they are added:
/// the same bits everywhere. O(order^3). Class: exact.
[[nodiscard]] inline std::vector<double> random_orthogonal(Index order, const Random& random) {
  const auto n = static_cast<std::size_t>(order);
  std::vector<double> rows(n * n);
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<double>(random.normal(i));
  const auto dot = [n](const double* a, const double* b) {
    double sum = 0;
    for (std::size_t j = 0; j < n; ++j) sum += simd::pinned(a[j] * b[j]);
    return sum;
  };
  for (std::size_t i = 0; i < n; ++i) {
    double* const row = rows.data() + i * n;
    for (int pass = 0; pass < 2; ++pass) {
      for (std::size_t k = 0; k < i; ++k) {
        const double share = dot(row, rows.data() + k * n);
        for (std::size_t j = 0; j < n; ++j) row[j] -= simd::pinned(share * rows[k * n + j]);
      }
      const double length = std::sqrt(dot(row, row));
      for (std::size_t j = 0; j < n; ++j) row[j] /= length;
    }
  }
  return rows;
}

/// The rotation of `size` channels: Hadamard where size allows it, see above. Errors: a size below 1. Class: exact.
template <class Scalar = float>
[[nodiscard]] BasicRotation<Scalar> hadamard_rotation(Index size, const RotationOptions& options = {}) {
  if (size < 1) raise("hadamard_rotation", "size is ", size, ", expected at least 1");
  BasicRotation<Scalar> r;
  r.size = size;
  r.order = hadamard_order(size);
  if (r.order > 0) {
    const HadamardMatrix base = hadamard_base(r.order);
    r.base.assign(base.begin(), base.end());
    r.factor = static_cast<Scalar>(1.0 / std::sqrt(static_cast<double>(size)));
    return r;
  }
  r.order = size;
  while (r.order % 2 == 0) r.order /= 2;
  const std::vector<double> base = random_orthogonal(r.order, Random(options.seed));
  r.base.clear();
  for (const double entry : base) r.base.push_back(static_cast<Scalar>(entry));
  r.factor = static_cast<Scalar>(1.0 / std::sqrt(static_cast<double>(size / r.order)));
  return r;
}

/// The rotation that takes `r` back: its transpose.
template <class Scalar>
[[nodiscard]] BasicRotation<Scalar> inverse(const BasicRotation<Scalar>& r) {
  BasicRotation<Scalar> back = r;
  for (Index i = 0; i < r.order; ++i) {
    for (Index j = 0; j < r.order; ++j) {
      back.base[static_cast<std::size_t>(i * r.order + j)] = r.base[static_cast<std::size_t>(j * r.order + i)];
    }
  }
  return back;
}

/// Refuses a rotation whose members do not fit each other, or that is not one of `channels` channels.
template <class Scalar>
void require_rotation(std::string_view where, const BasicRotation<Scalar>& r, Index channels) {
  const Index run = r.order > 0 && r.size % r.order == 0 ? r.size / r.order : 0;
  if (run < 1 || (run & (run - 1)) != 0 || static_cast<Index>(r.base.size()) != r.order * r.order) {
    raise(where, "rotation of size ", r.size, " has a base of order ", r.order, " with ", r.base.size(),
          " entries, expected an order that divides the size into a power of two, and its square");
  }
  if (r.size != channels) raise(where, "rotation has size ", r.size, ", expected ", channels, " (channels)");
}

}  // namespace halfstep::inline HALFSTEP_ABI
