// IDENTIFY DEVICE data. Source: ACS-2, section 7.12.
#include "devices/ahci/ata_disk.h"

#include <algorithm>
#include <bit>
#include <numeric>

namespace coldstart {
namespace {

using namespace ata;

constexpr std::uint16_t word_valid = 1u << 14; // of words that say so themselves

// Words 82 to 87: command sets.
constexpr std::uint16_t set82_power = 1u << 3;
constexpr std::uint16_t set82_write_cache = 1u << 5;
constexpr std::uint16_t set82_look_ahead = 1u << 6;
constexpr std::uint16_t set83_lba48 = 1u << 10;
constexpr std::uint16_t set83_flush = 1u << 12 | 1u << 13;
constexpr std::uint16_t set84_logs = 1u << 5;
constexpr std::uint16_t set84_fua = 1u << 6;

std::uint16_t modes(unsigned highest, std::uint8_t selected) noexcept {
    const unsigned supported = (1u << (highest + 1)) - 1;
    return static_cast<std::uint16_t>(supported | (selected <= highest ? 0x100u << selected : 0));
}

} // namespace

void store_ata_word(std::span<std::byte> page, unsigned word, std::uint64_t value) noexcept {
    store_le(page, std::size_t{word} * 2, static_cast<std::uint16_t>(value));
}

void store_ata_text(std::span<std::byte> page, unsigned first_word, unsigned words,
                    std::string_view text) noexcept {
    for (std::size_t i = 0; i < std::size_t{words} * 2; ++i)
        page[std::size_t{first_word} * 2 + (i ^ 1)] =
            static_cast<std::byte>(i < text.size() ? text[i] : ' ');
}

void store_ata_checksum(std::span<std::byte> page) noexcept {
    const auto sum =
        std::accumulate(page.begin(), page.end() - 1, 0u, [](unsigned all, std::byte byte) {
            return all + std::to_integer<unsigned>(byte);
        });
    page.back() = static_cast<std::byte>(0x100 - (sum & 0xff));
}

void AtaDisk::identify(std::span<std::byte> page) const noexcept {
    std::ranges::fill(page, std::byte{0});
    const auto word = [&](unsigned index, std::uint64_t value) {
        store_ata_word(page, index, value);
    };
    // Cylinders and heads mean nothing to this disk, but boot firmware looks at them.
    const std::uint64_t cylinders = std::clamp<std::uint64_t>(sectors_ / (16 * 63), 2, 16383);
    word(0, 0x0040);
    word(1, cylinders);
    word(3, 16);
    word(6, 63);
    store_ata_text(page, 10, 10, serial_);
    store_ata_text(page, 23, 4, "1.0");
    store_ata_text(page, 27, 20, "coldstart disk");
    word(47, 0x8000 | max_multiple);
    word(49, 0x2f00); // standby timer, IORDY, LBA, DMA
    word(50, word_valid);
    word(53, 0x0006); // words 64 to 70 and 88 mean something
    word(59, settings_.multiple != 0 ? 0x0100u | settings_.multiple : 0u);
    const std::uint64_t short_sectors = std::min(sectors_, lba28_sectors);
    word(60, short_sectors);
    word(61, short_sectors >> 16);
    word(63, modes(2, settings_.multiword_mode));
    word(64, 0x0003); // PIO 3 and 4
    for (const unsigned cycle_time : {65u, 66u, 67u, 68u})
        word(cycle_time, 120);
    word(75, 31);     // queue depth minus one
    word(76, 0x010e); // 1.5, 3 and 6 Gb/s, queuing
    word(80, 0x03f0); // ATA/ATAPI-4 to ACS-2

    const unsigned cache = image_->read_only() ? 0 : set82_write_cache;
    const unsigned cache_on = settings_.write_cache ? cache : 0;
    const unsigned look_ahead_on = settings_.look_ahead ? set82_look_ahead : 0;
    const unsigned extended = set83_lba48 | set83_flush;
    const unsigned more = set84_logs | (image_->read_only() ? 0 : set84_fua);
    word(82, set82_power | set82_look_ahead | cache);
    word(83, word_valid | extended);
    word(84, word_valid | more);
    word(85, set82_power | look_ahead_on | cache_on);
    word(86, extended);
    word(87, word_valid | more);
    word(88, modes(6, settings_.ultra_mode));
    for (unsigned i = 0; i < 4; ++i)
        word(100 + i, sectors_ >> (16 * i));

    const DiskGeometry geometry = image_->geometry();
    const unsigned sectors_a_block = geometry.physical_block_bytes / geometry.block_bytes;
    unsigned sizes = word_valid | static_cast<unsigned>(std::countr_zero(sectors_a_block));
    sizes |= sectors_a_block > 1 ? 1u << 13 : 0;
    if (sector_bytes_ != 512) {
        sizes |= 1u << 12;
        word(117, sector_bytes_ / 2);
        word(118, sector_bytes_ / 2 >> 16);
    }
    word(106, sizes);
    word(119, word_valid);
    word(120, word_valid);
    if (!image_->read_only()) {
        word(105, max_trim_pages);
        word(169, ata::trim);
    }
    word(209, word_valid);
    word(217, 1);      // does not rotate
    word(222, 0x103f); // a serial transport, up to SATA 2.6
    page[510] = std::byte{0xa5};
    store_ata_checksum(page);
}

} // namespace coldstart
