// The table of messages in docs/embedding.md: every row is raised here, word by word.

#include <array>
#include <fstream>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "halfstep/halfstep.hpp"
#include "halfstep/kernels/dispatch.hpp"
#include "halfstep/kernels/tile_generic.hpp"
#include "support/catch.hpp"
#include "support/test_quantizers.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

namespace {

/// The first cells of the table, without their quotes.
std::vector<std::string> documented_messages() {
  std::ifstream file(HALFSTEP_EXAMPLE_DATA_DIR "/../../docs/embedding.md");
  REQUIRE(file.is_open());
  std::vector<std::string> messages;
  bool is_inside = false;
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("| message |", 0) == 0) {
      is_inside = true;
    } else if (is_inside && line.rfind("| `", 0) == 0) {
      messages.push_back(line.substr(3, line.find("` |") - 3));
    } else if (is_inside && line.rfind("|---", 0) != 0) {
      break;
    }
  }
  return messages;
}

struct Row {
  std::string message;
  std::function<void()> call;
};

hs::MatrixF ones(hs::Index rows, hs::Index cols) { return hs::MatrixF::Ones(rows, cols); }

hs::PackedMatrix weight(hs::Index rows, hs::Index cols) {
  return hs::pack(hs::quantize<hs::Uniform<4>>(ones(rows, cols)));
}

void multiply_into(hs::Index rows, hs::Index cols) {
  hs::MatrixF out(rows, cols);
  hs::Workspace workspace;
  hs::matmul_into(ones(3, 8), weight(5, 8), out, workspace);
}

hs::MatrixF with_value(hs::MatrixF matrix, hs::Index row, hs::Index col, float value) {
  matrix(row, col) = value;
  return matrix;
}

hs::PackedMatrix pack_with_map(std::vector<std::int32_t> map) {
  const hs::MatrixF w = ones(2, static_cast<hs::Index>(map.size()));
  return hs::pack(hs::quantize<hs::Uniform<4>>(w, {.tiling = hs::per_column_map(std::move(map))}));
}

/// The kernels of another architecture.
#if defined(__aarch64__)
constexpr const char* foreign_isa = "avx2";
#else
constexpr const char* foreign_isa = "neon";
#endif
constinit const hs::KernelTable foreign{foreign_isa, &hs::tile_generic};

/// What stands in the document for this machine's names: "avx2" in both rows.
std::string localized(std::string text, const std::string& first, const std::string& last) {
  text.replace(text.find("avx2"), 4, first);
  return text.replace(text.rfind("avx2"), 4, last);
}

std::vector<Row> rows() {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  return {
    {"matmul: x has 768 columns, packed weight expects 1024 (its in_features)",
     [] { static_cast<void>(hs::matmul(ones(2, 768), weight(4, 1024))); }},
        {"matmul: out has shape [3, 4], expected [3, 5]", [] { multiply_into(3, 4); }},
        {"matmul: bias has 4 elements, packed weight has 5 rows (its out_features)",
         [] {
           const Eigen::VectorXf bias = Eigen::VectorXf::Zero(4);
           static_cast<void>(hs::matmul(ones(3, 8), weight(5, 8), {.bias = bias}));
         }},
        {"quantize: matrix is not finite: row 17, column 4 is nan",
         [nan] { static_cast<void>(hs::quantize<hs::Uniform<4>>(with_value(ones(20, 8), 17, 4, nan))); }},
        {"matmul_encoded: row 3 of the product is not finite: it has no codes",
         [nan] {
           static_cast<void>(hs::matmul_encoded(with_value(ones(5, 8), 3, 0, nan), weight(5, 8), {}, hs::Activation()));
         }},
        {"per_group: size is 0, expected at least 1", [] { static_cast<void>(hs::per_group(0)); }},
        {"Tiling: column map leaves group 1 of 3 empty",
         [] {
           static_cast<void>(pack_with_map({0, 0, 2, 2}));
         }},
        {"pack: column map has groups of different sizes: group 1 does not have the 2 columns of group 0; only the "
         "last "
         "may be shorter",
         [] {
           static_cast<void>(pack_with_map({0, 0, 1, 2, 2}));
         }},
        {"Activation::per_token: the planes of this quantizer depend on its parameters: fit it once instead",
         [] { static_cast<void>(hs::Activation::per_token<WarpQuantizer<4>>()); }},
        {"pack_activation: activation is fitted to each row, expected a static one (a quantizer)",
         [] { static_cast<void>(hs::pack_activation(ones(2, 2), hs::Activation())); }},
        {"Histogram::range: no data was observed", [] { static_cast<void>(hs::Histogram().range()); }},
        {"ThreadPool: threads is 0, expected at least 1", [] { const hs::ThreadPool pool(0); }},
        {"pick_kernels: instruction set \"avx2\" was asked for, and this machine lacks avx2",
         [] { static_cast<void>(hs::pick_kernels(std::array{&foreign}, foreign_isa)); }},
#if defined(__x86_64__)
        {"this program was compiled for avx2, and the processor or the operating system lacks avx2",
         [] { hs::simd::raise_missing("avx2"); }},
#endif
  };
}

}  // namespace

TEST_CASE("the table of error messages is what is raised, row by row", "[errors]") {
  const std::vector<std::string> documented = documented_messages();
  std::vector<Row> raised = rows();
  for (std::size_t i = 0; i < raised.size(); ++i) {
    REQUIRE(i < documented.size());
    CHECK(documented[i] == raised[i].message);
    std::string expected = raised[i].message;
    if (expected.rfind("pick_kernels", 0) == 0) {
      expected = localized(expected, foreign_isa, std::string(hs::simd::missing_feature(foreign_isa)));
    } else if (expected.rfind("this program", 0) == 0) {
      expected = localized(expected, std::string(hs::simd::isa_name), "avx2");
    }
    CHECK(error_message(raised[i].call).value_or("(no halfstep::Error)") == "halfstep: " + expected);
  }
#if defined(__x86_64__)
  CHECK(documented.size() == raised.size());
#endif
}
