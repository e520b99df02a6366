#include "vmm/cli/bench/statistics.h"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace coldstart {
namespace {

/// `sorted` is not empty; 0 <= fraction <= 1.
double quantile(const std::vector<double>& sorted, double fraction) {
    const double place = fraction * static_cast<double>(sorted.size() - 1);
    const auto below = static_cast<std::size_t>(std::floor(place));
    const std::size_t above = std::min(below + 1, sorted.size() - 1);
    return sorted[below] + (place - std::floor(place)) * (sorted[above] - sorted[below]);
}

double nearest_rank(const std::vector<double>& sorted, double fraction) {
    const auto rank =
        static_cast<std::size_t>(std::ceil(fraction * static_cast<double>(sorted.size())));
    return sorted[std::max<std::size_t>(rank, 1) - 1];
}

} // namespace

Summary summarize(std::vector<double> values) {
    Summary summary;
    summary.count = values.size();
    if (values.empty())
        return summary;
    std::sort(values.begin(), values.end());
    summary.min = values.front();
    summary.lower_quartile = quantile(values, 0.25);
    summary.median = quantile(values, 0.5);
    summary.upper_quartile = quantile(values, 0.75);
    summary.p99 = nearest_rank(values, 0.99);
    summary.max = values.back();
    return summary;
}

double median_of(std::span<const double> values) {
    assert(!values.empty());
    return summarize({values.begin(), values.end()}).median;
}

} // namespace coldstart
