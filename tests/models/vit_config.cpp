#include "halfstep/models/vit_config.hpp"

#include <string>

#include "halfstep/io/safetensors_writer.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

namespace hs = halfstep;

namespace {

hs::VitConfig config_of(const hs::Metadata& metadata) {
  const halfstep_test::TemporaryDirectory directory;
  hs::write_safetensors(directory.file("m.safetensors"), {}, {.metadata = metadata});
  return hs::read_vit_config(hs::SafetensorsFile::open(directory.file("m.safetensors")));
}

}  // namespace

TEST_CASE("read_vit_config reads every field, as numbers or lists", "[vit_config]") {
  const hs::VitConfig config = config_of({{"model_type", "vit"},
                                          {"config",
                                           R"({"image_size": [24, 32], "patch_size": 8, "in_chans": 3, "dim": 48,
                                               "depth": 5, "heads": 6, "mlp_ratio": 2.5, "num_classes": 7,
                                               "layer_norm_eps": 1e-5, "gelu": "erf", "qkv_bias": true,
                                               "mean": [0.1, 0.2, 0.3], "std": 0.5, "something_else": {"a": []}})"}});
  CHECK(config.image_size == std::vector<hs::Index>{24, 32});
  CHECK(config.patch_size == std::vector<hs::Index>{8});
  CHECK(config.channels == 3);
  CHECK(config.dim == 48);
  CHECK(config.depth == 5);
  CHECK(config.heads == 6);
  CHECK(config.hidden == 120);
  CHECK(config.classes == 7);
  CHECK(config.epsilon == 1e-5f);
  CHECK(config.mean == std::vector<float>{0.1f, 0.2f, 0.3f});
  CHECK(config.deviation == std::vector<float>{0.5f});
}

TEST_CASE("read_vit_config leaves open what nobody says", "[vit_config]") {
  for (const hs::Metadata& metadata : {hs::Metadata{}, hs::Metadata{{"config", "{}"}}}) {
    const hs::VitConfig config = config_of(metadata);
    CHECK(config.image_size.empty());
    CHECK(!config.dim);
    CHECK(!config.hidden);
    CHECK(!config.epsilon);
    CHECK(config.mean.empty());
  }
}

TEST_CASE("read_vit_config refuses what it cannot use", "[vit_config]") {
  const auto with = [](const std::string& text) { return hs::Metadata{{"config", text}}; };
  CHECK_RAISES(config_of({{"model_type", "llama"}}),
               "holds a model of type \"llama\", expected \"vit\" [E_UNSUPPORTED]");
  CHECK_RAISES(config_of(with("{\"dim\": ")), "metadata \"config\" is not a JSON object [E_SYNTAX]");
  CHECK_RAISES(config_of(with("[1]")), "[E_SYNTAX]");
  CHECK_RAISES(config_of(with(R"({"dim": "48"})")), "\"dim\" that is neither a number nor a list of them [E_TYPE]");
  CHECK_RAISES(config_of(with(R"({"dim": 0})")), "has 0 in \"dim\", expected an integer of 1 to 2^24 [E_RANGE]");
  CHECK_RAISES(config_of(with(R"({"dim": 12.5})")), "has 12.5 in \"dim\"");
  CHECK_RAISES(config_of(with(R"({"dim": 1e300})")), "[E_RANGE]");
  CHECK_RAISES(config_of(with(R"({"dim": [4, 4]})")), "has a list in \"dim\", expected one integer");
  CHECK_RAISES(config_of(with(R"({"image_size": [4, 4, 4]})")), "has 3 sizes in \"image_size\", expected 1 or 2");
  CHECK_RAISES(config_of(with(R"({"std": 0})")), "has 0 in \"std\", expected positive numbers");
  CHECK_RAISES(config_of(with(R"({"dim": 8, "mlp_ratio": 1e30})")), "as \"mlp_ratio\" [E_RANGE]");
  CHECK_RAISES(config_of(with(R"({"gelu": "tanh"})")), "asks for \"gelu\"");
}
