#include "devices/flash/query_table.h"

#include "devices/flash/spec.h"

#include <bit>

namespace coldstart::flash {

std::array<std::uint8_t, query_bytes> make_query_table(std::uint64_t size_bytes) noexcept {
    std::array<std::uint8_t, query_bytes> table{};
    table[0x10] = 'Q';
    table[0x11] = 'R';
    table[0x12] = 'Y';
    table[0x13] = 0x01; // primary command set 0001h: Intel, extended
    table[0x15] = 0x31; // where its table begins
    table[0x1b] = 0x27; // 2.7 V to 3.6 V, no programming voltage
    table[0x1c] = 0x36;
    table[0x1f] = 0x07; // typical times as powers of two: 128 us a byte
    table[0x20] = 0x07; // 128 us a buffer
    table[0x21] = 0x0a; // 1 s a block
    table[0x23] = 0x04; // the longest, as factors of those: 16
    table[0x24] = 0x04;
    table[0x25] = 0x04;
    // A power of two here; of another size (OVMF's are) the block count below is exact.
    table[0x27] = static_cast<std::uint8_t>(std::bit_width(size_bytes - 1));
    table[0x28] = 0x00; // x8 only
    table[0x2a] = static_cast<std::uint8_t>(std::bit_width(buffer_bytes - 1));
    table[0x2c] = 1; // one region of equal blocks
    const auto last_block = static_cast<std::uint16_t>(size_bytes / block_bytes - 1);
    table[0x2d] = static_cast<std::uint8_t>(last_block & 0xff);
    table[0x2e] = static_cast<std::uint8_t>(last_block >> 8);
    table[0x2f] = block_bytes / 256 & 0xff;
    table[0x30] = block_bytes / 256 >> 8;
    table[0x31] = 'P';
    table[0x32] = 'R';
    table[0x33] = 'I';
    table[0x34] = '1';
    table[0x35] = '1';
    table[0x36] = 0x20; // instant individual block locking; no suspend
    table[0x3b] = 0x01; // the lock bit is in the block status
    table[0x3d] = 0x30; // best at 3.0 V
    return table;
}

} // namespace coldstart::flash
