#pragma once

/// \file
/// The published GPTQ on OpenBLAS, as a row to compare with: what the authors' program does with its tensor library, in
/// the same order and with the same three factorizations, without an interpreter in between.

#if defined(HALFSTEP_BENCH_OPENBLAS)

#include <halfstep/core/eigen.hpp>

#include <cblas.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

extern "C" {
void spotrf_(const char* part, const int* n, float* a, const int* lda, int* info);
void spotri_(const char* part, const int* n, float* a, const int* lda, int* info);
}

namespace halfstep_bench {

/// `sum += x^T x`, all of it.
inline void openblas_add_moment(const halfstep::MatrixF& x, halfstep::MatrixF& sum) {
  openblas_set_num_threads(1);
  const int tokens = static_cast<int>(x.rows()), k = static_cast<int>(x.cols());
  cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, k, k, tokens, 1.0f, x.data(), k, x.data(), k, 1.0f, sum.data(),
              k);
}

/// Rounds `weight` to 4 bits, affine, per row or per group of columns; returns the decoded weight.
inline halfstep::MatrixF openblas_gptq(const halfstep::MatrixF& weight, const halfstep::MatrixF& hessian,
                                       halfstep::Index group) {
  openblas_set_num_threads(1);
  using halfstep::Index;
  const Index rows = weight.rows(), n = weight.cols();
  const int size = static_cast<int>(n);
  halfstep::MatrixF h = hessian, w = weight, values(rows, n);
  const float damping = 0.01f * h.diagonal().mean();
  h.diagonal().array() += damping;
  int info = 0;
  spotrf_("L", &size, h.data(), &size, &info);
  spotri_("L", &size, h.data(), &size, &info);
  spotrf_("L", &size, h.data(), &size, &info);  // read row by row: U, upper, with U^T U the inverse
  std::vector<float> scale(static_cast<std::size_t>(rows)), zero(scale.size());
  const auto fit = [&](Index first, Index count) {
    for (Index r = 0; r < rows; ++r) {
      const float low = std::min(0.0f, w.row(r).segment(first, count).minCoeff());
      const float high = std::max(0.0f, w.row(r).segment(first, count).maxCoeff());
      const auto at = static_cast<std::size_t>(r);
      scale[at] = high > low ? (high - low) / 15 : 1.0f;
      zero[at] = std::nearbyint(-low / scale[at]);
    }
  };
  if (group == 0) fit(0, n);
  constexpr Index block = 128;
  for (Index begin = 0; begin < n; begin += block) {
    const Index count = std::min(block, n - begin), rest = n - begin - count;
    halfstep::MatrixF part = w.middleCols(begin, count), errors(rows, count);
    for (Index i = 0; i < count; ++i) {
      if (group > 0 && (begin + i) % group == 0) fit(begin + i, std::min(group, n - begin - i));
      const float* const u = h.data() + (begin + i) * n + begin;
      for (Index r = 0; r < rows; ++r) {
        const auto at = static_cast<std::size_t>(r);
        const float code = std::clamp(std::nearbyint(part(r, i) / scale[at]) + zero[at], 0.0f, 15.0f);
        values(r, begin + i) = scale[at] * (code - zero[at]);
        errors(r, i) = (part(r, i) - values(r, begin + i)) / u[i];
      }
      cblas_sger(CblasRowMajor, static_cast<int>(rows), static_cast<int>(count - i), -1.0f, errors.data() + i,
                 static_cast<int>(count), u + i, 1, part.data() + i, static_cast<int>(count));
    }
    if (rest > 0) {
      cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, static_cast<int>(rows), static_cast<int>(rest),
                  static_cast<int>(count), -1.0f, errors.data(), static_cast<int>(count),
                  h.data() + begin * n + begin + count, size, 1.0f, w.data() + begin + count, size);
    }
  }
  return values;
}

}  // namespace halfstep_bench

#endif
