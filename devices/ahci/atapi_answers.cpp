// What the CD drive answers. Sources: SPC-3, sections 6.4 (INQUIRY), 4.5.3 (sense data), 7.4 (mode
// pages); MMC-5, sections 5.3 (features), 6.26 (READ TOC), 6.22 (READ DISC INFORMATION).
#include "devices/ahci/ata_disk.h"
#include "devices/ahci/atapi_drive.h"

#include <algorithm>
#include <string_view>

namespace coldstart {
namespace {

/// Fills an answer from front to back; the buffer is zeroed and larger than any answer.
class Writer {
  public:
    explicit Writer(std::span<std::byte> out) noexcept : out_(out) {}

    Writer& u8(unsigned value) noexcept {
        out_[size_++] = static_cast<std::byte>(value);
        return *this;
    }
    Writer& u16(unsigned value) noexcept { return u8(value >> 8).u8(value); }
    Writer& u32(std::uint64_t value) noexcept {
        return u16(static_cast<unsigned>(value >> 16)).u16(static_cast<unsigned>(value));
    }
    Writer& text(std::string_view text, std::size_t width) noexcept {
        for (std::size_t i = 0; i < width; ++i)
            u8(i < text.size() ? static_cast<unsigned char>(text[i]) : ' ');
        return *this;
    }
    Writer& zeros(std::size_t count) noexcept {
        size_ += count;
        return *this;
    }
    void patch_u16(std::size_t at, std::size_t value) noexcept {
        out_[at] = static_cast<std::byte>(value >> 8);
        out_[at + 1] = static_cast<std::byte>(value);
    }
    std::size_t size() const noexcept { return size_; }

  private:
    std::span<std::byte> out_;
    std::size_t size_ = 0;
};

/// An address of a disc, as a block number or as minute, second and frame.
void put_address(Writer& out, std::uint64_t block, bool msf) noexcept {
    if (!msf) {
        out.u32(block);
        return;
    }
    const std::uint64_t frames = block + scsi::lead_in_frames;
    out.u8(0)
        .u8(static_cast<unsigned>(std::min<std::uint64_t>(frames / (75 * 60), 255)))
        .u8(static_cast<unsigned>(frames / 75 % 60))
        .u8(static_cast<unsigned>(frames % 75));
}

} // namespace

void AtapiDrive::identify(std::span<std::byte> page) const noexcept {
    std::ranges::fill(page, std::byte{0});
    store_ata_word(page, 0, 0x85c0); // packets of 12 bytes, CD drive, removable, answers in 50 us
    store_ata_text(page, 10, 10, serial_);
    store_ata_text(page, 23, 4, "1.0");
    store_ata_text(page, 27, 20, "coldstart DVD-ROM");
    store_ata_word(page, 49, 0x0f00); // IORDY, LBA, DMA
    store_ata_word(page, 50, 1u << 14);
    store_ata_word(page, 53, 0x0006);
    store_ata_word(page, 63, 0x0007);
    store_ata_word(page, 64, 0x0003);
    for (const unsigned cycle_time : {65u, 66u, 67u, 68u})
        store_ata_word(page, cycle_time, 120);
    store_ata_word(page, 76, 0x000e);
    store_ata_word(page, 80, 0x01f0);
    store_ata_word(page, 82, 1u << 4 | 1u << 9); // packets, DEVICE RESET
    store_ata_word(page, 83, 1u << 14);
    store_ata_word(page, 84, 1u << 14);
    store_ata_word(page, 85, 1u << 4 | 1u << 9);
    store_ata_word(page, 87, 1u << 14);
    store_ata_word(page, 88, 0x407f);
    store_ata_word(page, 222, 0x103f);
    page[510] = std::byte{0xa5};
    store_ata_checksum(page);
}

std::size_t AtapiDrive::inquiry(const AtaCommand& command,
                                std::span<std::byte> out) const noexcept {
    if ((command.packet[1] & 1) != 0 || command.packet[2] != 0)
        return 0; // no vital product data pages
    Writer writer(out);
    // CD drive, removable, MMC's version and response format, 31 more bytes.
    writer.u8(0x05).u8(0x80).u8(0x05).u8(0x32).u8(31).zeros(3);
    writer.text("coldstar", 8).text("DVD-ROM", 16).text("1.0", 4);
    return writer.size();
}

std::size_t AtapiDrive::sense_data(std::span<std::byte> out) const noexcept {
    Writer writer(out);
    writer.u8(0x70).u8(0).u8(state_.sense.key).zeros(4).u8(10).zeros(4);
    writer.u8(state_.sense.code).u8(state_.sense.qualifier).zeros(4);
    return writer.size();
}

std::size_t AtapiDrive::mode_sense(const AtaCommand& command,
                                   std::span<std::byte> out) const noexcept {
    const bool ten = command.packet[0] == scsi::mode_sense_10;
    const unsigned page = command.packet[2] & 0x3fu;
    const unsigned control = command.packet[2] >> 6u;
    if (control == 3)
        return 0; // no saved values
    const bool recovery = page == scsi::page_recovery || page == scsi::page_all;
    const bool capabilities = page == scsi::page_capabilities || page == scsi::page_all;
    if (!recovery && !capabilities)
        return 0;
    const unsigned medium = has_medium() ? 0x01 : 0x70; // a 120 mm data disc, or none
    Writer writer(out);
    if (ten)
        writer.u16(0).u8(medium).zeros(5);
    else
        writer.u8(0).u8(medium).zeros(2);
    const bool changeable = control == 1; // asks what may be changed: nothing
    if (recovery)
        writer.u8(scsi::page_recovery).u8(6).u8(0).u8(changeable ? 0 : 5).zeros(4);
    if (capabilities) {
        writer.u8(scsi::page_capabilities).u8(18);
        if (changeable) {
            writer.zeros(18);
        } else {
            // Reads CD-R, CD-RW, DVD-ROM; writes nothing; multiple sessions; tray, eject, lock.
            const unsigned locked = state_.removal_prevented ? 2 : 0;
            writer.u8(0x0b).u8(0).u8(0x40).u8(0).u8(0x29 | locked).u8(0);
            writer.u16(5540).u16(0).u16(512).u16(5540).zeros(4); // kB/s, volumes, KiB of buffer
        }
    }
    if (ten)
        writer.patch_u16(0, writer.size() - 2);
    else
        out[0] = static_cast<std::byte>(writer.size() - 1);
    return writer.size();
}

std::size_t AtapiDrive::configuration(const AtaCommand& command,
                                      std::span<std::byte> out) const noexcept {
    const unsigned which = command.packet[1] & 3u; // 0: all, 1: the current, 2: one feature
    const unsigned first = unsigned{command.packet[2]} << 8u | command.packet[3];
    if (which == 3)
        return 0;
    const bool medium = has_medium();
    const bool dvd = medium && blocks() > scsi::blocks_of_a_cd;
    const bool cd = medium && !dvd;
    Writer writer(out);
    writer.u32(0).u16(0).u16(!medium ? 0 : dvd ? scsi::profile_dvd_rom : scsi::profile_cd_rom);
    // A feature: code, version << 2 | persistent << 1 | current, length, data.
    const auto wanted = [&](unsigned code, bool current) {
        return (which == 2 ? code == first : code >= first) && (which != 1 || current);
    };
    if (wanted(0x0000, true)) { // profiles
        writer.u16(0x0000).u8(0x03).u8(8);
        writer.u16(scsi::profile_dvd_rom).u8(dvd ? 1 : 0).u8(0);
        writer.u16(scsi::profile_cd_rom).u8(cd ? 1 : 0).u8(0);
    }
    if (wanted(0x0001, true)) // core, on ATAPI
        writer.u16(0x0001).u8(0x0b).u8(8).u32(2).u8(1).zeros(3);
    if (wanted(0x0002, true)) // morphing: by polling, one change at a time
        writer.u16(0x0002).u8(0x07).u8(4).u8(2).zeros(3);
    if (wanted(0x0003, true)) // removable medium: tray, eject, lock
        writer.u16(0x0003).u8(0x03).u8(4).u8(0x29).zeros(3);
    if (wanted(0x0010, medium)) // random reading
        writer.u16(0x0010).u8(medium ? 1 : 0).u8(8).u32(scsi::block_bytes).u16(1).zeros(2);
    if (wanted(0x001e, cd)) // CD reading
        writer.u16(0x001e).u8(0x08 | (cd ? 1 : 0)).u8(4).zeros(4);
    if (wanted(0x001f, dvd)) // DVD reading
        writer.u16(0x001f).u8(dvd ? 1 : 0).u8(0);
    const std::size_t length = writer.size() - 4;
    writer.patch_u16(2, length);
    return writer.size();
}

std::size_t AtapiDrive::event_status(const AtaCommand& command, std::span<std::byte> out) noexcept {
    if ((command.packet[1] & 1) == 0)
        return 0; // nothing here comes by itself
    constexpr unsigned media_class = 4;
    constexpr unsigned supported = 1u << media_class;
    Writer writer(out);
    if ((command.packet[4] & supported) == 0) {
        writer.u16(2).u8(0x80).u8(supported); // no event of the classes asked for
        return writer.size();
    }
    writer.u16(6).u8(media_class).u8(supported);
    writer.u8(state_.medium_event ? 2 : 0); // a new medium
    writer.u8((has_medium() ? 2u : 0u) | (state_.ejected ? 1u : 0u)).zeros(2);
    state_.medium_event = false;
    return writer.size();
}

std::size_t AtapiDrive::table_of_contents(const AtaCommand& command,
                                          std::span<std::byte> out) const noexcept {
    const bool msf = (command.packet[1] & 2) != 0;
    unsigned format = command.packet[2] & 0xfu;
    if (format == 0)
        format = command.packet[9] >> 6u; // where drives before MMC had it
    const unsigned start = command.packet[6];
    Writer writer(out);
    writer.u16(0).u8(1).u8(1); // first and last track, or session
    const auto track = [&](unsigned number, std::uint64_t block) {
        writer.u8(0).u8(scsi::data_track).u8(number).u8(0);
        put_address(writer, block, msf);
    };
    if (format == 0) {
        if (start > 1 && start != scsi::lead_out_track)
            return 0;
        if (start <= 1)
            track(1, 0);
        track(scsi::lead_out_track, blocks());
    } else if (format == 1) {
        track(1, 0); // the first track of the last session
    } else if (format == 2) {
        // Session, ADR and control, track 0, point, running time, zero, address.
        const auto point = [&](unsigned number, std::uint64_t block, bool is_address) {
            writer.u8(1).u8(scsi::data_track).u8(0).u8(number).zeros(3);
            if (is_address)
                put_address(writer, block, true);
            else
                writer.u8(0).u8(1).zeros(2); // a track's number
        };
        point(0xa0, 0, false);
        point(0xa1, 0, false);
        point(0xa2, blocks(), true);
        point(1, 0, true);
    } else {
        return 0;
    }
    writer.patch_u16(0, writer.size() - 2);
    return writer.size();
}

std::size_t AtapiDrive::disc_information(std::span<std::byte> out) const noexcept {
    Writer writer(out);
    writer.u16(32).u8(0x0e);        // 32 more bytes; the session and the disc are complete
    writer.u8(1).u8(1).u8(1).u8(1); // first track, sessions, tracks of the last one
    writer.u8(0x20).u8(0).zeros(7); // use is unrestricted; a CD-ROM's kind; no identification
    writer.u32(0xffffffff).u32(0xffffffff); // no lead-in, no lead-out to be written
    writer.zeros(10);
    return writer.size();
}

} // namespace coldstart
