#include "firmware-loaders/decompress/codecs.h"
#include "vmm/base/byte_size.h"
#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <algorithm>
#include <memory>

#include <lz4.h>
#include <lz4frame.h>
#include <zstd.h>

namespace coldstart {
namespace {

constexpr std::uint64_t chunk_bytes = MiB;

/// The fixed block size of the legacy format (lz4_Frame_format.md, "Legacy frame").
constexpr std::uint64_t legacy_block_bytes = 8 * MiB;
constexpr std::size_t legacy_magic_bytes = 4;

/// No LZ4 sequence yields more than 255 bytes a byte of input; spares setting 8 MiB aside for a
/// block of a few bytes.
std::uint64_t largest_output(std::uint64_t packed_bytes) noexcept {
    return std::min(legacy_block_bytes, packed_bytes * 255 + 64);
}

struct FreeLz4 {
    void operator()(LZ4F_dctx* context) const noexcept { LZ4F_freeDecompressionContext(context); }
};
struct FreeZstd {
    void operator()(ZSTD_DCtx* context) const noexcept { ZSTD_freeDCtx(context); }
};

} // namespace

std::size_t decode_lz4_legacy(ByteView packed, HostBuffer& out) {
    std::size_t taken = std::min(legacy_magic_bytes, packed.size());
    while (packed.size() - taken != 0 && packed.size() - taken != sizeof(std::uint32_t)) {
        if (packed.size() - taken < sizeof(std::uint32_t))
            throw Error("the LZ4 data ends too early");
        const auto block_bytes = load_le<std::uint32_t>(packed, taken);
        const std::size_t left = packed.size() - taken - sizeof block_bytes;
        if (block_bytes > left)
            throw Error("the LZ4 data ends too early");
        if (block_bytes == 0 || block_bytes > legacy_block_bytes * 2)
            throw Error("the LZ4 data is damaged (impossible block length)");
        const auto space = out.space(largest_output(block_bytes));
        const int got = LZ4_decompress_safe(
            reinterpret_cast<const char*>(packed.data() + taken + sizeof block_bytes),
            reinterpret_cast<char*>(space.data()), static_cast<int>(block_bytes),
            static_cast<int>(std::min<std::uint64_t>(space.size(), legacy_block_bytes)));
        if (got < 0)
            throw Error("the LZ4 data is damaged (a block does not unpack)");
        out.commit(static_cast<std::uint64_t>(got));
        taken += sizeof block_bytes + block_bytes;
    }
    return taken;
}

std::size_t decode_lz4_frame(ByteView packed, HostBuffer& out) {
    LZ4F_dctx* raw = nullptr;
    if (LZ4F_isError(LZ4F_createDecompressionContext(&raw, LZ4F_VERSION)))
        throw Error("liblz4 can't start");
    const std::unique_ptr<LZ4F_dctx, FreeLz4> context(raw);
    std::size_t taken = 0;
    for (;;) {
        const auto space = out.space(chunk_bytes);
        std::size_t written = space.size();
        std::size_t used = packed.size() - taken;
        const std::size_t next = LZ4F_decompress(context.get(), space.data(), &written,
                                                 packed.data() + taken, &used, nullptr);
        if (LZ4F_isError(next))
            throw Error(cat("the LZ4 data is damaged (", LZ4F_getErrorName(next), ")"));
        taken += used;
        out.commit(written);
        if (next == 0)
            return taken;
        if (used == 0 && written == 0)
            throw Error("the LZ4 data ends too early");
    }
}

std::size_t decode_zstd(ByteView packed, HostBuffer& out) {
    const std::unique_ptr<ZSTD_DCtx, FreeZstd> context(ZSTD_createDCtx());
    if (context == nullptr)
        throw Error("libzstd can't start");
    ZSTD_inBuffer in{packed.data(), packed.size(), 0};
    for (;;) {
        const auto space = out.space(chunk_bytes);
        ZSTD_outBuffer unpacked{space.data(), space.size(), 0};
        const std::size_t before = in.pos;
        const std::size_t next = ZSTD_decompressStream(context.get(), &unpacked, &in);
        if (ZSTD_isError(next))
            throw Error(cat("the Zstandard data is damaged (", ZSTD_getErrorName(next), ")"));
        out.commit(unpacked.pos);
        if (next == 0)
            return in.pos;
        if (in.pos == before && unpacked.pos == 0)
            throw Error("the Zstandard data ends too early");
    }
}

} // namespace coldstart
