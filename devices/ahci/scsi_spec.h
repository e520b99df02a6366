// Packet commands of a CD-ROM drive, their sense data and pages.
// Sources: SCSI Primary Commands 3 (SPC-3), SCSI Multimedia Commands 5 (MMC-5). Numbers in their
// answers are big-endian.
#pragma once

#include <cstdint>

namespace coldstart::scsi {

enum Operation : std::uint8_t {
    test_unit_ready = 0x00,
    request_sense = 0x03,
    inquiry = 0x12,
    mode_sense_6 = 0x1a,
    start_stop_unit = 0x1b,
    prevent_removal = 0x1e,
    read_capacity = 0x25,
    read_10 = 0x28,
    seek_10 = 0x2b,
    read_toc = 0x43,
    get_configuration = 0x46,
    get_event_status = 0x4a,
    read_disc_information = 0x51,
    mode_sense_10 = 0x5a,
    read_12 = 0xa8,
    mechanism_status = 0xbd,
};

/// Sense key, additional code and qualifier: SPC-3, 4.5.6.
struct Sense {
    std::uint8_t key = 0;
    std::uint8_t code = 0;
    std::uint8_t qualifier = 0;
};
inline constexpr Sense sense_none{};
inline constexpr Sense sense_no_medium{2, 0x3a, 0};
inline constexpr Sense sense_read_error{3, 0x11, 0};
inline constexpr Sense sense_bad_operation{5, 0x20, 0};
inline constexpr Sense sense_out_of_range{5, 0x21, 0};
inline constexpr Sense sense_bad_field{5, 0x24, 0};
inline constexpr Sense sense_removal_prevented{5, 0x53, 2};
inline constexpr Sense sense_medium_changed{6, 0x28, 0};
inline constexpr unsigned sense_keys = 16;

inline constexpr std::uint64_t block_bytes = 2048;
inline constexpr std::uint64_t blocks_of_a_cd = 80 * 60 * 75; // more is a DVD
inline constexpr unsigned lead_in_frames = 150;               // where minute 0, second 2 is
inline constexpr std::uint8_t data_track = 0x14;              // ADR 1, data, no copying allowed
inline constexpr std::uint8_t lead_out_track = 0xaa;

inline constexpr std::uint16_t profile_cd_rom = 0x0008;
inline constexpr std::uint16_t profile_dvd_rom = 0x0010;

inline constexpr std::uint8_t page_recovery = 0x01;
inline constexpr std::uint8_t page_capabilities = 0x2a;
inline constexpr std::uint8_t page_all = 0x3f;

} // namespace coldstart::scsi
