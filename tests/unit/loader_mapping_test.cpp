// Kernels and initrds mapped from their files: the guest's memory is what a copy would make it.
#include "firmware-loaders/kernel_cache/kernel_cache.h"
#include "firmware-loaders/placement/guest_copy.h"
#include "tests/unit/loader_images.h"
#include "vmm/runtime/guest_ram.h"

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include <sys/mman.h>

using namespace coldstart;
using namespace coldstart::images;
using Catch::Contains;

namespace {

constexpr std::uint64_t page = page_size_bytes;
constexpr std::uint64_t memory_bytes = 8 * MiB;

/// A guest whose memory can show files, as a machine's does.
struct MappedGuest {
    GuestMemory memory = map_guest_ram(std::array{Range{Gpa(0), memory_bytes}});
    Guest map_only{memory_bytes};

    BootPlan load(const std::string& kernel, const std::optional<std::string>& initrd,
                  LoadMethod method, KernelCache* cache = nullptr) {
        return load_kernel({.memory = memory,
                            .map = map_only.map,
                            .rsdp = Gpa(0xe0000),
                            .kernel_path = kernel,
                            .initrd_path = initrd,
                            .command_line = "console=ttyS0",
                            .method = method,
                            .cache = cache});
    }
    bool same_as(const MappedGuest& other) const {
        return std::memcmp(memory.range(Gpa(0), memory_bytes).data(),
                           other.memory.range(Gpa(0), memory_bytes).data(), memory_bytes) == 0;
    }
    std::uint64_t mapped_bytes() const {
        std::uint64_t sum = 0;
        for (const ByteView& range : memory.file_ranges())
            sum += range.size();
        return sum;
    }
};

std::size_t resident_pages(std::span<std::byte> memory) {
    std::vector<unsigned char> there(memory.size() / page);
    REQUIRE(::mincore(memory.data(), memory.size(), there.data()) == 0);
    return static_cast<std::size_t>(
        std::count_if(there.begin(), there.end(), [](unsigned char is) { return (is & 1) != 0; }));
}

/// Segments of more than a page, with edges that are none and a bss.
ElfBuilder large_vmlinux(bool aligned) {
    ElfBuilder elf;
    elf.aligned = aligned;
    elf.parts.push_back({0x200000, pattern(5 * page + 100), 0});
    elf.parts.push_back({0x210300, pattern(3 * page), 6 * page});
    elf.parts.push_back({0x220010, pattern(200), 0});
    elf.add_pvh_note(0x200040);
    return elf;
}

} // namespace

TEST_CASE("mapped or copied, a guest finds the same in its memory", "[loaders]") {
    TempFolder folder;
    const std::string initrd = folder.write("initrd", pattern(2 * page + 77));
    BzImageBuilder packed;
    packed.payload = linux_payload(Compression::lz4_legacy, large_vmlinux(true).build());
    BzImageBuilder closed;
    closed.payload = bytes_of("packed by something new");
    closed.payload.resize(4 * page);
    const struct {
        const char* name;
        Bytes bytes;
        std::uint64_t mapped_pages; ///< of the kernel
    } kernels[] = {
        {"aligned", large_vmlinux(true).build(), 5 + 2},
        {"unaligned", large_vmlinux(false).build(), 0},
        {"small", small_vmlinux().build(), 0},
        {"pvh32", small_pvh32().build32(), 0},
        {"bzimage", packed.build(), 0},
        {"compressed", pack_gzip(large_vmlinux(true).build()), 0},
        {"self-unpacking", closed.build(), 0},
    };
    for (const auto& kernel : kernels) {
        INFO(kernel.name);
        const std::string path = folder.write(kernel.name, kernel.bytes);
        MappedGuest copied, mapped;
        copied.load(path, initrd, LoadMethod::copy);
        mapped.load(path, initrd, LoadMethod::map);
        CHECK(copied.mapped_bytes() == 0);
        CHECK(mapped.mapped_bytes() == (kernel.mapped_pages + 2) * page);
        CHECK(mapped.same_as(copied));
        // The files are the same for the next guest, whatever this one writes.
        mapped.memory.fill(Gpa(0x200000), 4 * page, std::byte{0xee});
        MappedGuest next;
        next.load(path, initrd, LoadMethod::map);
        CHECK(next.same_as(copied));
    }
}

TEST_CASE("after a reset pristine pages are there again, zeroes behind them", "[loaders]") {
    TempFolder folder;
    const std::string initrd = folder.write("initrd", pattern(2 * page + 77));
    const std::string path = folder.write("kernel", large_vmlinux(true).build());
    for (const LoadMethod method : {LoadMethod::map, LoadMethod::copy}) {
        MappedGuest guest, fresh;
        guest.load(path, initrd, LoadMethod::map);
        guest.memory.fill(Gpa(0x200000), 0x30000, std::byte{0xee});
        guest.memory.release(Gpa(0x201000), 2 * page);
        const BootPlan plan = guest.load(path, initrd, method);
        CHECK(guest.mapped_bytes() == (method == LoadMethod::map ? 9 * page : 0));
        fresh.load(path, initrd, LoadMethod::copy);
        for (const LoadedPart& part : plan.parts) {
            INFO(part.name);
            const auto now = guest.memory.range(part.base, part.size_bytes);
            CHECK(std::memcmp(now.data(), fresh.memory.range(part.base, part.size_bytes).data(),
                              now.size()) == 0);
        }
    }
}

TEST_CASE("a file that becomes shorter while it is loaded is refused, not mapped", "[loaders]") {
    TempFolder folder;
    const std::string path = folder.write("initrd", pattern(4 * page));
    const ImageBytes image = ImageBytes::open(path, "initrd", "--initrd");
    std::filesystem::resize_file(path, 2 * page);
    const MappedGuest guest;
    for (const LoadMethod method : {LoadMethod::map, LoadMethod::copy})
        CHECK_THROWS_WITH(
            load_part(guest.memory, image, {Gpa(0x1000), 0, 4 * page, 4 * page}, method),
            Contains("initrd") && Contains("became shorter"));
}

TEST_CASE("holes of a file are zeroes in the guest, and cost it no memory", "[loaders]") {
    TempFolder folder;
    const std::string path = folder.write("kernel", pattern(100));
    std::filesystem::resize_file(path, 5 * MiB - 100);
    {
        std::ofstream file(path, std::ios::app | std::ios::binary);
        const Bytes end = pattern(100);
        file.write(reinterpret_cast<const char*>(end.data()), 100);
    }
    const ImageBytes image = ImageBytes::open(path, "kernel", "--kernel");
    if (!image.is_hole(1 * MiB, 2 * MiB)) {
        WARN("no holes in files of " << folder.path() << ": not tested");
        return;
    }
    CHECK_FALSE(image.is_hole(0, 1 * MiB));
    CHECK_FALSE(image.is_hole(4 * MiB, 1 * MiB));
    CHECK_FALSE(image.is_hole(1 * MiB, 8 * MiB)); // longer than the file
    const Bytes dense = image.copy(0, image.size_bytes());

    const auto load = [&](const GuestMemory& memory) {
        load_part(memory, image, {Gpa(1 * MiB), 0, 5 * MiB, 9 * MiB - 50}, LoadMethod::copy);
    };
    const auto is_right = [&](const GuestMemory& memory) {
        const auto loaded = memory.range(Gpa(1 * MiB), 9 * MiB - 50);
        return std::memcmp(loaded.data(), dense.data(), dense.size()) == 0 &&
               std::all_of(loaded.begin() + 5 * MiB, loaded.end(),
                           [](std::byte byte) { return byte == std::byte{0}; });
    };
    const GuestMemory fresh = map_guest_ram(std::array{Range{Gpa(0), 10 * MiB}});
    load(fresh);
    CHECK(resident_pages(fresh.range(Gpa(2 * MiB), 2 * MiB)) == 0); // the hole
    CHECK(resident_pages(fresh.range(Gpa(6 * MiB), 2 * MiB)) == 0); // behind the file's bytes
    CHECK(is_right(fresh));
    for (const GuestMemory& used : {fresh, GuestMemory::on_heap(10 * MiB)}) {
        used.fill(Gpa(0), 10 * MiB, std::byte{0xee});
        load(used);
        CHECK(is_right(used));
        CHECK(used.load<std::uint8_t>(Gpa(1 * MiB - 1)) == 0xee);
        CHECK(used.load<std::uint8_t>(Gpa(10 * MiB - 50)) == 0xee);
    }
}

TEST_CASE("memory that can't show files gets copies", "[loaders]") {
    TempFolder folder;
    const std::string path = folder.write("kernel", large_vmlinux(true).build());
    MappedGuest copied;
    copied.load(path, std::nullopt, LoadMethod::copy);
    Guest heap;
    LoadRequest request = heap.request(path);
    request.method = LoadMethod::map;
    load_kernel(request);
    CHECK(heap.memory.file_ranges().empty());
    CHECK(heap.read(0x200000, 0x30000) == [&] {
        Bytes bytes(0x30000);
        copied.memory.read(Gpa(0x200000), bytes);
        return bytes;
    }());
}

TEST_CASE("the second boot of a bzImage takes the kernel kept from the first", "[loaders]") {
    TempFolder folder;
    const std::string cache_path = folder.path() + "/kernels";
    for (const Compression compression : all_codecs) {
        INFO(compression_name(compression));
        BzImageBuilder image;
        image.payload = linux_payload(compression, large_vmlinux(true).build());
        const std::string path =
            folder.write(std::string(compression_name(compression)), image.build());
        std::this_thread::sleep_for(std::chrono::milliseconds(120));
        MappedGuest first, second;
        KernelCache cache(cache_path);
        const BootPlan unpacked = first.load(path, std::nullopt, LoadMethod::map, &cache);
        CHECK_THAT(unpacked.description, Contains("payload unpacked on the host"));
        CHECK(first.mapped_bytes() == 0);
        cache.wait();
        const BootPlan kept = second.load(path, std::nullopt, LoadMethod::map, &cache);
        CHECK_THAT(kept.description, Contains("payload kept unpacked"));
        CHECK(second.mapped_bytes() == 7 * page);
        CHECK(second.same_as(first));
        CHECK(kept.entry.rip == unpacked.entry.rip);
    }
    std::filesystem::remove_all(cache_path);
}
