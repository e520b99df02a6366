// Programming and erasing: how the contents of CfiFlash and of its store change.
#include "devices/flash/cfi_flash.h"
#include "vmm/base/text.h"

#include <algorithm>
#include <cstring>
#include <system_error>

namespace coldstart {

using namespace flash;

bool CfiFlash::is_locked(std::uint64_t block) const noexcept {
    return store_->read_only() || state_.locked[block] != 0;
}

// The error bits; 0 when it went well. A datum may lie across two blocks.
std::uint8_t CfiFlash::program(std::uint64_t offset, ByteView bytes) noexcept {
    std::uint8_t errors = 0;
    while (!bytes.empty()) {
        const std::size_t part = std::min(bytes.size(), block_bytes - offset % block_bytes);
        errors = static_cast<std::uint8_t>(errors | program_in_block(offset, bytes.first(part)));
        bytes = bytes.subspan(part);
        offset += part;
    }
    return errors;
}

std::uint8_t CfiFlash::program_in_block(std::uint64_t offset, ByteView bytes) noexcept {
    const std::uint64_t block = offset / block_bytes;
    if (is_locked(block))
        return status_program_error | status_block_locked;
    const std::span<std::byte> before = contents().subspan(offset, bytes.size());
    std::array<std::byte, block_bytes> after;
    std::size_t first = bytes.size(), end = 0; // of the bytes that change
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        after[i] = before[i] & bytes[i];
        if (after[i] != before[i]) {
            first = std::min(first, i);
            end = i + 1;
        }
    }
    if (first >= end)
        return 0;
    std::array<std::byte, block_bytes> whole;
    std::memcpy(whole.data(), block_contents(block).data(), block_bytes);
    std::memcpy(whole.data() + offset % block_bytes, after.data(), bytes.size());
    if (!store_block(block, whole, offset % block_bytes + first, end - first))
        return status_program_error;
    return 0;
}

std::uint8_t CfiFlash::erase(std::uint64_t offset) noexcept {
    const std::uint64_t block = offset / block_bytes;
    if (is_locked(block))
        return status_erase_error | status_block_locked;
    std::array<std::byte, block_bytes> erased;
    erased.fill(std::byte{0xff});
    if (std::memcmp(erased.data(), block_contents(block).data(), block_bytes) == 0)
        return 0;
    return store_block(block, erased, 0, block_bytes) ? 0 : std::uint8_t{status_erase_error};
}

// Gives the block its new contents, in which only [first, first + size) differs, in the store and
// then here; in neither when the store refuses. After a refusal nobody knows what the store holds
// of the block: the next write of it is of all of it.
bool CfiFlash::store_block(std::uint64_t block, std::span<const std::byte> contents,
                           std::size_t first, std::size_t size) noexcept {
    if (stale_[block]) {
        first = 0;
        size = block_bytes;
    }
    const int error = store_->write(block * block_bytes + first, contents.subspan(first, size));
    unflushed_ = true;
    stale_[block] = error != 0;
    if (error == 0) {
        std::memcpy(block_contents(block).data(), contents.data(), block_bytes);
        return true;
    }
    if (log_limiter_.allow())
        log_error(cat("flash file ", store_->name(), ": a write of ", size, " bytes at ",
                      hex(block * block_bytes + first),
                      " failed: ", std::generic_category().message(error)));
    return false;
}

// A write that failed half way may have left a block of the store in pieces.
void CfiFlash::store_again() noexcept {
    for (std::uint64_t block = 0; block < stale_.size(); ++block) {
        if (stale_[block])
            stale_[block] = store_->write(block * block_bytes, block_contents(block)) != 0;
    }
}

} // namespace coldstart
