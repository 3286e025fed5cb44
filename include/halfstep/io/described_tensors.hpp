#pragma once

/// \file
/// Several tensors of a safetensors file that make up one thing, and the JSON text in its metadata that says what.

#include "halfstep/config.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/io/dtype.hpp"
#include "halfstep/io/io_error.hpp"
#include "halfstep/io/json.hpp"
#include "halfstep/io/safetensors.hpp"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// The name of a part of the thing `name`.
[[nodiscard]] inline std::string part_name(std::string_view name, std::string_view part) {
  return std::string(name) + "." + std::string(part);
}

/// What a reader of one thing of an open file asks again and again. Messages name the file, the kind of thing and its
/// name.
class DescribedTensors {
 public:
  /// Sizes of matrices and granules up to which a file is believed.
  static constexpr Index largest_size = (Index{1} << 31) - 1;
  /// Bytes that an allocation may have beyond the file's own.
  static constexpr std::size_t allowance = std::size_t{64} << 20;

  /// `kind` is what messages call it: "quantized matrix".
  DescribedTensors(const SafetensorsFile& file, std::string_view kind, std::string_view name)
      : file_(file), kind_(kind), name_(name) {}

  [[nodiscard]] const SafetensorsFile& file() const { return file_; }
  [[nodiscard]] std::string part(std::string_view part) const { return part_name(name_, part); }

  /// Refuses a file whose metadata does not have `key`, or a number above `newest` there. Errors: E_NOT_FOUND,
  /// E_VERSION.
  void require_version(std::string_view key, int newest) const {
    const auto entry = file_.metadata().find(key);
    if (entry == file_.metadata().end()) {
      raise_io(IoErrorCode::not_found, file_.path(), "has no \"", key, "\" in its metadata");
    }
    const std::string& text = entry->second;
    int version = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), version);
    const bool is_number = error == std::errc() && (end == text.data() + text.size() || *end == '.');
    if (is_number && version >= 1 && version <= newest) return;
    raise_io(IoErrorCode::version, file_.path(), "has \"", key, "\": ", in_quotes(text), ", expected ", newest);
  }

  /// The object in the JSON text under `key`. Errors: E_NOT_FOUND, E_SYNTAX, E_LIMIT, E_DUPLICATE.
  [[nodiscard]] nlohmann::json description(std::string_view key) const {
    const auto entry = file_.metadata().find(key);
    if (entry == file_.metadata().end()) {
      raise_io(IoErrorCode::not_found, file_.path(), "describes no ", kind_, " ", in_quotes(name_));
    }
    nlohmann::json json =
        parse_json(entry->second, file_.path(), concat("description of the ", kind_, " ", in_quotes(name_)));
    if (!json.is_object()) fail(IoErrorCode::syntax, "has a description that is not a JSON object");
    return json;
  }

  /// A string of an object. Errors: E_TYPE.
  [[nodiscard]] std::string text(const nlohmann::json& object, const char* key) const {
    const auto entry = object.find(key);
    if (entry == object.end() || !entry->is_string()) fail(IoErrorCode::type, "has no string \"", key, "\"");
    return entry->get<std::string>();
  }

  /// An integer of an object, 0 to `largest`. Errors: E_TYPE, E_RANGE.
  [[nodiscard]] Index number(const nlohmann::json& object, const char* key, Index largest = largest_size) const {
    const auto entry = object.find(key);
    if (entry == object.end() || !entry->is_number_unsigned()) {
      fail(IoErrorCode::type, "has no \"", key, "\" that is an integer of at least 0");
    }
    const auto value = entry->get<std::uint64_t>();
    if (value > static_cast<std::uint64_t>(largest)) {
      fail(IoErrorCode::range, "has ", value, " as \"", key, "\", expected at most ", largest);
    }
    return static_cast<Index>(value);
  }

  /// A real number of an object, from `least` to `largest`. Errors: E_TYPE, E_RANGE.
  [[nodiscard]] double real(const nlohmann::json& object, const char* key, double least, double largest) const {
    const auto entry = object.find(key);
    if (entry == object.end() || !entry->is_number()) fail(IoErrorCode::type, "has no number \"", key, "\"");
    const auto value = entry->get<double>();
    if (!(value >= least && value <= largest)) {
      fail(IoErrorCode::range, "has ", value, " as \"", key, "\", expected ", least, " to ", largest);
    }
    return value;
  }

  /// Rows and columns, the part "shape". Errors: E_NOT_FOUND, E_SHAPE, E_TYPE, E_RANGE.
  [[nodiscard]] Shape shape() const {
    const std::string name = part("shape");
    file_.require_shape(name, {2}, "rows and columns");
    require_dtype(name, DType::I64);
    const auto sizes = file_.integers<std::int64_t>(name);
    for (const std::int64_t size : sizes) {
      if (size < 0 || size > largest_size) fail(IoErrorCode::range, "has a size of ", size, " in \"shape\"");
    }
    return {sizes[0], sizes[1]};
  }

  /// The group of each of `cols` columns, the part "groups"; empty if there is none. Errors: E_SHAPE, E_TYPE, E_RANGE,
  /// E_VALUE.
  [[nodiscard]] std::vector<std::int32_t> column_groups(Index cols) const {
    const std::string name = part("groups");
    if (!file_.contains(name)) return {};
    file_.require_shape(name, {cols}, "columns");
    require_dtype(name, DType::I32);
    std::vector<std::int32_t> groups = file_.integers<std::int32_t>(name);
    std::vector<bool> is_used;
    for (const std::int32_t group : groups) {
      if (group < 0 || group >= cols) fail(IoErrorCode::range, "sends a column to group ", group);
      const auto at = static_cast<std::size_t>(group);
      if (at >= is_used.size()) is_used.resize(at + 1);
      is_used[at] = true;
    }
    if (std::find(is_used.begin(), is_used.end(), false) != is_used.end()) {
      fail(IoErrorCode::value, "has a group without a column in \"groups\"");
    }
    return groups;
  }

  /// Refuses a part of another type. Errors: E_NOT_FOUND, E_TYPE.
  void require_dtype(const std::string& part, DType expected) const {
    const DType dtype = file_.tensor(part).dtype;
    if (dtype == expected) return;
    raise_io(IoErrorCode::type, file_.path(), "tensor ", in_quotes(part), " has dtype ", dtype, ", expected ",
             expected);
  }

  template <class... Parts>
  [[noreturn]] void fail(IoErrorCode code, const Parts&... parts) const {
    raise_io(code, file_.path(), kind_, " ", in_quotes(name_), " ", parts...);
  }

 private:
  const SafetensorsFile& file_;
  std::string_view kind_;
  std::string_view name_;
};

}  // namespace halfstep::inline HALFSTEP_ABI
