#include "vmm/runtime/events/event_hub.h"

#include "api/json/json_reader.h"
#include "vmm/base/error.h"
#include "vmm/base/monotonic.h"
#include "vmm/runtime/timeline/timeline_json.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include <poll.h>
#include <sys/eventfd.h>

namespace coldstart {
namespace {

constexpr std::string_view names[] = {"created", "started",      "post_code", "ready",
                                      "reset",   "power_button", "paused",    "resumed",
                                      "panic",   "exited",       "lost"};

/// What the guest says may be any bytes.
std::string dump(const Json& line) {
    return line.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string lost_line(std::uint64_t count) {
    return Json{{"event", "lost"}, {"count", count}}.dump();
}

/// The events that are milestones, too.
constexpr std::pair<EventKind, Milestone> as_milestones[] = {
    {EventKind::post_code, Milestone::post_code},
    {EventKind::ready, Milestone::ready},
    {EventKind::reset, Milestone::reset},
    {EventKind::power_button, Milestone::power_button},
    {EventKind::paused, Milestone::paused},
    {EventKind::resumed, Milestone::resumed},
    {EventKind::panic, Milestone::panic},
};

/// Whether it is to be seen only among the milestones. What the guest says on its consoles has
/// a request of its own.
bool is_no_event(Milestone what) noexcept {
    return what != Milestone::console_line && what != Milestone::debug_line &&
           std::ranges::none_of(as_milestones, [what](auto& pair) { return pair.second == what; });
}

} // namespace

std::string_view event_name(EventKind kind) noexcept {
    return names[static_cast<std::size_t>(kind)];
}

class EventHub::Handle final : public Subscription {
  public:
    Handle(EventHub& hub, std::list<Reader>::iterator reader) : hub_(hub), reader_(reader) {}
    ~Handle() override {
        const std::lock_guard guard(hub_.mutex_);
        hub_.readers_.erase(reader_);
    }
    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;

  private:
    EventHub& hub_;
    std::list<Reader>::iterator reader_;
};

EventHub::EventHub(Reactor& reactor, std::uint64_t start_ns, PostCodeSink* next,
                   TimelineRecorder* recorder)
    : start_ns_(start_ns), next_(next), recorder_(recorder),
      wake_fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!wake_fd_)
        throw system_error("eventfd", errno);
    watch_ = reactor.watch(wake_fd_.get(), POLLIN, [this](std::uint32_t) { turn(); });
}

EventHub::~EventHub() {
    watch_.reset();
    flush();
}

void EventHub::wake() noexcept {
    if (awake_.exchange(true))
        return;
    const std::uint64_t one = 1;
    // It can't fail: the counter is far from its end.
    [[maybe_unused]] const auto written = ::write(wake_fd_.get(), &one, sizeof one);
}

void EventHub::record(const MachineEvent& event, std::uint64_t time_ns) noexcept {
    for (const auto& [kind, milestone] : as_milestones) {
        if (kind == event.kind && recorder_ != nullptr && recorder_->wants_everything())
            recorder_->record(milestone, time_ns, event.text,
                              static_cast<std::uint32_t>(event.number));
    }
}

void EventHub::happened(const MachineEvent& event) noexcept {
    const std::uint64_t now_ns = monotonic_ns();
    record(event, now_ns);
    std::size_t waiting = 0;
    try {
        const std::lock_guard guard(inbox_mutex_);
        inbox_.push_back({now_ns, event});
        waiting = inbox_.size();
    } catch (const std::bad_alloc&) {
        return; // an event is lost before the machine is
    }
    wake_if_wanted(waiting, inbox_room);
}

void EventHub::post_code(std::uint8_t code, std::uint64_t time_ns) noexcept {
    if (next_ != nullptr)
        next_->post_code(code, time_ns);
    const std::uint64_t slot = codes_written_.fetch_add(1, std::memory_order_relaxed);
    const std::uint64_t now_ns = monotonic_ns();
    // The 1 above the code makes the word differ from an empty slot.
    codes_[slot % post_code_ring].store(ticks(now_ns) << 9 | 0x100 | code,
                                        std::memory_order_release);
    record({EventKind::post_code, code}, now_ns);
    wake_if_wanted(slot + 1 - codes_read_.load(std::memory_order_relaxed), post_code_ring);
}

void EventHub::guest_ready(std::string_view line) noexcept {
    const std::uint64_t now_ns = monotonic_ns();
    if (recorder_ != nullptr && recorder_->wants_everything())
        recorder_->record(Milestone::ready, now_ns, line);
    std::size_t waiting = 0;
    {
        const std::lock_guard guard(inbox_mutex_);
        if (ready_count_ == ready_lines)
            return;
        ReadyLine& kept = ready_[ready_count_++];
        kept.time_ns = now_ns;
        kept.size = std::min(line.size(), kept.text.size());
        std::copy_n(line.begin(), kept.size, kept.text.begin());
        waiting = ready_count_;
    }
    wake_if_wanted(waiting, ready_lines);
}

std::unique_ptr<Subscription> EventHub::follow(Listener listener) {
    const std::lock_guard guard(mutex_);
    followed_ = true;
    readers_.push_back({std::move(listener), 0});
    auto handle = std::make_unique<Handle>(*this, std::prev(readers_.end()));
    wake();
    return handle;
}

void EventHub::turn() {
    std::uint64_t count = 0;
    [[maybe_unused]] const auto got = ::read(wake_fd_.get(), &count, sizeof count);
    // From here on whoever has news wakes us again.
    awake_.store(false);
    try {
        const std::lock_guard guard(mutex_);
        take_news();
        for (Reader& reader : readers_)
            tell(reader);
    } catch (const std::bad_alloc&) {
        return; // what could not be told now is told with the next event
    }
}

void EventHub::take_news() {
    for (const Timed& timed : collect())
        append(timed);
}

std::string EventHub::timeline() {
    const std::lock_guard guard(mutex_);
    take_news();
    std::vector<Line> all(lines_.begin(), lines_.end());
    if (recorder_ != nullptr) {
        for (const TimelineEvent& event : recorder_->snapshot()) {
            if (!is_no_event(event.what))
                continue;
            Json line = {{"time_us", time_us(event.time_ns)},
                         {"event", milestone_name(event.what)}};
            add_milestone_members(line, event);
            all.push_back({time_us(event.time_ns), dump(line)});
        }
    }
    std::ranges::stable_sort(all, {}, &Line::time_us);
    std::string text = "[";
    for (const Line& line : all)
        text.append(text.size() > 1 ? "," : "").append(line.text);
    return text += "]";
}

std::vector<EventHub::Timed> EventHub::collect() {
    std::vector<Timed> batch;
    {
        const std::lock_guard guard(inbox_mutex_);
        batch.swap(inbox_);
        for (const ReadyLine& line : std::span(ready_).first(ready_count_))
            batch.push_back(
                {line.time_ns, {EventKind::ready, 0, std::string(line.text.data(), line.size)}});
        ready_count_ = 0;
    }
    collect_post_codes(batch);
    std::stable_sort(batch.begin(), batch.end(),
                     [](const Timed& a, const Timed& b) { return a.time_ns < b.time_ns; });
    return batch;
}

void EventHub::collect_post_codes(std::vector<Timed>& into) {
    const std::uint64_t written = codes_written_.load(std::memory_order_acquire);
    std::uint64_t read = codes_read_.load(std::memory_order_relaxed);
    if (written - read > post_code_ring) {
        const std::uint64_t lost = written - read - post_code_ring;
        into.push_back({monotonic_ns(),
                        {EventKind::lost, static_cast<int>(std::min<std::uint64_t>(
                                              lost, std::numeric_limits<int>::max()))}});
        read += lost;
    }
    for (; read != written; ++read) {
        const std::uint64_t word =
            codes_[read % post_code_ring].exchange(0, std::memory_order_acquire);
        if (word == 0)
            break; // its writer has the slot and is about to fill it; it will wake us
        into.push_back({start_ns_ + (word >> 9) * tick_ns,
                        {EventKind::post_code, static_cast<int>(word & 0xff)}});
    }
    codes_read_.store(read, std::memory_order_relaxed);
}

void EventHub::append(const Timed& timed) {
    Json line = {{"seq", first_seq_ + lines_.size()},
                 {"time_us", time_us(timed.time_ns)},
                 {"event", event_name(timed.event.kind)}};
    switch (timed.event.kind) {
    case EventKind::post_code:
        line["code"] = timed.event.number;
        break;
    case EventKind::exited:
        line["status"] = timed.event.number;
        break;
    case EventKind::lost:
        line["count"] = timed.event.number;
        break;
    default:
        break;
    }
    if (!timed.event.text.empty())
        line["text"] = timed.event.text;
    lines_.push_back({time_us(timed.time_ns), dump(line)});
    if (lines_.size() > history) {
        lines_.pop_front();
        ++first_seq_;
    }
}

void EventHub::tell(Reader& reader) {
    if (!reader.listener)
        return;
    bool goes_on = true;
    if (reader.next_seq < first_seq_) {
        goes_on = reader.listener(lost_line(first_seq_ - reader.next_seq));
        reader.next_seq = first_seq_;
    }
    while (goes_on && reader.next_seq < first_seq_ + lines_.size()) {
        goes_on =
            reader.listener(lines_[static_cast<std::size_t>(reader.next_seq - first_seq_)].text);
        ++reader.next_seq;
    }
    if (!goes_on)
        reader.listener = nullptr;
}

} // namespace coldstart
