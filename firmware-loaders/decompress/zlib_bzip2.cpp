#include "firmware-loaders/decompress/codecs.h"
#include "vmm/base/byte_size.h"
#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <algorithm>
#include <limits>

#include <bzlib.h>
#include <zlib.h>

namespace coldstart {
namespace {

constexpr std::uint64_t chunk_bytes = MiB;

/// Both libraries count in 32 bits, so long input and output are handed over in pieces.
unsigned clamp_to_unsigned(std::size_t size) noexcept {
    return static_cast<unsigned>(
        std::min<std::size_t>(size, std::numeric_limits<unsigned>::max() / 2));
}

/// zlib and bzip2 take their input as non-const for historical reasons; neither writes to it.
template <typename T>
T* input_pointer(const std::byte* bytes) noexcept {
    return reinterpret_cast<T*>(const_cast<std::byte*>(bytes));
}

struct Inflater {
    z_stream stream{};
    Inflater() {
        // 15 + 16: the largest window, gzip wrapping only.
        if (inflateInit2(&stream, 15 + 16) != Z_OK)
            throw Error("zlib can't start");
    }
    ~Inflater() { inflateEnd(&stream); }
    Inflater(const Inflater&) = delete;
    Inflater& operator=(const Inflater&) = delete;
};

struct Bunzipper {
    bz_stream stream{};
    Bunzipper() {
        if (BZ2_bzDecompressInit(&stream, 0, 0) != BZ_OK)
            throw Error("libbz2 can't start");
    }
    ~Bunzipper() { BZ2_bzDecompressEnd(&stream); }
    Bunzipper(const Bunzipper&) = delete;
    Bunzipper& operator=(const Bunzipper&) = delete;
};

} // namespace

std::size_t decode_gzip(ByteView packed, HostBuffer& out) {
    Inflater inflater;
    z_stream& stream = inflater.stream;
    std::size_t taken = 0;
    for (;;) {
        const auto space = out.space(chunk_bytes);
        stream.next_in = input_pointer<Bytef>(packed.data() + taken);
        stream.avail_in = clamp_to_unsigned(packed.size() - taken);
        stream.next_out = reinterpret_cast<Bytef*>(space.data());
        stream.avail_out = clamp_to_unsigned(space.size());
        const unsigned offered_in = stream.avail_in;
        const unsigned offered_out = stream.avail_out;
        const int status = inflate(&stream, Z_NO_FLUSH);
        const bool moved = stream.avail_in != offered_in || stream.avail_out != offered_out;
        taken += offered_in - stream.avail_in;
        out.commit(offered_out - stream.avail_out);
        if (status == Z_STREAM_END)
            return taken;
        if (status == Z_BUF_ERROR || (status == Z_OK && !moved))
            throw Error("the gzip data ends too early");
        if (status != Z_OK)
            throw Error(cat("the gzip data is damaged (",
                            stream.msg != nullptr ? stream.msg : "no reason given", ")"));
    }
}

std::size_t decode_bzip2(ByteView packed, HostBuffer& out) {
    Bunzipper bunzipper;
    bz_stream& stream = bunzipper.stream;
    std::size_t taken = 0;
    for (;;) {
        const auto space = out.space(chunk_bytes);
        stream.next_in = input_pointer<char>(packed.data() + taken);
        stream.avail_in = clamp_to_unsigned(packed.size() - taken);
        stream.next_out = reinterpret_cast<char*>(space.data());
        stream.avail_out = clamp_to_unsigned(space.size());
        const unsigned offered_in = stream.avail_in;
        const unsigned offered_out = stream.avail_out;
        const int status = BZ2_bzDecompress(&stream);
        const bool moved = stream.avail_in != offered_in || stream.avail_out != offered_out;
        taken += offered_in - stream.avail_in;
        out.commit(offered_out - stream.avail_out);
        if (status == BZ_STREAM_END)
            return taken;
        if (status != BZ_OK)
            throw Error(cat("the bzip2 data is damaged (libbz2 error ", status, ")"));
        if (!moved)
            throw Error("the bzip2 data ends too early");
    }
}

} // namespace coldstart
