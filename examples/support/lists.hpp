#pragma once

/// \file
/// Lists on a command line.

#include <halfstep/core/error.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace example_support {

/// The parts of `list` between commas. Error: an empty part, in the name of `program` and `option`.
inline std::vector<std::string> split(std::string_view program, std::string_view option, const std::string& list) {
  std::vector<std::string> parts{""};
  for (const char c : list) {
    if (c == ',') {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  for (const std::string& part : parts) {
    if (part.empty()) halfstep::raise(program, option, " is \"", list, "\", expected names separated by commas");
  }
  return parts;
}

/// Names with commas between them.
inline std::string joined(const std::vector<std::string>& names) {
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
  return list;
}

/// Parts as above, each one of `known`; all of those for "all". Error: another name, with the list of those there are.
inline std::vector<std::string> split_known(std::string_view program, std::string_view option, const std::string& list,
                                            const std::vector<std::string>& known) {
  if (list == "all") return known;
  std::vector<std::string> parts = split(program, option, list);
  for (const std::string& part : parts) {
    if (std::find(known.begin(), known.end(), part) != known.end()) continue;
    halfstep::raise(program, option, " has \"", part, "\", expected some of ", joined(known), ", or all");
  }
  return parts;
}

}  // namespace example_support
