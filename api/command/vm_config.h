// The configuration of a machine as plain data: what the flags of `run`, a configuration file and
// the control socket all become. No JSON and no parsing here.
#pragma once

#include "vmm/base/byte_size.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace coldstart {

enum class BootMode { automatic, linux64, pvh, firmware };
enum class BoardKind { micro, pc };
/// Where PICs, IOAPIC and PIT are: in the host's kernel, or devices of the monitor, with the local
/// APICs alone in the kernel. Automatic: devices on board micro where KVM emulates ring 0.
enum class IrqchipKind { automatic, split, kernel };
/// ACPI's power management on board micro: hardware-reduced, or fixed hardware with a PM timer and
/// the legacy interrupts of the 8259s. Automatic: reduced, unless the kernel's command line makes
/// it do without an IOAPIC.
enum class AcpiHardware { automatic, reduced, fixed };
enum class OnReboot { restart, exit };
enum class VgaKind { none, std_vga };
/// System management mode, on board pc: for UEFI firmware where KVM has it, always, never.
enum class SmmMode { automatic, on, off };
/// What guest memory is made of: the host's choice, huge pages of hugetlbfs, or small pages that
/// the host may merge into large ones.
enum class HugePages { none, hugetlbfs_2m, transparent };

/// How a kernel entered directly, and its initrd, come from their files into guest memory.
enum class LoadMode {
    automatic, ///< the quickest way
    copy,      ///< read: what happens to the files later is of no concern
    map,       ///< whole pages mapped privately from the host's page cache, shared between machines
};

/// A bucket of tokens: bytes or operations. Firecracker's rate limiter, as its API document has it.
struct TokenBucketConfig {
    std::uint64_t size = 0;           ///< tokens it holds; 0: no limit
    std::uint64_t refill_time_ms = 0; ///< from empty to full; 0: no limit
    std::uint64_t one_time_burst = 0; ///< extra tokens, used first and never refilled

    bool limits() const noexcept { return size != 0 && refill_time_ms != 0; }
    bool operator==(const TokenBucketConfig&) const noexcept = default;
};

/// At most so much of a device's traffic; an absent bucket does not limit.
struct RateLimiterConfig {
    std::optional<TokenBucketConfig> bandwidth; ///< tokens are bytes
    std::optional<TokenBucketConfig> operations;

    bool operator==(const RateLimiterConfig&) const noexcept = default;
};

/// How a disk's host file is read and written.
enum class DiskCache {
    writeback, ///< through the page cache; a guest flush is an fdatasync
    none,      ///< O_DIRECT: past the page cache; a guest flush is an fdatasync
    unsafe,    ///< through the page cache; guest flushes are ignored
};

/// How the guest sees a disk.
enum class DiskBus {
    virtio,
    sata, ///< on board pc: the first SATA disks and then the CD drive stand on ports 0 to 5
};

struct DiskConfig {
    std::string id; ///< empty: disk0, disk1, ...
    std::string path;
    bool read_only = false;
    std::optional<std::uint32_t> boot_index = {}; ///< firmware tries lower ones first
    std::string serial; ///< what VIRTIO_BLK_T_GET_ID answers, up to 20 bytes; empty: the id
    DiskCache cache = DiskCache::writeback;
    DiskBus bus = DiskBus::virtio;
    bool async_engine = false; ///< what a client of Firecracker asked for; requests go by io_uring
    RateLimiterConfig limiter = {};
    /// As clients of Firecracker have images: of any size, what is no whole sector at the end
    /// being left out, and whether or not somebody else has it open.
    bool lenient = false;
    bool is_root = false;      ///< the guest's root: the kernel's command line names it
    std::string partuuid = {}; ///< of the root's partition; empty: the whole disk
};

/// A port of the host whose connections go to one of the guest.
struct PortForward {
    enum class Protocol { tcp, udp };
    Protocol protocol = Protocol::tcp;
    std::uint16_t host_port = 0;
    std::uint16_t guest_port = 0;
};

struct NetConfig {
    enum class Kind {
        tap, ///< an interface of the host
        user ///< passt: no privilege needed, connections go out as this user's
    };
    Kind kind = Kind::user;
    std::string id;  ///< empty: net0, net1, ...
    std::string tap; ///< of `tap`: the interface's name
    std::string mac; ///< "52:54:00:12:34:56"; empty: made from names, the same in every run
    std::vector<PortForward> forwards;      ///< of `user`
    std::optional<std::uint32_t> bootindex; ///< firmware tries lower ones first
    /// An option ROM for board pc, to boot from the network. Absent: iPXE of Debian's package
    /// ipxe-qemu, where it is there; empty: none.
    std::optional<std::string> rom_path = {};
    std::uint16_t mtu = 0;                  ///< what the guest is told, from 68 on; 0: nothing
    RateLimiterConfig receive_limiter = {}; ///< host to guest
    RateLimiterConfig transmit_limiter = {};
};

/// A virtio socket device, whose host side are Unix sockets (Firecracker's docs/vsock.md).
struct VsockConfig {
    std::uint32_t guest_cid = 3; ///< 3..2^32-2
    std::string uds_path;        ///< host programs connect here; the guest's go to "PATH_<port>"
};

struct BalloonConfig {
    std::uint32_t amount_mib = 0; ///< what the guest is to give back; at most its memory
    bool deflate_on_oom = false;
    std::uint32_t statistics_interval_s = 0; ///< 0: the guest is not asked
    bool free_page_hinting = false;
    bool free_page_reporting = false;
};

/// The metadata service behind network interfaces (Firecracker's docs/mmds).
struct MmdsConfig {
    enum class Version { v1, v2 };
    std::vector<std::string> interfaces; ///< ids of `nets`
    Version version = Version::v1;
    std::string ipv4_address = "169.254.169.254";
    bool imds_compat = false; ///< answers are text whatever the guest accepts
};

struct SerialConfig {
    enum class Kind { stdio, none, file, socket, pty };
    Kind kind = Kind::stdio;
    std::string path;                              ///< of `file` and `socket`
    std::optional<TokenBucketConfig> limiter = {}; ///< of the output's bytes; what is more is lost
};

/// The log file in Firecracker's form.
struct LoggerConfig {
    std::optional<std::string> path;
    std::optional<std::string> level; ///< a name as LogLevel has it; "Info" at first
    std::optional<bool> show_level;
    std::optional<bool> show_origin;
    std::optional<std::string> module; ///< taken and without effect: there are no modules
};

struct VmConfig {
    std::string id; ///< names the machine in its log lines; may be empty
    BoardKind board = BoardKind::micro;
    BootMode boot = BootMode::automatic;
    IrqchipKind irqchip = IrqchipKind::automatic;
    AcpiHardware acpi = AcpiHardware::automatic;
    SmmMode smm = SmmMode::automatic;
    std::string firmware_path;       ///< ROM or flash image; board pc
    std::string nvram_path;          ///< UEFI variable store, below the firmware
    std::string nvram_template_path; ///< what nvram_path is made of when it does not exist
    std::string kernel_path;         ///< may be empty with a firmware, which then boots a disk
    std::optional<std::string> initrd_path;
    std::optional<std::string> command_line; ///< absent: the default of the board
    LoadMode load = LoadMode::automatic;
    /// The folder where kernels unpacked from a bzImage are kept; absent: one in the user's cache
    /// folder; empty: they are not kept.
    std::optional<std::string> kernel_cache_path;
    std::uint32_t cpus = 1; ///< 1..max_cpus
    std::uint64_t memory_bytes = 256 * MiB;
    bool smt = false;               ///< pairs of vCPUs are threads of a core
    bool track_dirty_pages = false; ///< kept for snapshots
    HugePages huge_pages = HugePages::none;
    std::optional<std::string> cpu_template; ///< Firecracker's name; a machine is made without one
    std::vector<DiskConfig> disks;
    std::string cdrom_path; ///< an ISO image in a SATA CD drive; empty: no drive
    std::vector<NetConfig> nets;
    SerialConfig serial;
    bool virtio_console = false; ///< a virtio console on this terminal instead of COM1
    bool rng = true;             ///< a virtio entropy device
    RateLimiterConfig rng_limiter = {};
    std::optional<VsockConfig> vsock;
    std::optional<BalloonConfig> balloon;
    std::optional<MmdsConfig> mmds;
    bool keyboard = false;       ///< on board micro too: for Ctrl-Alt-Delete from the host
    std::string post_codes_path; ///< empty: POST codes are only counted
    std::string debugcon_path;
    std::vector<std::string> timeline_paths; ///< .json or .html; empty: no file
    bool debug_exit = false;      ///< board pc: a port by which the guest chooses the exit status
    VgaKind vga = VgaKind::none;  ///< a display adapter, on board pc
    std::string vga_bios_path;    ///< empty: that of Debian's package seabios, where it is there
    std::string screen_text_path; ///< the characters of a text screen at exit; empty: none
    std::string screenshot_path;  ///< a PNG of the screen at exit; empty: none
    std::optional<LoggerConfig> logger;
    std::string metrics_path; ///< counters in Firecracker's form; empty: none
    OnReboot on_reboot = OnReboot::restart;
    std::optional<double> timeout_s;
};

inline constexpr std::uint32_t max_cpus = 64;
inline constexpr std::uint64_t min_memory_bytes = 4 * MiB;
inline constexpr std::uint64_t max_memory_bytes = 512 * GiB;

} // namespace coldstart
