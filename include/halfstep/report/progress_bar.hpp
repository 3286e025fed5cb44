#pragma once

/// \file
/// Shows a program's user how far a long computation is. For programs: the library itself only calls back.

#include "halfstep/config.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/report/terminal.hpp"
#include "halfstep/report/utf8.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

namespace halfstep::inline HALFSTEP_ABI::report {

/// A duration for people: "0.4 s", "12 s", "3 min 07 s", "1 h 04 min". Negative ones count as none.
[[nodiscard]] inline std::string duration_text(std::chrono::milliseconds duration) {
  const std::int64_t ms = std::max<std::int64_t>(duration.count(), 0), s = (ms + 500) / 1000;
  const auto two_digits = [](std::int64_t n) { return (n < 10 ? "0" : "") + std::to_string(n); };
  if (ms < 9950) return concat((ms + 50) / 1000, ".", (ms + 50) / 100 % 10, " s");
  if (s < 60) return concat(s, " s");
  if (s < 3600) return concat(s / 60, " min ", two_digits(s % 60), " s");
  return concat(s / 3600, " h ", two_digits(s / 60 % 60), " min");
}

/// How progress is shown.
enum class ProgressStyle {
  automatic,  ///< a bar on a terminal, else lines
  bar,        ///< one line, drawn again in place
  lines,      ///< a line after each tenth: for logs
  silent
};

/// The characters of the bar.
enum class ProgressGlyphs {
  automatic,  ///< lines where the locale is UTF-8, else ASCII
  unicode,
  ascii
};

/// The time that has passed since some fixed moment.
using ProgressClock = std::chrono::milliseconds (*)();

/// The steady clock of the system.
[[nodiscard]] inline std::chrono::milliseconds steady_time() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch());
}

/// Where and how a `ProgressBar` writes.
struct ProgressBarOptions {
  std::FILE* stream = stderr;
  ProgressStyle style = ProgressStyle::automatic;
  ProgressGlyphs glyphs = ProgressGlyphs::automatic;
  std::int64_t columns = 0;                        ///< of the terminal; 0: ask it
  std::chrono::milliseconds redraw_interval{100};  ///< a bar is not drawn more often
  std::chrono::milliseconds line_interval{1000};   ///< a line is not written more often
  ProgressClock clock = steady_time;
};

/// Shows the progress of one computation from 0 to `total` steps. Ends its line with a summary in `finish` or the
/// destructor, so that what is written next starts on a line of its own. For one thread.
///
///     ProgressBar bar("GPTQ", layers);
///     for (std::int64_t i = 0; i < layers; ++i) { ...; bar.update(i + 1, layer_name); }
class ProgressBar {
 public:
  /// Starts the clock and shows a bar at 0 (lines: nothing yet). Errors: no stream, total below 0.
  ProgressBar(std::string_view label, std::int64_t total, const ProgressBarOptions& options = {})
      : label_(one_line(label)), total_(total), options_(options) {
    if (options.stream == nullptr) raise("report::ProgressBar", "options.stream is null, expected an open file");
    if (total < 0) raise("report::ProgressBar", "total is ", total, ", expected at least 0");
    if (options_.style == ProgressStyle::automatic) {
      options_.style = is_terminal(options.stream) ? ProgressStyle::bar : ProgressStyle::lines;
    }
    unicode_ = options_.glyphs == ProgressGlyphs::unicode ||
               (options_.glyphs == ProgressGlyphs::automatic && locale_is_utf8());
    started_ = shown_at_ = options_.clock();
    if (options_.style == ProgressStyle::bar) draw_bar({});
  }

  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;
  ~ProgressBar() { finish(); }

  /// Reports that `done` steps (clamped to [0, total]) are done, and what is under way. Cheap when nothing is due: one
  /// look at the clock.
  void update(std::int64_t done, std::string_view detail = {}) {
    if (finished_) return;
    done_ = std::clamp<std::int64_t>(done, 0, total_);
    const std::chrono::milliseconds now = options_.clock();
    if (options_.style == ProgressStyle::bar) {
      if (now - shown_at_ < options_.redraw_interval) return;
      shown_at_ = now;
      draw_bar(detail);
    } else if (options_.style == ProgressStyle::lines) {
      if (tenths() <= shown_tenths_ || done_ == total_ || now - shown_at_ < options_.line_interval) return;
      shown_at_ = now;
      shown_tenths_ = tenths();
      write(concat(label_, ": ", percent(), " % (", done_, " of ", total_, "), ", time_text(), "\n"));
    }
  }

  /// Replaces the bar by a line that says what was reached and how long it took. Later calls do nothing.
  void finish() {
    if (finished_) return;
    finished_ = true;
    if (options_.style == ProgressStyle::silent) return;
    const std::string time = duration_text(options_.clock() - started_);
    const std::string summary = done_ == total_
                                    ? concat(label_, ": ", total_, " of ", total_, " in ", time, "\n")
                                    : concat(label_, ": stopped at ", done_, " of ", total_, " after ", time, "\n");
    write(options_.style == ProgressStyle::bar ? "\r\x1b[K" + summary : summary);
  }

 private:
  static constexpr std::int64_t widest_bar = 40, narrowest_bar = 8;

  [[nodiscard]] double fraction() const {
    return total_ == 0 ? 1.0 : static_cast<double>(done_) / static_cast<double>(total_);
  }
  [[nodiscard]] std::int64_t tenths() const { return static_cast<std::int64_t>(fraction() * 10); }
  [[nodiscard]] std::int64_t percent() const { return static_cast<std::int64_t>(fraction() * 100); }

  /// The time passed, and the time left at the mean speed so far: shown once there is something to judge by.
  [[nodiscard]] std::string time_text() const {
    const std::chrono::milliseconds passed = options_.clock() - started_;
    if (done_ == 0 || done_ == total_ || passed < std::chrono::seconds(1)) return duration_text(passed);
    const double left =
        static_cast<double>(passed.count()) * static_cast<double>(total_ - done_) / static_cast<double>(done_);
    const auto bounded = static_cast<std::int64_t>(std::min(left, 3.6e12));
    return duration_text(passed) + ", " + duration_text(std::chrono::milliseconds(bounded)) + " left";
  }

  /// A bar of `width` columns.
  [[nodiscard]] std::string bar_text(std::int64_t width) const {
    const auto full = static_cast<std::int64_t>(fraction() * static_cast<double>(width));
    std::string text;
    for (std::int64_t i = 0; i < width; ++i) text += unicode_ ? (i < full ? "━" : "┄") : (i < full ? "#" : ".");
    return text;
  }

  /// Draws the line: label, bar, numbers, time, detail; the last gives way first, then the bar, then the label.
  void draw_bar(std::string_view detail) {
    const std::int64_t asked = options_.columns > 0 ? options_.columns : terminal_columns(options_.stream);
    const std::int64_t columns = std::max<std::int64_t>(asked - 1, 1);  // the last column would wrap
    const std::string number = std::to_string(percent());
    const std::string numbers = concat(std::string(3 - std::min<std::size_t>(number.size(), 3), ' '), number, " %  ",
                                       done_, "/", total_, "  ", time_text());
    const std::int64_t beside = display_width(numbers) + 4;  // two gaps
    const std::string label = shorten(label_, std::max<std::int64_t>(columns - beside - narrowest_bar, 4));
    const std::int64_t width = std::min(columns - beside - display_width(label), widest_bar);
    std::string line = label + "  " + (width >= narrowest_bar ? bar_text(width) + "  " : "") + numbers;
    const std::int64_t space = columns - display_width(line) - 2;
    if (!detail.empty() && space >= 4) line += "  " + shorten(one_line(detail), space);
    line = shorten(line, columns);
    write("\r" + line + "\x1b[K");
  }

  /// One call of the system for each update, so that a line is never seen half drawn.
  void write(const std::string& text) {
    std::fwrite(text.data(), 1, text.size(), options_.stream);
    std::fflush(options_.stream);
  }

  std::string label_;
  std::int64_t total_;
  ProgressBarOptions options_;
  bool unicode_ = false;
  bool finished_ = false;
  std::int64_t done_ = 0;
  std::int64_t shown_tenths_ = 0;
  std::chrono::milliseconds started_{0}, shown_at_{0};
};

}  // namespace halfstep::inline HALFSTEP_ABI::report
