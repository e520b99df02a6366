#include "vmm/base/log.h"

#include <cstdio>
#include <ctime>
#include <new>
#include <utility>

#include <pthread.h>
#include <unistd.h>

namespace coldstart {
namespace {

std::atomic<int> log_fd{2};
std::atomic<LogLevel> log_threshold{LogLevel::warn};

std::string log_name;

constexpr std::string_view level_names[] = {"off", "error", "warn", "info", "debug"};

constexpr unsigned style_firecracker = 1;
constexpr unsigned style_level = 2;
constexpr unsigned style_origin = 4;
std::atomic<unsigned> log_style{0};

std::string plain_head(LogLevel level) {
    std::string head = "coldstart";
    if (!log_name.empty())
        head.append("[").append(log_name).append("]");
    head += ": ";
    head += level_names[static_cast<std::size_t>(level)];
    head += ": ";
    return head;
}

std::string firecracker_head(unsigned style, LogLevel level, const char* file, int line) {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    tm utc{};
    ::gmtime_r(&now.tv_sec, &utc);
    char text[64];
    std::size_t size = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
    size += static_cast<std::size_t>(
        std::snprintf(text + size, sizeof text - size, ".%09ld", now.tv_nsec));
    char thread[16] = "";
    ::pthread_getname_np(::pthread_self(), thread, sizeof thread);
    std::string head(text, size);
    head.append(" [").append(log_name).append(":").append(thread);
    if ((style & style_level) != 0) {
        head += ':';
        for (const char letter : level_names[static_cast<std::size_t>(level)])
            head += static_cast<char>(letter - 'a' + 'A');
    }
    // The compiler's path, from the folder in which it ran.
    std::string_view origin = file;
    while (origin.starts_with("../"))
        origin.remove_prefix(3);
    if ((style & style_origin) != 0)
        head.append(":").append(origin).append(":").append(std::to_string(line));
    return head += "] ";
}

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

void set_log_style(LogStyle style) noexcept {
    const unsigned bits = (style.firecracker ? style_firecracker : 0) |
                          (style.show_level ? style_level : 0) |
                          (style.show_origin ? style_origin : 0);
    log_style.store(bits, std::memory_order_relaxed);
}

void log_line(LogLevel level, std::string_view text, const char* file, int line_number) noexcept {
    if (!log_enabled(level))
        return;
    try {
        const unsigned style = log_style.load(std::memory_order_relaxed);
        std::string line = (style & style_firecracker) != 0
                               ? firecracker_head(style, level, file, line_number)
                               : plain_head(level);
        line += text;
        line += '\n';
        // A log that can't be written has nowhere to say so.
        [[maybe_unused]] const auto written =
            ::write(log_fd.load(std::memory_order_relaxed), line.data(), line.size());
    } catch (const std::bad_alloc&) {
        // No memory for a log line: the line is lost, the machine goes on.
        return;
    }
}

} // namespace coldstart
