#include "vmm/cli/ctl/format.h"

#include "vmm/base/text.h"

#include <algorithm>
#include <cstdio>

namespace coldstart {

std::string TextTable::text() const {
    std::vector<std::size_t> widths;
    for (const auto& row : rows_) {
        widths.resize(std::max(widths.size(), row.size()));
        for (std::size_t i = 0; i < row.size(); ++i) {
            const bool padded = i + 1 < row.size() || i == right_;
            if (padded)
                widths[i] = std::max(widths[i], row[i].size());
        }
    }
    std::string text;
    for (const auto& row : rows_) {
        std::string line;
        for (std::size_t i = 0; i < row.size(); ++i) {
            const std::size_t padding = widths[i] - std::min(widths[i], row[i].size());
            if (i == right_)
                line.append(padding, ' ');
            line += row[i];
            if (i != right_)
                line.append(padding, ' ');
            if (i + 1 < row.size() && widths[i] > 0)
                line += "  ";
        }
        line.erase(line.find_last_not_of(' ') + 1);
        text.append(line).push_back('\n');
    }
    return text;
}

std::string mib_text(std::uint64_t mib) {
    if (mib != 0 && mib % 1024 == 0)
        return cat(mib / 1024, " GiB");
    return cat(mib, " MiB");
}

std::string bytes_text(std::uint64_t bytes) {
    constexpr const char* units[] = {"KiB", "MiB", "GiB", "TiB"};
    if (bytes < 1024)
        return cat(bytes, " B");
    double value = static_cast<double>(bytes) / 1024;
    std::size_t unit = 0;
    for (; value >= 1024 && unit + 1 < std::size(units); ++unit)
        value /= 1024;
    char text[64];
    std::snprintf(text, sizeof text, "%.1f %s", value, units[unit]);
    return text;
}

std::string duration_text(std::uint64_t time_us) {
    char text[64];
    if (time_us < 1000)
        return cat(time_us, " us");
    if (time_us < 1'000'000)
        std::snprintf(text, sizeof text, "%.3f ms", static_cast<double>(time_us) / 1e3);
    else
        std::snprintf(text, sizeof text, "%.3f s", static_cast<double>(time_us) / 1e6);
    return text;
}

} // namespace coldstart
