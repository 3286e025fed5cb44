#pragma once

/// \file
/// The style sheet of the HTML report.

#include "halfstep/config.hpp"
#include "halfstep/report/plot_style.hpp"

#include <string>

namespace halfstep::inline HALFSTEP_ABI::report {

/// Colours by theme, as CSS variables.
inline constexpr std::string_view report_colours_light =
    ":root{color-scheme:light dark;--page:#f5f6f8;--card:#ffffff;--ink:#1a1d23;--quiet:#5a6270;--rule:#dfe2e7;"
    "--soft:#e9ecf1;--accent:#0072b2}";
inline constexpr std::string_view report_colours_dark =
    "@media screen and (prefers-color-scheme:dark){:root{--page:#0f1115;--card:#16191e;--ink:#e8eaee;--quiet:#a2abb9;"
    "--rule:#2a2f37;--soft:#1d2127;--accent:#4c9be0}}";

/// Text, headings and the parts of the document.
inline constexpr std::string_view report_layout =
    "*{box-sizing:border-box}"
    "body{margin:0;background:var(--page);color:var(--ink);font-size:16px;line-height:1.55;"
    "-webkit-text-size-adjust:100%}"
    "main{max-width:960px;margin:0 auto;padding:48px 24px 72px}"
    "header{margin-bottom:32px}"
    "h1{font-size:30px;line-height:1.2;letter-spacing:-.015em;margin:0 0 8px;font-weight:700}"
    "h2{font-size:21px;line-height:1.3;letter-spacing:-.01em;margin:56px 0 12px;padding-top:20px;"
    "border-top:1px solid var(--rule);font-weight:650}"
    "p{margin:0 0 14px;max-width:68ch}"
    ".subtitle{font-size:18px;color:var(--quiet);margin:0 0 20px}"
    ".machine{font-size:13.5px;color:var(--quiet);margin:0;padding-left:12px;border-left:3px solid var(--rule);"
    "max-width:none}"
    "nav{margin:24px 0 0;font-size:15px}nav ol{margin:0;padding-left:22px;columns:2;column-gap:32px}"
    "a{color:var(--accent);text-decoration:none}a:hover{text-decoration:underline}"
    "code,pre{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;font-size:.88em}"
    "code{background:var(--soft);padding:1px 5px;border-radius:4px;overflow-wrap:anywhere}"
    "pre{background:var(--soft);padding:14px 16px;border-radius:8px;overflow-x:auto;line-height:1.45;margin:16px 0}"
    "figure{margin:22px 0}"
    "figcaption{font-size:14px;color:var(--quiet);max-width:78ch}"
    "figcaption b{color:var(--ink);font-weight:600}"
    ".sheet{background:var(--card);border:1px solid var(--rule);border-radius:10px;overflow-x:auto}"
    ".plot .sheet{padding:4px 0}.plot svg{display:block;margin:0 auto}"
    ".plot figcaption{margin-top:10px}.table figcaption{margin-bottom:10px}"
    "details{margin:18px 0;border:1px solid var(--rule);border-radius:10px;padding:0 16px}"
    "summary{cursor:pointer;padding:11px 0;font-weight:600;font-size:15px}"
    "details[open] summary{border-bottom:1px solid var(--rule);margin-bottom:16px}"
    ".numbers{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px;margin:20px 0}"
    ".numbers div{background:var(--card);border:1px solid var(--rule);border-radius:10px;padding:14px 16px}"
    ".numbers strong{display:block;font-size:25px;line-height:1.2;letter-spacing:-.01em;font-weight:650;"
    "font-variant-numeric:tabular-nums}"
    ".numbers span{font-size:13.5px;color:var(--quiet)}";

/// Tables.
inline constexpr std::string_view report_tables =
    ".hs-table{border-collapse:collapse;width:100%;font-size:14px;line-height:1.4;font-variant-numeric:tabular-nums}"
    ".hs-table th{font-weight:600;font-size:13px;color:var(--quiet);vertical-align:bottom;white-space:nowrap;"
    "border-bottom:1px solid var(--rule)}"
    ".hs-table .unit{font-weight:400}"
    ".hs-table th,.hs-table td{padding:7px 16px}"
    ".hs-table td{border-bottom:1px solid var(--soft)}.hs-table tbody tr:last-child td{border-bottom:0}"
    ".hs-table .left{text-align:left}.hs-table td.left{min-width:9em}.hs-table "
    ".right{text-align:right;white-space:nowrap}"
    ".hs-table .center{text-align:center}.hs-table .none{text-align:center;color:var(--quiet)}"
    ".hs-table .strong td{font-weight:650}.hs-table .quiet td{color:var(--quiet)}"
    ".hs-table tbody tr:hover td{background:var(--soft)}";

/// Paper: black on white, nothing cut in two, links and folds gone.
inline constexpr std::string_view report_print =
    "@media print{@page{margin:18mm 16mm}body{font-size:10.5pt;background:#fff}main{max-width:none;padding:0}"
    "nav{display:none}h2{break-after:avoid;margin-top:28px}figure,.numbers,tr{break-inside:avoid}"
    "thead{display:table-header-group}.table{break-inside:auto}.sheet{overflow:visible;border-color:#ccc}"
    "details{border:0;padding:0}details::details-content{display:block;content-visibility:visible}}"
    "@media (max-width:640px){main{padding:28px 14px 48px}h1{font-size:25px}nav ol{columns:1}"
    ".hs-table th,.hs-table td{padding:6px 10px}.plot svg{min-width:620px}}";

/// The whole style sheet.
[[nodiscard]] inline std::string report_style_sheet() {
  std::string css = "body{font-family:" + std::string(font_family) + "}";
  for (const std::string_view part :
       {report_colours_light, report_colours_dark, report_layout, report_tables, report_print}) {
    css += "\n";
    css += part;
  }
  return css;
}

}  // namespace halfstep::inline HALFSTEP_ABI::report
