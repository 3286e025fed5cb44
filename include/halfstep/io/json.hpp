#pragma once

/// \file
/// JSON from files that nobody has checked: the JSON library, and the bounds that a text must keep before it is parsed.

#if !__has_include(<nlohmann/json.hpp>)
#error \
    "halfstep/io needs nlohmann-json 3.11 or newer: install nlohmann-json3-dev, or put its include folder on the path"
#endif

#include "halfstep/io/io_error.hpp"
#include "halfstep/io/utf8.hpp"

#include <cstddef>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// What a JSON text may contain. The parser allocates as much as the longest string and number of a text and one bit
/// for each level of nesting.
struct JsonBounds {
  std::size_t max_nesting = 64;
  std::size_t max_string_bytes = std::size_t{16} << 20;  ///< between the quotes, before escapes are resolved
  std::size_t max_number_bytes = 1024;
};

/// Walks through a JSON text once and refuses what exceeds its bounds; the grammar is the parser's business.
class JsonBoundsScan {
 public:
  JsonBoundsScan(std::string_view text, const JsonBounds& bounds, std::string_view file, std::size_t file_offset)
      : text_(text), bounds_(bounds), file_(file), file_offset_(file_offset) {}

  void run() {
    const std::size_t invalid = first_invalid_utf8(text_);
    if (invalid != std::string_view::npos) raise_io(IoErrorCode::syntax, file_, "not UTF-8 at byte ", place(invalid));
    while (at_ < text_.size()) step();
  }

 private:
  static constexpr bool is_number_byte(char c) {
    return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
  }

  /// A position in the file.
  [[nodiscard]] std::size_t place(std::size_t at) const { return file_offset_ + at; }

  void step() {
    const char c = text_[at_];
    if (c == '"') return skip_string();
    if (is_number_byte(c)) return skip_number();
    if (c == '{' || c == '[') open();
    if ((c == '}' || c == ']') && nesting_ > 0) --nesting_;
    // The parser takes a zero byte for the end of its input and would accept anything after it.
    if (c == '\0') raise_io(IoErrorCode::syntax, file_, "zero byte in JSON text at byte ", place(at_));
    ++at_;
  }

  void open() {
    if (++nesting_ <= bounds_.max_nesting) return;
    raise_io(IoErrorCode::limit, file_, "JSON nests deeper than ", bounds_.max_nesting, " levels at byte ", place(at_));
  }

  void skip_string() {
    const std::size_t first = ++at_;
    while (at_ < text_.size() && text_[at_] != '"') at_ += text_[at_] == '\\' ? std::size_t{2} : std::size_t{1};
    const std::size_t length = (at_ < text_.size() ? at_ : text_.size()) - first;
    if (length > bounds_.max_string_bytes) {
      raise_io(IoErrorCode::limit, file_, "JSON string of ", length, " bytes at byte ", place(first), " exceeds limit ",
               bounds_.max_string_bytes);
    }
    ++at_;
  }

  void skip_number() {
    const std::size_t first = at_;
    while (at_ < text_.size() && is_number_byte(text_[at_])) ++at_;
    if (at_ - first <= bounds_.max_number_bytes) return;
    raise_io(IoErrorCode::limit, file_, "JSON number of ", at_ - first, " bytes at byte ", place(first),
             " exceeds limit ", bounds_.max_number_bytes);
  }

  std::string_view text_;
  JsonBounds bounds_;
  std::string_view file_;
  std::size_t file_offset_;
  std::size_t at_ = 0;
  std::size_t nesting_ = 0;
};

/// Refuses a JSON text that is not UTF-8 or contains a zero byte (E_SYNTAX), or nests deeper or has longer strings or
/// numbers than `bounds` allow (E_LIMIT), before a parser allocates anything for it. `file_offset` is where the text
/// begins in `file`; messages count from there. Says nothing about the grammar. Cost: one pass, no allocation.
inline void require_json_bounds(std::string_view text, const JsonBounds& bounds, std::string_view file,
                                std::size_t file_offset = 0) {
  JsonBoundsScan(text, bounds, file, file_offset).run();
}

/// The value of a JSON text that keeps the default bounds; `is_discarded()` where it is malformed. Errors: those of
/// `require_json_bounds`; E_DUPLICATE for an object that has a key twice, of which a parser would keep one without a
/// word. `subject` is whose text it is, for that message.
[[nodiscard]] inline nlohmann::json parse_json(std::string_view text, std::string_view file, std::string_view subject) {
  require_json_bounds(text, {}, file);
  using Event = nlohmann::json::parse_event_t;
  std::vector<std::set<std::string>> keys;  // of the objects that are open
  const auto check = [&](int, Event event, const nlohmann::json& value) {
    if (event == Event::object_start) keys.emplace_back();
    if (event == Event::object_end) keys.pop_back();
    if (event == Event::key && !keys.back().insert(value.get<std::string>()).second) {
      raise_io(IoErrorCode::duplicate, file, subject, " has the key ", in_quotes(value.get<std::string>()), " twice");
    }
    return true;
  };
  return nlohmann::json::parse(text, check, false);
}

/// Reports where and why the parser refused a text, from what it hands to a SAX handler's `parse_error`.
[[noreturn]] inline void raise_json_error(std::size_t position, const nlohmann::json::exception& error,
                                          std::string_view file, std::size_t file_offset) {
  constexpr int number_overflow = 406;  // a well-formed number beyond the range of double
  const auto code = error.id == number_overflow ? IoErrorCode::type : IoErrorCode::syntax;
  // The parser counts bytes from 1 and prefixes its message with a tag in brackets.
  std::string_view reason = error.what();
  if (const auto end = reason.find("] "); end != std::string_view::npos) reason.remove_prefix(end + 2);
  raise_io(code, file, "malformed JSON at byte ", file_offset + (position > 0 ? position - 1 : 0), ": ",
           in_quotes(reason));
}

}  // namespace halfstep::inline HALFSTEP_ABI
