// What happens to a machine that someone outside may want to know.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace coldstart {

enum class EventKind : std::uint8_t {
    created,      ///< the machine is made; no vCPU has run
    started,      ///< the vCPUs run for the first time
    post_code,    ///< `number` is at port 0x80
    ready,        ///< the guest wrote a line to its readiness port: `text`
    reset,        ///< the guest starts again from power-on state; `text` says what asked for it
    power_button, ///< the host pressed it
    paused,
    resumed,
    panic,  ///< `text` says how it is known
    exited, ///< the last event; `number` is the exit status, `text` why
    lost,   ///< `number` POST codes came faster than they could be told
};

std::string_view event_name(EventKind kind) noexcept;

struct MachineEvent {
    EventKind kind = EventKind::created;
    int number = 0;
    std::string text = {};
};

/// Hears of them on the control thread. Must not wait.
class MachineObserver {
  public:
    virtual ~MachineObserver() = default;
    virtual void happened(const MachineEvent& event) noexcept = 0;
};

} // namespace coldstart
