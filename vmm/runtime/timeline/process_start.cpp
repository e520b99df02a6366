#include "vmm/runtime/timeline/process_start.h"

#include "vmm/base/monotonic.h"
#include "vmm/base/text.h"

#include <algorithm>
#include <cstdlib>

namespace coldstart {

ProcessStart process_start(const char* told, std::uint64_t now_ns,
                           std::uint64_t cpu_time_ns) noexcept {
    constexpr std::uint64_t minute_ns = 60'000'000'000;
    const auto told_ns = told != nullptr ? parse_decimal(told) : std::nullopt;
    // Anything else was left in the environment by someone who started something else.
    if (told_ns && *told_ns <= now_ns && now_ns - *told_ns <= minute_ns)
        return {*told_ns, true};
    // The kernel tells the start in hundredths of a second only. A process that waited for nothing
    // yet has been there as long as it has run.
    return {now_ns - std::min(now_ns, cpu_time_ns), false};
}

ProcessStart process_start() noexcept {
    const std::uint64_t cpu_time_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    return process_start(std::getenv(start_variable), monotonic_ns(), cpu_time_ns);
}

} // namespace coldstart
