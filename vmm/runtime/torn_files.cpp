#include "vmm/runtime/torn_files.h"

#include "vmm/base/byte_size.h"
#include "vmm/base/error.h"
#include "vmm/base/fresh_pages.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>

#include <signal.h>
#include <sys/mman.h>

namespace coldstart {
namespace {

// A signal handler reaches nothing but what is static.
struct WatchedRange {
    std::atomic<std::uintptr_t> start{0};
    std::atomic<std::uintptr_t> end{0};
};
std::array<WatchedRange, 16> watched;
struct sigaction action_before;
std::atomic<bool> a_page_was_replaced{false};

bool is_watched(std::uintptr_t address) noexcept {
    for (const WatchedRange& range : watched) {
        if (address >= range.start && address < range.end)
            return true;
    }
    return false;
}

extern "C" void on_bus_error(int signal_number, siginfo_t* info, void*) {
    const int saved_errno = errno;
    const auto address = reinterpret_cast<std::uintptr_t>(info->si_addr);
    const bool by_access = info->si_code > 0;
    const auto page = reinterpret_cast<std::byte*>(align_down(address, page_size_bytes));
    if (by_access && is_watched(address) && map_fresh_pages(page, page_size_bytes)) {
        a_page_was_replaced = true;
    } else {
        ::sigaction(signal_number, &action_before, nullptr);
        if (!by_access)
            ::raise(signal_number); // an access is tried again and strikes by itself
    }
    errno = saved_errno;
}

void install() {
    struct sigaction now {};
    ::sigaction(SIGBUS, nullptr, &now);
    if ((now.sa_flags & SA_SIGINFO) != 0 && now.sa_sigaction == on_bus_error)
        return;
    action_before = now;
    struct sigaction action {};
    action.sa_sigaction = on_bus_error;
    action.sa_flags = SA_SIGINFO;
    sigemptyset(&action.sa_mask);
    if (::sigaction(SIGBUS, &action, nullptr) != 0)
        throw system_error("SIGBUS", errno);
}

void forget_ranges() noexcept {
    for (WatchedRange& range : watched) {
        range.end = 0;
        range.start = 0;
    }
}

} // namespace

TornFileGuard::~TornFileGuard() {
    forget_ranges();
}

void TornFileGuard::watch(const GuestMemory& memory) {
    forget_ranges();
    a_page_was_replaced = false;
    if (memory.file_ranges().empty())
        return;
    install();
    auto free = watched.begin();
    for (const ByteView& range : memory.file_ranges()) {
        const auto start = reinterpret_cast<std::uintptr_t>(range.data());
        // A kernel with more segments than that: the last place covers all of the rest.
        if (free == watched.end())
            --free;
        const bool fresh = free->end == 0;
        free->start = fresh ? start : std::min(free->start.load(), start);
        free->end = std::max(free->end.load(), start + range.size());
        ++free;
    }
}

bool TornFileGuard::is_torn(const GuestMemory& memory) const noexcept {
    if (a_page_was_replaced)
        return true;
    for (const ByteView& range : memory.file_ranges()) {
        void* const start = const_cast<std::byte*>(range.data());
        if (::madvise(start, range.size(), MADV_POPULATE_READ) != 0 && errno == EFAULT)
            return true;
    }
    return false;
}

} // namespace coldstart
