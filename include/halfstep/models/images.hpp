#pragma once

/// \file
/// Images of a file, viewed or picked.

#include "halfstep/config.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/random.hpp"
#include "halfstep/io/dtype.hpp"
#include "halfstep/io/io_error.hpp"
#include "halfstep/io/safetensors.hpp"
#include "halfstep/layers/patch_embedding.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Images that own their pixels.
struct Images {
  std::vector<std::uint8_t> pixels;
  Index count = 0;
  Index channels = 1;
  Index height = 0;
  Index width = 0;

  [[nodiscard]] ImageView view() const { return {pixels.data(), count, channels, height, width}; }
};

/// The tensor `name` of `file` as images, without a copy: U8 `[count, height, width]` (one channel) or
/// `[count, channels, height, width]`. Errors: E_NOT_FOUND, E_TYPE, E_SHAPE.
[[nodiscard]] inline ImageView view_images(const SafetensorsFile& file, std::string_view name) {
  const TensorInfo& info = file.tensor(name);
  const MatrixView<const std::uint8_t> pixels = file.view<std::uint8_t>(name);
  const std::vector<Index>& shape = info.shape;
  if (shape.size() == 3) return {pixels.data, shape[0], 1, shape[1], shape[2]};
  if (shape.size() == 4) return {pixels.data, shape[0], shape[1], shape[2], shape[3]};
  raise_io(IoErrorCode::shape, file.path(), "tensor ", in_quotes(name), " has shape ", shape_text(shape),
           ", expected images [count, height, width] or [count, channels, height, width]");
}

/// Copies of the images at `positions`, in this order. Error: a position beyond the images.
[[nodiscard]] inline Images pick_images(const ImageView& images, std::span<const Index> positions) {
  Images picked{{}, static_cast<Index>(positions.size()), images.channels, images.height, images.width};
  picked.pixels.reserve(positions.size() * static_cast<std::size_t>(images.image_size()));
  for (const Index i : positions) {
    if (i < 0 || i >= images.count) {
      raise("pick_images", "position ", i, " is not among the ", images.count, " images");
    }
    const std::uint8_t* first = images.range(i, 1).pixels;
    picked.pixels.insert(picked.pixels.end(), first, first + images.image_size());
  }
  return picked;
}

/// Copies of `count` images drawn without replacement, as `seed` has them. Error: fewer images than that.
[[nodiscard]] inline Images draw_images(const ImageView& images, Index count, std::uint64_t seed) {
  return pick_images(images, Random(seed).sample_without_replacement(images.count, count));
}

}  // namespace halfstep::inline HALFSTEP_ABI
