// Interrupt lines and doorbells on KVM. It remembers every connection, because a machine reset
// makes a new KVM virtual machine: bind() joins all of them to it again.
// Threads: connect, attach, bind, unbind: the control thread, with the vCPUs at rest; the lines
// themselves: any.
#pragma once

#include "vmm/base/irq_router.h"
#include "vmm/kvm/vm.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

namespace coldstart {

class KvmWiring final : public IrqRouter, public DoorbellRegistry {
  public:
    std::unique_ptr<IrqLine> connect(std::uint32_t gsi, bool edge_triggered) override;
    void attach(bool pio, std::uint64_t address, unsigned width_bytes, std::uint64_t value,
                int event_fd) override;

    /// Joins every line and doorbell to `vm`, which stays alive until unbind().
    void bind(Vm& vm);
    /// From now on lines lead nowhere and doorbells are ordinary writes. The machine it was bound
    /// to is still alive.
    void unbind() noexcept;

  private:
    class LevelLine;
    class EdgeLine;

    struct DoorbellRecord {
        bool pio = false;
        std::uint64_t address = 0;
        unsigned width_bytes = 0;
        std::uint64_t value = 0;
        int event_fd = -1;
    };

    void ring_up(const DoorbellRecord& doorbell);

    std::atomic<Vm*> vm_{nullptr};
    std::vector<EdgeLine*> edge_lines_;
    std::vector<DoorbellRecord> doorbells_;
};

} // namespace coldstart
