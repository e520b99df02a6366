#include "vmm/cli/bench/rank_test.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace coldstart {
namespace {

struct Ranks {
    std::vector<std::size_t> doubled; ///< twice the rank of each value, so that midranks are whole
    double tie_sum = 0;               ///< sum of t^3 - t over the groups of t equal values
};

Ranks rank(std::span<const double> a, std::span<const double> b) {
    std::vector<double> all(a.begin(), a.end());
    all.insert(all.end(), b.begin(), b.end());
    std::vector<std::size_t> order(all.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(),
              [&all](std::size_t x, std::size_t y) { return all[x] < all[y]; });
    Ranks ranks;
    ranks.doubled.resize(all.size());
    for (std::size_t begin = 0; begin < order.size();) {
        std::size_t end = begin + 1;
        while (end < order.size() && all[order[end]] == all[order[begin]])
            ++end;
        for (std::size_t i = begin; i < end; ++i)
            ranks.doubled[order[i]] = begin + 1 + end; // 2 * ((begin + 1) + end) / 2
        const auto ties = static_cast<double>(end - begin);
        ranks.tie_sum += ties * ties * ties - ties;
        begin = end;
    }
    return ranks;
}

/// How many choices of `chosen` ranks there are for each sum, by the knapsack recurrence.
std::vector<double> choices_by_sum(const std::vector<std::size_t>& ranks, std::size_t chosen) {
    const std::size_t sums = std::accumulate(ranks.begin(), ranks.end(), std::size_t{0}) + 1;
    std::vector<std::vector<double>> ways(chosen + 1, std::vector<double>(sums, 0.0));
    ways[0][0] = 1;
    for (const std::size_t rank : ranks) {
        for (std::size_t count = chosen; count > 0; --count) {
            for (std::size_t sum = rank; sum < sums; ++sum)
                ways[count][sum] += ways[count - 1][sum - rank];
        }
    }
    return ways[chosen];
}

double exact(const std::vector<std::size_t>& ranks, std::size_t count_a, std::size_t sum_a) {
    const std::vector<double> ways = choices_by_sum(ranks, count_a);
    const auto centre = static_cast<double>(count_a * (ranks.size() + 1));
    const double distance = std::abs(static_cast<double>(sum_a) - centre);
    double far = 0, all = 0;
    for (std::size_t sum = 0; sum < ways.size(); ++sum) {
        all += ways[sum];
        if (std::abs(static_cast<double>(sum) - centre) >= distance)
            far += ways[sum];
    }
    return far / all;
}

double approximate(const Ranks& ranks, std::size_t count_a, std::size_t sum_a) {
    const auto n = static_cast<double>(ranks.doubled.size());
    const auto a = static_cast<double>(count_a);
    const double b = n - a;
    const double variance = a * b / 12 * (n + 1 - ranks.tie_sum / (n * (n - 1)));
    if (variance <= 0)
        return 1;
    const double distance =
        std::max(0.0, std::abs(static_cast<double>(sum_a) / 2 - a * (n + 1) / 2) - 0.5);
    return std::erfc(distance / std::sqrt(variance) / std::sqrt(2.0));
}

} // namespace

double rank_test(std::span<const double> a, std::span<const double> b) {
    if (a.empty() || b.empty())
        return 1;
    const Ranks ranks = rank(a, b);
    const std::size_t sum_a = std::accumulate(
        ranks.doubled.begin(), ranks.doubled.begin() + static_cast<std::ptrdiff_t>(a.size()),
        std::size_t{0});
    return ranks.doubled.size() <= rank_test_exact_values ? exact(ranks.doubled, a.size(), sum_a)
                                                          : approximate(ranks, a.size(), sum_a);
}

double least_probability(std::size_t count_a, std::size_t count_b) {
    double choices = 1;
    for (std::size_t i = 1; i <= count_a; ++i)
        choices *= static_cast<double>(count_b + i) / static_cast<double>(i);
    return std::min(1.0, 2 / choices);
}

} // namespace coldstart
