// The MSI-X table as a driver programs it.
#include "devices/core/pci/msix.h"
#include "tests/fakes/fake_pci.h"
#include "vmm/base/error.h"

#include <catch2/catch.hpp>

using namespace coldstart;

namespace {

constexpr std::uint16_t enable = 1 << 15, mask_all = 1 << 14;

struct Table {
    void set(unsigned vector, std::uint64_t address, std::uint32_t data, bool masked) {
        table.write_table(vector * 16, 8, address);
        table.write_table(vector * 16 + 8, 8, data | std::uint64_t{masked} << 32);
    }
    std::size_t sent() const { return router.sent.size(); }

    fakes::FakeMsiRouter router;
    MsixTable table{router, 3};
};

} // namespace

TEST_CASE("MSI-X: a vector sends the message the driver wrote", "[pci][msix]") {
    Table msix;
    CHECK(msix.router.lines == 3);
    CHECK(msix.table.table_bytes() == 48);
    CHECK(msix.table.pending_bytes() == 8);
    msix.table.notify(1);
    CHECK(msix.sent() == 0);

    msix.table.set_control(enable);
    CHECK(msix.table.enabled());
    msix.set(1, 0x1'fee01000, 0x4041, false);
    msix.table.notify(1);
    REQUIRE(msix.sent() == 1);
    CHECK(msix.router.sent[0] == MsiMessage{.address = 0x1'fee01000, .data = 0x4041});
    msix.table.write_table(16 + 8, 4, 0x4042); // an unmasked entry changes at once
    msix.table.notify(1);
    REQUIRE(msix.sent() == 2);
    CHECK(msix.router.sent[1].data == 0x4042);
    msix.table.notify(3);
    msix.table.notify(~0u);
    CHECK(msix.sent() == 2);
}

TEST_CASE("MSI-X: masked vectors wait, and say so", "[pci][msix]") {
    Table msix;
    msix.table.set_control(enable);
    msix.set(0, 0xfee00000, 0x30, true);
    msix.set(2, 0xfee00000, 0x32, false);
    msix.table.notify(0);
    msix.table.notify(0);
    CHECK(msix.sent() == 0);
    CHECK(msix.table.read_pending(0, 8) == 1);
    msix.table.write_table(12, 4, 0);
    REQUIRE(msix.sent() == 1); // once, however often it came
    CHECK(msix.router.sent[0].data == 0x30);
    CHECK(msix.table.read_pending(0, 8) == 0);

    msix.table.set_control(enable | mask_all);
    msix.table.notify(2);
    CHECK(msix.table.read_pending(0, 4) == 4);
    CHECK(msix.sent() == 1);
    msix.table.set_control(enable);
    REQUIRE(msix.sent() == 2);
    CHECK(msix.router.sent[1].data == 0x32);
}

TEST_CASE("MSI-X: the table reads back, by aligned words only", "[pci][msix]") {
    Table msix;
    CHECK(msix.table.read_table(12, 4) == 1); // masked at power-on
    msix.table.write_table(0, 4, 0xfee01003);
    CHECK(msix.table.read_table(0, 4) == 0xfee01000); // addresses are of doublewords
    msix.table.write_table(12, 4, 0xffffffff);
    CHECK(msix.table.read_table(12, 4) == 1);
    for (const auto& [offset, width] : std::vector<std::pair<std::uint64_t, unsigned>>{
             {0, 1}, {0, 2}, {2, 4}, {4, 8}, {48, 4}, {~std::uint64_t{0} - 3, 4}}) {
        CAPTURE(offset, width);
        CHECK(msix.table.read_table(offset, width) == ~std::uint64_t{0});
        msix.table.write_table(offset, width, 0);
    }
    CHECK(msix.table.read_table(0, 8) == 0xfee01000);
    CHECK(msix.table.read_pending(8, 8) == ~std::uint64_t{0});
}

TEST_CASE("MSI-X: reset and saved state", "[pci][msix]") {
    Table msix, other;
    const auto save = [](const Table& from) {
        StateWriter writer;
        from.table.save(writer);
        return writer.bytes();
    };
    const std::vector<std::byte> fresh = save(msix);
    msix.table.set_control(enable);
    msix.set(0, 0xfee00000, 0x30, false);
    msix.set(1, 0xfee00000, 0x31, true);
    msix.table.notify(1);

    const std::vector<std::byte> state = save(msix);
    StateReader reader(state);
    other.table.restore(reader);
    CHECK(save(other) == state);
    CHECK(other.table.enabled());
    CHECK(other.table.read_pending(0, 8) == 2);
    other.table.notify(0);
    REQUIRE(other.sent() == 1);
    CHECK(other.router.sent[0].data == 0x30);

    StateReader cut(ByteView(state).first(state.size() - 1));
    Table untouched;
    CHECK_THROWS_AS(untouched.table.restore(cut), Error);
    CHECK(save(untouched) == fresh);

    fakes::FakeMsiRouter router;
    MsixTable smaller(router, 2);
    StateReader again(state);
    CHECK_THROWS_AS(smaller.restore(again), Error);

    msix.table.reset();
    CHECK(save(msix) == fresh);
    CHECK_FALSE(msix.table.enabled());
}
