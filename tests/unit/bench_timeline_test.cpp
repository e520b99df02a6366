// A run's timeline, as a benchmark reads it.
#include "vmm/cli/bench/timeline_phases.h"

#include <catch2/catch.hpp>

using namespace coldstart;

namespace {

constexpr std::string_view timeline = R"({"format":"coldstart-timeline","version":1,
"start_monotonic_ns":1000,"events":[],"phases":[
{"name":"setup","title":"x","start_ns":0,"end_ns":100},
{"name":"load","title":"x","start_ns":100,"end_ns":300},
{"name":"kernel","title":"x","start_ns":300,"end_ns":900},
{"name":"init","title":"x","start_ns":900,"end_ns":5000}],"new":{}})";

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
