// ATA task file, commands and features. Source: ATA/ATAPI Command Set 2 (ACS-2), sections 6 and 7;
// queued commands as Serial ATA 3.0, section 13.6.
#pragma once

#include <cstdint>

namespace coldstart::ata {

// Status, 6.2.
inline constexpr std::uint8_t status_error = 1u << 0; // CHK for packet commands
inline constexpr std::uint8_t status_data = 1u << 3;  // DRQ
inline constexpr std::uint8_t status_seek = 1u << 4;  // DSC, which old drivers wait for
inline constexpr std::uint8_t status_ready = 1u << 6;
inline constexpr std::uint8_t status_busy = 1u << 7;
inline constexpr std::uint8_t status_good = status_ready | status_seek;

// Error, 6.3.
inline constexpr std::uint8_t error_abort = 1u << 2;
inline constexpr std::uint8_t error_not_found = 1u << 4;
inline constexpr std::uint8_t error_uncorrectable = 1u << 6;
inline constexpr std::uint8_t diagnostic_passed = 1; // after a reset

inline constexpr std::uint8_t device_lba = 1u << 6;
inline constexpr std::uint8_t device_fua = 1u << 7; // of a queued write

enum Command : std::uint8_t {
    nop = 0x00,
    data_set_management = 0x06,
    device_reset = 0x08,
    read_sectors = 0x20,
    read_sectors_ext = 0x24,
    read_dma_ext = 0x25,
    read_native_max_ext = 0x27,
    read_multiple_ext = 0x29,
    read_log_ext = 0x2f,
    write_sectors = 0x30,
    write_sectors_ext = 0x34,
    write_dma_ext = 0x35,
    write_multiple_ext = 0x39,
    write_dma_fua_ext = 0x3d,
    verify = 0x40,
    verify_ext = 0x42,
    read_log_dma_ext = 0x47,
    read_queued = 0x60,
    write_queued = 0x61,
    execute_diagnostic = 0x90,
    packet = 0xa0,
    identify_packet_device = 0xa1,
    read_multiple = 0xc4,
    write_multiple = 0xc5,
    set_multiple_mode = 0xc6,
    read_dma = 0xc8,
    write_dma = 0xca,
    write_multiple_fua_ext = 0xce,
    standby_immediate = 0xe0,
    idle_immediate = 0xe1,
    standby = 0xe2,
    idle = 0xe3,
    check_power_mode = 0xe5,
    sleep = 0xe6,
    flush_cache = 0xe7,
    flush_cache_ext = 0xea,
    identify_device = 0xec,
    set_features = 0xef,
    read_native_max = 0xf8,
};

// SET FEATURES, 7.45, in the features field.
inline constexpr std::uint8_t feature_write_cache_on = 0x02;
inline constexpr std::uint8_t feature_transfer_mode = 0x03;
inline constexpr std::uint8_t feature_look_ahead_off = 0x55;
inline constexpr std::uint8_t feature_keep_settings = 0x66;
inline constexpr std::uint8_t feature_write_cache_off = 0x82;
inline constexpr std::uint8_t feature_look_ahead_on = 0xaa;
inline constexpr std::uint8_t feature_drop_settings = 0xcc;
inline constexpr std::uint8_t mode_pio = 0x00;       // 0x00, 0x01, then 0x08 to 0x0c
inline constexpr std::uint8_t mode_multiword = 0x20; // to 0x22
inline constexpr std::uint8_t mode_ultra = 0x40;     // to 0x46

/// Of the count field of a queued command.
constexpr std::uint8_t queue_tag(std::uint16_t count) noexcept {
    return static_cast<std::uint8_t>(count >> 3 & 0x1f);
}

inline constexpr std::uint16_t trim = 1;             // DATA SET MANAGEMENT, features bit 0
inline constexpr std::uint8_t active_or_idle = 0xff; // CHECK POWER MODE, count

inline constexpr std::uint8_t log_directory = 0x00;
inline constexpr std::uint8_t log_queued_error = 0x10;

inline constexpr std::uint32_t page_bytes = 512; // identify data, logs, trim ranges
inline constexpr std::uint32_t max_multiple = 16;
inline constexpr std::uint32_t max_trim_pages = 8;
inline constexpr std::uint64_t lba28_sectors = 0x0fffffff;
inline constexpr std::uint64_t lba_mask = 0xffffffffffff;

} // namespace coldstart::ata
