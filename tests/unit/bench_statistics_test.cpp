// The arithmetic of `coldstart bench`: summaries, the rank sum test, verdicts, the order of runs.
#include "vmm/cli/bench/compare.h"
#include "vmm/cli/bench/rank_test.h"
#include "vmm/cli/bench/schedule.h"
#include "vmm/cli/bench/statistics.h"

#include <catch2/catch.hpp>
#include <map>
#include <set>

using namespace coldstart;

namespace {

BootSeries series(const std::string& name, const std::vector<double>& ms) {
    BootSeries made{name, name + " title", {}, "", {}};
    for (const double value : ms) {
        BootRun run;
        run.outcome = RunOutcome::ready;
        run.ready_ns = static_cast<std::uint64_t>(value * 1e6);
        made.runs.push_back(run);
    }
    return made;
}

BootReport report(std::vector<BootSeries> all) {
    BootReport made;
    made.series = std::move(all);
    return made;
}

Change change(const std::vector<double>& before, const std::vector<double>& after) {
    return compare_reports(report({series("x", before)}), report({series("x", after)}))
        .at(0)
        .change;
}

std::vector<double> from(double first, double step, int count) {
    std::vector<double> values;
    for (int i = 0; i < count; ++i)
        values.push_back(first + step * i);
    return values;
}

} // namespace

TEST_CASE("bench: quartiles interpolate, and p99 of a few values is the largest") {
    const Summary summary = summarize({4, 1, 3, 2});
    CHECK(summary.count == 4);
    CHECK(summary.min == 1);
    CHECK(summary.lower_quartile == Approx(1.75));
    CHECK(summary.median == Approx(2.5));
    CHECK(summary.upper_quartile == Approx(3.25));
    CHECK(summary.spread() == Approx(1.5));
    CHECK(summary.p99 == 4);
    CHECK(summary.max == 4);
    CHECK(summarize({}).count == 0);
    CHECK(summarize({7}).median == 7);
}

TEST_CASE("bench: p99 of two hundred values leaves out the two largest") {
    CHECK(summarize(from(1, 1, 200)).p99 == 198);
    CHECK(summarize(from(1, 1, 100)).p99 == 99);
}

TEST_CASE("bench: the rank test's exact probabilities are those of the tables") {
    // All of one below all of the other: 2 of the C(n, k) choices are as far apart.
    CHECK(rank_test(from(1, 1, 3), from(10, 1, 3)) == Approx(2.0 / 20));
    CHECK(rank_test(from(1, 1, 5), from(10, 1, 5)) == Approx(2.0 / 252));
    // R: wilcox.test(c(1,2,4,7), c(3,5,6,8)), exact, W = 4.
    const std::vector<double> a{1, 2, 4, 7}, b{3, 5, 6, 8};
    CHECK(rank_test(a, b) == Approx(0.3429).margin(0.0001));
    CHECK(rank_test(b, a) == Approx(rank_test(a, b)));
    CHECK(rank_test(a, a) == Approx(1));
    CHECK(rank_test({}, a) == 1);
    // Six choices of two of 1, 1, 2, 2 have the rank sums 3, 5, 5, 5, 5, 7.
    CHECK(rank_test(std::vector<double>{1, 1}, std::vector<double>{2, 2}) == Approx(2.0 / 6));
}

TEST_CASE("bench: beyond the exact sizes the approximation goes on where the exact one ends") {
    const auto shifted = [](int count) {
        return rank_test(from(0, 1, count), from(count * 0.3, 1, count));
    };
    const double last_exact = shifted(30), first_approximate = shifted(31);
    CHECK(last_exact == Approx(first_approximate).epsilon(0.2));
    CHECK(rank_test(from(0, 1, 200), from(0.5, 1, 200)) > 0.9);
    CHECK(rank_test(from(0, 1, 200), from(100, 1, 200)) < 1e-6);
    const std::vector<double> same(100, 5.0);
    CHECK(rank_test(same, same) == 1);
}

TEST_CASE("bench: the least probability tells how many runs a verdict takes") {
    CHECK(least_probability(5, 5) == Approx(2.0 / 252));
    CHECK(least_probability(4, 4) == Approx(2.0 / 70));
    CHECK(least_probability(5, 5) < significance);
    CHECK(least_probability(4, 4) > significance);
}

TEST_CASE("bench: a comparison tells a change from noise") {
    CHECK(change(from(100, 0.1, 10), from(110, 0.1, 10)) == Change::slower);
    CHECK(change(from(110, 0.1, 10), from(100, 0.1, 10)) == Change::quicker);
    CHECK(change(from(100, 1, 10), from(100.5, 1, 10)) == Change::none);
    // One wild run does not make a change.
    std::vector<double> wild = from(100, 0.1, 10);
    wild.back() = 900;
    CHECK(change(from(100, 0.1, 10), wild) == Change::none);
}

TEST_CASE("bench: with few runs a comparison says no more than it can know") {
    CHECK(change({100, 101, 102}, {120, 121, 122}) == Change::perhaps_slower);
    CHECK(change({120, 121, 122}, {100, 101, 102}) == Change::perhaps_quicker);
    CHECK(change({100, 101, 102}, {101, 102, 103}) == Change::too_few);
    CHECK(change({100, 100, 100}, {100.5, 100.5, 100.5}) == Change::too_few);
    CHECK(change({100}, {}) == Change::only_in_one);
}

TEST_CASE("bench: a comparison names series of either side and unlike conditions") {
    BootReport before = report({series("linux", from(1, 1, 6)), series("gone", from(1, 1, 6))});
    BootReport after = report({series("linux", from(1, 1, 6)), series("new", from(1, 1, 6))});
    const auto all = compare_reports(before, after);
    REQUIRE(all.size() == 3);
    CHECK(all[0].change == Change::none);
    CHECK(all[1].name == "gone");
    CHECK(all[2].name == "new");
    CHECK(all[2].change == Change::only_in_one);
    CHECK(differing_conditions(before, after).empty());
    after.kernel = "another";
    after.clock = BenchClock::lab_instructions;
    CHECK(differing_conditions(before, after).size() == 2);
    CHECK_THAT(comparison_text(before, after), Catch::Contains("not the same  kernel"));
}

TEST_CASE("bench: failed runs and those to warm up are in no figure") {
    BootSeries made = series("x", {5, 100, 7});
    made.runs[1].warmup = true;
    made.runs.push_back({});
    CHECK(made.ready_ms() == std::vector<double>{5, 7});
    CHECK(made.failures() == 1);
}

TEST_CASE("bench: every candidate has its turns, warm-up first, none always after the same") {
    const std::vector<Turn> turns = interleave(4, 1, 20);
    REQUIRE(turns.size() == 4 * 21);
    std::map<std::size_t, int> warm, counted;
    std::map<std::size_t, std::set<std::size_t>> before;
    for (std::size_t i = 0; i < turns.size(); ++i) {
        (turns[i].warmup ? warm : counted)[turns[i].candidate]++;
        CHECK(turns[i].warmup == (i < 4));
        if (i != 0)
            before[turns[i].candidate].insert(turns[i - 1].candidate);
    }
    for (std::size_t candidate = 0; candidate < 4; ++candidate) {
        CHECK(warm[candidate] == 1);
        CHECK(counted[candidate] == 20);
        CHECK(before[candidate].size() >= 2);
    }
    // A round is done before the next begins.
    for (std::size_t round = 0; round < 21; ++round) {
        std::set<std::size_t> seen;
        for (std::size_t i = 0; i < 4; ++i)
            seen.insert(turns[round * 4 + i].candidate);
        CHECK(seen.size() == 4);
    }
    CHECK(interleave(0, 1, 5).empty());
}
