// load_kernel() from a file to a BootPlan: both protocols, every way in, and what it refuses.
#include "firmware-loaders/pvh/start_info.h"
#include "tests/unit/loader_images.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include <asm/bootparam.h>

using namespace coldstart;
using namespace coldstart::images;
using Catch::Contains;

namespace {

struct Fixture {
    TempFolder folder;
    Guest guest;

    BootPlan load(const Bytes& kernel, BootProtocol protocol = BootProtocol::automatic) {
        return load_kernel(guest.request(folder.write("kernel", kernel), protocol));
    }
    boot_params params() const { return *guest.memory.load<boot_params>(Gpa(0x7000)); }
    bool has_part(const BootPlan& plan, const std::string& name, std::uint64_t base) const {
        return std::any_of(plan.parts.begin(), plan.parts.end(), [&](const LoadedPart& part) {
            return part.name == name && part.base == Gpa(base);
        });
    }
};

/// What the processor would translate `address` to, by the tables under `root`.
std::optional<std::uint64_t> translate(const GuestMemory& memory, Gpa root, std::uint64_t address) {
    Gpa table = root;
    for (int shift = 39; shift >= 21; shift -= 9) {
        const auto entry = memory.load<std::uint64_t>(table + ((address >> shift) & 511) * 8);
        if (!entry || (*entry & 3) != 3)
            return std::nullopt;
        if (shift == 21)
            return (*entry & 0x80) == 0
                       ? std::nullopt
                       : std::optional((*entry & ~0x1fffffull) | (address & 0x1fffff));
        table = Gpa(*entry & ~0xfffull);
    }
    return std::nullopt;
}

} // namespace

TEST_CASE("a bzImage is unpacked on the host and entered in 64-bit mode", "[loaders]") {
    Fixture f;
    const BootPlan plan = f.load(small_bzimage().build());
    CHECK(plan.protocol == BootProtocol::linux64);
    CHECK(plan.description == "bzImage 6.1.0-test, LZ4 payload unpacked on the host, 64-bit entry");
    CHECK(plan.entry.mode == EntryMode::long64);
    CHECK(plan.entry.rip == 0x200000);
    CHECK(plan.entry.rsi == 0x7000);
    CHECK(f.guest.read(0x200000, 600) == pattern(600));
    CHECK(f.has_part(plan, "kernel", 0x200000));
    CHECK(f.has_part(plan, "boot_params", 0x7000));

    const boot_params params = f.params();
    CHECK(params.hdr.header == 0x53726448);
    CHECK(params.hdr.version == 0x020f);
    CHECK(params.hdr.type_of_loader == 0xff);
    CHECK(params.hdr.init_size == 0x4000);
    CHECK(params.sentinel == 0);
    CHECK(params.acpi_rsdp_addr == 0xe0000);
    CHECK(params.hdr.cmd_line_ptr == 0x20000);
    CHECK(params.hdr.ramdisk_size == 0);
    CHECK(f.guest.read(0x20000, 14) == bytes_of(std::string_view("console=ttyS0\0", 14)));
    REQUIRE(params.e820_entries == 3);
    CHECK(params.e820_table[0].size == 0x9fc00);
    CHECK(params.e820_table[1].type == 2);
    CHECK(params.e820_table[2].addr == MiB);
    CHECK(params.e820_table[2].size == 7 * MiB);
}

TEST_CASE("the 64-bit entry has a GDT and an identity map of 4 GiB", "[loaders]") {
    Fixture f;
    const EntryState entry = f.load(small_bzimage().build()).entry;
    CHECK(entry.code_selector == 0x10);
    CHECK(entry.data_selector == 0x18);
    CHECK(entry.task_selector == 0x20);
    const auto descriptor = [&](std::uint16_t selector) {
        return *f.guest.memory.load<std::uint64_t>(entry.gdt_base + selector);
    };
    CHECK(entry.gdt_limit >= 0x2f);
    CHECK(descriptor(0) == 0);
    CHECK((descriptor(0x10) >> 53 & 1) == 1); // L
    CHECK((descriptor(0x10) >> 54 & 1) == 0); // D
    CHECK((descriptor(0x18) >> 40 & 0x9f) == 0x93);
    CHECK((descriptor(0x20) >> 40 & 0x9f) == 0x8b);
    for (const std::uint64_t address : {0x0ull, 0x7000ull, 0x200000ull, 0x3fffffffull,
                                        0x40000000ull, 0xfee00000ull, 0xffffffffull})
        CHECK(translate(f.guest.memory, entry.page_table_root, address) == address);
    CHECK_FALSE(translate(f.guest.memory, entry.page_table_root, 4 * GiB));
}

TEST_CASE("a bzImage whose payload stays closed unpacks itself in the guest", "[loaders]") {
    for (const bool damaged : {true, false}) {
        Fixture f;
        BzImageBuilder builder = small_bzimage(Compression::gzip);
        if (damaged)
            builder.payload[40] ^= std::byte{0xff};
        else
            builder.payload = bytes_of("packed by something new");
        const Bytes image = builder.build();
        const BootPlan plan = f.load(image);
        CHECK_THAT(plan.description, Contains("unpacks itself in the guest") &&
                                         Contains(damaged ? "damaged" : "unknown way"));
        CHECK(plan.entry.rip == 0x200200);
        CHECK(plan.entry.mode == EntryMode::long64);
        CHECK(f.params().hdr.code32_start == 0x200000);
        CHECK(f.guest.read(0x200000, image.size() - 2048) ==
              Bytes(image.begin() + 2048, image.end()));
        // PVH can't do that.
        CHECK_THROWS_WITH(f.load(image, BootProtocol::pvh),
                          Contains("PVH needs the kernel unpacked") && Contains("--boot linux"));
    }
}

TEST_CASE("a kernel whose linked place is taken unpacks itself elsewhere", "[loaders]") {
    Fixture f;
    f.guest.map = {{Gpa(0), 0x9fc00, MemoryKind::ram}, {Gpa(0x400000), 0x400000, MemoryKind::ram}};
    BzImageBuilder builder = small_bzimage();
    const BootPlan plan = f.load(builder.build());
    CHECK_THAT(plan.description, Contains("no room at its linked address"));
    CHECK(plan.entry.rip == 0x400200);
    CHECK(f.has_part(plan, "kernel", 0x400000));

    builder.relocatable = 0;
    CHECK_THROWS_WITH(f.load(builder.build()),
                      Contains("16384 bytes of RAM at 0x200000") && Contains("--memory"));
    builder.relocatable = 1;
    builder.init_bytes = 5 * MiB;
    CHECK_THROWS_WITH(f.load(builder.build()), Contains("or above 1 MiB"));
    builder.init_bytes = 0x4000;
    builder.alignment = 3;
    CHECK_THROWS_AS(f.load(builder.build()), Error);
}

TEST_CASE("kernels without a 64-bit entry are refused", "[loaders]") {
    Fixture f;
    BzImageBuilder builder = small_bzimage();
    builder.payload = bytes_of("closed");
    builder.xload_flags = 0;
    CHECK_THROWS_WITH(f.load(builder.build()),
                      Contains("without a 64-bit entry (protocol 2.15)") && Contains("Linux 3.8"));
    ElfBuilder old = small_pvh32();
    old.notes.clear();
    CHECK_THROWS_WITH(f.load(old.build32()), Contains("neither a 64-bit entry"));
    CHECK_THROWS_WITH(f.load(old.build32(), BootProtocol::linux64), Contains("32-bit kernel"));
    ElfBuilder lost = small_vmlinux();
    lost.entry = 0xffffffff80200000;
    CHECK_THROWS_WITH(f.load(lost.build(), BootProtocol::linux64), Contains("lies in no segment"));
}

TEST_CASE("an old kernel's payload is entered although its header names no 64-bit entry",
          "[loaders]") {
    Fixture f;
    BzImageBuilder builder = small_bzimage();
    builder.protocol = 0x020a;
    CHECK(f.load(builder.build()).entry.rip == 0x200000);
    Guest tiny(2 * MiB);
    CHECK_THROWS_WITH(load_kernel(tiny.request(f.folder.write("k", builder.build()))),
                      Contains("does not lie in guest RAM of 2M") && Contains("--memory"));
}

TEST_CASE("a vmlinux gets a header made up for it", "[loaders]") {
    Fixture f;
    const BootPlan plan = f.load(small_vmlinux().build());
    CHECK(plan.description == "ELF vmlinux, 64-bit entry");
    CHECK(plan.entry.rip == 0x200000);
    const boot_params params = f.params();
    CHECK(params.hdr.boot_flag == 0xaa55);
    CHECK(params.hdr.header == 0x53726448);
    CHECK(params.hdr.type_of_loader == 0xff);
    CHECK(params.hdr.cmdline_size == 2047);
    CHECK(params.hdr.loadflags == LOADED_HIGH);
}

TEST_CASE("compressed kernel files are unpacked first", "[loaders]") {
    for (const Compression codec : all_codecs) {
        Fixture f;
        const BootPlan plan = f.load(pack(codec, small_vmlinux().build()));
        CHECK_THAT(plan.description, Contains("file, ELF vmlinux"));
        CHECK(f.guest.read(0x201000, 100) == pattern(100));
    }
    Fixture f;
    CHECK_THROWS_WITH(f.load(pack_gzip(bytes_of("hello"))),
                      Contains("gzip data, inside of which is a text file"));
    CHECK_THROWS_WITH(f.load(pack_gzip(pack_gzip(small_vmlinux().build()))),
                      Contains("inside of which is a compressed file"));
    CHECK_THROWS_WITH(f.load(pack_gzip({})), Contains("unpacks to nothing"));
}

TEST_CASE("PVH enters in 32-bit mode with a start info", "[loaders]") {
    for (const bool bzimage : {false, true}) {
        Fixture f;
        const BootPlan plan =
            f.load(bzimage ? small_bzimage().build() : small_vmlinux().build(), BootProtocol::pvh);
        CHECK(plan.protocol == BootProtocol::pvh);
        CHECK_THAT(plan.description, Contains("PVH entry"));
        CHECK(plan.entry.mode == EntryMode::protected32);
        CHECK(plan.entry.rip == 0x200040);
        CHECK(plan.entry.rbx == 0x6000);
        const auto code = *f.guest.memory.load<std::uint64_t>(plan.entry.gdt_base + 0x10);
        CHECK((code >> 53 & 3) == 2); // D, not L
        const auto info = *f.guest.memory.load<pvh::StartInfo>(Gpa(0x6000));
        CHECK(info.magic == 0x336ec578);
        CHECK(info.version == 1);
        CHECK(info.rsdp == 0xe0000);
        CHECK(info.module_count == 0);
        CHECK(info.module_list == 0);
        CHECK(f.guest.read(info.command_line, 8) == bytes_of("console="));
        REQUIRE(info.memory_map_entries == 3);
        const auto entry = *f.guest.memory.load<pvh::MemoryMapEntry>(Gpa(info.memory_map + 2 * 24));
        CHECK(entry.base == MiB);
        CHECK(entry.size_bytes == 7 * MiB);
        CHECK(entry.type == 1);
    }
}

TEST_CASE("a PVH kernel that is not Linux is entered by PVH on its own", "[loaders]") {
    Fixture f;
    CHECK(f.load(small_pvh32().build32()).description == "ELF32, PVH entry");
    ElfBuilder wide = small_vmlinux();
    wide.map_base = 0;
    CHECK(f.load(wide.build()).protocol == BootProtocol::pvh);
    BzImageBuilder bzimage;
    bzimage.payload = linux_payload(Compression::gzip, small_pvh32().build32());
    bzimage.xload_flags = 0;
    CHECK(f.load(bzimage.build()).protocol == BootProtocol::pvh);
}

TEST_CASE("PVH without its note is refused with the remedy", "[loaders]") {
    Fixture f;
    ElfBuilder linux_only = small_vmlinux();
    linux_only.notes.clear();
    CHECK_THROWS_WITH(f.load(linux_only.build(), BootProtocol::pvh), Contains("no PVH entry") &&
                                                                         Contains("CONFIG_PVH=y") &&
                                                                         Contains("--boot linux"));
    CHECK(f.load(linux_only.build()).protocol == BootProtocol::linux64);
}

TEST_CASE("an initrd is handed over by either protocol", "[loaders]") {
    const Bytes data = pattern(5000);
    for (const BootProtocol protocol : {BootProtocol::linux64, BootProtocol::pvh}) {
        Fixture f;
        LoadRequest request =
            f.guest.request(f.folder.write("kernel", small_bzimage().build()), protocol);
        request.initrd_path = f.folder.write("initrd", data);
        const BootPlan plan = load_kernel(request);
        const std::uint64_t base = 8 * MiB - 0x2000;
        CHECK(f.has_part(plan, "initrd", base));
        CHECK(f.guest.read(base, data.size()) == data);
        if (protocol == BootProtocol::linux64) {
            CHECK(f.params().hdr.ramdisk_image == base);
            CHECK(f.params().hdr.ramdisk_size == 5000);
            CHECK(f.params().ext_ramdisk_image == 0);
        } else {
            const auto info = *f.guest.memory.load<pvh::StartInfo>(Gpa(0x6000));
            REQUIRE(info.module_count == 1);
            const auto module = *f.guest.memory.load<pvh::Module>(Gpa(info.module_list));
            CHECK(module.base == base);
            CHECK(module.size_bytes == 5000);
            CHECK(module.command_line == 0);
        }
        request.initrd_path = f.folder.path() + "/none";
        CHECK_THROWS_WITH(load_kernel(request), Contains("No such file") && Contains("--initrd"));
        request.initrd_path = f.folder.path();
        CHECK_THROWS_WITH(load_kernel(request), Contains("is a directory"));
        request.initrd_path = f.folder.write("none", {});
        CHECK_THROWS_WITH(load_kernel(request), Contains("initrd") && Contains("empty"));
        request.initrd_path = f.folder.write("big", Bytes(9 * MiB));
        CHECK_THROWS_WITH(load_kernel(request), Contains("--memory"));
    }
}

TEST_CASE("the initrd keeps out of the kernel's working space and below its limit", "[loaders]") {
    Fixture f;
    BzImageBuilder builder = small_bzimage();
    builder.payload = bytes_of("closed");
    builder.init_bytes = 6 * MiB;
    LoadRequest request = f.guest.request(f.folder.write("kernel", builder.build()));
    request.initrd_path = f.folder.write("initrd", pattern(0x1000));
    CHECK(f.has_part(load_kernel(request), "initrd", 0x1ff000));
    builder = small_bzimage();
    builder.initrd_address_max = 0x4fffff;
    request.kernel_path = f.folder.write("limited", builder.build());
    CHECK(f.has_part(load_kernel(request), "initrd", 0x4ff000));
}

TEST_CASE("the command line keeps to the kernel's limit", "[loaders]") {
    Fixture f;
    const auto load = [&](const Bytes& kernel, std::size_t size, BootProtocol protocol) {
        LoadRequest request = f.guest.request(f.folder.write("kernel", kernel), protocol);
        request.command_line = std::string(size, 'x');
        return load_kernel(request);
    };
    BzImageBuilder builder = small_bzimage();
    builder.command_line_bytes = 255;
    CHECK_NOTHROW(load(builder.build(), 255, BootProtocol::linux64));
    CHECK_THROWS_WITH(load(builder.build(), 256, BootProtocol::linux64),
                      Contains("256 bytes") && Contains("takes 255") && Contains("--cmdline"));
    const Bytes vmlinux = small_vmlinux().build();
    for (const BootProtocol protocol : {BootProtocol::linux64, BootProtocol::pvh}) {
        CHECK_NOTHROW(load(vmlinux, 2047, protocol));
        CHECK_THROWS_WITH(load(vmlinux, 2048, protocol), Contains("takes 2047"));
    }
    CHECK_NOTHROW(load(small_pvh32().build32(), 65535, BootProtocol::pvh));
    CHECK_THROWS_WITH(load(small_pvh32().build32(), 65536, BootProtocol::pvh),
                      Contains("takes 65535"));
    LoadRequest request = f.guest.request(f.folder.write("kernel", vmlinux));
    request.command_line = std::string("a\0b", 3);
    CHECK_THROWS_WITH(load_kernel(request), Contains("zero byte"));
    try {
        load(vmlinux, 5000, BootProtocol::linux64);
        FAIL("accepted");
    } catch (const Error& error) {
        CHECK(error.kind() == ErrorKind::usage);
    }
}

TEST_CASE("a memory map of up to 128 entries is handed over", "[loaders]") {
    for (const BootProtocol protocol : {BootProtocol::linux64, BootProtocol::pvh}) {
        Fixture f;
        while (f.guest.map.size() < 128)
            f.guest.map.push_back(
                {Gpa(GiB + f.guest.map.size() * MiB), 0x1000, MemoryKind::reserved});
        CHECK_NOTHROW(f.load(small_vmlinux().build(), protocol));
        if (protocol == BootProtocol::linux64) {
            CHECK(f.params().e820_entries == 128);
            CHECK(f.params().e820_table[127].addr == GiB + 127 * MiB);
        }
        f.guest.map.push_back({Gpa(4 * GiB), 0x1000, MemoryKind::reserved});
        CHECK_THROWS_WITH(f.load(small_vmlinux().build(), protocol), Contains("129 entries"));
    }
}

TEST_CASE("a kernel must keep off the low structures, which must lie in RAM", "[loaders]") {
    Fixture f;
    ElfBuilder low = small_vmlinux();
    low.parts[0].physical = 0x7800;
    low.entry = 0x7800;
    low.notes.clear();
    CHECK_THROWS_WITH(f.load(low.build()), Contains("overlaps boot_params"));
    f.guest.map[0].size_bytes = 0x7000;
    CHECK_THROWS_WITH(f.load(small_vmlinux().build()), Contains("does not lie in guest RAM"));
}

TEST_CASE("files that are no kernels are named for what they are", "[loaders]") {
    Fixture f;
    Bytes pe(1024);
    pe[0] = std::byte{'M'};
    pe[1] = std::byte{'Z'};
    CHECK_THROWS_WITH(f.load(pe), Contains("PE/COFF") && Contains("UEFI firmware"));
    store_le(std::span(pe), 0x38, std::uint32_t{0x644d5241});
    CHECK_THROWS_WITH(f.load(pe), Contains("ARM64"));
    CHECK_THROWS_WITH(f.load(bytes_of("#!/bin/sh\necho hello\n")), Contains("text file"));
    CHECK_THROWS_WITH(f.load(bytes_of("070701000000")), Contains("cpio") && Contains("--initrd"));
    CHECK_THROWS_WITH(f.load(bytes_of("\x27\x05\x19\x56 old")), Contains("uImage"));
    CHECK_THROWS_WITH(f.load(Bytes(100)), Contains("nothing known") && Contains("bzImage"));
}

TEST_CASE("an image cut anywhere is never accepted", "[loaders]") {
    Fixture f;
    const std::string path = f.folder.expect("cut");
    for (const Bytes& whole :
         {small_bzimage().build(), small_vmlinux().build(), pack_gzip(small_vmlinux().build())}) {
        f.folder.write("cut", whole);
        CHECK_NOTHROW(load_kernel(f.guest.request(path)));
        for (std::size_t size = whole.size(); size-- > 0;) {
            REQUIRE(::truncate(path.c_str(), static_cast<off_t>(size)) == 0);
            INFO(size << " of " << whole.size());
            CHECK_THROWS_AS(load_kernel(f.guest.request(path)), Error);
        }
    }
}
