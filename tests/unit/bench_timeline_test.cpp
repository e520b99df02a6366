// A run's timeline, as a benchmark reads it.
#include "vmm/base/error.h"
#include "vmm/cli/bench/timeline_phases.h"
#include "vmm/cli/bench/timeline_verb.h"

#include <array>
#include <catch2/catch.hpp>
#include <string>

using namespace coldstart;

namespace {

constexpr std::string_view timeline = R"({"format":"coldstart-timeline","version":1,
"start_monotonic_ns":1000,"events":[],"phases":[
{"name":"setup","title":"x","start_ns":0,"end_ns":100},
{"name":"load","title":"x","start_ns":100,"end_ns":300},
{"name":"kernel","title":"x","start_ns":300,"end_ns":900},
{"name":"init","title":"x","start_ns":900,"end_ns":5000}],"new":{}})";

/// A timeline file with that text in the place of one of its own.
std::string timeline_file(std::string_view old = "", std::string_view other = "") {
    std::string text = R"({"format":"coldstart-timeline","version":1,"machine":{"cpus":1},
"start_monotonic_ns":1000,
"events":[{"t_ns":0,"event":"process_start"},{"t_ns":7,"event":"post_code","code":66}],
"phases":[{"name":"setup","title":"x","start_ns":0,"end_ns":1500000},
{"name":"kernel","title":"x","start_ns":1500000,"end_ns":4000000}],
"end":{"reason":"powered off","status":0,"t_ns":4000000}})";
    if (!old.empty())
        text.replace(text.find(old), old.size(), other);
    return text;
}

} // namespace

TEST_CASE("bench: phases end when the guest is ready and begin with the spawn") {
    // Spawned 50 ns before the timeline's start; ready 1000 ns after the spawn, 950 on its clock.
    const auto phases = timeline_phases(timeline, 950, 1000);
    REQUIRE(phases.size() == 4);
    CHECK(phases[0].name == "setup");
    CHECK(phases[0].ns == 150);
    CHECK(phases[1].ns == 200);
    CHECK(phases[2].ns == 600);
    CHECK(phases[3].name == "init");
    CHECK(phases[3].ns == 50);
}

TEST_CASE("bench: a phase after readiness is none, and the last one reaches up to it") {
    const auto early = timeline_phases(timeline, 1000, 250);
    REQUIRE(early.size() == 2);
    CHECK(early[1].name == "load");
    CHECK(early[1].ns == 150);
    const auto late = timeline_phases(timeline, 1000, 9000);
    REQUIRE(late.size() == 4);
    CHECK(late[3].ns == 8100);
}

TEST_CASE("bench: what is no timeline has no phases") {
    for (const std::string_view text :
         {"", "{}", "[]", "{\"start_monotonic_ns\":\"x\",\"phases\":[]}",
          "{\"start_monotonic_ns\":1,\"phases\":[{\"name\":1,\"end_ns\":1}]}",
          "{\"start_monotonic_ns\":1,\"phases\":7}",
          "{\"start_monotonic_ns\":-1,\"phases\":[{\"name\":\"x\",\"end_ns\":-1}]}"})
        CHECK(timeline_phases(text, 0, 10).size() <= 1);
}

TEST_CASE("bench timeline: the phases of one run, or of two and what lies between them") {
    const std::array one{timeline_summary(timeline_file(), "a")};
    CHECK(timelines_text(one) == "ms       took\n"
                                 "setup   1.500\n"
                                 "kernel  2.500\n"
                                 "all     4.000\n");
    const std::array two{
        timeline_summary(timeline_file(R"("end_ns":1500000)", R"("end_ns":500000)"), "a"),
        timeline_summary(timeline_file("\"kernel\"", "\"firmware\""), "b")};
    CHECK(timelines_text(two) == "ms            A      B   B - A\n"
                                 "setup     0.500  1.500  +1.000\n"
                                 "firmware      -  2.500       -\n"
                                 "kernel    2.500      -       -\n"
                                 "all       4.000  4.000  +0.000\n");
}

TEST_CASE("bench timeline: what the page could not show is refused, with the file's name") {
    using Catch::Contains;
    const std::string ill_formed[][3] = {
        {"coldstart-timeline", "coldstart-bench", "its format is not coldstart-timeline"},
        {R"("version":1)", R"("version":2)", "version"},
        {R"("machine":{"cpus":1})", R"("machine":1)", "machine"},
        {R"("t_ns":7)", R"("t_ns":-7)", "t_ns"},
        {R"("code":66)", R"("code":"66")", "POST code"},
        {R"(,"code":66)", "", "missing"},
        {R"("end_ns":4000000)", R"("end_ns":1)", "ends before"},
        {R"("title":"x",)", "", "missing"},
        {R"("reason":"powered off")", R"("reason":7)", "reason"},
        {R"("end":)", R"("finish":)", "missing"},
        {"}}", "}", "not a timeline"},
    };
    for (const auto& [old, other, words] : ill_formed) {
        INFO(other);
        CHECK_THROWS_WITH(timeline_summary(timeline_file(old, other), "a.json"),
                          Contains("a.json: not a timeline of coldstart") && Contains(words) &&
                              Contains("run --timeline"));
    }
    CHECK_THROWS_AS(timeline_summary("", "a.json"), Error);
}
