#include "firmware-loaders/fit/fit_bundle.h"

#include "firmware-loaders/decompress/decompress.h"
#include "firmware-loaders/fit/digest.h"
#include "vmm/base/byte_size.h"
#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <string_view>

#include <libfdt.h>

namespace coldstart {
namespace {

constexpr std::size_t max_text_bytes = 200;

[[noreturn]] void refuse(const ImageBytes& file, const std::string& problem,
                         const std::string& remedy = "make the bundle again with mkimage") {
    throw Error(cat(file.name(), ": ", problem), remedy);
}

/// The blob and what every reader of it needs; libfdt's own checks have passed.
class Tree {
  public:
    Tree(const ImageBytes& file, const void* blob) noexcept : file_(file), blob_(blob) {}

    ByteView property(int node, const char* name) const noexcept {
        int length = 0;
        const void* value = fdt_getprop(blob_, node, name, &length);
        if (value == nullptr || length < 0)
            return {};
        return {static_cast<const std::byte*>(value), static_cast<std::size_t>(length)};
    }
    bool has(int node, const char* name) const noexcept {
        return fdt_getprop(blob_, node, name, nullptr) != nullptr;
    }
    /// The first string of a property, or nothing.
    std::string text(int node, const char* name) const {
        const ByteView value = property(node, name);
        const std::string_view all(reinterpret_cast<const char*>(value.data()), value.size());
        const std::size_t end = all.find('\0');
        return end == std::string_view::npos ? "" : printable(all.substr(0, end), max_text_bytes);
    }
    /// A number of one or two big-endian cells.
    std::optional<std::uint64_t> number(int node, const char* name) const noexcept {
        const ByteView value = property(node, name);
        if (value.size() != 4 && value.size() != 8)
            return std::nullopt;
        std::uint64_t number = 0;
        for (const std::byte byte : value)
            number = number << 8 | std::to_integer<std::uint64_t>(byte);
        return number;
    }
    std::string name(int node) const {
        const char* text = fdt_get_name(blob_, node, nullptr);
        return text == nullptr ? "" : printable(text, max_text_bytes);
    }
    std::vector<int> children(int node) const {
        std::vector<int> nodes;
        for (int child = fdt_first_subnode(blob_, node); child >= 0;
             child = fdt_next_subnode(blob_, child))
            nodes.push_back(child);
        return nodes;
    }
    int find(const char* path) const {
        const int node = fdt_path_offset(blob_, path);
        if (node < 0)
            refuse(file_, cat("a device tree without a ", path, " node is no FIT bundle"));
        return node;
    }
    std::uint64_t offset_of(ByteView value) const noexcept {
        return static_cast<std::uint64_t>(value.data() - static_cast<const std::byte*>(blob_));
    }
    std::uint64_t total_bytes() const noexcept { return fdt_totalsize(blob_); }

  private:
    const ImageBytes& file_;
    const void* blob_;
};

/// Where an image's data is: in its `data` property; behind the blob by `data-offset`, counted
/// from the blob's end rounded up to 4; or at `data-position` from the start of the file.
void find_data(const ImageBytes& file, const Tree& tree, int node, FitImage& image) {
    if (tree.has(node, "data")) {
        const ByteView data = tree.property(node, "data");
        image.offset = tree.offset_of(data);
        image.size_bytes = data.size();
        return;
    }
    const auto size = tree.number(node, "data-size");
    const auto position = tree.number(node, "data-position");
    const auto offset = tree.number(node, "data-offset");
    if (!size || (!position && !offset))
        refuse(file, cat("image ", image.name, " has no data"));
    const std::uint64_t base = position ? 0 : align_up(tree.total_bytes(), 4);
    const std::uint64_t relative = position ? *position : *offset;
    if (relative > file.size_bytes() || !range_inside(base + relative, *size, file.size_bytes()))
        refuse(file,
               cat("the data of image ", image.name, " goes past the end of the file's ",
                   file.size_bytes(), " bytes"),
               "the bundle is truncated: copy it again");
    image.external = true;
    image.offset = base + relative;
    image.size_bytes = *size;
}

FitImage read_image(const ImageBytes& file, const Tree& tree, int node) {
    FitImage image;
    image.name = tree.name(node);
    image.description = tree.text(node, "description");
    image.type = tree.text(node, "type");
    image.architecture = tree.text(node, "arch");
    image.compression = tree.text(node, "compression");
    find_data(file, tree, node, image);
    for (const int child : tree.children(node)) {
        if (!tree.name(child).starts_with("hash"))
            continue;
        const ByteView value = tree.property(child, "value");
        image.hashes.push_back({tree.text(child, "algo"), {value.begin(), value.end()}});
    }
    return image;
}

FitConfiguration read_configuration(const Tree& tree, int node) {
    return {tree.name(node), tree.text(node, "description"), tree.text(node, "kernel"),
            tree.text(node, "ramdisk")};
}

void check_hashes(const ImageBytes& file, const FitImage& image, ByteView data) {
    for (const FitHash& hash : image.hashes) {
        const auto value = digest(hash.algorithm, data);
        if (!value)
            refuse(file,
                   cat("image ", image.name, " has a hash of the unknown kind \"", hash.algorithm,
                       "\""),
                   "use crc32, md5, sha1, sha256, sha384 or sha512");
        if (*value != hash.value)
            refuse(file, cat("image ", image.name, " does not match its ", hash.algorithm, " hash"),
                   "the bundle is damaged: copy or make it again");
    }
}

Compression compression_of(const ImageBytes& file, const FitImage& image, ByteView data) {
    if (image.compression.empty() || image.compression == "none")
        return Compression::none;
    constexpr std::array<std::string_view, 6> known{"gzip", "bzip2", "lzma", "lzo", "lz4", "zstd"};
    if (std::find(known.begin(), known.end(), image.compression) == known.end())
        refuse(
            file,
            cat("image ", image.name, " has the unknown compression \"", image.compression, "\""),
            "use none, gzip, bzip2, lzma, lz4 or zstd");
    const Compression found = detect_compression(data);
    if (found == Compression::none)
        refuse(file, cat("image ", image.name, " is marked as packed with ", image.compression,
                         ", its data is not"));
    return found;
}

} // namespace

bool is_fit(ByteView head) noexcept {
    // FDT_MAGIC, big-endian.
    constexpr std::array<unsigned char, 4> magic{0xd0, 0x0d, 0xfe, 0xed};
    return head.size() >= magic.size() && std::memcmp(head.data(), magic.data(), 4) == 0;
}

LoadedFit parse_fit(const ImageBytes& file) {
    if (file.size_bytes() > max_unpacked_bytes)
        refuse(file, "a FIT bundle of more than 1 GiB", "use a smaller bundle");
    LoadedFit fit{file.in_host_memory(), {}};
    const ByteView bytes = fit.bytes.view();
    if (bytes.size() < sizeof(fdt_header))
        refuse(file, "damaged FIT bundle: shorter than its header", "copy it again");
    if (fdt_totalsize(bytes.data()) > bytes.size())
        refuse(file,
               cat("truncated FIT bundle: its header announces ", fdt_totalsize(bytes.data()),
                   " bytes, the file has ", bytes.size()),
               "copy it again");
    if (const int status = fdt_check_full(bytes.data(), bytes.size()); status != 0)
        refuse(file, cat("damaged FIT bundle (", fdt_strerror(status), ")"), "copy it again");

    const Tree tree(fit.bytes, bytes.data());
    fit.bundle.description = tree.text(0, "description");
    for (const int node : tree.children(tree.find("/images")))
        fit.bundle.images.push_back(read_image(file, tree, node));
    const int configurations = tree.find("/configurations");
    fit.bundle.default_configuration = tree.text(configurations, "default");
    for (const int node : tree.children(configurations))
        fit.bundle.configurations.push_back(read_configuration(tree, node));
    return fit;
}

const FitConfiguration& default_configuration(const LoadedFit& fit) {
    const auto& all = fit.bundle.configurations;
    const std::string& wanted = fit.bundle.default_configuration;
    if (wanted.empty() && all.size() == 1)
        return all.front();
    if (wanted.empty())
        refuse(fit.bytes, cat("has ", all.size(), " configurations and no default"),
               "name one in the `default` property of /configurations");
    const auto found = std::find_if(all.begin(), all.end(), [&](const FitConfiguration& candidate) {
        return candidate.name == wanted;
    });
    if (found == all.end())
        refuse(fit.bytes, cat("its default configuration ", wanted, " is missing"));
    return *found;
}

ImageBytes fit_image_data(const LoadedFit& fit, const std::string& name, const std::string& type) {
    const auto& images = fit.bundle.images;
    const auto image = std::find_if(images.begin(), images.end(), [&](const FitImage& candidate) {
        return candidate.name == name;
    });
    if (name.empty() || image == images.end())
        refuse(fit.bytes, name.empty() ? cat("its configuration names no ", type)
                                       : cat("its configuration names the ", type, " ", name,
                                             ", which is missing"));
    if (image->type != type && !(type == "kernel" && image->type == "kernel_noload"))
        refuse(fit.bytes, cat("image ", name, " is of type \"", image->type, "\", not ", type));
    if (type == "kernel" && image->architecture != "x86_64" && image->architecture != "x86")
        refuse(fit.bytes,
               cat("kernel ", name, " is for the processor \"", image->architecture, "\""),
               "make a bundle with arch = \"x86_64\"");
    if (image->size_bytes == 0)
        refuse(fit.bytes, cat("image ", name, " is empty"));
    ImageBytes data = fit.bytes.slice(image->offset, image->size_bytes, cat("image ", name))
                          .named(cat(fit.bytes.name(), " (image ", name, ")"));
    check_hashes(fit.bytes, *image, data.view());
    // The kernel unpacks a RAM disk itself, whatever its node says, as with U-Boot.
    if (type != "kernel")
        return data;
    const Compression compression = compression_of(fit.bytes, *image, data.view());
    return compression == Compression::none ? data : unpack_file(data, compression);
}

} // namespace coldstart
