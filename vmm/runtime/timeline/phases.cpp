#include "vmm/runtime/timeline/phases.h"

#include <algorithm>
#include <optional>
#include <string>

namespace coldstart {
namespace {

using Events = std::vector<TimelineEvent>;
using Place = Events::const_iterator;

Place first_of(Place from, Place end, Milestone what) {
    return std::find_if(from, end, [=](const TimelineEvent& event) { return event.what == what; });
}

Place end_of_first_boot(const Events& events) {
    return first_of(events.begin(), events.end(), Milestone::reset);
}

/// "[    1.234567] text", as printk writes with its time.
bool has_kernel_stamp(std::string_view line) {
    const std::size_t close = line.find(']');
    if (line.empty() || line.front() != '[' || close == std::string_view::npos)
        return false;
    const std::string_view inside = line.substr(1, close - 1);
    return inside.find('.') != std::string_view::npos &&
           inside.find_first_not_of(" 0123456789.TC") == std::string_view::npos;
}

bool is_kernel_banner(std::string_view line) {
    return line.starts_with("Linux version ");
}

bool announces_init(std::string_view line) {
    const std::size_t at = line.find("Run ");
    return at != std::string_view::npos && line.find(" as init process") > at &&
           line.find(" as init process") != std::string_view::npos;
}

/// The first sign of user space after the kernel's entry: the kernel says that it starts it, a line
/// that is no kernel message, or a readiness line. A kernel that stamps nothing hides the second.
std::optional<TimelineEvent> find_init(Place entry, Place end) {
    bool kernel_lines_are_stamped = true;
    for (Place at = entry; at != end; ++at) {
        const auto init = [&at](const char* by) {
            return TimelineEvent{Milestone::init, at->time_ns, 0, by};
        };
        if (at->what == Milestone::ready)
            return init("readiness port");
        if (at->what != Milestone::console_line)
            continue;
        if (announces_init(at->text))
            return init("kernel message");
        if (is_kernel_banner(at->text))
            kernel_lines_are_stamped = false;
        else if (kernel_lines_are_stamped && !has_kernel_stamp(at->text))
            return init("console line");
    }
    return std::nullopt;
}

/// UEFI's virtio drivers give their devices up when ExitBootServices() is called.
std::optional<TimelineEvent> find_handover(Place begin, Place entry) {
    std::optional<TimelineEvent> found;
    for (Place at = begin; at != entry; ++at) {
        if (at->what == Milestone::driver_reset)
            found = TimelineEvent{Milestone::efi_handover, at->time_ns, 0, {}};
    }
    return found;
}

/// After all that happened at the same time.
void insert(Events& events, TimelineEvent event) {
    const auto later = [](std::uint64_t time_ns, const TimelineEvent& other) {
        return time_ns < other.time_ns;
    };
    events.insert(std::upper_bound(events.begin(), events.end(), event.time_ns, later),
                  std::move(event));
}

/// Where firmware has found what it boots and lets it, or a loader of it, run.
Place loader_begins(Place run, Place end, const BootShape& shape) {
    if (shape.kernel_by_fw_cfg) {
        const Place handed = std::find_if(run, end, [](const TimelineEvent& event) {
            return event.what == Milestone::fw_cfg &&
                   (event.text == "kernel" || event.text == "kernel setup");
        });
        if (handed != end)
            return handed;
    }
    const Place sector = first_of(run, end, Milestone::boot_sector);
    return sector != end ? sector : first_of(run, end, Milestone::first_disk_read);
}

/// Phases as they begin, each ending the one before.
class PhaseList {
  public:
    explicit PhaseList(std::uint64_t start_ns) : from_ns_(start_ns) {}

    /// One that would begin before its predecessor did is left out.
    void begin(std::string_view name, std::string_view title, std::uint64_t start_ns) {
        if (!phases_.empty() && start_ns < phases_.back().start_ns)
            return;
        start_ns = std::max(start_ns, from_ns_);
        if (!phases_.empty())
            phases_.back().end_ns = start_ns;
        phases_.push_back({name, title, start_ns, start_ns});
    }
    std::vector<TimelinePhase> end(std::uint64_t end_ns) {
        if (!phases_.empty())
            phases_.back().end_ns = std::max(end_ns, phases_.back().start_ns);
        std::erase_if(phases_,
                      [](const TimelinePhase& phase) { return phase.start_ns == phase.end_ns; });
        return std::move(phases_);
    }

  private:
    std::uint64_t from_ns_;
    std::vector<TimelinePhase> phases_;
};

} // namespace

Events with_derived_marks(Events events, const BootShape& shape) {
    if (!shape.firmware) {
        const Place run = first_of(events.begin(), end_of_first_boot(events), Milestone::first_run);
        if (run != end_of_first_boot(events))
            insert(events, {Milestone::kernel_entry, run->time_ns, 0, {}});
    }
    const Place end = end_of_first_boot(events);
    const Place entry = first_of(events.begin(), end, Milestone::kernel_entry);
    if (entry == end)
        return events;
    const auto handover = shape.uefi ? find_handover(events.begin(), entry) : std::nullopt;
    auto init = find_init(entry, end);
    if (handover)
        insert(events, *handover);
    if (init)
        insert(events, *std::move(init));
    return events;
}

std::vector<TimelinePhase> timeline_phases(const Events& events, const BootShape& shape,
                                           std::uint64_t start_ns, std::uint64_t end_ns) {
    PhaseList phases(start_ns);
    const Place begin = events.begin(), end = end_of_first_boot(events);
    const auto begins = [&](std::string_view name, std::string_view title, Place at) {
        if (at != end)
            phases.begin(name, title, at->time_ns);
    };
    phases.begin("setup", "coldstart sets the machine up", start_ns);
    begins("load", "memory is filled, vCPUs are made",
           first_of(begin, end, Milestone::devices_ready));
    const Place run = first_of(begin, end, Milestone::first_run);
    if (shape.firmware) {
        const Place entry = first_of(begin, end, Milestone::kernel_entry);
        const Place loader = loader_begins(run, entry, shape);
        begins("firmware", "firmware", run);
        if (loader != entry)
            begins("bootloader", "boot loader", loader);
    }
    begins("kernel", "kernel", first_of(begin, end, Milestone::kernel_entry));
    const Place init = first_of(begin, end, Milestone::init);
    begins("init", "user space starts", init);
    if (init != end)
        begins("run", "the guest has said that it is ready",
               first_of(std::next(init), end, Milestone::ready));
    if (end != events.end())
        phases.begin("after_reset", "after a reset", end->time_ns);
    return phases.end(end_ns);
}

} // namespace coldstart
