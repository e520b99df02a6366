#include "devices/ahci/atapi_drive.h"

#include "devices/ahci/ata_disk.h"
#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <algorithm>
#include <utility>

namespace coldstart {
namespace {

constexpr std::uint16_t reason_done = 3; // in the count register, when a packet command ends

unsigned be16(const AtaCommand& command, unsigned at) noexcept {
    return unsigned{command.packet[at]} << 8u | command.packet[at + 1u];
}

std::uint32_t be32(const AtaCommand& command, unsigned at) noexcept {
    return be16(command, at) << 16u | be16(command, at + 2);
}

} // namespace

AtapiDrive::AtapiDrive(std::unique_ptr<DiskImage> image, std::string serial)
    : image_(std::move(image)), serial_(std::move(serial)),
      blocks_(image_ != nullptr ? image_->size_bytes() / scsi::block_bytes : 0) {
    if (image_ != nullptr && blocks_ == 0)
        throw Error("a CD image of less than one block of 2048 bytes", "use an ISO 9660 image");
    if (image_ != nullptr && image_->geometry().block_bytes > scsi::block_bytes)
        throw Error(cat("a CD image in blocks of ", image_->geometry().block_bytes, " bytes"),
                    "put it into a file");
    blocks_ = std::min<std::uint64_t>(blocks_, 0xffffffff);
}

void AtapiDrive::reset() noexcept {
    const bool ejected = state_.ejected;
    state_ = State{};
    state_.ejected = ejected;
}

AtaResult AtapiDrive::signature() const noexcept {
    return {.status = 0, .error = ata::diagnostic_passed, .device = 0, .count = 1, .lba = 0xeb1401};
}

AtaAction AtapiDrive::begin(const AtaCommand& command, std::span<std::byte> buffer) noexcept {
    switch (command.code) {
    case ata::packet:
        return run_packet(command, buffer);
    case ata::identify_packet_device:
        identify(buffer.first(ata::page_bytes));
        return ata_reply(command, AtaProtocol::pio, ata::page_bytes);
    case ata::device_reset:
    case ata::execute_diagnostic: {
        AtaAction action;
        action.result = signature();
        return action;
    }
    case ata::identify_device:
    case ata::read_sectors: {
        // These name the drive by its signature while they fail: ACS-2, 7.12.5.
        AtaAction action = ata_finish(command, ata::error_abort);
        action.result.lba = signature().lba;
        action.result.count = signature().count;
        return action;
    }
    case ata::set_features:
        if ((command.features & 0xff) == ata::feature_transfer_mode)
            return ata_finish(command);
        return ata_finish(command, ata::error_abort);
    case ata::check_power_mode: {
        AtaAction action = ata_finish(command);
        action.result.count = ata::active_or_idle;
        return action;
    }
    case ata::flush_cache:
    case ata::standby_immediate:
    case ata::idle_immediate:
    case ata::standby:
    case ata::idle:
    case ata::sleep:
        return ata_finish(command);
    default:
        return ata_finish(command, ata::error_abort);
    }
}

AtaAction AtapiDrive::received(const AtaCommand& command, ByteView) noexcept {
    return fail(command, scsi::sense_bad_operation);
}

AtaAction AtapiDrive::good(const AtaCommand& command) const noexcept {
    AtaAction action = ata_finish(command);
    action.result.count = reason_done;
    return action;
}

AtaAction AtapiDrive::fail(const AtaCommand& command, scsi::Sense sense) noexcept {
    state_.sense = sense;
    const auto error = static_cast<std::uint8_t>(sense.key << 4u | ata::error_abort);
    AtaAction action = ata_finish(command, error);
    action.result.count = reason_done;
    return action;
}

AtaAction AtapiDrive::answer(const AtaCommand& command, std::size_t size,
                             std::size_t allocated) noexcept {
    if (size == 0)
        return fail(command, scsi::sense_bad_field);
    const std::size_t wanted = std::min(size, allocated);
    if (wanted == 0)
        return good(command);
    const bool dma = (command.features & 1) != 0;
    AtaAction action = ata_reply(command, dma ? AtaProtocol::dma : AtaProtocol::pio, wanted);
    action.result.count = reason_done;
    // Where a PIO transfer finds how many bytes come.
    action.result.lba = (command.lba & ~std::uint64_t{0xffff00}) | wanted << 8;
    return action;
}

AtaAction AtapiDrive::run_packet(const AtaCommand& command, std::span<std::byte> buffer) noexcept {
    const auto& packet = command.packet;
    std::ranges::fill(buffer, std::byte{0});
    switch (packet[0]) {
    case scsi::request_sense: {
        const std::size_t size = sense_data(buffer);
        state_.sense = scsi::sense_none;
        return answer(command, size, packet[4]);
    }
    case scsi::inquiry:
        return answer(command, inquiry(command, buffer), be16(command, 3));
    default:
        break;
    }
    state_.sense = scsi::sense_none;
    switch (packet[0]) {
    case scsi::mode_sense_6:
        return answer(command, mode_sense(command, buffer), packet[4]);
    case scsi::mode_sense_10:
        return answer(command, mode_sense(command, buffer), be16(command, 7));
    case scsi::get_configuration:
        return answer(command, configuration(command, buffer), be16(command, 7));
    case scsi::get_event_status:
        return answer(command, event_status(command, buffer), be16(command, 7));
    case scsi::mechanism_status:
        // Nothing happens, one slot, no table of it: eight bytes of zero say so.
        return answer(command, 8, be16(command, 8));
    case scsi::start_stop_unit:
        return start_stop(command);
    case scsi::prevent_removal:
        state_.removal_prevented = (packet[4] & 1) != 0;
        return good(command);
    case scsi::test_unit_ready:
    case scsi::read_capacity:
    case scsi::read_10:
    case scsi::read_12:
    case scsi::seek_10:
    case scsi::read_toc:
    case scsi::read_disc_information:
        return run_with_medium(command, buffer);
    default:
        return fail(command, scsi::sense_bad_operation);
    }
}

AtaAction AtapiDrive::run_with_medium(const AtaCommand& command,
                                      std::span<std::byte> buffer) noexcept {
    if (!has_medium())
        return fail(command, scsi::sense_no_medium);
    switch (command.packet[0]) {
    case scsi::read_capacity: {
        const auto store_be = [&](std::size_t at, std::uint64_t value) {
            store_le(buffer, at, __builtin_bswap32(static_cast<std::uint32_t>(value)));
        };
        store_be(0, blocks() - 1);
        store_be(4, scsi::block_bytes);
        return answer(command, 8, 8);
    }
    case scsi::read_toc:
        return answer(command, table_of_contents(command, buffer), be16(command, 7));
    case scsi::read_disc_information:
        return answer(command, disc_information(buffer), be16(command, 7));
    case scsi::read_10:
    case scsi::read_12:
        return read(command);
    case scsi::seek_10:
        return be32(command, 2) < blocks() ? good(command)
                                           : fail(command, scsi::sense_out_of_range);
    default:
        return good(command);
    }
}

AtaAction AtapiDrive::read(const AtaCommand& command) noexcept {
    const std::uint64_t first = be32(command, 2);
    const std::uint64_t count =
        command.packet[0] == scsi::read_12 ? be32(command, 6) : be16(command, 7);
    if (!range_inside(first, count, blocks()))
        return fail(command, scsi::sense_out_of_range);
    AtaAction action = good(command);
    if (count == 0)
        return action;
    action.kind = AtaAction::Kind::transfer;
    action.protocol = (command.features & 1) != 0 ? AtaProtocol::dma : AtaProtocol::pio;
    action.offset_bytes = first * scsi::block_bytes;
    action.size_bytes = count * scsi::block_bytes;
    return action;
}

AtaAction AtapiDrive::start_stop(const AtaCommand& command) noexcept {
    const bool load_or_eject = (command.packet[4] & 2) != 0;
    const bool start = (command.packet[4] & 1) != 0;
    if (!load_or_eject)
        return start && !has_medium() ? fail(command, scsi::sense_no_medium) : good(command);
    if (!start && state_.removal_prevented)
        return fail(command, scsi::sense_removal_prevented);
    if (start && state_.ejected)
        state_.medium_event = true;
    state_.ejected = !start;
    return good(command);
}

AtaResult AtapiDrive::completed(const AtaCommand& command, const AtaAction& action, int error,
                                std::uint64_t) noexcept {
    return error == 0 ? action.result : fail(command, scsi::sense_read_error).result;
}

void AtapiDrive::save(StateWriter& writer) const {
    const auto& [sense, removal_prevented, ejected, medium_event] = state_;
    writer.begin("atapi-drive", 1);
    writer.fields(blocks_, sense.key, sense.code, sense.qualifier, removal_prevented, ejected,
                  medium_event);
}

void AtapiDrive::restore(StateReader& reader) {
    State loaded;
    auto& [sense, removal_prevented, ejected, medium_event] = loaded;
    std::uint64_t blocks = 0;
    reader.begin("atapi-drive", 1);
    reader.fields(blocks, sense.key, sense.code, sense.qualifier, removal_prevented, ejected,
                  medium_event);
    if (blocks != blocks_)
        throw Error(
            cat("saved state: CD drive: the disc had ", blocks, " blocks and now has ", blocks_),
            "restore it with the image it was saved with");
    if (sense.key >= scsi::sense_keys)
        throw Error("saved state: a CD drive's sense holds impossible values",
                    "the file is damaged");
    restored_ = loaded;
}

} // namespace coldstart
