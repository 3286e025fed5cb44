#pragma once

/// \file
/// Checkpoints of small vision transformers with random parameters, to be changed and written; the reference forward
/// pass in double; and where the shared models lie.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "halfstep/core/error.hpp"
#include "halfstep/io/named_tensor.hpp"
#include "halfstep/io/safetensors_writer.hpp"
#include "halfstep/models/vision_transformer.hpp"
#include "halfstep/models/vit.hpp"
#include "support/float_matrix.hpp"
#include "support/plain_layers.hpp"
#include "support/temporary_directory.hpp"

namespace halfstep_tests {

/// Sizes of a vision transformer.
struct VitSizes {
  Index channels = 3, height = 8, width = 12, patch_height = 4, patch_width = 3;
  Index dim = 12, depth = 2, heads = 3, hidden = 20, classes = 5;

  [[nodiscard]] Index tokens() const { return height / patch_height * (width / patch_width) + 1; }
};

/// The tensors and metadata of a file, by name.
class VitCheckpoint {
 public:
  explicit VitCheckpoint(const VitSizes& s, std::uint32_t seed = 900) : seed_(seed) {
    add("patch_embed.proj.weight", {s.dim, s.channels, s.patch_height, s.patch_width}, 0.3f);
    add("patch_embed.proj.bias", {s.dim}, 0.2f);
    add("cls_token", {1, 1, s.dim}, 1.0f);
    add("pos_embed", {1, s.tokens(), s.dim}, 1.0f);
    for (Index i = 0; i < s.depth; ++i) {
      const std::string block = halfstep::concat("blocks.", i, ".");
      add_norm(block + "norm1", s.dim);
      add_linear(block + "attn.qkv", 3 * s.dim, s.dim);
      add_linear(block + "attn.proj", s.dim, s.dim);
      add_norm(block + "norm2", s.dim);
      add_linear(block + "mlp.fc1", s.hidden, s.dim);
      add_linear(block + "mlp.fc2", s.dim, s.hidden);
    }
    add_norm("norm", s.dim);
    add_linear("head", s.classes, s.dim);
    metadata["model_type"] = "vit";
    metadata["config"] = halfstep::concat(
        "{\"image_size\": [", s.height, ", ", s.width, "], \"patch_size\": [", s.patch_height, ", ", s.patch_width,
        "], \"in_chans\": ", s.channels, ", \"dim\": ", s.dim, ", \"depth\": ", s.depth, ", \"heads\": ", s.heads,
        ", \"num_classes\": ", s.classes, ", \"gelu\": \"erf\", \"mean\": [0.4, 0.5, 0.6], \"std\": 0.25}");
  }

  /// Adds or replaces a tensor of random values around `mean`.
  void add(const std::string& name, std::vector<Index> shape, float deviation, float mean = 0) {
    Index size = 1;
    for (const Index one : shape) size *= one;
    tensors[name] = {std::move(shape), random_matrix(1, size, seed_++, deviation, mean).values};
  }

  /// Writes the file, over one that was there.
  /// The model of a file of it.
  [[nodiscard]] halfstep::Vit load() const {
    const TemporaryDirectory directory;
    write(directory.file("vit.safetensors"));
    return halfstep::load_vit(directory.file("vit.safetensors"));
  }

  void write(const std::string& path) const {
    std::vector<halfstep::NamedTensor> named;
    for (const auto& [name, tensor] : tensors) {
      named.push_back(halfstep::named_tensor(name, std::span<const float>(tensor.values), tensor.shape));
    }
    std::filesystem::remove(path);
    halfstep::write_safetensors(path, named, {.metadata = metadata});
  }

  struct Tensor {
    std::vector<Index> shape;
    std::vector<float> values;
  };
  std::map<std::string, Tensor> tensors;
  halfstep::Metadata metadata;

 private:
  void add_linear(const std::string& name, Index out, Index in) {
    add(name + ".weight", {out, in}, 1.0f / std::sqrt(static_cast<float>(in)));
    add(name + ".bias", {out}, 0.2f);
  }
  void add_norm(const std::string& name, Index dim) {
    add(name + ".weight", {dim}, 0.3f, 1.0f);
    add(name + ".bias", {dim}, 0.3f);
  }

  std::uint32_t seed_;
};

/// Logits of `images` in double.
inline PlainMatrix plain_vit(const halfstep::Vit& vit, const halfstep::ImageView& images) {
  const PlainMatrix patches = plain_patches(vit.patch_embed, images);
  PlainMatrix x(images.count * vit.tokens(), vit.dim());
  for (Index row = 0; row < x.rows; ++row) {
    const Index image = row / vit.tokens(), token = row % vit.tokens();
    for (Index c = 0; c < x.cols; ++c) {
      const auto class_value = static_cast<double>(vit.class_token[static_cast<std::size_t>(c)]);
      x(row, c) = (token == 0 ? class_value : patches(image * (vit.tokens() - 1) + token - 1, c)) +
                  static_cast<double>(vit.positions[static_cast<std::size_t>(token * x.cols + c)]);
    }
  }
  for (const halfstep::TransformerBlock& block : vit.blocks) x = plain_block(block, x, vit.tokens());
  const PlainMatrix normalized = plain_norm(vit.norm, x);
  PlainMatrix class_rows(images.count, vit.dim());
  for (Index i = 0; i < images.count; ++i) {
    for (Index c = 0; c < x.cols; ++c) class_rows(i, c) = normalized(i * vit.tokens(), c);
  }
  return plain_linear(vit.head, class_rows);
}

/// The file `name` of the folder of shared models (HALFSTEP_MODELS_DIR, or the default of the build); nothing where it
/// is not there.
inline std::optional<std::string> shared_model(const std::string& name) {
  const char* variable = std::getenv("HALFSTEP_MODELS_DIR");
  const std::filesystem::path path =
      std::filesystem::path(variable != nullptr ? variable : HALFSTEP_MODELS_DEFAULT_DIR) / name;
  if (std::filesystem::exists(path)) return path.string();
  return std::nullopt;
}

/// The file `name` of those that come with the examples.
inline std::string example_file(const std::string& name) {
  return (std::filesystem::path(HALFSTEP_EXAMPLE_DATA_DIR) / name).string();
}

}  // namespace halfstep_tests
