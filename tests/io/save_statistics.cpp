#include "halfstep/io/save_statistics.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "halfstep/io/load_statistics.hpp"
#include "halfstep/io/safetensors.hpp"
#include "support/catch.hpp"
#include "support/executors.hpp"
#include "support/float_matrix.hpp"
#include "support/temporary_directory.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

TEST_CASE("statistics have the parts that the layout says", "[save_statistics]") {
  hs::Histogram seen(hs::per_column(), 3);
  const FloatMatrix x = random_matrix(20, 4, 1);
  seen.observe(x.view());
  hs::StatisticsTensors statistics;
  statistics.add("a", seen);
  hs::HeadwiseRange heads({.groups = 2, .sigma = 0.25f});
  heads.observe(x.view());
  statistics.add("b", heads);
  const TemporaryDirectory directory;
  hs::save(directory.file("s.safetensors"), statistics);
  const auto file = hs::SafetensorsFile::open(directory.file("s.safetensors"));
  CHECK(file.metadata().at("halfstep.statistics") == "1");
  CHECK(file.metadata().at("halfstep.statistics.a") ==
        R"({"kind":"histogram","mantissa_bits":3,"tile_cols":1,"tile_rows":0})");
  CHECK(file.metadata().at("halfstep.statistics.b") ==
        R"({"batches":1,"groups":2,"kind":"headwise_range","sigma":0.25})");
  CHECK(file.integers<std::int64_t>("a.shape") == std::vector<std::int64_t>{20, 4});
  const auto octaves = file.integers<std::int32_t>("a.octaves");
  REQUIRE(octaves.size() == 16);
  hs::Index octave_count = 0;
  for (std::size_t i = 1; i < octaves.size(); i += 2) octave_count += octaves[i];
  CHECK(file.tensor("a.counts").shape == std::vector<hs::Index>{octave_count * 8});
  std::int64_t total = 0;
  for (const std::int64_t count : file.integers<std::int64_t>("a.counts")) total += count;
  for (const std::int64_t zeros : file.integers<std::int64_t>("a.zeros")) total += zeros;
  CHECK(total == 80);
  CHECK(file.matrix("b.estimates").values.size() == 4);
}

TEST_CASE("equal statistics give equal files, whatever threads, batches and merges they came from",
          "[save_statistics]") {
  const FloatMatrix x = random_matrix(64, 6, 2);
  const TemporaryDirectory directory;
  const auto bytes_of_parts = [&](int parts, const char* name, hs::ExecutorRef executor) {
    hs::StatisticsTensors statistics;
    hs::Histogram counts(hs::per_column());
    hs::MinMax ends(hs::per_tensor());
    for (int i = 0; i < parts; ++i) {
      hs::Histogram some(hs::per_column());
      hs::MinMax range(hs::per_tensor());
      const hs::Index rows = 64 / parts;
      some.observe(x.view().row_range(i * rows, rows), executor);
      range.observe(x.view().row_range(i * rows, rows), executor);
      counts.merge(some);
      ends.merge(range);
    }
    statistics.add("counts", counts);
    statistics.add("ends", ends);
    hs::save(directory.file(name), statistics);
    return directory.read(name);
  };
  // Batches have the same number of rows: what is saved is the shape of the last one.
  const BackwardsExecutor backwards;
  const std::string expected = bytes_of_parts(4, "a", {});
  CHECK(bytes_of_parts(4, "b", backwards) == expected);
  const FreshThreadsExecutor threads(3);
  CHECK(bytes_of_parts(4, "c", threads) == expected);
}

TEST_CASE("what cannot be saved says so, and leaves nothing", "[save_statistics]") {
  hs::StatisticsTensors statistics;
  CHECK_RAISES(statistics.add("a", hs::Histogram()), "no data was observed");
  CHECK_RAISES(statistics.add("a", hs::MinMax()), "no data was observed");
  CHECK_RAISES(statistics.add("a", hs::RunningAverage()), "no data was observed");
  CHECK_RAISES(statistics.add("a", hs::RunningPercentile()), "no data was observed");
  CHECK_RAISES(statistics.add("a", hs::RunningPercentileMax()), "no data was observed");
  CHECK_RAISES(statistics.add("a", hs::HeadwiseRange()), "no data was observed");
  CHECK(statistics.tensors().empty());
  CHECK(statistics.metadata().empty());
}

TEST_CASE("what one run has seen, another goes on with", "[save_statistics]") {
  const TemporaryDirectory directory;
  const auto path = directory.file("calibration.safetensors");
  const FloatMatrix first = random_matrix(8, 4, 3);
  hs::Histogram qkv;
  hs::MinMax fc1(hs::per_column());
  qkv.observe(first.view());
  fc1.observe(first.view());
  // [snippet statistics]
  hs::StatisticsTensors statistics;
  statistics.add("blocks.0.attn.qkv", qkv);  // an hs::Histogram
  statistics.add("blocks.0.mlp.fc1", fc1);   // an hs::MinMax
  hs::save(path, statistics);

  const auto file = hs::SafetensorsFile::open(path);  // another day, another program
  auto seen = hs::load_statistics<hs::Histogram>(file, "blocks.0.attn.qkv");
  seen.merge(qkv);  // goes on: observe, merge, ranges
  // [end statistics]
  CHECK(seen.granules()[0].count() == 64);
}
