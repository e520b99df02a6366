// Interrupt lines and doorbells on KVM. It remembers every connection, because a machine reset
// makes a new KVM virtual machine: bind() joins all of them to it again.
//
// Level lines that share a GSI are OR-ed here: KVM keeps one level for all of user space. A
// message has a GSI of its own beyond the IOAPIC's pins, whose route follows the guest's table.
//
// Threads: connect, make_msi, bind, unbind: the control thread, with the vCPUs at rest; attach,
// detach and the lines themselves: any.
#pragma once

#include "vmm/base/irq_router.h"
#include "vmm/kvm/vm.h"

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace coldstart {

class KvmWiring final : public IrqRouter, public MsiRouter, public DoorbellRegistry {
  public:
    std::unique_ptr<IrqLine> connect(std::uint32_t gsi, bool edge_triggered) override;
    std::unique_ptr<MsiLine> make_msi() override;
    void attach(bool pio, std::uint64_t address, unsigned width_bytes, std::uint64_t value,
                int event_fd) override;
    void detach(bool pio, std::uint64_t address, unsigned width_bytes, std::uint64_t value,
                int event_fd) noexcept override;

    /// Joins every line and doorbell to `vm`, which stays alive until unbind().
    void bind(Vm& vm);
    /// From now on lines lead nowhere and doorbells are ordinary writes. The machine it was bound
    /// to is still alive.
    void unbind() noexcept;

  private:
    class LevelLine;
    class EdgeLine;
    class MessageLine;

    struct DoorbellRecord {
        bool pio = false;
        std::uint64_t address = 0;
        unsigned width_bytes = 0;
        std::uint64_t value = 0;
        int event_fd = -1;
    };

    static constexpr std::uint32_t first_msi_gsi = Vm::ioapic_pins;

    static void ring_up(Vm& vm, const DoorbellRecord& doorbell);
    void change_level(std::uint32_t gsi, int by) noexcept;
    void set_route(std::uint32_t gsi, MsiMessage message) noexcept;

    std::atomic<Vm*> vm_{nullptr}; ///< changes with all three mutexes held
    std::vector<EdgeLine*> edge_lines_;
    std::vector<MessageLine*> message_lines_;
    std::uint32_t next_gsi_ = first_msi_gsi;

    std::mutex doorbell_mutex_; // guards what follows
    std::vector<DoorbellRecord> doorbells_;

    std::mutex route_mutex_;       // guards what follows
    std::vector<MsiRoute> routes_; ///< one a message set since the last unbind()

    std::mutex level_mutex_; // guards what follows
    std::array<int, Vm::ioapic_pins> asserting_{};
};

} // namespace coldstart
