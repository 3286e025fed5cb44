#pragma once

/// \file
/// Golden files: tensors computed by the authors' own programs, and the promise that a test looks at all of them.

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "halfstep/core/matrix_view.hpp"
#include "halfstep/io/safetensors.hpp"
#include "support/at_end.hpp"
#include "support/name_pattern.hpp"

namespace halfstep_tests {

/// Something is wrong with a golden file or with its use; leaving a test case, it fails it with its message.
class GoldenError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Where golden files lie: the environment's HALFSTEP_GOLDEN_DIR, the build's default, or tests/golden.
inline std::filesystem::path golden_directory() {
  if (const char* directory = std::getenv("HALFSTEP_GOLDEN_DIR")) return directory;
#ifdef HALFSTEP_GOLDEN_DEFAULT_DIR
  return HALFSTEP_GOLDEN_DEFAULT_DIR;
#else
  return "tests/golden";
#endif
}

/// A tensor whose name matched a pattern.
struct GoldenCase {
  std::string name;                ///< of the tensor
  std::string prefix;              ///< the name up to and with its last dot: prefix + "scale" is a sibling
  std::vector<std::string> parts;  ///< what each star stands for

  /// The number that star `index` stands for.
  [[nodiscard]] int number(std::size_t index = 0) const { return std::stoi(parts.at(index)); }
};

/// Tensors that a test does not look at, and why.
struct GoldenException {
  std::string pattern;  ///< a star stands for anything, dots included
  std::string reason;
};

/// The file `<name>.safetensors` of the golden directory.
///
///     TEST_CASE("golden: uniform affine_tensor", "[golden]") {
///       halfstep_tests::Golden g("uniform");
///       for (const auto& c : g.cases("affine_tensor.b*.x")) {           // a pattern without a match fails the test
///         CAPTURE(c.name);
///         check(c.number(), g.values<float>(c.name), g.values<std::int32_t>(c.prefix + "codes"));
///       }
///       g.require_consumed("affine_tensor.*");                          // nothing of it was forgotten
///     }
///     TEST_CASE("golden: uniform is consumed", "[golden]") {           // once the whole program has run
///       halfstep_tests::Golden("uniform").require_all_consumed_at_end({{"ptq4vit.*", "tested in calibrators/range"}});
///     }
///
/// Reading values consumes a tensor. Which are consumed is remembered per file for the whole program, so test cases
/// share one file; a program that runs only some of them will miss tensors in `require_all_consumed`.
class Golden {
 public:
  explicit Golden(std::string_view name, const std::filesystem::path& directory = golden_directory())
      : file_(open(directory / (std::string(name) + ".safetensors"))), consumed_(consumed_of(file_.path())) {}

  [[nodiscard]] bool contains(std::string_view name) const { return file_.contains(name); }
  [[nodiscard]] std::vector<halfstep::Index> shape(std::string_view name) const { return file_.tensor(name).shape; }
  [[nodiscard]] const halfstep::Metadata& metadata() const { return file_.metadata(); }

  /// The elements as they are stored: float of F32, double of F64 or F32, integers of any integer type that fits.
  template <class T>
  [[nodiscard]] std::vector<T> values(std::string_view name) const {
    if constexpr (std::is_floating_point_v<T>)
      return matrix<T>(name).values;
    else
      return consume(name), file_.integers<T>(name);
  }

  /// The only element of a tensor.
  template <class T>
  [[nodiscard]] T scalar(std::string_view name) const {
    const std::vector<T> all = values<T>(name);
    if (all.size() != 1) fail(std::string(name) + " has " + std::to_string(all.size()) + " elements, expected one");
    return all[0];
  }

  /// A float tensor as a matrix, leading dimensions as rows; NaN and infinity as they are.
  template <class Real = float>
  [[nodiscard]] halfstep::LoadedMatrix<Real> matrix(std::string_view name) const {
    const halfstep::DType dtype = file_.tensor(name).dtype;
    const bool is_exact = dtype == halfstep::dtype_of<Real>() || dtype == halfstep::DType::F32;
    if (!is_exact) {
      fail(std::string(name) + " is " + std::string(halfstep::dtype_name(dtype)) + ", read as " +
           std::string(halfstep::dtype_name(halfstep::dtype_of<Real>())));
    }
    consume(name);
    return file_.matrix<Real>(name, halfstep::NonFinite::keep);
  }

  /// The tensors whose names match `pattern`, numbers in order. A star stands for one or more characters other than a
  /// dot. Throws if there are none.
  [[nodiscard]] std::vector<GoldenCase> cases(std::string_view pattern) const;

  /// Throws, with their names, if tensors that match `pattern` (a star stands for anything) were not read yet in this
  /// program, or if none match.
  void require_consumed(std::string_view pattern) const;

  /// Throws, with their names, if tensors were neither read yet in this program nor excepted; also if an exception has
  /// no reason, or excepts nothing that was not read.
  void require_all_consumed(const std::vector<GoldenException>& exceptions = {}) const;
  /// The same once all test cases of the program have run.
  void require_all_consumed_at_end(const std::vector<GoldenException>& exceptions = {}) const {
    checks_at_end().push_back([path = std::filesystem::path(file_.path()), exceptions] {
      Golden(path.stem().string(), path.parent_path()).require_all_consumed(exceptions);
    });
  }

 private:
  static halfstep::SafetensorsFile open(const std::filesystem::path& path) {
    if (!std::filesystem::exists(path)) {
      throw GoldenError("golden file " + path.string() + " is missing; HALFSTEP_GOLDEN_DIR names another directory");
    }
    return halfstep::SafetensorsFile::open(path);
  }

  /// What this program has read of each file.
  static std::set<std::string, std::less<>>& consumed_of(const std::string& path) {
    static std::map<std::string, std::set<std::string, std::less<>>> files;
    return files[std::filesystem::weakly_canonical(path).string()];
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw GoldenError("golden file " + file_.path() + ": " + what);
  }
  void consume(std::string_view name) const { consumed_.emplace(file_.tensor(name).name); }
  [[nodiscard]] std::vector<std::string> unread(std::string_view pattern) const;

  halfstep::SafetensorsFile file_;
  std::set<std::string, std::less<>>& consumed_;  // of the program, by file
};

inline std::vector<GoldenCase> Golden::cases(std::string_view pattern) const {
  std::vector<GoldenCase> found;
  for (const halfstep::TensorInfo& info : file_.tensors()) {
    if (auto parts = match_name(pattern, info.name, Star::part)) {
      found.push_back({info.name, info.name.substr(0, info.name.rfind('.') + 1), std::move(*parts)});
    }
  }
  if (found.empty()) fail("no tensor matches \"" + std::string(pattern) + '"');
  std::sort(found.begin(), found.end(),
            [](const GoldenCase& a, const GoldenCase& b) { return natural_less(a.name, b.name); });
  return found;
}

/// The tensors that match `pattern` and were not read. Throws if none match, read or not.
inline std::vector<std::string> Golden::unread(std::string_view pattern) const {
  std::vector<std::string> names;
  bool is_matched = false;
  for (const halfstep::TensorInfo& info : file_.tensors()) {
    if (!match_name(pattern, info.name, Star::anything)) continue;
    is_matched = true;
    if (!consumed_.contains(info.name)) names.push_back(info.name);
  }
  if (!is_matched) fail("no tensor matches \"" + std::string(pattern) + '"');
  std::sort(names.begin(), names.end(), natural_less);
  return names;
}

inline void Golden::require_consumed(std::string_view pattern) const {
  std::string list;
  for (const std::string& name : unread(pattern)) list += "\n  " + name;
  if (!list.empty()) fail("tensors that no test has read:" + list);
}

inline void Golden::require_all_consumed(const std::vector<GoldenException>& exceptions) const {
  std::set<std::string> excepted;
  for (const GoldenException& exception : exceptions) {
    if (exception.reason.empty()) fail("the exception \"" + exception.pattern + "\" has no reason");
    const std::vector<std::string> names = unread(exception.pattern);
    if (names.empty()) fail("the exception \"" + exception.pattern + "\" is not needed: all it matches was read");
    excepted.insert(names.begin(), names.end());
  }
  std::string list;
  for (const std::string& name : unread("*")) {
    if (!excepted.contains(name)) list += "\n  " + name;
  }
  if (!list.empty()) fail("tensors that no test has read:" + list);
}

}  // namespace halfstep_tests
