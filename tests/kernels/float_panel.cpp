#include "halfstep/kernels/float_panel.hpp"

#include <algorithm>
#include <cstddef>
#include <vector>

#include "halfstep/kernels/pack.hpp"
#include "halfstep/kernels/quantize.hpp"
#include "halfstep/kernels/reference_product.hpp"
#include "halfstep/quantizers/level_table.hpp"
#include "halfstep/quantizers/minifloat.hpp"
#include "halfstep/quantizers/mx_float.hpp"
#include "halfstep/quantizers/uniform.hpp"
#include "kernels/matrices.hpp"
#include "support/catch.hpp"
#include "support/test_quantizers.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

TEST_CASE("pieces of K end where lines start, and together are K", "[float_panel]") {
  for (const hs::Index k : {0, 1, 16, 19, 40, 100, 257}) {
    for (const hs::Index group : {0, 5, 16, 19, 32, 100}) {
      for (const hs::Index limit : {32, 48, 300}) {
        const hs::KLayout layout(k, group);
        CAPTURE(k, group, limit);
        for (hs::Index at = 0; at < k;) {
          const hs::Index end = hs::end_of_float_piece(layout, at, limit);
          REQUIRE(end > at);
          REQUIRE(end - at <= limit);
          REQUIRE((end == k || (end - layout.begin(end / layout.group)) % 16 == 0));
          at = end;
        }
      }
    }
  }
}

TEMPLATE_TEST_CASE("a panel holds the values of the packed weight", "[float_panel]", hs::Uniform<3>, hs::Uniform<8>,
                   hs::NormalFloat4, hs::Fp8E4M3, hs::MXFP8E5M2, EvenOddQuantizer<4>, WarpQuantizer<5>) {
  using Q = TestType;
  for (const hs::Index cols : {1, 19, 100, 130}) {
    for (const hs::Tiling& tiling : {hs::per_row(), hs::per_group(19), hs::per_group(32), dealt_columns(cols, 16)}) {
      const hs::PackedMatrix w = hs::pack(hs::quantize<Q>(random_eigen(85, cols, 61), {.tiling = tiling}));
      const hs::Index limit = 48, stride = (limit + hs::float_panel_slack) * 16;
      std::vector<float> panel(static_cast<std::size_t>(4 * stride) + 1, -77.0f);
      for (hs::Index begin = 0; begin < cols;) {
        const hs::Index end = hs::end_of_float_piece(w.layout(), begin, limit);
        for (hs::Index b = 0; b < w.blocks(); ++b) {
          hs::fill_float_panel(w, b, begin, end, panel.data(), stride);
          for (hs::Index n = 64 * b; n < std::min<hs::Index>(64 * b + 64, 85); ++n) {
            for (hs::Index k = begin; k < end; ++k) {
              const hs::Index at = n % 64 / 16 * stride + (k - begin) * 16 + n % 16;
              REQUIRE(panel[static_cast<std::size_t>(at)] == hs::packed_value(w, n, k));
            }
          }
        }
        begin = end;
      }
      CHECK(panel.back() == -77.0f);
    }
  }
}

TEST_CASE("a lane tile of floats, from rows, columns or strides", "[float_panel]") {
  for (const hs::Index k : {0, 1, 4, 7, 8, 9, 33}) {
    for (const hs::Index rows : {1, 15, 16}) {
      const hs::MatrixF w = random_eigen(16, k, 62), turned = w.transpose();
      hs::MatrixF wide(16, 3 * k + 1);
      for (hs::Index n = 0; n < 16; ++n) {
        for (hs::Index c = 0; c < k; ++c) wide(n, 3 * c) = w(n, c);
      }
      const hs::Index stride = 3 * k + 1;
      for (const hs::MatrixView<const float>& view : {hs::MatrixView<const float>(w.data(), rows, k, k, 1),
                                                      hs::MatrixView<const float>(turned.data(), rows, k, 1, 16),
                                                      hs::MatrixView<const float>(wide.data(), rows, k, stride, 3)}) {
        CAPTURE(k, rows, view.row_stride, view.col_stride);
        std::vector<float> panel(static_cast<std::size_t>(16 * k) + 1, -77.0f);
        hs::fill_lane_tile_from(view, rows, panel.data());
        for (hs::Index c = 0; c < k; ++c) {
          for (hs::Index n = 0; n < 16; ++n) {
            REQUIRE(panel[static_cast<std::size_t>(16 * c + n)] == (n < rows ? w(n, c) : 0.0f));
          }
        }
        CHECK(panel.back() == -77.0f);
      }
    }
  }
}
