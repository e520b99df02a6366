// A CD or DVD drive that reads an ISO image, or stands empty.
// Sources: ACS-2, sections 4.3 (packet feature set) and 7.20; SPC-3 and MMC-5 for the commands.
//
// The image is one data track of 2048-byte blocks; what an image has beyond its last whole block
// is not seen. START STOP UNIT with eject takes the medium out until it is loaded again, or the machine
// starts anew. A failed command leaves its sense data for REQUEST SENSE.
// Missing: audio, writing, READ CD, raw sectors, DVD structures, changing the image at run time,
// transfers by the byte count limit (all data comes at once).
#pragma once

#include "devices/ahci/ata_drive.h"
#include "devices/ahci/scsi_spec.h"

#include <memory>
#include <string>

namespace coldstart {

class AtapiDrive final : public AtaDrive {
  public:
    /// `image` may be nullptr: no disc. `serial` is cut to 20 bytes.
    AtapiDrive(std::unique_ptr<DiskImage> image, std::string serial);

    DiskImage* image() noexcept override { return image_.get(); }
    void reset() noexcept override;
    void power_on() noexcept override { state_ = State{}; }
    AtaResult signature() const noexcept override;
    AtaAction begin(const AtaCommand& command, std::span<std::byte> buffer) noexcept override;
    AtaAction received(const AtaCommand& command, ByteView data) noexcept override;
    bool discard_range(ByteView, std::size_t, DiscardRange&) const noexcept override {
        return false;
    }
    AtaResult completed(const AtaCommand& command, const AtaAction& action, int error,
                        std::uint64_t done_bytes) noexcept override;
    void save(StateWriter& writer) const override;
    void restore(StateReader& reader) override;
    void commit_restore() noexcept override { state_ = restored_; }

  private:
    struct State {
        scsi::Sense sense;
        bool removal_prevented = false;
        bool ejected = false;
        bool medium_event = false; ///< for GET EVENT STATUS NOTIFICATION
    };

    bool has_medium() const noexcept { return image_ != nullptr && !state_.ejected; }
    std::uint64_t blocks() const noexcept { return has_medium() ? blocks_ : 0; }

    AtaAction run_packet(const AtaCommand& command, std::span<std::byte> buffer) noexcept;
    AtaAction run_with_medium(const AtaCommand& command, std::span<std::byte> buffer) noexcept;
    AtaAction read(const AtaCommand& command) noexcept;
    AtaAction start_stop(const AtaCommand& command) noexcept;
    AtaAction good(const AtaCommand& command) const noexcept;
    AtaAction fail(const AtaCommand& command, scsi::Sense sense) noexcept;
    /// The first `size` bytes of the buffer, cut to the length the guest allocated.
    AtaAction answer(const AtaCommand& command, std::size_t size, std::size_t allocated) noexcept;

    // Answers, in atapi_answers.cpp: their length, or 0 when the command asks for what is not there.
    void identify(std::span<std::byte> page) const noexcept;
    std::size_t inquiry(const AtaCommand& command, std::span<std::byte> out) const noexcept;
    std::size_t sense_data(std::span<std::byte> out) const noexcept;
    std::size_t mode_sense(const AtaCommand& command, std::span<std::byte> out) const noexcept;
    std::size_t configuration(const AtaCommand& command, std::span<std::byte> out) const noexcept;
    std::size_t event_status(const AtaCommand& command, std::span<std::byte> out) noexcept;
    std::size_t table_of_contents(const AtaCommand& command,
                                  std::span<std::byte> out) const noexcept;
    std::size_t disc_information(std::span<std::byte> out) const noexcept;

    std::unique_ptr<DiskImage> image_;
    std::string serial_;
    std::uint64_t blocks_;
    State state_;
    State restored_; ///< parsed, not yet in force
};

} // namespace coldstart
