// Everything a Machine wants from around it, recorded: interrupts by GSI, doorbells, a clock.
#pragma once

#include "tests/fakes/fake_pci.h"
#include "tests/fakes/fakes.h"
#include "vmm/base/byte_size.h"
#include "vmm/base/guest_memory.h"
#include "vmm/machine/machine.h"

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <vector>

namespace coldstart::fakes {

class FakeRouter final : public IrqRouter {
  public:
    std::unique_ptr<IrqLine> connect(std::uint32_t gsi, bool edge) override {
        (edge ? edges : levels).insert(gsi);
        return std::make_unique<Forward>(inputs[gsi]);
    }

    std::map<std::uint32_t, FakeIrqLine> inputs;
    std::set<std::uint32_t> edges, levels;

  private:
    struct Forward final : IrqLine {
        explicit Forward(FakeIrqLine& to) : line(to) {}
        void set_level(bool asserted) noexcept override { line.set_level(asserted); }
        FakeIrqLine& line;
    };
};

class FakeDoorbells final : public DoorbellRegistry {
  public:
    struct Bell {
        bool pio;
        std::uint64_t address;
        unsigned width;
        std::uint64_t value;
        int fd;
        bool operator==(const Bell&) const = default;
    };
    void attach(bool pio, std::uint64_t address, unsigned width, std::uint64_t value,
                int fd) override {
        bells.push_back({pio, address, width, value, fd});
    }

    void detach(bool pio, std::uint64_t address, unsigned width, std::uint64_t value,
                int fd) noexcept override {
        std::erase(bells, Bell{pio, address, width, value, fd});
    }

    std::vector<Bell> bells;
};

struct FakeMachineHost {
    VmConfig config;
    GuestMemory memory = GuestMemory::on_heap(1 * MiB);
    FakeClock clock;
    FakePower power;
    FakeReactor reactor;
    FakeRouter router;
    FakeDoorbells doorbells;
    FakeMapper mapper;
    FakeMsiRouter msis;

    MachineHost host() {
        return {.config = config,
                .memory = memory,
                .clock = clock,
                .power = power,
                .reactor = reactor,
                .irqs = router,
                .doorbells = &doorbells,
                .mapper = &mapper,
                .msis = &msis};
    }
};

} // namespace coldstart::fakes
