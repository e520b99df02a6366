// Unpacks what kernels are packed with, on the host: gzip (RFC 1952), bzip2, LZMA and xz with its
// BCJ filters, LZ4 in legacy frames (`lz4 -l`, what Linux uses) and in modern ones, Zstandard
// (RFC 8878).
//
// Output is bounded by `max_unpacked_bytes`; damage is an Error that names the format.
// Missing: LZO is recognised but not unpacked: the only library for it is under the GPL. A bzImage
// with an LZO payload is unpacked by its own decompressor in the guest.
#pragma once

#include "firmware-loaders/source/image_bytes.h"
#include "vmm/base/byte_size.h"
#include "vmm/base/bytes.h"

#include <string_view>

namespace coldstart {

enum class Compression { none, gzip, bzip2, lzma, xz, lzo, lz4_legacy, lz4_frame, zstd };

/// What the first bytes say (8 are enough); none when they say nothing.
Compression detect_compression(ByteView head) noexcept;

/// "gzip", "LZ4", ...
std::string_view compression_name(Compression compression) noexcept;

/// Far above any kernel (a vmlinux with debug information has about 400 MiB).
inline constexpr std::uint64_t max_unpacked_bytes = GiB;

/// A whole compressed file, with nothing but zero padding behind its data.
ImageBytes unpack_file(const ImageBytes& packed, Compression compression);

/// The payload of a bzImage: Linux's build appends the unpacked size in 4 bytes to every format
/// but gzip, which ends in it anyway (scripts/Makefile.lib, size_append).
ImageBytes unpack_linux_payload(const ImageBytes& packed, Compression compression);

} // namespace coldstart
