#include "vmm/runtime/timeline/recorder.h"

#include "vmm/base/error.h"
#include "vmm/base/monotonic.h"

#include <algorithm>
#include <cerrno>

#include <sys/mman.h>

namespace coldstart {
namespace {

struct Kind {
    std::string_view name, text_member = {}, number_member = {};
    std::size_t share = 0; ///< of the room: one n-th; 0: all of it
};

constexpr Kind kinds[] = {
    {"process_start"},
    {"configured"},
    {"memory_ready"},
    {"kvm_ready"},
    {"devices_ready"},
    {"loaded", "boot"},
    {"vcpus_ready"},
    {"first_run"},
    {"fw_cfg", "item", "key", 16},
    {"pci_scan_begin", {}, {}, 64},
    {"pci_scan_end", {}, "accesses", 64},
    {"boot_sector"},
    {"kernel_entry"},
    {"first_disk_read", "device"},
    {"driver_ok", "device", {}, 32},
    {"driver_reset", "device", {}, 32},
    {"post_code", {}, "code", 8},
    {"debug_line", "text", {}, 8},
    {"console_byte", "device"},
    {"console_line", "text", {}, 4},
    {"ready", "text", {}, 16},
    {"reset", "text", {}, 16},
    {"power_button", {}, {}, 64},
    {"paused", {}, {}, 64},
    {"resumed", {}, {}, 64},
    {"panic", "text", {}, 64},
    {"efi_handover"},
    {"init", "by"},
};
static_assert(std::size(kinds) == milestone_kinds);

constexpr const Kind& kind_of(Milestone what) noexcept {
    return kinds[static_cast<std::size_t>(what)];
}

} // namespace

std::string_view milestone_name(Milestone what) noexcept {
    return kind_of(what).name;
}

std::string_view milestone_text_member(Milestone what) noexcept {
    return kind_of(what).text_member;
}

std::string_view milestone_number_member(Milestone what) noexcept {
    return kind_of(what).number_member;
}

TimelineRecorder::TimelineRecorder(std::uint64_t start_ns, Extent extent)
    : start_ns_(start_ns), extent_(extent),
      capacity_(extent == Extent::everything ? full_records : few_records),
      records_(
          static_cast<Record*>(::mmap(nullptr, capacity_ * sizeof(Record), PROT_READ | PROT_WRITE,
                                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0))) {
    if (records_ == MAP_FAILED)
        throw system_error("memory of the timeline", errno);
    record(Milestone::process_start, start_ns);
}

TimelineRecorder::~TimelineRecorder() {
    ::munmap(records_, capacity_ * sizeof(Record));
}

void TimelineRecorder::reached(Milestone what, std::string_view text,
                               std::uint32_t number) noexcept {
    record(what, monotonic_ns(), text, number);
}

bool TimelineRecorder::within_share(Milestone what) noexcept {
    const std::size_t share = kind_of(what).share;
    return share == 0 || counts_[static_cast<std::size_t>(what)].fetch_add(
                             1, std::memory_order_relaxed) < capacity_ / share;
}

void TimelineRecorder::record(Milestone what, std::uint64_t time_ns, std::string_view text,
                              std::uint32_t number) noexcept {
    const std::size_t slot =
        within_share(what) ? next_.fetch_add(1, std::memory_order_relaxed) : capacity_;
    if (slot >= capacity_) {
        dropped_.fetch_add(1, std::memory_order_relaxed);
        return;
    }
    Record& record = records_[slot];
    record.time_ns = time_ns;
    record.number = number;
    record.what = what;
    record.text_bytes = static_cast<std::uint8_t>(std::min(text.size(), max_text_bytes));
    std::copy_n(text.begin(), record.text_bytes, record.text.begin());
    record.whole.store(true, std::memory_order_release);
}

std::vector<TimelineEvent> TimelineRecorder::snapshot() const {
    std::vector<TimelineEvent> events;
    const std::size_t used = std::min(next_.load(std::memory_order_acquire), capacity_);
    events.reserve(used);
    for (std::size_t slot = 0; slot < used; ++slot) {
        const Record& record = records_[slot];
        if (!record.whole.load(std::memory_order_acquire))
            continue;
        events.push_back({record.what, record.time_ns, record.number,
                          std::string(record.text.data(), record.text_bytes)});
    }
    std::stable_sort(
        events.begin(), events.end(),
        [](const TimelineEvent& a, const TimelineEvent& b) { return a.time_ns < b.time_ns; });
    return events;
}

} // namespace coldstart
