#pragma once

/// \file
/// The look of all plots: colours, line patterns, markers and fonts.

#include "halfstep/config.hpp"
#include "halfstep/report/markup.hpp"

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

namespace halfstep::inline HALFSTEP_ABI::report {

/// Colours of the series, on white and on dark ground: those of Okabe and Ito ("Color Universal Design", 2008) without
/// the yellow, the purple darkened for white paper, a dark grey for black. Any two stay at least 12 apart in CIE Lab
/// for normal vision and under simulated protanopia, deuteranopia and tritanopia (a test computes it). Series of lines
/// differ in marker and pattern too, so that nothing depends on colour alone.
inline constexpr std::array<std::string_view, 7> light_series{"#0072b2", "#d55e00", "#009e73", "#c065a5",
                                                              "#e69f00", "#56b4e9", "#3f4652"};
inline constexpr std::array<std::string_view, 7> dark_series{"#4c9be0", "#f0803c", "#27bd92", "#d97fc0",
                                                             "#f2c14e", "#a5dbff", "#d5d9e0"};

/// Ink and ground of one theme.
struct Theme {
  std::string_view ground, ink, quiet, axis, grid;
  const std::array<std::string_view, 7>& series;
};

inline constexpr Theme light_theme{.ground = "#ffffff",
                                   .ink = "#1a1d23",
                                   .quiet = "#5a6270",
                                   .axis = "#8a93a1",
                                   .grid = "#e7e9ed",
                                   .series = light_series};
inline constexpr Theme dark_theme{.ground = "#16191e",
                                  .ink = "#e8eaee",
                                  .quiet = "#a2abb9",
                                  .axis = "#6c7583",
                                  .grid = "#2a2f37",
                                  .series = dark_series};

/// The font of plots and reports: whatever the reader's system uses for its own text.
inline constexpr std::string_view font_family =
    "system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue','Noto Sans','DejaVu Sans',sans-serif";

/// The CSS rules that colour a plot in one theme: f0..f6 fill, l0..l6 stroke.
[[nodiscard]] inline std::string theme_rules(const Theme& theme) {
  const auto rule = [](std::string_view selector, std::string_view property, std::string_view value) {
    return ".hs-plot ." + std::string(selector) + "{" + std::string(property) + ":" + std::string(value) + "}";
  };
  std::string css = rule("ground", "fill", theme.ground) + rule("ink", "fill", theme.ink) +
                    rule("quiet", "fill", theme.quiet) + rule("axis", "stroke", theme.axis) +
                    rule("grid", "stroke", theme.grid) + rule("guide", "stroke", theme.ink) +
                    rule("halo", "stroke", theme.ground);
  for (std::size_t s = 0; s < theme.series.size(); ++s) {
    const std::string number = std::to_string(s);
    css += rule("f" + number, "fill", theme.series[s]) + rule("l" + number, "stroke", theme.series[s]);
  }
  return css;
}

/// The style sheet of every plot. The same in each, so that many plots in one document do not disturb each other. Dark
/// only where the reader's system is, and never on paper.
[[nodiscard]] inline std::string plot_style_sheet() {
  return ".hs-plot{font-family:" + std::string(font_family) +
         ";font-size:12px;font-variant-numeric:tabular-nums;max-width:100%;height:auto}"
         ".hs-plot .title{font-size:15px;font-weight:600}"
         ".hs-plot .small{font-size:11px}"
         ".hs-plot .axis,.hs-plot .grid,.hs-plot .guide{fill:none;stroke-width:1}"
         ".hs-plot .guide{stroke-width:1.25;stroke-dasharray:5 4}"
         ".hs-plot .curve{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}"
         ".hs-plot .outline{fill:none;stroke-width:1.5;stroke-linejoin:miter}"
         ".hs-plot .area{fill-opacity:.28;stroke:none}"
         ".hs-plot .level{stroke-width:1.5}"
         ".hs-plot .marker{stroke-width:1.5}"
         ".hs-plot text.halo{stroke-width:4px;stroke-linejoin:round;paint-order:stroke}" +
         theme_rules(light_theme) + "@media screen and (prefers-color-scheme:dark){" + theme_rules(dark_theme) + "}";
}

/// The CSS class that fills ("f") or strokes ("l") series `index`.
[[nodiscard]] inline std::string series_class(char kind, std::size_t index) {
  return kind + std::to_string(index % light_series.size());
}

/// The dash pattern of a series: solid for as many as there are colours, then others.
[[nodiscard]] inline std::string_view dash_pattern(std::size_t index) {
  constexpr std::array<std::string_view, 4> patterns{"none", "7 4", "2 4", "9 4 2 4"};
  return patterns[index / light_series.size() % patterns.size()];
}

/// Draws the marker of series `index` with its centre at (x, y): disc, square, triangle, diamond, triangle downwards,
/// bar, upright bar. `tooltip` may be empty.
inline void draw_marker(MarkupWriter& svg, std::size_t index, double x, double y, std::string_view tooltip) {
  const auto point = [&](double dx, double dy) { return coordinate(x + dx) + "," + coordinate(y + dy) + " "; };
  std::string points;
  switch (index % light_series.size()) {
    case 1:
      points = point(-3.6, -3.6) + point(3.6, -3.6) + point(3.6, 3.6) + point(-3.6, 3.6);
      break;
    case 2:
      points = point(0, -5) + point(4.6, 3.4) + point(-4.6, 3.4);
      break;
    case 3:
      points = point(0, -5.2) + point(5.2, 0) + point(0, 5.2) + point(-5.2, 0);
      break;
    case 4:
      points = point(0, 5) + point(4.6, -3.4) + point(-4.6, -3.4);
      break;
    case 5:
      points = point(-5, -2.4) + point(5, -2.4) + point(5, 2.4) + point(-5, 2.4);
      break;
    case 6:
      points = point(-2.4, -5) + point(2.4, -5) + point(2.4, 5) + point(-2.4, 5);
      break;
    default:
      break;
  }
  const std::string classes = "marker halo " + series_class('f', index);
  if (points.empty()) {
    svg.open("circle", {{"class", classes}, {"cx", x}, {"cy", y}, {"r", 4.2}});
  } else {
    points.pop_back();
    svg.open("polygon", {{"class", classes}, {"points", points}});
  }
  if (!tooltip.empty()) svg.element("title", {}, tooltip);
  svg.close();
}

}  // namespace halfstep::inline HALFSTEP_ABI::report
