// One function a format, over the library that knows it. Each unpacks the one stream that starts
// `packed`, appends it to `out`, and returns how many bytes of `packed` the stream took. Damage
// throws Error with the library's reason, without the name of the image.
#pragma once

#include "firmware-loaders/source/host_buffer.h"
#include "vmm/base/bytes.h"

#include <cstddef>

namespace coldstart {

std::size_t decode_gzip(ByteView packed, HostBuffer& out);
std::size_t decode_bzip2(ByteView packed, HostBuffer& out);
std::size_t decode_lzma(ByteView packed, HostBuffer& out); ///< the old format, `lzma -z`
std::size_t decode_xz(ByteView packed, HostBuffer& out);
std::size_t decode_lz4_frame(ByteView packed, HostBuffer& out);
std::size_t decode_zstd(ByteView packed, HostBuffer& out);

/// Legacy LZ4 has no end mark: blocks follow until the input ends, and the last 4 bytes of a Linux
/// payload look like a block's length. A rest of exactly 4 bytes is therefore left over.
std::size_t decode_lz4_legacy(ByteView packed, HostBuffer& out);

} // namespace coldstart
