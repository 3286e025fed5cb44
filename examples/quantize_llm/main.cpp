/// Quantizes a language model and measures it: loss, size and speed of each method and width, against float.

#include <halfstep/core/thread_pool.hpp>
#include <halfstep/io/safetensors.hpp>
#include <halfstep/layers/float_engine.hpp>
#include <halfstep/layers/integer_engine.hpp>
#include <halfstep/models/llama.hpp>
#include <halfstep/report/json.hpp>
#include <halfstep/report/progress_bar.hpp>
#include <halfstep/report/table_text.hpp>
#include <halfstep/simd/require_cpu.hpp>

#include <CLI/CLI.hpp>

#include <cstdio>
#include <exception>
#include <iostream>
#include <limits>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "evaluation.hpp"
#include "methods.hpp"
#include "options.hpp"
#include "results.hpp"
#include "support/float_path.hpp"
#include "support/machine.hpp"

namespace quantize_llm {

using example_support::FloatPath;

/// Calls `visit(site)` for the linear layers of the blocks: what methods quantize, and what bytes are counted of.
template <class Visit>
void for_each_block_site(const hs::Llama& model, Visit visit) {
  model.for_each_linear([&](const hs::Linear& layer) {
    if (layer.site != model.lm_head.site) visit(layer.site);
  });
}

Index block_weights(const hs::Llama& model) {
  Index count = 0;
  for_each_block_site(model, [&](const hs::Site& site) { count += site.weight.rows * site.weight.cols; });
  return count;
}

/// Runs the float model with each product there is, keeps the faster, and notes it.
FloatPath measure_float(const hs::Llama& model, const Evaluation& evaluation, hs::ExecutorRef executor,
                        Results& results) {
  FloatPath best;
  Run reference;
  for (const FloatPath& path : example_support::float_paths()) {
    report::ProgressBar bar("float32, " + path.name, evaluation.test.count);
    hs::FloatEngine engine(path.product, {.executor = executor});
    const Run run = run_timed(model, evaluation.test.view(), engine, [&](Index done) { bar.update(done); });
    if (!best.name.empty() && run.tokens_per_second <= reference.tokens_per_second) continue;
    best = path;
    reference = run;
  }
  results.float_path = best.name;
  results.rows.push_back({.method = "float32",
                          .setting = float_setting,
                          .nll = reference.nll,
                          .bytes = 4 * block_weights(model),
                          .tokens_per_second = reference.tokens_per_second,
                          .decoded_per_second = reference.decoded_per_second});
  return best;
}

/// Shows the steps of recipes, which have bars of their own: a recipe says how many steps it has when it begins.
class RecipeBar {
 public:
  explicit RecipeBar(std::string label) : label_(std::move(label)) {}

  bool operator()(const hs::Progress& progress) {
    if (!bar_ || progress.total != last_.total || progress.done < last_.done) bar_.emplace(label_, progress.total);
    last_ = {progress.done, progress.total};
    bar_->update(progress.done, progress.next);
    return true;
  }

 private:
  std::string label_;
  hs::Progress last_;
  std::optional<report::ProgressBar> bar_;
};

void measure_quantized(const Method& method, const Setting& setting, const RecipeInput& input,
                       const Evaluation& evaluation, Results& results) {
  const std::string name = method.name + " " + setting_name(setting);
  const hs::QuantizedLlama quantized = [&] {
    RecipeBar bar(name + ", calibration");
    RecipeInput watched = input;
    watched.progress = bar;
    return method.quantize(watched, setting);
  }();
  report::ProgressBar bar(name, evaluation.test.count);
  hs::IntegerEngine engine(quantized.specs(), input.executor, input.product);
  const Run run = run_timed(quantized.model(), evaluation.test.view(), engine, [&](Index done) { bar.update(done); });
  bar.finish();
  Index bytes = 0;
  for_each_block_site(quantized.model(),
                      [&](const hs::Site& site) { bytes += hs::weight_bytes(quantized.specs(), site); });
  results.rows.push_back(
      {.method = method.name,
       .setting = setting,
       .nll = run.nll,
       .bytes = bytes,
       .bits_per_weight = 8.0 * static_cast<double>(bytes) / static_cast<double>(block_weights(quantized.model())),
       .tokens_per_second = run.tokens_per_second,
       .decoded_per_second = run.decoded_per_second});
}

/// What `method` makes of the settings that were asked for, each once. Error: nothing, where the method was named.
std::vector<Setting> settings_of(const Method& method, const Options& options) {
  std::vector<Setting> settings;
  for (const Setting& asked : options.settings) {
    const std::optional<Setting> setting = method.take(asked);
    if (setting && std::find(settings.begin(), settings.end(), *setting) == settings.end()) {
      settings.push_back(*setting);
    }
  }
  if (settings.empty() && !options.takes_all_methods) {
    hs::raise("quantize_llm", "method \"", method.name, "\" takes ", method.takes, ", and --bits has none of that");
  }
  return settings;
}

Results measure(const Options& options) {
  const hs::Llama model = hs::load_llama(options.model);
  const Evaluation evaluation = Evaluation::open(options.eval, options.calibration_sequences, options.test_sequences);
  std::vector<std::pair<const Method*, std::vector<Setting>>> plan;
  for (const std::string& name : options.methods) {
    if (name == "float32") continue;
    const Method& method = find_method(name);
    plan.emplace_back(&method, settings_of(method, options));
  }
  hs::ThreadPool pool(options.threads);
  Results results;
  results.machine = example_support::machine(options.threads);
  results.machine.insert(results.machine.end(), {{"seed", options.seed},
                                                 {"calibration_sequences", evaluation.calibration.count},
                                                 {"test_sequences", evaluation.test.count},
                                                 {"model", options.model}});
  const FloatPath path = measure_float(model, evaluation, pool, results);
  results.machine.emplace_back("float_product", results.float_path);
  for (const auto& [method, settings] : plan) {
    for (const Setting& setting : settings) {
      measure_quantized(*method, setting, {model, evaluation.calibration.view(), path.product, pool, options.seed},
                        evaluation, results);
    }
  }
  return results;
}

Options parse(int argc, char** argv, CLI::App& app) {
  Options options;
  const std::string data = HALFSTEP_EXAMPLE_DATA_DIR;
  options.model = data + "/shakespeare_gpt.safetensors";
  options.eval = data + "/shakespeare_eval.safetensors";
  options.threads = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  std::string methods = "nearest", bits = "w8a8,w4a8,w4,w3,w2,w4a4", scales = "token", names;
  for (const std::string& name : method_names()) names += (names.empty() ? "" : ", ") + name;
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app.add_option("--model", options.model, "Checkpoint of a Llama with Hugging Face's tensor names, safetensors")
      ->capture_default_str();
  app.add_option("--eval", options.eval, "Sequences of tokens (calib.ids, test.ids), safetensors")
      ->capture_default_str();
  app.add_option("--methods", methods, "Methods, separated by commas, or all: " + names)->capture_default_str();
  app.add_option("--bits", bits, "Widths such as w8a8, w4 (activations stay float) or w3g64 (groups of 64), or all")
      ->capture_default_str();
  app.add_option("--scales", scales, "What activations share a scale with: token, tensor, or both (token,tensor)")
      ->capture_default_str();
  app.add_option("--seed", options.seed, "Of methods that draw numbers")->capture_default_str();
  app.add_option("--threads", options.threads, "Threads of every row")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  const CLI::Range count(0, std::numeric_limits<int>::max());
  app.add_option("--calibration-sequences", options.calibration_sequences, "Use only the first of them (0: all)")
      ->check(count)
      ->capture_default_str();
  app.add_option("--test-sequences", options.test_sequences, "Use only the first of the test sequences (0: all)")
      ->check(count)
      ->capture_default_str();
  app.add_option("--json", options.json, "Write the rows as JSON");
  app.add_option("--report", options.report, "Write an HTML report");
  app.parse(argc, argv);
  options.methods = example_support::split_known("quantize_llm", "--methods", methods, method_names());
  options.takes_all_methods = methods == "all";
  options.settings = parse_settings(bits, parse_scales(scales));
  return options;
}

int run(int argc, char** argv) {
  CLI::App app("Quantizes a language model and measures loss, size and speed");
  Options options;
  try {
    options = parse(argc, argv, app);
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  }
  const Results results = measure(options);
  std::cout << "\n"
            << report::to_text(display_table(results.rows))
            << "\nNLL: nats per token, mean over the test sequences. Bytes: of the weights of the blocks as they are "
               "multiplied, parameters included;\nembedding and head are float in all rows. decoded/s: one token after "
               "the other.\nFloat path: "
            << results.float_path << "; isa " << hs::simd::isa_name << ", " << options.threads << " threads.\n";
  if (!options.json.empty()) {
    report::write_text_file(options.json,
                            report::json_text(report::to_json(data_table(results.rows), results.machine)));
  }
  if (!options.report.empty()) html_report(results).write(options.report);
  return 0;
}

}  // namespace quantize_llm

int main(int argc, char** argv) {
  if (const char* const lack = halfstep::simd::missing_compiled_feature()) {
    std::fprintf(stderr, "quantize_llm was compiled for a newer processor: this one lacks %s\n", lack);
    return 1;
  }
  try {
    return quantize_llm::run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}
