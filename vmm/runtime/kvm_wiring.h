// Interrupt lines and doorbells on KVM. It remembers every connection, because a machine reset
// makes a new KVM virtual machine: bind() joins all of them to it again.
//
// Level lines that share a GSI are OR-ed here: KVM keeps one level for all of user space. A
// message has a GSI of its own beyond the IOAPIC's pins, whose route follows the guest's table.
//
// With a split irqchip the lines lead to the monitor's own IOAPIC and 8259s instead, and what the
// IOAPIC sends goes to KVM's local APICs from here: one system call an interrupt, as for an irqfd,
// and the guest's masking and unmasking costs KVM nothing. KVM learns routes only of pins that send
// levels, because it looks there which ends of interrupts it has to tell.
//
// A doorbell is joined to KVM when it has been rung for the first time, as an ordinary write: one
// that no driver uses costs neither a start nor an end anything. (On Linux 6.18 an end waits some
// 10 ms for the old table of doorbells if there ever was one.)
//
// Threads: connect, make_msi, set_controllers, bind, unbind: the control thread, with the vCPUs at
// rest; attach, detach, rang, the lines themselves and what controllers call: any.
#pragma once

#include "vmm/base/interrupt_controller.h"
#include "vmm/base/irq_router.h"
#include "vmm/kvm/vm.h"

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <vector>

namespace coldstart {

/// Where the lines lead with a split irqchip; outlives every line.
struct InterruptControllers {
    InterruptInputs& ioapic;
    InterruptInputs& pic;
    /// The 8259s' wire to the boot processor. Called only between bind() and unbind().
    std::function<void(bool asserted)> set_intr;
};

class KvmWiring final : public IrqRouter,
                        public MsiRouter,
                        public DoorbellRegistry,
                        public ProcessorInterrupts {
  public:
    explicit KvmWiring(bool split_irqchip) noexcept : split_(split_irqchip) {}

    /// With a split irqchip: before the first bind(). Until then lines lead nowhere.
    void set_controllers(InterruptControllers controllers);

    std::unique_ptr<IrqLine> connect(std::uint32_t gsi, bool edge_triggered) override;
    std::unique_ptr<MsiLine> make_msi() override;
    void attach(bool pio, std::uint64_t address, unsigned width_bytes, std::uint64_t value,
                int event_fd) override;
    void detach(bool pio, std::uint64_t address, unsigned width_bytes, std::uint64_t value,
                int event_fd) noexcept override;

    /// The guest has written this, and the device has seen it. From now on, if it is a doorbell, the
    /// vCPU does not leave the kernel for it.
    void rang(bool pio, std::uint64_t address, unsigned width_bytes, std::uint64_t value) noexcept;

    void send(const MsiMessage& message) noexcept override;
    void watch_level(unsigned pin, std::optional<MsiMessage> message) noexcept override;
    void set_intr(bool asserted) noexcept override;

    /// Joins every line to `vm`, which stays alive until unbind().
    void bind(Vm& vm);
    /// From now on lines lead nowhere and doorbells are ordinary writes. The machine it was bound
    /// to is still alive.
    void unbind() noexcept;

  private:
    class LevelLine;
    class EdgeLine;
    class PulseLine;
    class MessageLine;

    struct DoorbellRecord {
        bool pio = false;
        std::uint64_t address = 0;
        unsigned width_bytes = 0;
        std::uint64_t value = 0;
        int event_fd = -1;
        bool is_joined = false;

        bool is(bool in_pio, std::uint64_t at, unsigned width,
                std::uint64_t written) const noexcept {
            return pio == in_pio && address == at && width_bytes == width && value == written;
        }
    };

    static constexpr std::uint32_t first_msi_gsi = Vm::ioapic_pins;
    static constexpr unsigned silent_index_bits = 8;

    /// Which count of silent_doorbells_ a write to this address looks at.
    static std::size_t silent_index(bool pio, std::uint64_t address) noexcept;

    void change_level(std::uint32_t gsi, int by) noexcept;
    void drive_controllers(std::uint32_t gsi, bool asserted) noexcept;
    void set_routes() noexcept;
    void set_route(std::uint32_t gsi, MsiMessage message) noexcept;

    const bool split_;
    std::optional<InterruptControllers> controllers_;
    std::atomic<bool> intr_{false};

    std::atomic<Vm*> vm_{nullptr}; ///< changes with all mutexes held
    std::shared_mutex send_mutex_; ///< shared by what sends, so that none waits for another
    std::vector<EdgeLine*> edge_lines_;
    std::vector<MessageLine*> message_lines_;
    std::uint32_t next_gsi_ = first_msi_gsi;

    /// Those not joined, counted by silent_index(): a write to an address whose count is zero, which
    /// is nearly every one, is no doorbell, and takes no lock to learn it.
    std::array<std::atomic<std::uint32_t>, 1U << silent_index_bits> silent_doorbells_{};
    std::mutex doorbell_mutex_; // guards what follows, and changes of the counts
    std::vector<DoorbellRecord> doorbells_;

    std::mutex route_mutex_;       // guards what follows
    std::vector<MsiRoute> routes_; ///< one a message set, or level watched, since the last unbind()

    std::mutex level_mutex_; // guards what follows
    std::array<int, Vm::ioapic_pins> asserting_{};
};

} // namespace coldstart
