/// Lesson 7: a recipe of your own for a vision transformer, from parts, and how it does beside the baseline.

#include <halfstep/io/safetensors.hpp>
#include <halfstep/models/vit.hpp>
#include <halfstep/recipes/nearest.hpp>
#include <halfstep/recipes/percentile_rules.hpp>
#include <halfstep/recipes/repq.hpp>
#include <halfstep/recipes/vit_calibration.hpp>
#include <halfstep/simd/require_cpu.hpp>

#include <iostream>

namespace hs = halfstep;

namespace {

// [snippet recipe]
/// Channel by channel behind a LayerNorm (folded into it), logarithms behind a softmax, percentiles elsewhere.
hs::QuantizedVit my_recipe(const hs::Vit& vit, const hs::ImageView& images, const hs::VitRecipeOptions& options) {
  return hs::calibrate_sites(
      "my_recipe", vit, images, options, hs::CalibrationInputs::float_model, [](hs::VitSite& at) -> hs::SiteSpec {
        const int bits = at.bits.activation;
        if (at.role == hs::SiteRole::after_norm) {
          const hs::Activation input = hs::layer_wise_percentile(at);  // edits the norm and the weight
          return hs::percentile_weight(at, input);
        }
        if (at.role == hs::SiteRole::probabilities) {
          return hs::AttentionSpec{{hs::log_sqrt2_activation(at.lhs, bits, hs::ZeroPolicy::reserve)},
                                   {hs::percentile_activation(at.rhs, bits)}};
        }
        if (at.is_attention()) return hs::percentile_attention(at);
        return hs::percentile_weight(at, hs::percentile_activation(at.lhs, bits));
      });
}
// [end recipe]

double top1_percent(const hs::QuantizedVit& model, const hs::ImageView& images,
                    const std::vector<std::int32_t>& labels) {
  const hs::MatrixF logits = model.forward(images);
  int right = 0;
  for (hs::Index i = 0; i < images.count; ++i) {
    hs::Index best = 0;
    logits.row(i).maxCoeff(&best);
    right += best == labels[static_cast<std::size_t>(i)] ? 1 : 0;
  }
  return 100.0 * right / static_cast<double>(images.count);
}

}  // namespace

int main() {
  if (const char* lack = hs::simd::missing_compiled_feature()) return std::cerr << "this CPU lacks " << lack << "\n", 2;

  const std::string data = HALFSTEP_EXAMPLE_DATA_DIR;
  const hs::Vit vit = hs::load_vit(data + "/glyph_vit.safetensors");
  const auto file = hs::SafetensorsFile::open(data + "/glyph_eval.safetensors");
  const hs::ImageView calibration = hs::view_images(file, "calib.images");
  const hs::ImageView test = hs::view_images(file, "test.images").range(0, 200);
  const auto labels = file.integers<std::int32_t>("test.labels");

  const hs::VitRecipeOptions four_bits{.weight_bits = 4, .activation_bits = 4};
  const double baseline = top1_percent(hs::recipes::nearest(vit, calibration, four_bits), test, labels);
  const double mine = top1_percent(my_recipe(vit, calibration, four_bits), test, labels);
  std::cout << "top-1 at W4A4 on " << test.count << " images: min-max " << baseline << " %, my recipe " << mine
            << " %\n";
  return mine > baseline ? 0 : 1;
}
