// Agreement with golden/mxfp.safetensors: codes and scales of MXFP4 under four rules and of NVFP4 with one and two
// levels, bit for bit; values to 1e-6 of themselves.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "halfstep/core/float8.hpp"
#include "halfstep/kernels/quantize_blocks.hpp"
#include "halfstep/quantizers/minifloat.hpp"
#include "halfstep/quantizers/mx_float.hpp"
#include "halfstep/quantizers/nv_float.hpp"
#include "halfstep/quantizers/scale_storage.hpp"
#include "support/catch.hpp"
#include "support/golden.hpp"
#include "support/golden_codes.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

/// A golden tensor, leading dimensions as rows.
MatrixF tensor(const Golden& g, const std::string& name) {
  const LoadedMatrix<float> loaded = g.matrix(name);
  MatrixF matrix(loaded.rows, loaded.cols);
  std::copy(loaded.values.begin(), loaded.values.end(), matrix.data());
  return matrix;
}

/// Packed codes, scales' codes and values of a quantized matrix against those of the file.
template <class F, class CodeOf>
void check_blocks(const Golden& g, const std::string& prefix, const std::string& scale_name,
                  const QuantizedMatrix<F>& q, CodeOf code_of) {
  const auto codes = g.values<int>(prefix + "packed");
  const auto scales = g.values<int>(prefix + scale_name);
  const auto values = g.values<float>(prefix + "deq");
  REQUIRE(static_cast<Index>(codes.size()) == q.rows() * q.cols() / 2);
  REQUIRE(static_cast<Index>(scales.size()) == q.grid().count());
  CHECK(mismatches(codes, [&](std::size_t i) {
          const auto row_bytes = static_cast<std::size_t>(q.cols() / 2);
          return q.packed_row(static_cast<Index>(i / row_bytes))[i % row_bytes];
        }) == 0);
  CHECK(mismatches(scales, [&](std::size_t i) { return code_of(q.quantizer(static_cast<Index>(i)).scale); }) == 0);
  const MatrixF decoded = dequantize(q);
  CHECK(mismatches(values, [&](std::size_t i) { return decoded.data()[i]; }, {1e-6, 0}) == 0);
}

template <ExponentRule Rule>
void check_mx(const Golden& g, const std::string& tensor_name, const std::string& rule) {
  CAPTURE(tensor_name, rule);
  const MatrixF x = tensor(g, tensor_name + ".x");
  check_blocks(g, tensor_name + "." + rule + ".", "scale", quantize_blocks<MxFloat<Fp4E2M1, Rule>>(x),
               [](float scale) { return encode_e8m0_up(scale); });
}

void check_nv(const Golden& g, const std::string& number, const std::string& name, ScaleLevels levels) {
  CAPTURE(number, name);
  const MatrixF x = tensor(g, "mx" + number + ".x");
  const std::string prefix = "nv" + number + "." + name + ".";
  const auto q = quantize_blocks<NVFP4>(x, {.levels = levels});
  CHECK(q.quantizer(0).tensor_scale == g.scalar<float>(prefix + "global"));
  check_blocks(g, prefix, "scale_code", q, encode_e4m3_scale);
}

}  // namespace

TEST_CASE("golden: mxfp element and scale codes", "[golden]") {
  const Golden g("mxfp");
  check_codes(Fp4E2M1{}, g.values<float>("e2m1.x"), g.values<int>("e2m1.codes"));
  const auto table = g.values<float>("e2m1.table");
  CHECK(mismatches(table, [](std::size_t i) { return Fp4E2M1{}.decode(static_cast<std::int32_t>(i)); }) == 0);
  check_codes(Fp8E4M3{}, g.values<float>("e4m3.x"), g.values<int>("e4m3.codes"));
  const auto scales = g.values<float>("e4m3.table");
  CHECK(mismatches(scales, [](std::size_t i) { return decode_e4m3(static_cast<std::uint8_t>(i)); }) == 0);
  CHECK(mismatches(scales, [](std::size_t i) { return Fp8E4M3{}.decode(static_cast<std::int32_t>(i)); }) == 0);
}

TEST_CASE("golden: mxfp MXFP4 under every rule", "[golden]") {
  const Golden g("mxfp");
  for (const GoldenCase& c : g.cases("mx*.x")) {
    const std::string name = "mx" + c.parts[0];
    check_mx<ExponentRule::floor>(g, name, "floor");
    check_mx<ExponentRule::even>(g, name, "even");
    check_mx<ExponentRule::ceil>(g, name, "ceil");
    check_mx<ExponentRule::rceil>(g, name, "rceil");
  }
}

TEST_CASE("golden: mxfp NVFP4 with one and two levels", "[golden]") {
  const Golden g("mxfp");
  for (const GoldenCase& c : g.cases("mx*.x")) {
    check_nv(g, c.parts[0], "two", ScaleLevels::two);
    check_nv(g, c.parts[0], "one", ScaleLevels::one);
  }
}

TEST_CASE("golden: mxfp is consumed", "[golden]") { Golden("mxfp").require_all_consumed_at_end(); }
