#pragma once

/// \file
/// Calibration of a vision transformer site by site: what all recipes for them have in common. A recipe is a function
/// from a site with its operands to the site's specification.
///
///     return calibrate_sites("my_recipe", vit, images, options, CalibrationInputs::float_model, [&](VitSite& at) {
///       return at.role == SiteRole::probabilities ? ... : ...;                     // a SiteSpec
///     });

#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/finite.hpp"
#include "halfstep/core/function_ref.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/layers/float_engine.hpp"
#include "halfstep/layers/integer_engine.hpp"
#include "halfstep/layers/run_workspace.hpp"
#include "halfstep/layers/site_spec.hpp"
#include "halfstep/models/images.hpp"
#include "halfstep/models/vision_transformer.hpp"
#include "halfstep/recipes/operand_recorder.hpp"
#include "halfstep/recipes/quantized_model.hpp"
#include "halfstep/recipes/vit_options.hpp"
#include "halfstep/recipes/vit_site.hpp"

#include <string_view>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// What a calibrator sees: operands as the float model has them, or as they come out of the sites before, which are
/// quantized already.
enum class CalibrationInputs { float_model, quantized };

/// Gives the specification of a site. May fold a transform into the layers that `at` points to.
using SiteCalibrator = FunctionRef<SiteSpec(VitSite& at)>;

/// One walk through the sites of a model. See `calibrate_sites`.
class SiteWalk {
 public:
  SiteWalk(std::string_view where, const Vit& vit, const ImageView& images, const VitRecipeOptions& options,
           CalibrationInputs inputs, SiteCalibrator calibrate)
      : where_(where),
        options_(options),
        inputs_(inputs),
        calibrate_(calibrate),
        images_(images),
        original_(vit),
        model_(vit),
        specs_(float_specs(vit.sites)),
        float_(options.float_product, {.executor = options.executor}),
        integer_(specs_, options.executor, options.float_product) {}

  [[nodiscard]] QuantizedVit run() {
    embed();
    for (std::size_t b = 0; b < model_.blocks.size(); ++b) block(b);
    head();
    return {std::move(model_), std::move(specs_)};
  }

 private:
  /// A site of the block at hand, before it is run.
  struct Turn {
    SiteRole role;
    const Site& site;
    Linear* layer = nullptr;
    LayerNorm* norm = nullptr;
  };

  [[nodiscard]] Engine& engine() {
    if (inputs_ == CalibrationInputs::quantized) return integer_;
    return float_;
  }

  void calibrate(const Turn& turn, RecordedOperands operands) {
    for (const auto& [name, operand] : {std::pair("lhs of ", &operands.lhs), std::pair("rhs of ", &operands.rhs)}) {
      for (Index r = 0; r < operand->rows(); ++r) {
        require_finite_row(where_, name + turn.site.name, operand->data() + r * operand->cols(), r, operand->cols());
      }
    }
    VitSite at{turn.role,
               turn.site,
               bits_of(options_, original_, turn.site),
               turn.layer,
               turn.norm,
               std::move(operands.lhs),
               std::move(operands.rhs),
               images_.count,
               options_.executor};
    specs_.set(turn.site.name, calibrate_(at));
  }

  /// The patch embedding; leaves x as it comes out of it. A model without blocks is run for that.
  void embed() {
    const Site& site = model_.patch_embed.proj.site;
    OperandRecorder recorder(float_, {site.index});
    static_cast<void>(run_stem(recorder));
    calibrate({SiteRole::pixels, site, &model_.patch_embed.proj}, recorder.take(site));
    x_ = run_stem(engine());
  }

  [[nodiscard]] MatrixF run_stem(Engine& engine) const {
    const Vit& from = model_;
    const Vit stem{from.image_height, from.image_width, from.patch_embed, from.class_token, from.positions, {},
                   from.norm,         from.head,        from.sites};
    MatrixF embedded;
    const auto keep = [&](Index, MatrixView<const float> x) { embedded = as_eigen(x); };
    static_cast<void>(stem.forward(images_, engine, {.images_at_a_time = images_.count, .hidden = keep}));
    return embedded;
  }

  void block(std::size_t b) {
    TransformerBlock& own = model_.blocks[b];
    const std::vector<Turn> turns{{SiteRole::after_norm, own.attn.qkv.site, &own.attn.qkv, &own.norm1},
                                  {SiteRole::queries, own.attn.qk},
                                  {SiteRole::probabilities, own.attn.av},
                                  {SiteRole::context, own.attn.proj.site, &own.attn.proj},
                                  {SiteRole::after_norm, own.mlp.fc1.site, &own.mlp.fc1, &own.norm2},
                                  {SiteRole::after_gelu, own.mlp.fc2.site, &own.mlp.fc2}};
    if (inputs_ == CalibrationInputs::float_model) {
      OperandRecorder recorder(float_, indices_of(turns));
      original_.blocks[b].forward(mutable_view(x_), model_.tokens(), recorder, workspace_);
      for (const Turn& turn : turns) calibrate(turn, recorder.take(turn.site));
      return;
    }
    for (const Turn& turn : turns) {  // once more for each, on what is quantized by then
      OperandRecorder recorder(integer_, {turn.site.index});
      MatrixF x = x_;
      own.forward(mutable_view(x), model_.tokens(), recorder, workspace_);
      calibrate(turn, recorder.take(turn.site));
    }
    own.forward(mutable_view(x_), model_.tokens(), integer_, workspace_);
  }

  [[nodiscard]] static std::vector<Index> indices_of(const std::vector<Turn>& turns) {
    std::vector<Index> indices;
    for (const Turn& turn : turns) indices.push_back(turn.site.index);
    return indices;
  }

  void head() {
    const MatrixView<const float> class_rows(x_.data(), images_.count, model_.dim(), model_.tokens() * model_.dim(), 1);
    MatrixF normalized(images_.count, model_.dim());
    model_.norm.forward(class_rows, mutable_view(normalized), options_.executor);
    calibrate({SiteRole::after_norm, model_.head.site, &model_.head, &model_.norm}, {std::move(normalized), {}});
  }

  std::string_view where_;
  const VitRecipeOptions& options_;
  CalibrationInputs inputs_;
  SiteCalibrator calibrate_;
  ImageView images_;
  const Vit& original_;
  Vit model_;
  SiteSpecs specs_;
  FloatEngine float_;
  IntegerEngine integer_;
  RunWorkspace workspace_;
  MatrixF x_;  // of the block at hand
};

/// Quantizes `vit`: draws `options.images` of `calibration`, and asks `calibrate` for the specification of each site in
/// the order of a run, with the site's operands on these images. Holds the operands of one block.
///
/// Errors, in the name of the call `where`: widths other than 2 to 8; a site that the model does not have; fewer images
/// than are to be drawn, or none; images of another shape than the model's; an operand that is not finite, by site, row
/// and column. Class: that of `calibrate`, bounded at best, as the calibration run is.
[[nodiscard]] inline QuantizedVit calibrate_sites(std::string_view where, const Vit& vit, const ImageView& calibration,
                                                  const VitRecipeOptions& options, CalibrationInputs inputs,
                                                  SiteCalibrator calibrate) {
  require_vit_options(where, vit, calibration, options);
  const Images drawn = draw_images(calibration, options.images, options.seed);
  return SiteWalk(where, vit, drawn.view(), options, inputs, calibrate).run();
}

}  // namespace halfstep::inline HALFSTEP_ABI
