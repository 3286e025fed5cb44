#pragma once

/// \file
/// Calibration of a language model block by block, stage by stage: each layer is quantized for the inputs that it will
/// meet, those which the quantized layers before it give.
///
///     x = embedding of all calibration sequences
///     for each block:  for each stage (layers that read one input):
///       the calibrator sees the stage's input and gives its quantized weights;  the stage is run on these codes
///     float path, if asked for: the same sequences through the float model, one block ahead
///
/// E. Frantar et al., "GPTQ", 2023, section 4 ("true sequential": stages within a block see each other's codes, too).

#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/finite.hpp"
#include "halfstep/core/function_ref.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/progress.hpp"
#include "halfstep/layers/eigen_product.hpp"
#include "halfstep/layers/engine.hpp"
#include "halfstep/layers/float_engine.hpp"
#include "halfstep/layers/float_product.hpp"
#include "halfstep/layers/integer_engine.hpp"
#include "halfstep/layers/linear.hpp"
#include "halfstep/layers/run_workspace.hpp"
#include "halfstep/layers/site_spec.hpp"
#include "halfstep/models/language_model.hpp"
#include "halfstep/models/tokens.hpp"
#include "halfstep/recipes/quantized_model.hpp"
#include "halfstep/recipes/step_meter.hpp"

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Layers of one block that read the same input, when it is their turn. Views are valid during the call.
struct CalibrationStage {
  Index block = 0;
  std::span<const Linear* const> layers = {};  ///< float weights; the first one names the stage
  MatrixView<const float> x = {};              ///< `[tokens, in_features]` of the quantized layers before, not encoded
  MatrixView<const float> float_x = {};        ///< the same of the float model; without data unless it was asked for
  Index sequence_length = 0;                   ///< rows of one sequence
  ProgressCallback progress = {};              ///< for what the calibrator calls: whether to go on
};

/// Gives the quantized weight of each layer of a stage and the rule for its input, in the order of `layers`.
using StageCalibrator = FunctionRef<std::vector<LinearSpec>(const CalibrationStage& stage)>;

/// Whether a calibration carries the float model's activations along: twice the memory and half as much time again.
enum class FloatPath { none, kept };

/// How `calibrate_sequentially` runs.
struct SequentialOptions {
  FloatPath float_path = FloatPath::none;
  FloatProduct float_product = eigen_product;  ///< of attention, and of the float path
  ExecutorRef executor = {};                   ///< results do not depend on it
  ProgressCallback progress = {};              ///< told of stages by their first layers; may cancel
};

/// The stages of one block, and which of them a site belongs to.
class BlockStages {
 public:
  BlockStages(const Llama& model, Index block) {
    model.for_each_stage(block, [&](std::vector<const Linear*> layers) { stages_.push_back(std::move(layers)); });
  }

  [[nodiscard]] std::size_t size() const { return stages_.size(); }
  [[nodiscard]] const std::vector<const Linear*>& layers(std::size_t stage) const { return stages_[stage]; }
  /// Whether `site` is the first of stage number `stage`.
  [[nodiscard]] bool begins(std::size_t stage, const Site& site) const {
    return stage < stages_.size() && stages_[stage].front()->site.index == site.index;
  }

 private:
  std::vector<std::vector<const Linear*>> stages_;
};

/// Runs one block in float and keeps a copy of the input of each stage.
class FloatPathEngine final : public Engine {
 public:
  FloatPathEngine(const BlockStages& stages, const SequentialOptions& options)
      : stages_(stages), float_(options.float_product, {.executor = options.executor}) {}

  void multiply(const LinearProduct& product, Workspace& workspace) override {
    if (stages_.begins(inputs_.size(), product.site)) inputs_.push_back(as_eigen(product.x));
    float_.multiply(product, workspace);
  }
  void multiply(const AttentionProduct& product, Workspace& workspace) override { float_.multiply(product, workspace); }
  [[nodiscard]] ExecutorRef executor() const override { return float_.executor(); }

  /// The input of stage number `stage`.
  [[nodiscard]] MatrixView<const float> input(std::size_t stage) const { return view(inputs_[stage]); }

 private:
  const BlockStages& stages_;
  FloatEngine float_;
  std::vector<MatrixF> inputs_;
};

/// Runs one block on codes that are made as its products are reached: the first layer of a stage has the input of all.
class StageEngine final : public Engine {
 public:
  /// `specs` takes what `calibrate` gives. `float_path` may be null.
  StageEngine(const BlockStages& stages, CalibrationStage stage, StageCalibrator calibrate,
              const FloatPathEngine* float_path, SiteSpecs& specs, StepMeter& meter, const SequentialOptions& options)
      : stages_(stages),
        stage_(stage),
        calibrate_(calibrate),
        float_path_(float_path),
        specs_(specs),
        meter_(meter),
        integer_(specs, options.executor, options.float_product) {}

  void multiply(const LinearProduct& product, Workspace& workspace) override {
    if (!meter_.is_cancelled() && stages_.begins(done_, product.site)) calibrate(product.x);
    run(product, workspace);
  }
  void multiply(const AttentionProduct& product, Workspace& workspace) override { run(product, workspace); }
  [[nodiscard]] ExecutorRef executor() const override { return integer_.executor(); }

 private:
  /// Nobody reads what the rest of a cancelled block computes: zeros are quicker.
  template <class Product>
  void run(const Product& product, Workspace& workspace) {
    if (!meter_.is_cancelled()) return integer_.multiply(product, workspace);
    for (Index r = 0; r < product.out.rows; ++r) std::fill_n(product.out.row(r), product.out.cols, 0.0f);
  }

  void calibrate(MatrixView<const float> x) {
    const std::vector<const Linear*>& layers = stages_.layers(done_);
    const std::string& name = layers.front()->site.name;
    for (Index r = 0; r < x.rows; ++r)
      require_finite_row("calibrate_sequentially", "input of " + name, x.row(r), r, x.cols);
    stage_.layers = layers;
    stage_.x = x;
    if (float_path_ != nullptr) stage_.float_x = float_path_->input(done_);
    std::vector<LinearSpec> quantized;
    const bool is_done = meter_.run(name, [&](ProgressCallback inside) {
      stage_.progress = inside;
      quantized = calibrate_(stage_);
    });
    if (!is_done) return;
    if (quantized.size() != layers.size()) {
      raise("calibrate_sequentially", "the calibrator gave ", quantized.size(), " weights for the ", layers.size(),
            " layers of the stage of ", name);
    }
    for (std::size_t i = 0; i < layers.size(); ++i) specs_.set(layers[i]->site.name, std::move(quantized[i]));
    ++done_;
  }

  const BlockStages& stages_;
  CalibrationStage stage_;
  StageCalibrator calibrate_;
  const FloatPathEngine* float_path_;
  SiteSpecs& specs_;
  StepMeter& meter_;
  IntegerEngine integer_;
  std::size_t done_ = 0;  // stages of the block
};

/// Quantizes the blocks of `model`, from the first to the last, each stage by `calibrate`; embedding, head, norms and
/// attention stay float. Every product of the calibration run is computed once, on the codes that the result has: what
/// a calibrator sees is what the layer will meet. Holds, beside the model and its codes, the activations of one block
/// for all calibration tokens (twice that with a float path). A calibration that is cancelled has the stages that were
/// done, as a complete one has them; the others stay float.
///
/// Errors: no token; tokens that the model cannot read; an input that is not finite, named with its layer, row and
/// column; another number of weights, or of another shape, than the stage has. Class: that of `calibrate`, bounded at
/// best, as attention is a float product.
[[nodiscard]] inline QuantizedLlama calibrate_sequentially(const Llama& model, const TokenView& calibration,
                                                           StageCalibrator calibrate,
                                                           const SequentialOptions& options = {}) {
  model.require_tokens(calibration);
  if (calibration.size() == 0) raise("calibrate_sequentially", "calibration has no tokens");
  SiteSpecs specs = float_specs(model.sites);
  MatrixF x(calibration.size(), model.dim());
  model.embed_into({calibration.ids, static_cast<std::size_t>(calibration.size())}, mutable_view(x));
  const bool keeps_floats = options.float_path == FloatPath::kept;
  MatrixF float_x = keeps_floats ? x : MatrixF();
  RunWorkspace workspace;
  const auto blocks = static_cast<Index>(model.blocks.size());
  StepMeter meter(options.progress, blocks == 0 ? 0 : blocks * static_cast<Index>(BlockStages(model, 0).size()));
  for (Index b = 0; b < blocks && !meter.is_cancelled(); ++b) {
    const DecoderBlock& block = model.blocks[static_cast<std::size_t>(b)];
    const BlockStages stages(model, b);
    FloatPathEngine float_path(stages, options);
    if (keeps_floats) block.forward(mutable_view(float_x), calibration.length, model.rope, float_path, workspace);
    CalibrationStage stage{.block = b, .sequence_length = calibration.length};
    StageEngine engine(stages, stage, calibrate, keeps_floats ? &float_path : nullptr, specs, meter, options);
    block.forward(mutable_view(x), calibration.length, model.rope, engine, workspace);
  }
  return {model, std::move(specs), meter.is_cancelled() ? RecipeEnd::cancelled : RecipeEnd::complete};
}

}  // namespace halfstep::inline HALFSTEP_ABI
