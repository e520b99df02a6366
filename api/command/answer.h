// What a request is answered with, as plain data; and who answers.
#pragma once

#include "api/command/request.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace coldstart {

enum class VmState { not_started, running, paused };

/// Done, and nothing to say.
struct NoContent {};

struct InstanceInfo {
    std::string id;
    VmState state = VmState::not_started;
};

struct VersionInfo {};

/// The whole configuration.
struct VmConfigAnswer {
    VmConfig config;
};

struct BalloonStatisticsAnswer {
    std::uint32_t target_mib = 0;
    std::uint32_t actual_mib = 0;
    std::uint64_t target_pages = 0; ///< of 4 KiB
    std::uint64_t actual_pages = 0;
    /// What the guest says, by the name in Firecracker's API document: ("swap_in", 0).
    std::vector<std::pair<std::string, std::uint64_t>> from_guest;
};

struct BalloonHintingAnswer {
    std::uint32_t host_command = 0;
    std::optional<std::uint32_t> guest_command;
};

/// JSON that is there as text already.
struct JsonText {
    std::string text;
};

struct Document {
    std::string content_type;
    std::string bytes;
};

/// The request is refused and has changed nothing.
struct Refusal {
    std::string message;
    bool too_large = false; ///< more than the metadata store holds
};

using Answer =
    std::variant<NoContent, Refusal, InstanceInfo, VersionInfo, VmConfigAnswer, MachineConfig,
                 BalloonConfig, BalloonStatisticsAnswer, BalloonHintingAnswer, JsonText, Document>;

/// A reader of what happens, for as long as it is alive.
class Subscription {
  public:
    virtual ~Subscription() = default;
};

/// Takes what is published; false ends the subscription. Called on any thread but a vCPU's, and
/// never waits.
using Listener = std::function<bool(std::string_view)>;

/// The machine as its clients see it. Any thread; nothing here waits for the machine.
class RequestHandler {
  public:
    virtual ~RequestHandler() = default;

    /// `done` is called once, on whichever thread has the answer.
    virtual void handle(Request request, std::function<void(Answer)> done) = 0;

    /// Events as JSON objects, one a call, those that happened before first.
    virtual std::unique_ptr<Subscription> follow_events(Listener listener) = 0;

    /// What the guest writes to its serial console, what it wrote last first. nullptr when there
    /// is no such console.
    virtual std::unique_ptr<Subscription> follow_console(Listener listener) = 0;
};

} // namespace coldstart
