// Pseudo-random guests and hosts for devices: the same seed gives the same accesses everywhere.
#pragma once

#include "tests/contract/device_factories.h"
#include "vmm/base/state_io.h"

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace coldstart::contract {

struct Access {
    unsigned region = 0;
    std::uint64_t offset = 0;
    unsigned width = 0;
    std::uint64_t value = 0;
    bool is_write = false;
    bool in_smm = false;
};

/// An access wholly inside a region of `device`, of any width that fits, values often near the
/// edges; mostly in the first 4 KiB of large regions, where registers are.
inline Access random_access(const Device& device, std::mt19937_64& random) {
    Access access;
    const auto regions = device.regions();
    access.region = static_cast<unsigned>(random() % regions.size());
    const std::uint64_t size = regions[access.region].size_bytes;
    do
        access.width = 1u << random() % 4;
    while (access.width > size);
    const std::uint64_t span = random() % 8 == 0 ? size : std::min<std::uint64_t>(size, 4096);
    access.offset = random() % (span - access.width + 1);
    if (random() % 2 == 0)
        access.offset -= access.offset % access.width; // many registers answer nothing else
    switch (random() % 4) {
    case 0:
        access.value = random() % 16;
        break;
    case 1:
        access.value = all_ones(access.width) - random() % 4;
        break;
    case 2:
        access.value = std::uint64_t{1} << random() % (access.width * 8);
        break;
    default:
        access.value = random();
        break;
    }
    access.value &= all_ones(access.width);
    access.is_write = random() % 2 == 0;
    access.in_smm = random() % 4 == 0;
    return access;
}

inline std::uint64_t perform(Device& device, const Access& access) {
    const auto& [region, offset, width, value, is_write, in_smm] = access;
    if (!is_write)
        return in_smm ? device.read_in_smm(region, offset, width)
                      : device.read(region, offset, width);
    if (in_smm)
        device.write_in_smm(region, offset, width, value);
    else
        device.write(region, offset, width, value);
    return 0;
}

/// What the host side may do at the same time as the guest: input, frames, room for output.
inline void host_activity(Fixture& fixture, std::mt19937_64& random) {
    switch (random() % 6) {
    case 0:
        fixture.stream.type(std::string(random() % 24, static_cast<char>(random())));
        break;
    case 1:
        fixture.stream.set_room(random() % 40);
        break;
    case 2:
        if (fixture.net.waiting() < 16) // else nobody takes them
            fixture.net.arrive(std::string(random() % 2000, static_cast<char>(random() % 3)));
        break;
    case 3:
        fixture.net.take_sent();
        fixture.net.set_room(random() % 8);
        break;
    case 4:
        fixture.smm.set_locked(random() % 2 == 0);
        break;
    default:
        if (ByteSink* sink = fixture.stream.sink)
            sink->output_ready();
        break;
    }
}

/// Lets the I/O thread work until nothing is in flight, as the machine does before a snapshot.
inline void drain(Device& device, Fixture& fixture) {
    fixture.reactor.run_until_idle();
    for (unsigned i = 0; i < 1000 && !device.drained(); ++i)
        fixture.reactor.run_until_idle(10);
}

inline std::vector<std::byte> saved(const Device& device) {
    StateWriter writer;
    device.save(writer);
    return writer.bytes();
}

inline void restore(Device& device, const std::vector<std::byte>& state) {
    StateReader reader(state);
    device.restore(reader);
}

} // namespace coldstart::contract
