#include "devices/ioapic/ioapic.h"
#include "tests/fakes/fake_processors.h"
#include "vmm/base/error.h"

#include <catch2/catch.hpp>

using namespace coldstart;
using namespace coldstart::ioapic;

namespace {

struct Bench {
    fakes::FakeProcessors processors;
    Ioapic device{processors};

    std::uint32_t get(std::uint8_t index) {
        device.write(0, reg_select, 4, index);
        return static_cast<std::uint32_t>(device.read(0, reg_window, 4));
    }
    void set(std::uint8_t index, std::uint32_t value) {
        device.write(0, reg_select, 4, index);
        device.write(0, reg_window, 4, value);
    }
    void set_entry(unsigned pin, std::uint32_t low, std::uint8_t destination = 0) {
        const auto index = static_cast<std::uint8_t>(index_redirection + 2 * pin);
        set(static_cast<std::uint8_t>(index + 1), std::uint32_t{destination} << 24);
        set(index, low);
    }
    std::uint32_t entry_low(unsigned pin) {
        return get(static_cast<std::uint8_t>(index_redirection + 2 * pin));
    }
    void pulse(unsigned pin) {
        device.set_input(pin, true);
        device.set_input(pin, false);
    }
};

constexpr std::uint32_t level = entry_level, masked = entry_masked;

} // namespace

TEST_CASE("an IOAPIC says its version, its pins, and that all are masked", "[ioapic]") {
    Bench bench;
    CHECK(bench.get(index_version) == 0x170020);
    for (unsigned pin = 0; pin < pins; ++pin)
        CHECK(bench.entry_low(pin) == masked);
    bench.set(index_id, 0xffffffff);
    CHECK(bench.get(index_id) == 0x0f000000);
    CHECK(bench.get(index_arbitration) == 0x0f000000);
    bench.set(index_version, 0);
    CHECK(bench.get(index_version) == 0x170020);
    CHECK(bench.get(0x0f) == 0xffffffff);
    CHECK(bench.get(index_redirection + 2 * pins) == 0xffffffff);
}

TEST_CASE("a redirection entry keeps what software may write", "[ioapic]") {
    Bench bench;
    bench.set_entry(5, 0xffffffff, 0xff);
    CHECK(bench.entry_low(5) == 0x1afff); // neither delivery status nor Remote IRR
    CHECK(bench.get(index_redirection + 11) == 0xff000000);
}

TEST_CASE("an entry becomes the message that says the same", "[ioapic]") {
    Bench bench;
    bench.set_entry(7, 0x41, 3);
    bench.pulse(7);
    REQUIRE(bench.processors.sent.size() == 1);
    CHECK(bench.processors.sent[0] == MsiMessage{0xfee03000, 0x41});
    bench.set_entry(7, 0x42 | 1u << entry_delivery_shift | 1u << 11, 0x81);
    bench.pulse(7);
    REQUIRE(bench.processors.sent.size() == 2);
    CHECK(bench.processors.sent[1] == MsiMessage{0xfee81004, 0x142}); // logical, lowest priority
}

TEST_CASE("an edge is sent once, and one that comes while masked is sent afterwards", "[ioapic]") {
    Bench bench;
    bench.device.set_input(4, true);
    bench.device.set_input(4, true);
    bench.pulse(4);
    CHECK(bench.processors.sent.empty());
    bench.set_entry(4, 0x30);
    CHECK(bench.processors.sent.size() == 1);
    bench.set_entry(4, 0x30);
    CHECK(bench.processors.sent.size() == 1);
    bench.pulse(4);
    bench.pulse(4);
    CHECK(bench.processors.sent.size() == 3);
}

TEST_CASE("a level is sent again after its end while the input is asserted", "[ioapic]") {
    Bench bench;
    bench.set_entry(9, 0x50 | level);
    bench.device.set_input(9, true);
    REQUIRE(bench.processors.sent.size() == 1);
    CHECK(bench.processors.sent[0].data == 0xc050); // level, asserted
    CHECK((bench.entry_low(9) & entry_remote_irr) != 0);
    bench.device.set_input(9, false);
    bench.device.set_input(9, true); // not yet ended
    CHECK(bench.processors.sent.size() == 1);
    bench.device.end_of_interrupt(0x51); // another's
    CHECK(bench.processors.sent.size() == 1);
    bench.device.end_of_interrupt(0x50);
    CHECK(bench.processors.sent.size() == 2);
    bench.device.set_input(9, false);
    bench.device.write(0, reg_eoi, 4, 0x50);
    CHECK(bench.processors.sent.size() == 2);
    CHECK((bench.entry_low(9) & entry_remote_irr) == 0);
}

TEST_CASE("a level that is masked is sent when it is unmasked, if it is still there", "[ioapic]") {
    Bench bench;
    bench.set_entry(9, 0x50 | level | masked);
    bench.device.set_input(9, true);
    CHECK(bench.processors.sent.empty());
    bench.set_entry(9, 0x50 | level);
    CHECK(bench.processors.sent.size() == 1);
    bench.set_entry(9, 0x50 | level | masked); // while it is served, as Linux does
    bench.device.end_of_interrupt(0x50);
    CHECK(bench.processors.sent.size() == 1);
    bench.device.set_input(9, false);
    bench.set_entry(9, 0x50 | level);
    CHECK(bench.processors.sent.size() == 1);
}

TEST_CASE("making it an edge for a moment ends a level, without an EOI register", "[ioapic]") {
    Bench bench;
    bench.set_entry(9, 0x50 | level);
    bench.device.set_input(9, true);
    bench.set_entry(9, 0x50 | masked);
    CHECK((bench.entry_low(9) & entry_remote_irr) == 0);
    bench.set_entry(9, 0x50 | level);
    CHECK(bench.processors.sent.size() == 2);
}

TEST_CASE("ends are asked for of levels alone, and not given up while one is served", "[ioapic]") {
    Bench bench;
    bench.set_entry(4, 0x30);
    CHECK(bench.processors.watched.empty());
    bench.set_entry(9, 0x50 | level | masked);
    CHECK(bench.processors.watched.empty());
    bench.set_entry(9, 0x50 | level, 1);
    REQUIRE(bench.processors.watched.size() == 1);
    CHECK(bench.processors.watched.at(9) == MsiMessage{0xfee01000, 0xc050});
    bench.set_entry(9, 0x50 | level | masked, 1);
    CHECK(bench.processors.watched.size() == 1);
    bench.set_entry(9, 0x50);
    CHECK(bench.processors.watched.empty());
}

TEST_CASE("an ExtINT entry leaves the matter to the 8259s", "[ioapic]") {
    Bench bench;
    bench.set_entry(0, 7u << entry_delivery_shift);
    bench.pulse(0);
    CHECK(bench.processors.sent.empty());
}

TEST_CASE("a reset masks every entry and leaves the inputs as the lines have them", "[ioapic]") {
    Bench bench;
    bench.set_entry(9, 0x50 | level);
    bench.device.set_input(9, true);
    bench.device.reset();
    CHECK(bench.entry_low(9) == masked);
    CHECK(bench.processors.watched.empty());
    bench.set_entry(9, 0x60 | level);
    CHECK(bench.processors.sent.size() == 2);
}

TEST_CASE("a restored IOAPIC watches, waits and sends as the saved one did", "[ioapic]") {
    Bench source, target;
    source.set_entry(9, 0x50 | level);
    source.device.set_input(9, true);
    source.pulse(5); // kept
    StateWriter writer;
    source.device.save(writer);
    StateReader reader(writer.bytes());
    target.device.restore(reader);
    CHECK(target.processors.sent.empty());
    CHECK(target.processors.watched.count(9) == 1);
    target.device.set_input(9, true); // the line comes up again: nothing new
    CHECK(target.processors.sent.empty());
    target.device.end_of_interrupt(0x50);
    CHECK(target.processors.sent.size() == 1);
    target.set_entry(5, 0x31);
    CHECK(target.processors.sent.size() == 2);
}

TEST_CASE("other widths and places of an IOAPIC are nothing", "[ioapic]") {
    Bench bench;
    bench.device.write(0, reg_select, 1, index_version);
    CHECK(bench.device.read(0, reg_select, 1) == index_version);
    CHECK(bench.device.read(0, reg_window, 4) == 0x170020);
    CHECK(bench.device.read(0, reg_window, 2) == 0xffff);
    CHECK(bench.device.read(0, reg_eoi, 4) == 0xffffffff);
    CHECK(bench.device.read(0, 0x20, 4) == 0xffffffff);
    bench.device.set_input(24, true);
    CHECK(bench.processors.sent.empty());
}
