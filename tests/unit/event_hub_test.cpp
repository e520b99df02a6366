// The event hub: order, what is lost and said to be, readers that come late or leave.
#include "tests/fakes/fakes.h"
#include "vmm/runtime/events/event_hub.h"
#include "vmm/runtime/io_loop/io_loop.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

using namespace coldstart;
using namespace coldstart::fakes;
using Json = nlohmann::json;

namespace {

struct Heard {
    Listener listener() {
        return [this](std::string_view line) {
            lines.push_back(Json::parse(line));
            return lines.size() != enough;
        };
    }
    std::vector<Json> lines;
    std::size_t enough = 0; ///< 0: never
};

} // namespace

TEST_CASE("events are told once, numbered, from the first on", "[events]") {
    FakeReactor reactor;
    EventHub hub(reactor, 0);
    hub.happened({EventKind::created});
    hub.post_code(0x42, 0);
    Heard early, late;
    const auto first = hub.follow(early.listener());
    reactor.run_until_idle();
    REQUIRE(early.lines.size() == 2);
    CHECK(early.lines[0].at("event") == "created");
    CHECK(early.lines[1].at("event") == "post_code");
    CHECK(early.lines[1].at("code") == 0x42);
    hub.happened({EventKind::exited, 3, "why"});
    const auto second = hub.follow(late.listener());
    reactor.run_until_idle();
    REQUIRE(early.lines.size() == 3);
    CHECK(early.lines[2].at("status") == 3);
    CHECK(early.lines[2].at("text") == "why");
    CHECK(late.lines == early.lines);
    for (std::size_t i = 0; i < early.lines.size(); ++i)
        CHECK(early.lines[i].at("seq") == i);
    CHECK(Json::parse(hub.timeline()) == Json(early.lines));
}

TEST_CASE("nobody is woken for events that nobody reads, until many wait", "[events]") {
    FakeReactor reactor;
    EventHub hub(reactor, 0);
    SECTION("what happens to the machine") {
        for (std::size_t i = 1; i < EventHub::inbox_room / 2; ++i)
            hub.happened({EventKind::paused});
        CHECK(reactor.run_until_idle() == 0);
        hub.happened({EventKind::paused});
        CHECK(reactor.run_until_idle() == 1);
    }
    SECTION("POST codes") {
        for (std::size_t i = 1; i < EventHub::post_code_ring / 2; ++i)
            hub.post_code(1, 0);
        CHECK(reactor.run_until_idle() == 0);
        hub.post_code(1, 0);
        CHECK(reactor.run_until_idle() == 1);
    }
    SECTION("the guest's lines") {
        for (std::size_t i = 1; i < EventHub::ready_lines / 2; ++i)
            hub.guest_ready("a line");
        CHECK(reactor.run_until_idle() == 0);
        hub.guest_ready("a line");
        CHECK(reactor.run_until_idle() == 1);
    }
    Heard reader;
    const auto handle = hub.follow(reader.listener());
    reactor.run_until_idle();
    const std::size_t before = reader.lines.size();
    CHECK(before == Json::parse(hub.timeline()).size());
    CHECK(before > 1);
    hub.happened({EventKind::resumed});
    CHECK(reactor.run_until_idle() == 1);
    CHECK(reader.lines.size() == before + 1);
}

TEST_CASE("a reader that comes too late is told how much it missed", "[events]") {
    FakeReactor reactor;
    EventHub hub(reactor, 0);
    for (std::size_t i = 0; i < EventHub::history + 10; ++i)
        hub.happened({EventKind::paused});
    reactor.run_until_idle();
    Heard late;
    const auto handle = hub.follow(late.listener());
    reactor.run_until_idle();
    REQUIRE(late.lines.size() == EventHub::history + 1);
    CHECK(late.lines[0] == Json{{"event", "lost"}, {"count", 10}});
    CHECK(late.lines[1].at("seq") == 10);
    CHECK(late.lines.back().at("seq") == EventHub::history + 9);
    CHECK(Json::parse(hub.timeline()).size() == EventHub::history);
}

TEST_CASE("more POST codes than the ring holds are counted as lost", "[events]") {
    FakeReactor reactor;
    EventHub hub(reactor, 0);
    for (std::size_t i = 0; i < EventHub::post_code_ring + 5; ++i)
        hub.post_code(static_cast<std::uint8_t>(i), 0);
    const Json timeline = Json::parse(hub.timeline());
    std::size_t codes = 0, lost = 0;
    for (const Json& line : timeline) {
        codes += line.at("event") == "post_code" ? 1 : 0;
        lost += line.at("event") == "lost" ? line.at("count").get<std::size_t>() : 0;
    }
    CHECK(codes == EventHub::post_code_ring);
    CHECK(lost == 5);
}

TEST_CASE("a reader that has had enough hears no more", "[events]") {
    FakeReactor reactor;
    EventHub hub(reactor, 0);
    Heard one{{}, 1}, all;
    const auto first = hub.follow(one.listener());
    const auto second = hub.follow(all.listener());
    hub.happened({EventKind::created});
    hub.happened({EventKind::started});
    reactor.run_until_idle();
    hub.happened({EventKind::paused});
    reactor.run_until_idle();
    CHECK(one.lines.size() == 1);
    CHECK(all.lines.size() == 3);
}

TEST_CASE("the hub's end tells what is left to tell", "[events]") {
    FakeReactor reactor;
    auto hub = std::make_unique<EventHub>(reactor, 0);
    std::atomic<int> told = 0;
    auto handle = hub->follow([&](std::string_view) { return ++told, true; });
    hub->happened({EventKind::exited, 0, "powered off"});
    handle.reset();
    CHECK(told == 0);
    hub.reset();
}

TEST_CASE("POST codes of many threads, while readers come and go", "[events][threads]") {
    constexpr unsigned threads = 4, each = 200; // fewer together than the ring holds
    IoLoop loop;
    EventHub hub(loop, 0);
    loop.start();
    std::atomic<unsigned> told = 0;
    const auto steady = hub.follow([&](std::string_view) { return ++told, true; });
    std::vector<std::thread> writers;
    for (unsigned number = 0; number < threads; ++number) {
        writers.emplace_back([&hub, number] {
            for (unsigned i = 0; i < each; ++i)
                hub.post_code(static_cast<std::uint8_t>(number), 0);
        });
    }
    for (int i = 0; i < 200; ++i) {
        auto gone = std::make_shared<std::atomic<bool>>(false);
        std::atomic<bool> called_after = false;
        auto handle = hub.follow([gone, &called_after](std::string_view) {
            if (*gone)
                called_after = true;
            return true;
        });
        hub.happened({EventKind::paused});
        handle.reset();
        *gone = true;
        REQUIRE_FALSE(called_after);
    }
    for (std::thread& writer : writers)
        writer.join();
    for (int i = 0; i < 500 && told < threads * each + 200; ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    CHECK(told == threads * each + 200);
    std::array<unsigned, threads> codes{};
    std::uint64_t seq = 0;
    const Json timeline = Json::parse(hub.timeline());
    for (const Json& line : timeline) {
        CHECK(line.at("seq") == seq++);
        if (line.at("event") == "post_code")
            ++codes.at(line.at("code").get<unsigned>());
    }
    for (const unsigned count : codes)
        CHECK(count == each);
    loop.stop();
}

TEST_CASE("milestones are part of the timeline, by time, and followers hear only events",
          "[events]") {
    FakeReactor reactor;
    TimelineRecorder recorder(0, TimelineRecorder::Extent::everything);
    EventHub hub(reactor, 0, nullptr, &recorder);
    recorder.record(Milestone::driver_ok, 1000, "disk.disk0");
    recorder.record(Milestone::console_line, 2000, "not here");
    hub.happened({EventKind::reset, 0, "by the guest"});
    hub.post_code(0x42, 0);
    hub.guest_ready("up");
    Heard heard;
    const auto handle = hub.follow(heard.listener());
    reactor.run_until_idle();
    CHECK(heard.lines.size() == 3);
    const Json timeline = Json::parse(hub.timeline());
    std::vector<std::string> names;
    for (const Json& line : timeline)
        names.push_back(line.at("event"));
    CHECK(names ==
          std::vector<std::string>{"process_start", "driver_ok", "reset", "post_code", "ready"});
    CHECK(timeline[1] == Json{{"time_us", 1}, {"event", "driver_ok"}, {"device", "disk.disk0"}});
    // A timeline file is made of the recorder alone.
    const auto recorded = recorder.snapshot();
    REQUIRE(recorded.size() == 6);
    CHECK(recorded[3].what == Milestone::reset);
    CHECK(recorded[4].number == 0x42);
    CHECK(recorded[5].text == "up");
}
