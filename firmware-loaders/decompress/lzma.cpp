#include "firmware-loaders/decompress/codecs.h"
#include "vmm/base/byte_size.h"
#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <lzma.h>

namespace coldstart {
namespace {

constexpr std::uint64_t chunk_bytes = MiB;

/// Dictionaries: Linux packs with 32 MiB or less (scripts/xz_wrap.sh: up to 128 MiB); a hostile
/// header may ask for 4 GiB.
constexpr std::uint64_t dictionary_memory_bytes = 256 * MiB;

struct Decoder {
    lzma_stream stream = LZMA_STREAM_INIT;
    Decoder() = default;
    ~Decoder() { lzma_end(&stream); }
    Decoder(const Decoder&) = delete;
    Decoder& operator=(const Decoder&) = delete;
};

const char* reason(lzma_ret status) noexcept {
    switch (status) {
    case LZMA_MEMLIMIT_ERROR:
        return "its dictionary is larger than 256M";
    case LZMA_MEM_ERROR:
        return "no host memory for its dictionary";
    case LZMA_OPTIONS_ERROR:
        return "it uses a filter liblzma doesn't know";
    case LZMA_FORMAT_ERROR:
        return "it has no valid header";
    case LZMA_DATA_ERROR:
        return "wrong contents or check sum";
    default:
        return "no reason given";
    }
}

std::size_t run(Decoder& decoder, ByteView packed, HostBuffer& out, const char* format) {
    lzma_stream& stream = decoder.stream;
    stream.next_in = reinterpret_cast<const std::uint8_t*>(packed.data());
    stream.avail_in = packed.size();
    for (;;) {
        const auto space = out.space(chunk_bytes);
        stream.next_out = reinterpret_cast<std::uint8_t*>(space.data());
        stream.avail_out = space.size();
        const lzma_ret status = lzma_code(&stream, LZMA_RUN);
        out.commit(space.size() - stream.avail_out);
        if (status == LZMA_STREAM_END)
            return packed.size() - stream.avail_in;
        if (status == LZMA_BUF_ERROR)
            throw Error(cat("the ", format, " data ends too early"));
        if (status != LZMA_OK)
            throw Error(cat("the ", format, " data is damaged (", reason(status), ")"));
    }
}

} // namespace

std::size_t decode_lzma(ByteView packed, HostBuffer& out) {
    Decoder decoder;
    if (lzma_alone_decoder(&decoder.stream, dictionary_memory_bytes) != LZMA_OK)
        throw Error("liblzma can't start");
    return run(decoder, packed, out, "LZMA");
}

std::size_t decode_xz(ByteView packed, HostBuffer& out) {
    Decoder decoder;
    if (lzma_stream_decoder(&decoder.stream, dictionary_memory_bytes, 0) != LZMA_OK)
        throw Error("liblzma can't start");
    return run(decoder, packed, out, "xz");
}

} // namespace coldstart
