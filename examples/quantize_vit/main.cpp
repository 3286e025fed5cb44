/// Quantizes a vision transformer and measures it: accuracy, size and speed of each method and width, against float.

#include <halfstep/core/thread_pool.hpp>
#include <halfstep/io/safetensors.hpp>
#include <halfstep/models/vit.hpp>
#include <halfstep/recipes/integer_vit.hpp>
#include <halfstep/recipes/mixed_precision.hpp>
#include <halfstep/recipes/quantized_model.hpp>
#include <halfstep/report/progress_bar.hpp>
#include <halfstep/simd/require_cpu.hpp>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <iostream>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "evaluation.hpp"
#include "methods.hpp"
#include "options.hpp"
#include "results.hpp"
#include "support/float_path.hpp"
#include "support/machine.hpp"

namespace quantize_vit {

using example_support::FloatPath;

/// Quantizes by one method. What its sites lose at each width is found when an average is first asked for, and kept in
/// `losses` for the next one.
hs::QuantizedVit quantize(const Method& method, const hs::Vit& vit, const Evaluation& evaluation, const Bits& bits,
                          const Options& options, hs::FloatProduct product, hs::ExecutorRef executor,
                          std::vector<hs::LayerOptions>& losses) {
  hs::VitRecipeOptions given{.weight_bits = bits.weight,
                             .activation_bits = bits.activation,
                             .seed = options.seed,
                             .float_product = product,
                             .executor = executor};
  if (bits.average > 0) {
    const auto recipe = [&](const hs::VitRecipeOptions& o) { return method.quantize(vit, evaluation.calibration, o); };
    if (losses.empty()) {
      losses = hs::divergence_losses(vit, evaluation.calibration, given, method.widths, recipe);
    }
    given.site_bits = hs::plan_precision(
                          vit, losses, {.average_bits = bits.average, .widths = method.widths, .search = method.search})
                          .site_bits;
  }
  return method.quantize(vit, evaluation.calibration, given);
}

/// Runs the float model with each product there is, keeps the faster, and notes it.
FloatPath measure_float(const hs::Vit& vit, const Evaluation& evaluation, hs::ExecutorRef executor, Results& results,
                        Run& reference) {
  FloatPath best;
  for (const FloatPath& path : example_support::float_paths()) {
    report::ProgressBar bar("float32, " + path.name, evaluation.test.count);
    hs::FloatEngine engine(path.product, {.executor = executor});
    Run run = run_timed(forward_on(vit, engine), vit.classes(), evaluation.test, [&](Index done) { bar.update(done); });
    if (!best.name.empty() && run.ms_per_image >= reference.ms_per_image) continue;
    best = path;
    reference = std::move(run);
  }
  const double gflops = 1e-6 * operations_per_image(vit) / reference.ms_per_image;
  char rate[64];
  std::snprintf(rate, sizeof rate, "%.1f GFLOP/s over the whole forward pass", gflops);
  results.float_path = best.name + ", " + rate;
  Index bytes = 0;
  for (const hs::Site& site : vit.sites.all()) bytes += 4 * site.weight.rows * site.weight.cols;
  results.rows.push_back({.method = "float32",
                          .top1 = top1_percent(reference.logits, evaluation.labels),
                          .bytes = bytes,
                          .ms_per_image = reference.ms_per_image});
  return best;
}

/// What a row says beside its size.
Result result_of(const std::string& method, const Bits& bits, const Run& run, const Evaluation& evaluation,
                 const Run& reference) {
  const bool is_mixed = bits.average > 0;
  return {.method = method,
          .weight_bits = is_mixed ? bits.average : bits.weight,
          .activation_bits = is_mixed ? bits.average : bits.activation,
          .is_mixed = is_mixed,
          .top1 = top1_percent(run.logits, evaluation.labels),
          .kl = mean_kl(reference.logits, run.logits),
          .ms_per_image = run.ms_per_image,
          .speedup = reference.ms_per_image / run.ms_per_image};
}

/// What the report shows of a setting beside its row.
void add_details(const std::string& method, const std::string& setting, const Bits& bits,
                 const hs::QuantizedVit& quantized, const Evaluation& evaluation, const FloatPath& path,
                 Results& results) {
  const hs::ImageView few = evaluation.test.range(0, std::min<Index>(8, evaluation.test.count));
  results.quality.push_back({setting, site_sqnr_db(quantized.model(), quantized.specs(), few, path.product)});
  if (bits.average > 0) return;
  if (bits.weight < results.worst_rows_bits) {
    results.worst_rows_bits = bits.weight;
    results.worst_rows_setting = hs::concat(method, ", weights of ", bits.weight, " bits");
    const hs::ImageView one = evaluation.test.range(0, 1);
    results.worst_rows = worst_weight_rows(quantized.model(), quantized.specs(), one, path.product, 10);
  }
  if (bits.activation <= 4 && results.values_method != method) {
    results.values_method = method;
    const std::string last = hs::concat("blocks.", quantized.model().blocks.size() - 1);
    for (const std::string& site : {std::string("blocks.0.attn.qkv"), last + ".attn.av", last + ".mlp.fc2"}) {
      results.values.push_back(site_values(quantized.model(), quantized.specs(), site, few, path.product));
      results.values.back().setting = setting;
    }
  }
}

void measure_quantized(const Method& method, const Bits& bits, const hs::Vit& vit, const Evaluation& evaluation,
                       const Options& options, const FloatPath& path, hs::ExecutorRef executor, const Run& reference,
                       std::vector<hs::LayerOptions>& losses, Results& results) {
  const hs::QuantizedVit quantized = quantize(method, vit, evaluation, bits, options, path.product, executor, losses);
  hs::IntegerEngine engine(quantized.specs(), executor);
  const std::string setting = method.id + " " + setting_name(bits);
  report::ProgressBar bar(setting, evaluation.test.count);
  const Run run = run_timed(forward_on(quantized.model(), engine), vit.classes(), evaluation.test,
                            [&](Index done) { bar.update(done); });
  bar.finish();
  Result row = result_of(method.id, bits, run, evaluation, reference);
  row.bytes = quantized.bytes();
  row.bits_per_weight = quantized.bits_per_weight();
  results.rows.push_back(row);
  if (!options.report.empty()) add_details(method.id, setting, bits, quantized, evaluation, path, results);
}

/// The model with integers alone.
void measure_integer(const Bits& bits, const hs::Vit& vit, const Evaluation& evaluation, const Options& options,
                     const FloatPath& path, hs::ExecutorRef executor, const Run& reference, Results& results) {
  const hs::IntegerVit model = hs::recipes::integer_vit(vit, evaluation.calibration,
                                                        {.weight_bits = bits.weight,
                                                         .activation_bits = bits.activation,
                                                         .seed = options.seed,
                                                         .float_product = path.product});
  const auto forward = [&](const hs::ImageView& images, hs::MatrixView<float> logits) {
    const hs::MatrixF all = model.forward(images, executor, images.count);
    for (Index i = 0; i < images.count; ++i) std::copy_n(all.data() + i * all.cols(), all.cols(), logits.row(i));
  };
  report::ProgressBar bar(hs::concat(integer_method, " ", setting_name(bits)), evaluation.test.count);
  const Run run = run_timed(forward, vit.classes(), evaluation.test, [&](Index done) { bar.update(done); });
  bar.finish();
  Result row = result_of(integer_method, bits, run, evaluation, reference);
  row.bytes = model.bytes();
  row.bits_per_weight = 8.0 * static_cast<double>(row.bytes) / static_cast<double>(results.rows[0].bytes / 4);
  results.rows.push_back(row);
}

/// All settings of one method.
void measure_method(const MethodRun& run, const hs::Vit& vit, const Evaluation& evaluation, const Options& options,
                    const FloatPath& path, hs::ExecutorRef executor, const Run& reference, Results& results) {
  std::vector<hs::LayerOptions> losses;
  for (const Bits& bits : run.bits) {
    if (run.id == integer_method) {
      measure_integer(bits, vit, evaluation, options, path, executor, reference, results);
      continue;
    }
    for (const Method& method : methods()) {
      if (method.id != run.id) continue;
      measure_quantized(method, bits, vit, evaluation, options, path, executor, reference, losses, results);
    }
  }
}

Results measure(const Options& options) {
  const hs::Vit vit = hs::load_vit(options.model);
  const Evaluation evaluation = Evaluation::open(options.eval, options.test_images);
  hs::ThreadPool pool(options.threads);
  Results results;
  results.machine = example_support::machine(options.threads);
  results.machine.insert(results.machine.end(), {{"seed", options.seed},
                                                 {"batch", images_of_a_batch},
                                                 {"test_images", evaluation.test.count},
                                                 {"model", options.model}});
  for (const hs::Site& site : vit.sites.all()) results.sites.push_back(site.name);
  Run reference;
  const FloatPath path = measure_float(vit, evaluation, pool, results, reference);
  results.machine.emplace_back("float_product", results.float_path);
  for (const MethodRun& run : options.methods) {
    measure_method(run, vit, evaluation, options, path, pool, reference, results);
  }
  return results;
}

Options parse(int argc, char** argv, CLI::App& app) {
  Options options;
  const std::string data = HALFSTEP_EXAMPLE_DATA_DIR;
  options.model = data + "/glyph_vit.safetensors";
  options.eval = data + "/glyph_eval.safetensors";
  options.threads = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  std::string methods = "min-max", bits = "w8a8,w4a8,w4a4";
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app.add_option("--model", options.model, "Checkpoint with timm's tensor names, safetensors")->capture_default_str();
  app.add_option("--eval", options.eval, "Images and labels, safetensors")->capture_default_str();
  app.add_option("--methods", methods,
                 "Methods, separated by commas, or all; repq@avg3: with a setting of its own: " +
                     example_support::joined(method_ids()))
      ->capture_default_str();
  app.add_option("--bits", bits, "Widths such as w8a8,w4a8; avg3: a width for each site; or all")
      ->capture_default_str();
  app.add_option("--seed", options.seed, "Draws the calibration images")->capture_default_str();
  app.add_option("--threads", options.threads, "Threads of every row")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  app.add_option("--test-images", options.test_images, "Use only the first of the test images (0: all)")
      ->check(CLI::Range(0, std::numeric_limits<int>::max()))
      ->capture_default_str();
  app.add_option("--json", options.json, "Write the rows as JSON");
  app.add_option("--report", options.report, "Write an HTML report");
  app.parse(argc, argv);
  options.methods = parse_methods(methods, parse_bits_list(bits));
  return options;
}

int run(int argc, char** argv) {
  CLI::App app("Quantizes a vision transformer and measures accuracy, size and speed");
  Options options;
  try {
    options = parse(argc, argv, app);
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  }
  const Results results = measure(options);
  std::cout << "\n"
            << report::to_text(display_table(results.rows))
            << "\nKL: KL(float || quantized), mean over the test images. Bytes: of the buffers that are multiplied, "
               "parameters "
               "included.\nFloat path: "
            << results.float_path << "; isa " << hs::simd::isa_name << ", " << options.threads << " threads.\n";
  if (!options.json.empty()) {
    report::write_text_file(options.json,
                            report::json_text(report::to_json(data_table(results.rows), results.machine)));
  }
  if (!options.report.empty()) html_report(results).write(options.report);
  return 0;
}

}  // namespace quantize_vit

int main(int argc, char** argv) {
  // [snippet ask_first]
  if (const char* const lack = halfstep::simd::missing_compiled_feature()) {
    std::fprintf(stderr, "quantize_vit was compiled for a newer processor: this one lacks %s\n", lack);
    return 1;
  }
  // [end ask_first]
  try {
    return quantize_vit::run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}
