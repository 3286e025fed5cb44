#pragma once

/// \file
/// A report as one HTML file that needs nothing outside itself: no script, no font, no link. It reads on a screen,
/// light or dark, on a telephone and on paper.

#include "halfstep/config.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/report/html_style.hpp"
#include "halfstep/report/markup.hpp"
#include "halfstep/report/plot_canvas.hpp"
#include "halfstep/report/table.hpp"
#include "halfstep/report/table_html.hpp"
#include "halfstep/report/text_file.hpp"

#include <cstdint>
#include <deque>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI::report {

/// A number to be seen at once, and what it is.
struct KeyNumber {
  std::string number;
  std::string meaning;
};

/// Writes a sentence in which text between two backticks is code: "the site `blocks.0.attn.qkv`". A backtick without a
/// partner is an ordinary character.
inline void write_inline_text(MarkupWriter& html, std::string_view text) {
  while (!text.empty()) {
    const std::size_t first = text.find('`');
    const std::size_t second = first == text.npos ? text.npos : text.find('`', first + 1);
    if (second == text.npos) break;
    html.text(text.substr(0, first)).element("code", {}, text.substr(first + 1, second - first - 1));
    text.remove_prefix(second + 1);
  }
  html.text(text);
}

/// Numbers of the tables and figures so far, in the order of the document.
struct CaptionCounter {
  std::int64_t tables = 0, figures = 0;
};

/// Paragraphs, tables, plots and folds, one below the other. Each call appends and returns the body itself.
class ReportBody {
 public:
  /// Paragraphs, separated by empty lines; `code` between backticks.
  ReportBody& text(std::string_view paragraphs) {
    MarkupWriter html;
    while (!paragraphs.empty()) {
      const std::size_t end = std::min(paragraphs.find("\n\n"), paragraphs.size());
      if (end > 0) {
        html.open("p");
        write_inline_text(html, paragraphs.substr(0, end));
        html.close().new_line();
      }
      paragraphs.remove_prefix(std::min(end + 2, paragraphs.size()));
    }
    return add({Kind::plain, html.take(), {}, {}});
  }

  /// Text kept as it is, in a typewriter font: a command, a log.
  ReportBody& code(std::string_view lines) {
    MarkupWriter html;
    return add({Kind::plain, html.element("pre", {}, lines).take() + "\n", {}, {}});
  }

  /// A row of large numbers.
  ReportBody& numbers(const std::vector<KeyNumber>& numbers) {
    MarkupWriter html;
    html.open("div", {{"class", "numbers"}});
    for (const KeyNumber& entry : numbers) {
      html.open("div").element("strong", {}, entry.number).element("span", {}, entry.meaning).close();
    }
    return add({Kind::plain, html.take() + "\n", {}, {}});
  }

  /// A table, numbered, with a caption above it.
  ReportBody& table(const Table& table, std::string_view caption) {
    return add({Kind::table, to_html(table), std::string(caption), {}});
  }

  /// A plot, numbered, with a caption below it.
  ReportBody& plot(const SvgPlot& plot, std::string_view caption) {
    return add({Kind::figure, plot.text, std::string(caption), {}});
  }

  /// A part that is folded away until its summary is clicked.
  ReportBody& details(std::string_view summary, const ReportBody& hidden) {
    return add({Kind::details, {}, std::string(summary), hidden.blocks_});
  }

  /// Writes everything; tables and figures take their numbers from `counter`.
  void write_to(MarkupWriter& html, CaptionCounter& counter) const { write_blocks(html, blocks_, counter); }

 private:
  enum class Kind { plain, table, figure, details };

  struct Block {
    Kind kind;
    std::string markup;
    std::string caption;  // of a fold: its summary
    std::vector<Block> inner;
  };

  ReportBody& add(Block block) {
    blocks_.push_back(std::move(block));
    return *this;
  }

  static void write_caption(MarkupWriter& html, std::string_view kind, std::int64_t number, const Block& block) {
    html.open("figcaption").element("b", {}, concat(kind, " ", number, block.caption.empty() ? "" : "."));
    if (!block.caption.empty()) write_inline_text(html.text(" "), block.caption);
    html.close();
  }

  static void write_blocks(MarkupWriter& html, const std::vector<Block>& blocks, CaptionCounter& counter) {
    for (const Block& block : blocks) {
      if (block.kind == Kind::plain) {
        html.raw(block.markup);
      } else if (block.kind == Kind::table) {
        html.open("figure", {{"class", "table"}});
        write_caption(html, "Table", ++counter.tables, block);
        html.open("div", {{"class", "sheet"}}).raw(block.markup).close().close().new_line();
      } else if (block.kind == Kind::figure) {
        html.open("figure", {{"class", "plot"}});
        html.open("div", {{"class", "sheet"}}).raw(block.markup).close();
        write_caption(html, "Figure", ++counter.figures, block);
        html.close().new_line();
      } else {
        html.open("details").element("summary", {}, block.caption).new_line();
        write_blocks(html, block.inner, counter);
        html.close().new_line();
      }
    }
  }

  std::vector<Block> blocks_;
};

/// What stands at the head of a report.
struct ReportHead {
  std::string title;
  std::string subtitle = {};
  std::string machine = {};  ///< the machine, compiler and flags that the numbers come from, in one paragraph
};

/// A report: a head, an introduction, and sections, which appear in a table of contents where there are three or more.
///
///     HtmlReport report({.title = "glyph_vit, W4A4", .machine = "x86-64, AVX2, 1 thread"});
///     report.section("Accuracy").text("Float: 93.8 %.").table(table, "Top-1 by method.");
///     report.write("glyph_vit.html");
class HtmlReport {
 public:
  explicit HtmlReport(ReportHead head) : head_(std::move(head)) {}

  /// What stands before the first section.
  [[nodiscard]] ReportBody& introduction() { return introduction_; }

  /// Starts a section. The reference stays valid as long as the report.
  ReportBody& section(std::string_view heading) {
    sections_.push_back({std::string(heading), {}});
    return sections_.back().body;
  }

  /// The document. The same calls give the same bytes: no date, no random name. Well-formed XML but for its first line.
  [[nodiscard]] std::string html() const {
    MarkupWriter html;
    html.raw("<!DOCTYPE html>\n").open("html", {{"lang", "en"}}).new_line().open("head").new_line();
    html.leaf("meta", {{"charset", "utf-8"}}).new_line();
    html.leaf("meta", {{"name", "viewport"}, {"content", "width=device-width, initial-scale=1"}}).new_line();
    html.element("title", {}, head_.title).new_line();
    html.open("style").raw(report_style_sheet()).close().new_line().close().new_line();
    html.open("body").new_line().open("main").new_line();
    write_head(html);
    CaptionCounter counter;
    introduction_.write_to(html, counter);
    for (std::size_t s = 0; s < sections_.size(); ++s) {
      html.open("section", {{"id", section_id(s)}}).element("h2", {}, sections_[s].heading).new_line();
      sections_[s].body.write_to(html, counter);
      html.close().new_line();
    }
    return html.take() + "\n";
  }

  /// Writes the document to `path`, whole or not at all. Error: the path cannot be written, with the system's reason.
  void write(const std::filesystem::path& path) const { write_text_file(path, html()); }

 private:
  struct Section {
    std::string heading;
    ReportBody body;
  };

  [[nodiscard]] static std::string section_id(std::size_t index) { return "section-" + std::to_string(index + 1); }

  void write_head(MarkupWriter& html) const {
    html.open("header").element("h1", {}, head_.title).new_line();
    if (!head_.subtitle.empty()) html.element("p", {{"class", "subtitle"}}, head_.subtitle).new_line();
    if (!head_.machine.empty()) html.element("p", {{"class", "machine"}}, head_.machine).new_line();
    if (sections_.size() >= 3) {
      html.open("nav", {{"aria-label", "Contents"}}).open("ol");
      for (std::size_t s = 0; s < sections_.size(); ++s) {
        html.open("li").element("a", {{"href", "#" + section_id(s)}}, sections_[s].heading).close();
      }
      html.close().close().new_line();
    }
    html.close().new_line();
  }

  ReportHead head_;
  ReportBody introduction_;
  std::deque<Section> sections_;
};

}  // namespace halfstep::inline HALFSTEP_ABI::report
