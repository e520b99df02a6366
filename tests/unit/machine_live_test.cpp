// What is changed of a machine that runs: limits and images, from the configuration to the device.
#include "api/command/device_names.h"
#include "tests/fakes/fake_machine_host.h"
#include "tests/fakes/fake_net.h"
#include "tests/fakes/virtio_temp_file.h"
#include "virtio/blk/virtio_blk.h"
#include "virtio/net/virtio_net.h"
#include "virtio/rng/virtio_rng.h"
#include "vmm/base/byte_size.h"
#include "vmm/base/error.h"
#include "vmm/machine/find_virtio.h"
#include "vmm/machine/make_disk.h"
#include "vmm/machine/rate_limits.h"

#include <catch2/catch.hpp>

using namespace coldstart;
using namespace coldstart::fakes;

namespace {

struct LiveHost : FakeMachineHost {
    LiveHost() {
        config.serial.kind = SerialConfig::Kind::none;
        config.disks.emplace_back().path = file.path();
        config.disks.emplace_back().path = placeholder.path();
        config.disks[0].id = "root";
        config.disks[0].limiter.bandwidth = TokenBucketConfig{1000, 100, 7};
        config.nets.emplace_back().id = "eth0";
        config.nets[0].receive_limiter.operations = TokenBucketConfig{5, 50, 0};
        config.nets[0].transmit_limiter.bandwidth = TokenBucketConfig{9, 90, 0};
        config.nets[0].mtu = 1400;
        config.rng_limiter.bandwidth = TokenBucketConfig{3, 30, 0};
    }
    MachineHost with_net() {
        MachineHost all = host();
        all.make_net = [this](const NetConfig&, Reactor&) {
            return std::make_unique<FakeNetBackend>(net);
        };
        return all;
    }

    FakeNet net;
    TempFile file{MiB}, other{64 * KiB}, placeholder{0};
};

} // namespace

TEST_CASE("limits go from the configuration to the devices", "[machine][limiter]") {
    LiveHost host;
    Machine machine(micro_board(host.config), host.with_net());
    const std::string root = disk_device_id(host.config, 0);
    auto* const disk = find_virtio<VirtioBlk>(machine, root);
    auto* const free = find_virtio<VirtioBlk>(machine, disk_device_id(host.config, 1));
    auto* const card = find_virtio<VirtioNet>(machine, net_device_id(host.config, 0));
    auto* const rng = find_virtio<VirtioRng>(machine, "rng");
    REQUIRE((disk && free && card && rng));
    CHECK(disk->rate_limit() == RateLimitOptions{{1000, 100, 7}, {}});
    CHECK_FALSE(free->rate_limit().limits());
    CHECK(card->receive_limit() == RateLimitOptions{{}, {5, 50, 0}});
    CHECK(card->transmit_limit() == RateLimitOptions{{9, 90, 0}, {}});
    CHECK(rng->rate_limit() == RateLimitOptions{{3, 30, 0}, {}});
    CHECK(machine.find(net_device_id(host.config, 0))->read(0, 0x10a, 2) == 1400);

    disk->set_rate_limit(
        rate_limit_update_of({.bandwidth = {}, .operations = TokenBucketConfig{4, 40, 0}}));
    CHECK(disk->rate_limit() == RateLimitOptions{{1000, 100, 7}, {4, 40, 0}});
    disk->set_rate_limit(
        rate_limit_update_of({.bandwidth = TokenBucketConfig{}, .operations = {}}));
    CHECK(disk->rate_limit() == RateLimitOptions{{}, {4, 40, 0}});

    CHECK(find_virtio<VirtioNet>(machine, root) == nullptr);
    CHECK(find_virtio(machine, "nobody") == nullptr);
    CHECK(find_virtio(machine, "pm") == nullptr);
}

TEST_CASE("another file takes an image's place", "[machine]") {
    LiveHost host;
    Machine machine(micro_board(host.config), host.with_net());
    const std::string id = disk_device_id(host.config, 1);
    auto* const disk = find_virtio<VirtioBlk>(machine, id);
    REQUIRE(disk);
    const auto capacity = [&] { return machine.find(id)->read(0, 0x100, 4); };
    CHECK(capacity() == 0);
    DiskConfig changed = host.config.disks[1];
    changed.path = host.other.path();
    change_disk_image(*disk, changed, host.reactor);
    CHECK(capacity() == 128);
    REQUIRE(::ftruncate(host.other.fd(), MiB) == 0);
    change_disk_image(*disk, changed, host.reactor);
    CHECK(capacity() == 2048);

    changed.path = host.file.path(); // the other disk's
    CHECK_THROWS_AS(change_disk_image(*disk, changed, host.reactor), Error);
    changed.path = "/nonexistent/image";
    CHECK_THROWS_AS(change_disk_image(*disk, changed, host.reactor), Error);
    CHECK(capacity() == 2048);
}
