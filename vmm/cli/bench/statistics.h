// What a handful of measurements say: order statistics alone, since boot times have a long tail
// and a mean would follow it.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace coldstart {

struct Summary {
    std::size_t count = 0; ///< 0: nothing below means anything
    double min = 0;
    double lower_quartile = 0;
    double median = 0;
    double upper_quartile = 0;
    double p99 = 0; ///< by nearest rank: of fewer than 100 values the largest
    double max = 0;

    /// The middle half of the values lies within this.
    double spread() const noexcept { return upper_quartile - lower_quartile; }
};

/// Quartiles and median interpolate between neighbours (Hyndman and Fan's type 7).
Summary summarize(std::vector<double> values);

/// Of a non-empty span that need not be in order.
double median_of(std::span<const double> values);

} // namespace coldstart
