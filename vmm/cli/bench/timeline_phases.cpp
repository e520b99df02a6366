#include "vmm/cli/bench/timeline_phases.h"

#include "api/json/json_reader.h"

#include <algorithm>

namespace coldstart {
namespace {

constexpr std::uint64_t max_ns = std::uint64_t{1} << 62;

std::uint64_t number_of(const Json& object, const char* name) {
    const std::uint64_t value = object.at(name).get<std::uint64_t>();
    return std::min(value, max_ns);
}

std::vector<PhaseTime> read_phases(const Json& timeline, std::uint64_t spawn_ns,
                                   std::uint64_t ready_ns) {
    const std::uint64_t start_ns = number_of(timeline, "start_monotonic_ns");
    const std::uint64_t ready_at = spawn_ns + ready_ns;
    std::vector<PhaseTime> phases;
    std::uint64_t begin = spawn_ns;
    for (const Json& phase : timeline.at("phases")) {
        const std::uint64_t end =
            std::clamp(start_ns + number_of(phase, "end_ns"), begin, ready_at);
        // A phase that began after the guest was ready is of no boot.
        if (end > begin || phases.empty())
            phases.push_back({phase.at("name").get<std::string>(), end - begin});
        begin = end;
    }
    if (!phases.empty())
        phases.back().ns += ready_at - begin;
    return phases;
}

} // namespace

std::vector<PhaseTime> timeline_phases(std::string_view timeline, std::uint64_t spawn_ns,
                                       std::uint64_t ready_ns) {
    try {
        return read_phases(parse_json(timeline), spawn_ns, ready_ns);
    } catch (const Json::exception&) {
        return {};
    } catch (const Error&) {
        return {};
    }
}

} // namespace coldstart
