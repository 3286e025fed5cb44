// Agreement with golden/uniform.safetensors: quantizers and range estimators as their authors' programs computed them.
// Cases are found by the names of the tensors, so another file of the same structure serves as well. Tolerances are
// those of the file and its index: codes and zero points exact, scales and decoded values 2e-6 of themselves, a
// searched range the same candidate or an error within 1e-5 of the stored candidate's, stored errors (float32 means)
// 1e-4.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "halfstep/calibrators/range/fit_each.hpp"
#include "halfstep/calibrators/range/min_max.hpp"
#include "halfstep/calibrators/range/omse.hpp"
#include "halfstep/calibrators/range/percentile.hpp"
#include "halfstep/calibrators/range/percentile_mse.hpp"
#include "halfstep/calibrators/range/published_fits.hpp"
#include "halfstep/calibrators/range/running_average.hpp"
#include "halfstep/calibrators/range/squared_error.hpp"
#include "halfstep/kernels/quantize.hpp"
#include "support/catch.hpp"
#include "support/close.hpp"
#include "support/golden.hpp"
#include "support/with_bits.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

/// The name that the tensors of a case share: "affine_tensor.b4".
std::string case_name(const GoldenCase& c) { return c.prefix.substr(0, c.prefix.size() - 1); }

/// Parameters as a file stores them: signed codes have zero point 0 there, 2^(b-1) here.
enum class Signedness { is_unsigned, is_signed };

template <int Bits>
std::vector<Uniform<Bits>> stored_quantizers(const std::vector<float>& scales, const std::vector<std::int32_t>& zps,
                                             Signedness signedness) {
  REQUIRE((zps.empty() || zps.size() == scales.size()));
  std::vector<Uniform<Bits>> quantizers;
  for (std::size_t i = 0; i < scales.size(); ++i) {
    const std::int32_t offset = signedness == Signedness::is_signed ? 1 << (Bits - 1) : 0;
    quantizers.push_back({scales[i], (zps.empty() ? 0 : zps[i]) + offset});
  }
  return quantizers;
}

/// Checks scales to 2e-6 and zero points exactly.
template <int Bits>
void check_parameters(const std::vector<Uniform<Bits>>& quantizers, const std::vector<Uniform<Bits>>& expected) {
  REQUIRE(quantizers.size() == expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    CAPTURE(i, quantizers[i].scale, expected[i].scale);
    CHECK(close(quantizers[i].scale, expected[i].scale, 2e-6));
    CHECK(quantizers[i].zero_point == expected[i].zero_point);
  }
}

/// The number of `codes` that differ from those of `x` under `quantizers`, in bulk and one by one.
template <int Bits>
std::size_t wrong_codes(MatrixView<const float> x, const Tiling& tiling, const std::vector<Uniform<Bits>>& quantizers,
                        const std::vector<std::int32_t>& codes, Signedness signedness) {
  REQUIRE(static_cast<Index>(codes.size()) == x.size());
  const std::int32_t offset = signedness == Signedness::is_signed ? 1 << (Bits - 1) : 0;
  const QuantizedMatrix<Uniform<Bits>> q = quantize_with<Uniform<Bits>>(x, quantizers, {.tiling = tiling});
  std::size_t wrong = 0;
  for (Index r = 0; r < x.rows; ++r) {
    for (Index c = 0; c < x.cols; ++c) {
      const std::int32_t expected = codes[static_cast<std::size_t>(r * x.cols + c)] + offset;
      wrong += std::int32_t{q.code(r, c)} != expected || q.quantizer_at(r, c).encode(x(r, c)) != expected;
    }
  }
  return wrong;
}

/// The tiling that the first part of a name speaks of: affine_tensor, sym_row, affine_group16.
Tiling tiling_of(std::string_view name) {
  const std::string_view kind = name.substr(name.find('_') + 1);
  if (kind == "tensor") return per_tensor();
  if (kind == "channel") return per_column();
  if (kind == "row") return per_row();
  REQUIRE(kind.substr(0, 5) == "group");
  return per_group(std::stoi(std::string(kind.substr(5))));
}

/// The number at the end of a part of a name: 8 of "b8", "uint8", "codes_b8".
int trailing_number(std::string_view part) {
  const std::size_t at = part.find_last_not_of("0123456789");
  REQUIRE(at + 1 < part.size());
  return std::stoi(std::string(part.substr(at + 1)));
}

template <int Bits>
void check_codes(const Golden& file, const std::string& name, const Tiling& tiling, Signedness signedness) {
  const auto x = file.matrix(name + ".x");
  const auto zps =
      signedness == Signedness::is_signed ? std::vector<std::int32_t>{} : file.values<std::int32_t>(name + ".zp");
  const auto quantizers = stored_quantizers<Bits>(file.values<float>(name + ".scale"), zps, signedness);
  CHECK(wrong_codes<Bits>(x.view(), tiling, quantizers, file.values<std::int32_t>(name + ".codes"), signedness) == 0);
  const MatrixF values = dequantize(quantize_with<Uniform<Bits>>(x.view(), quantizers, {.tiling = tiling}));
  const std::vector<float> expected = file.values<float>(name + ".dequant");
  REQUIRE(static_cast<Index>(expected.size()) == values.size());
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) wrong += !close(values.data()[i], expected[i], 2e-6);
  CHECK(wrong == 0);
}

/// The batches of an activation: a stored tensor [batches, tokens, channels].
std::vector<MatrixView<const float>> batches_of(const Golden& file, const LoadedMatrix<float>& all) {
  const Index count = file.shape("est.batches").at(0);
  std::vector<MatrixView<const float>> batches;
  for (Index b = 0; b < count; ++b) {
    batches.push_back(all.view().row_range(b * (all.rows / count), all.rows / count));
  }
  return batches;
}

/// Checks what FQ-ViT's rules make of `ranges` against the tensors `name`.scale and `name`.zp; the last part of the
/// name is the type of the codes, such as uint8.
void check_fq_vit(const Golden& file, const std::string& name, const std::vector<Range>& ranges) {
  const std::string type = name.substr(name.rfind('.') + 1);
  const Signedness signedness = type[0] == 'u' ? Signedness::is_unsigned : Signedness::is_signed;
  with_bits(trailing_number(type), [&](auto bits) {
    constexpr int Bits = bits();
    const auto rule = signedness == Signedness::is_signed ? fq_vit_signed_fit<Bits> : fq_vit_unsigned_fit<Bits>;
    check_parameters<Bits>(fit_each<Uniform<Bits>>(ranges, rule),
                           stored_quantizers<Bits>(file.values<float>(name + ".scale"),
                                                   file.values<std::int32_t>(name + ".zp"), signedness));
  });
}

Tiling tiling_of_mode(const std::string& name) {
  return name.find(".channel_wise.") != std::string::npos ? per_column() : per_tensor();
}

/// FQ-ViT's order, which `Uniform` does not have: the zero point is added, then the sum is rounded. The same codes but
/// at ties with an odd zero point.
void check_sum_first(const std::vector<float>& x, float scale, std::int32_t zp, int bits,
                     const std::vector<std::int32_t>& codes, const std::vector<std::int32_t>& usual) {
  REQUIRE(codes.size() == x.size());
  REQUIRE(usual.size() == x.size());
  int differ = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const float steps = x[i] / scale;
    const bool is_tie = std::fabs(steps - std::trunc(steps)) == 0.5f;
    CHECK(codes[i] == simd::round_clamp(steps + static_cast<float>(zp), 0, static_cast<float>((1 << bits) - 1)));
    if (codes[i] != usual[i]) CHECK((is_tie && zp % 2 != 0));
    differ += codes[i] != usual[i];
  }
  CHECK((differ > 0) == (zp % 2 != 0));
}

}  // namespace

TEST_CASE("golden: uniform codes and values", "[golden]") {
  const Golden file("uniform");
  std::vector<GoldenCase> cases = file.cases("affine_*.b*.x");
  for (const GoldenCase& symmetric : file.cases("sym_*.b*.x")) cases.push_back(symmetric);
  for (const GoldenCase& c : cases) {
    const std::string name = case_name(c);
    CAPTURE(name);
    const std::size_t dot = name.find('.');
    const Signedness signedness = name.starts_with("sym_") ? Signedness::is_signed : Signedness::is_unsigned;
    const Tiling tiling = tiling_of(name.substr(0, dot));
    with_bits(trailing_number(name), [&](auto bits) { check_codes<bits()>(file, name, tiling, signedness); });
  }
  file.require_consumed("affine_*");
  file.require_consumed("sym_*");
}

TEST_CASE("golden: uniform ties round to even before the zero point is added", "[golden]") {
  const Golden file("uniform");
  const LoadedMatrix<float> x = file.matrix("ties.x");
  const std::vector<float> scale = file.values<float>("ties.scale");
  const std::vector<std::int32_t> zp = file.values<std::int32_t>("ties.zp");
  const std::string sum_first = "_add_then_round";
  std::vector<GoldenCase> cases = file.cases("ties.codes_b*");
  for (const GoldenCase& symmetric : file.cases("ties.sym_codes_b*")) cases.push_back(symmetric);
  for (const GoldenCase& c : cases) {
    const std::string& name = c.name;
    CAPTURE(name);
    const std::vector<std::int32_t> codes = file.values<std::int32_t>(name);
    if (name.ends_with(sum_first)) {
      const std::string usual = name.substr(0, name.size() - sum_first.size());
      check_sum_first(x.values, scale.at(0), zp.at(0), trailing_number(usual), codes, file.values<std::int32_t>(usual));
      continue;
    }
    const Signedness signedness = name.starts_with("ties.sym_") ? Signedness::is_signed : Signedness::is_unsigned;
    with_bits(trailing_number(name), [&](auto bits) {
      constexpr int Bits = bits();
      const auto zps = signedness == Signedness::is_signed ? std::vector<std::int32_t>{} : zp;
      const auto quantizers = stored_quantizers<Bits>(scale, zps, signedness);
      CHECK(wrong_codes<Bits>(x.view(), per_tensor(), quantizers, codes, signedness) == 0);
    });
  }
  file.require_consumed("ties.*");
}

TEST_CASE("golden: uniform ranges of FQ-ViT's observers", "[golden]") {
  const Golden file("uniform");
  const LoadedMatrix<float> all = file.matrix("est.batches");
  const std::vector<MatrixView<const float>> batches = batches_of(file, all);
  std::vector<GoldenCase> cases = file.cases("est_percentile.*.scale");
  for (const char* pattern : {"est_minmax.*.*.scale", "est_ema.*.*.scale"}) {
    for (const GoldenCase& c : file.cases(pattern)) cases.push_back(c);
  }
  for (const GoldenCase& c : cases) {
    const std::string name = case_name(c);
    CAPTURE(name);
    MinMax min_max(tiling_of_mode(name));
    RunningAverage average({.tiling = tiling_of_mode(name), .sigma = 0.01f});
    RunningPercentile percentile({.p = 0.99999, .tiling = tiling_of_mode(name), .sigma = 0.01f});
    for (const MatrixView<const float>& batch : batches) {
      min_max.observe(batch);
      average.observe(batch);
      percentile.observe(batch);
    }
    if (name.starts_with("est_minmax.")) check_fq_vit(file, name, min_max.ranges());
    if (name.starts_with("est_ema.")) check_fq_vit(file, name, average.ranges());
    if (name.starts_with("est_percentile.")) check_fq_vit(file, name, percentile.ranges());
  }
  for (const char* read : {"est_minmax.*", "est_ema.*", "est_percentile.*", "est.*"}) file.require_consumed(read);
}

TEST_CASE("golden: uniform ranges of FQ-ViT's search", "[golden]") {
  const Golden file("uniform");
  const LoadedMatrix<float> all = file.matrix("est.batches");
  const MatrixView<const float> batch = batches_of(file, all).at(0);  // the search looks at the first alone
  for (const GoldenCase& c : file.cases("est_omse.*.scale")) {
    const std::string name = case_name(c);
    CAPTURE(name);
    with_bits(trailing_number(name), [&](auto bits) {
      constexpr int Bits = bits();
      const RangeChoice<Uniform<Bits>> choice = omse<Uniform<Bits>>(batch, {}, fq_vit_unsigned_fit<Bits>).at(0);
      const std::int32_t index = file.values<std::int32_t>(name + ".index").at(0);
      const auto expected = stored_quantizers<Bits>(file.values<float>(name + ".scale"),
                                                    file.values<std::int32_t>(name + ".zp"), Signedness::is_unsigned);
      CHECK(close(choice.mse, file.values<float>(name + ".mse").at(0), 1e-4));
      if (choice.index == index) {
        check_parameters<Bits>({choice.quantizer}, expected);
      } else {  // another candidate must do as well
        const double stored = squared_error(expected.at(0), {batch.data, static_cast<std::size_t>(batch.size())}) /
                              static_cast<double>(batch.size());
        CHECK(choice.mse <= stored * (1 + 1e-5));
      }
    });
  }
  file.require_consumed("est_omse.*");
}

TEST_CASE("golden: uniform ranges of RepQ-ViT's percentiles", "[golden]") {
  const Golden file("uniform");
  for (const GoldenCase& c : file.cases("est_repq.*.b*.scale")) {
    const std::string name = case_name(c);
    CAPTURE(name);
    const LoadedMatrix<float> x = file.matrix(name.substr(0, name.rfind('.')));
    const std::vector<std::int32_t> index = file.values<std::int32_t>(name + ".index");
    const Tiling tiling = index.size() == 1 ? per_tensor() : per_row();
    with_bits(trailing_number(name), [&](auto bits) {
      constexpr int Bits = bits();
      const auto choices = percentile_mse<Uniform<Bits>>(x.view(), {.tiling = tiling}, repq_fit<Bits>);
      const auto expected = stored_quantizers<Bits>(file.values<float>(name + ".scale"),
                                                    file.values<std::int32_t>(name + ".zp"), Signedness::is_unsigned);
      REQUIRE(choices.size() == index.size());
      REQUIRE(expected.size() == index.size());
      const auto count = static_cast<std::size_t>(x.view().size()) / index.size();
      for (std::size_t g = 0; g < index.size(); ++g) {
        CAPTURE(g, choices[g].index, index[g]);
        if (choices[g].index == index[g]) {
          check_parameters<Bits>({choices[g].quantizer}, {expected[g]});
        } else {
          const double stored =
              squared_error(expected[g], {x.values.data() + g * count, count}) / static_cast<double>(count);
          CHECK(choices[g].mse <= stored * (1 + 1e-5));
        }
      }
      if (file.contains(name + ".mse")) {
        const std::vector<float> mse = file.values<float>(name + ".mse");
        REQUIRE(mse.size() == choices.size());
        for (std::size_t g = 0; g < mse.size(); ++g) CHECK(close(choices[g].mse, mse[g], 1e-4));
      }
    });
  }
  file.require_consumed("est_repq.*");
}

TEST_CASE("golden: uniform ranges that are empty, and one value among zeros", "[golden]") {
  const Golden file("uniform");
  for (const GoldenCase& c : file.cases("deg.*.x")) {
    const std::string name = case_name(c);
    CAPTURE(name);
    const LoadedMatrix<float> x = file.matrix(name + ".x");
    MinMax seen;
    seen.observe(x.view());
    check_parameters<8>({fq_vit_unsigned_fit<8>(seen.range())},
                        stored_quantizers<8>(file.values<float>(name + ".fq_scale"),
                                             file.values<std::int32_t>(name + ".fq_zp"), Signedness::is_unsigned));
    const QuantizedMatrix<Uniform<8>> q = quantize<Uniform<8>>(x.view());
    check_parameters<8>({q.quantizer(0)},
                        stored_quantizers<8>(file.values<float>(name + ".lib_scale"),
                                             file.values<std::int32_t>(name + ".lib_zp"), Signedness::is_unsigned));
    const MatrixF values = dequantize(q);
    const std::vector<float> expected = file.values<float>(name + ".lib_dequant");
    REQUIRE(static_cast<Index>(expected.size()) == values.size());
    for (std::size_t i = 0; i < expected.size(); ++i) CHECK(close(values.data()[i], expected[i], 2e-6));
  }
  file.require_consumed("deg.*");
}

// ptq4vit.* is read by ptq4vit_search_golden.cpp, whose cases come before these.
TEST_CASE("golden: uniform is consumed", "[golden]") { Golden("uniform").require_all_consumed_at_end(); }
