// FIT, the flattened image tree (U-Boot's doc/usage/fit/source_file_format.rst; the specification
// is at fitspec.osfw.foundation): one file, a device tree blob, with kernels, RAM disks and
// configurations that name them. Written by `mkimage -f`; data inside the blob, or behind it
// (`mkimage -E`).
//
// Hashes are checked: crc32, md5, sha1, sha256, sha384, sha512.
// Missing: signatures (`signature` nodes are ignored, there is no key to check them with), device
// trees, loadables and `load`/`entry` addresses: an x86 kernel says itself where it goes.
#pragma once

#include "firmware-loaders/source/image_bytes.h"
#include "vmm/base/bytes.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace coldstart {

struct FitHash {
    std::string algorithm; ///< "sha256"
    std::vector<std::byte> value;
};

struct FitImage {
    std::string name; ///< of its node: "kernel-1"
    std::string description;
    std::string type;         ///< "kernel", "ramdisk", "flat_dt"
    std::string architecture; ///< "x86_64"
    std::string compression;  ///< "none", "gzip"
    bool external = false;    ///< behind the blob
    std::uint64_t offset = 0; ///< of the data, from the start of the file
    std::uint64_t size_bytes = 0;
    std::vector<FitHash> hashes;
};

struct FitConfiguration {
    std::string name;
    std::string description;
    std::string kernel;
    std::string ramdisk; ///< empty: none
};

struct FitBundle {
    std::string description;
    std::string default_configuration; ///< empty: none is named
    std::vector<FitImage> images;
    std::vector<FitConfiguration> configurations;
};

bool is_fit(ByteView head) noexcept;

/// A bundle read into host memory, so that what was verified is what is used.
struct LoadedFit {
    ImageBytes bytes;
    FitBundle bundle;
};

/// Reads structure and metadata; throws Error when the blob is damaged or is no FIT. Hashes are
/// not checked yet.
LoadedFit parse_fit(const ImageBytes& file);

/// The default configuration, or the only one; throws Error when there is none.
const FitConfiguration& default_configuration(const LoadedFit& fit);

/// An image's data, its hashes checked, unpacked if it is a kernel that says it is packed; throws
/// Error when the image is missing, of another type or processor, damaged, or does not match.
ImageBytes fit_image_data(const LoadedFit& fit, const std::string& name, const std::string& type);

} // namespace coldstart
