// Apart from peers.cpp because the JSON library is slow to compile.
#include "api/json/json_reader.h"
#include "vmm/base/byte_size.h"
#include "vmm/base/text.h"
#include "vmm/cli/bench/candidate.h"

namespace coldstart {

std::string firecracker_config(const GuestSpec& guest, const BootFiles& files) {
    Json config;
    config["boot-source"] = {{"kernel_image_path", files.elf}, {"boot_args", guest.command_line}};
    if (!files.initrd.empty())
        config["boot-source"]["initrd_path"] = files.initrd;
    config["machine-config"] = {{"vcpu_count", guest.cpus},
                                {"mem_size_mib", guest.memory_bytes / MiB}};
    config["drives"] = Json::array();
    for (std::size_t i = 0; i < guest.disks.size(); ++i)
        // The command line names the root.
        config["drives"].push_back({{"drive_id", cat("bench", i)},
                                    {"path_on_host", guest.disks[i].path},
                                    {"is_root_device", false},
                                    {"is_read_only", guest.disks[i].read_only}});
    return config.dump(1, ' ', false, Json::error_handler_t::replace) + '\n';
}

} // namespace coldstart
