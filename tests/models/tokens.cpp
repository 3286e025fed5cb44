#include "halfstep/models/tokens.hpp"

#include <cstdint>
#include <vector>

#include "halfstep/io/named_tensor.hpp"
#include "halfstep/io/safetensors_writer.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

namespace hs = halfstep;

TEST_CASE("tokens come from tensors of integers, a sequence a row", "[tokens]") {
  const halfstep_tests::TemporaryDirectory directory;
  const std::vector<std::int32_t> ids{4, 5, 6, 7, 8, 9}, flat = ids;
  const std::vector<std::int64_t> wide{1, 2, 3, 4}, large{1, std::int64_t{1} << 40};
  const std::vector<float> floats{1, 2};
  hs::write_safetensors(
      directory.file("t.safetensors"),
      std::vector<hs::NamedTensor>{hs::named_tensor("ids", std::span<const std::int32_t>(ids), {2, 3}),
                                   hs::named_tensor("wide", std::span<const std::int64_t>(wide), {4, 1}),
                                   hs::named_tensor("large", std::span<const std::int64_t>(large), {1, 2}),
                                   hs::named_tensor("flat", std::span<const std::int32_t>(flat), {6}),
                                   hs::named_tensor("floats", std::span<const float>(floats), {1, 2})});
  const auto file = hs::SafetensorsFile::open(directory.file("t.safetensors"));
  const hs::Tokens tokens = hs::load_tokens(file, "ids");
  CHECK(tokens.ids == ids);
  CHECK(tokens.view().size() == 6);
  CHECK(tokens.view().sequence(1)[2] == 9);
  CHECK(tokens.view().range(1, 1).ids[0] == 7);
  CHECK(tokens.view().range(1, 1).count == 1);
  CHECK(hs::load_tokens(file, "wide").count == 4);
  CHECK_RAISES(hs::load_tokens(file, "flat"), "tensor \"flat\" has shape [6], expected sequences of tokens");
  CHECK_RAISES(hs::load_tokens(file, "floats"), "floats");
  CHECK_RAISES(hs::load_tokens(file, "large"), "large");
  CHECK_RAISES(hs::load_tokens(file, "none"), "has no tensor \"none\"");
}
