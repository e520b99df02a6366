#include "firmware-loaders/decompress/codecs.h"
#include "tests/unit/loader_images.h"

#include <catch2/catch.hpp>

using namespace coldstart;
using namespace coldstart::images;
using Catch::Contains;

TEST_CASE("every format unpacks to what was packed", "[loaders]") {
    const Bytes plain = pattern(300 * KiB + 77);
    for (const Compression codec : all_codecs) {
        INFO(compression_name(codec));
        const Bytes packed = pack(codec, plain);
        REQUIRE(detect_compression(packed) == codec);
        const ImageBytes file = unpack_file(in_memory(packed), codec);
        CHECK(std::equal(plain.begin(), plain.end(), file.view().begin(), file.view().end()));
        const ImageBytes payload =
            unpack_linux_payload(in_memory(linux_payload(codec, plain)), codec);
        CHECK(std::equal(plain.begin(), plain.end(), payload.view().begin(), payload.view().end()));
    }
}

TEST_CASE("legacy LZ4 has blocks of 8 MiB", "[loaders]") {
    const Bytes plain = pattern(17 * MiB);
    const ImageBytes out = unpack_linux_payload(
        in_memory(linux_payload(Compression::lz4_legacy, plain)), Compression::lz4_legacy);
    CHECK(std::equal(plain.begin(), plain.end(), out.view().begin(), out.view().end()));
}

TEST_CASE("compressed data cut anywhere is refused", "[loaders]") {
    const Bytes plain = pattern(2000);
    for (const Compression codec : all_codecs) {
        const Bytes packed = pack(codec, plain);
        for (std::size_t size = 9; size < packed.size(); ++size) {
            INFO(compression_name(codec) << " " << size << " of " << packed.size());
            const ImageBytes cut = in_memory(ByteView(packed).first(size));
            CHECK_THROWS_AS(unpack_file(cut, codec), Error);
        }
    }
}

TEST_CASE("damage and strange ends of compressed data are refused", "[loaders]") {
    const Bytes plain = pattern(5000);
    for (const Compression codec : {Compression::gzip, Compression::xz, Compression::bzip2}) {
        INFO(compression_name(codec));
        Bytes packed = pack(codec, plain);
        packed[packed.size() / 2] ^= std::byte{0x10};
        CHECK_THROWS_WITH(unpack_file(in_memory(packed), codec), Contains("damaged"));
    }
    Bytes padded = pack_gzip(plain);
    padded.resize(padded.size() + 100);
    CHECK(unpack_file(in_memory(padded), Compression::gzip).size_bytes() == plain.size());
    padded.push_back(std::byte{1});
    CHECK_THROWS_WITH(unpack_file(in_memory(padded), Compression::gzip),
                      Contains("101 bytes follow"));

    Bytes wrong_size = linux_payload(Compression::zstd, plain);
    wrong_size[wrong_size.size() - 3] ^= std::byte{1};
    CHECK_THROWS_WITH(unpack_linux_payload(in_memory(wrong_size), Compression::zstd),
                      Contains("where its trailer says"));
    const Bytes lzo = bytes_of(std::string_view("\x89LZO\0\r\n\x1a\nxxxxxxxx", 17));
    REQUIRE(detect_compression(lzo) == Compression::lzo);
    CHECK_THROWS_WITH(unpack_file(in_memory(lzo), Compression::lzo),
                      Contains("LZO compression can't be unpacked"));
    CHECK(detect_compression(bytes_of("plain text")) == Compression::none);
    CHECK(detect_compression({}) == Compression::none);
}

TEST_CASE("a decompression bomb stops at the limit", "[loaders]") {
    const Bytes zeros(6 * MiB);
    using Decode = std::size_t (*)(ByteView, HostBuffer&);
    const std::pair<Compression, Decode> decoders[] = {
        {Compression::gzip, decode_gzip},           {Compression::bzip2, decode_bzip2},
        {Compression::lzma, decode_lzma},           {Compression::xz, decode_xz},
        {Compression::lz4_frame, decode_lz4_frame}, {Compression::zstd, decode_zstd}};
    for (const auto& [codec, decode] : decoders) {
        INFO(compression_name(codec));
        const Bytes bomb = pack(codec, zeros);
        HostBuffer out(1, MiB);
        CHECK_THROWS_WITH(decode(bomb, out), Contains("more than 1M"));
    }
    // Legacy LZ4 sees a block that does not fit instead.
    HostBuffer out(1, MiB);
    CHECK_THROWS_AS(decode_lz4_legacy(pack_lz4_legacy(zeros), out), Error);
}
