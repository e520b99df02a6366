// Pages on their way back to the host: inflated, hinted and reported ones.
// Source: virtio 1.2, sections 5.5.6, 5.5.6.5 and 5.5.6.7.
#include "virtio/balloon/virtio_balloon.h"
#include "vmm/base/text.h"

#include <algorithm>

namespace coldstart {
namespace {

constexpr std::uint64_t max_pages_a_chain = 16384;

/// Of huge pages most of what a guest gives is too small to go back: nothing to complain about.
bool has_huge_pages(const GuestMemory& memory) noexcept {
    return std::any_of(memory.regions().begin(), memory.regions().end(), [](const auto& region) {
        return region.on_release == PageRelease::discard_2m;
    });
}

} // namespace

void VirtioBalloon::inflate(const DescriptorChain& chain) noexcept {
    const std::uint64_t told =
        std::min(chain.readable_bytes / sizeof(balloon::PageNumber), max_pages_a_chain);
    const auto bytes = std::as_writable_bytes(std::span(block_));
    for (std::uint64_t done = 0; done < told;) {
        const std::size_t pages = std::min<std::uint64_t>(told - done, block_.size());
        copy_from_segments(chain.readable, done * sizeof(balloon::PageNumber),
                           bytes.first(pages * sizeof(balloon::PageNumber)));
        release_block(pages);
        done += pages;
    }
}

/// Neighbours in one call, whatever order they come in: Linux goes downwards.
void VirtioBalloon::release_block(std::size_t pages) noexcept {
    const auto end = block_.begin() + static_cast<std::ptrdiff_t>(pages);
    std::sort(block_.begin(), end);
    for (auto first = block_.begin(); first != end;) {
        auto last = first;
        while (last + 1 != end && *(last + 1) - *last <= 1)
            ++last;
        const std::uint64_t start = std::uint64_t{*first} << balloon::page_shift;
        const std::uint64_t size_bytes = (std::uint64_t{*last} - *first + 1) << balloon::page_shift;
        if (active_->memory.release(Gpa(start), size_bytes) != size_bytes &&
            !has_huge_pages(active_->memory) && complaints_.allow())
            log_warn(cat("virtio-balloon: pages that can't be given back, at ", hex(start), ", ",
                         size_bytes, " bytes; they are left alone"));
        first = last + 1;
    }
}

void VirtioBalloon::release_segments(std::span<const iovec> segments, Releases& counts) noexcept {
    for (const iovec& segment : segments) {
        const std::uint64_t released = active_->memory.release(
            ByteView(static_cast<const std::byte*>(segment.iov_base), segment.iov_len));
        counts.ranges.add();
        counts.bytes.add(released);
        if (released != segment.iov_len)
            counts.fails.add();
    }
}

/// A command or pages of the run that the last command began, in the order in which they came.
void VirtioBalloon::take_hints(const DescriptorChain& chain) noexcept {
    std::array<std::byte, sizeof(std::uint32_t)> command{};
    if (copy_from_segments(chain.readable, 0, command) == command.size()) {
        driver_.guest_command = load_le<std::uint32_t>(command);
        driver_.guest_commanded = true;
        if (driver_.guest_command == balloon::hint_stop ||
            driver_.guest_command == balloon::hint_done)
            end_run_of_guest();
        else
            driver_.guest_run = driver_.guest_command;
    }
    // Pages of a run that is over may be in use again.
    if (driver_.host_command >= balloon::hint_first_run &&
        driver_.guest_run == driver_.host_command)
        release_segments(chain.writable, hinted_);
}

void VirtioBalloon::end_run_of_guest() noexcept {
    // The end of an older run says nothing of the newest.
    const bool newest = driver_.guest_run == driver_.host_command &&
                        driver_.host_command >= balloon::hint_first_run;
    driver_.guest_run = balloon::hint_stop;
    if (newest && driver_.acknowledge_on_stop)
        command_driver(balloon::hint_done);
}

} // namespace coldstart
