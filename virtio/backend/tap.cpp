#include "virtio/backend/tap.h"

#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace coldstart {
namespace {

std::string how_to_make(const std::string& name) {
    return cat("make one: ip tuntap add dev ", name, " mode tap user $USER && ip link set ", name,
               " up");
}

Error refused(const std::string& name, int error) {
    const std::string thing = cat("TAP interface ", name);
    switch (error) {
    case EPERM:
        return Error(cat(thing, ": it belongs to another user"),
                     cat("give it to this one: ip tuntap add dev ", name, " mode tap user $USER"));
    case EBUSY:
        return Error(cat(thing, ": another program has it open"), "choose another interface");
    case EINVAL:
        return Error(cat(thing, ": it is no TAP interface of one queue"), how_to_make(name));
    default:
        return system_error(thing, error);
    }
}

unsigned kernel_bits(NetOffloads offloads) noexcept {
    if (!offloads.checksum)
        return 0;
    unsigned bits = TUN_F_CSUM;
    if (offloads.tso4)
        bits |= TUN_F_TSO4;
    if (offloads.tso6)
        bits |= TUN_F_TSO6;
    if (offloads.ecn && (offloads.tso4 || offloads.tso6))
        bits |= TUN_F_TSO_ECN;
    return bits;
}

constexpr NetOffloads every_offload{.checksum = true, .tso4 = true, .tso6 = true, .ecn = true};

} // namespace

UniqueFd open_tap(const std::string& name, TapMissing missing) {
    if (name.empty() || name.size() >= IFNAMSIZ || name.find('%') != std::string::npos)
        throw UsageError(cat("TAP interface \"", printable(name), "\": impossible name"),
                         cat("a name has 1 to ", IFNAMSIZ - 1, " characters"));
    // Asked for a name that is not there, the kernel would make an interface, for those who may,
    // that leads nowhere and is gone with this process.
    if (missing == TapMissing::refuse && ::if_nametoindex(name.c_str()) == 0)
        throw Error(cat("TAP interface ", printable(name), ": there is none"), how_to_make(name));
    UniqueFd fd(::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC));
    if (!fd)
        throw system_error("/dev/net/tun", errno,
                           errno == ENOENT || errno == ENODEV ? "load the module: modprobe tun"
                                                              : "");
    ifreq request{};
    std::memcpy(request.ifr_name, name.data(), name.size());
    request.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
    if (::ioctl(fd.get(), TUNSETIFF, &request) != 0)
        throw refused(name, errno);
    int header_bytes = NetBackend::header_bytes;
    if (::ioctl(fd.get(), TUNSETVNETHDRSZ, &header_bytes) != 0)
        throw system_error(cat("TAP interface ", name, ": TUNSETVNETHDRSZ"), errno);
    return fd;
}

TapBackend::TapBackend(const std::string& name, Reactor& reactor)
    : TapBackend(open_tap(name, TapMissing::refuse), reactor) {}

TapBackend::TapBackend(UniqueFd tap, Reactor& reactor) : fd_(std::move(tap)), watch_(reactor) {
    if (::ioctl(fd_.get(), TUNSETOFFLOAD, kernel_bits(every_offload)) == 0)
        offloads_ = every_offload;
    set_guest_offloads({});
}

TapBackend::TapBackend(UniqueFd fd, NetOffloads offloads, Reactor& reactor)
    : fd_(std::move(fd)), offloads_(offloads), watch_(reactor) {}

void TapBackend::set_guest_offloads(NetOffloads offloads) noexcept {
    // The kernel took all of them together, so it takes these.
    ::ioctl(fd_.get(), TUNSETOFFLOAD, kernel_bits(offloads));
}

std::size_t TapBackend::receive(std::span<std::byte> frame) noexcept {
    for (;;) {
        const ssize_t got = ::read(fd_.get(), frame.data(), frame.size());
        if (got > static_cast<ssize_t>(header_bytes))
            return static_cast<std::size_t>(got);
        if (got < 0 && errno == EINTR)
            continue;
        // Anything else than "none yet": the interface was deleted.
        if (got < 0 && errno != EAGAIN) {
            link_up_ = false;
            want_frames(false);
        }
        return 0;
    }
}

NetBackend::Sent TapBackend::send(std::span<iovec> frame) noexcept {
    for (;;) {
        if (::writev(fd_.get(), frame.data(), static_cast<int>(frame.size())) >= 0)
            return Sent::taken;
        if (errno == EAGAIN) {
            watch_.set(POLLOUT, true);
            return Sent::full;
        }
        if (errno != EINTR)
            return Sent::taken; // the interface is down, or the header made no sense: lost
    }
}

} // namespace coldstart
