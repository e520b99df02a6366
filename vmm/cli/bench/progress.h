// How far a benchmark is, on stderr: one line that is drawn again and again on a terminal, else a
// line a run.
// Threads: one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace coldstart {

class Progress {
  public:
    /// `columns` of a terminal; 0: `fd` is none.
    Progress(int fd, std::size_t turns, unsigned columns);
    ~Progress();
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    void begin(const std::string& name, bool warmup);
    /// `outcome`: "18.65 ms" or why not.
    void end(const std::string& outcome, bool good);
    /// Turns that will not come.
    void drop(std::size_t turns) noexcept { turns_ -= turns; }
    /// A line that stays.
    void say(const std::string& line);

  private:
    void redraw(const std::string& text);
    std::string time_left() const;

    const int fd_;
    const unsigned columns_;
    std::size_t turns_;
    std::size_t done_ = 0;
    std::uint64_t started_ns_;
    std::string name_, last_;
};

/// Of the terminal behind `fd`; 0: there is none.
unsigned terminal_columns(int fd) noexcept;

} // namespace coldstart
