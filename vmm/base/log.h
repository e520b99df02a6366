// Diagnostics: one line each on stderr or in a log file. Nothing on the exit or queue path logs,
// except through LogLimiter when a guest misbehaves.
// Threads: any; a line is written with one write(2).
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace coldstart {

enum class LogLevel { off, error, warn, info, debug };

std::optional<LogLevel> parse_log_level(std::string_view name) noexcept;

/// Lines go to `fd` (not owned; 2 at first); lines above `level` are dropped.
void set_log_target(int fd) noexcept;
void set_log_level(LogLevel level) noexcept;
/// Lines begin with "coldstart[NAME]: " from now on: which of several machines speaks. Before other
/// threads log.
void set_log_name(std::string name);
bool log_enabled(LogLevel level) noexcept;

/// How a line begins.
struct LogStyle {
    /// "YYYY-MM-DDTHH:MM:SS.nnnnnnnnn [NAME:THREAD] " in UTC, as Firecracker's; else "coldstart: ".
    bool firecracker = false;
    bool show_level = false;  ///< of Firecracker's: [NAME:THREAD:LEVEL]
    bool show_origin = false; ///< of Firecracker's: [...:FILE:LINE]
};
void set_log_style(LogStyle style) noexcept;

/// Writes "coldstart: LEVEL: text\n", or as the style says.
void log_line(LogLevel level, std::string_view text, const char* file = __builtin_FILE(),
              int line = __builtin_LINE()) noexcept;

inline void log_error(std::string_view text, const char* file = __builtin_FILE(),
                      int line = __builtin_LINE()) noexcept {
    log_line(LogLevel::error, text, file, line);
}
inline void log_warn(std::string_view text, const char* file = __builtin_FILE(),
                     int line = __builtin_LINE()) noexcept {
    log_line(LogLevel::warn, text, file, line);
}
inline void log_info(std::string_view text, const char* file = __builtin_FILE(),
                     int line = __builtin_LINE()) noexcept {
    log_line(LogLevel::info, text, file, line);
}
inline void log_debug(std::string_view text, const char* file = __builtin_FILE(),
                      int line = __builtin_LINE()) noexcept {
    log_line(LogLevel::debug, text, file, line);
}

/// Lets the first `burst` lines through and then falls silent, so that a guest can't fill a disk.
class LogLimiter {
  public:
    explicit LogLimiter(std::uint32_t burst = 8) noexcept : left_(burst) {}

    /// True while lines are still let through.
    bool allow() noexcept {
        std::uint32_t left = left_.load(std::memory_order_relaxed);
        while (left != 0) {
            if (left_.compare_exchange_weak(left, left - 1, std::memory_order_relaxed))
                return true;
        }
        return false;
    }

  private:
    std::atomic<std::uint32_t> left_;
};

} // namespace coldstart
