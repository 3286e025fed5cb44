#include "halfstep/report/progress_bar.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include "report/well_formed.hpp"
#include "support/catch.hpp"

using namespace halfstep::report;
using namespace halfstep_tests;
using std::chrono::milliseconds;

namespace {

milliseconds now{0};
milliseconds test_clock() { return now; }

/// A file in memory's stead, and what was written to it.
class Sink {
 public:
  Sink() : file_(std::tmpfile()) { REQUIRE(file_ != nullptr); }
  Sink(const Sink&) = delete;
  Sink& operator=(const Sink&) = delete;
  ~Sink() { std::fclose(file_); }

  [[nodiscard]] std::FILE* file() const { return file_; }

  /// Everything written since the last call.
  std::string take() {
    std::fflush(file_);
    std::fseek(file_, read_, SEEK_SET);
    std::string text;
    for (int c = std::fgetc(file_); c != EOF; c = std::fgetc(file_)) text += static_cast<char>(c);
    read_ += static_cast<long>(text.size());
    return text;
  }

 private:
  std::FILE* file_;
  long read_ = 0;
};

ProgressBarOptions options_for(const Sink& sink, ProgressStyle style) {
  return {.stream = sink.file(), .style = style, .glyphs = ProgressGlyphs::unicode, .columns = 80, .clock = test_clock};
}

/// What a terminal shows after these bytes: its current line.
std::string screen_line(const std::string& bytes) {
  const std::size_t start = bytes.rfind('\r');
  const std::string line = start == std::string::npos ? bytes : bytes.substr(start + 1);
  return line.substr(0, line.find("\x1b[K"));
}

}  // namespace

TEST_CASE("progress_bar: durations for people", "[report]") {
  CHECK(duration_text(milliseconds(-5)) == "0.0 s");
  CHECK(duration_text(milliseconds(420)) == "0.4 s");
  CHECK(duration_text(milliseconds(9949)) == "9.9 s");
  CHECK(duration_text(milliseconds(9950)) == "10 s");
  CHECK(duration_text(milliseconds(59'499)) == "59 s");
  CHECK(duration_text(milliseconds(59'500)) == "1 min 00 s");
  CHECK(duration_text(milliseconds(187'000)) == "3 min 07 s");
  CHECK(duration_text(milliseconds(3'840'000)) == "1 h 04 min");
}

TEST_CASE("progress_bar: a bar is drawn in place, with numbers and the time left", "[report]") {
  now = milliseconds(1000);
  Sink sink;
  ProgressBar bar("calibrate", 128, options_for(sink, ProgressStyle::bar));
  CHECK(contains(sink.take(), "calibrate"));  // it is there from the start
  now += milliseconds(10'000);
  bar.update(32, "blocks.3.mlp.fc2");
  const std::string text = sink.take();
  INFO(text);
  CHECK(text.starts_with("\r"));
  CHECK(text.ends_with("\x1b[K"));
  CHECK(contains(text, " 25 %  32/128  10 s, 30 s left"));
  CHECK(contains(text, "━"));
  CHECK_FALSE(contains(text, "\n"));
  CHECK(display_width(screen_line(text)) <= 79);
}

TEST_CASE("progress_bar: drawing is throttled, the end is not", "[report]") {
  now = milliseconds(0);
  Sink sink;
  {
    ProgressBar bar("pack", 1000, options_for(sink, ProgressStyle::bar));
    for (int i = 1; i <= 1000; ++i) {
      now += milliseconds(1);
      bar.update(i);
    }
  }
  const std::string text = sink.take();
  CHECK(count_of(text, "\r") == 1 + 10 + 1);  // start, every 100 ms, end
  CHECK(text.ends_with("\r\x1b[Kpack: 1000 of 1000 in 1.0 s\n"));
}

TEST_CASE("progress_bar: no line is wider than the terminal, whatever the label", "[report]") {
  for (std::int64_t columns = 1; columns <= 100; ++columns) {
    CAPTURE(columns);
    now = milliseconds(0);
    Sink sink;
    ProgressBarOptions options = options_for(sink, ProgressStyle::bar);
    options.columns = columns;
    ProgressBar bar("量子化 a rather long label of a step\n\x1b[2J", 1'000'000, options);
    now += milliseconds(5'000'000);
    bar.update(123'456, "量量量量量量量量量量 detail");
    const std::string line = screen_line(sink.take());
    CHECK(display_width(line) <= std::max<std::int64_t>(columns - 1, 1));
    CHECK(one_line(line) == line);  // valid UTF-8, no control character
  }
}

TEST_CASE("progress_bar: ASCII where the locale has nothing else", "[report]") {
  now = milliseconds(0);
  Sink sink;
  ProgressBarOptions options = options_for(sink, ProgressStyle::bar);
  options.glyphs = ProgressGlyphs::ascii;
  ProgressBar bar("pack", 2, options);
  now += milliseconds(500);
  bar.update(1);
  const std::string text = sink.take();
  for (const char c : text) CHECK(static_cast<unsigned char>(c) < 0x80);
  CHECK(contains(text, "#."));
}

TEST_CASE("progress_bar: a file gets a line after each tenth", "[report]") {
  now = milliseconds(0);
  Sink sink;
  ProgressBar bar("GPTQ", 200, options_for(sink, ProgressStyle::lines));
  CHECK(sink.take().empty());
  std::vector<std::string> lines;
  for (int i = 1; i <= 200; ++i) {
    now += milliseconds(100);
    bar.update(i);
    if (const std::string text = sink.take(); !text.empty()) lines.push_back(text);
  }
  REQUIRE(lines.size() == 9);  // 10 % to 90 %: the last tenth is the summary
  CHECK(lines[0] == "GPTQ: 10 % (20 of 200), 2.0 s, 18 s left\n");
  CHECK(lines[8] == "GPTQ: 90 % (180 of 200), 18 s, 2.0 s left\n");
  bar.finish();
  CHECK(sink.take() == "GPTQ: 200 of 200 in 20 s\n");
}

TEST_CASE("progress_bar: a quick run writes its summary only", "[report]") {
  now = milliseconds(0);
  Sink sink;
  {
    ProgressBar bar("pack", 10, options_for(sink, ProgressStyle::lines));
    for (int i = 1; i <= 10; ++i) bar.update(i);
  }
  CHECK(sink.take() == "pack: 10 of 10 in 0.0 s\n");
}

TEST_CASE("progress_bar: a run that stops early says so, once", "[report]") {
  now = milliseconds(0);
  Sink sink;
  {
    ProgressBar bar("pack", 10, options_for(sink, ProgressStyle::lines));
    now += milliseconds(3000);
    bar.update(4);
    bar.finish();
    bar.update(9);
    bar.finish();
  }
  CHECK(sink.take() == "pack: 40 % (4 of 10), 3.0 s, 4.5 s left\npack: stopped at 4 of 10 after 3.0 s\n");
}

TEST_CASE("progress_bar: odd numbers of steps", "[report]") {
  now = milliseconds(0);
  Sink sink;
  { ProgressBar nothing("none", 0, options_for(sink, ProgressStyle::lines)); }
  CHECK(sink.take() == "none: 0 of 0 in 0.0 s\n");
  {
    ProgressBar bar("over", 5, options_for(sink, ProgressStyle::lines));
    bar.update(-3);
    bar.update(17);
  }
  CHECK(sink.take() == "over: 5 of 5 in 0.0 s\n");
  { ProgressBar silent("s", 5, options_for(sink, ProgressStyle::silent)); }
  CHECK(sink.take().empty());
  CHECK_RAISES(ProgressBar("x", -1, options_for(sink, ProgressStyle::lines)), "total is -1");
  CHECK_RAISES(ProgressBar("x", 1, {.stream = nullptr}), "options.stream is null");
}

TEST_CASE("progress_bar: by itself it knows a file from a terminal", "[report]") {
  now = milliseconds(0);
  Sink sink;
  { ProgressBar bar("auto", 1, options_for(sink, ProgressStyle::automatic)); }
  CHECK(sink.take() == "auto: stopped at 0 of 1 after 0.0 s\n");
}
