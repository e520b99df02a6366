#include "devices/ahci/guest_buffer.h"

#include "devices/ahci/spec.h"

#include <algorithm>
#include <array>

namespace coldstart {

bool GuestBuffer::entry(std::uint32_t index, Entry& out) noexcept {
    const auto prd = memory_->load<ahci::Prd>(list_ + std::uint64_t{index} * sizeof(ahci::Prd));
    if (!prd) {
        faulted_ = true;
        return false;
    }
    out.address = Gpa(prd->address & ~std::uint64_t{1});
    // Bit 0 of the count is one by definition: every piece has an even length.
    out.size_bytes = ((prd->count & ahci::prd_count) | 1) + std::uint64_t{1};
    out.interrupt = (prd->count & ahci::prd_interrupt) != 0;
    return true;
}

bool GuestBuffer::has_room(std::uint64_t bytes) noexcept {
    std::uint64_t used = offset_;
    for (std::uint32_t i = index_; i < entries_ && bytes != 0; ++i) {
        Entry current;
        if (!entry(i, current))
            return false;
        const std::uint64_t room = current.size_bytes - std::min(used, current.size_bytes);
        bytes -= std::min(bytes, room);
        used = 0;
    }
    return bytes == 0;
}

std::uint64_t GuestBuffer::take(std::span<iovec> pieces, std::size_t& count,
                                std::uint64_t limit_bytes, std::uint64_t granule_bytes) noexcept {
    count = 0;
    std::uint64_t total = 0;
    std::uint64_t used = offset_;
    for (std::uint32_t i = index_; i < entries_ && total < limit_bytes; ++i) {
        Entry current;
        if (!entry(i, current))
            return 0;
        if (used >= current.size_bytes) { // the guest has shortened it meanwhile
            used = 0;
            continue;
        }
        const std::uint64_t size = std::min(current.size_bytes - used, limit_bytes - total);
        const std::span<std::byte> host = memory_->range(current.address + used, size);
        if (host.empty()) {
            faulted_ = true;
            return 0;
        }
        const bool joins = count != 0 && static_cast<std::byte*>(pieces[count - 1].iov_base) +
                                                 pieces[count - 1].iov_len ==
                                             host.data();
        if (!joins && count == pieces.size())
            break;
        if (joins)
            pieces[count - 1].iov_len += host.size();
        else
            pieces[count++] = {host.data(), host.size()};
        total += size;
        used = 0;
    }
    std::uint64_t excess = total % granule_bytes;
    total -= excess;
    while (excess != 0) {
        const std::size_t cut = std::min<std::uint64_t>(excess, pieces[count - 1].iov_len);
        pieces[count - 1].iov_len -= cut;
        excess -= cut;
        if (pieces[count - 1].iov_len == 0)
            --count;
    }
    advance(total);
    return total;
}

void GuestBuffer::advance(std::uint64_t bytes) noexcept {
    while (bytes != 0 && index_ < entries_) {
        Entry current;
        if (!entry(index_, current))
            return;
        const std::uint64_t left = current.size_bytes - std::min(offset_, current.size_bytes);
        const std::uint64_t step = std::min(left, bytes);
        bytes -= step;
        offset_ += step;
        if (step == left) {
            wants_interrupt_ = wants_interrupt_ || current.interrupt;
            ++index_;
            offset_ = 0;
        }
    }
}

std::size_t GuestBuffer::copy_out(ByteView data) noexcept {
    std::array<iovec, 16> pieces;
    std::size_t count = 0;
    std::size_t done = 0;
    while (done < data.size() && take(pieces, count, data.size() - done, 1) != 0) {
        for (const iovec& piece : std::span(pieces).first(count)) {
            std::memcpy(piece.iov_base, data.data() + done, piece.iov_len);
            done += piece.iov_len;
        }
    }
    return done;
}

std::size_t GuestBuffer::copy_in(std::span<std::byte> data) noexcept {
    std::array<iovec, 16> pieces;
    std::size_t count = 0;
    std::size_t done = 0;
    while (done < data.size() && take(pieces, count, data.size() - done, 1) != 0) {
        for (const iovec& piece : std::span(pieces).first(count)) {
            std::memcpy(data.data() + done, piece.iov_base, piece.iov_len);
            done += piece.iov_len;
        }
    }
    return done;
}

} // namespace coldstart
