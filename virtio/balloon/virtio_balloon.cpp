#include "virtio/balloon/virtio_balloon.h"

#include "virtio/core/config_space.h"
#include "virtio/core/queue_turn.h"
#include "vmm/base/byte_size.h"
#include "vmm/base/error.h"
#include "vmm/base/text.h"

namespace coldstart {
namespace {

// Linux wants 32 entries for reporting; hints come faster than they are read.
constexpr std::array<std::uint16_t, 5> sizes{256, 256, 256, 256, 256};
constexpr unsigned chains_a_turn = 16;

} // namespace

VirtioBalloon::VirtioBalloon(const VirtioBalloonOptions& options, const GuestMemory& memory,
                             Clock& clock)
    : options_(options), memory_(memory),
      clock_(clock), host_{.target_pages = checked_pages(options.amount_mib),
                           .statistics_interval_s = options.statistics_interval_s},
      timer_(clock.make_timer([this] { timer_fired(); })) {}

std::uint32_t VirtioBalloon::checked_pages(std::uint32_t amount_mib) const {
    const std::uint64_t memory_mib = memory_.size_bytes() / MiB;
    if (amount_mib > memory_mib)
        throw Error(cat("a balloon of ", amount_mib, " MiB: the guest has ", memory_mib, " MiB"),
                    "choose a smaller target");
    return amount_mib * balloon::pages_a_mib;
}

void VirtioBalloon::set_target(std::uint32_t amount_mib) {
    const std::uint32_t pages = checked_pages(amount_mib);
    const std::lock_guard guard(lock());
    host_.target_pages = pages;
    if (active_)
        active_->notifier.config_changed();
}

VirtioBalloon::Size VirtioBalloon::size() {
    const std::lock_guard guard(lock());
    return {.target_pages = host_.target_pages, .actual_pages = driver_.actual_pages};
}

void VirtioBalloon::require_hinting(bool with_driver) const {
    if (!options_.free_page_hinting)
        throw Error("free page hinting is off", "switch it on before the start");
    if (with_driver && !accepted(balloon::feature_free_page_hint))
        throw Error("free page hinting: the guest has no driver at work that knows it",
                    "wait until it has booted");
}

void VirtioBalloon::command_driver(std::uint32_t command) noexcept {
    driver_.host_command = command;
    active_->notifier.config_changed();
}

void VirtioBalloon::start_hinting(bool acknowledge_on_stop) {
    const std::lock_guard guard(lock());
    require_hinting(true);
    ++driver_.last_run;
    if (driver_.last_run < balloon::hint_first_run)
        driver_.last_run = balloon::hint_first_run;
    driver_.acknowledge_on_stop = acknowledge_on_stop;
    command_driver(driver_.last_run);
}

void VirtioBalloon::stop_hinting() {
    const std::lock_guard guard(lock());
    require_hinting(true);
    command_driver(balloon::hint_done);
}

VirtioBalloon::HintingStatus VirtioBalloon::hinting_status() {
    const std::lock_guard guard(lock());
    require_hinting(false);
    HintingStatus status{.host_command = driver_.host_command, .guest_command = {}};
    if (driver_.guest_commanded)
        status.guest_command = driver_.guest_command;
    return status;
}

std::uint64_t VirtioBalloon::features() const noexcept {
    std::uint64_t features = virtio_feature::indirect_desc | virtio_feature::event_idx;
    if (options_.deflate_on_oom)
        features |= balloon::feature_deflate_on_oom;
    if (statistics_enabled())
        features |= balloon::feature_stats_vq;
    if (options_.free_page_hinting)
        features |= balloon::feature_free_page_hint;
    if (options_.free_page_reporting)
        features |= balloon::feature_page_reporting;
    return features;
}

std::span<const std::uint16_t> VirtioBalloon::queue_sizes() const noexcept {
    // As many as the specification's numbering needs.
    const std::size_t count = options_.free_page_reporting ? 5
                              : options_.free_page_hinting ? 4
                              : statistics_enabled()       ? 3
                                                           : 2;
    return std::span(sizes).first(count);
}

void VirtioBalloon::read_config(std::uint64_t offset, std::span<std::byte> out) noexcept {
    std::array<std::byte, balloon::config_bytes> config{};
    const std::span<std::byte> bytes(config);
    store_le(bytes, balloon::config_num_pages, host_.target_pages);
    store_le(bytes, balloon::config_actual, driver_.actual_pages);
    store_le(bytes, balloon::config_hint_command_id, driver_.host_command);
    read_config_bytes(config, offset, out);
}

void VirtioBalloon::write_config(std::uint64_t offset, ByteView in) noexcept {
    if (!active_)
        return; // a driver holds no pages before DRIVER_OK
    std::array<std::byte, sizeof driver_.actual_pages> actual{};
    store_le(std::span<std::byte>(actual), 0, driver_.actual_pages);
    for (std::size_t i = 0; i < in.size(); ++i) {
        // Below `actual` it wraps and is out of range as well.
        const std::uint64_t at = offset + i - balloon::config_actual;
        if (at < actual.size())
            actual[at] = in[i];
    }
    driver_.actual_pages = load_le<std::uint32_t>(actual);
}

void VirtioBalloon::assign_roles() noexcept {
    roles_ = {Role::inflate, Role::deflate};
    const struct {
        std::uint64_t feature;
        Role role;
    } optional_queues[] = {{balloon::feature_stats_vq, Role::statistics},
                           {balloon::feature_free_page_hint, Role::hinting},
                           {balloon::feature_page_reporting, Role::reporting}};
    std::size_t index = 2;
    for (const auto& [feature, role] : optional_queues) {
        if (!accepted(feature))
            continue;
        while (index < active_->queues.size() && !active_->queues[index].ready())
            ++index;
        if (index < active_->queues.size())
            roles_[index++] = role;
    }
}

bool VirtioBalloon::activate(const VirtioActivation& activation) noexcept {
    active_.emplace(activation);
    failed_ = false;
    assign_roles();
    arm_timer();
    // Linux fills the statistics queue, and kicks, before it sets DRIVER_OK.
    for (unsigned index = 0; index < active_->queues.size(); ++index) {
        if (active_->queues[index].ready())
            active_->notifier.queue_again(index);
    }
    return true;
}

void VirtioBalloon::deactivate() noexcept {
    timer_->cancel();
    active_.reset();
    failed_ = false;
    roles_ = {};
    driver_ = {};
    statistics_ = {};
}

void VirtioBalloon::fail(std::string_view reason) noexcept {
    failed_ = true;
    active_->notifier.needs_reset(reason);
}

void VirtioBalloon::process_queue(unsigned index) noexcept {
    const Role role = roles_[index];
    if (!working() || role == Role::none)
        return;
    SplitQueue& queue = active_->queues[index];
    const auto serve_one = [&](const DescriptorChain& chain) {
        serve(role, queue, chain);
        return failed_ ? Served::failed : Served::done;
    };
    take_turn(queue, index, active_->notifier, segments_, chains_a_turn, serve_one,
              [this](std::string_view reason) { fail(reason); });
}

void VirtioBalloon::serve(Role role, SplitQueue& queue, const DescriptorChain& chain) noexcept {
    switch (role) {
    case Role::statistics:
        hold_statistics(queue, chain);
        return; // its buffer is given back by the next request
    case Role::inflate:
        inflate_count_.add();
        inflate(chain);
        break;
    case Role::hinting:
        take_hints(chain);
        break;
    case Role::reporting:
        release_segments(chain.writable, reported_);
        break;
    case Role::deflate:
        deflate_count_.add(); // a page comes back when the guest touches it
        break;
    case Role::none:
        break;
    }
    queue.push_used(chain.head, 0);
}

VirtioDevice::Counters VirtioBalloon::counters() const {
    return {{"inflate_count", inflate_count_.get()},
            {"deflate_count", deflate_count_.get()},
            {"stats_updates_count", statistics_count_.get()},
            {"free_page_report_count", reported_.ranges.get()},
            {"free_page_report_freed", reported_.bytes.get()},
            {"free_page_report_fails", reported_.fails.get()},
            {"free_page_hint_count", hinted_.ranges.get()},
            {"free_page_hint_freed", hinted_.bytes.get()},
            {"free_page_hint_fails", hinted_.fails.get()}};
}

void VirtioBalloon::save(StateWriter& writer) const {
    writer.begin("virtio-balloon", 1);
    // A driver that has to reset first starts anew after it.
    const DriverState kept = active_ && !failed_ ? driver_ : DriverState{};
    const auto& [target, interval] = host_;
    const auto& [actual, host_command, last_run, guest_run, guest_command, commanded, acknowledge,
                 held, head] = kept;
    writer.fields(target, interval, actual, host_command, last_run, guest_run, guest_command,
                  commanded, acknowledge, held, head);
    for (std::uint16_t tag = 0; tag < balloon::statistic_tags; ++tag) {
        const std::optional<std::uint64_t>& value = *statistics_.find(tag);
        writer.fields(value.has_value(), value.value_or(0));
    }
}

void VirtioBalloon::restore(StateReader& reader) {
    reader.begin("virtio-balloon", 1);
    auto& [target, interval] = host_;
    auto& [actual, host_command, last_run, guest_run, guest_command, commanded, acknowledge, held,
           head] = driver_;
    reader.fields(target, interval, actual, host_command, last_run, guest_run, guest_command,
                  commanded, acknowledge, held, head);
    for (std::uint16_t tag = 0; tag < balloon::statistic_tags; ++tag) {
        bool told = false;
        std::uint64_t value = 0;
        reader.fields(told, value);
        *statistics_.find(tag) = told ? std::optional(value) : std::nullopt;
    }
    if (target > memory_.size_bytes() >> balloon::page_shift ||
        (interval != 0) != statistics_enabled())
        throw Error("saved state: virtio-balloon: a target or statistics that this one can't have",
                    "restore it with the same machine configuration");
}

} // namespace coldstart
