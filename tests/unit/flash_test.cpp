#include "devices/flash/cfi_flash.h"
#include "tests/fakes/fake_device.h"
#include "tests/fakes/fake_flash_store.h"
#include "tests/fakes/fake_machine_host.h"
#include "tests/fakes/fake_smm.h"
#include "tests/fakes/virtio_temp_file.h"
#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <catch2/catch.hpp>
#include <string>

#include <sys/stat.h>
#include <unistd.h>

using namespace coldstart;
using namespace coldstart::flash;

namespace {

constexpr std::size_t size_bytes = 4 * block_bytes;

struct Bench {
    explicit Bench(std::byte fill = std::byte{0xff}, bool read_only = false)
        : store(std::make_shared<fakes::FakeFlashStore>(size_bytes, fill)) {
        store->is_read_only = read_only;
        flash = std::make_unique<CfiFlash>(store, placer, reactor, &smm);
    }
    void put(std::uint64_t offset, std::uint64_t value, unsigned width = 1) {
        flash->write(0, offset, width, value);
    }
    std::uint64_t get(std::uint64_t offset, unsigned width = 1) {
        return flash->read(0, offset, width);
    }
    void program(std::uint64_t offset, std::uint64_t value, unsigned width = 1) {
        put(offset, cmd_program_alternate);
        put(offset, value, width);
    }
    void erase(std::uint64_t offset) {
        put(offset, cmd_erase_block);
        put(offset, confirm);
    }
    std::uint64_t status() {
        put(0, cmd_read_status);
        return get(0);
    }
    bool shown() const { return placer.hidden.empty(); }

    std::shared_ptr<fakes::FakeFlashStore> store;
    fakes::FakePlacer placer;
    fakes::FakeReactor reactor;
    fakes::FakeSmm smm;
    std::unique_ptr<CfiFlash> flash;
};

std::string folder_of(const std::string& path) {
    return path.substr(0, path.rfind('/'));
}

} // namespace

TEST_CASE("flash: OVMF's probe takes it for flash, not for RAM or ROM", "[flash]") {
    for (const unsigned contents : {0xffu, 0x5au}) {
        Bench bench{std::byte{static_cast<unsigned char>(contents)}};
        const auto original = bench.get(0x10);
        bench.put(0x10, cmd_clear_status);
        CHECK(bench.get(0x10) != cmd_clear_status);
        bench.put(0x10, cmd_read_status);
        CHECK(bench.get(0x10) == 0);
        bench.put(0x10, cmd_read_array);
        CHECK(bench.get(0x10) == original);
    }
}

TEST_CASE("flash: programming clears bits, erasing sets a block's", "[flash]") {
    Bench bench;
    bench.program(0x1004, 0x5a);
    CHECK(bench.get(0) == status_ready);
    bench.put(0, cmd_read_array);
    CHECK(bench.get(0x1004) == 0x5a);
    bench.program(0x1004, 0x0f);
    bench.program(0x2000, 0x11223344, 4);
    bench.put(0, cmd_read_array);
    CHECK(bench.get(0x1004) == 0x0a);
    CHECK(bench.get(0x2000, 4) == 0x11223344);
    CHECK(bench.get(0x2001, 2) == 0x2233);
    CHECK(bench.store->at(0x1004) == 0x0a);

    bench.erase(0x1abc);
    CHECK(bench.status() == status_ready);
    bench.put(0, cmd_read_array);
    CHECK(bench.get(0x1004) == 0xff);
    CHECK(bench.get(0x2000) == 0x44);
    CHECK(bench.store->at(0x1004) == 0xff);
    CHECK(bench.store->at(0x2000) == 0x44);

    // Across two blocks, each is written by itself.
    bench.store->writes.clear();
    bench.program(0x1ffe, 0x11223344, 4);
    CHECK(bench.store->writes ==
          std::vector<std::pair<std::uint64_t, std::size_t>>{{0x1ffe, 2}, {0x2000, 2}});
    CHECK(bench.store->at(0x2000) == (0x44 & 0x22));
}

TEST_CASE("flash: what changes nothing is not written", "[flash]") {
    Bench bench;
    bench.program(5, 0xff);
    bench.erase(0);
    CHECK(bench.status() == status_ready);
    CHECK(bench.store->writes.empty());
}

TEST_CASE("flash: a buffered program", "[flash]") {
    Bench bench;
    bench.put(0x1010, cmd_buffered_program);
    CHECK(bench.get(0x1010) == status_ready);
    bench.put(0x1010, 3); // four bytes
    for (unsigned i = 0; i < 4; ++i)
        bench.put(0x1010 + i, 0xa0 + i);
    CHECK(bench.store->writes.empty());
    bench.put(0x1010, confirm);
    CHECK(bench.get(0x1010) == status_ready);
    bench.put(0, cmd_read_array);
    CHECK(bench.get(0x1010, 4) == 0xa3a2a1a0);
    CHECK(bench.store->writes == std::vector<std::pair<std::uint64_t, std::size_t>>{{0x1010, 4}});

    SECTION("all of the buffer") {
        bench.put(0x1100, cmd_buffered_program);
        bench.put(0x1100, 0xff);
        for (unsigned i = 0; i < 256; ++i)
            bench.put(0x1100 + i, i);
        bench.put(0x1100, confirm);
        CHECK(bench.status() == status_ready);
        CHECK(bench.store->at(0x11fe) == 0xfe);
    }
    SECTION("data beyond the buffer") {
        bench.put(0x11f0, cmd_buffered_program);
        bench.put(0x11f0, 1);
        bench.put(0x11f0, 0);
        bench.put(0x1200, 0);
        CHECK(bench.get(0) == (status_ready | status_sequence_error));
        bench.put(0, cmd_read_array);
        CHECK(bench.get(0x11f0) == 0xff);
    }
    SECTION("no confirmation") {
        bench.put(0x11f0, cmd_buffered_program);
        bench.put(0x11f0, 0);
        bench.put(0x11f0, 0);
        bench.put(0x11f0, cmd_read_array);
        CHECK(bench.status() == (status_ready | status_sequence_error));
        bench.put(0, cmd_clear_status);
        CHECK(bench.status() == 0);
    }
}

TEST_CASE("flash: identifier and CFI query", "[flash]") {
    Bench bench;
    bench.put(0x55, cmd_query);
    CHECK(bench.get(0x10, 4) == 0x01595251); // "QRY", command set 1
    CHECK(bench.get(0x27) == 14);
    CHECK(bench.get(0x2a, 2) == 8);
    CHECK(bench.get(0x2c) == 1);
    CHECK(bench.get(0x2d, 2) == 3);    // blocks less one
    CHECK(bench.get(0x2f, 2) == 0x10); // in units of 256 bytes
    CHECK(bench.get(0x31, 2) == 0x5250);
    CHECK(bench.get(0x3000, 8) == 0);
    bench.put(0, cmd_read_id);
    CHECK(bench.get(0, 2) == 0x1889);
    CHECK(bench.get(0x1002) == 0);
    bench.put(0, cmd_read_array);
    CHECK(bench.get(0x10) == 0xff);
}

TEST_CASE("flash: lock bits", "[flash]") {
    Bench bench;
    bench.put(0x1000, cmd_lock_setup);
    bench.put(0x1000, confirm_lock);
    CHECK(bench.get(0) == status_ready);
    bench.program(0x1000, 0);
    CHECK(bench.get(0) == (status_ready | status_program_error | status_block_locked));
    bench.put(0, cmd_clear_status);
    bench.erase(0x1000);
    CHECK(bench.get(0) == (status_ready | status_erase_error | status_block_locked));
    bench.put(0, cmd_clear_status);
    bench.put(0, cmd_read_id);
    CHECK(bench.get(0x1002) == 1);
    CHECK(bench.get(0x2002) == 0);
    CHECK(bench.store->writes.empty());
    bench.put(0x1000, cmd_lock_setup);
    bench.put(0x1000, confirm);
    bench.program(0x1000, 0);
    CHECK(bench.status() == status_ready);
    CHECK(bench.store->at(0x1000) == 0);
}

TEST_CASE("flash: a read-only one is locked and untouched", "[flash]") {
    Bench bench(std::byte{0x42}, true);
    bench.program(0x10, 0);
    CHECK(bench.get(0) == (status_ready | status_program_error | status_block_locked));
    bench.put(0x10, cmd_lock_setup);
    bench.put(0x10, confirm);
    bench.erase(0);
    bench.put(0, cmd_read_array);
    CHECK(bench.get(0x10) == 0x42);
    CHECK(bench.store->writes.empty());
    bench.flash->halt();
    CHECK(bench.store->flushes == 0);
}

TEST_CASE("flash: shown to the guest in array mode only", "[flash]") {
    Bench bench;
    CHECK(bench.flash->regions()[0].memory_access == MemoryAccess::read_only);
    bench.put(0, cmd_read_array);
    CHECK(bench.placer.memory_changes == 0);
    for (unsigned i = 0; i < 100; ++i)
        bench.program(i, i);
    CHECK_FALSE(bench.shown());
    CHECK(bench.placer.memory_changes == 1);
    bench.put(0, cmd_read_array);
    CHECK(bench.shown());
    CHECK(bench.placer.memory_changes == 2);
    bench.put(0, cmd_query);
    CHECK_FALSE(bench.shown());
    bench.flash->reset();
    CHECK(bench.shown());
}

TEST_CASE("flash: flushed on the I/O thread, back in array mode and at the end", "[flash]") {
    Bench bench;
    bench.put(0, cmd_query);
    bench.put(0, cmd_read_array);
    CHECK(bench.reactor.run_until_idle() == 0); // nothing was written
    bench.program(0, 0);
    bench.program(1, 0);
    CHECK(bench.reactor.run_until_idle() == 0);
    bench.put(0, cmd_read_array);
    CHECK_FALSE(bench.flash->drained());
    CHECK(bench.store->flushes == 0);
    CHECK(bench.reactor.run_until_idle() == 1);
    CHECK(bench.store->flushes == 1);
    CHECK(bench.flash->drained());
    bench.program(2, 0);
    bench.flash->pause();
    bench.reactor.run_until_idle();
    CHECK(bench.store->flushes == 2);
    bench.program(3, 0);
    bench.put(0, cmd_read_array);
    bench.flash->halt();
    CHECK(bench.store->flushes == 3);
    bench.flash.reset();
    bench.reactor.run_until_idle(); // a flush on its way outlives the device
    CHECK(bench.store->flushes == 4);
}

TEST_CASE("flash: a full disk fails the operation and nothing else", "[flash]") {
    set_log_level(LogLevel::off);
    Bench bench;
    bench.program(0x1000, 0x11223344, 4);
    bench.store->room = 2;
    bench.program(0x1004, 0x55667788, 4);
    CHECK(bench.get(0) == (status_ready | status_program_error));
    bench.erase(0x1000);
    CHECK(bench.get(0) == (status_ready | status_sequence_error)); // both have failed by now
    bench.put(0, cmd_clear_status);
    CHECK(bench.get(0x1000, 8) == 0xffffffff11223344);
    CHECK(bench.store->at(0x2000) == 0xff);

    bench.store->room.reset();
    SECTION("the next write mends the block in the store") {
        bench.program(0x1800, 0);
    }
    SECTION("so does the end") {
        bench.flash->halt();
    }
    for (std::size_t i = 0; i < 0x800; ++i)
        REQUIRE(bench.store->bytes[block_bytes + i] ==
                bench.flash->regions()[0].memory[block_bytes + i]);
    CHECK(bench.store->at(0x1000) == 0x44);
    set_log_level(LogLevel::warn);
}

TEST_CASE("flash: a restored machine finds its variables as they were", "[flash]") {
    Bench source, target;
    source.program(0x2345, 0x11);
    source.put(0, cmd_lock_setup);
    source.put(0, confirm_lock);
    source.put(0, cmd_buffered_program);
    StateWriter writer;
    source.flash->save(writer);
    target.program(0x100, 0);
    target.put(0, cmd_read_array);
    StateReader reader(writer.bytes());
    target.flash->restore(reader);
    CHECK(reader.at_end());
    CHECK_FALSE(target.shown());
    CHECK(target.store->bytes == source.store->bytes);
    target.put(0, 0);
    target.put(0, 0);
    target.put(0, confirm);
    CHECK(target.get(0) == (status_ready | status_program_error | status_block_locked));

    Bench other(std::byte{0}, true);
    StateReader again(writer.bytes());
    CHECK_THROWS_AS(other.flash->restore(again), Error);
}

TEST_CASE("flash file: made from a template, kept, and locked", "[flash]") {
    const fakes::TempFile pattern(8192);
    pattern.write(0x1234, "variables");
    const std::string path = pattern.path() + "-vars";
    const FileFlashOptions options{.path = path, .template_path = pattern.path()};
    CHECK_THROWS_AS(open_flash_file({.path = path}), Error);
    {
        const auto store = open_flash_file(options);
        CHECK(store->size_bytes() == 8192);
        CHECK_THROWS_AS(open_flash_file(options), Error);
        CHECK_THROWS_AS(open_flash_file({.path = path, .read_only = true}), Error);
        const std::byte byte{'V'};
        CHECK(store->write(0x1234, {&byte, 1}) == 0);
        CHECK(store->flush() == 0);
    }
    const auto store = open_flash_file({.path = path, .read_only = true});
    CHECK_NOTHROW(open_flash_file({.path = path, .read_only = true})); // readers share
    std::vector<std::byte> contents(8192);
    store->load(contents);
    CHECK(std::string(reinterpret_cast<const char*>(&contents[0x1234]), 9) == "Variables");
    CHECK(pattern.read(0x1234, 9) == "variables");
    CHECK(store->write(0, {contents.data(), 1}) == EBADF);
    ::unlink(path.c_str());
}

TEST_CASE("flash file: wrong sizes and files are refused", "[flash]") {
    for (const std::uint64_t size : {0ull, 1ull, 4095ull, 4097ull, 16ull * 1024 * 1024 + 4096}) {
        const fakes::TempFile file(size);
        CHECK_THROWS_WITH(open_flash_file({.path = file.path()}),
                          Catch::Contains(file.path()) && Catch::Contains("16 MiB"));
        const std::string path = file.path() + "-vars";
        CHECK_THROWS_AS(open_flash_file({.path = path, .template_path = file.path()}), Error);
        CHECK(::access(path.c_str(), F_OK) != 0); // nothing half made stays
    }
    const fakes::TempFile file(8192);
    CHECK_THROWS_AS(open_flash_file({.path = folder_of(file.path())}), Error);
    CHECK_THROWS_AS(open_flash_file({.path = file.path() + "-none", .read_only = true}), Error);
}

TEST_CASE("placements: memory a device hides is hidden wherever it stands", "[flash][placements]") {
    fakes::FakeMachineHost host;
    Bus bus;
    Placements placements(bus, nullptr, &host.mapper);
    std::vector<std::byte> memory(8192);
    fakes::FakeDevice device;
    device.region_shapes = {{.name = "rom",
                             .bus = BusKind::mmio,
                             .size_bytes = memory.size(),
                             .memory = memory.data()}};
    placements.show_memory(device, 0, false); // not placed yet
    REQUIRE(placements.place(device, 0, 0x10000));
    CHECK(host.mapper.shown.empty());
    placements.show_memory(device, 0, true);
    CHECK(host.mapper.at(0x10000) != nullptr);
    placements.show_memory(device, 0, true);
    placements.show_memory(device, 0, false);
    placements.show_memory(device, 0, false);
    CHECK(host.mapper.shown.empty());
    REQUIRE(placements.place(device, 0, 0x20000));
    CHECK(host.mapper.shown.empty());
    placements.show_memory(device, 0, true);
    CHECK(host.mapper.at(0x20000) != nullptr);
    placements.withdraw(device, 0);
    CHECK(host.mapper.shown.empty());
    placements.show_memory(device, 0, false);
    placements.show_memory(device, 0, true); // nowhere: nothing to show
    CHECK(host.mapper.shown.empty());
}

TEST_CASE("flash: with SMRAM locked only system management mode commands it", "[flash]") {
    Bench bench;
    bench.program(0x10, 0x5a);
    bench.put(0, cmd_read_array);
    CHECK(bench.get(0x10) == 0x5a);
    bench.smm.set_locked(true);
    bench.program(0x11, 0x00);
    bench.erase(0x10);
    CHECK(bench.get(0x10, 2) == 0xff5a);
    CHECK(bench.shown());

    bench.flash->write_in_smm(0, 0x11, 1, cmd_program);
    CHECK_FALSE(bench.shown());
    CHECK(bench.flash->read_in_smm(0, 0, 1) == status_ready);
    CHECK(bench.get(0x10, 2) == 0xff5a); // others see the contents meanwhile
    bench.put(0x11, 0x00);               // and can't slip a datum in
    bench.flash->write_in_smm(0, 0x11, 1, 0x33);
    bench.flash->write_in_smm(0, 0x11, 1, cmd_read_array);
    CHECK(bench.get(0x10, 2) == 0x335a);
    CHECK(bench.shown());

    bench.smm.set_locked(false);
    bench.program(0x12, 0x44);
    bench.put(0, cmd_read_array);
    CHECK(bench.get(0x12) == 0x44);
}
