// Agreement with golden/clipped_softmax.safetensors, as far as ranges go: the quantizers of the outlier-free
// transformers (codes and zero points exact, scales 1e-5) and their measures of outliers.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "halfstep/calibrators/range/outlier_statistics.hpp"
#include "halfstep/calibrators/range/published_fits.hpp"
#include "support/catch.hpp"
#include "support/golden.hpp"
#include "support/golden_codes.hpp"
#include "support/with_bits.hpp"

using namespace halfstep;
using namespace halfstep_tests;

TEST_CASE("golden: quantizers of outlier-free transformers", "[golden]") {
  const Golden g("clipped_softmax");
  for (const GoldenCase& c : g.cases("oft*.cfg")) {
    CAPTURE(c.name);
    const std::vector<float> cfg = g.values<float>(c.name);  // bits, symmetric, least, largest
    with_bits(static_cast<int>(cfg.at(0)), [&](auto bits) {
      const Range range{cfg.at(2), cfg.at(3), 0};
      const Uniform<bits()> q =
          cfg[1] != 0 ? outlier_free_symmetric_fit<bits()>(range) : outlier_free_fit<bits()>(range);
      // Symmetric codes are stored with their sign: less the zero point.
      const std::int32_t offset = cfg[1] != 0 ? q.zero_point : 0;
      CHECK(static_cast<double>(q.scale) ==
            Approx(static_cast<double>(g.scalar<float>(c.prefix + "delta"))).epsilon(1e-5));
      CHECK(q.zero_point - offset == g.scalar<std::int32_t>(c.prefix + "zp"));
      const std::vector<float> x = g.values<float>(c.prefix + "x");
      const auto codes = g.values<std::int32_t>(c.prefix + "codes");
      REQUIRE(x.size() == codes.size());
      CHECK(mismatches(codes, [&](std::size_t i) { return q.encode(x[i]) - offset; }) == 0);
    });
  }
}

TEST_CASE("golden: kurtosis and largest magnitude", "[golden]") {
  const Golden g("clipped_softmax");
  const LoadedMatrix<float> x = g.matrix("kurt.x");
  const std::vector<double> expected = g.values<double>("kurt.value");
  const OutlierStatistics seen = outlier_statistics(MatrixView<const float>(x.values.data(), x.rows, x.cols));
  CHECK(seen.kurtosis == Approx(expected.at(0)).epsilon(1e-5));
  CHECK(static_cast<double>(seen.largest) == Approx(expected.at(1)).epsilon(1e-5));
}

TEST_CASE("golden: outlier-free quantizers are consumed", "[golden]") {
  Golden("clipped_softmax").require_all_consumed_at_end({{"c*", "tested in kernels"}, {"gate*", "tested in kernels"}});
}
