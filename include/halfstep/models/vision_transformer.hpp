#pragma once

/// \file
/// The vision transformer: layers wired together, whose products run as an engine says.
///
///     x = concat(class token, patch embedding) + positions
///     x = block(x)                                  depth times
///     logits = head(norm(x)[class token])
///
/// A. Dosovitskiy et al., "An Image is Worth 16x16 Words", 2021, with the names of timm's checkpoints.

#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/function_ref.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/parallel_for.hpp"
#include "halfstep/layers/engine.hpp"
#include "halfstep/layers/layer_norm.hpp"
#include "halfstep/layers/linear.hpp"
#include "halfstep/layers/patch_embedding.hpp"
#include "halfstep/layers/run_workspace.hpp"
#include "halfstep/layers/site.hpp"
#include "halfstep/layers/transformer_block.hpp"
#include "halfstep/models/norm_consumers.hpp"

#include <algorithm>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// How a model runs.
struct ForwardOptions {
  /// Images that go through the layers together. More fill threads and kernels better and take more memory: about
  /// `tokens * (2 hidden + 8 dim)` floats each. Engines whose results depend on it say so.
  Index images_at_a_time = 16;
  /// Sees x `[images * tokens, dim]` of each set of images that go together: number 0 is the embedding, number i what
  /// block i - 1 gives.
  FunctionRef<void(Index number, MatrixView<const float> x)> hidden = {};
};

/// The float parameters of a vision transformer. A value: a copy can be transformed and compared with the original.
struct Vit {
  Index image_height = 0;
  Index image_width = 0;
  PatchEmbedding patch_embed;
  std::vector<float> class_token;  ///< `[dim]`
  std::vector<float> positions;    ///< `[tokens, dim]`, the class token's first
  std::vector<TransformerBlock> blocks;
  LayerNorm norm;
  Linear head;
  SiteList sites;  ///< in the order of a run

  [[nodiscard]] Index dim() const { return static_cast<Index>(class_token.size()); }
  /// Patches and the class token.
  [[nodiscard]] Index tokens() const { return static_cast<Index>(positions.size() / class_token.size()); }
  [[nodiscard]] Index classes() const { return head.out_features(); }
  [[nodiscard]] Index channels() const { return static_cast<Index>(patch_embed.mean.size()); }

  /// Logits `[images, classes]` as `engine` computes them. Errors: images of another shape than the model's; out of
  /// another shape. Allocates nothing once `workspace` is warm, but for what the engine does.
  void forward_into(const ImageView& images, Engine& engine, RunWorkspace& workspace, MatrixView<float> out,
                    const ForwardOptions& options = {}) const {
    require_fit(images, out, options);
    for (Index first = 0; first < images.count; first += options.images_at_a_time) {
      const Index count = std::min(options.images_at_a_time, images.count - first);
      run(images.range(first, count), engine, workspace, out.row_range(first, count), options);
    }
  }

  /// The same as a new matrix.
  [[nodiscard]] MatrixF forward(const ImageView& images, Engine& engine, const ForwardOptions& options = {}) const {
    MatrixF logits(images.count, classes());
    RunWorkspace workspace;
    forward_into(images, engine, workspace, mutable_view(logits), options);
    return logits;
  }

  /// Calls `visit(linear)` for each linear layer, in the order of a run.
  template <class Visit>
  void for_each_linear(Visit visit) {
    visit_linears(*this, visit);
  }
  template <class Visit>
  void for_each_linear(Visit visit) const {
    visit_linears(*this, visit);
  }

  /// Calls `visit(norm)` with a `NormConsumers` for each norm. Views and pointers are valid as long as the model stays
  /// where it is.
  template <class Visit>
  void for_each_norm(Visit visit) {
    for (TransformerBlock& block : blocks) {
      visit(NormConsumers{block.norm1.name, block.norm1.view(), {&block.attn.qkv}});
      visit(NormConsumers{block.norm2.name, block.norm2.view(), {&block.mlp.fc1}});
    }
    visit(NormConsumers{norm.name, norm.view(), {&head}});
  }

 private:
  template <class Self, class Visit>
  static void visit_linears(Self& self, Visit& visit) {
    visit(self.patch_embed.proj);
    for (auto& block : self.blocks) {
      visit(block.attn.qkv);
      visit(block.attn.proj);
      visit(block.mlp.fc1);
      visit(block.mlp.fc2);
    }
    visit(self.head);
  }

  void require_fit(const ImageView& images, const MatrixView<float>& out, const ForwardOptions& options) const {
    if (images.channels != channels() || images.height != image_height || images.width != image_width) {
      raise("Vit::forward", "images are ", images.channels, " x ", images.height, " x ", images.width, ", expected ",
            channels(), " x ", image_height, " x ", image_width, " (channels, height, width)");
    }
    if (images.count < 0 || (images.pixels == nullptr && images.count > 0)) {
      raise("Vit::forward", "images has ", images.count, " images without pixels (null pointer)");
    }
    if (shape_of(out) != Shape{images.count, classes()} || !out.rows_are_contiguous()) {
      raise("Vit::forward", "out has shape ", shape_of(out), ", expected ", Shape{images.count, classes()},
            " with contiguous rows");
    }
    if (options.images_at_a_time < 1) {
      raise("Vit::forward", "images_at_a_time is ", options.images_at_a_time, ", expected at least 1");
    }
  }

  void run(const ImageView& images, Engine& engine, RunWorkspace& workspace, MatrixView<float> logits,
           const ForwardOptions& options) const {
    const Workspace::Scope scope(workspace.main());
    const MatrixView<float> x = take_matrix(workspace.main(), images.count * tokens(), dim());
    embed(images, x, engine, workspace);
    if (options.hidden) options.hidden(0, x);
    for (std::size_t b = 0; b < blocks.size(); ++b) {
      blocks[b].forward(x, tokens(), engine, workspace);
      if (options.hidden) options.hidden(static_cast<Index>(b) + 1, x);
    }
    const MatrixView<const float> class_rows(x.data, images.count, dim(), tokens() * dim(), 1);
    const MatrixView<float> normalized = take_matrix(workspace.main(), images.count, dim());
    norm.forward(class_rows, normalized, engine.executor());
    head.forward(normalized, 1, logits, engine, workspace.main());
  }

  /// x `[images * tokens, dim]`: the class token and the patches of each image, plus positions.
  void embed(const ImageView& images, MatrixView<float> x, Engine& engine, RunWorkspace& workspace) const {
    const Workspace::Scope scope(workspace.main());
    const Index patches = tokens() - 1;
    const MatrixView<float> embedded = take_matrix(workspace.main(), images.count * patches, dim());
    patch_embed.forward(images, embedded, engine, workspace);
    parallel_for(engine.executor(), images.count, 1, [&](Index first, Index last) {
      for (Index row = first * tokens(); row < last * tokens(); ++row) {
        const Index token = row % tokens();
        const float* from = token == 0 ? class_token.data() : embedded.row(row / tokens() * patches + token - 1);
        const float* position = positions.data() + token * dim();
        for (Index c = 0; c < dim(); ++c) x(row, c) = from[c] + position[c];
      }
    });
  }
};

}  // namespace halfstep::inline HALFSTEP_ABI
