#include "halfstep/report/plot_style.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "report/well_formed.hpp"
#include "support/catch.hpp"

using namespace halfstep::report;

namespace {

using Rgb = std::array<double, 3>;

Rgb linear_rgb(std::string_view hex) {
  Rgb rgb{};
  for (std::size_t i = 0; i < 3; ++i) {
    const auto byte = static_cast<double>(std::strtol(std::string(hex.substr(1 + 2 * i, 2)).c_str(), nullptr, 16));
    const double c = byte / 255;
    rgb[i] = c <= 0.04045 ? c / 12.92 : std::pow((c + 0.055) / 1.055, 2.4);
  }
  return rgb;
}

double luminance(std::string_view hex) {
  const Rgb c = linear_rgb(hex);
  return 0.2126 * c[0] + 0.7152 * c[1] + 0.0722 * c[2];
}

/// Contrast as WCAG 2.1 defines it.
double contrast(std::string_view a, std::string_view b) {
  const double la = luminance(a), lb = luminance(b);
  return (std::max(la, lb) + 0.05) / (std::min(la, lb) + 0.05);
}

/// What dichromats see: matrices of Machado, Oliveira and Fernandes (2009) at full severity, on linear RGB.
constexpr std::array<std::array<double, 9>, 4> visions{{
    {1, 0, 0, 0, 1, 0, 0, 0, 1},
    {0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998},
    {0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.011820, 0.042940, 0.968881},
    {1.255528, -0.076749, -0.178779, -0.078411, 0.930809, 0.147602, 0.004733, 0.691367, 0.303900},
}};

/// CIE Lab (D65) of a colour as seen.
Rgb lab(std::string_view hex, const std::array<double, 9>& m) {
  const Rgb c = linear_rgb(hex);
  Rgb s{};
  for (std::size_t i = 0; i < 3; ++i)
    s[i] = std::clamp(m[3 * i] * c[0] + m[3 * i + 1] * c[1] + m[3 * i + 2] * c[2], 0.0, 1.0);
  const auto f = [](double t) { return t > 0.008856 ? std::cbrt(t) : 7.787 * t + 16.0 / 116; };
  const double x = f((0.4124 * s[0] + 0.3576 * s[1] + 0.1805 * s[2]) / 0.9505);
  const double y = f(0.2126 * s[0] + 0.7152 * s[1] + 0.0722 * s[2]);
  const double z = f((0.0193 * s[0] + 0.1192 * s[1] + 0.9505 * s[2]) / 1.089);
  return {116 * y - 16, 500 * (x - y), 200 * (y - z)};
}

}  // namespace

TEST_CASE("plot_style: the series stay apart for every kind of colour vision", "[report]") {
  const bool dark = GENERATE(false, true);
  const Theme& theme = dark ? dark_theme : light_theme;
  CAPTURE(dark);
  for (const auto& vision : visions) {
    for (std::size_t a = 0; a < theme.series.size(); ++a) {
      for (std::size_t b = 0; b < a; ++b) {
        CAPTURE(theme.series[a], theme.series[b], vision[0]);
        const Rgb u = lab(theme.series[a], vision), v = lab(theme.series[b], vision);
        const double distance = std::hypot(u[0] - v[0], u[1] - v[1], u[2] - v[2]);
        CHECK(distance >= 12);  // five times a just noticeable difference (2.3)
      }
    }
  }
}

TEST_CASE("plot_style: text and lines are readable on their ground", "[report]") {
  for (const Theme* theme : {&light_theme, &dark_theme}) {
    CHECK(contrast(theme->ink, theme->ground) >= 7);      // WCAG AAA
    CHECK(contrast(theme->quiet, theme->ground) >= 4.5);  // WCAG AA
    for (const std::string_view colour : theme->series) {
      CAPTURE(colour);
      CHECK(contrast(colour, theme->ground) >= 2.2);
    }
  }
}

TEST_CASE("plot_style: the style sheet has every class in both themes", "[report]") {
  const std::string css = plot_style_sheet();
  for (const char* name :
       {".ground{", ".ink{", ".quiet{", ".axis{", ".grid{", ".guide{", ".halo{", ".f0{", ".f6{", ".l0{", ".l6{"}) {
    CAPTURE(name);
    CHECK(halfstep_tests::count_of(css, name) >= 2);
  }
  CHECK(halfstep_tests::contains(css, "@media screen and (prefers-color-scheme:dark){"));
  CHECK(halfstep_tests::markup_error("<svg><style>" + css + "</style></svg>").empty());
}

TEST_CASE("plot_style: series beyond the colours differ in their pattern", "[report]") {
  CHECK(series_class('f', 0) == "f0");
  CHECK(series_class('l', 9) == "l2");
  CHECK(dash_pattern(0) == dash_pattern(6));
  CHECK(dash_pattern(0) != dash_pattern(7));
  CHECK(dash_pattern(7) != dash_pattern(14));
}

TEST_CASE("plot_style: markers are well formed and all different", "[report]") {
  std::vector<std::string> shapes;
  for (std::size_t s = 0; s < light_series.size(); ++s) {
    MarkupWriter svg;
    draw_marker(svg, s, 10, 20, "a < b");
    const std::string text = svg.take();
    CAPTURE(text);
    CHECK(halfstep_tests::markup_error(text).empty());
    CHECK(halfstep_tests::contains(text, "<title>a &lt; b</title>"));
    shapes.push_back(text.substr(text.find(s == 0 ? "cx" : "points")));
    for (std::size_t t = 0; t < s; ++t) CHECK(shapes[s] != shapes[t]);
  }
}
