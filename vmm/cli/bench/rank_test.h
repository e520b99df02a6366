// Whether two sets of measurements differ by more than their noise: the Wilcoxon-Mann-Whitney rank
// sum test, two-sided. It assumes no distribution, and one wild run weighs no more than its rank.
// Source: Hollander, Wolfe, Chicken, "Nonparametric Statistical Methods", 3rd edition, section 4.1.
#pragma once

#include <cstddef>
#include <span>

namespace coldstart {

/// The probability of ranks at least as far apart as these if both sets came from one source.
/// Exact, ties included, up to rank_test_exact_values values in all; a normal approximation with
/// continuity correction beyond. 1 when a set is empty.
double rank_test(std::span<const double> a, std::span<const double> b);

inline constexpr std::size_t rank_test_exact_values = 60;

/// The smallest probability that sets of these sizes can give: how far apart they may be at most.
double least_probability(std::size_t count_a, std::size_t count_b);

} // namespace coldstart
