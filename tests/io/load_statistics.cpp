#include "halfstep/io/load_statistics.hpp"

#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "halfstep/io/save_statistics.hpp"
#include "io/io_checks.hpp"
#include "io/replaced.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/float_matrix.hpp"
#include "support/temporary_directory.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;
using hs::IoErrorCode;

namespace {

template <class Observer>
std::string file_of(const Observer& seen) {
  const TemporaryDirectory directory;
  hs::save(directory.file("s.safetensors"), "x", seen);
  return directory.read("s.safetensors");
}

template <class Observer>
Observer read(const std::string& bytes, std::string_view name = "x") {
  return hs::load_statistics<Observer>(hs::SafetensorsFile::from_memory(bytes_of(bytes), "s.safetensors"), name);
}

/// Values of all sizes, zeros of both signs, in [rows, 6].
FloatMatrix values(hs::Index rows, std::uint32_t seed) {
  FloatMatrix x = random_matrix(rows, 6, seed);
  for (std::size_t i = 0; i < x.values.size(); i += 7) x.values[i] *= 1e-20f;
  for (std::size_t i = 3; i < x.values.size(); i += 11) x.values[i] = i % 2 == 0 ? 0.0f : -0.0f;
  x.values[1] = 0x1p-149f;
  x.values[2] = -std::numeric_limits<float>::max();
  return x;
}

std::vector<hs::Tiling> tilings() {
  return {hs::per_tensor(), hs::per_column(), hs::per_column_block(4), hs::per_row(),
          hs::per_column_map({0, 1, 1, 0, 2, 1})};
}

}  // namespace

TEST_CASE("observers that merge come back equal, and go on", "[load_statistics]") {
  const FloatMatrix first = values(10, 1), second = values(10, 2);
  for (const hs::Tiling& tiling : tilings()) {
    CAPTURE(tiling.tile_rows, tiling.tile_cols);
    for (const int mantissa_bits : {0, 7}) {
      hs::Histogram seen(tiling, mantissa_bits);
      seen.observe(first.view());
      auto loaded = read<hs::Histogram>(file_of(seen));
      CHECK(loaded == seen);
      CHECK(loaded.mantissa_bits() == mantissa_bits);
      CHECK(loaded.shape() == hs::Shape{10, 6});
      CHECK(hs::percentile_ranges(loaded, 0.9) == hs::percentile_ranges(seen, 0.9));
      loaded.observe(second.view());
      seen.observe(second.view());
      CHECK(loaded == seen);
      loaded.merge(seen);
    }
    hs::MinMax seen(tiling);
    seen.observe(first.view());
    auto loaded = read<hs::MinMax>(file_of(seen));
    CHECK(loaded == seen);
    CHECK(loaded.ranges() == seen.ranges());
    seen.observe(second.view());
    loaded.observe(second.view());
    CHECK(loaded == seen);
    CHECK_RAISES(loaded.observe(first.view().col_range(0, 5)), "batch has 5 columns, expected 6 as before");
  }
}

TEST_CASE("observers that average come back, and go on", "[load_statistics]") {
  const FloatMatrix first = random_matrix(10, 6, 3), second = random_matrix(10, 6, 4);
  for (const hs::Tiling& tiling : tilings()) {
    const auto goes_on = [&](auto seen) {
      using Observer = decltype(seen);
      seen.observe(first.view());
      auto loaded = read<Observer>(file_of(seen));
      CHECK(loaded.batches() == 1);
      CHECK(loaded.ranges() == seen.ranges());
      seen.observe(second.view());
      loaded.observe(second.view());
      CHECK(loaded.batches() == 2);
      CHECK(loaded.ranges() == seen.ranges());
    };
    goes_on(hs::RunningAverage({.tiling = tiling, .sigma = 0.1f}));
    goes_on(hs::RunningPercentile({.p = 0.9, .tiling = tiling, .sigma = 0.3f}));
    goes_on(hs::RunningPercentileMax({.p = 0.95, .tiling = tiling}));
  }
  hs::HeadwiseRange heads({.groups = 3, .sigma = 0.2f});
  heads.observe(first.view());
  auto loaded = read<hs::HeadwiseRange>(file_of(heads));
  CHECK(loaded.estimates() == heads.estimates());
  heads.observe(second.view());
  loaded.observe(second.view());
  CHECK(loaded.estimates() == heads.estimates());
}

TEST_CASE("several observers share a file", "[load_statistics]") {
  const FloatMatrix x = random_matrix(10, 6, 5);
  hs::Histogram counts;
  hs::MinMax ends(hs::per_column());
  counts.observe(x.view());
  ends.observe(x.view());
  hs::StatisticsTensors statistics;
  statistics.add("blocks.0.qkv", counts);
  statistics.add("blocks.0.fc1", ends);
  const TemporaryDirectory directory;
  hs::save(directory.file("s"), statistics);
  const auto file = hs::SafetensorsFile::open(directory.file("s"));
  CHECK(hs::load_statistics<hs::Histogram>(file, "blocks.0.qkv") == counts);
  CHECK(hs::load_statistics<hs::MinMax>(file, "blocks.0.fc1") == ends);
  check_io_error([&] { static_cast<void>(hs::load_statistics<hs::MinMax>(file, "blocks.0.qkv")); },
                 IoErrorCode::unsupported,
                 {"statistics \"blocks.0.qkv\" are of the kind \"histogram\", expected \"min_max\""});
  check_io_error([&] { static_cast<void>(hs::load_statistics<hs::MinMax>(file, "blocks.1.qkv")); },
                 IoErrorCode::not_found, {"describes no statistics \"blocks.1.qkv\""});
}

TEST_CASE("statistics that no values have are refused", "[load_statistics]") {
  hs::MinMax ends;
  hs::Histogram counts(hs::per_tensor(), 1);
  hs::RunningAverage average;
  const std::vector<float> x = {-1.5f, 0, 2, 3};
  const hs::MatrixView<const float> batch(x.data(), 1, 4);
  ends.observe(batch);
  counts.observe(batch);
  average.observe(batch);
  /// The file of `seen` with the first bytes of `part` replaced by `value`.
  const auto spoilt = [](const auto& seen, std::string_view part, auto value, std::size_t element) {
    std::string bytes = file_of(seen);
    const auto file = hs::SafetensorsFile::from_memory(bytes_of(bytes), "s");
    const auto at = static_cast<std::size_t>(file.bytes(part).data() - bytes_of(bytes).data());
    std::memcpy(bytes.data() + at + element * sizeof value, &value, sizeof value);
    return bytes;
  };
  const auto refuses = [&](const auto& seen, std::string_view part, auto value, std::size_t element,
                           std::string_view reason) {
    using Observer = std::remove_cvref_t<decltype(seen)>;
    check_io_error([&] { static_cast<void>(read<Observer>(spoilt(seen, part, value, element))); }, IoErrorCode::value,
                   {"statistics \"x\"", reason});
  };
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  refuses(ends, "x.ends", nan, 0, "of granule 0 cannot be: an end of a range is not finite");
  refuses(ends, "x.ends", 5.0f, 0, "the least value is above the largest");
  refuses(ends, "x.values", std::int64_t{0}, 0, "the number of values is below 1");
  refuses(ends, "x.sum_abs", std::uint64_t{1}, 4, "the sum of |x| is too large");
  refuses(counts, "x.ends", nan, 1, "an end is not finite");
  refuses(counts, "x.ends", 4.5f, 1, "the largest value is not in the last bin");
  refuses(counts, "x.ends", -0.5f, 0, "the least value is not in the first bin");
  refuses(counts, "x.zeros", std::int64_t{-1}, 0, "a count is negative");
  refuses(counts, "x.counts", std::numeric_limits<std::int64_t>::max(), 0, "all are more than 2^63");
  refuses(counts, "x.octaves", std::int32_t{255}, 0, "octaves reach beyond the finite floats");
  refuses(average, "x.ranges", nan, 2, "a mean of |x| is negative or not finite");
  refuses(average, "x.ranges", 7.0f, 0, "the least value of a range is above the largest");
  check_io_error([&] { static_cast<void>(read<hs::Histogram>(spoilt(counts, "x.octaves", std::int32_t{256}, 1))); },
                 IoErrorCode::range, {"have 256 octaves from number"});
  check_io_error([&] { static_cast<void>(read<hs::MinMax>(spoilt(ends, "x.shape", std::int64_t{0}, 0))); },
                 IoErrorCode::value, {"have a shape without elements"});
}

TEST_CASE("descriptions that cannot be read are refused", "[load_statistics]") {
  hs::RunningPercentile seen({.p = 0.75, .sigma = 0.5f});
  seen.observe(random_matrix(3, 4, 6).view());
  const std::string file = file_of(seen);
  const auto refuses = [&](std::string_view from, std::string_view to, IoErrorCode code, std::string_view part) {
    check_io_error([&] { static_cast<void>(read<hs::RunningPercentile>(replaced(file, from, to))); }, code, {part});
  };
  refuses(R"(\"p\":0.75)", R"(\"p\":0.25)", IoErrorCode::range, "has 0.25 as \"p\", expected 0.5 to 1");
  refuses(R"(\"p\":0.75)", R"(\"q\":0.75)", IoErrorCode::type, "has no number \"p\"");
  refuses(R"(\"sigma\":0.5)", R"(\"sigma\":1.5)", IoErrorCode::range, "\"sigma\"");
  refuses(R"(\"sigma\":0.5)", R"(\"sigma\":0.0)", IoErrorCode::range, "\"sigma\" of 0");
  refuses(R"(\"batches\":1)", R"(\"batches\":0)", IoErrorCode::range, "\"batches\"");
  refuses(R"(\"batches\":1)", R"(\"batches\": )", IoErrorCode::syntax, "not a JSON object");
  refuses(R"("halfstep.statistics":"1")", R"("halfstep.statistics":"2")", IoErrorCode::version, "expected 1");
  refuses(R"("halfstep.statistics":"1")", R"("halfstep.statistisc":"1")", IoErrorCode::not_found, "in its metadata");
}

TEST_CASE("granules that take more memory than the file accounts for are refused", "[load_statistics]") {
  // A description of 2^40 granules, and parts of none.
  const std::string header =
      R"({"__metadata__":{"halfstep.statistics":"1","halfstep.statistics.x":"{\"kind\":\"min_max\",)"
      R"(\"tile_cols\":1,\"tile_rows\":1}"},"x.shape":{"dtype":"I64","shape":[2],"data_offsets":[0,16]}})";
  const std::string size = little_endian(std::uint64_t{1} << 20);
  set_allocation_limit(std::size_t{65} << 20);
  const auto raised =
      raised_io_error([&] { static_cast<void>(read<hs::MinMax>(raw_safetensors(header, size + size))); });
  set_allocation_limit(SIZE_MAX);
  REQUIRE(raised);
  CHECK(raised->code == IoErrorCode::limit);
  CHECK(raised->message.find("have 1099511627776 granules") != std::string::npos);
}

namespace {

/// Reads the file of `seen` with each byte spoilt in three ways, and each of its prefixes; what can be read is used.
template <class Observer>
void check_spoilt_files(const Observer& seen) {
  const std::string file = file_of(seen);
  int refused = 0;
  set_allocation_limit(file.size() + (std::size_t{64} << 20) + 1);
  for (std::size_t at = 0; at < file.size(); ++at) {
    for (const int flip : {1, 0x80, 0xff}) {
      std::string spoilt = file;
      spoilt[at] = static_cast<char>(spoilt[at] ^ flip);
      refused += raised_io_error([&] { static_cast<void>(read<Observer>(spoilt).ranges()); }) ? 1 : 0;
    }
  }
  set_allocation_limit(SIZE_MAX);
  CHECK(refused > 0);
  for (std::size_t size = 0; size < file.size(); ++size) {
    REQUIRE(raised_io_error([&] { static_cast<void>(read<Observer>(file.substr(0, size))); }));
  }
}

}  // namespace

TEST_CASE("statistics with any byte spoilt are read or refused", "[load_statistics]") {
  const FloatMatrix x = random_matrix(4, 6, 7);
  hs::Histogram counts(hs::per_column_map({0, 1, 1, 0, 2, 1}), 0);
  counts.observe(x.view().row_range(0, 1));
  check_spoilt_files(counts);
  hs::MinMax ends(hs::per_column_block(4));
  ends.observe(x.view());
  check_spoilt_files(ends);
  hs::RunningPercentileMax average({.tiling = hs::per_column_block(3)});
  average.observe(x.view());
  check_spoilt_files(average);
}
