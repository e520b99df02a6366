#include "virtio/net/receive_filter.h"

#include "virtio/net/spec.h"

#include <algorithm>
#include <cstring>

namespace coldstart {

using namespace virtio_net;

bool ReceiveFilter::Table::has(const Bytes& address) const noexcept {
    return overflow || std::find(addresses.begin(), addresses.begin() + count, address) !=
                           addresses.begin() + count;
}

bool ReceiveFilter::set_mode(std::uint8_t command, ByteView data) noexcept {
    if (data.size() != 1)
        return false;
    const bool on = data[0] != std::byte{0};
    switch (command) {
    case rx_promisc:
        state_.all = on;
        return true;
    case rx_allmulti:
        state_.all_multicast = on;
        return true;
    case rx_alluni:
        state_.all_unicast = on;
        return true;
    case rx_nomulti:
        state_.no_multicast = on;
        return true;
    case rx_nouni:
        state_.no_unicast = on;
        return true;
    case rx_nobcast:
        state_.no_broadcast = on;
        return true;
    default:
        return false;
    }
}

bool ReceiveFilter::take_table(ByteView& data, Table& table) noexcept {
    constexpr std::size_t count_bytes = 4;
    if (data.size() < count_bytes)
        return false;
    const std::uint64_t count = load_le<std::uint32_t>(data);
    data = data.subspan(count_bytes);
    if (count * sizeof(Bytes) > data.size())
        return false;
    table.overflow = count > max_addresses;
    table.count = static_cast<std::uint8_t>(table.overflow ? 0 : count);
    std::memcpy(table.addresses.data(), data.data(), table.count * sizeof(Bytes));
    data = data.subspan(count * sizeof(Bytes));
    return true;
}

bool ReceiveFilter::set_tables(ByteView data) noexcept {
    Table unicast, multicast;
    if (!take_table(data, unicast) || !take_table(data, multicast) || !data.empty())
        return false;
    state_.unicast = unicast;
    state_.multicast = multicast;
    return true;
}

bool ReceiveFilter::set_own_address(ByteView data) noexcept {
    if (data.size() != sizeof(Bytes))
        return false;
    std::memcpy(state_.own.data(), data.data(), sizeof(Bytes));
    return true;
}

bool ReceiveFilter::wants(ByteView frame) const noexcept {
    if (frame.size() < sizeof(Bytes))
        return false;
    if (state_.all)
        return true;
    Bytes to{};
    std::memcpy(to.data(), frame.data(), sizeof to);
    constexpr Bytes broadcast{0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    if (to == broadcast)
        return !state_.no_broadcast;
    if (MacAddress{to}.is_group())
        return !state_.no_multicast && (state_.all_multicast || state_.multicast.has(to));
    return !state_.no_unicast && (state_.all_unicast || to == state_.own || state_.unicast.has(to));
}

void ReceiveFilter::save(StateWriter& writer) const {
    const auto& [own, all, all_multicast, all_unicast, no_multicast, no_unicast, no_broadcast,
                 unicast, multicast] = state_;
    writer.fields(own, all, all_multicast, all_unicast, no_multicast, no_unicast, no_broadcast);
    for (const Table* table : {&unicast, &multicast}) {
        const auto& [count, overflow, addresses] = *table;
        writer.fields(count, overflow);
        for (std::size_t i = 0; i < count; ++i)
            writer.put(addresses[i]);
    }
}

void ReceiveFilter::restore(StateReader& reader) {
    State restored;
    auto& [own, all, all_multicast, all_unicast, no_multicast, no_unicast, no_broadcast, unicast,
           multicast] = restored;
    reader.fields(own, all, all_multicast, all_unicast, no_multicast, no_unicast, no_broadcast);
    for (Table* table : {&unicast, &multicast}) {
        auto& [count, overflow, addresses] = *table;
        reader.fields(count, overflow);
        count = std::min<std::uint8_t>(count, max_addresses);
        for (std::size_t i = 0; i < count; ++i)
            reader.get(addresses[i]);
    }
    state_ = restored;
}

} // namespace coldstart
