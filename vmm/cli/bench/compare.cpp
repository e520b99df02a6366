#include "vmm/cli/bench/compare.h"

#include "vmm/base/byte_size.h"
#include "vmm/base/text.h"
#include "vmm/cli/bench/rank_test.h"
#include "vmm/cli/bench/text_table.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace coldstart {
namespace {

const BootSeries* find_series(const BootReport& report, const std::string& name) {
    const auto found = std::find_if(report.series.begin(), report.series.end(),
                                    [&](const BootSeries& series) { return series.name == name; });
    return found == report.series.end() ? nullptr : &*found;
}

Change change_of(const SeriesChange& series) {
    const Summary& before = series.before;
    const Summary& after = series.after;
    if (before.count == 0 || after.count == 0)
        return Change::only_in_one;
    const bool slower = after.median > before.median;
    if (series.probability < significance && after.median != before.median)
        return slower ? Change::slower : Change::quicker;
    if (least_probability(before.count, after.count) < significance)
        return Change::none;
    const bool apart = slower ? after.min > before.max : after.max < before.min;
    if (apart && std::abs(after.median - before.median) > apart_share * before.median)
        return slower ? Change::perhaps_slower : Change::perhaps_quicker;
    return Change::too_few;
}

SeriesChange compare_series(const std::string& name, const BootSeries* before,
                            const BootSeries* after) {
    const std::vector<double> a = before != nullptr ? before->ready_ms() : std::vector<double>();
    const std::vector<double> b = after != nullptr ? after->ready_ms() : std::vector<double>();
    SeriesChange series{.name = name,
                        .before = summarize(a),
                        .after = summarize(b),
                        .probability = rank_test(a, b)};
    series.change = change_of(series);
    return series;
}

std::string verdict(Change change) {
    switch (change) {
    case Change::quicker:
        return "quicker";
    case Change::slower:
        return "SLOWER";
    case Change::perhaps_quicker:
        return "perhaps quicker (few runs)";
    case Change::perhaps_slower:
        return "perhaps slower (few runs)";
    case Change::too_few:
        return "can't tell (few runs)";
    case Change::only_in_one:
        return "no runs on one side";
    case Change::none:
        break;
    }
    return "no change beyond the noise";
}

std::string median_text(const Summary& summary) {
    return summary.count == 0 ? "-" : ms_text(summary.median);
}

std::string share_text(const SeriesChange& series) {
    if (series.before.count == 0 || series.after.count == 0 || series.before.median <= 0)
        return "-";
    char text[40];
    std::snprintf(text, sizeof text, "%+.1f%%",
                  100 * (series.after.median / series.before.median - 1));
    return text;
}

std::string probability_text(double probability) {
    char text[40];
    std::snprintf(text, sizeof text, probability < 0.0001 ? "<0.0001" : "%.4f", probability);
    return text;
}

} // namespace

std::vector<SeriesChange> compare_reports(const BootReport& before, const BootReport& after) {
    std::vector<SeriesChange> all;
    for (const BootSeries& series : before.series) {
        const BootSeries* const other = find_series(after, series.name);
        if (!series.ready_ms().empty() || (other != nullptr && !other->ready_ms().empty()))
            all.push_back(compare_series(series.name, &series, other));
    }
    for (const BootSeries& series : after.series) {
        if (find_series(before, series.name) == nullptr && !series.ready_ms().empty())
            all.push_back(compare_series(series.name, nullptr, &series));
    }
    return all;
}

std::vector<std::string> differing_conditions(const BootReport& before, const BootReport& after) {
    std::vector<std::string> lines;
    const auto differ = [&lines](std::string_view what, const std::string& a,
                                 const std::string& b) {
        if (a != b)
            lines.push_back(cat(what, ": ", printable(a, 200), " and ", printable(b, 200)));
    };
    differ("clock", clock_text(before.clock), clock_text(after.clock));
    differ("KVM", before.kvm_kind, after.kvm_kind);
    differ("host", before.host, after.host);
    differ("kernel", before.kernel, after.kernel);
    differ("initrd", before.initrd, after.initrd);
    differ("cmdline", before.command_line, after.command_line);
    differ("CPUs", cat(before.cpus), cat(after.cpus));
    differ("memory", format_byte_size(before.memory_bytes), format_byte_size(after.memory_bytes));
    differ("ready", before.ready, after.ready);
    return lines;
}

std::string comparison_text(const BootReport& before, const BootReport& after) {
    std::string out;
    for (const std::string& line : differing_conditions(before, after))
        out += cat("not the same  ", line, '\n');
    std::vector<std::vector<std::string>> rows{
        {"ms to ready", "runs", "before", "after", "change", "p", "verdict"}};
    std::size_t slower = 0, quicker = 0;
    for (const SeriesChange& series : compare_reports(before, after)) {
        rows.push_back({series.name, cat(series.before.count, '/', series.after.count),
                        median_text(series.before), median_text(series.after), share_text(series),
                        probability_text(series.probability), verdict(series.change)});
        slower += series.change == Change::slower ? 1 : 0;
        quicker += series.change == Change::quicker ? 1 : 0;
    }
    if (rows.size() == 1)
        return out + "neither report has a run that became ready\n";
    return out + text_table(rows) +
           cat(slower, " slower, ", quicker, " quicker, of ", rows.size() - 1, " (p < ",
               significance, ", Wilcoxon-Mann-Whitney)\n");
}

} // namespace coldstart
