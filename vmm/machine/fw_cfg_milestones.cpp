#include "vmm/machine/fw_cfg_milestones.h"

#include "devices/fw_cfg/spec.h"

#include <utility>

namespace coldstart {
namespace {

constexpr std::pair<std::uint16_t, std::string_view> names[] = {
    {fw_cfg::key_signature, "signature"},
    {fw_cfg::key_id, "interface version"},
    {fw_cfg::key_uuid, "UUID"},
    {fw_cfg::key_ram_size, "RAM size"},
    {fw_cfg::key_nographic, "no graphics"},
    {fw_cfg::key_cpus, "CPUs"},
    {fw_cfg::key_kernel_address, "kernel address"},
    {fw_cfg::key_kernel_size, "kernel size"},
    {fw_cfg::key_initrd_address, "initrd address"},
    {fw_cfg::key_initrd_size, "initrd size"},
    {fw_cfg::key_boot_menu, "boot menu"},
    {fw_cfg::key_max_cpus, "most CPUs"},
    {fw_cfg::key_kernel_data, "kernel"},
    {fw_cfg::key_initrd_data, "initrd"},
    {fw_cfg::key_command_line_address, "command line address"},
    {fw_cfg::key_command_line_size, "command line size"},
    {fw_cfg::key_command_line_data, "command line"},
    {fw_cfg::key_setup_address, "kernel setup address"},
    {fw_cfg::key_setup_size, "kernel setup size"},
    {fw_cfg::key_setup_data, "kernel setup"},
    {fw_cfg::key_file_directory, "file directory"},
    {fw_cfg::key_irq0_override, "interrupt 0 override"},
    {fw_cfg::key_hpet, "HPET"},
};

} // namespace

std::string_view fw_cfg_key_name(std::uint16_t key) noexcept {
    for (const auto& [known, name] : names) {
        if (known == key)
            return name;
    }
    return {};
}

void FwCfgMilestones::item_read(std::uint16_t key, std::string_view name, std::uint64_t) noexcept {
    milestones_.reached(Milestone::fw_cfg, name.empty() ? fw_cfg_key_name(key) : name, key);
}

} // namespace coldstart
