#pragma once

/// \file
/// The fields of the `config` that a checkpoint carries in its metadata.

#include "halfstep/config.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/io/io_error.hpp"
#include "halfstep/io/json.hpp"
#include "halfstep/io/safetensors.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Reads fields of a JSON object from the metadata of `file`, which must outlive it. What is absent or null is empty.
/// Errors: E_SYNTAX, E_TYPE, E_RANGE, E_DUPLICATE, with the key.
class ConfigReader {
 public:
  static constexpr double largest_size = 1 << 24;

  ConfigReader(const SafetensorsFile& file, std::string_view text) : file_(file) {
    config_ = parse_json(text, file.path(), "metadata \"config\"");
    if (!config_.is_object()) fail(IoErrorCode::syntax, "is not a JSON object");
  }

  template <class... Parts>
  [[noreturn]] void fail(IoErrorCode code, const Parts&... parts) const {
    raise_io(code, file_.path(), "metadata \"config\" ", parts...);
  }

  /// One number or a list of them; none if there is no such key.
  [[nodiscard]] std::vector<double> values(const char* key) const {
    std::vector<double> found;
    const auto entry = config_.find(key);
    if (entry == config_.end() || entry->is_null()) return found;
    const auto add = [&](const nlohmann::json& value) {
      if (!value.is_number()) fail(IoErrorCode::type, "has \"", key, "\" that is neither a number nor a list of them");
      found.push_back(value.get<double>());
    };
    if (!entry->is_array()) add(*entry);
    if (entry->is_array()) {
      for (const nlohmann::json& value : *entry) add(value);
    }
    return found;
  }

  [[nodiscard]] std::vector<Index> sizes(const char* key) const {
    std::vector<Index> found;
    for (const double value : values(key)) {
      if (!(value >= 1 && value <= largest_size) || value != static_cast<double>(static_cast<Index>(value))) {
        fail(IoErrorCode::range, "has ", value, " in \"", key, "\", expected an integer of 1 to 2^24");
      }
      found.push_back(static_cast<Index>(value));
    }
    if (found.size() > 2) fail(IoErrorCode::range, "has ", found.size(), " sizes in \"", key, "\", expected 1 or 2");
    return found;
  }

  [[nodiscard]] std::optional<Index> size(const char* key) const {
    const std::vector<Index> found = sizes(key);
    if (found.size() > 1) fail(IoErrorCode::range, "has a list in \"", key, "\", expected one integer");
    return found.empty() ? std::nullopt : std::optional(found.front());
  }

  [[nodiscard]] std::vector<float> numbers(const char* key) const {
    std::vector<float> found;
    for (const double value : values(key)) found.push_back(static_cast<float>(value));
    return found;
  }

  [[nodiscard]] std::vector<float> positive_numbers(const char* key) const {
    std::vector<float> found = numbers(key);
    for (const float value : found) {
      if (!(value > 0)) fail(IoErrorCode::range, "has ", value, " in \"", key, "\", expected positive numbers");
    }
    return found;
  }

  /// One positive number.
  [[nodiscard]] std::optional<float> positive_number(const char* key) const {
    const std::vector<float> found = positive_numbers(key);
    if (found.size() > 1) fail(IoErrorCode::range, "has a list in \"", key, "\", expected one number");
    return found.empty() ? std::nullopt : std::optional(found.front());
  }

  [[nodiscard]] std::optional<bool> flag(const char* key) const {
    const auto entry = config_.find(key);
    if (entry == config_.end() || entry->is_null()) return std::nullopt;
    if (!entry->is_boolean()) fail(IoErrorCode::type, "has \"", key, "\": ", entry->dump(), ", expected true or false");
    return entry->get<bool>();
  }

  /// Refuses a field that says anything but `value`, the only one that is implemented: another one gives other results.
  void require_only(const char* key, const nlohmann::json& value) const {
    const auto entry = config_.find(key);
    if (entry == config_.end() || *entry == value) return;
    fail(IoErrorCode::unsupported, "asks for \"", key, "\": ", in_quotes(entry->dump()), ", only ", value.dump(),
         " is known");
  }

 private:
  const SafetensorsFile& file_;
  nlohmann::json config_;
};

/// The `config` of `file`, whose `model_type` must be `type` where it says one; nothing where it has no config. Errors:
/// E_UNSUPPORTED for another type; those of `ConfigReader`.
[[nodiscard]] inline std::optional<ConfigReader> read_config(const SafetensorsFile& file, std::string_view type) {
  const Metadata& metadata = file.metadata();
  if (const auto found = metadata.find("model_type"); found != metadata.end() && found->second != type) {
    raise_io(IoErrorCode::unsupported, file.path(), "holds a model of type ", in_quotes(found->second), ", expected ",
             in_quotes(type));
  }
  const auto config = metadata.find("config");
  if (config == metadata.end()) return std::nullopt;
  return ConfigReader(file, config->second);
}

}  // namespace halfstep::inline HALFSTEP_ABI
