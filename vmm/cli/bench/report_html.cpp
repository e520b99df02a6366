#include "vmm/cli/bench/report_html.h"

#include "vmm/base/text.h"
#include "vmm/cli/bench/chart.h"
#include "vmm/cli/bench/html_text.h"
#include "vmm/cli/bench/report_table.h"

#include <algorithm>

namespace coldstart {
namespace {

constexpr std::string_view style = R"css(
:root { --page: #fbfbfa; --card: #fff; --ink: #1d2327; --soft: #626b73; --line: #e2e5e8;
  --whole: #7d8a97; --setup: #9aa5b1; --load: #4f7cac; --firmware: #d9902f; --bootloader: #a56cc1;
  --kernel: #3f9b6c; --init: #cf5b5b; --run: #10161b; --median: #1d2327; --half: #4f7cac; }
@media (prefers-color-scheme: dark) {
:root { --page: #14181c; --card: #1c2227; --ink: #e6eaed; --soft: #98a3ad; --line: #303840;
  --whole: #74828f; --setup: #6c7883; --load: #5b8fc7; --firmware: #d9983f; --bootloader: #b383cf;
  --kernel: #4fae7d; --init: #da6f6f; --run: #f4f7f9; --median: #fff; --half: #5b8fc7; } }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 32px 24px 64px; }
h1 { font-size: 26px; margin: 0 0 2px; font-weight: 650; letter-spacing: -0.01em; }
.lead { color: var(--soft); margin: 0 0 24px; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 12px;
  padding: 18px 22px; margin: 0 0 20px; overflow-x: auto; }
h2 { font-size: 16px; margin: 0 0 10px; font-weight: 600; }
svg { display: block; width: 100%; min-width: 640px; height: auto; font-size: 14px; }
svg text { fill: var(--ink); }
.grid { stroke: var(--line); }
svg .tick, svg .unit { fill: var(--soft); font-size: 12.5px; }
.tick { text-anchor: middle; } .name { text-anchor: end; }
.value { font-weight: 600; font-variant-numeric: tabular-nums; }
.whole { fill: var(--whole); } .phase-setup, .setup { fill: var(--setup); background: var(--setup); }
.phase-load, .load { fill: var(--load); background: var(--load); }
.phase-firmware, .firmware { fill: var(--firmware); background: var(--firmware); }
.phase-bootloader, .bootloader { fill: var(--bootloader); background: var(--bootloader); }
.phase-kernel, .kernel { fill: var(--kernel); background: var(--kernel); }
.phase-init, .init { fill: var(--init); background: var(--init); }
.run { fill: var(--run); fill-opacity: 0.42; stroke: var(--card); stroke-width: 0.6; }
.all { fill: var(--soft); fill-opacity: 0.5; } .half { fill: var(--half); fill-opacity: 0.55; }
.median { fill: var(--median); }
rect:hover, circle:hover { fill-opacity: 1; filter: brightness(1.12); }
.scales { float: right; font-size: 13px; color: var(--soft); }
.scales label { margin-left: 12px; cursor: pointer; }
section:has(#log:checked) .linear, section:has(#linear:checked) .log { display: none; }
.legend { display: flex; flex-wrap: wrap; gap: 6px 18px; margin: 10px 0 0; font-size: 13px;
  color: var(--soft); }
.legend i { display: inline-block; width: 12px; height: 12px; border-radius: 3px;
  margin-right: 6px; vertical-align: -1px; }
.legend i.dot { border-radius: 50%; width: 7px; height: 7px; background: var(--run);
  opacity: 0.5; vertical-align: 1px; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th, td { text-align: right; padding: 5px 10px; border-bottom: 1px solid var(--line);
  font-variant-numeric: tabular-nums; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
th { color: var(--soft); font-weight: 500; font-size: 13px; }
tr:last-child td { border-bottom: 0; }
td small { display: block; color: var(--soft); white-space: normal; }
.bad { color: var(--init); white-space: normal; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 4px 18px; margin: 0; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
code { font: 12.5px/1.5 ui-monospace, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
summary { cursor: pointer; color: var(--soft); }
details p { margin: 8px 0; }
)css";

std::string cell(const std::string& text) {
    return cat("<td>", text, "</td>");
}

std::string figures_row(const BootSeries& series, const std::vector<std::string>& phases) {
    const Summary summary = summarize(series.ready_ms());
    std::string row = cat(
        "<tr>", cell(cat(html_text(series.name), "<small>", html_text(series.title), "</small>")));
    if (summary.count == 0) {
        const std::string why = series.skipped.empty() ? "no run became ready" : series.skipped;
        return cat(row, "<td class=\"bad\" colspan=\"", 6 + phases.size(), "\">", html_text(why),
                   "</td></tr>\n");
    }
    for (const double ms :
         {summary.median, summary.p99, summary.min, summary.max, summary.spread()})
        row += cell(ms_text(ms));
    const std::size_t failures = series.failures();
    row += cell(failures == 0
                    ? cat(summary.count)
                    : cat(summary.count, "<small class=\"bad\">", failures, " failed</small>"));
    const auto medians = series.phase_medians_ms();
    for (const std::string& phase : phases) {
        const auto found = std::find_if(medians.begin(), medians.end(),
                                        [&](const auto& median) { return median.first == phase; });
        row += cell(found == medians.end() ? "" : ms_text(found->second));
    }
    return row + "</tr>\n";
}

std::string figures_table(const BootReport& report, const std::vector<std::string>& phases) {
    std::string table = "<table><tr><th>ms to ready</th><th>median</th><th>p99</th><th>min</th>"
                        "<th>max</th><th>spread</th><th>runs</th>";
    for (const std::string& phase : phases)
        table += cat("<th>", html_text(phase), "</th>");
    table += "</tr>\n";
    for (const BootSeries& series : report.series)
        table += figures_row(series, phases);
    return table + "</table>\n";
}

std::string legend(const std::vector<std::string>& phases) {
    std::string text = "<p class=\"legend linear\">";
    for (const std::string& phase : phases)
        text += cat("<span><i class=\"", html_text(phase), "\"></i>", html_text(phase), "</span>");
    return text +
           "<span><i class=\"dot\"></i>a run</span><span>bar and figure: the median</span></p>\n"
           "<p class=\"legend log\"><span><i class=\"dot\"></i>a run</span>"
           "<span>box: the middle half of the runs</span><span>line: all of them</span>"
           "<span>mark and figure: the median</span></p>\n";
}

std::string facts(const BootReport& report) {
    std::string list = "<dl>";
    const auto add = [&list](std::string_view name, std::string_view text) {
        list += cat("<dt>", name, "</dt><dd>", html_text(text), "</dd>");
    };
    for (const auto& [name, text] : measured_facts(report))
        add(name, text);
    add("runs", cat(report.runs, " of each in turn, after ", report.warmup, " to warm up"));
    return list + "</dl>\n";
}

std::string commands(const BootReport& report) {
    std::string text = "<details><summary>The commands</summary>\n";
    for (const BootSeries& series : report.series) {
        if (series.command.empty())
            continue;
        std::string words;
        for (const std::string& word : series.command)
            words += (words.empty() ? "" : " ") +
                     (word.find(' ') == std::string::npos ? word : "'" + word + "'");
        text += cat("<p><b>", html_text(series.name), "</b><br><code>", html_text(words),
                    "</code></p>\n");
    }
    return text + "</details>\n";
}

} // namespace

std::string report_html(const BootReport& report) {
    const std::vector<std::string> phases = phase_names(report);
    return cat(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
        "<meta name=\"viewport\" content=\"width=device-width\">"
        "<meta name=\"color-scheme\" content=\"light dark\">"
        "<title>coldstart: time to boot</title>\n<style>",
        style, "</style></head>\n<body><main>\n<h1>Time to boot</h1>\n<p class=\"lead\">",
        "From the start of the monitor's process until the guest is ready: ",
        html_text(report.ready), '.',
        report.interrupted ? " <span class=\"bad\">Interrupted: some runs are missing.</span>" : "",
        "</p>\n<section><span class=\"scales\"><label><input type=\"radio\" name=\"scale\" "
        "id=\"linear\" checked> linear</label><label><input type=\"radio\" name=\"scale\" "
        "id=\"log\"> logarithmic</label></span><h2>Milliseconds to ready</h2>\n",
        "<div class=\"linear\">", linear_chart(report), "</div><div class=\"log\">",
        log_chart(report), "</div>", legend(phases), "</section>\n<section>",
        figures_table(report, phases), "</section>\n<section><h2>What was measured</h2>\n",
        facts(report), "</section>\n<section>", commands(report),
        "</section>\n</main></body></html>\n");
}

} // namespace coldstart
