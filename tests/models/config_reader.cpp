#include "halfstep/models/config_reader.hpp"

#include <string>
#include <vector>

#include "halfstep/io/safetensors_writer.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

namespace hs = halfstep;

namespace {

struct Config {
  halfstep_tests::TemporaryDirectory directory;
  hs::SafetensorsFile file;

  explicit Config(const hs::Metadata& metadata) : file(open(directory, metadata)) {}

  static hs::SafetensorsFile open(const halfstep_tests::TemporaryDirectory& directory, const hs::Metadata& metadata) {
    hs::write_safetensors(directory.file("c.safetensors"), std::vector<hs::NamedTensor>{}, {.metadata = metadata});
    return hs::SafetensorsFile::open(directory.file("c.safetensors"));
  }
};

}  // namespace

TEST_CASE("read_config gives the fields of the model's type, or none", "[config_reader]") {
  const Config config(
      {{"model_type", "vit"}, {"config", R"({"size": 3, "sizes": [4, 5], "number": 0.5, "yes": true, "none": null})"}});
  const auto reader = hs::read_config(config.file, "vit");
  REQUIRE(reader);
  CHECK(reader->size("size") == 3);
  CHECK(reader->size("none") == std::nullopt);
  CHECK(reader->sizes("sizes") == std::vector<hs::Index>{4, 5});
  CHECK(reader->positive_number("number") == 0.5f);
  CHECK(reader->numbers("sizes") == std::vector<float>{4, 5});
  CHECK(reader->flag("yes") == true);
  CHECK(reader->flag("missing") == std::nullopt);
  reader->require_only("number", 0.5);
  reader->require_only("missing", "anything");
  CHECK_RAISES(reader->require_only("number", 0.25),
               "metadata \"config\" asks for \"number\": \"0.5\", only 0.25 is known");
  CHECK_RAISES(reader->positive_number("sizes"), "has a list in \"sizes\", expected one number");
  CHECK_RAISES(reader->flag("size"), "has \"size\": 3, expected true or false");
  CHECK_RAISES(hs::read_config(config.file, "llama"), "holds a model of type \"vit\", expected \"llama\"");
  CHECK(!hs::read_config(Config(hs::Metadata{}).file, "vit"));
}
