// The metadata service as the configuration asks for it: behind which card, and what can't be.
#include "tests/fakes/fake_machine_host.h"
#include "tests/fakes/virtio_driver.h"
#include "tests/unit/mmds_guest.h"
#include "vmm/base/error.h"

#include <catch2/catch.hpp>

using namespace coldstart;
using namespace coldstart::fakes;
using Catch::Contains;

namespace {

struct MmdsHost : FakeMachineHost {
    MmdsHost() {
        config.serial.kind = SerialConfig::Kind::none;
        config.rng = false;
        config.nets.resize(2);
        config.nets[1].id = "eth1";
        config.mmds.emplace().interfaces = {"eth1"};
    }
    std::unique_ptr<Machine> make(MetadataSource* source) {
        MachineHost all = host();
        all.make_net = [this](const NetConfig&, Reactor&) {
            return std::make_unique<FakeNetBackend>(net);
        };
        all.metadata = source;
        return std::make_unique<Machine>(micro_board(config), all);
    }
    /// What a card answers to a question for the service's address, 0 for nothing.
    std::size_t answer_bytes(Machine& machine, std::string_view id, std::uint32_t address) {
        memory.fill(Gpa(0), memory.size_bytes(), std::byte{0}); // rings of the call before
        VirtioDriver driver(*machine.find(id), memory);
        driver.start(1 << 15, {8, 8, 8}); // MRG_RXBUF
        driver.queue(0).chain().in(2000).add();
        driver.queue(1).chain().out(std::string(12, '\0') + MmdsGuest::arp_request(address)).add();
        driver.queue(0).kick();
        driver.queue(1).kick();
        reactor.run_until_idle();
        clock.advance(0);
        const auto used = driver.queue(0).take_used();
        return used ? used->length : 0;
    }

    FakeNet net;
    FakeMetadata metadata;
};

} // namespace

TEST_CASE("the metadata service stands behind the cards that are named", "[mmds]") {
    MmdsHost host;
    const auto machine = host.make(&host.metadata);
    CHECK(host.answer_bytes(*machine, "net.eth1", MmdsGuest::service) == 54);
    CHECK(host.net.take_sent().empty());
    CHECK(host.answer_bytes(*machine, "net.net0", MmdsGuest::service) == 0);
    CHECK(host.net.take_sent().size() == 1);
}

TEST_CASE("the metadata service has the address of the configuration", "[mmds]") {
    MmdsHost host;
    host.config.mmds->ipv4_address = "169.254.170.2";
    const auto machine = host.make(&host.metadata);
    CHECK(host.answer_bytes(*machine, "net.eth1", 0xa9feaa02) == 54);
    CHECK(host.answer_bytes(*machine, "net.eth1", MmdsGuest::service) == 0);
}

TEST_CASE("a metadata service that can't be is refused", "[mmds]") {
    MmdsHost host;
    CHECK_THROWS_AS(host.make(nullptr), UsageError);
    for (const char* address : {"", "1.1.1.1", "169.254.0.5", "169.254.255.5", "169.254.1", "x"}) {
        host.config.mmds->ipv4_address = address;
        CHECK_THROWS_AS(host.make(&host.metadata), UsageError);
    }
    host.config.mmds.emplace();
    CHECK_THROWS_WITH(host.make(&host.metadata), Contains("no network interface leads to it"));
    host.config.mmds->interfaces = {"eth1", "eth2"};
    CHECK_THROWS_WITH(host.make(&host.metadata), Contains("\"eth2\""));
    host.config.nets.clear();
    CHECK_THROWS_AS(host.make(&host.metadata), UsageError);
    host.config.mmds.reset();
    CHECK_NOTHROW(host.make(nullptr));
}
