#pragma once

/// \file
/// The trained models that some tests run: large, so not part of the sources, and not there everywhere.

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>

#include "support/catch.hpp"

namespace halfstep_tests {

/// Where models lie by default; empty where the build knows no such place.
inline std::filesystem::path default_models_directory() {
#ifdef HALFSTEP_MODELS_DEFAULT_DIR
  return HALFSTEP_MODELS_DEFAULT_DIR;
#else
  return {};
#endif
}

/// The file `name`, such as "glyph_vit.safetensors", in the directory that the environment's HALFSTEP_MODELS_DIR names,
/// or else in the default one. Nothing, with a warning in the test's output, if it is not there:
///
///     const auto path = halfstep_tests::find_model("glyph_vit.safetensors");
///     if (!path) return;
///
/// Where HALFSTEP_MODELS_DIR is set, a missing model fails the test instead: who names a directory wants the test run.
inline std::optional<std::filesystem::path> find_model(std::string_view name) {
  const char* named = std::getenv("HALFSTEP_MODELS_DIR");
  const std::filesystem::path path =
      (named != nullptr ? named : default_models_directory()) / std::filesystem::path(name);
  std::error_code ignored;
  if (std::filesystem::is_regular_file(path, ignored)) return path;
  if (named != nullptr) throw std::runtime_error("HALFSTEP_MODELS_DIR is set, but there is no " + path.string());
  WARN("skipped: " << path.string() << " is not there; HALFSTEP_MODELS_DIR names another directory of models");
  return std::nullopt;
}

}  // namespace halfstep_tests
