#pragma once

/// \file
/// The events of the JSON parser, turned into the header of a safetensors file.

#include "halfstep/io/dtype.hpp"
#include "halfstep/io/io_error.hpp"
#include "halfstep/io/json.hpp"
#include "halfstep/io/tensor_info.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Checks one tensor's numbers against each other and against the `data_size` bytes of the data section.
/// Errors: E_RANGE, E_OVERFLOW, E_MISALIGNED, E_MISMATCH.
inline void require_consistent(const TensorInfo& info, std::uint64_t data_size, std::string_view file) {
  const auto fail = [&](IoErrorCode code, const auto&... parts) {
    raise_io(code, file, "tensor ", in_quotes(info.name), " ", parts...);
  };
  if (info.begin > info.end || info.end > data_size) {
    fail(IoErrorCode::range, "has data_offsets [", info.begin, ", ", info.end,
         "], expected begin <= end <= ", data_size, ", the size of the data section");
  }
  const std::optional<std::uint64_t> bits = checked_bits(info.dtype, info.shape);
  if (!bits) {
    fail(IoErrorCode::overflow, "of ", info.dtype, " has shape ", shape_text(info.shape),
         ", whose size in bits exceeds 2^63 - 1");
  }
  if (*bits % 8 != 0) {
    fail(IoErrorCode::misaligned, "of ", info.dtype, " has shape ", shape_text(info.shape), ", which takes ", *bits,
         " bits, expected whole bytes");
  }
  if (*bits / 8 != info.size()) {
    fail(IoErrorCode::mismatch, "of ", info.dtype, " has shape ", shape_text(info.shape), ", which takes ", *bits / 8,
         " bytes, but data_offsets [", info.begin, ", ", info.end, "] hold ", info.size());
  }
}

/// Handler of the JSON library's SAX interface: nothing of the text is kept but what belongs to the header, and a
/// malformed one is refused at the first event that shows it.
class SafetensorsSax {
 public:
  SafetensorsSax(SafetensorsHeader& header, std::uint64_t data_size, std::string_view file,
                 const HeaderOptions& options)
      : header_(header), data_size_(data_size), file_(file), options_(options) {}

  bool null() { return unexpected("null"); }
  bool boolean(bool value) { return unexpected(value ? "true" : "false"); }
  /// Called for numbers with a sign only, "-0" among them.
  bool number_integer(std::int64_t value) { return unexpected(value == 0 ? "-0" : concat(value)); }
  bool number_unsigned(std::uint64_t value);
  bool number_float(double, const std::string& text) { return unexpected(text); }
  bool string(std::string& value);
  bool binary(nlohmann::json::binary_t&) { return unexpected("binary data"); }
  bool start_object(std::size_t);
  bool key(std::string& name);
  bool end_object();
  bool start_array(std::size_t);
  bool end_array();
  bool parse_error(std::size_t position, const std::string&, const nlohmann::json::exception& error) {
    raise_json_error(position, error, file_, 8);
  }

 private:
  /// The object or array whose members are being read.
  enum class Place { outside, root, metadata, tensor, shape, offsets };
  enum Field : unsigned { no_field = 0, dtype_field = 1, shape_field = 2, offsets_field = 4, all_fields = 7 };

  template <class... Parts>
  [[noreturn]] void fail(IoErrorCode code, const Parts&... parts) const {
    raise_io(code, file_, parts...);
  }
  /// Refuses a value of the wrong type, or skips it where it belongs to an unknown field.
  bool unexpected(const std::string& found);
  [[nodiscard]] std::string where() const;
  [[nodiscard]] std::string_view wanted() const;
  [[nodiscard]] bool skips() const { return skipped_nesting_ > 0 || (place_ == Place::tensor && field_ == no_field); }

  void begin_entry();
  void begin_field(const std::string& name);
  void end_tensor();

  SafetensorsHeader& header_;
  std::uint64_t data_size_;
  std::string_view file_;
  const HeaderOptions& options_;

  Place place_ = Place::outside;
  std::size_t skipped_nesting_ = 0;  // levels inside the value of an unknown field
  std::string entry_;                // the key of the root object, whose value is being read
  std::string metadata_key_;
  bool seen_metadata_ = false;
  TensorInfo tensor_;
  std::vector<std::uint64_t> offsets_;
  Field field_ = no_field;
  unsigned seen_fields_ = 0;
};

/// What a message calls the value that is being read.
inline std::string SafetensorsSax::where() const {
  switch (place_) {
    case Place::outside:
      return "header";
    case Place::root:
      return (entry_ == "__metadata__" ? "" : "tensor ") + in_quotes(entry_);
    case Place::metadata:
      return "__metadata__ entry " + in_quotes(metadata_key_);
    default:
      break;
  }
  const std::string_view field = field_ == dtype_field ? "dtype" : field_ == shape_field ? "shape" : "data_offsets";
  return concat("tensor ", in_quotes(entry_), ": ", field);
}

inline std::string_view SafetensorsSax::wanted() const {
  switch (place_) {
    case Place::outside:
    case Place::root:
      return "an object";
    case Place::metadata:
      return "a string";
    case Place::tensor:
      return field_ == dtype_field ? "a string" : "an array";
    default:
      return "integers without sign, fraction or exponent, at most 9223372036854775807";
  }
}

inline bool SafetensorsSax::unexpected(const std::string& found) {
  if (skips()) return true;
  fail(IoErrorCode::type, where(), " has ", found, ", expected ", wanted());
}

inline bool SafetensorsSax::number_unsigned(std::uint64_t value) {
  const bool is_size = place_ == Place::shape || place_ == Place::offsets;
  if (skips() || !is_size || value > std::uint64_t{std::numeric_limits<std::int64_t>::max()}) {
    return unexpected(concat(value));
  }
  if (place_ == Place::shape) {
    if (tensor_.shape.size() == options_.limits.max_rank) {
      fail(IoErrorCode::limit, "tensor ", in_quotes(entry_), ": shape has more than ", options_.limits.max_rank,
           " dimensions");
    }
    tensor_.shape.push_back(static_cast<Index>(value));
  } else {
    if (offsets_.size() == 2) {
      fail(IoErrorCode::range, "tensor ", in_quotes(entry_), ": data_offsets has more than two entries: ", offsets_[0],
           ", ", offsets_[1], ", ", value);
    }
    offsets_.push_back(value);
  }
  return true;
}

inline bool SafetensorsSax::string(std::string& value) {
  if (skips()) return true;
  if (place_ == Place::metadata) {
    if (!header_.metadata.emplace(metadata_key_, std::move(value)).second) {
      fail(IoErrorCode::duplicate, "__metadata__ has the key ", in_quotes(metadata_key_), " twice");
    }
    return true;
  }
  if (place_ != Place::tensor || field_ != dtype_field) return unexpected(in_quotes(value));
  const std::optional<DType> dtype = parse_dtype(value);
  if (!dtype)
    fail(IoErrorCode::unsupported, "tensor ", in_quotes(entry_), " has dtype ", in_quotes(value), ", which is unknown");
  tensor_.dtype = *dtype;
  return true;
}

inline bool SafetensorsSax::start_object(std::size_t) {
  if (skips()) {
    ++skipped_nesting_;
  } else if (place_ == Place::outside) {
    place_ = Place::root;
  } else if (place_ == Place::root) {
    place_ = entry_ == "__metadata__" ? Place::metadata : Place::tensor;
  } else {
    return unexpected("an object");
  }
  return true;
}

inline bool SafetensorsSax::key(std::string& name) {
  if (skipped_nesting_ > 0) return true;
  if (place_ == Place::tensor) {
    begin_field(name);
    return true;
  }
  if (name.size() > options_.limits.max_name_bytes) {
    fail(IoErrorCode::limit, place_ == Place::root ? "tensor name " : "__metadata__ key ", in_quotes(name),
         " exceeds limit of ", options_.limits.max_name_bytes, " bytes");
  }
  if (place_ == Place::root) {
    entry_ = std::move(name);
    begin_entry();
  } else {
    if (header_.metadata.size() == options_.limits.max_metadata_entries) {
      fail(IoErrorCode::limit, "__metadata__ has more than ", options_.limits.max_metadata_entries, " entries");
    }
    metadata_key_ = std::move(name);
  }
  return true;
}

/// A key of the root object has been read.
inline void SafetensorsSax::begin_entry() {
  if (entry_ == "__metadata__") {
    if (std::exchange(seen_metadata_, true)) fail(IoErrorCode::duplicate, "__metadata__ appears twice in the header");
    return;
  }
  if (header_.tensors.size() == options_.limits.max_tensors) {
    fail(IoErrorCode::limit, "header has more than ", options_.limits.max_tensors, " tensors");
  }
  tensor_ = {};
  offsets_.clear();
  field_ = no_field;
  seen_fields_ = 0;
}

/// A key of a tensor's object has been read.
inline void SafetensorsSax::begin_field(const std::string& name) {
  field_ = name == "dtype"          ? dtype_field
           : name == "shape"        ? shape_field
           : name == "data_offsets" ? offsets_field
                                    : no_field;
  if (field_ == no_field) {
    if (options_.rules == HeaderRules::reference) return;
    fail(IoErrorCode::syntax, "tensor ", in_quotes(entry_), " has the unknown field ", in_quotes(name));
  }
  if ((seen_fields_ & field_) != 0) {
    fail(IoErrorCode::duplicate, "tensor ", in_quotes(entry_), " has the field ", in_quotes(name), " twice");
  }
  seen_fields_ |= field_;
}

inline bool SafetensorsSax::end_object() {
  if (skipped_nesting_ > 0) {
    --skipped_nesting_;
  } else if (place_ == Place::root) {
    place_ = Place::outside;
  } else {
    if (place_ == Place::tensor) end_tensor();
    place_ = Place::root;
  }
  return true;
}

inline void SafetensorsSax::end_tensor() {
  constexpr std::array<std::pair<Field, std::string_view>, 3> fields{
      {{dtype_field, "dtype"}, {shape_field, "shape"}, {offsets_field, "data_offsets"}}};
  for (const auto& [field, name] : fields) {
    if ((seen_fields_ & field) == 0) fail(IoErrorCode::not_found, "tensor ", in_quotes(entry_), " has no ", name);
  }
  tensor_.name = std::move(entry_);
  tensor_.begin = offsets_[0];
  tensor_.end = offsets_[1];
  require_consistent(tensor_, data_size_, file_);
  header_.tensors.push_back(std::move(tensor_));
}

inline bool SafetensorsSax::start_array(std::size_t) {
  if (skips()) {
    ++skipped_nesting_;
  } else if (place_ == Place::tensor && field_ == shape_field) {
    place_ = Place::shape;
  } else if (place_ == Place::tensor && field_ == offsets_field) {
    place_ = Place::offsets;
  } else {
    return unexpected("an array");
  }
  return true;
}

inline bool SafetensorsSax::end_array() {
  if (skipped_nesting_ > 0) {
    --skipped_nesting_;
    return true;
  }
  if (place_ == Place::offsets && offsets_.size() != 2) {
    fail(IoErrorCode::range, "tensor ", in_quotes(entry_), ": data_offsets has ", offsets_.size(),
         " entries, expected two");
  }
  place_ = Place::tensor;
  return true;
}

}  // namespace halfstep::inline HALFSTEP_ABI
