// A balloon behind virtio-mmio with a driver and 4 MiB of RAM, of which the last 3 hold a pattern.
#pragma once

#include "tests/fakes/fakes.h"
#include "tests/fakes/virtio_driver.h"
#include "virtio/balloon/virtio_balloon.h"
#include "virtio/transport/mmio/virtio_mmio_device.h"
#include "vmm/base/byte_size.h"

#include <memory>
#include <vector>

namespace coldstart::fakes {
namespace balloon_features {
inline constexpr std::uint64_t stats = 1 << 1, oom = 1 << 2, hints = 1 << 3, reports = 1 << 5;
} // namespace balloon_features

inline constexpr VirtioBalloonOptions every_balloon_feature{.amount_mib = 1,
                                                            .deflate_on_oom = true,
                                                            .statistics_interval_s = 5,
                                                            .free_page_hinting = true,
                                                            .free_page_reporting = true};

struct BalloonMachine {
    explicit BalloonMachine(const VirtioBalloonOptions& options = {})
        : balloon(new VirtioBalloon(options, memory, clock)),
          mmio(std::unique_ptr<VirtioDevice>(balloon), memory, line, reactor),
          driver(mmio, memory) {
        memory.fill(Gpa(MiB), 3 * MiB, std::byte{0xee});
    }
    ~BalloonMachine() { mmio.halt(); }

    void kick(unsigned queue) {
        driver.queue(queue).kick();
        reactor.run_until_idle();
    }
    void tell_pages(unsigned queue, const std::vector<std::uint32_t>& pages) {
        driver.queue(queue).chain().out(std::as_bytes(std::span(pages))).add();
        kick(queue);
    }
    void command(unsigned queue, std::uint32_t id) {
        driver.queue(queue).chain().out(std::as_bytes(std::span(&id, 1))).add();
        kick(queue);
    }
    void hint(unsigned queue, std::uint64_t gpa, std::uint32_t size) {
        driver.queue(queue).chain().raw(Gpa(gpa), size, 2).add();
        kick(queue);
    }
    bool page_is(std::uint64_t gpa, int value) {
        for (const std::byte byte : memory.range(Gpa(gpa), page_size_bytes)) {
            if (byte != static_cast<std::byte>(value))
                return false;
        }
        return true;
    }
    bool kept(std::uint64_t gpa) { return page_is(gpa, 0xee); }
    bool gone(std::uint64_t gpa) { return page_is(gpa, 0); }
    std::uint32_t config(unsigned offset) { return driver.config<std::uint32_t>(offset); }
    bool broken() { return (driver.status() & 0x40) != 0; }
    unsigned queues() {
        unsigned count = 0;
        while (driver.queue_max_size(count) != 0)
            ++count;
        return count;
    }

    GuestMemory memory = GuestMemory::on_heap(4 * MiB);
    FakeIrqLine line;
    FakeReactor reactor;
    FakeClock clock;
    VirtioBalloon* balloon;
    VirtioMmioDevice mmio;
    VirtioDriver driver;
};

inline std::vector<std::byte> statistic(std::uint16_t tag, std::uint64_t value) {
    std::vector<std::byte> bytes;
    append_le(bytes, tag);
    append_le(bytes, value);
    return bytes;
}

inline void tell_statistics(BalloonMachine& m, unsigned queue,
                            const std::vector<std::vector<std::byte>>& all) {
    std::vector<std::byte> bytes;
    for (const auto& one : all)
        bytes.insert(bytes.end(), one.begin(), one.end());
    m.driver.queue(queue).chain().out(bytes).add();
    m.kick(queue);
}

} // namespace coldstart::fakes
