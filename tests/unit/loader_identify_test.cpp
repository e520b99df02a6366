#include "firmware-loaders/identify/kernel_info.h"
#include "tests/unit/loader_images.h"

#include <catch2/catch.hpp>

using namespace coldstart;
using namespace coldstart::images;
using Catch::Contains;

namespace {

KernelInfo identify(const Bytes& bytes) {
    TempFolder folder;
    return identify_kernel(folder.write("kernel", bytes));
}

} // namespace

TEST_CASE("a bzImage is described with what is inside", "[loaders]") {
    const KernelInfo info = identify(small_bzimage(Compression::zstd).build());
    CHECK(info.format == KernelFormat::bzimage);
    CHECK(info.version == "6.1.0-test (builder) #1");
    REQUIRE(info.bzimage);
    CHECK(info.bzimage->payload_compression == Compression::zstd);
    CHECK(info.unpacked_bytes == small_vmlinux().build().size());
    REQUIRE(info.elf);
    CHECK(info.elf->pvh_entry == 0x200040u);
    CHECK(info.protocols == std::vector{BootProtocol::linux64, BootProtocol::pvh});
    CHECK(info.problem.empty());
    CHECK(info.payload_problem.empty());
}

TEST_CASE("a bzImage that only the guest can unpack still boots one way", "[loaders]") {
    BzImageBuilder builder;
    builder.payload = bytes_of("secret");
    const KernelInfo info = identify(builder.build());
    CHECK_THAT(info.payload_problem, Contains("unknown way"));
    CHECK(info.protocols == std::vector{BootProtocol::linux64});
    CHECK(info.problem.empty());
    builder.xload_flags = 0;
    CHECK_THAT(identify(builder.build()).problem, Contains("neither"));
}

TEST_CASE("a vmlinux tells its version by its banner", "[loaders]") {
    ElfBuilder builder = small_vmlinux();
    const Bytes banner = bytes_of("Linux version %s\n Linux version 5.10.7 (me@here) #3 SMP\n");
    auto& text = builder.parts[0].bytes;
    text.insert(text.end(), banner.begin(), banner.end());
    const KernelInfo plain = identify(builder.build());
    CHECK(plain.format == KernelFormat::elf);
    CHECK(plain.version == "5.10.7 (me@here) #3 SMP");
    const KernelInfo packed = identify(pack_xz(builder.build()));
    CHECK(packed.format == KernelFormat::compressed);
    CHECK(packed.compression == Compression::xz);
    CHECK(packed.unpacked_bytes == builder.build().size());
    CHECK(packed.version == plain.version);
}

TEST_CASE("what is no kernel is described and called a problem", "[loaders]") {
    const KernelInfo text = identify(bytes_of("hello\n"));
    CHECK(text.format == KernelFormat::text);
    CHECK_THAT(text.problem, Contains("is a text file"));
    CHECK(text.protocols.empty());
    CHECK_THAT(identify(Bytes(3, std::byte{0x1f})).problem, Contains("nothing known"));
    Bytes cut = small_bzimage().build();
    cut.pop_back();
    CHECK_THAT(identify(cut).problem, Contains("truncated bzImage"));
    CHECK_THROWS_AS(identify_kernel("/nonexistent/kernel"), Error);
}

TEST_CASE("a PVH kernel that is not Linux offers PVH alone", "[loaders]") {
    CHECK(identify(small_pvh32().build32()).protocols == std::vector{BootProtocol::pvh});
}

TEST_CASE("a bundle's wrong hashes are found wherever they are", "[loaders]") {
    FitBuilder fit;
    FitNode kernel;
    kernel.data = small_vmlinux().build();
    FitNode unused = kernel;
    unused.name = "kernel-2";
    unused.hash_algorithm = "crc32";
    unused.hash = Bytes(4);
    fit.nodes = {kernel, unused};
    const KernelInfo info = identify(fit.build());
    CHECK(info.format == KernelFormat::fit);
    CHECK(info.wrong_fit_images == std::vector<std::string>{"kernel-2"});
    CHECK(info.problem.empty());
    CHECK(info.protocols.front() == BootProtocol::linux64);
}
