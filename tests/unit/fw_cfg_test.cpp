#include "devices/fw_cfg/fw_cfg.h"
#include "tests/fakes/fakes.h"
#include "tests/fakes/fw_cfg_guest.h"
#include "vmm/base/byte_size.h"
#include "vmm/base/error.h"

#include <array>
#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <tuple>

using namespace coldstart;
using namespace coldstart::fakes;

namespace {

constexpr std::uint32_t op_failed = 1, op_read = 2, op_skip = 4, op_select = 8, op_write = 16;

std::vector<std::byte> bytes_of(std::string_view text) {
    const auto bytes = std::as_bytes(std::span(text));
    return {bytes.begin(), bytes.end()};
}

std::string text_of(ByteView bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

struct Bench {
    explicit Bench(const FwCfgItems& given) : device(given, memory, clock) {}
    GuestMemory memory = GuestMemory::on_heap(64 * KiB);
    FakeClock clock;
    FwCfg device;
    FwCfgGuest guest{device, memory};
};

struct Listener final : FwCfgObserver {
    void item_read(std::uint16_t key, std::string_view name,
                   std::uint64_t now_ns) noexcept override {
        heard.emplace_back(key, std::string(name), now_ns);
    }
    std::vector<std::tuple<std::uint16_t, std::string, std::uint64_t>> heard;
};

} // namespace

TEST_CASE("fw_cfg says what it is", "[fw_cfg]") {
    const FwCfgItems items;
    Bench bench(items);
    CHECK(text_of(bench.guest.read_port(4)) == "QEMU"); // selected at power-on
    bench.guest.select(0);
    CHECK(text_of(bench.guest.read_port(6)) == std::string("QEMU\0\0", 6));
    CHECK(bench.guest.number<std::uint32_t>(1) == 3);
    CHECK(bench.guest.directory().empty());
    CHECK(bench.device.read(1, 0, 4) == 0x554d4551); // "QEMU" in memory order
    CHECK(bench.device.read(1, 4, 4) == 0x47464320);
    CHECK(bench.device.read(1, 5, 1) == 'C');
    CHECK(bench.device.read(0, 0, 2) == 0xffff); // the selector can't be read
}

TEST_CASE("fw_cfg items are read by port and by DMA", "[fw_cfg]") {
    FwCfgItems items;
    items.add_number(0x05, std::uint16_t{4});
    items.add(0x8004, bytes_of("hpet"));
    Bench bench(items);
    CHECK(bench.guest.number<std::uint16_t>(0x05) == 4);
    bench.guest.select(0x8004);
    CHECK(text_of(bench.guest.read_port(2)) == "hp");
    CHECK(bench.guest.dma(op_read, 4, bench.guest.buffer().value) == 0); // goes on from there
    CHECK(text_of(bench.memory.range(bench.guest.buffer(), 4)) == std::string("et\0\0", 4));
    bench.guest.select(0xc004); // the old "for writing" bit changes nothing
    CHECK(text_of(bench.guest.read_port(4)) == "hpet");
    bench.guest.select(0x4005);
    CHECK(bench.guest.read_port(1)[0] == std::byte{4});

    for (const std::uint16_t unknown :
         std::array<std::uint16_t, 5>{4, 0x20, 0x3fff, 0x8000, 0xffff}) {
        bench.guest.select(unknown);
        CHECK(bench.guest.read_port(3) == std::vector<std::byte>(3));
        bench.memory.fill(bench.guest.buffer(), 16, std::byte{0xee});
        CHECK(bench.guest.read(unknown, 16) == std::vector<std::byte>(16));
    }
}

TEST_CASE("fw_cfg files stand in the directory by name", "[fw_cfg]") {
    FwCfgItems items;
    items.add_file("genroms/x.rom", bytes_of("rom"));
    items.add_file("bootorder", bytes_of("first\n"));
    items.add_file("etc/e820", std::vector<std::byte>(40));
    Bench bench(items);
    const auto files = bench.guest.directory();
    REQUIRE(files.size() == 3);
    CHECK(files[0].name == "bootorder");
    CHECK(files[0].key == 0x20);
    CHECK(files[0].size == 6);
    CHECK(files[1].name == "etc/e820");
    CHECK(files[1].size == 40);
    CHECK(files[2].name == "genroms/x.rom");
    CHECK(files[2].key == 0x22);
    CHECK(text_of(bench.guest.file("genroms/x.rom")) == "rom");

    // As SeaBIOS does it: the count, then entry by entry, by the port.
    bench.guest.select(0x19);
    CHECK(bench.guest.read_port(4)[3] == std::byte{3});
    CHECK(text_of(bench.guest.read_port(64)).substr(8, 10) == std::string("bootorder\0", 10));
}

TEST_CASE("fw_cfg skips and stays inside an item", "[fw_cfg]") {
    FwCfgItems items;
    items.add_file("digits", bytes_of("0123456789"));
    Bench bench(items);
    CHECK(bench.guest.dma(op_select | op_skip | 0x20u << 16, 7, 0) == 0);
    CHECK(text_of(bench.guest.read_port(1)) == "7");
    CHECK(bench.guest.dma(op_skip, ~0u, 0) == 0);
    CHECK(bench.guest.read_port(1)[0] == std::byte{0});
    CHECK(bench.guest.dma(op_select | 0x20u << 16, 100, 0) == 0); // only a selection
    CHECK(text_of(bench.guest.read_port(2)) == "01");
}

TEST_CASE("fw_cfg refuses transfers that leave RAM", "[fw_cfg]") {
    FwCfgItems items;
    items.add_file("digits", bytes_of("0123456789"));
    Bench bench(items);
    bench.guest.select(0x20);
    CHECK(bench.guest.dma(op_read, 16, 64 * KiB - 15) == op_failed);
    CHECK(bench.guest.dma(op_read, ~0u, 0x2000) == op_failed);
    CHECK(bench.guest.dma(op_read, 16, ~0ull - 7) == op_failed);
    CHECK(bench.guest.dma(op_read, 0, ~0ull) == 0); // nothing to move
    CHECK(text_of(bench.guest.read_port(1)) == "0");
    CHECK(bench.guest.dma(op_write, 1, 0x2000) == op_failed); // read-only
    // A descriptor that is nowhere, wholly or in part: nothing happens, nothing breaks.
    for (const std::uint64_t nowhere :
         std::array<std::uint64_t, 3>{64 * KiB - 15, 64 * KiB, ~0ull - 3}) {
        bench.device.write(1, 0, 4, __builtin_bswap32(static_cast<std::uint32_t>(nowhere >> 32)));
        bench.device.write(1, 4, 4, __builtin_bswap32(static_cast<std::uint32_t>(nowhere)));
    }
    CHECK(text_of(bench.guest.read_port(1)) == "1");
}

TEST_CASE("fw_cfg takes both halves of an address, the high one once", "[fw_cfg]") {
    const FwCfgItems items;
    const auto host =
        std::shared_ptr<std::byte>(new std::byte[8 * KiB](), std::default_delete<std::byte[]>());
    const GuestMemory memory(
        {{Gpa(0), 4 * KiB, host},
         {Gpa(4 * GiB), 4 * KiB, std::shared_ptr<std::byte>(host, host.get() + 4 * KiB)}});
    FakeClock clock;
    FwCfg device(items, memory, clock);
    FwCfgGuest high(device, memory, Gpa(4 * GiB));
    CHECK(text_of(high.read(0, 4)) == "QEMU");
    // The next transfer by the low half alone is of low memory again.
    memory.store(Gpa(0), __builtin_bswap32(op_select | op_read | 1u << 16));
    memory.store(Gpa(4), __builtin_bswap32(4));
    memory.store(Gpa(8), __builtin_bswap64(0x100));
    device.write(1, 4, 4, 0);
    CHECK(memory.load<std::uint32_t>(Gpa(0x100)) == 3);
    // Other widths start nothing.
    memory.store(Gpa(0x100), std::uint32_t{7});
    device.write(1, 4, 2, 0);
    device.write(1, 0, 8, 0);
    CHECK(memory.load<std::uint32_t>(Gpa(0x100)) == 7);
}

TEST_CASE("fw_cfg makes generated files anew at each selection", "[fw_cfg]") {
    FwCfgItems items;
    char version = 'a';
    std::size_t size = 3;
    items.add_generated_file("etc/acpi/tables", 4,
                             [&] { return bytes_of(std::string(size, version)); });
    items.add_generated_file("etc/broken", 4,
                             []() -> std::vector<std::byte> { throw Error("no"); });
    Bench bench(items);
    CHECK(bench.guest.directory()[0].size == 4);
    CHECK(text_of(bench.guest.file("etc/acpi/tables")) == std::string("aaa\0", 4));
    bench.guest.select(0x20);
    version = 'b';
    CHECK(text_of(bench.guest.read_port(2)) == "aa"); // not under the reader's hands
    bench.guest.select(0x20);
    size = 9;
    CHECK(text_of(bench.guest.read_port(4)) == std::string("bbb\0", 4));
    CHECK(text_of(bench.guest.read(0x20, 6)) == std::string("bbbb\0\0", 6));
    CHECK(bench.guest.file("etc/broken") == std::vector<std::byte>(4));
}

TEST_CASE("a half-read generated file survives save and restore", "[fw_cfg]") {
    FwCfgItems items;
    std::string text = "before";
    items.add_generated_file("made", 6, [&] { return bytes_of(text); });
    Bench source(items), target(items);
    source.guest.select(0x20);
    source.guest.read_port(2);
    text = "after!";
    StateWriter writer;
    source.device.save(writer);
    StateReader reader(writer.bytes());
    target.device.restore(reader);
    CHECK(text_of(target.guest.read_port(4)) == "fore");
}

TEST_CASE("fw_cfg writable files take writes by DMA only", "[fw_cfg]") {
    FwCfgItems items;
    std::vector<std::string> written;
    items.add_writable_file("etc/log", bytes_of("12345678"),
                            [&](ByteView content) { written.push_back(text_of(content)); });
    Bench bench(items);
    bench.memory.write(Gpa(0x3000), bytes_of("abcdefghi"));
    CHECK(bench.guest.dma(op_select | op_write | 0x20u << 16, 2, 0x3000) == 0);
    CHECK(bench.guest.dma(op_write, 3, 0x3004) == 0);
    CHECK(bench.guest.dma(op_write, 4, 0x3000) == op_failed); // one byte too many: dropped whole
    CHECK(bench.guest.dma(op_write, 3, 64 * KiB - 2) == op_failed);
    CHECK(bench.guest.dma(op_write, 0, 64 * KiB) == 0); // nothing to move
    CHECK(written == std::vector<std::string>{"ab345678", "abefg678"});
    CHECK(text_of(bench.guest.file("etc/log")) == "abefg678");
    bench.guest.select(0x20);
    bench.device.write(0, 1, 1, 'x');
    CHECK(text_of(bench.guest.read_port(8)) == "abefg678");
    bench.device.reset();
    CHECK(text_of(bench.guest.file("etc/log")) == "12345678");
}

TEST_CASE("fw_cfg tells an observer of first reads", "[fw_cfg]") {
    FwCfgItems items;
    Listener listener;
    items.add_number(0x05, std::uint16_t{1});
    items.add_file("bootorder", bytes_of("x"));
    items.set_observer(&listener);
    Bench bench(items);
    const std::uint64_t start = bench.clock.now_ns();
    bench.guest.select(0x20);
    CHECK(listener.heard.empty());
    bench.clock.advance(5);
    bench.guest.read_port(3);
    bench.guest.read(0x20, 1);
    bench.guest.read(0x05, 2);
    bench.guest.read(0x07, 2); // not there
    REQUIRE(listener.heard.size() == 2);
    CHECK(listener.heard[0] ==
          std::tuple(std::uint16_t{0x20}, std::string("bootorder"), start + 5));
    CHECK(listener.heard[1] == std::tuple(std::uint16_t{0x05}, std::string(), start + 5));
    bench.device.reset();
    bench.guest.read(0x20, 1);
    CHECK(listener.heard.size() == 3);
}

TEST_CASE("big fw_cfg items are not copied", "[fw_cfg]") {
    FwCfgItems items;
    auto kernel = std::make_shared<std::vector<std::byte>>(20000);
    for (std::size_t i = 0; i < kernel->size(); ++i)
        (*kernel)[i] = static_cast<std::byte>(i * 7);
    const std::weak_ptr<const void> alive = kernel;
    items.add(0x11, fw_cfg_view(*kernel, kernel));
    kernel.reset();
    REQUIRE_FALSE(alive.expired());
    Bench bench(items);
    const auto bytes = bench.guest.read(0x11, 20000);
    CHECK(bytes[19999] == static_cast<std::byte>(19999 * 7 & 0xff));
}

TEST_CASE("fw_cfg items that can't be are refused", "[fw_cfg]") {
    FwCfgItems items;
    for (const unsigned taken : {0x00u, 0x01u, 0x19u, 0x20u, 0x3fffu, 0x4005u, 0xc004u})
        CHECK_THROWS_AS(items.add(static_cast<std::uint16_t>(taken), bytes_of("x")), Error);
    items.add(0x05, bytes_of("x"));
    CHECK_THROWS_AS(items.add(0x05, bytes_of("x")), Error);
    items.add_file(std::string(55, 'n'), bytes_of("x"));
    CHECK_THROWS_AS(items.add_file(std::string(55, 'n'), bytes_of("x")), Error);
    CHECK_THROWS_AS(items.add_file(std::string(56, 'n'), bytes_of("x")), Error);
    CHECK_THROWS_AS(items.add_file("", bytes_of("x")), Error);
    CHECK_THROWS_AS(items.add_file("a b", bytes_of("x")), Error);
    const std::span huge(static_cast<const std::byte*>(nullptr), std::size_t{4} * GiB);
    CHECK_THROWS_AS(items.add(0x12, fw_cfg_view(huge, nullptr)), Error);
    Bench bench(items);
    CHECK(bench.guest.directory().at(0).name == std::string(55, 'n'));
}
