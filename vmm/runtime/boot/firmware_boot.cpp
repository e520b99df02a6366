#include "vmm/runtime/boot/firmware_boot.h"

#include "api/command/guest_command_line.h"
#include "devices/hpet/hpet.h"
#include "devices/ich9/smi_features.h"
#include "firmware-loaders/uefi/uefi_smm.h"
#include "vmm/base/byte_size.h"
#include "vmm/base/error.h"
#include "vmm/base/text.h"
#include "vmm/kvm/kvm.h"
#include "vmm/machine/fw_cfg_items.h"
#include "vmm/machine/fw_cfg_items_kernel.h"
#include "vmm/runtime/boot/boot_order.h"
#include "vmm/runtime/boot/panic_mark.h"

#include <algorithm>
#include <bit>
#include <filesystem>
#include <numeric>

namespace coldstart {
namespace {

// Announced to firmware before the tables are known; several times what a full board takes.
constexpr std::uint32_t tables_room_bytes = 128 * 1024;
constexpr std::uint32_t loader_room_bytes = 16 * 1024;
constexpr std::uint32_t rsdp_bytes = 36;

constexpr std::uint64_t low_rom_bytes = 128 * KiB;
constexpr PciAddress mch{0, 0};
constexpr PciAddress lpc{31, 0};
constexpr unsigned mch_pciexbar = 0x60;
constexpr unsigned lpc_pmbase = 0x40;
constexpr std::uint16_t usual_pm_base = 0x600;

const CpuidEntry* find_leaf(const CpuidTable& table, std::uint32_t function) {
    for (const CpuidEntry& entry : table) {
        if (entry.function == function)
            return &entry;
    }
    return nullptr;
}

/// A UEFI code image leaves room for its variable store up to the next power of two.
std::uint64_t nvram_bytes(const VmConfig& config, std::uint64_t firmware_bytes) {
    if (config.nvram_path.empty())
        return 0;
    const std::uint64_t whole = std::bit_ceil(firmware_bytes);
    if (whole == firmware_bytes)
        throw Error(cat(config.firmware_path, ": ", format_byte_size(firmware_bytes),
                        ", an image without room for a variable store of its own file"),
                    "leave --nvram out, or give the code image, such as OVMF_CODE_4M.fd");
    const std::uint64_t expected = whole - firmware_bytes;
    std::error_code missing;
    for (const std::string& path : {config.nvram_path, config.nvram_template_path}) {
        const std::uint64_t size_bytes =
            path.empty() ? 0 : std::filesystem::file_size(path, missing);
        if (path.empty() || missing)
            continue;
        if (size_bytes != expected)
            throw Error(cat(path, ": ", size_bytes, " bytes, and the variable store of ",
                            config.firmware_path, " has ", expected),
                        "give the store that comes with this image");
        return expected;
    }
    if (!config.nvram_template_path.empty())
        throw Error(cat("--nvram-template ", config.nvram_template_path, ": no such file"));
    throw Error(cat("--nvram ", config.nvram_path, ": no such file, and nothing to make it of"),
                "add --nvram-template FILE, such as OVMF_VARS_4M.fd");
}

bool decide_smm(const VmConfig& config, const RomImage& firmware, const Kvm& kvm) {
    const bool possible = kvm.has_smm();
    if (config.smm == SmmMode::on && !possible)
        throw Error("--smm on: this host's KVM has no system management mode",
                    "leave --smm out; 'coldstart doctor' tells more");
    if (config.smm == SmmMode::on)
        return true;
    // UEFI firmware gets it whether it is built for it or not: having it costs nothing there, and
    // telling takes as long as a third of OVMF's start. SeaBIOS would use it, to no avail.
    if (config.smm == SmmMode::automatic && possible)
        return is_uefi(firmware.bytes());
    // Images that are packed otherwise are told by what they do (MchFunction).
    if (!is_uefi_with_smm(firmware.bytes()))
        return false;
    throw Error(
        cat(config.firmware_path, ": built to run in system management mode (SMM), ",
            possible ? "and --smm off says there is none" : "which this host's KVM does not have"),
        possible ? "leave --smm off out"
                 : "give an image built without, such as OVMF_CODE_4M.fd, or use a host "
                   "whose KVM has it ('coldstart doctor')");
}

/// What [from, end) has left when [hole, hole + size) is taken out of it.
std::vector<AcpiAddressRange> without(std::uint64_t from, std::uint64_t end, std::uint64_t hole,
                                      std::uint64_t hole_bytes) {
    std::vector<AcpiAddressRange> rest;
    const std::uint64_t first_end = std::clamp(hole, from, end);
    const std::uint64_t second_begin = std::clamp(hole + hole_bytes, from, end);
    if (from < first_end)
        rest.push_back({from, first_end - from});
    if (second_begin < end && second_begin >= first_end)
        rest.push_back({second_begin, end - second_begin});
    return rest;
}

} // namespace

FirmwareBoot::FirmwareBoot(const VmConfig& config, const Kvm& kvm)
    : config_(config), firmware_(config.firmware_path, "--firmware"),
      has_smm_(decide_smm(config, firmware_, kvm)),
      layout_(pc_layout(config.memory_bytes, has_smm_)), board_(pc_board(config, facts_of_board())),
      apic_ids_(config.cpus) {
    std::iota(apic_ids_.begin(), apic_ids_.end(), 0u);
    fill_items(kvm);
}

PcFacts FirmwareBoot::facts_of_board() const {
    const std::uint64_t below = layout_.ram.front().size_bytes;
    return {.firmware_bytes = firmware_.bytes().size(),
            .memory_below_4g_bytes = below,
            .memory_above_4g_bytes = config_.memory_bytes - below,
            .nvram_bytes = nvram_bytes(config_, firmware_.bytes().size())};
}

void FirmwareBoot::fill_items(const Kvm& kvm) {
    const CpuidTable cpuid = kvm.supported_cpuid();
    const CpuidEntry* const features = find_leaf(cpuid, 1);
    const CpuidEntry* const sizes = find_leaf(cpuid, 0x80000008);
    const unsigned physical_bits = sizes != nullptr ? sizes->eax & 0xff : 36;
    physical_end_ = std::uint64_t{1} << std::clamp(physical_bits, 36u, 46u);

    if (!config_.kernel_path.empty())
        hand_over_kernel();
    FirmwareFacts facts;
    facts.cpus = config_.cpus;
    facts.apic_id_limit = config_.cpus;
    facts.memory_bytes = config_.memory_bytes;
    facts.map = layout_.e820;
    facts.hpet = layout::hpet;
    facts.serial_console = config_.serial.kind != SerialConfig::Kind::none;
    facts.boot_order = firmware_boot_order(config_, board_);
    facts.smbios.uuid = uuid_of_machine(config_.id);
    facts.smbios.cores_per_socket = config_.cpus;
    facts.smbios.cpuid_1_eax = features != nullptr ? features->eax : 0;
    facts.smbios.cpuid_1_edx = features != nullptr ? features->edx : 0;
    facts.smbios.memory_bytes = config_.memory_bytes;
    facts.smbios.map = layout_.e820;
    facts.acpi.push_back({std::string(acpi_tables_file), tables_room_bytes,
                          [this] { return build_tables().tables; }});
    facts.acpi.push_back(
        {std::string(acpi_rsdp_file), rsdp_bytes, [this] { return build_tables().rsdp; }});
    facts.acpi.push_back({std::string(acpi_loader_file), loader_room_bytes,
                          [this] { return build_tables().loader; }});
    add_firmware_items(items_, facts);
    if (has_smm_)
        offer_smi_features();
}

void FirmwareBoot::offer_smi_features() {
    const auto chipset = [this] { return dynamic_cast<SmiFeatures*>(machine_->find("pm")); };
    items_.add_number_file("etc/smi/supported-features", SmiFeatures::offered);
    items_.add_writable_file("etc/smi/requested-features",
                             std::vector<std::byte>(sizeof(std::uint64_t)),
                             [chipset](ByteView content) {
                                 if (SmiFeatures* const smi = chipset())
                                     smi->request_smi_features(load_le<std::uint64_t>(content, 0));
                             });
    items_.add_generated_file("etc/smi/features-ok", 1, [chipset] {
        SmiFeatures* const smi = chipset();
        return std::vector{std::byte{smi != nullptr && smi->settle_smi_features()}};
    });
}

void FirmwareBoot::hand_over_kernel() {
    const ImageBytes kernel = ImageBytes::open(config_.kernel_path, "kernel", "--kernel");
    std::optional<ImageBytes> initrd;
    if (config_.initrd_path)
        initrd = ImageBytes::open(*config_.initrd_path, "initrd", "--initrd");
    const std::string command_line = guest_command_line(config_);
    panics_are_marked_ = panics_reset_warm(command_line);
    add_kernel_items(items_, {.kernel = kernel,
                              .initrd = initrd,
                              .command_line = command_line,
                              .low_ram_end = layout_.ram.front().end()});
}

void FirmwareBoot::equip(MachineHost& host) {
    const auto bytes = firmware_.bytes();
    host.firmware = bytes;
    host.low_rom = bytes.last(std::min<std::size_t>(bytes.size(), low_rom_bytes));
    fw_cfg_reads_.emplace(*host.milestones);
    items_.set_observer(&*fw_cfg_reads_);
    host.fw_cfg = &items_;
}

EntryState FirmwareBoot::prepare(Machine& machine, const GuestMemory& memory) {
    machine_ = &machine;
    panic_mark::clear(memory);
    const AcpiBlobs blobs = build_tables();
    if (blobs.tables.size() > tables_room_bytes || blobs.loader.size() > loader_room_bytes)
        throw Error("the ACPI tables of this machine are larger than firmware was told",
                    "give fewer CPUs or devices");
    return {}; // EntryMode::reset
}

bool FirmwareBoot::reset_follows_panic(const GuestMemory& memory) const noexcept {
    return panics_are_marked_ && panic_mark::is_set(memory);
}

PciAcpiFacts FirmwareBoot::pci_facts() const {
    PciAcpiFacts facts;
    PciBus& pci = machine_->pci();
    const std::uint64_t pciexbar = pci.config_read(0, mch, mch_pciexbar, 4) |
                                   std::uint64_t{pci.config_read(0, mch, mch_pciexbar + 4, 4)}
                                       << 32;
    std::uint64_t ecam = 0, ecam_bytes = 0;
    if ((pciexbar & 1) != 0) {
        const unsigned length = static_cast<unsigned>(pciexbar >> 1) & 3; // 256, 128 or 64 MiB
        ecam_bytes = 256 * MiB >> std::min(length, 2u);
        ecam = pciexbar & ~(ecam_bytes - 1) & 0xfffffffff;
        facts.ecam = EcamFacts{.base = ecam, .size_bytes = ecam_bytes};
    }
    const std::uint64_t low_end =
        std::max(layout_.ram.front().end().value, layout::pci_hole_large.value);
    facts.windows = without(low_end, layout::io_apic.value, ecam, ecam_bytes);
    const std::uint64_t above = align_up(
        std::max(layout_.ram.back().end().value, layout::hole_end.value), std::uint64_t{GiB});
    facts.window64 = AcpiAddressRange{above, physical_end_ - above};

    const std::uint32_t pmbase = pci.config_read(0, lpc, lpc_pmbase, 4) & 0xff80;
    const auto pm = static_cast<std::uint16_t>(pmbase != 0 ? pmbase : usual_pm_base);
    facts.pm_base = pm;
    facts.gpe0 = GpeBlockFacts{.base = static_cast<std::uint16_t>(pm + 0x20)};
    facts.hpet = HpetFacts{.base = static_cast<std::uint32_t>(layout::hpet.value),
                           .block_id = Hpet::event_timer_block_id,
                           .minimum_ticks = Hpet::minimum_ticks};
    facts.reset = ResetFacts{};
    facts.smi_command = SmiCommandFacts{};
    return facts;
}

AcpiBlobs FirmwareBoot::build_tables() const {
    return build_acpi_blobs(
        {.devices = machine_->devices(), .apic_ids = apic_ids_, .pci = pci_facts()});
}

} // namespace coldstart
