// Answers of the control socket for people: aligned, short, numbers with their units.
// What comes from a guest or a file never reaches a terminal as anything but printable characters.
// Threads: any.
#pragma once

#include "api/json/json_reader.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace coldstart {

/// Rows of cells, as wide as the widest of each column needs; two spaces between them.
class TextTable {
  public:
    void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
    /// Of this column, counted from 0, the right ends are aligned.
    void align_right(std::size_t column) { right_ = column; }
    std::string text() const;

  private:
    static constexpr std::size_t none = static_cast<std::size_t>(-1);

    std::vector<std::vector<std::string>> rows_;
    std::size_t right_ = none;
};

/// "512 MiB", "2 GiB", "1536 MiB"
std::string mib_text(std::uint64_t mib);
/// "4.0 MiB", "12.5 GiB", "512 B"
std::string bytes_text(std::uint64_t bytes);
/// "18.211 ms", "1.500 s", "35 us"
std::string duration_text(std::uint64_t time_us);

/// GET / and GET /vm/config
std::string info_text(const Json& instance, const Json& config);
/// One of the drives in GET /vm/config
std::string drive_text(const Json& drive);
/// GET /balloon, and GET /balloon/statistics or null
std::string balloon_text(const Json& balloon, const Json& statistics);
/// One event, without the newline.
std::string event_text(const Json& event);
/// GET /timeline
std::string timeline_text(const Json& timeline);
/// GET /metrics, Prometheus' text format
std::string metrics_text(std::string_view page);
/// The same as one object: the sample's name with its labels, and its value.
Json metrics_json(std::string_view page);

} // namespace coldstart
