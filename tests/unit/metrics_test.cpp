// Counters as lines of JSON (what is new) and as a page for Prometheus (what there is in all).
#include "tests/fakes/virtio_temp_file.h"
#include "vmm/base/error.h"
#include "vmm/runtime/control/metrics.h"

#include <catch2/catch.hpp>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>
#include <sstream>

using namespace coldstart;
using namespace coldstart::fakes;
using Json = nlohmann::json;

namespace {

std::vector<Json> lines_of(const std::string& path) {
    std::ifstream file(path);
    std::vector<Json> lines;
    for (std::string line; std::getline(file, line);)
        lines.push_back(Json::parse(line));
    return lines;
}

} // namespace

TEST_CASE("a line tells what is new since the one before", "[metrics]") {
    const TempFile file(0);
    Metrics metrics;
    metrics.write(nullptr); // no file: nothing happens
    metrics.open({file.path(), true, {{"host", "h1"}}}, "vm-1");
    CHECK_THROWS_AS(metrics.open({file.path(), false, {}}, "vm-1"), Error);
    metrics.count(Get{Resource::version}, false);
    metrics.count(Get{Resource::version}, false);
    metrics.count(PatchDrive{"d", {}, {}}, true);
    metrics.took(Metrics::Step::pause, 120);
    metrics.write(nullptr);
    metrics.count(Get{Resource::version}, false);
    metrics.took(Metrics::Step::pause, 80);
    metrics.write(nullptr);
    metrics.write(nullptr);
    const auto lines = lines_of(file.path());
    REQUIRE(lines.size() == 3);
    for (const Json& line : lines) {
        CHECK(line.at("id") == "vm-1");
        CHECK(line.at("host") == "h1");
        CHECK(line.at("utc_timestamp_ms") > 1'600'000'000'000);
    }
    const auto version = [&](std::size_t i) {
        return lines[i].at("get_api_requests").at("vmm_version_count").get<int>();
    };
    CHECK(version(0) == 2);
    CHECK(version(1) == 1);
    CHECK(version(2) == 0);
    CHECK(lines[0].at("patch_api_requests").at("drive_fails") == 1);
    CHECK(lines[1].at("patch_api_requests").at("drive_fails") == 0);
    // A time is the last one, not a difference.
    CHECK(lines[0].at("latencies_us").at("pause_vm") == 120);
    CHECK(lines[1].at("latencies_us").at("pause_vm") == 80);
    CHECK(lines[2].at("latencies_us").at("pause_vm") == 80);
    CHECK_FALSE(lines[2].at("latencies_us").contains("resume_vm"));
}

TEST_CASE("the page for Prometheus is well formed and tells totals", "[metrics]") {
    Metrics metrics;
    metrics.took(Metrics::Step::process_startup, 1234);
    metrics.took(Metrics::Step::resume, 7);
    for (int i = 0; i < 3; ++i)
        metrics.count(Get{Resource::version}, false);
    metrics.count(PutAction{}, true);
    const std::string page = metrics.prometheus(nullptr);
    CHECK(page == metrics.prometheus(nullptr)); // asking changes nothing
    REQUIRE(page.back() == '\n');

    const std::regex type("# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge)");
    const std::regex sample("([a-zA-Z_:][a-zA-Z0-9_:]*)(\\{[a-z]+=\"[^\"\\\\]*\"\\})? ([0-9]+)");
    std::map<std::string, std::string> types, values;
    std::string current;
    std::istringstream text(page);
    for (std::string line; std::getline(text, line);) {
        INFO(line);
        std::smatch match;
        if (std::regex_match(line, match, type)) {
            current = match[1];
            CHECK(types.emplace(current, match[2]).second); // once a metric
        } else {
            REQUIRE(std::regex_match(line, match, sample));
            CHECK(match[1] == current); // behind its type
            values[current] = match[3];
        }
    }
    CHECK(types.size() == values.size());
    CHECK(values.at("coldstart_up") == "0");
    CHECK(values.at("coldstart_get_api_requests_vmm_version_count_total") == "3");
    CHECK(types.at("coldstart_get_api_requests_vmm_version_count_total") == "counter");
    CHECK(values.at("coldstart_put_api_requests_actions_fails_total") == "1");
    CHECK(values.at("coldstart_api_server_process_startup_time_us") == "1234");
    CHECK(types.at("coldstart_api_server_process_startup_time_us") == "gauge");
    CHECK(values.at("coldstart_latencies_us_resume_vm") == "7");
}
