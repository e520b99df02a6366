#include "api/command/guest_command_line.h"

#include <algorithm>
#include <string_view>

namespace coldstart {
namespace {

// What the default gives the kernel besides its console; each is safe for any x86-64 Linux.
//  panic=-1              a panic resets at once: nobody waits in front of a machine this
//  short-lived pci=off               board micro has no PCI; saves the probing of configuration
//  ports 8250.nr_uarts=1       there is one UART; saves probing three that are not there, an exit a
//  port random.trust_cpu=on   RDRAND may seed the pool: the guest trusts this CPU with all else as
//  well cryptomgr.notests     skips the self-tests of ciphers at boot (a kernel in FIPS mode
//  ignores it)
// Not here: reboot=t, since a triple fault is how a crash looks from outside, and the ACPI reset
// register, which Linux tries first, says what is meant. Not quiet: a boot that fails silently
// costs a person more than the exits of the console.
constexpr std::string_view micro_settings =
    "panic=-1 pci=off 8250.nr_uarts=1 random.trust_cpu=on cryptomgr.notests";

constexpr std::string_view other_settings = "panic=-1 random.trust_cpu=on cryptomgr.notests";

/// Whether a word of `command_line` sets root=. Quotes may hide one; then nothing is lost, since
/// Linux takes the last root= it reads and ours goes to the end only when none is seen.
bool has_root(std::string_view command_line) noexcept {
    constexpr std::string_view key = "root=";
    for (std::size_t at = command_line.find(key); at != std::string_view::npos;
         at = command_line.find(key, at + 1)) {
        if (at == 0 || command_line[at - 1] == ' ' || command_line[at - 1] == '\t')
            return true;
    }
    return false;
}

std::string default_command_line(const VmConfig& config) {
    std::string text;
    if (config.virtio_console)
        text = "console=hvc0 ";
    else if (config.serial.kind != SerialConfig::Kind::none)
        text = "console=ttyS0 ";
    text += config.board == BoardKind::micro ? micro_settings : other_settings;
    return text;
}

} // namespace

std::string guest_command_line(const VmConfig& config) {
    std::string text = config.command_line ? *config.command_line : default_command_line(config);
    if (!config.disks.empty() && !config.initrd_path && !has_root(text)) {
        const char* root = config.disks.front().read_only ? "root=/dev/vda ro" : "root=/dev/vda rw";
        // What follows " -- " is the arguments of init.
        const std::size_t end = std::min(text.find(" -- "), text.size());
        text.insert(end, text.empty() ? root : std::string(" ") + root);
    }
    return text;
}

} // namespace coldstart
