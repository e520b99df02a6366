#include "vmm/cli/bench/report_json.h"

#include "api/json/json_reader.h"
#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <array>

namespace coldstart {
namespace {

constexpr std::string_view format_name = "coldstart-bench";
constexpr std::uint64_t format_version = 1;
constexpr std::uint64_t max_ns = std::uint64_t{1} << 62;
constexpr std::uint64_t max_count = 1'000'000;

struct ClockName {
    BenchClock clock;
    std::string_view name;
};
constexpr std::array clock_names{ClockName{BenchClock::monotonic, "monotonic"},
                                 ClockName{BenchClock::lab, "lab"},
                                 ClockName{BenchClock::lab_instructions, "lab-instructions"}};

struct OutcomeName {
    RunOutcome outcome;
    std::string_view name;
};
constexpr std::array outcome_names{OutcomeName{RunOutcome::ready, "ready"},
                                   OutcomeName{RunOutcome::failed, "failed"},
                                   OutcomeName{RunOutcome::timed_out, "timed-out"}};

Json run_json(const BootRun& run) {
    Json json;
    for (const OutcomeName& entry : outcome_names) {
        if (entry.outcome == run.outcome)
            json["outcome"] = entry.name;
    }
    if (run.warmup)
        json["warmup"] = true;
    if (run.outcome == RunOutcome::ready)
        json["ready_ns"] = run.ready_ns;
    else
        json["problem"] = run.problem;
    for (const PhaseTime& phase : run.phases)
        json["phases_ns"][phase.name] = phase.ns;
    return json;
}

Json summary_json(const BootSeries& series) {
    const Summary summary = summarize(series.ready_ms());
    Json json{{"count", summary.count}};
    if (summary.count == 0)
        return json;
    json["min"] = summary.min;
    json["lower_quartile"] = summary.lower_quartile;
    json["median"] = summary.median;
    json["upper_quartile"] = summary.upper_quartile;
    json["p99"] = summary.p99;
    json["max"] = summary.max;
    for (const auto& [name, ms] : series.phase_medians_ms())
        json["phase_medians"][name] = ms;
    return json;
}

Json series_json(const BootSeries& series) {
    Json json{{"name", series.name}, {"title", series.title}, {"command", series.command}};
    if (!series.skipped.empty())
        json["skipped"] = series.skipped;
    json["summary_ms"] = summary_json(series);
    json["runs"] = Json::array();
    for (const BootRun& run : series.runs)
        json["runs"].push_back(run_json(run));
    return json;
}

/// The member if it is there and text, else nothing.
std::string text_of(const Json& object, const char* name) {
    const auto found = object.find(name);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::uint64_t number_of(const Json& object, const char* name, std::uint64_t max) {
    const auto found = object.find(name);
    if (found == object.end())
        return 0;
    if (!found->is_number_unsigned() || found->get<std::uint64_t>() > max)
        throw Error(cat('"', name, "\" is no number from 0 to ", max));
    return found->get<std::uint64_t>();
}

bool flag_of(const Json& object, const char* name) {
    const auto found = object.find(name);
    return found != object.end() && found->is_boolean() && found->get<bool>();
}

const Json& list_of(const Json& object, const char* name) {
    const auto found = object.find(name);
    if (found == object.end() || !found->is_array())
        throw Error(cat("it has no list \"", name, '"'));
    return *found;
}

const Json& an_object(const Json& json, const char* what) {
    if (!json.is_object())
        throw Error(cat(what, " is no object"));
    return json;
}

BootRun run_of(const Json& json) {
    an_object(json, "a run");
    BootRun run;
    const std::string outcome = text_of(json, "outcome");
    bool known = false;
    for (const OutcomeName& entry : outcome_names) {
        if (entry.name == outcome) {
            run.outcome = entry.outcome;
            known = true;
        }
    }
    if (!known)
        throw Error(cat("a run's outcome is '", printable(outcome, 40), "'"));
    run.warmup = flag_of(json, "warmup");
    run.ready_ns = number_of(json, "ready_ns", max_ns);
    run.problem = text_of(json, "problem");
    if (const auto phases = json.find("phases_ns"); phases != json.end()) {
        for (const auto& [name, value] : an_object(*phases, "phases_ns").items())
            run.phases.push_back({name, number_of(*phases, name.c_str(), max_ns)});
    }
    return run;
}

BootSeries series_of(const Json& json) {
    an_object(json, "a series");
    BootSeries series{
        text_of(json, "name"), text_of(json, "title"), {}, text_of(json, "skipped"), {}};
    if (series.name.empty())
        throw Error("a series has no name");
    for (const Json& run : list_of(json, "runs"))
        series.runs.push_back(run_of(run));
    return series;
}

BootReport report_of(const Json& json) {
    if (!json.is_object() || text_of(json, "format") != format_name)
        throw Error(cat("its format is not ", format_name));
    if (number_of(json, "version", max_count) != format_version)
        throw Error("its version is another than 1");
    BootReport report;
    report.coldstart_version = text_of(json, "coldstart");
    for (const ClockName& entry : clock_names) {
        if (entry.name == text_of(json, "clock"))
            report.clock = entry.clock;
    }
    report.kvm_kind = text_of(json, "kvm");
    report.host = text_of(json, "host");
    if (const auto guest = json.find("guest"); guest != json.end()) {
        an_object(*guest, "guest");
        report.kernel = text_of(*guest, "kernel");
        report.initrd = text_of(*guest, "initrd");
        report.command_line = text_of(*guest, "command_line");
        report.ready = text_of(*guest, "ready");
        report.cpus = static_cast<std::uint32_t>(number_of(*guest, "cpus", max_count));
        report.memory_bytes = number_of(*guest, "memory_bytes", max_ns);
    }
    report.runs = static_cast<unsigned>(number_of(json, "runs", max_count));
    report.warmup = static_cast<unsigned>(number_of(json, "warmup", max_count));
    report.interrupted = flag_of(json, "interrupted");
    for (const Json& series : list_of(json, "series"))
        report.series.push_back(series_of(series));
    return report;
}

} // namespace

std::string report_to_json(const BootReport& report) {
    Json json{{"format", format_name},
              {"version", format_version},
              {"coldstart", report.coldstart_version}};
    for (const ClockName& entry : clock_names) {
        if (entry.clock == report.clock)
            json["clock"] = entry.name;
    }
    json["kvm"] = report.kvm_kind;
    json["host"] = report.host;
    json["guest"] = {
        {"kernel", report.kernel}, {"initrd", report.initrd}, {"command_line", report.command_line},
        {"disks", report.disks},   {"cpus", report.cpus},     {"memory_bytes", report.memory_bytes},
        {"ready", report.ready}};
    json["runs"] = report.runs;
    json["warmup"] = report.warmup;
    if (report.interrupted)
        json["interrupted"] = true;
    json["series"] = Json::array();
    for (const BootSeries& series : report.series)
        json["series"].push_back(series_json(series));
    return json.dump(1, ' ', false, Json::error_handler_t::replace) + '\n';
}

BootReport report_from_json(std::string_view text, const std::string& name) {
    try {
        return report_of(parse_json(text));
    } catch (const Error& error) {
        throw Error(
            cat(printable(name), ": not a report of 'coldstart bench boot --json': ", error.what()),
            "give a file that it wrote");
    }
}

} // namespace coldstart
