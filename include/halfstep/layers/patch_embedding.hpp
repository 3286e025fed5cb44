#pragma once

/// \file
/// From pixels to tokens: normalization, patches, a linear map.

#include "halfstep/config.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/parallel_for.hpp"
#include "halfstep/layers/engine.hpp"
#include "halfstep/layers/linear.hpp"
#include "halfstep/layers/run_workspace.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// 8-bit images `[count, channels, height, width]` in memory that somebody else owns, dense and in this order.
struct ImageView {
  const std::uint8_t* pixels = nullptr;
  Index count = 0;
  Index channels = 1;
  Index height = 0;
  Index width = 0;

  /// Bytes of one image.
  [[nodiscard]] Index image_size() const { return channels * height * width; }
  /// Images `[first, first + number)`. Unchecked.
  [[nodiscard]] ImageView range(Index first, Index number) const {
    return {pixels + first * image_size(), number, channels, height, width};
  }
};

/// A convolution whose stride is its kernel, without padding: a linear map of each patch. Patches are numbered row by
/// row over the image; the values of a patch are ordered channel, row, column, as in `proj`'s weight.
struct PatchEmbedding {
  Linear proj;  ///< `[dim, channels * patch height * patch width]`
  Index patch_height = 0;
  Index patch_width = 0;
  std::vector<float> mean;       ///< one per channel, of pixels in [0, 1]
  std::vector<float> deviation;  ///< likewise, positive

  [[nodiscard]] Index patches(const ImageView& images) const {
    return images.height / patch_height * (images.width / patch_width);
  }

  /// out `[images * patches, dim]`. The images have the channels of `mean` and whole numbers of patches.
  void forward(const ImageView& images, MatrixView<float> out, Engine& engine, RunWorkspace& workspace) const {
    const Workspace::Scope scope(workspace.main());
    const MatrixView<float> values = take_matrix(workspace.main(), out.rows, proj.in_features());
    const std::span<PixelTable> tables = workspace.main().take<PixelTable>(images.channels);
    fill_tables(tables);
    parallel_for(engine.executor(), images.count, 1, [&](Index first, Index last) {
      for (Index i = first; i < last; ++i) {
        gather(images.range(i, 1), tables, values.row_range(i * patches(images), patches(images)));
      }
    });
    proj.forward(values, patches(images), out, engine, workspace.main());
  }

 private:
  /// What each pixel of one channel becomes.
  using PixelTable = std::array<float, 256>;

  /// `(pixel / 255 - mean) / deviation`.
  void fill_tables(std::span<PixelTable> tables) const {
    for (std::size_t c = 0; c < tables.size(); ++c) {
      for (std::size_t pixel = 0; pixel < 256; ++pixel) {
        tables[c][pixel] = (static_cast<float>(pixel) / 255.0f - mean[c]) / deviation[c];
      }
    }
  }

  /// The normalized values of the patches of one image, a row each.
  void gather(const ImageView& image, std::span<const PixelTable> tables, MatrixView<float> out) const {
    const Index across = image.width / patch_width;
    for (Index p = 0; p < out.rows; ++p) {
      float* value = out.row(p);
      for (Index c = 0; c < image.channels; ++c) {
        const PixelTable& normalized = tables[static_cast<std::size_t>(c)];
        for (Index y = 0; y < patch_height; ++y) {
          const Index line = (c * image.height + p / across * patch_height + y) * image.width;
          const std::uint8_t* pixel = image.pixels + line + p % across * patch_width;
          for (Index x = 0; x < patch_width; ++x) *value++ = normalized[pixel[x]];
        }
      }
    }
  }
};

}  // namespace halfstep::inline HALFSTEP_ABI
