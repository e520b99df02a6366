// The timeline's recorder and what feeds it: records from many threads, what has no room, lines
// out of console bytes, PCI bursts, the process's start.
#include "tests/fakes/fake_byte_stream.h"
#include "vmm/runtime/timeline/line_cutter.h"
#include "vmm/runtime/timeline/pci_scan.h"
#include "vmm/runtime/timeline/process_start.h"
#include "vmm/runtime/timeline/recorder.h"
#include "vmm/runtime/timeline/watched_stream.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <set>
#include <string>
#include <thread>
#include <vector>

using namespace coldstart;
using namespace coldstart::fakes;
using Extent = TimelineRecorder::Extent;

namespace {

std::vector<std::string> lines_of(std::string_view bytes) {
    LineCutter cutter;
    std::vector<std::string> lines;
    for (const char byte : bytes) {
        if (cutter.feed(byte))
            lines.emplace_back(cutter.line());
    }
    if (cutter.end_line())
        lines.emplace_back(cutter.line());
    return lines;
}

std::vector<TimelineEvent> of_kind(const TimelineRecorder& recorder, Milestone what) {
    std::vector<TimelineEvent> events = recorder.snapshot();
    std::erase_if(events, [what](const TimelineEvent& event) { return event.what != what; });
    return events;
}

ByteView bytes_of(std::string_view text) {
    return std::as_bytes(std::span(text));
}

} // namespace

TEST_CASE("a timeline begins with the process and is in the order of time", "[timeline]") {
    TimelineRecorder recorder(1000, Extent::milestones);
    recorder.record(Milestone::ready, 5000, "late");
    recorder.record(Milestone::driver_ok, 3000, "disk.disk0");
    recorder.record(Milestone::post_code, 3000, {}, 0x42);
    const auto events = recorder.snapshot();
    REQUIRE(events.size() == 4);
    CHECK(events[0].what == Milestone::process_start);
    CHECK(events[0].time_ns == 1000);
    CHECK(events[1].text == "disk.disk0");
    CHECK(events[2].number == 0x42);
    CHECK(events[3].text == "late");
    CHECK(recorder.dropped() == 0);
}

TEST_CASE("what a guest says too much is dropped and counted, and leaves room for the rest",
          "[timeline]") {
    TimelineRecorder recorder(0, Extent::everything);
    const std::string text(1000, 'x');
    for (std::size_t i = 0; i < 2 * TimelineRecorder::full_records; ++i)
        recorder.record(Milestone::console_line, i, text);
    const auto lines = of_kind(recorder, Milestone::console_line);
    CHECK(lines.size() == TimelineRecorder::full_records / 4);
    CHECK(lines.back().time_ns == lines.size() - 1);
    CHECK(lines.back().text.size() == TimelineRecorder::max_text_bytes);
    CHECK(recorder.dropped() == 2 * TimelineRecorder::full_records - lines.size());
    recorder.record(Milestone::panic, 1, "said so");
    CHECK(of_kind(recorder, Milestone::panic).size() == 1);
}

TEST_CASE("threads that record at the same time lose nothing and mix nothing up", "[timeline]") {
    TimelineRecorder recorder(0, Extent::everything);
    constexpr std::uint32_t threads = 4, each = 400;
    std::vector<std::thread> writers;
    for (std::uint32_t thread = 0; thread < threads; ++thread)
        writers.emplace_back([&recorder, thread] {
            for (std::uint32_t i = 0; i < each; ++i) {
                const std::uint32_t number = thread * each + i;
                recorder.record(Milestone::console_line, number, std::to_string(number), number);
            }
        });
    for (int i = 0; i < 20; ++i)
        for (const TimelineEvent& event : of_kind(recorder, Milestone::console_line))
            CHECK(event.text == std::to_string(event.number));
    for (std::thread& writer : writers)
        writer.join();
    std::set<std::uint32_t> numbers;
    for (const TimelineEvent& event : of_kind(recorder, Milestone::console_line)) {
        CHECK(event.text == std::to_string(event.number));
        numbers.insert(event.number);
    }
    CHECK(numbers.size() == threads * each);
}

TEST_CASE("every kind of event has a name of its own", "[timeline]") {
    std::set<std::string_view> names;
    for (std::size_t i = 0; i < milestone_kinds; ++i)
        names.insert(milestone_name(static_cast<Milestone>(i)));
    CHECK(names.size() == milestone_kinds);
    CHECK(names.count("") == 0);
    CHECK(milestone_name(Milestone::first_run) == "first_run");
    CHECK(milestone_text_member(Milestone::fw_cfg) == "item");
    CHECK(milestone_number_member(Milestone::post_code) == "code");
}

TEST_CASE("lines are what a terminal would show, without escape sequences", "[timeline]") {
    CHECK(lines_of("one\r\ntwo\n\n  \nthree") == std::vector<std::string>{"one", "two", "three"});
    CHECK(lines_of("\x1b"
                   "c\x1b[?7l\x1b[2J\x1b[0mSeaBIOS  \n") == std::vector<std::string>{"SeaBIOS"});
    CHECK(lines_of("left\x1b[5;10Hright\x1b[1mer\x1b[2J") ==
          std::vector<std::string>{"left", "righter"});
    CHECK(lines_of("\x1b[07;01HGRUB\x1b[07;05H sp\x1b[07;08Heaks\n\x1b[8;1Hmore\x1b[Htop") ==
          std::vector<std::string>{"GRUB speaks", "more", "top"});
    CHECK(lines_of("\x1b[99999999999999999999Ha\x1b[;;Hb") == std::vector<std::string>{"a", "b"});
    CHECK(lines_of("a\tb\a\b\x7f"
                   "c\n") == std::vector<std::string>{"a bc"});
    CHECK(lines_of("\x1b[") == std::vector<std::string>{});
    const auto cut = lines_of(std::string(5000, 'y') + "\nnext\n");
    REQUIRE(cut.size() == 2);
    CHECK(cut[0].size() == LineCutter::max_line_bytes);
    CHECK(cut[1] == "next");
    CHECK(lines_of("\xff\xfe\n") == std::vector<std::string>{"\xff\xfe"});
}

TEST_CASE("a watched console is recorded and still the console", "[timeline]") {
    TimelineRecorder recorder(0, Extent::everything);
    FakeByteStream com1, debug;
    WatchedStreams watched({{"com1", &com1}, {"debugcon", &debug}, {"com2", &debug}}, recorder);
    CHECK(watched.by_name().at("com2") == &debug);
    ByteStream& console = *watched.by_name().at("com1");
    for (const char byte : std::string_view("hello\nlogin: "))
        console.write(bytes_of({&byte, 1}));
    watched.by_name().at("debugcon")->write(bytes_of("from the firmware\n"));
    CHECK(com1.written() == "hello\nlogin: ");
    CHECK(of_kind(recorder, Milestone::console_line).size() == 1);
    watched.end_lines();
    watched.end_lines();
    const auto lines = of_kind(recorder, Milestone::console_line);
    REQUIRE(lines.size() == 2);
    CHECK(lines[0].text == "hello");
    CHECK(lines[1].text == "login:");
    CHECK(of_kind(recorder, Milestone::console_byte).size() == 1);
    CHECK(of_kind(recorder, Milestone::console_byte)[0].text == "com1");
    REQUIRE(of_kind(recorder, Milestone::debug_line).size() == 1);
    CHECK(of_kind(recorder, Milestone::debug_line)[0].text == "from the firmware");
}

TEST_CASE("without a timeline file nobody stands before the console", "[timeline]") {
    TimelineRecorder recorder(0, Extent::milestones);
    FakeByteStream com1;
    const WatchedStreams watched({{"com1", &com1}}, recorder);
    CHECK(watched.by_name().at("com1") == &com1);
}

TEST_CASE("a burst of PCI accesses is told with its ends, a few accesses are not", "[timeline]") {
    TimelineRecorder recorder(0, Extent::everything);
    PciScanWatch watch(recorder);
    const std::uint64_t gap = PciScanWatch::most_gap_ns;
    for (std::uint32_t i = 0; i < PciScanWatch::least_accesses - 1; ++i)
        watch.accessed_at(1000 + i);
    for (std::uint32_t i = 0; i < PciScanWatch::least_accesses; ++i)
        watch.accessed_at(10 * gap + i * gap);
    CHECK(of_kind(recorder, Milestone::pci_scan_begin).empty());
    watch.finish();
    watch.finish();
    const auto begins = of_kind(recorder, Milestone::pci_scan_begin);
    const auto ends = of_kind(recorder, Milestone::pci_scan_end);
    REQUIRE(begins.size() == 1);
    REQUIRE(ends.size() == 1);
    CHECK(begins[0].time_ns == 10 * gap);
    CHECK(ends[0].time_ns == 10 * gap + (PciScanWatch::least_accesses - 1) * gap);
    CHECK(ends[0].number == PciScanWatch::least_accesses);
}

TEST_CASE("the process's start is what its starter says, or the CPU time ago", "[timeline]") {
    constexpr std::uint64_t now = 100'000'000'000, cpu = 700'000;
    CHECK(process_start("99999000000", now, cpu).time_ns == 99'999'000'000);
    CHECK(process_start("99999000000", now, cpu).told);
    // Not from this boot of the host, of another start, or no number at all.
    for (const char* wrong : {"100000000001", "1", "", "-5", "12e9", "x"}) {
        CHECK(process_start(wrong, now, cpu).time_ns == now - cpu);
        CHECK_FALSE(process_start(wrong, now, cpu).told);
    }
    CHECK(process_start(nullptr, now, cpu).time_ns == now - cpu);
    CHECK(process_start(nullptr, 5, cpu).time_ns == 0);
}
