#include "vmm/base/log.h"

#include <utility>

#include <unistd.h>

namespace coldstart {
namespace {

std::atomic<int> log_fd{2};
std::atomic<LogLevel> log_threshold{LogLevel::warn};

std::string log_name;

constexpr std::string_view level_names[] = {"off", "error", "warn", "info", "debug"};

} // namespace

std::optional<LogLevel> parse_log_level(std::string_view name) noexcept {
    for (std::size_t i = 0; i < std::size(level_names); ++i) {
        if (level_names[i] == name)
            return static_cast<LogLevel>(i);
    }
    return std::nullopt;
}

void set_log_target(int fd) noexcept {
    log_fd.store(fd, std::memory_order_relaxed);
}

void set_log_level(LogLevel level) noexcept {
    log_threshold.store(level, std::memory_order_relaxed);
}

void set_log_name(std::string name) {
    log_name = std::move(name);
}

bool log_enabled(LogLevel level) noexcept {
    return level <= log_threshold.load(std::memory_order_relaxed);
}

void log_line(LogLevel level, std::string_view text) noexcept {
    if (!log_enabled(level))
        return;
    try {
        std::string line = "coldstart";
        if (!log_name.empty())
            line.append("[").append(log_name).append("]");
        line += ": ";
        line += level_names[static_cast<std::size_t>(level)];
        line += ": ";
        line += text;
        line += '\n';
        // A log that can't be written has nowhere to say so.
        [[maybe_unused]] const auto written =
            ::write(log_fd.load(std::memory_order_relaxed), line.data(), line.size());
    } catch (const std::bad_alloc&) {
        // No memory for a log line: the line is lost, the machine goes on.
    }
}

} // namespace coldstart
