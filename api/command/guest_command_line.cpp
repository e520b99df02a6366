#include "api/command/guest_command_line.h"

#include <algorithm>
#include <iterator>
#include <string_view>

namespace coldstart {
namespace {

// What the default gives the kernel besides its console; each is safe for any x86-64 Linux.
//  panic=-1              a panic resets at once: nobody waits in front of a machine this short-lived
//  8250.nr_uarts=1       there is one UART; saves probing three that are not there
//  random.trust_cpu=on   RDRAND may seed the pool: the guest trusts this CPU with all else as well
//  cryptomgr.notests     skips the self-tests of ciphers at boot (a kernel in FIPS mode ignores it)
// Not here: reboot=t, since a triple fault is how a crash looks from outside, and the ACPI reset
// register, which Linux tries first, says what is meant. Not quiet: a boot that fails silently
// costs a person more than the exits of the console.
constexpr std::string_view micro_settings =
    "panic=-1 8250.nr_uarts=1 random.trust_cpu=on cryptomgr.notests";

constexpr std::string_view other_settings = "panic=-1 random.trust_cpu=on cryptomgr.notests";

/// Calls `visit` with what follows `key` in each word that begins with it. Quotes may hide a word;
/// then nothing is lost, since Linux takes the last setting it reads and ours goes to the end.
template <typename Visitor>
void for_each_value(std::string_view command_line, std::string_view key, Visitor visit) {
    for (std::size_t at = command_line.find(key); at != std::string_view::npos;
         at = command_line.find(key, at + 1)) {
        if (at != 0 && command_line[at - 1] != ' ' && command_line[at - 1] != '\t')
            continue;
        const std::string_view value = command_line.substr(at + key.size());
        visit(value.substr(0, value.find_first_of(" \t")));
    }
}

bool has_word(std::string_view command_line, std::string_view key) {
    bool found = false;
    for_each_value(command_line, key, [&found](std::string_view) { found = true; });
    return found;
}

/// Before what follows " -- ", which is the arguments of init.
void append_word(std::string& command_line, std::string_view word) {
    const std::size_t end = std::min(command_line.find(" -- "), command_line.size());
    command_line.insert(end, command_line.empty() ? std::string(word) : " " + std::string(word));
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

std::string root_word(const DiskConfig& disk) {
    std::string word = "root=";
    if (!disk.partuuid.empty())
        word += "PARTUUID=" + disk.partuuid;
    else
        word += disk.bus == DiskBus::virtio ? "/dev/vda" : "/dev/sda";
    return word + (disk.read_only ? " ro" : " rw");
}

} // namespace

void choose_root_disk(VmConfig& config) {
    if (config.disks.empty() || config.initrd_path)
        return;
    const auto found =
        std::find_if(config.disks.begin(), config.disks.end(),
                     [](const DiskConfig& disk) { return disk.bus == DiskBus::virtio; });
    (found != config.disks.end() ? *found : config.disks.front()).is_root = true;
}

std::string guest_command_line(const VmConfig& config) {
    std::string text = config.command_line ? *config.command_line : default_command_line(config);
    const auto root = std::find_if(config.disks.begin(), config.disks.end(),
                                   [](const DiskConfig& disk) { return disk.is_root; });
    if (root != config.disks.end() && !has_word(text, "root="))
        append_word(text, root_word(*root));
    if (!has_word(text, "reboot="))
        append_word(text, "reboot=panic_warm");
    if (config.board == BoardKind::micro && !has_word(text, "pci="))
        append_word(text, "pci=off");
    return text;
}

bool does_without_ioapic(const VmConfig& config) {
    // Documentation/admin-guide/kernel-parameters.txt; the last two turn the IOAPIC off as well.
    constexpr std::string_view words[] = {"noapic", "nolapic", "disableapic", "nosmp", "maxcpus=0"};
    const std::string text = guest_command_line(config);
    const auto is_whole_word = [&text](std::string_view word) {
        bool found = false;
        for_each_value(text, word, [&found](std::string_view rest) { found |= rest.empty(); });
        return found;
    };
    return std::any_of(std::begin(words), std::end(words), is_whole_word);
}

bool panics_reset_warm(std::string_view command_line) {
    bool panic_warm = false, always_warm = false;
    for_each_value(command_line, "reboot=", [&](std::string_view modes) {
        while (!modes.empty()) {
            panic_warm |= modes.starts_with("panic_w");
            always_warm |= modes.starts_with("w");
            const std::size_t comma = modes.find(',');
            modes.remove_prefix(comma == std::string_view::npos ? modes.size() : comma + 1);
        }
    });
    return panic_warm && !always_warm;
}

} // namespace coldstart
