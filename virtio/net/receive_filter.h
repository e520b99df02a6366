// Which received frames the driver wants: virtio 1.2, section 5.1.6.5.1 and .2.
// A driver that never says gets all of them.
#pragma once

#include "virtio/net/mac_address.h"
#include "vmm/base/bytes.h"
#include "vmm/base/state_io.h"

#include <array>
#include <cstdint>

namespace coldstart {

class ReceiveFilter {
  public:
    static constexpr std::size_t max_addresses = 64; ///< of each table; with more, all pass

    void set_own_address(const MacAddress& address) noexcept { state_.own = address.bytes; }
    MacAddress own_address() const noexcept { return {state_.own}; }

    /// Executes a VIRTIO_NET_CTRL_RX command; false when it or its data is wrong.
    bool set_mode(std::uint8_t command, ByteView data) noexcept;
    /// VIRTIO_NET_CTRL_MAC_TABLE_SET: two tables, each with its length before it.
    bool set_tables(ByteView data) noexcept;
    /// VIRTIO_NET_CTRL_MAC_ADDR_SET.
    bool set_own_address(ByteView data) noexcept;

    /// `frame` begins with the Ethernet header.
    bool wants(ByteView frame) const noexcept;

    void save(StateWriter& writer) const;
    void restore(StateReader& reader);

  private:
    using Bytes = std::array<std::uint8_t, 6>;
    struct Table {
        std::uint8_t count = 0;
        bool overflow = false;
        std::array<Bytes, max_addresses> addresses{};

        bool has(const Bytes& address) const noexcept;
    };
    struct State {
        Bytes own{};
        bool all = true, all_multicast = false, all_unicast = false;
        bool no_multicast = false, no_unicast = false, no_broadcast = false;
        Table unicast, multicast;
    };

    static bool take_table(ByteView& data, Table& table) noexcept;

    State state_;
};

} // namespace coldstart
