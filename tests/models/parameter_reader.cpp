#include "halfstep/models/parameter_reader.hpp"

#include <span>
#include <vector>

#include "halfstep/io/named_tensor.hpp"
#include "halfstep/io/safetensors_writer.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

namespace hs = halfstep;

TEST_CASE("ParameterReader reads tensors of the shape that is expected", "[parameter_reader]") {
  const halfstep_tests::TemporaryDirectory directory;
  const std::vector<float> six{1, 2, 3, 4, 5, 6}, other = six, two{7, 8}, none;
  hs::write_safetensors(
      directory.file("p.safetensors"),
      std::vector<hs::NamedTensor>{hs::named_tensor("fc.weight", std::span<const float>(six), {2, 3}),
                                   hs::named_tensor("fc.bias", std::span<const float>(two), {2}),
                                   hs::named_tensor("bare.weight", std::span<const float>(other), {3, 2}),
                                   hs::named_tensor("empty", std::span<const float>(none), {0, 3})});
  const auto file = hs::SafetensorsFile::open(directory.file("p.safetensors"));
  const hs::ParameterReader reader(file);
  hs::SiteList sites;
  const hs::Linear fc = reader.linear("fc", 2, 3, sites, "dim"), bare = reader.linear("bare", 3, 2, sites, "dim");
  CHECK(fc.weight == six);
  CHECK(fc.bias == two);
  CHECK(bare.bias.empty());
  CHECK(sites.at("bare").weight == hs::Shape{3, 2});
  CHECK(reader.leading("bare.weight") == 3);
  CHECK(reader.sizes("fc.weight", 2) == std::vector<hs::Index>{2, 3});
  CHECK_RAISES(reader.sizes("fc.weight", 3), "tensor \"fc.weight\" has shape [2, 3], expected 3 sizes of at least 1");
  CHECK_RAISES(reader.leading("empty"), "tensor \"empty\" has shape [0, 3], expected 2 sizes of at least 1");
  CHECK_RAISES(reader.linear("fc", 3, 2, sites, "dim"),
               "tensor \"fc.weight\" has shape [2, 3], expected [3, 2] from dim");
  CHECK_RAISES(reader.linear("other", 3, 2, sites, "dim"), "has no tensor \"other.weight\"");
}
