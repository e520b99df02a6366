#include "vmm/cli/bench/stage.h"

#include "firmware-loaders/identify/kernel_info.h"
#include "firmware-loaders/media/media.h"
#include "vmm/base/error.h"
#include "vmm/base/text.h"
#include "vmm/base/unique_fd.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

namespace coldstart {
namespace {

namespace fs = std::filesystem;

constexpr const char* debian_seabios = "/usr/share/seabios/bios-256k.bin";
constexpr const char* debian_ovmf = "/usr/share/OVMF/OVMF_CODE_4M.fd";
constexpr const char* debian_ovmf_template = "/usr/share/OVMF/OVMF_VARS_4M.fd";

bool readable(const std::string& path) {
    return ::access(path.c_str(), R_OK) == 0 && fs::is_regular_file(path);
}

void write_file(const std::string& path, ByteView bytes) {
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
    file.flush();
    if (!file)
        throw system_error(path, errno, "make room there, or set TMPDIR to a folder that has some");
}

/// `given`, or Debian's if it is there; else `reason` says what is missing.
std::string firmware_file(const std::string& given, const char* debian, std::string_view flag,
                          std::string_view package, std::string& reason, bool& named_missing) {
    const std::string path = given.empty() ? debian : given;
    if (readable(path))
        return path;
    named_missing |= !given.empty();
    reason = given.empty()
                 ? cat("no ", debian, " here; install ", package, ", or name one with ", flag)
                 : cat(flag, ' ', printable(given), ": no such file, or it is not readable");
    return "";
}

bool is_efi_system(const PartitionInfo& partition) {
    return partition.type == "EFI system";
}

} // namespace

ScratchFolder::ScratchFolder() {
    const char* const parent = std::getenv("TMPDIR");
    path_ = cat(parent != nullptr && *parent != '\0' ? parent : "/tmp", "/coldstart-bench.XXXXXX");
    if (::mkdtemp(path_.data()) == nullptr)
        throw system_error(path_, errno, "set TMPDIR to a folder that can be written to");
}

ScratchFolder::~ScratchFolder() {
    std::error_code ignored; // what can't be removed now is the next cleaner's
    fs::remove_all(path_, ignored);
}

std::string Stage::file(const std::string& path, const std::string& flag) {
    if (!readable(path))
        throw Error(cat(flag, ' ', printable(path), ": no such file, or it is not readable"),
                    "name a regular file");
    if (!in_memory_)
        return fs::absolute(path).string();
    const auto known = std::find_if(copied_.begin(), copied_.end(),
                                    [&](const auto& copy) { return copy.first == path; });
    if (known != copied_.end())
        return known->second;
    const std::string copy = this->path(cat(++copies_, "-", fs::path(path).filename().string()));
    std::error_code error;
    fs::copy_file(path, copy, error);
    if (error)
        throw system_error(cat(flag, ' ', printable(path), ": copying it to ", folder()),
                           error.value(), "give the lab more memory (--memory)");
    copied_.emplace_back(path, copy);
    return copy;
}

void Stage::take_kernel(const std::string& path, BootFiles& files) {
    const KernelInfo info = identify_kernel(path);
    if (!info.problem.empty())
        throw Error(cat("--kernel ", printable(path), ": ", info.problem),
                    cat("see 'coldstart inspect ", printable(path), "'"));
    const auto offers = [&info](BootProtocol protocol) {
        return std::find(info.protocols.begin(), info.protocols.end(), protocol) !=
               info.protocols.end();
    };
    files.linux_entry = offers(BootProtocol::linux64);
    files.pvh_entry = info.elf && info.elf->pvh_entry;
    const std::string staged = file(path, "--kernel");
    if (info.format == KernelFormat::elf) {
        files.elf = staged;
        files.no_bzimage = "it needs a bzImage, and --kernel is an ELF file";
        return;
    }
    if (info.format != KernelFormat::bzimage)
        throw Error(cat("--kernel ", printable(path), ": ", format_name(info.format),
                        ", which not every mode takes"),
                    "give the bzImage or the ELF file itself");
    files.bzimage = staged;
    if (!info.payload_problem.empty()) {
        files.no_elf = cat("the vmlinux can't be unpacked: ", info.payload_problem);
        return;
    }
    const ImageBytes image = ImageBytes::open(staged, "kernel", "--kernel");
    const ImageBytes vmlinux = extract_vmlinux(image, parse_bzimage(image)).in_host_memory();
    files.elf = this->path("vmlinux");
    write_file(files.elf, vmlinux.view());
}

void Stage::take_firmware(const BenchCommand& command, BootFiles& files) {
    files.seabios =
        firmware_file(command.seabios_path, debian_seabios, "--firmware-seabios",
                      "the package seabios", files.no_seabios, files.named_file_missing);
    if (!files.seabios.empty())
        files.seabios = file(files.seabios, "--firmware-seabios");
    files.ovmf = firmware_file(command.ovmf_path, debian_ovmf, "--firmware-ovmf",
                               "the package ovmf", files.no_ovmf, files.named_file_missing);
    if (files.ovmf.empty())
        return;
    files.ovmf = file(files.ovmf, "--firmware-ovmf");
    // An image of one's own may have its variables in itself; Debian's has not.
    if (!command.ovmf_path.empty() && command.ovmf_template_path.empty())
        return;
    const std::string store =
        firmware_file(command.ovmf_template_path, debian_ovmf_template, "--nvram-template",
                      "the package ovmf", files.no_ovmf, files.named_file_missing);
    if (store.empty())
        files.ovmf.clear();
    else
        files.ovmf_template = file(store, "--nvram-template");
}

void Stage::take_grub_disks(const BenchCommand& command, BootFiles& files) {
    const auto choose = [&](const std::string& given, const std::string& flag, bool efi,
                            std::string& reason) -> std::string {
        if (!given.empty()) {
            if (readable(given))
                return file(given, flag);
            reason = cat(flag, ' ', printable(given), ": no such file, or it is not readable");
            files.named_file_missing = true;
            return "";
        }
        for (const DiskConfig& disk : command.disks) {
            const MediaInfo media = identify_media(disk.path);
            const bool has_efi =
                std::any_of(media.partitions.begin(), media.partitions.end(), is_efi_system);
            if (efi ? has_efi : media.boot_code)
                return file(disk.path, "--disk");
        }
        reason = cat("no disk that ", efi ? "UEFI" : "a BIOS",
                     " boots; scripts/grub-disks makes one, name it with ", flag);
        return "";
    };
    files.grub_bios = choose(command.grub_bios_path, "--grub-bios", false, files.no_grub_bios);
    files.grub_uefi = choose(command.grub_uefi_path, "--grub-uefi", true, files.no_grub_uefi);
}

BootFiles Stage::files(const BenchCommand& command) {
    BootFiles files;
    files.no_bzimage = files.no_elf = "there is no --kernel";
    if (!command.kernel_path.empty())
        take_kernel(command.kernel_path, files);
    if (command.initrd_path)
        files.initrd = file(*command.initrd_path, "--initrd");
    take_firmware(command, files);
    take_grub_disks(command, files);
    return files;
}

} // namespace coldstart
