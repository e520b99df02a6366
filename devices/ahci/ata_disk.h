// An ATA disk in front of a disk image.
// Source: ATA/ATAPI Command Set 2 (ACS-2); queued commands as Serial ATA 3.0, section 13.6.
//
// Offered: 48-bit addresses, DMA, PIO, native command queuing with forced unit access, a write
// cache that can be switched off (writes are durable then), TRIM. A logical sector is the image's
// block. A host that fails a read becomes an uncorrectable error, a failed write an abort. A
// read-only image aborts what would change it.
// Missing: SMART, security, power states that mean anything, addresses by cylinder and head
// (commands without the LBA bit abort), trusted computing, logs other than the queued error.
#pragma once

#include "devices/ahci/ata_drive.h"
#include "devices/ahci/ata_spec.h"

#include <memory>
#include <string>

namespace coldstart {

class AtaDisk final : public AtaDrive {
  public:
    /// `serial` is cut to 20 bytes. Throws Error for an image this kind of disk can't show.
    AtaDisk(std::unique_ptr<DiskImage> image, std::string serial);

    DiskImage* image() noexcept override { return image_.get(); }
    void reset() noexcept override;
    void power_on() noexcept override { reset(); }
    AtaResult signature() const noexcept override;
    AtaAction begin(const AtaCommand& command, std::span<std::byte> buffer) noexcept override;
    AtaAction received(const AtaCommand& command, ByteView data) noexcept override;
    bool discard_range(ByteView data, std::size_t index,
                       DiscardRange& range) const noexcept override;
    AtaResult completed(const AtaCommand& command, const AtaAction& action, int error,
                        std::uint64_t done_bytes) noexcept override;
    void save(StateWriter& writer) const override;
    void restore(StateReader& reader) override;
    void commit_restore() noexcept override { settings_ = restored_; }

  private:
    /// What drivers set, and what they may ask about later.
    struct Settings {
        bool write_cache = true;
        bool look_ahead = true;
        std::uint8_t multiple = ata::max_multiple; ///< sectors a block; 0: multiple mode is off
        std::uint8_t multiword_mode = none;        ///< the one of the three that is selected
        std::uint8_t ultra_mode = 6;
        std::uint8_t failed_tag = none; ///< of the last queued command that failed
        std::uint8_t failed_status = 0, failed_error = 0;
        std::uint64_t failed_lba = 0;
    };
    static constexpr std::uint8_t none = 0xff;

    struct Extent {
        std::uint64_t lba = 0, sectors = 0;
    };

    AtaAction begin_other(const AtaCommand& command, std::span<std::byte> buffer) noexcept;
    AtaAction transfer(const AtaCommand& command, DiskOperation operation, AtaProtocol protocol,
                       const Extent& extent, bool durable) const noexcept;
    void note_failure(const AtaCommand& command, const AtaResult& result) noexcept;
    AtaAction verify(const AtaCommand& command, bool extended) const noexcept;
    AtaAction set_features(const AtaCommand& command) noexcept;
    bool set_transfer_mode(std::uint8_t mode) noexcept;
    AtaAction set_multiple(const AtaCommand& command) noexcept;
    AtaAction read_native_max(const AtaCommand& command, bool extended) const noexcept;
    AtaAction read_log(const AtaCommand& command, AtaProtocol protocol,
                       std::span<std::byte> buffer) const noexcept;
    AtaAction trim(const AtaCommand& command) const noexcept;
    void identify(std::span<std::byte> page) const noexcept;
    bool valid(const Settings& settings) const noexcept;

    std::unique_ptr<DiskImage> image_;
    std::string serial_;
    std::uint64_t sector_bytes_;
    std::uint64_t sectors_;
    Settings settings_;
    Settings restored_; ///< parsed, not yet in force
};

/// Text as IDENTIFY data has it: padded with spaces, the bytes of each word swapped.
void store_ata_text(std::span<std::byte> page, unsigned first_word, unsigned words,
                    std::string_view text) noexcept;
void store_ata_word(std::span<std::byte> page, unsigned word, std::uint64_t value) noexcept;
/// The last byte of a page that makes its bytes sum up to zero.
void store_ata_checksum(std::span<std::byte> page) noexcept;

AtaAction ata_finish(const AtaCommand& command, std::uint8_t error = 0) noexcept;
AtaAction ata_reply(const AtaCommand& command, AtaProtocol protocol,
                    std::uint64_t size_bytes) noexcept;

} // namespace coldstart
