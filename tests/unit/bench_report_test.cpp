// What `coldstart bench` writes: JSON and back, the table, the page with its charts.
#include "vmm/base/error.h"
#include "vmm/cli/bench/chart.h"
#include "vmm/cli/bench/report_html.h"
#include "vmm/cli/bench/report_json.h"
#include "vmm/cli/bench/report_table.h"

#include <catch2/catch.hpp>

using namespace coldstart;
using Catch::Contains;

namespace {

BootRun ready_run(std::uint64_t ms) {
    BootRun run;
    run.outcome = RunOutcome::ready;
    run.ready_ns = ms * 1'000'000;
    run.phases = {{"setup", ms * 100'000}, {"kernel", ms * 900'000}};
    return run;
}

BootReport example() {
    BootReport report;
    report.coldstart_version = "0.1.0";
    report.clock = BenchClock::lab_instructions;
    report.kvm_kind = "hardware";
    report.host = "Linux 6.1, 2 CPUs";
    report.kernel = "vmlinuz";
    report.initrd = "initrd";
    report.command_line = "console=ttyS0 a=\"<b>\"";
    report.ready = "POST code 0x42";
    report.cpus = 2;
    report.memory_bytes = 256u << 20;
    report.runs = 3;
    report.warmup = 1;
    report.interrupted = true;
    BootSeries linux{"linux", "Linux protocol", {"coldstart", "run"}, "", {}};
    linux.runs = {ready_run(999), ready_run(100), ready_run(110), ready_run(130)};
    linux.runs.front().warmup = true;
    BootSeries broken{"pvh", "PVH", {"coldstart"}, "given up after 2 failures", {}};
    BootRun late;
    late.outcome = RunOutcome::timed_out;
    late.problem = "not ready after 1 s; its last line: '<script>alert(1)</script>'";
    broken.runs = {late, late};
    broken.skipped = late.problem;
    BootSeries skipped{"ovmf-grub", "OVMF", {}, "no disk that UEFI boots", {}};
    report.series = {linux, broken, skipped};
    return report;
}

std::string refusal(std::string_view text) {
    try {
        report_from_json(text, "file.json");
    } catch (const Error& error) {
        return error.what();
    }
    return "(accepted)";
}

} // namespace

TEST_CASE("bench: a report is the same after JSON and back") {
    const BootReport before = example();
    const BootReport after = report_from_json(report_to_json(before), "x");
    CHECK(after.clock == before.clock);
    CHECK(after.host == before.host);
    CHECK(after.kernel == before.kernel);
    CHECK(after.command_line == before.command_line);
    CHECK(after.cpus == before.cpus);
    CHECK(after.memory_bytes == before.memory_bytes);
    CHECK(after.runs == 3);
    CHECK(after.warmup == 1);
    CHECK(after.interrupted);
    REQUIRE(after.series.size() == 3);
    CHECK(after.series[0].ready_ms() == before.series[0].ready_ms());
    CHECK(after.series[0].phase_medians_ms() == before.series[0].phase_medians_ms());
    CHECK(after.series[0].runs[0].warmup);
    CHECK(after.series[1].runs[1].outcome == RunOutcome::timed_out);
    CHECK(after.series[1].runs[1].problem == before.series[1].runs[1].problem);
    CHECK(after.series[2].skipped == before.series[2].skipped);
}

TEST_CASE("bench: a file that is no report is refused by name") {
    for (const std::string_view text :
         {"", "[]", "{}", "{\"format\":\"coldstart-bench\",\"version\":2}",
          "{\"format\":\"coldstart-bench\",\"version\":1}",
          "{\"format\":\"coldstart-bench\",\"version\":1,\"series\":[1]}",
          "{\"format\":\"coldstart-bench\",\"version\":1,\"series\":[{\"name\":\"x\"}]}",
          "{\"format\":\"coldstart-bench\",\"version\":1,\"series\":[{\"name\":\"x\",\"runs\":[{"
          "\"outcome\":\"ready\",\"ready_ns\":-1}]}]}",
          "{\"format\":\"coldstart-bench\",\"version\":1,\"series\":[{\"name\":\"x\",\"runs\":[{"
          "\"outcome\":\"?\"}]}]}",
          "{\"format\":\"coldstart-bench\",\"version\":1,\"guest\":7,\"series\":[]}"}) {
        CAPTURE(text);
        CHECK_THAT(refusal(text), Contains("file.json: not a report"));
    }
    CHECK(refusal("{\"format\":\"coldstart-bench\",\"version\":1,\"series\":[],\"new\":1}") ==
          "(accepted)");
}

TEST_CASE("bench: the table has figures, phases, and why something is missing") {
    const std::string table = report_table(example());
    CHECK_THAT(table, Contains("ms to ready"));
    CHECK_THAT(table, Contains("110.00"));
    CHECK_THAT(table, Contains("99.00")); // the kernel's median
    CHECK_THAT(table, Contains("0 (2 failed)"));
    CHECK_THAT(table, Contains("skipped  ovmf-grub: no disk that UEFI boots"));
    CHECK_THAT(table, Contains("interrupted"));
    CHECK_THAT(table, !Contains("999"));
    CHECK(phase_names(example()) == std::vector<std::string>{"setup", "kernel"});
    CHECK_THAT(report_facts(example()), Contains("1 ns an instruction"));
}

TEST_CASE("bench: milliseconds have the digits that are worth reading") {
    CHECK(ms_text(0.7124) == "0.712");
    CHECK(ms_text(18.654) == "18.65");
    CHECK(ms_text(1638.14) == "1638.1");
}

TEST_CASE("bench: axes have few, round marks that enclose the values") {
    CHECK(linear_ticks(7) == std::vector<double>{0, 1, 2, 3, 4, 5, 6, 7});
    CHECK(linear_ticks(130).back() >= 130);
    for (const double max : {0.0004, 0.9, 3.3, 99.0, 1234.0, 48000.0}) {
        CAPTURE(max);
        CHECK(linear_ticks(max).back() >= max);
        CHECK(linear_ticks(max).size() <= 9);
    }
    CHECK(log_ticks(3, 40) == std::vector<double>{2, 5, 10, 20, 50});
    CHECK(log_ticks(10, 10).front() <= 10);
    CHECK(log_ticks(0.7, 4800).back() >= 4800);
}

TEST_CASE("bench: the page is whole, loads nothing, and text of the guest stays text") {
    const std::string page = report_html(example());
    CHECK_THAT(page, Catch::StartsWith("<!DOCTYPE html>"));
    CHECK_THAT(page, Catch::EndsWith("</html>\n"));
    CHECK_THAT(page, !Contains("<script"));
    CHECK_THAT(page, !Contains("http"));
    CHECK_THAT(page, Contains("&lt;script&gt;"));
    CHECK_THAT(page, Contains("a=&quot;&lt;b&gt;&quot;"));
    CHECK_THAT(page, Contains("phase-kernel"));
    CHECK_THAT(page, Contains("no disk that UEFI boots"));
    // Three runs that count, in two charts.
    std::size_t dots = 0;
    for (std::size_t at = page.find("<circle"); at != std::string::npos;
         at = page.find("<circle", at + 1))
        ++dots;
    CHECK(dots == 6);
}

TEST_CASE("bench: a page without a single figure is a page") {
    BootReport report = example();
    report.series.erase(report.series.begin());
    CHECK_THAT(report_html(report), Catch::EndsWith("</html>\n"));
    report.series.clear();
    CHECK_THAT(report_html(report), Catch::EndsWith("</html>\n"));
}
