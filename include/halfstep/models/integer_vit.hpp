#pragma once

/// \file
/// A vision transformer that runs on integers from the patches to the logits: 8-bit operands, 32-bit sums, shifts.
///
///     x   = requantize(pixels Wp^T) + positions                         int32 in steps of one scale for the whole run
///     x  += requantize(proj(Shiftmax(q k^T) v)),   q, k, v = requantize(qkv(I-LayerNorm(x)))
///     x  += requantize(fc2(requantize(ShiftGELU(requantize(fc1(I-LayerNorm(x)))))))
///     logits = head(I-LayerNorm(x)[class token]) as reals
///
/// Scales are numbers of the model, known before a run; no run computes one.
///
/// Source: Li and Gu, "I-ViT", ICCV 2023. Scores go into Shiftmax as finely as its sums of powers allow (32-bit
/// integers in steps of keys * 2^-15), where the published program rounds them to 8 bits; the residual stream has one
/// scale, where that has one for each addition.

#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/function_ref.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/parallel_for.hpp"
#include "halfstep/core/workspace.hpp"
#include "halfstep/kernels/channel_requantizer.hpp"
#include "halfstep/kernels/dyadic.hpp"
#include "halfstep/kernels/integer_layer_norm.hpp"
#include "halfstep/kernels/integer_matmul.hpp"
#include "halfstep/kernels/shift_gelu.hpp"
#include "halfstep/kernels/shiftmax.hpp"
#include "halfstep/layers/integer_linear.hpp"
#include "halfstep/layers/patch_embedding.hpp"
#include "halfstep/layers/run_workspace.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// I-LayerNorm and what its outputs become. A value.
struct IntegerNormLayer {
  IntegerNorm norm;
  ChannelRequantizer to;
};

/// What may be seen of a run, set by set of images that go together.
struct IntegerVitTrace {
  /// The residual stream `[images * tokens, dim]`: number 0 is the embedding, number 2 i + 1 what attention of block i
  /// leaves, number 2 i + 2 what the block gives.
  FunctionRef<void(Index number, MatrixView<const std::int32_t> x)> stream = {};
  /// What attention of a block gives to its projection, `[images * tokens, dim]`.
  FunctionRef<void(Index block, MatrixView<const std::int8_t> x)> context = {};
};

/// One block. A value.
struct IntegerBlock {
  IntegerNormLayer norm1;
  IntegerLinear qkv;
  Dyadic scores;               ///< from sums of q k^T to what Shiftmax reads
  float score_scale = 1;       ///< what a unit of that is worth, the root of the head size in it
  double mixed_scale = 1;      ///< what a unit of probabilities times values is worth
  ChannelRequantizer context;  ///< of those, `[dim]`, to what proj reads
  IntegerLinear proj;          ///< into the residual stream
  IntegerNormLayer norm2;
  IntegerLinear fc1;
  float gelu_scale = 1;     ///< what a unit of fc1's output is worth
  ChannelRequantizer gelu;  ///< of ShiftGELU's outputs, `[hidden]`
  IntegerLinear fc2;        ///< into the residual stream
};

/// The model. A value; const use is safe from any number of threads.
struct IntegerVit {
  Index channels = 1, image_height = 0, image_width = 0, patch_height = 1, patch_width = 1;
  IntegerLinear patches;                ///< of pixels less 128
  std::vector<std::int32_t> positions;  ///< `[tokens, dim]`, the class token's first, with the class token in it
  std::vector<IntegerBlock> blocks;
  IntegerNormLayer norm;
  IntegerLinear head;
  std::vector<std::int64_t> logit_bias;  ///< in units of the head's sums
  std::vector<double> logit_scale;       ///< what those are worth
  Index heads = 1;
  double residual_scale = 1;        ///< what a unit of x is worth
  std::int32_t largest_code = 127;  ///< of activations

  [[nodiscard]] Index dim() const { return patches.out_features(); }
  [[nodiscard]] Index tokens() const { return static_cast<Index>(positions.size()) / dim(); }
  [[nodiscard]] Index classes() const { return head.out_features(); }
  /// Bytes of all weights as they are multiplied, their sums and scales with them.
  [[nodiscard]] Index bytes() const {
    Index sum = patches.weight.codes.bytes() + head.weight.codes.bytes();
    for (const IntegerBlock& block : blocks) {
      for (const IntegerLinear* layer : {&block.qkv, &block.proj, &block.fc1, &block.fc2}) {
        sum += layer->weight.codes.bytes();
      }
    }
    return sum;
  }

  /// Logits `[images, classes]`: integers, times the scale of each class. The images of a batch do not see each other.
  /// Errors: images of another shape than the model's. Class: exact, for any executor and batch.
  [[nodiscard]] MatrixF forward(const ImageView& images, ExecutorRef executor = {}, Index images_at_a_time = 16,
                                const IntegerVitTrace& trace = {}) const {
    if (images.channels != channels || images.height != image_height || images.width != image_width) {
      raise("IntegerVit::forward", "images are ", images.channels, " x ", images.height, " x ", images.width,
            ", expected ", channels, " x ", image_height, " x ", image_width, " (channels, height, width)");
    }
    if (images_at_a_time < 1) {
      raise("IntegerVit::forward", "images_at_a_time is ", images_at_a_time, ", expected at least 1");
    }
    MatrixF logits(images.count, classes());
    RunWorkspace workspace;
    for (Index first = 0; first < images.count; first += images_at_a_time) {
      const Index count = std::min(images_at_a_time, images.count - first);
      run(images.range(first, count), mutable_view(logits).row_range(first, count), workspace, executor, trace);
    }
    return logits;
  }

 private:
  using Integers = MatrixView<std::int32_t>;
  using Codes = MatrixView<std::int8_t>;
  /// Values of the residual stream stay below what I-LayerNorm takes.
  static constexpr std::int32_t largest_residual = integer_norm_limit - 1;

  [[nodiscard]] static Codes take_codes(Workspace& memory, Index rows, Index cols) {
    return {memory.take<std::int8_t>(rows * cols).data(), rows, cols};
  }

  void run(const ImageView& images, MatrixView<float> logits, RunWorkspace& workspace, ExecutorRef executor,
           const IntegerVitTrace& trace) const {
    Workspace& memory = workspace.main();
    const Workspace::Scope scope(memory);
    const Integers x(memory.take<std::int32_t>(images.count * tokens() * dim()).data(), images.count * tokens(), dim());
    embed(images, x, memory, executor);
    const auto show = [&](Index number) {
      if (trace.stream) trace.stream(number, x);
    };
    show(0);
    for (Index b = 0; b < static_cast<Index>(blocks.size()); ++b) {
      attend(b, x, workspace, executor, trace);
      show(2 * b + 1);
      widen(blocks[static_cast<std::size_t>(b)], x, memory, executor);
      show(2 * b + 2);
    }
    const MatrixView<const std::int32_t> class_rows(x.data, images.count, dim(), tokens() * dim(), 1);
    const Codes codes = normalized(norm, class_rows, memory, executor);
    const Integers sums = head.sums(codes, memory, executor);
    for (Index r = 0; r < logits.rows; ++r) {
      for (Index c = 0; c < logits.cols; ++c) {
        const auto at = static_cast<std::size_t>(c);
        logits(r, c) = static_cast<float>(logit_scale[at] * static_cast<double>(logit_bias[at] + sums(r, c)));
      }
    }
  }

  void embed(const ImageView& images, Integers x, Workspace& memory, ExecutorRef executor) const {
    const Workspace::Scope scope(memory);
    const Index count = tokens() - 1;
    const Codes pixels = take_codes(memory, images.count * count, channels * patch_height * patch_width);
    for (Index i = 0; i < images.count; ++i) gather(images.range(i, 1), pixels.row_range(i * count, count));
    const Integers sums = patches.sums(pixels, memory, executor);
    for (Index row = 0; row < x.rows; ++row) {
      const Index token = row % tokens();
      std::copy_n(positions.data() + token * dim(), dim(), x.row(row));
      if (token == 0) continue;
      const Index patch = row / tokens() * count + token - 1;
      add_requantized(sums.row_range(patch, 1), patches.to, largest_residual, x.row_range(row, 1));
    }
  }

  /// The pixels of the patches of one image, a row each, in the order of the weight: channel, row, column.
  void gather(const ImageView& image, Codes out) const {
    const Index across = image.width / patch_width;
    for (Index p = 0; p < out.rows; ++p) {
      std::int8_t* value = out.row(p);
      for (Index c = 0; c < image.channels; ++c) {
        for (Index y = 0; y < patch_height; ++y) {
          const Index line = (c * image.height + p / across * patch_height + y) * image.width;
          const std::uint8_t* pixel = image.pixels + line + p % across * patch_width;
          for (Index i = 0; i < patch_width; ++i) *value++ = static_cast<std::int8_t>(pixel[i] - 128);
        }
      }
    }
  }

  [[nodiscard]] Codes normalized(const IntegerNormLayer& layer, MatrixView<const std::int32_t> x, Workspace& memory,
                                 ExecutorRef executor) const {
    const MatrixView<std::int64_t> wide(memory.take<std::int64_t>(x.rows * x.cols).data(), x.rows, x.cols);
    const Codes codes = take_codes(memory, x.rows, x.cols);
    integer_layer_norm(x, layer.norm, wide, executor);
    requantize_channels<std::int64_t>(wide, layer.to, largest_code, codes, executor);
    return codes;
  }

  void attend(Index b, Integers x, RunWorkspace& workspace, ExecutorRef executor, const IntegerVitTrace& trace) const {
    const IntegerBlock& block = blocks[static_cast<std::size_t>(b)];
    Workspace& memory = workspace.main();
    const Workspace::Scope scope(memory);
    const Codes codes = normalized(block.norm1, x, memory, executor);
    const Codes packed = take_codes(memory, x.rows, 3 * dim());
    requantize_channels<std::int32_t>(block.qkv.sums(codes, memory, executor), block.qkv.to, largest_code, packed,
                                      executor);
    const Integers mixed(memory.take<std::int32_t>(x.rows * dim()).data(), x.rows, dim());
    workspace.for_each_item(executor, x.rows / tokens() * heads, [&](Index item, Workspace& own) {
      const Index first = item / heads * tokens(), size = dim() / heads, head_begin = item % heads * size;
      const auto part = [&](Index which) { return packed.block(first, which * dim() + head_begin, tokens(), size); };
      mix(block, part(0), part(1), part(2), mixed.block(first, head_begin, tokens(), size), own);
    });
    const Codes context = take_codes(memory, x.rows, dim());
    requantize_channels<std::int32_t>(mixed, block.context, largest_code, context, executor);
    if (trace.context) trace.context(b, context);
    add_requantized(block.proj.sums(context, memory, executor), block.proj.to, largest_residual, x, executor);
  }

  /// One head of one image, on one thread.
  void mix(const IntegerBlock& block, MatrixView<const std::int8_t> q, MatrixView<const std::int8_t> k,
           MatrixView<const std::int8_t> v, Integers out, Workspace& memory) const {
    const Integers scores(memory.take<std::int32_t>(tokens() * tokens()).data(), tokens(), tokens());
    const MatrixView<std::uint8_t> weights(memory.take<std::uint8_t>(tokens() * tokens()).data(), tokens(), tokens());
    PackedMatrix keys;
    pack_integers_into(k, keys);
    integer_matmul_into(q, keys, scores, memory);
    for (Index i = 0; i < scores.size(); ++i) {
      std::int32_t& score = scores.data[i];
      score = static_cast<std::int32_t>(requantize_narrow(score, block.scores.multiplier, block.scores.shift));
    }
    shiftmax<std::int32_t>(scores, block.score_scale, weights);
    // Codes of Shiftmax are at most 127, so they are signed bytes as well.
    const MatrixView<const std::int8_t> signed_weights(reinterpret_cast<const std::int8_t*>(weights.data), tokens(),
                                                       tokens());
    pack_integers_into(transposed(v), keys);
    integer_matmul_into(signed_weights, keys, out, memory);
  }

  void widen(const IntegerBlock& block, Integers x, Workspace& memory, ExecutorRef executor) const {
    const Workspace::Scope scope(memory);
    const Codes codes = normalized(block.norm2, x, memory, executor);
    const Index hidden = block.fc1.out_features();
    const Codes inner = take_codes(memory, x.rows, hidden);
    const Integers sums = block.fc1.sums(codes, memory, executor);
    requantize_channels<std::int32_t>(sums, block.fc1.to, largest_code, inner, executor);
    shift_gelu(inner, block.gelu_scale, sums, 8, executor);  // the sums are no longer needed
    requantize_channels<std::int32_t>(sums, block.gelu, largest_code, inner, executor);
    add_requantized(block.fc2.sums(inner, memory, executor), block.fc2.to, largest_residual, x, executor);
  }
};

}  // namespace halfstep::inline HALFSTEP_ABI
