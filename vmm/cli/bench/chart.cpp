#include "vmm/cli/bench/chart.h"

#include "vmm/base/text.h"
#include "vmm/cli/bench/html_text.h"

#include <algorithm>
#include <cmath>
#include <functional>

namespace coldstart {
namespace {

constexpr double width = 1000, left = 150, right = 900;
constexpr double row_height = 46, bar_height = 22, axis_height = 34, top = 10;

struct Row {
    const BootSeries* series;
    std::vector<double> ms;
    Summary summary;
};

std::vector<Row> rows_of(const BootReport& report) {
    std::vector<Row> rows;
    for (const BootSeries& series : report.series) {
        const std::vector<double> ms = series.ready_ms();
        if (!ms.empty())
            rows.push_back({&series, ms, summarize(ms)});
    }
    return rows;
}

double largest(const std::vector<Row>& rows) {
    double max = 0;
    for (const Row& row : rows)
        max = std::max(max, row.summary.max);
    return max;
}

using Scale = std::function<double(double)>;

/// Axis, labels, and for each row what `draw(row, middle)` gives.
template <typename Draw>
std::string chart(const std::vector<Row>& rows, const std::vector<double>& ticks,
                  const Scale& scale, const char* title, Draw draw) {
    const double bottom = top + row_height * static_cast<double>(rows.size());
    std::string svg = cat("<svg viewBox=\"0 0 ", width, ' ', bottom + axis_height,
                          "\" role=\"img\" aria-label=\"", title, "\">\n");
    for (const double tick : ticks) {
        const std::string x = svg_number(scale(tick));
        svg += cat("<line class=\"grid\" x1=\"", x, "\" x2=\"", x, "\" y1=\"", top, "\" y2=\"",
                   bottom, "\"/><text class=\"tick\" x=\"", x, "\" y=\"", bottom + 18, "\">", tick,
                   "</text>\n");
    }
    svg += cat("<text class=\"unit\" x=\"", right + 40, "\" y=\"", bottom + 18, "\">ms</text>\n");
    double middle = top + row_height / 2;
    for (const Row& row : rows) {
        svg += cat("<text class=\"name\" x=\"", left - 14, "\" y=\"", middle + 5, "\">",
                   html_text(row.series->name), "</text>\n", draw(row, middle),
                   "<text class=\"value\" x=\"", right + 14, "\" y=\"", middle + 5, "\">",
                   ms_text(row.summary.median), "</text>\n");
        middle += row_height;
    }
    return svg + "</svg>\n";
}

std::string box(const std::string& classes, double x, double end, double y, double height,
                const std::string& hint) {
    return cat("<rect class=\"", classes, "\" x=\"", svg_number(x), "\" y=\"", svg_number(y),
               "\" width=\"", svg_number(std::max(end - x, 0.5)), "\" height=\"",
               svg_number(height), "\"><title>", html_text(hint), "</title></rect>\n");
}

/// A dot a run, in three tracks so that neighbours do not cover each other.
std::string dots(const Row& row, const Scale& scale, double middle) {
    std::string svg;
    for (std::size_t i = 0; i < row.ms.size(); ++i) {
        const double y = middle + (static_cast<double>(i % 3) - 1) * 5;
        svg += cat("<circle class=\"run\" cx=\"", svg_number(scale(row.ms[i])), "\" cy=\"",
                   svg_number(y), "\" r=\"2.6\"><title>", html_text(row.series->name), ", run ",
                   i + 1, ": ", ms_text(row.ms[i]), " ms</title></circle>\n");
    }
    return svg;
}

std::string bar(const Row& row, const Scale& scale, double middle) {
    const double y = middle - bar_height / 2;
    const auto phases = row.series->phase_medians_ms();
    double sum = 0;
    for (const auto& [name, ms] : phases)
        sum += ms;
    if (sum <= 0)
        return box("whole", scale(0), scale(row.summary.median), y, bar_height,
                   cat(row.series->title, ": ", ms_text(row.summary.median), " ms"));
    // Medians of parts do not add up to the median of the whole.
    const double stretch = row.summary.median / sum;
    std::string svg;
    double begin = 0;
    for (const auto& [name, ms] : phases) {
        const double end = begin + ms * stretch;
        svg += box("phase-" + name, scale(begin), scale(end), y, bar_height,
                   cat(row.series->name, ", ", name, ": ", ms_text(ms), " ms"));
        begin = end;
    }
    return svg;
}

std::string range(const Row& row, const Scale& scale, double middle) {
    const Summary& summary = row.summary;
    const std::string hint =
        cat(row.series->title, ": ", ms_text(summary.min), " to ", ms_text(summary.max),
            " ms, median ", ms_text(summary.median), ", p99 ", ms_text(summary.p99));
    return box("all", scale(summary.min), scale(summary.max), middle - 2, 4, hint) +
           box("half", scale(summary.lower_quartile), scale(summary.upper_quartile),
               middle - bar_height / 2, bar_height, hint) +
           box("median", scale(summary.median) - 1.5, scale(summary.median) + 1.5,
               middle - bar_height / 2 - 3, bar_height + 6, hint);
}

} // namespace

std::vector<double> linear_ticks(double max) {
    if (!(max > 0))
        return {0, 1};
    const double power = std::pow(10.0, std::floor(std::log10(max / 4)));
    double step = power;
    for (const double factor : {1.0, 2.0, 5.0, 10.0}) {
        step = power * factor;
        if (max / step <= 7)
            break;
    }
    std::vector<double> ticks;
    for (int i = 0; ticks.empty() || ticks.back() < max; ++i)
        ticks.push_back(step * i);
    return ticks;
}

std::vector<double> log_ticks(double min, double max) {
    std::vector<double> ticks;
    double power = std::pow(10.0, std::floor(std::log10(min)));
    for (bool done = false; !done; power *= 10) {
        for (const double factor : {1.0, 2.0, 5.0}) {
            const double tick = power * factor;
            if (ticks.size() == 1 && tick <= min)
                ticks.clear();
            ticks.push_back(tick);
            done = tick >= max;
            if (done)
                break;
        }
    }
    return ticks;
}

std::string linear_chart(const BootReport& report) {
    const std::vector<Row> rows = rows_of(report);
    const std::vector<double> ticks = linear_ticks(largest(rows));
    const Scale scale = [&ticks](double ms) { return left + ms / ticks.back() * (right - left); };
    return chart(
        rows, ticks, scale, "Median time to ready, by phase",
        [&](const Row& row, double y) { return bar(row, scale, y) + dots(row, scale, y); });
}

std::string log_chart(const BootReport& report) {
    const std::vector<Row> rows = rows_of(report);
    double min = largest(rows);
    for (const Row& row : rows)
        min = std::min(min, row.summary.min);
    // A run can't take no time; a report that says so is shown at a nanosecond.
    const std::vector<double> ticks = log_ticks(std::max(min, 1e-6), std::max(largest(rows), 1e-6));
    const double low = std::log10(ticks.front());
    const double span = std::max(std::log10(ticks.back()) - low, 0.1);
    const Scale scale = [low, span](double ms) {
        return left + (std::log10(std::max(ms, 1e-6)) - low) / span * (right - left);
    };
    return chart(
        rows, ticks, scale, "Time to ready of every run, logarithmic",
        [&](const Row& row, double y) { return range(row, scale, y) + dots(row, scale, y); });
}

} // namespace coldstart
