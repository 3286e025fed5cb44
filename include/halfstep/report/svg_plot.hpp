#pragma once

/// \file
/// All plots. Each is a function from plain values to one self-contained SVG: no script, no font file, no link; light
/// or dark as the reader's system is; colours that people with colour vision deficiencies tell apart.

#include "halfstep/report/bar_plot.hpp"
#include "halfstep/report/histogram_plot.hpp"
#include "halfstep/report/line_plot.hpp"
