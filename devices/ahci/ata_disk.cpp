#include "devices/ahci/ata_disk.h"

#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace coldstart {
namespace {

using namespace ata;

std::uint64_t count_of(const AtaCommand& command, bool extended) noexcept {
    const unsigned count = extended ? command.count : command.count & 0xff;
    if (count != 0)
        return count;
    return extended ? 65536 : 256;
}

std::uint64_t lba_of(const AtaCommand& command, bool extended) noexcept {
    return extended ? command.lba
                    : (command.lba & 0xffffff) | std::uint64_t{command.device & 0xfu} << 24;
}

/// READ and WRITE in their many forms.
struct Transfer {
    std::uint8_t code;
    DiskOperation operation;
    AtaProtocol protocol;
    bool extended;
    bool multiple;
    bool durable;
};

constexpr Transfer transfers[] = {
    {read_sectors, DiskOperation::read, AtaProtocol::pio, false, false, false},
    {read_sectors + 1, DiskOperation::read, AtaProtocol::pio, false, false, false},
    {read_sectors_ext, DiskOperation::read, AtaProtocol::pio, true, false, false},
    {read_multiple, DiskOperation::read, AtaProtocol::pio, false, true, false},
    {read_multiple_ext, DiskOperation::read, AtaProtocol::pio, true, true, false},
    {read_dma, DiskOperation::read, AtaProtocol::dma, false, false, false},
    {read_dma + 1, DiskOperation::read, AtaProtocol::dma, false, false, false},
    {read_dma_ext, DiskOperation::read, AtaProtocol::dma, true, false, false},
    {write_sectors, DiskOperation::write, AtaProtocol::pio, false, false, false},
    {write_sectors + 1, DiskOperation::write, AtaProtocol::pio, false, false, false},
    {write_sectors_ext, DiskOperation::write, AtaProtocol::pio, true, false, false},
    {write_multiple, DiskOperation::write, AtaProtocol::pio, false, true, false},
    {write_multiple_ext, DiskOperation::write, AtaProtocol::pio, true, true, false},
    {write_multiple_fua_ext, DiskOperation::write, AtaProtocol::pio, true, true, true},
    {write_dma, DiskOperation::write, AtaProtocol::dma, false, false, false},
    {write_dma + 1, DiskOperation::write, AtaProtocol::dma, false, false, false},
    {write_dma_ext, DiskOperation::write, AtaProtocol::dma, true, false, false},
    {write_dma_fua_ext, DiskOperation::write, AtaProtocol::dma, true, false, true},
};

} // namespace

AtaAction ata_finish(const AtaCommand& command, std::uint8_t error) noexcept {
    AtaAction action;
    action.result.status = static_cast<std::uint8_t>(status_good | (error != 0 ? status_error : 0));
    action.result.error = error;
    action.result.device = command.device;
    action.result.lba = command.lba;
    action.result.count = error != 0 ? command.count : std::uint16_t{0};
    return action;
}

AtaAction ata_reply(const AtaCommand& command, AtaProtocol protocol,
                    std::uint64_t size_bytes) noexcept {
    AtaAction action = ata_finish(command);
    action.kind = AtaAction::Kind::reply;
    action.protocol = protocol;
    action.size_bytes = size_bytes;
    return action;
}

AtaDisk::AtaDisk(std::unique_ptr<DiskImage> image, std::string serial)
    : image_(std::move(image)), serial_(std::move(serial)),
      sector_bytes_(image_->geometry().block_bytes),
      sectors_(image_->size_bytes() / sector_bytes_) {
    if (sectors_ == 0)
        throw Error("a SATA disk whose image is empty", "use an image of one sector or more");
    sectors_ = std::min(sectors_, lba_mask);
}

void AtaDisk::reset() noexcept {
    settings_ = Settings{};
}

AtaResult AtaDisk::signature() const noexcept {
    return {.status = status_good, .error = diagnostic_passed, .device = 0, .count = 1, .lba = 1};
}

AtaAction AtaDisk::begin(const AtaCommand& command, std::span<std::byte> buffer) noexcept {
    if (command.code == read_queued || command.code == write_queued) {
        const bool write = command.code == write_queued;
        const std::uint64_t count = command.features != 0 ? command.features : 65536;
        AtaAction action =
            transfer(command, write ? DiskOperation::write : DiskOperation::read,
                     AtaProtocol::queued, {command.lba, count}, (command.device & device_fua) != 0);
        action.protocol = AtaProtocol::queued;
        if (action.kind == AtaAction::Kind::finish)
            note_failure(command, action.result);
        return action;
    }
    const auto* const found = std::ranges::find(transfers, command.code, &Transfer::code);
    if (found == std::end(transfers))
        return begin_other(command, buffer);
    const bool addressed_otherwise = !found->extended && (command.device & device_lba) == 0;
    if (addressed_otherwise || (found->multiple && settings_.multiple == 0))
        return ata_finish(command, error_abort);
    return transfer(command, found->operation, found->protocol,
                    {lba_of(command, found->extended), count_of(command, found->extended)},
                    found->durable);
}

AtaAction AtaDisk::begin_other(const AtaCommand& command, std::span<std::byte> buffer) noexcept {
    switch (command.code) {
    case identify_device:
        identify(buffer.first(page_bytes));
        return ata_reply(command, AtaProtocol::pio, page_bytes);
    case flush_cache:
    case flush_cache_ext: {
        AtaAction action = ata_finish(command);
        action.kind = AtaAction::Kind::flush;
        action.operation = DiskOperation::flush;
        return action;
    }
    case data_set_management:
        return trim(command);
    case ata::set_features:
        return set_features(command);
    case set_multiple_mode:
        return set_multiple(command);
    case ata::read_native_max:
    case read_native_max_ext:
        return read_native_max(command, command.code == read_native_max_ext);
    case read_log_ext:
    case read_log_dma_ext:
        return read_log(command, command.code == read_log_ext ? AtaProtocol::pio : AtaProtocol::dma,
                        buffer);
    case ata::verify:
    case ata::verify + 1:
    case verify_ext:
        return verify(command, command.code == verify_ext);
    case execute_diagnostic: {
        AtaAction action;
        action.result = signature();
        return action;
    }
    case check_power_mode: {
        AtaAction action = ata_finish(command);
        action.result.count = active_or_idle;
        return action;
    }
    case standby_immediate:
    case idle_immediate:
    case standby:
    case idle:
    case ata::sleep:
        return ata_finish(command);
    case packet:
    case identify_packet_device:
    default:
        return ata_finish(command, error_abort);
    }
}

AtaAction AtaDisk::transfer(const AtaCommand& command, DiskOperation operation,
                            AtaProtocol protocol, const Extent& extent,
                            bool durable) const noexcept {
    const bool write = operation == DiskOperation::write;
    if (write && image_->read_only())
        return ata_finish(command, error_abort);
    if (!range_inside(extent.lba, extent.sectors, sectors_))
        return ata_finish(command, error_not_found);
    AtaAction action = ata_finish(command);
    action.kind = AtaAction::Kind::transfer;
    action.protocol = protocol;
    action.operation = operation;
    action.offset_bytes = extent.lba * sector_bytes_;
    action.size_bytes = extent.sectors * sector_bytes_;
    action.durable = write && (durable || !settings_.write_cache);
    return action;
}

AtaAction AtaDisk::verify(const AtaCommand& command, bool extended) const noexcept {
    if (!extended && (command.device & device_lba) == 0)
        return ata_finish(command, error_abort);
    const bool inside =
        range_inside(lba_of(command, extended), count_of(command, extended), sectors_);
    return ata_finish(command, inside ? std::uint8_t{0} : error_not_found);
}

AtaAction AtaDisk::set_features(const AtaCommand& command) noexcept {
    bool known = true;
    switch (command.features & 0xff) {
    case feature_write_cache_on:
    case feature_write_cache_off:
        known = !image_->read_only();
        settings_.write_cache = (command.features & 0xff) == feature_write_cache_on;
        break;
    case feature_look_ahead_on:
    case feature_look_ahead_off:
        settings_.look_ahead = (command.features & 0xff) == feature_look_ahead_on;
        break;
    case feature_transfer_mode:
        known = set_transfer_mode(static_cast<std::uint8_t>(command.count));
        break;
    case feature_keep_settings:
    case feature_drop_settings:
        break;
    default:
        known = false;
        break;
    }
    return ata_finish(command, known ? std::uint8_t{0} : error_abort);
}

bool AtaDisk::set_transfer_mode(std::uint8_t mode) noexcept {
    if (mode <= mode_pio + 1 || (mode >= 0x08 && mode <= 0x0c))
        return true;
    if (mode >= mode_multiword && mode <= mode_multiword + 2) {
        settings_.multiword_mode = static_cast<std::uint8_t>(mode - mode_multiword);
        settings_.ultra_mode = none;
        return true;
    }
    if (mode < mode_ultra || mode > mode_ultra + 6)
        return false;
    settings_.ultra_mode = static_cast<std::uint8_t>(mode - mode_ultra);
    settings_.multiword_mode = none;
    return true;
}

AtaAction AtaDisk::set_multiple(const AtaCommand& command) noexcept {
    const unsigned sectors = command.count & 0xff;
    if (sectors > max_multiple || (sectors != 0 && !std::has_single_bit(sectors)))
        return ata_finish(command, error_abort);
    settings_.multiple = static_cast<std::uint8_t>(sectors);
    return ata_finish(command);
}

AtaAction AtaDisk::read_native_max(const AtaCommand& command, bool extended) const noexcept {
    AtaAction action = ata_finish(command);
    const std::uint64_t last = sectors_ - 1;
    action.result.lba = extended ? last : std::min(last, lba28_sectors - 1) & 0xffffff;
    if (!extended)
        action.result.device = static_cast<std::uint8_t>(
            (command.device & 0xf0) | (std::min(last, lba28_sectors - 1) >> 24 & 0xf));
    return action;
}

AtaAction AtaDisk::read_log(const AtaCommand& command, AtaProtocol protocol,
                            std::span<std::byte> buffer) const noexcept {
    const std::uint8_t log = static_cast<std::uint8_t>(command.lba);
    const std::uint64_t first_page = (command.lba >> 8 & 0xff) | (command.lba >> 24 & 0xff00);
    if (command.count != 1 || first_page != 0 || (log != log_directory && log != log_queued_error))
        return ata_finish(command, error_abort);
    const std::span<std::byte> page = buffer.first(page_bytes);
    std::ranges::fill(page, std::byte{0});
    if (log == log_directory) {
        store_ata_word(page, 0, 1); // version
        store_ata_word(page, log_queued_error, 1);
        return ata_reply(command, protocol, page_bytes);
    }
    // Serial ATA 3.0, 13.7.2.1; NQ says that the failure was not of a queued command.
    const bool any = settings_.failed_tag != none;
    page[0] = any ? std::byte{settings_.failed_tag} : std::byte{0x80};
    page[2] = std::byte{settings_.failed_status};
    page[3] = std::byte{settings_.failed_error};
    for (unsigned i = 0; i < 3; ++i) {
        page[4 + i] = static_cast<std::byte>(settings_.failed_lba >> (8 * i));
        page[8 + i] = static_cast<std::byte>(settings_.failed_lba >> (24 + 8 * i));
    }
    page[7] = std::byte{device_lba};
    store_ata_checksum(page);
    return ata_reply(command, protocol, page_bytes);
}

AtaAction AtaDisk::trim(const AtaCommand& command) const noexcept {
    const bool possible = (command.features & ata::trim) != 0 && !image_->read_only();
    if (!possible || command.count == 0 || command.count > max_trim_pages)
        return ata_finish(command, error_abort);
    AtaAction action = ata_finish(command);
    action.kind = AtaAction::Kind::receive;
    action.protocol = AtaProtocol::dma;
    action.size_bytes = std::uint64_t{command.count} * page_bytes;
    return action;
}

AtaAction AtaDisk::received(const AtaCommand& command, ByteView data) noexcept {
    // All ranges are looked at before the first is discarded: an error leaves the disk alone.
    for (std::size_t i = 0; i < data.size() / 8; ++i) {
        const auto entry = load_le<std::uint64_t>(data, i * 8);
        if (!range_inside(entry & lba_mask, entry >> 48, sectors_))
            return ata_finish(command, error_abort);
    }
    AtaAction action = ata_finish(command);
    action.kind = AtaAction::Kind::discard;
    action.protocol = AtaProtocol::dma;
    action.operation = DiskOperation::discard;
    action.size_bytes = data.size();
    return action;
}

bool AtaDisk::discard_range(ByteView data, std::size_t index, DiscardRange& range) const noexcept {
    if (index >= data.size() / 8)
        return false;
    const auto entry = load_le<std::uint64_t>(data, index * 8);
    range = {(entry & lba_mask) * sector_bytes_, (entry >> 48) * sector_bytes_};
    return true;
}

AtaResult AtaDisk::completed(const AtaCommand& command, const AtaAction& action, int error,
                             std::uint64_t done_bytes) noexcept {
    AtaResult result = action.result;
    if (error == 0)
        return result;
    const bool read = action.operation == DiskOperation::read;
    result = ata_finish(command, read ? error_uncorrectable : error_abort).result;
    if (action.kind == AtaAction::Kind::transfer)
        result.lba = (action.offset_bytes + done_bytes) / sector_bytes_;
    if (action.protocol == AtaProtocol::queued)
        note_failure(command, result);
    return result;
}

void AtaDisk::note_failure(const AtaCommand& command, const AtaResult& result) noexcept {
    settings_.failed_tag = queue_tag(command.count);
    settings_.failed_status = result.status;
    settings_.failed_error = result.error;
    settings_.failed_lba = result.lba & lba_mask;
}

} // namespace coldstart
