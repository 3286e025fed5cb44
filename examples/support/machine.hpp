#pragma once

/// \file
/// What a table of measurements was measured with, as programs write it into their JSON and reports.

#include <halfstep/core/eigen.hpp>
#include <halfstep/core/error.hpp>
#include <halfstep/kernels/tile_default.hpp>
#include <halfstep/report/table.hpp>
#include <halfstep/simd/isa.hpp>
#include <halfstep/version.hpp>

#include <string>
#include <utility>
#include <vector>

namespace example_support {

/// Names and values.
using Machine = std::vector<std::pair<std::string, halfstep::report::Cell>>;

inline Machine machine(int threads) {
  using halfstep::concat;
  return {{"isa", std::string(halfstep::simd::isa_name)},
          {"kernel", halfstep::default_tile().name},
          {"threads", threads},
          {"compiler", __VERSION__},
          {"halfstep", concat(HALFSTEP_VERSION_MAJOR, ".", HALFSTEP_VERSION_MINOR, ".", HALFSTEP_VERSION_PATCH)},
          {"eigen", concat(EIGEN_WORLD_VERSION, ".", EIGEN_MAJOR_VERSION, ".", EIGEN_MINOR_VERSION)}};
}

/// The same in one sentence.
inline std::string machine_text(const Machine& machine) {
  std::string text;
  for (const auto& [name, value] : machine) {
    text += (text.empty() ? "" : ", ") + name + " " +
            value.shown({.notation = halfstep::report::Notation::fixed, .digits = 0});
  }
  return text + ".";
}

}  // namespace example_support
