// One port of the AHCI controller: its registers, the command list behind them, and the way of
// each command from the guest's memory to the drive and back.
// Source: AHCI 1.3.1, sections 3.3 (registers), 5.3 (state machine), 6 (errors) and 10.
//
// A vCPU only marks commands as issued; the I/O thread takes them up in run(). Commands that are
// not queued run one at a time; queued ones as many as there are. Stopping the port, COMRESET and
// an error abandon what is under way: its result reaches nobody, and PxCMD.CR stays set (or the
// link stays down) until the host has finished with the guest's memory.
// A command whose memory list is too short overflows (PxIS.OFS); one that moves data between guest
// and image then aborts with nothing moved, an answer is cut to what fits.
// Missing: port multipliers, link power states, cold presence detection, staggered spin-up.
//
// Threads: any, with the controller's lock held; disk_ready() takes it.
#pragma once

#include "devices/ahci/ata_drive.h"
#include "devices/ahci/guest_buffer.h"
#include "devices/ahci/spec.h"
#include "vmm/base/guest_memory.h"
#include "vmm/base/log.h"

#include <array>
#include <memory>

namespace coldstart {

class AhciPort;

/// What a port asks of its controller.
class AhciPortOwner {
  public:
    virtual ~AhciPortOwner() = default;
    /// Whether the function may use guest memory. Any thread.
    virtual bool may_use_memory() const noexcept = 0;
    /// I/O thread, without the lock: the image has completions; take the lock and call run().
    virtual void port_ready(AhciPort& port) noexcept = 0;
};

class AhciPort final : private DiskClient {
  public:
    /// `drive` may be nullptr: nothing is plugged in. The other two outlive the port. Throws Error
    /// when the drive's image takes too few requests.
    AhciPort(std::unique_ptr<AtaDrive> drive, const GuestMemory& memory, AhciPortOwner& owner);
    ~AhciPort() override;

    /// One doubleword of the port's registers.
    std::uint32_t read(unsigned offset) const noexcept;
    /// The bytes in `mask` of one doubleword.
    void write(unsigned offset, std::uint32_t value, std::uint32_t mask) noexcept;
    bool interrupting() const noexcept { return (interrupts() & state_.interrupt_enable) != 0; }

    /// Takes up what was issued and what the image has done. I/O thread.
    void run() noexcept;
    /// Whether run() would find a command to take up.
    bool has_work() const noexcept;

    void pause() noexcept { paused_ = true; }
    void resume() noexcept { paused_ = false; }
    bool idle() const noexcept { return active_ == 0; }
    /// Waits until the image is done with everything.
    void drain() noexcept;
    void abandon() noexcept;
    /// The controller resets itself, when the port is idle; the addresses in memory stay.
    void reset() noexcept;
    void power_on() noexcept;

    void save(StateWriter& writer) const;
    void restore(StateReader& reader); ///< parses; changes nothing before commit_restore()
    void commit_restore() noexcept;

  private:
    struct State {
        std::uint64_t command_list = 0, received_fis = 0;
        std::uint32_t interrupt_status = 0, interrupt_enable = 0, command = 0;
        std::uint32_t task_file = ahci::task_file_none, signature = ahci::signature_none;
        std::uint32_t sata_control = 0, sata_error = 0, sata_active = 0, issued = 0;
        std::uint8_t current_slot = 0;
        bool halted = false;        ///< by an error, until the guest stops the port
        bool soft_reset = false;    ///< the guest holds SRST
        bool signature_due = false; ///< a FIS that waits for its receive area
    };

    /// A command under way.
    struct Slot {
        AtaCommand command;
        AtaAction action;
        GuestBuffer buffer;
        Gpa header;
        std::uint64_t done_bytes = 0;
        std::uint64_t chunk_bytes = 0; ///< with the image now
        std::size_t next_range = 0;    ///< of a discard
        bool abandoned = false;
    };

    // DiskClient.
    void disk_ready() noexcept override { owner_.port_ready(*this); }
    void disk_completed(std::uint32_t tag, int error) noexcept override;

    std::uint32_t interrupts() const noexcept;
    std::uint32_t sata_status() const noexcept;
    bool link_up() const noexcept;
    void write_command(std::uint32_t value, std::uint32_t mask) noexcept;
    void write_sata_control(std::uint32_t value, std::uint32_t mask) noexcept;
    void bring_link_up() noexcept;
    void show_signature() noexcept;
    void deliver_signature() noexcept;

    // From the command list to the drive, in ahci_commands.cpp.
    bool may_issue() const noexcept;
    void issue_all() noexcept;
    /// False when the command has to wait for those under way.
    bool issue(unsigned slot) noexcept;
    void take_control_fis(unsigned slot, std::uint8_t control) noexcept;
    void act(unsigned slot) noexcept;
    void reply(unsigned slot) noexcept;
    void receive(unsigned slot) noexcept;
    void start_transfer(unsigned slot) noexcept;
    void next_chunk(unsigned slot) noexcept;
    void next_discard(unsigned slot) noexcept;
    void overflow(unsigned slot) noexcept;
    void finish(unsigned slot, const AtaResult& result) noexcept;
    void finish_queued(unsigned slot, const AtaResult& result) noexcept;
    void stop_at(unsigned slot) noexcept;
    void fatal(unsigned slot, std::uint32_t cause) noexcept;
    void release(unsigned slot) noexcept;

    void post(std::uint64_t offset, ByteView fis) noexcept;
    void post_register_fis(const AtaResult& result, bool interrupt) noexcept;
    void post_pio_setup(const AtaResult& result, std::uint64_t bytes, bool to_guest,
                        bool interrupt) noexcept;
    void post_dma_setup(unsigned tag, std::uint64_t bytes, bool to_guest) noexcept;
    void post_device_bits(const AtaResult& result, std::uint32_t finished) noexcept;
    void set_task_file(const AtaResult& result) noexcept;

    std::unique_ptr<AtaDrive> drive_;
    const GuestMemory& memory_;
    AhciPortOwner& owner_;

    State state_;
    State restored_; ///< parsed, not yet in force
    bool paused_ = false;
    bool link_reset_ = false; ///< COMRESET has ended, what it abandoned has not

    std::array<Slot, ahci::slot_count> slots_;
    std::uint32_t active_ = 0; ///< one bit a slot under way, abandoned ones too
    std::array<std::byte, AtaDrive::buffer_bytes> page_{}; ///< of the one command not queued
    std::array<iovec, DiskImage::max_segments> pieces_{};
    LogLimiter complaints_;
};

} // namespace coldstart
