#pragma once

/// \file
/// Test images, and what is measured on them.

#include <halfstep/core/eigen.hpp>
#include <halfstep/io/safetensors.hpp>
#include <halfstep/models/images.hpp>
#include <halfstep/models/vision_transformer.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace quantize_vit {

namespace hs = halfstep;
using hs::Index;

/// Calibration and test images with labels. The file stays mapped.
struct Evaluation {
  hs::SafetensorsFile file;
  hs::ImageView calibration, test;
  std::vector<std::int32_t> labels;

  /// The first `limit` test images (0: all). Errors: those of the file; labels that do not go with the images.
  static Evaluation open(const std::string& path, Index limit) {
    Evaluation evaluation{hs::SafetensorsFile::open(path), {}, {}, {}};
    evaluation.calibration = hs::view_images(evaluation.file, "calib.images");
    evaluation.test = hs::view_images(evaluation.file, "test.images");
    evaluation.labels = evaluation.file.integers<std::int32_t>("test.labels");
    if (static_cast<Index>(evaluation.labels.size()) != evaluation.test.count) {
      hs::raise(path, "tensor \"test.labels\" has ", evaluation.labels.size(), " entries for ", evaluation.test.count,
                " images");
    }
    if (limit > 0 && limit < evaluation.test.count) evaluation.test = evaluation.test.range(0, limit);
    if (evaluation.test.count == 0) hs::raise(path, "tensor \"test.images\" has no images");
    return evaluation;
  }
};

/// What one run over the test images gave.
struct Run {
  hs::MatrixF logits;
  double ms_per_image = 0;  ///< median over the batches
};

inline constexpr Index images_of_a_batch = 16;

/// Runs a batch: images to logits.
using Forward = std::function<void(const hs::ImageView& images, hs::MatrixView<float> logits)>;

/// The forward pass of `vit` on `engine`, with scratch memory of its own.
inline Forward forward_on(const hs::Vit& vit, hs::Engine& engine) {
  const auto workspace = std::make_shared<hs::RunWorkspace>();
  return [&vit, &engine, workspace](const hs::ImageView& images, hs::MatrixView<float> logits) {
    vit.forward_into(images, engine, *workspace, logits);
  };
}

/// Runs all test images, a batch at a time, and takes the time of each batch. `step(images done)` is called in between.
inline Run run_timed(const Forward& forward, Index classes, const hs::ImageView& images,
                     const std::function<void(Index)>& step) {
  Run run{hs::MatrixF(images.count, classes), 0};
  std::vector<double> times;
  const auto batch = [&](Index first) {
    const Index count = std::min(images_of_a_batch, images.count - first);
    const auto start = std::chrono::steady_clock::now();
    forward(images.range(first, count), hs::mutable_view(run.logits).row_range(first, count));
    const std::chrono::duration<double, std::milli> spent = std::chrono::steady_clock::now() - start;
    return spent.count() / static_cast<double>(count);
  };
  batch(0);  // warms caches and workspace up
  for (Index first = 0; first < images.count; first += images_of_a_batch) {
    times.push_back(batch(first));
    step(std::min(first + images_of_a_batch, images.count));
  }
  std::nth_element(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2), times.end());
  run.ms_per_image = times[times.size() / 2];
  return run;
}

/// Percent of rows whose largest logit is the label's.
inline double top1_percent(const hs::MatrixF& logits, const std::vector<std::int32_t>& labels) {
  Index right = 0;
  for (Index i = 0; i < logits.rows(); ++i) {
    Index best = 0;
    for (Index c = 1; c < logits.cols(); ++c) best = logits(i, c) > logits(i, best) ? c : best;
    right += best == labels[static_cast<std::size_t>(i)] ? 1 : 0;
  }
  return 100.0 * static_cast<double>(right) / static_cast<double>(logits.rows());
}

/// log softmax of row i, in double.
inline std::vector<double> log_probabilities(const hs::MatrixF& logits, Index i) {
  std::vector<double> row(static_cast<std::size_t>(logits.cols()));
  double largest = -INFINITY, sum = 0;
  for (Index c = 0; c < logits.cols(); ++c) largest = std::max(largest, static_cast<double>(logits(i, c)));
  for (Index c = 0; c < logits.cols(); ++c) sum += std::exp(static_cast<double>(logits(i, c)) - largest);
  for (std::size_t c = 0; c < row.size(); ++c) {
    row[c] = static_cast<double>(logits(i, static_cast<Index>(c))) - largest - std::log(sum);
  }
  return row;
}

/// KL(reference || other) of the softmax of the logits, mean over the rows, in nats.
inline double mean_kl(const hs::MatrixF& reference, const hs::MatrixF& other) {
  double sum = 0;
  for (Index i = 0; i < reference.rows(); ++i) {
    const std::vector<double> p = log_probabilities(reference, i), q = log_probabilities(other, i);
    for (std::size_t c = 0; c < p.size(); ++c) sum += std::exp(p[c]) * (p[c] - q[c]);
  }
  return sum / static_cast<double>(reference.rows());
}

/// Multiply-adds of one image in all products, times two.
inline double operations_per_image(const hs::Vit& vit) {
  const double tokens = static_cast<double>(vit.tokens()), dim = static_cast<double>(vit.dim());
  double sum = 0;
  for (const hs::Site& site : vit.sites.all()) {
    const double weights = static_cast<double>(site.weight.rows * site.weight.cols);
    if (site.kind == hs::SiteKind::attention) {
      sum += tokens * tokens * dim;  // all heads together
    } else if (site == vit.patch_embed.proj.site) {
      sum += (tokens - 1) * weights;
    } else {
      sum += (site == vit.head.site ? 1 : tokens) * weights;
    }
  }
  return 2 * sum;
}

}  // namespace quantize_vit
