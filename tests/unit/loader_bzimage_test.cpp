#include "firmware-loaders/bzimage/bzimage.h"
#include "tests/unit/loader_images.h"

#include <catch2/catch.hpp>

using namespace coldstart;
using namespace coldstart::images;
using Catch::Contains;

namespace {

BzImage parse(const BzImageBuilder& builder) {
    return parse_bzimage(in_memory(builder.build()));
}

} // namespace

TEST_CASE("the setup header's facts are read", "[loaders]") {
    const BzImageBuilder builder = small_bzimage();
    const BzImage header = parse(builder);
    CHECK(header.protocol == 0x020f);
    CHECK(protocol_text(header.protocol) == "2.15");
    CHECK(protocol_text(0x0206) == "2.06");
    CHECK(header.version == "6.1.0-test (builder) #1");
    CHECK(header.has_64_bit_entry());
    CHECK(header.command_line_bytes == 2047);
    CHECK(header.initrd_address_max == 0x7fffffff);
    CHECK(header.alignment == 0x200000);
    CHECK(header.relocatable);
    CHECK(header.preferred_address == 0x200000);
    CHECK(header.init_bytes == 0x4000);
    CHECK(header.setup_bytes == 4 * 512);
    CHECK(header.payload_offset == 4 * 512 + 0x240);
    CHECK(header.payload_bytes == builder.payload.size());
    CHECK(header.payload_compression == Compression::lz4_legacy);
    // From 0x1f1 to 0x202 plus the jump's distance, so the sentinel at 0x1ef stays behind.
    CHECK(header.setup_header.size() == 0x202 + 0x6a - 0x1f1);
}

TEST_CASE("fields newer than the protocol are not believed", "[loaders]") {
    BzImageBuilder builder = small_bzimage();
    builder.protocol = 0x0206;
    const BzImage old = parse(builder);
    CHECK(old.payload_bytes == 0);
    CHECK(old.xload_flags == 0);
    CHECK_FALSE(old.has_64_bit_entry());
    CHECK(old.preferred_address == MiB);
    CHECK(old.init_bytes == 0);
    builder.protocol = 0x020b;
    CHECK_FALSE(parse(builder).has_64_bit_entry());
    CHECK(parse(builder).payload_bytes != 0);
    builder.protocol = 0x020c;
    CHECK(parse(builder).has_64_bit_entry());
}

TEST_CASE("kernels that can't be entered are refused by name", "[loaders]") {
    BzImageBuilder builder = small_bzimage();
    builder.protocol = 0x0205;
    CHECK_THROWS_WITH(parse(builder), Contains("boot protocol 2.05") && Contains("2.6.22"));
    builder = small_bzimage();
    builder.load_flags = 0;
    CHECK_THROWS_WITH(parse(builder), Contains("zImage"));
    Bytes no_flag = small_bzimage().build();
    no_flag[0x1fe] = std::byte{0};
    CHECK_THROWS_WITH(parse_bzimage(in_memory(no_flag)), Contains("boot sector signature"));
    Bytes short_header = small_bzimage().build();
    short_header[0x201] = std::byte{0x10};
    CHECK_THROWS_WITH(parse_bzimage(in_memory(short_header)), Contains("header is too short"));
    Bytes empty = small_bzimage().build();
    store_le(std::span(empty), 0x1f4, std::uint32_t{0});
    CHECK_THROWS_WITH(parse_bzimage(in_memory(empty)), Contains("no protected-mode part"));
}

TEST_CASE("a bzImage cut anywhere is refused", "[loaders]") {
    const Bytes whole = small_bzimage().build();
    for (std::size_t size = 1; size < whole.size(); ++size) {
        INFO(size << " of " << whole.size());
        CHECK_THROWS_AS(parse_bzimage(in_memory(ByteView(whole).first(size))), Error);
    }
    CHECK_THROWS_WITH(parse_bzimage(in_memory(ByteView(whole).first(whole.size() - 1))),
                      Contains("truncated bzImage: its header announces"));
    // Signed kernels carry a signature behind.
    Bytes longer = whole;
    longer.resize(longer.size() + 1000, std::byte{0xaa});
    CHECK_NOTHROW(parse_bzimage(in_memory(longer)));
}

TEST_CASE("a payload outside of the kernel is refused", "[loaders]") {
    for (const auto& [offset, length] :
         {std::pair{0xffffffffu, 0xffffffffu}, {0x10u, 0x7fffffffu}, {0x7fffffffu, 1u}}) {
        Bytes bytes = small_bzimage().build();
        store_le(std::span(bytes), 0x248, offset);
        store_le(std::span(bytes), 0x24c, length);
        CHECK_THROWS_WITH(parse_bzimage(in_memory(bytes)), Contains("past the kernel's end"));
    }
}

TEST_CASE("the vmlinux inside is unpacked whatever it is packed with", "[loaders]") {
    const Bytes vmlinux = small_vmlinux().build();
    for (const Compression codec : all_codecs) {
        INFO(compression_name(codec));
        const ImageBytes image = in_memory(small_bzimage(codec).build());
        const ImageBytes out = extract_vmlinux(image, parse_bzimage(image));
        CHECK(std::equal(vmlinux.begin(), vmlinux.end(), out.view().begin(), out.view().end()));
    }
}

TEST_CASE("a payload that can't be unpacked says why", "[loaders]") {
    BzImageBuilder builder = small_bzimage();
    builder.payload.clear();
    ImageBytes image = in_memory(builder.build());
    CHECK_THROWS_WITH(extract_vmlinux(image, parse_bzimage(image)), Contains("no payload"));
    builder.payload = bytes_of("what is this?");
    image = in_memory(builder.build());
    CHECK_THROWS_WITH(extract_vmlinux(image, parse_bzimage(image)), Contains("unknown way"));
    builder = small_bzimage(Compression::gzip);
    builder.payload[40] ^= std::byte{0xff};
    image = in_memory(builder.build());
    CHECK_THROWS_WITH(extract_vmlinux(image, parse_bzimage(image)), Contains("damaged"));
}

TEST_CASE("a version string without an end stays inside the setup part", "[loaders]") {
    Bytes bytes = small_bzimage().build();
    for (std::size_t i = 0x300; i < 4 * 512; ++i)
        bytes[i] = std::byte{'v'};
    CHECK(parse_bzimage(in_memory(bytes)).version.size() == 256);
    store_le(std::span(bytes), 0x20e, std::uint16_t{0xffff});
    CHECK(parse_bzimage(in_memory(bytes)).version.empty());
}
