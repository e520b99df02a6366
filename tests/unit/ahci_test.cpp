#include "devices/ahci/ahci_controller.h"
#include "devices/ahci/ata_disk.h"
#include "devices/ahci/atapi_drive.h"
#include "tests/fakes/ahci_driver.h"
#include "tests/fakes/fake_pci.h"
#include "tests/fakes/virtio_temp_file.h"
#include "virtio/backend/raw_disk.h"
#include "vmm/base/byte_size.h"
#include "vmm/base/error.h"

#include <catch2/catch.hpp>

using namespace coldstart;
using fakes::AhciDriver;
using Piece = AhciDriver::Piece;

namespace {

constexpr std::uint32_t status_mask = 0xff;
constexpr std::uint32_t good = ata::status_good;
constexpr std::uint32_t bad = ata::status_good | ata::status_error;
constexpr std::uint64_t disk_bytes = 1 * MiB;

/// An image that keeps requests until it is told to answer them.
class HeldImage final : public DiskImage {
  public:
    std::uint64_t size_bytes() const noexcept override { return disk_bytes; }
    bool read_only() const noexcept override { return false; }
    DiskGeometry geometry() const noexcept override { return {}; }
    std::uint32_t max_in_flight() const noexcept override { return 64; }
    void set_client(DiskClient& client) noexcept override { client_ = &client; }
    void disconnect() noexcept override { client_ = nullptr; }
    void submit(const DiskRequest& request) noexcept override {
        waiting.push_back(request);
        pieces = request.segments.size();
    }
    void commit() noexcept override {}
    void reap() noexcept override {
        while (!done_.empty()) {
            const auto [tag, error] = done_.back();
            done_.pop_back();
            client_->disk_completed(tag, error);
        }
    }
    void drain() noexcept override {
        while (!waiting.empty() || !done_.empty()) {
            answer_later(0);
            reap();
        }
    }
    std::uint32_t in_flight() const noexcept override {
        return static_cast<std::uint32_t>(waiting.size() + done_.size());
    }

    void answer_later(int error) {
        if (waiting.empty())
            return;
        done_.emplace_back(waiting.front().tag, error);
        waiting.erase(waiting.begin());
    }
    void answer(int error = 0) {
        answer_later(error);
        client_->disk_ready();
    }

    std::vector<DiskRequest> waiting;
    std::size_t pieces = 0;

  private:
    std::vector<std::pair<std::uint32_t, int>> done_;
    DiskClient* client_ = nullptr;
};

struct Bench {
    explicit Bench(bool read_only = false) {
        std::vector<std::unique_ptr<AtaDrive>> drives;
        auto held_image = std::make_unique<HeldImage>();
        held = held_image.get();
        drives.push_back(std::make_unique<AtaDisk>(raw(disk_file, read_only), "serial-1"));
        drives.push_back(std::make_unique<AtapiDrive>(raw(disc_file, true), "disc-1"));
        drives.push_back(std::make_unique<AtaDisk>(std::move(held_image), "held"));
        drives.push_back(std::make_unique<AtapiDrive>(nullptr, "empty"));
        controller = std::make_unique<AhciController>(
            AhciHost{
                .memory = memory, .reactor = reactor, .placer = placer, .msis = msis, .intx = irq},
            std::move(drives));
        controller->start();
        for (unsigned i = 0; i < 64; ++i) {
            disk_file.write(i * 512ull, std::string(512, static_cast<char>('A' + i % 26)));
            disc_file.write(i * 2048ull, std::string(2048, static_cast<char>('a' + i % 26)));
        }
    }
    std::unique_ptr<DiskImage> raw(const fakes::TempFile& file, bool read_only) {
        return std::make_unique<RawDisk>(
            RawDiskOptions{.path = file.path(), .read_only = read_only}, reactor);
    }
    AhciDriver driver(unsigned port) {
        AhciDriver made(*controller, memory, port);
        made.bring_up();
        return made;
    }

    fakes::TempFile disk_file{disk_bytes}, disc_file{256 * KiB};
    fakes::FakeReactor reactor;
    fakes::FakePlacer placer;
    fakes::FakeMsiRouter msis;
    fakes::FakeIrqLine irq;
    GuestMemory memory = GuestMemory::on_heap(1 * MiB);
    HeldImage* held = nullptr;
    std::unique_ptr<AhciController> controller;
};

std::string swapped(std::string text) {
    for (std::size_t i = 0; i + 1 < text.size(); i += 2)
        std::swap(text[i], text[i + 1]);
    return text;
}

unsigned word(const std::string& page, unsigned index) {
    return load_le<std::uint16_t>(std::as_bytes(std::span(page)), index * 2ull);
}

} // namespace

TEST_CASE("ahci: the function and its host registers", "[ahci]") {
    Bench bench;
    CHECK(bench.controller->config_read(0, 4) == 0x29228086);
    CHECK(bench.controller->config_read(8, 4) == 0x01060102);
    CHECK(bench.controller->config_read(0x3d, 1) == 1);
    CHECK(bench.controller->config_read(0x34, 1) == 0x80);
    CHECK(bench.controller->config_read(0x80, 2) == 0xa805);
    CHECK(bench.controller->config_read(0xa8, 4) == 0x00100012);
    AhciDriver driver(*bench.controller, bench.memory);
    CHECK((driver.host(ahci::reg_cap) & 0x1f) == 5);
    CHECK((driver.host(ahci::reg_cap) >> 8 & 0x1f) == 31);
    CHECK(driver.host(ahci::reg_pi) == 0x3f);
    CHECK(driver.host(ahci::reg_ghc) == 0x80000000);
    CHECK(driver.host(ahci::reg_vs) == 0x10301);
    // The index/data pair reaches the same registers.
    bench.controller->write(0, 0x10, 4, ahci::reg_vs);
    CHECK(bench.controller->read(0, 0x14, 4) == 0x10301);
    CHECK(bench.controller->read(1, ahci::reg_vs + 1, 2) == 0x0103);
    driver.set_host(ahci::reg_bohc, 2);
    CHECK(driver.host(ahci::reg_bohc) == 0xa);
    driver.set_host(ahci::reg_bohc, 0xa);
    CHECK(driver.host(ahci::reg_bohc) == 2);
}

TEST_CASE("ahci: ports tell what is plugged in", "[ahci]") {
    Bench bench;
    AhciDriver disk = bench.driver(0), disc = bench.driver(1), nothing = bench.driver(5);
    CHECK(disk.reg(ahci::port_ssts) == 0x133);
    CHECK(disk.reg(ahci::port_sig) == 0x101);
    CHECK(disk.reg(ahci::port_tfd) == (0x100 | good));
    CHECK(disc.reg(ahci::port_sig) == 0xeb140101);
    CHECK((disc.reg(ahci::port_tfd) & 0x89) == 0);
    CHECK(nothing.reg(ahci::port_ssts) == 0);
    CHECK(nothing.reg(ahci::port_sig) == 0xffffffff);
    CHECK(nothing.reg(ahci::port_tfd) == 0x7f);
    CHECK(disk.received(ahci::received_register) == ahci::fis_device_to_host);
    nothing.set(ahci::port_ci, 1);
    bench.reactor.run_until_idle();
    CHECK(nothing.reg(ahci::port_ci) == 1); // nobody is there to answer
}

TEST_CASE("ahci: IDENTIFY DEVICE by PIO", "[ahci]") {
    Bench bench;
    AhciDriver driver = bench.driver(0);
    CHECK((driver.run(bench.reactor, AhciDriver::fis(ata::identify_device),
                      {{.bytes = 512, .interrupt = true}}) &
           status_mask) == good);
    CHECK(driver.reg(ahci::port_is) == (ahci::is_pio_setup | ahci::is_prd_done));
    CHECK(driver.reg(ahci::port_ci) == 0);
    CHECK(driver.received(ahci::received_pio_setup) == ahci::fis_pio_setup);
    CHECK((driver.received(ahci::received_pio_setup + 2) & 0xc1) == 0x40);
    CHECK(driver.received(ahci::received_pio_setup + 15) == good);
    CHECK(driver.transferred() == 512);
    CHECK(bench.irq.level);
    const std::string page = driver.data(512);
    CHECK(swapped(page.substr(54, 40)) == "coldstart disk                          ");
    CHECK(swapped(page.substr(20, 20)) == "serial-1            ");
    CHECK(word(page, 60) == disk_bytes / 512);
    CHECK(word(page, 100) == disk_bytes / 512);
    CHECK((word(page, 83) & 0xc400) == 0x4400);
    unsigned sum = 0;
    for (const char byte : page)
        sum += static_cast<unsigned char>(byte);
    CHECK((sum & 0xff) == 0);
    driver.set(ahci::port_is, ~0u);
    CHECK(bench.irq.level); // the controller's own bit is left
    driver.set_host(ahci::reg_is, ~0u);
    CHECK_FALSE(bench.irq.level);
}

TEST_CASE("ahci: data by DMA, PIO, in pieces", "[ahci]") {
    Bench bench;
    AhciDriver driver = bench.driver(0);
    const std::uint64_t far = AhciDriver::data_at + 0x8000;
    CHECK((driver.run(bench.reactor, AhciDriver::fis(ata::read_dma_ext, 2, 2),
                      {{.bytes = 10}, {.address = far, .bytes = 1014}}) &
           status_mask) == good);
    CHECK(driver.reg(ahci::port_is) == ahci::is_register_fis);
    CHECK(driver.transferred() == 1024);
    CHECK(driver.data(11) == std::string(10, 'C') + '\0');
    CHECK(driver.data(1014, far) == std::string(502, 'C') + std::string(512, 'D'));

    driver.put(std::string(600, 'x') + std::string(424, 'y'));
    const auto command = GENERATE(ata::write_dma_ext, ata::write_dma, ata::write_sectors,
                                  ata::write_multiple_ext, ata::write_dma_fua_ext);
    CHECK((driver.run(bench.reactor, AhciDriver::fis(command, 7, 2), {{.bytes = 1024}}) &
           status_mask) == good);
    CHECK(driver.reg(ahci::port_is) == ahci::is_register_fis);
    CHECK(bench.disk_file.read(7 * 512, 1024) == std::string(600, 'x') + std::string(424, 'y'));
    CHECK((driver.run(bench.reactor, AhciDriver::fis(ata::flush_cache_ext)) & status_mask) == good);

    CHECK((driver.run(bench.reactor, AhciDriver::fis(ata::read_sectors, 63, 1), {{}}) &
           status_mask) == good);
    CHECK(driver.data(512) == std::string(512, static_cast<char>('A' + 63 % 26)));
    CHECK(driver.reg(ahci::port_is) == ahci::is_pio_setup);
}

TEST_CASE("ahci: a transfer of more pieces than the image takes at once", "[ahci]") {
    Bench bench;
    AhciDriver driver = bench.driver(0);
    // 1024 pieces of two bytes, apart from each other; the table reaches into later slots.
    std::vector<Piece> pieces;
    for (unsigned i = 0; i < 1024; ++i)
        pieces.push_back({.address = AhciDriver::data_at + 0x8000 + i * 4ull, .bytes = 2});
    driver.prepare(0, AhciDriver::fis(ata::read_dma_ext, 1, 4), pieces);
    driver.issue(0);
    driver.settle(bench.reactor);
    CHECK(driver.transferred() == 2048);
    for (unsigned i = 0; i < 1024; ++i)
        REQUIRE(driver.data(2, pieces[i].address) ==
                std::string(2, static_cast<char>('B' + i / 256)));
}

TEST_CASE("ahci: what a disk refuses", "[ahci]") {
    Bench bench;
    AhciDriver driver = bench.driver(0);
    const auto refused = [&](std::span<const std::uint8_t> fis, const std::vector<Piece>& pieces,
                             std::uint8_t error) {
        CHECK(driver.run(bench.reactor, fis, pieces) == (std::uint32_t{error} << 8 | bad));
        CHECK((driver.reg(ahci::port_is) & ahci::is_task_file) != 0);
        CHECK(driver.reg(ahci::port_ci) == 1); // the failed command stays
        driver.set(ahci::port_ci, 2);
        driver.settle(bench.reactor);
        CHECK(driver.reg(ahci::port_ci) == 3); // and nothing goes on before a restart
        driver.recover(bench.reactor);
        CHECK(driver.reg(ahci::port_ci) == 0);
    };
    refused(AhciDriver::fis(ata::identify_packet_device), {{}}, ata::error_abort);
    refused(AhciDriver::fis(ata::packet), {{}}, ata::error_abort);
    refused(AhciDriver::fis(0xb0), {}, ata::error_abort); // SMART
    refused(AhciDriver::fis(ata::read_dma_ext, disk_bytes / 512 - 1, 2), {{.bytes = 1024}},
            ata::error_not_found);
    refused(AhciDriver::fis(ata::read_dma_ext, 0xffffffffffff, 0), {{.bytes = 1024}},
            ata::error_not_found);
    refused(AhciDriver::fis(ata::set_features, 0, 0, 0x05), {}, ata::error_abort);
    // Without room for the data nothing moves.
    refused(AhciDriver::fis(ata::write_dma_ext, 0, 2), {{.bytes = 1022}}, ata::error_abort);
    CHECK(bench.disk_file.read(0, 512) == std::string(512, 'A'));
    CHECK((driver.run(bench.reactor, AhciDriver::fis(ata::read_dma_ext, 0, 1), {{}}) &
           status_mask) == good);
}

TEST_CASE("ahci: a read-only disk aborts writes", "[ahci]") {
    Bench bench(true);
    AhciDriver driver = bench.driver(0);
    CHECK(driver.run(bench.reactor, AhciDriver::fis(ata::write_dma_ext, 0, 1), {{}}) ==
          (0x400 | bad));
    driver.recover(bench.reactor);
    CHECK(driver.run(bench.reactor, AhciDriver::fis(ata::data_set_management, 0, 1, 1), {{}}) ==
          (0x400 | bad));
    driver.recover(bench.reactor);
    CHECK((driver.run(bench.reactor, AhciDriver::fis(ata::read_dma_ext, 0, 1), {{}}) &
           status_mask) == good);
}

TEST_CASE("ahci: TRIM gives space back", "[ahci]") {
    Bench bench;
    AhciDriver driver = bench.driver(0);
    std::string ranges(512, '\0');
    const std::uint64_t entries[] = {16ull | 8ull << 48, 0, 40ull | 8ull << 48};
    std::memcpy(ranges.data(), entries, sizeof entries);
    driver.put(ranges);
    CHECK((driver.run(bench.reactor, AhciDriver::fis(ata::data_set_management, 0, 1, 1), {{}}) &
           status_mask) == good);
    CHECK(bench.disk_file.read(15 * 512, 1024) ==
          std::string(512, 'A' + 15) + std::string(512, '\0'));
    CHECK(bench.disk_file.read(40 * 512, 512) == std::string(512, '\0'));

    // One range outside the disk: none is discarded.
    const std::uint64_t wrong[] = {0ull | 1ull << 48, disk_bytes / 512 | 1ull << 48};
    std::memcpy(ranges.data(), wrong, sizeof wrong);
    driver.put(ranges);
    CHECK(driver.run(bench.reactor, AhciDriver::fis(ata::data_set_management, 0, 1, 1), {{}}) ==
          (0x400 | bad));
    CHECK(bench.disk_file.read(0, 512) == std::string(512, 'A'));
}

TEST_CASE("ahci: features are remembered until a reset", "[ahci]") {
    Bench bench;
    AhciDriver driver = bench.driver(2);
    const auto identify_word = [&](unsigned index) {
        driver.run(bench.reactor, AhciDriver::fis(ata::identify_device), {{}});
        return word(driver.data(512), index);
    };
    CHECK((identify_word(85) & 0x20) != 0);
    CHECK(identify_word(88) == 0x407f);
    driver.run(bench.reactor, AhciDriver::fis(ata::set_features, 0, 0, 0x82));
    driver.run(bench.reactor, AhciDriver::fis(ata::set_features, 0, 0x45, 0x03));
    CHECK((identify_word(85) & 0x20) == 0);
    CHECK(identify_word(88) == 0x207f);
    driver.prepare(0, AhciDriver::fis(ata::write_dma_ext, 0, 1), {{}});
    driver.issue(0);
    bench.reactor.run_until_idle();
    REQUIRE(bench.held->waiting.size() == 1);
    CHECK(bench.held->waiting[0].durable); // there is no cache to lose it from
    bench.held->answer();
    driver.stop();
    driver.set(ahci::port_sctl, 1);
    CHECK(driver.reg(ahci::port_ssts) == 0);
    driver.set(ahci::port_sctl, 0);
    CHECK(driver.reg(ahci::port_ssts) == 0x133);
    driver.bring_up();
    CHECK((identify_word(85) & 0x20) != 0);
}

TEST_CASE("ahci: what the host fails reaches the guest", "[ahci]") {
    Bench bench;
    AhciDriver driver = bench.driver(2);
    const bool write = GENERATE(false, true);
    driver.prepare(3, AhciDriver::fis(write ? ata::write_dma_ext : ata::read_dma_ext, 0x123, 4),
                   {{.bytes = 2048}});
    driver.issue(3);
    bench.reactor.run_until_idle();
    CHECK((driver.reg(ahci::port_tfd) & ata::status_busy) != 0);
    CHECK(driver.reg(ahci::port_ci) == 8);
    CHECK_FALSE(bench.controller->drained());
    bench.held->answer(EIO);
    CHECK(bench.controller->drained());
    CHECK(driver.reg(ahci::port_tfd) == ((write ? 0x400u : 0x4000u) | bad));
    CHECK(driver.received(ahci::received_register + 4) == 0x23);
    CHECK((driver.reg(ahci::port_cmd) >> 8 & 0x1f) == 3);
    CHECK(driver.reg(ahci::port_ci) == 8);
}

TEST_CASE("ahci: queued commands end in any order", "[ahci]") {
    Bench bench;
    AhciDriver driver = bench.driver(2);
    for (const unsigned tag : {0u, 5u, 31u})
        driver.prepare(tag, AhciDriver::queued_fis(tag == 5, tag, tag, 1), {{}});
    driver.set(ahci::port_sact, 0x80000021);
    driver.set(ahci::port_ci, 0x80000021);
    bench.reactor.run_until_idle();
    CHECK(driver.reg(ahci::port_ci) == 0);
    CHECK(driver.reg(ahci::port_sact) == 0x80000021);
    CHECK((driver.reg(ahci::port_tfd) & 0x88) == 0);
    REQUIRE(bench.held->waiting.size() == 3);
    std::swap(bench.held->waiting[0], bench.held->waiting[2]);
    const std::uint32_t first = 1u << bench.held->waiting[0].tag;
    bench.held->answer();
    CHECK(driver.reg(ahci::port_sact) == (0x80000021 & ~first));
    CHECK(driver.reg(ahci::port_is) == ahci::is_device_bits);
    CHECK(driver.received(ahci::received_device_bits) == ahci::fis_device_bits);
    CHECK(*bench.memory.load<std::uint32_t>(
              Gpa(AhciDriver::receive_at + ahci::received_device_bits + 4)) == first);

    // One fails: the others are heard of no more, and the log says which it was.
    const unsigned failed = bench.held->waiting[0].tag;
    bench.held->answer(EIO);
    CHECK((driver.reg(ahci::port_is) & ahci::is_task_file) != 0);
    CHECK((driver.reg(ahci::port_sact) & 1u << failed) != 0);
    driver.set(ahci::port_cmd, ahci::cmd_receive);
    CHECK((driver.reg(ahci::port_cmd) & ahci::cmd_running) != 0); // the host still works
    bench.held->answer();
    CHECK((driver.reg(ahci::port_cmd) & ahci::cmd_running) == 0);
    CHECK(driver.reg(ahci::port_sact) == 0);
    driver.recover(bench.reactor);
    CHECK((driver.run(bench.reactor, AhciDriver::fis(ata::read_log_ext, 0x10, 1), {{}}) &
           status_mask) == good);
    const std::string log = driver.data(512);
    CHECK(static_cast<unsigned char>(log[0]) == failed);
    CHECK(static_cast<unsigned char>(log[2]) == bad);
    CHECK(static_cast<unsigned char>(log[4]) == failed); // its address
}

TEST_CASE("ahci: hostile memory stops the port, not the machine", "[ahci]") {
    Bench bench;
    AhciDriver driver = bench.driver(0);
    const auto stops = [&](std::uint32_t cause) {
        driver.settle(bench.reactor);
        CHECK((driver.reg(ahci::port_is) & cause) != 0);
        driver.bring_up();
        CHECK((driver.run(bench.reactor, AhciDriver::fis(ata::identify_device), {{}}) &
               status_mask) == good);
    };
    for (const std::uint64_t address :
         {1ull << 20, (1ull << 20) - 256, ~0ull - 255, 0xfee00000ull}) {
        driver.prepare(0, AhciDriver::fis(ata::read_dma_ext, 0, 1), {{.address = address}});
        driver.issue(0);
        stops(ahci::is_host_bus);
        driver.prepare(0, AhciDriver::fis(ata::identify_device), {{.address = address}});
        driver.issue(0);
        stops(ahci::is_host_bus);
    }
    // A table, a list and a receive area that are not there.
    driver.prepare(0, AhciDriver::fis(ata::identify_device), {{}});
    bench.memory.store(Gpa(AhciDriver::list_at + 8), ~std::uint64_t{0});
    driver.issue(0);
    stops(ahci::is_host_bus);
    driver.set(ahci::port_clbu, 0xffffffff);
    driver.issue(0);
    stops(ahci::is_host_bus);
    driver.prepare(0, AhciDriver::fis(ata::flush_cache), {});
    driver.set(ahci::port_fbu, 1);
    driver.issue(0);
    stops(ahci::is_host_bus);
    // 65535 entries of which none has data for the command's end; a FIS that is none.
    driver.prepare(0, AhciDriver::fis(ata::read_dma_ext, 0, 1), {});
    bench.memory.store(Gpa(AhciDriver::list_at), std::uint32_t{0xffff0005});
    driver.issue(0);
    driver.settle(bench.reactor);
    driver.bring_up();
    driver.prepare(0, std::array<std::uint8_t, 20>{0x99}, {});
    driver.issue(0);
    stops(ahci::is_interface);
}

TEST_CASE("ahci: commands wait for the bus master bit", "[ahci]") {
    Bench bench;
    AhciDriver driver = bench.driver(0);
    bench.controller->config_write(4, 2, 0x2);
    driver.prepare(0, AhciDriver::fis(ata::identify_device), {{}});
    driver.issue(0);
    driver.settle(bench.reactor);
    CHECK(driver.reg(ahci::port_ci) == 1);
    bench.controller->config_write(4, 2, 0x6);
    driver.settle(bench.reactor);
    CHECK(driver.reg(ahci::port_ci) == 0);
}

TEST_CASE("ahci: resets while the host works", "[ahci]") {
    Bench bench;
    AhciDriver driver = bench.driver(2);
    driver.prepare(0, AhciDriver::fis(ata::read_dma_ext, 0, 1), {{}});
    driver.issue(0);
    bench.reactor.run_until_idle();
    REQUIRE(bench.held->waiting.size() == 1);
    SECTION("COMRESET ends when the memory is free") {
        driver.set(ahci::port_sctl, 1);
        driver.set(ahci::port_sctl, 0);
        CHECK(driver.reg(ahci::port_ssts) == 0);
        bench.held->answer();
        CHECK(driver.reg(ahci::port_ssts) == 0x133);
        CHECK(driver.reg(ahci::port_sig) == 0x101);
    }
    SECTION("a controller reset, too") {
        driver.set_host(ahci::reg_ghc, ahci::ghc_reset);
        CHECK((driver.host(ahci::reg_ghc) & ahci::ghc_reset) != 0);
        driver.set(ahci::port_ie, 1); // too early
        bench.held->answer();
        CHECK(driver.host(ahci::reg_ghc) == ahci::ghc_ahci);
        CHECK(driver.reg(ahci::port_ie) == 0);
        CHECK(driver.reg(ahci::port_clb) == AhciDriver::list_at);
    }
    SECTION("the machine's reset waits") {
        bench.controller->reset();
        CHECK(bench.held->waiting.empty());
        CHECK(driver.reg(ahci::port_clb) == 0);
    }
    CHECK(driver.received(ahci::received_register + 2) != (bad & 0xff));
    driver.bring_up();
    driver.prepare(0, AhciDriver::fis(ata::read_dma_ext, 0, 1), {{}});
    driver.issue(0);
    bench.reactor.run_until_idle();
    REQUIRE(bench.held->waiting.size() == 1);
    bench.held->answer();
    CHECK(driver.reg(ahci::port_ci) == 0);
}

TEST_CASE("ahci: a software reset shows the signature again", "[ahci]") {
    Bench bench;
    AhciDriver driver = bench.driver(1);
    driver.run(bench.reactor, AhciDriver::fis(ata::identify_packet_device), {{}});
    auto fis = AhciDriver::fis(0);
    fis[1] = 0;
    fis[15] = ahci::control_reset;
    CHECK((driver.run(bench.reactor, fis) & ata::status_busy) != 0);
    CHECK(driver.reg(ahci::port_ci) == 0);
    fis[15] = 0;
    CHECK(driver.run(bench.reactor, fis) == 0x100);
    CHECK(driver.reg(ahci::port_sig) == 0xeb140101);
    CHECK(driver.received(ahci::received_register + 5) == 0x14);
}

TEST_CASE("ahci: a paused controller takes up nothing, its state moves", "[ahci]") {
    Bench source, target;
    AhciDriver driver = source.driver(2);
    driver.prepare(0, AhciDriver::fis(ata::read_dma_ext, 0, 1), {{}});
    driver.prepare(1, AhciDriver::fis(ata::read_dma_ext, 1, 1), {{}});
    driver.issue(0);
    source.reactor.run_until_idle();
    source.controller->pause();
    driver.issue(1);
    source.reactor.run_until_idle();
    CHECK_FALSE(source.controller->drained());
    source.held->answer();
    REQUIRE(source.controller->drained());
    CHECK(driver.reg(ahci::port_ci) == 2);
    StateWriter writer;
    source.controller->save(writer);
    const auto ram = source.memory.range(Gpa(0), source.memory.size_bytes());
    target.memory.write(Gpa(0), ram);
    StateReader reader(writer.bytes());
    target.controller->restore(reader);
    CHECK(target.irq.level == source.irq.level);
    target.reactor.run_until_idle();
    REQUIRE(target.held->waiting.size() == 1);
    CHECK(target.held->waiting[0].offset_bytes == 512);
    target.held->answer();
    CHECK(AhciDriver(*target.controller, target.memory, 2).reg(ahci::port_ci) == 0);
    source.controller->resume();
    source.reactor.run_until_idle();
    CHECK(source.held->waiting.size() == 1);
    source.held->answer();
}

TEST_CASE("ahci: one message for each new interrupt", "[ahci]") {
    Bench bench;
    bench.controller->config_write(0x84, 4, 0xfee01000);
    bench.controller->config_write(0x8c, 2, 0x4021);
    bench.controller->config_write(0x82, 2, 1);
    AhciDriver driver = bench.driver(0);
    bench.msis.sent.clear();
    driver.run(bench.reactor, AhciDriver::fis(ata::identify_device), {{}});
    REQUIRE(bench.msis.sent.size() == 1);
    CHECK(bench.msis.sent[0] == MsiMessage{0xfee01000, 0x4021});
    CHECK_FALSE(bench.irq.level);
    driver.set(ahci::port_is, ~0u);
    driver.set_host(ahci::reg_is, ~0u);
    CHECK(bench.msis.sent.size() == 1);
    driver.run(bench.reactor, AhciDriver::fis(ata::identify_device), {{}});
    CHECK(bench.msis.sent.size() == 2);
    driver.set_host(ahci::reg_is, ~0u); // the port's cause is still there
    CHECK(bench.msis.sent.size() == 3);
}

TEST_CASE("ahci: the CD drive", "[ahci]") {
    Bench bench;
    AhciDriver driver = bench.driver(1);
    const auto byte = [&](std::size_t at) {
        return static_cast<unsigned>(*bench.memory.load<std::uint8_t>(Gpa(driver.data_at + at)));
    };
    CHECK(driver.run(bench.reactor, AhciDriver::fis(ata::identify_device), {{}}) == (0x400 | bad));
    CHECK(driver.received(ahci::received_register + 5) == 0x14);
    driver.recover(bench.reactor);
    CHECK(driver.run(bench.reactor, AhciDriver::fis(ata::identify_packet_device), {{}}) == good);
    CHECK(word(driver.data(512), 0) == 0x85c0);

    CHECK(driver.run_packet(bench.reactor, {0x12, 0, 0, 0, 96}, {{.bytes = 96}}) == good);
    CHECK(driver.transferred() == 36);
    CHECK(byte(0) == 5);
    CHECK(driver.reg(ahci::port_is) == ahci::is_register_fis);
    CHECK(driver.run_packet(bench.reactor, {0x12, 0, 0, 0, 96}, {{.bytes = 96}}, false) == good);
    CHECK(driver.reg(ahci::port_is) == (ahci::is_register_fis | ahci::is_pio_setup));
    CHECK(driver.received(ahci::received_register + 5) == 36);

    CHECK(driver.run_packet(bench.reactor, {0}) == good);
    CHECK(driver.run_packet(bench.reactor, {0x25}, {{.bytes = 8}}) == good);
    CHECK(driver.data(8) == std::string("\0\0\0\x7f\0\0\x08\0", 8));
    const bool dma = GENERATE(true, false);
    CHECK(driver.run_packet(bench.reactor, {0x28, 0, 0, 0, 0, 3, 0, 0, 2}, {{.bytes = 4096}},
                            dma) == good);
    CHECK(driver.data(4096) == std::string(2048, 'd') + std::string(2048, 'e'));
    CHECK(driver.transferred() == 4096);
    CHECK(driver.run_packet(bench.reactor, {0xa8, 0, 0, 0, 0, 5, 0, 0, 0, 1}, {{.bytes = 2048}},
                            dma) == good);
    CHECK(driver.data(2048) == std::string(2048, 'f'));

    CHECK(driver.run_packet(bench.reactor, {0x43, 2, 0, 0, 0, 0, 0, 0, 100}, {{.bytes = 100}}) ==
          good);
    CHECK(driver.data(20) ==
          std::string("\0\x12\1\1\0\x14\1\0\0\0\2\0\0\x14\xaa\0\0\0\x03\x35", 20));
    CHECK(driver.run_packet(bench.reactor, {0x46, 0, 0, 0, 0, 0, 0, 0, 200}, {{.bytes = 200}}) ==
          good);
    CHECK(byte(7) == 8); // CD-ROM is current
    CHECK(byte(3) + 4 == driver.transferred());
    CHECK(driver.run_packet(bench.reactor, {0x5a, 0, 0x2a, 0, 0, 0, 0, 0, 64}, {{.bytes = 64}}) ==
          good);
    CHECK(byte(1) + 2 == driver.transferred());
    CHECK(byte(8) == 0x2a);
    CHECK(driver.run_packet(bench.reactor, {0x51, 0, 0, 0, 0, 0, 0, 0, 64}, {{.bytes = 64}}) ==
          good);
    CHECK(driver.transferred() == 34);

    // Errors leave their reason.
    const auto sense = [&] {
        driver.recover(bench.reactor);
        CHECK(driver.run_packet(bench.reactor, {3, 0, 0, 0, 18}, {{.bytes = 18}}) == good);
        return byte(2) << 16 | byte(12) << 8 | byte(13);
    };
    CHECK(driver.run_packet(bench.reactor, {0x28, 0, 0, 0, 0, 0x80, 0, 0, 1}, {{.bytes = 2048}}) ==
          (0x5400 | bad));
    CHECK(sense() == 0x052100);
    CHECK(sense() == 0);
    driver.run_packet(bench.reactor, {0xff});
    CHECK(sense() == 0x052000);
    // Locked, then ejected, then loaded again.
    CHECK(driver.run_packet(bench.reactor, {0x1e, 0, 0, 0, 1}) == good);
    driver.run_packet(bench.reactor, {0x1b, 0, 0, 0, 2});
    CHECK(sense() == 0x055302);
    driver.run_packet(bench.reactor, {0x1e});
    CHECK(driver.run_packet(bench.reactor, {0x1b, 0, 0, 0, 2}) == good);
    CHECK(driver.run_packet(bench.reactor, {0}) == (0x2400 | bad));
    CHECK(sense() == 0x023a00);
    CHECK(driver.run_packet(bench.reactor, {0x1b, 0, 0, 0, 3}) == good);
    CHECK(driver.run_packet(bench.reactor, {0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8}, {{.bytes = 8}}) ==
          good);
    CHECK(driver.data(6) == std::string("\0\6\4\x10\2\2", 6));
}

TEST_CASE("ahci: an empty CD drive", "[ahci]") {
    Bench bench;
    AhciDriver driver = bench.driver(3);
    CHECK(driver.run_packet(bench.reactor, {0}) == (0x2400 | bad));
    driver.recover(bench.reactor);
    CHECK(driver.run_packet(bench.reactor, {0x28, 0, 0, 0, 0, 0, 0, 0, 1}, {{.bytes = 2048}}) ==
          (0x2400 | bad));
    driver.recover(bench.reactor);
    CHECK(driver.run_packet(bench.reactor, {0x12, 0, 0, 0, 36}, {{.bytes = 36}}) == good);
    // An answer that is longer than the memory for it: what fits comes, and the port says so.
    CHECK(driver.run_packet(bench.reactor, {0x12, 0, 0, 0, 36}, {{.bytes = 8}}) == good);
    CHECK((driver.reg(ahci::port_is) & ahci::is_overflow) != 0);
    CHECK(driver.transferred() == 8);
}

TEST_CASE("ahci: more drives than ports, or an image that can't be one", "[ahci]") {
    fakes::FakeReactor reactor;
    fakes::FakePlacer placer;
    fakes::FakeMsiRouter msis;
    fakes::FakeIrqLine irq;
    const GuestMemory memory = GuestMemory::on_heap(64 * KiB);
    const AhciHost host{
        .memory = memory, .reactor = reactor, .placer = placer, .msis = msis, .intx = irq};
    std::vector<std::unique_ptr<AtaDrive>> drives;
    for (unsigned i = 0; i < 7; ++i)
        drives.push_back(std::make_unique<AtapiDrive>(nullptr, ""));
    CHECK_THROWS_AS(AhciController(host, std::move(drives)), UsageError);
    fakes::TempFile file(512);
    const auto image = [&] {
        return std::make_unique<RawDisk>(RawDiskOptions{.path = file.path(), .read_only = true},
                                         reactor);
    };
    CHECK_THROWS_AS(AtapiDrive(image(), ""), Error);
}
