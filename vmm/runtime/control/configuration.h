// The configuration of a machine that has not started, as requests build it up: each is checked
// against the host and against what was set before, and one that is refused changes nothing.
//
// Files are opened when they are named, as Firecracker does, so that who names a wrong one learns
// it at once; sockets and interfaces are taken then and held until the machine has them.
// Threads: one at a time.
#pragma once

#include "api/command/request.h"
#include "virtio/vsock/vsock_listener.h"
#include "vmm/base/unique_fd.h"

#include <map>
#include <memory>
#include <string>

namespace coldstart {

class Configuration {
  public:
    /// Whether interfaces and sockets are taken when they are named, or only by the machine.
    enum class Hold { yes, no };

    explicit Configuration(VmConfig initial, Hold hold = Hold::yes)
        : config_(std::move(initial)), hold_(hold) {}

    const VmConfig& config() const noexcept { return config_; }

    // Each throws Error when it is refused.
    void apply(const PutMachineConfig& put);
    void apply(const PatchMachineConfig& patch);
    void apply(const PutBootSource& put);
    void apply(const PutDrive& put);
    void apply(const PutNetworkInterface& put);
    void apply(const PutVsock& put);
    void apply(const PutBalloon& put);
    void apply(const PutEntropy& put);
    void apply(const PutMmdsConfig& put);
    void apply(const PutSerial& put);
    void apply(const PutFirmware& put);
    void apply(const PutPlatform& put);
    void apply(const PutCdrom& put);
    void apply(const PutDisplay& put);
    void apply(const PutCpuConfig&) {}

    /// What to start: the configuration with what follows from it filled in. Throws Error when
    /// something is missing or does not go together.
    VmConfig settled() const;

    /// The TAP of network `id`, opened when it was configured: another descriptor each time. None
    /// when it was not.
    UniqueFd tap_of(const std::string& id) const;
    /// Bound when the socket device was configured; none when there is none.
    const std::shared_ptr<VsockListener>& vsock_listener() const noexcept { return vsock_; }

    /// Whether a request named the serial console's file, which then keeps what is in it.
    bool keeps_serial_file() const noexcept { return keeps_serial_file_; }

    // What the machine did while running.
    void set_drive_path(const std::string& id, const std::string& path);
    void set_drive_limiter(const std::string& id, const RateLimiterConfig& limiter);
    void set_network_limiters(const std::string& id, const RateLimiterConfig& receive,
                              const RateLimiterConfig& transmit);
    void set_balloon_mib(std::uint32_t amount_mib);
    void set_balloon_interval(std::uint32_t interval_s);

  private:
    void set_machine(const MachineConfig& machine);

    VmConfig config_;
    bool keeps_serial_file_ = false;
    const Hold hold_;
    std::map<std::string, UniqueFd, std::less<>> taps_; ///< by network
    std::shared_ptr<VsockListener> vsock_;
};

/// `base` with what `change` says of a bucket put in its place.
RateLimiterConfig merged(RateLimiterConfig base, const RateLimiterConfig& change);

} // namespace coldstart
