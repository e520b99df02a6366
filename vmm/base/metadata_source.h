// What a metadata service asks for: the data that a guest may read under a path.
// The store that the control socket fills implements it; the service behind a network card
// (virtio/backend/mmds) asks.
//
// Threads: any, at the same time. An implementation holds no lock for longer than it takes to see
// which data is the newest.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

namespace coldstart {

enum class MetadataStatus {
    found,
    not_found,     ///< nothing of this path
    not_supported, ///< it is there and can't be written as text: a number, an array, ...
};

struct MetadataAnswer {
    MetadataStatus status = MetadataStatus::not_found;
    std::string body;     ///< of `found`
    bool is_json = false; ///< application/json, otherwise text/plain
};

/// What the services of a machine have seen, one count for all its cards. Firecracker's names, of
/// the section "mmds" of its metrics.
struct MetadataCounters {
    using Count = std::atomic<std::uint64_t>;
    Count rx_accepted = 0;         ///< frames for the service
    Count rx_accepted_err = 0;     ///< of these, what the TCP rules don't allow
    Count rx_accepted_unusual = 0; ///< not TCP, a reset, a fragment
    Count rx_bad_eth = 0;          ///< cut short or with a wrong checksum
    Count rx_count = 0;            ///< segments taken
    Count rx_invalid_token = 0;    ///< requests with a token that is none, or none any more
    Count rx_no_token = 0;         ///< requests for data without a token
    Count tx_bytes = 0;            ///< of frames
    Count tx_count = 0;            ///< frames
    Count tx_errors = 0;           ///< answers that could not be made
    Count connections_created = 0;
    Count connections_destroyed = 0;
};

class MetadataSource {
  public:
    MetadataSource() = default;
    MetadataSource(const MetadataSource&) = delete;
    MetadataSource& operator=(const MetadataSource&) = delete;
    virtual ~MetadataSource() = default;

    /// `path` begins with a slash: "/latest/meta-data/ami-id". Throws only std::bad_alloc.
    virtual MetadataAnswer lookup(std::string_view path, bool wants_json) const = 0;

    MetadataCounters counters;
};

} // namespace coldstart
