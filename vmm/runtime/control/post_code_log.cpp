#include "vmm/runtime/control/post_code_log.h"

#include "vmm/base/error.h"
#include "vmm/base/monotonic.h"

#include <cerrno>
#include <cstdio>

#include <fcntl.h>

namespace coldstart {

PostCodeLog::PostCodeLog(const std::string& path) : start_ns_(monotonic_ns()) {
    if (path.empty())
        return;
    file_.reset(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644));
    if (!file_)
        throw system_error("--post-codes " + path, errno, "give a path that can be written");
}

void PostCodeLog::post_code(std::uint8_t code, std::uint64_t time_ns) noexcept {
    if (!file_)
        return;
    char line[48];
    const std::uint64_t us = time_ns > start_ns_ ? (time_ns - start_ns_) / 1000 : 0;
    const int size = std::snprintf(line, sizeof line, "%llu.%06llu 0x%02x\n",
                                   static_cast<unsigned long long>(us / 1'000'000),
                                   static_cast<unsigned long long>(us % 1'000'000), code);
    // A line is one write, so that lines of several vCPUs do not mix. On a full disk it is lost.
    [[maybe_unused]] const auto written =
        ::write(file_.get(), line, static_cast<std::size_t>(size));
}

} // namespace coldstart
