#include "vmm/cli/inspect.h"

#include "firmware-loaders/kernel_cache/kernel_cache.h"
#include "vmm/base/byte_size.h"
#include "vmm/base/text.h"

#include <algorithm>
#include <utility>

namespace coldstart {
namespace {

bool disk_size_fits(const MediaInfo& media) noexcept {
    return media.size_bytes % 512 == 0;
}

std::string disk_advice(const Inspection& file) {
    const std::string name = printable(file.path);
    std::string advice = "--disk path=" + name;
    if (!disk_size_fits(file.media))
        advice += " (its last, partial sector of 512 bytes is out of the guest's reach)";
    return advice;
}

/// A root file system needs a kernel beside it: board micro boots no disk by itself.
std::string filesystem_advice(const Inspection& file) {
    const std::string& type = file.media.filesystem->type;
    if (type == "swap")
        return disk_advice(file) + ", swapon /dev/vda in the guest";
    const bool read_only = type == "squashfs" || type == "erofs";
    return disk_advice(file) + (read_only ? ",readonly=on" : "") +
           " beside --kernel; as the first disk without --initrd it is the root file system";
}

std::string partition_advice(const Inspection& file) {
    std::string advice = disk_advice(file) + " beside --kernel";
    const auto& partitions = file.media.partitions;
    const auto root = std::find_if(partitions.begin(), partitions.end(), [](const auto& partition) {
        return partition.filesystem && partition.filesystem->type.starts_with("ext");
    });
    if (root != partitions.end())
        advice += cat(", with root=/dev/vda", root->number, " in --cmdline");
    return advice + "; or --firmware FILE, which boots what the disk itself has to boot";
}

std::string advice_for(const Inspection& file) {
    switch (file.media.kind) {
    case MediaKind::initrd:
    case MediaKind::compressed:
        return "--initrd " + printable(file.path) + " beside --kernel";
    case MediaKind::filesystem:
        return filesystem_advice(file);
    case MediaKind::partitioned_disk:
        return partition_advice(file);
    case MediaKind::optical_disc:
        return "--firmware FILE --cdrom " + printable(file.path) +
               " to boot it; beside --kernel: " + disk_advice(file) + ",readonly=on";
    case MediaKind::foreign_disk:
        return "not supported as --disk; convert it: qemu-img convert -O raw " +
               printable(file.path) + " disk.raw";
    case MediaKind::firmware:
        return "--firmware " + printable(file.path);
    case MediaKind::variable_store:
        return "--nvram-template " + printable(file.path) +
               " beside --firmware and --nvram; or --nvram for this file itself";
    case MediaKind::option_rom:
        return "belongs to a device; does not boot by itself";
    case MediaKind::empty:
    case MediaKind::unknown:
        break;
    }
    return "does not boot";
}

std::string size_text(std::uint64_t size_bytes) {
    const std::string size = format_byte_size(size_bytes);
    // A size that no unit divides is easier to grasp with its round neighbour.
    if (size_bytes >= 10 * MiB && size_bytes % MiB != 0)
        return cat(size, " bytes, about ", size_bytes / MiB, 'M');
    return size_bytes == 0 || size.find_first_not_of("0123456789") == std::string::npos
               ? size + " bytes"
               : size;
}

std::string filesystem_text(const FilesystemInfo& filesystem) {
    std::string text = filesystem.type;
    if (!filesystem.label.empty())
        text += cat(", label ", filesystem.label);
    if (!filesystem.uuid.empty())
        text += cat(", UUID ", filesystem.uuid);
    return text;
}

std::string partition_text(const PartitionInfo& partition) {
    std::string text =
        cat("  partition ", partition.number, ": ", partition.type, ", ",
            size_text(partition.size_bytes), " at ", size_text(partition.start_bytes));
    if (!partition.name.empty())
        text += cat(", \"", partition.name, '"');
    if (partition.active)
        text += ", active";
    if (partition.filesystem)
        text += cat(", holds ", filesystem_text(*partition.filesystem));
    return text + '\n';
}

/// A kernel, sound or not; what is merely compressed, or an archive, is for the other recognisers.
bool is_kernel(const KernelInfo& kernel) noexcept {
    return kernel.bzimage || kernel.elf || kernel.fit || kernel.format == KernelFormat::bzimage ||
           kernel.format == KernelFormat::elf || kernel.format == KernelFormat::fit ||
           kernel.format == KernelFormat::pe_coff || kernel.format == KernelFormat::arm64_image ||
           kernel.format == KernelFormat::uimage;
}

std::string kernel_description(const KernelInfo& kernel) {
    std::string text = format_name(kernel.format);
    if (kernel.compression != Compression::none)
        text += cat(" (", compression_name(kernel.compression), ')');
    if (!kernel.version.empty())
        text += cat(", Linux ", printable(kernel.version, 200));
    return text;
}

std::string kernel_text(const KernelInfo& kernel) {
    std::string out;
    if (kernel.fit)
        out += cat("  default configuration: ", printable(kernel.fit->default_configuration, 200),
                   '\n');
    for (const std::string& name : kernel.wrong_fit_images)
        out += cat("  damaged: image ", printable(name), " does not match its hash\n");
    if (kernel.bzimage)
        out +=
            cat("  boot protocol ", protocol_text(kernel.bzimage->protocol), ", payload ",
                compression_name(kernel.bzimage->payload_compression),
                kernel.unpacked_bytes != 0 ? cat(", unpacks to ", size_text(kernel.unpacked_bytes))
                                           : "",
                '\n');
    if (kernel.elf && kernel.elf->pvh_entry)
        out += cat("  PVH entry at ", hex(*kernel.elf->pvh_entry), '\n');
    for (const std::string* problem : {&kernel.payload_problem, &kernel.problem}) {
        if (!problem->empty())
            out += cat("  problem: ", *problem, '\n');
    }
    return out;
}

std::string kernel_advice(const Inspection& file) {
    const KernelInfo& kernel = *file.kernel;
    if (kernel.protocols.empty() || !kernel.problem.empty())
        return "does not boot";
    std::string advice = cat("--kernel ", printable(file.path), " (entered by ",
                             boot_protocol_name(kernel.protocols.front()));
    for (std::size_t i = 1; i < kernel.protocols.size(); ++i)
        advice += cat("; --boot ", boot_protocol_name(kernel.protocols[i]), " works too");
    return advice + ')';
}

bool is_kept_unpacked(const std::string& path) {
    const auto folder = KernelCache::default_folder();
    return folder && KernelCache(*folder).holds(ImageBytes::open(path, "kernel", "--kernel"));
}

} // namespace

const char* boot_protocol_name(BootProtocol protocol) noexcept {
    return protocol == BootProtocol::pvh ? "pvh" : "linux";
}

Inspection inspect_file(const std::string& path) {
    Inspection file{.path = path,
                    .kernel = std::nullopt,
                    .kept_unpacked = false,
                    .media = identify_media(path),
                    .advice = ""};
    KernelInfo kernel = identify_kernel(path);
    if (is_kernel(kernel)) {
        file.kept_unpacked = kernel.format == KernelFormat::bzimage && is_kept_unpacked(path);
        const std::uint64_t size_bytes = file.media.size_bytes;
        file.media = {};
        file.media.size_bytes = size_bytes;
        file.kernel = std::move(kernel);
        file.advice = kernel_advice(file);
    } else {
        file.advice = advice_for(file);
    }
    return file;
}

std::string inspect_text(const std::string& path) {
    const Inspection file = inspect_file(path);
    const MediaInfo& media = file.media;
    std::string out = cat(printable(path), ": ",
                          file.kernel ? kernel_description(*file.kernel) : media.description, ", ",
                          size_text(media.size_bytes), '\n');
    if (file.kernel)
        out += kernel_text(*file.kernel);
    if (file.kept_unpacked)
        out += "  is kept unpacked for the next run (--kernel-cache)\n";
    if (media.filesystem)
        out += cat("  holds ", filesystem_text(*media.filesystem), '\n');
    for (const PartitionInfo& partition : media.partitions)
        out += partition_text(partition);
    if (media.boot_code)
        out += "  has boot code\n";
    for (const std::string& note : media.notes)
        out += cat("  ", note, '\n');
    return out + cat("  boots with: ", file.advice, '\n');
}

} // namespace coldstart
