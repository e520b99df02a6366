// What stands behind a SATA port: a drive takes commands apart and says what is to be done; the
// port moves the data and asks the image. A drive has no thread and touches no guest memory.
// Source: ACS-2, section 4 (protocols).
//
// Threads: none of its own; the controller's lock is held around every call.
#pragma once

#include "vmm/base/bytes.h"
#include "vmm/base/disk_image.h"
#include "vmm/base/state_io.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace coldstart {

/// A register FIS from the host, and the packet that came with it.
struct AtaCommand {
    std::uint8_t code = 0;
    std::uint8_t device = 0;
    std::uint16_t features = 0;
    std::uint16_t count = 0;
    std::uint64_t lba = 0; ///< 48 bits
    std::array<std::uint8_t, 16> packet{};
};

/// What the drive's registers hold when a command ends, or after a reset.
struct AtaResult {
    std::uint8_t status = 0;
    std::uint8_t error = 0;
    std::uint8_t device = 0;
    std::uint16_t count = 0;
    std::uint64_t lba = 0;
};

enum class AtaProtocol : std::uint8_t { no_data, pio, dma, queued };

struct AtaAction {
    enum class Kind : std::uint8_t {
        finish,   ///< with `result`
        reply,    ///< `size_bytes` of the drive's answer go to the guest; then `result`
        receive,  ///< `size_bytes` come from the guest; then AtaDrive::received()
        transfer, ///< between guest and image; then AtaDrive::completed()
        flush,    ///< then AtaDrive::completed()
        discard,  ///< every AtaDrive::discard_range(); then AtaDrive::completed()
    };
    Kind kind = Kind::finish;
    AtaProtocol protocol = AtaProtocol::no_data;
    DiskOperation operation = DiskOperation::read;
    bool durable = false;
    std::uint64_t offset_bytes = 0; ///< in the image; whole blocks, as is the size
    std::uint64_t size_bytes = 0;
    AtaResult result;
};

struct DiscardRange {
    std::uint64_t offset_bytes = 0;
    std::uint64_t size_bytes = 0;
};

class AtaDrive {
  public:
    /// The most that one `reply` or `receive` moves.
    static constexpr std::size_t buffer_bytes = 4096;

    AtaDrive() = default;
    AtaDrive(const AtaDrive&) = delete;
    AtaDrive& operator=(const AtaDrive&) = delete;
    virtual ~AtaDrive() = default;

    /// nullptr when there is no medium: then no action asks for one.
    virtual DiskImage* image() noexcept = 0;

    /// COMRESET or a software reset: settings go back to those of power-on.
    virtual void reset() noexcept = 0;
    /// The machine starts anew: so does everything else, a tray closes.
    virtual void power_on() noexcept = 0;
    /// The registers after a reset, which name the kind of drive.
    virtual AtaResult signature() const noexcept = 0;

    /// `buffer` is where a reply goes and stays until the command ends.
    virtual AtaAction begin(const AtaCommand& command, std::span<std::byte> buffer) noexcept = 0;
    virtual AtaAction received(const AtaCommand& command, ByteView data) noexcept = 0;
    /// Range `index` of a discard; false after the last one.
    virtual bool discard_range(ByteView data, std::size_t index,
                               DiscardRange& range) const noexcept = 0;
    /// The image is done with `action`; `error` is an errno value, and `done_bytes` were moved
    /// before it.
    virtual AtaResult completed(const AtaCommand& command, const AtaAction& action, int error,
                                std::uint64_t done_bytes) noexcept = 0;

    virtual void save(StateWriter& writer) const = 0;
    /// Parses, throws Error for what can't be, and changes nothing before commit_restore().
    virtual void restore(StateReader& reader) = 0;
    virtual void commit_restore() noexcept = 0;
};

} // namespace coldstart
