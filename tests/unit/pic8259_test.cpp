#include "devices/pic8259/pic8259.h"
#include "tests/fakes/fake_processors.h"

#include <catch2/catch.hpp>

using namespace coldstart;
using namespace coldstart::pic8259;

namespace {

struct Bench {
    fakes::FakeProcessors processors;
    Pic8259 device{processors};

    void command(unsigned chip, unsigned value) { device.write(chip, port_command, 1, value); }
    void mask(unsigned chip, unsigned value) { device.write(chip, port_mask, 1, value); }
    unsigned imr(unsigned chip) { return static_cast<unsigned>(device.read(chip, port_mask, 1)); }
    unsigned chosen(unsigned chip, unsigned ocw) {
        command(chip, ocw);
        return static_cast<unsigned>(device.read(chip, port_command, 1));
    }
    unsigned irr(unsigned chip) { return chosen(chip, 0x0a); }
    unsigned isr(unsigned chip) { return chosen(chip, 0x0b); }

    /// As a PC's firmware and Linux do it, vectors 0x20 and 0x28.
    void initialise(unsigned icw4 = 1, unsigned icw1 = 0x11) {
        for (unsigned chip : {0u, 1u}) {
            command(chip, icw1);
            mask(chip, chip == 0 ? 0x20 : 0x28);
            mask(chip, chip == 0 ? 4 : 2);
            mask(chip, icw4);
        }
    }
    void pulse(unsigned input) {
        device.set_input(input, true);
        device.set_input(input, false);
    }
};

constexpr unsigned eoi = 0x20;

} // namespace

TEST_CASE("8259s: an interrupt goes in service and ends", "[pic8259]") {
    Bench bench;
    bench.initialise();
    CHECK_FALSE(bench.processors.intr);
    bench.pulse(4);
    CHECK(bench.processors.intr);
    CHECK(bench.irr(0) == 0x10);
    CHECK(bench.device.acknowledge() == 0x24);
    CHECK_FALSE(bench.processors.intr);
    CHECK(bench.irr(0) == 0);
    CHECK(bench.isr(0) == 0x10);
    bench.pulse(5); // of a lower priority
    bench.pulse(4); // of the same
    CHECK_FALSE(bench.processors.intr);
    bench.pulse(1);
    CHECK(bench.processors.intr);
    CHECK(bench.device.acknowledge() == 0x21);
    bench.command(0, eoi);
    CHECK(bench.isr(0) == 0x10);
    bench.command(0, eoi);
    CHECK(bench.isr(0) == 0);
    CHECK(bench.device.acknowledge() == 0x24);
    bench.command(0, eoi);
    CHECK(bench.device.acknowledge() == 0x25);
}

TEST_CASE("8259s: the second one comes through input 2 of the first", "[pic8259]") {
    Bench bench;
    bench.initialise();
    bench.pulse(12);
    CHECK(bench.irr(0) == 4);
    CHECK(bench.irr(1) == 0x10);
    CHECK(bench.device.acknowledge() == 0x2c);
    CHECK(bench.isr(0) == 4);
    CHECK(bench.isr(1) == 0x10);
    bench.pulse(8); // of a higher priority, but the first chip is busy with input 2
    CHECK_FALSE(bench.processors.intr);
    bench.command(1, eoi);
    bench.command(0, eoi);
    CHECK(bench.processors.intr);
    CHECK(bench.device.acknowledge() == 0x28);
}

TEST_CASE("8259s: in special fully nested mode the second chip decides itself", "[pic8259]") {
    Bench bench;
    bench.initialise(0x11);
    bench.pulse(12);
    CHECK(bench.device.acknowledge() == 0x2c);
    bench.pulse(8);
    CHECK(bench.processors.intr);
    CHECK(bench.device.acknowledge() == 0x28);
}

TEST_CASE("8259s: a masked request waits", "[pic8259]") {
    Bench bench;
    bench.initialise();
    bench.mask(0, 0xff);
    CHECK(bench.imr(0) == 0xff);
    bench.pulse(3);
    CHECK_FALSE(bench.processors.intr);
    bench.mask(0, 0xf7);
    CHECK(bench.processors.intr);
    bench.mask(0, 0xff);
    CHECK_FALSE(bench.processors.intr);
    CHECK(bench.device.acknowledge() == 0x27); // spurious: nothing in service
    CHECK(bench.isr(0) == 0);
}

TEST_CASE("8259s: a level is asked for as long as it is asserted", "[pic8259]") {
    Bench bench;
    bench.initialise();
    bench.device.write(region_elcr, 0, 1, 0xff);
    bench.device.write(region_elcr, 1, 1, 0xff);
    CHECK(bench.device.read(region_elcr, 0, 1) == 0xf8);
    CHECK(bench.device.read(region_elcr, 1, 1) == 0xde);
    bench.device.set_input(9, true);
    CHECK(bench.device.acknowledge() == 0x29);
    bench.command(1, eoi);
    bench.command(0, eoi);
    CHECK(bench.processors.intr);
    bench.device.set_input(9, false);
    CHECK_FALSE(bench.processors.intr);
    bench.device.set_input(1, true); // an edge all the same
    CHECK(bench.device.acknowledge() == 0x21);
    bench.command(0, eoi);
    CHECK_FALSE(bench.processors.intr);
}

TEST_CASE("8259s: initialisation forgets requests and masks, and needs all its words",
          "[pic8259]") {
    Bench bench;
    bench.initialise();
    bench.mask(0, 0xff);
    bench.device.set_input(5, true);
    bench.command(0, 0x11);
    CHECK(bench.imr(0) == 0);
    CHECK_FALSE(bench.processors.intr);
    bench.mask(0, 0x67); // the vector's low three bits are the input's
    bench.mask(0, 4);
    bench.pulse(6);
    CHECK_FALSE(bench.processors.intr);
    bench.mask(0, 1);
    CHECK(bench.processors.intr);
    CHECK(bench.device.acknowledge() == 0x66);
    bench.device.set_input(5, false);
    bench.device.set_input(5, true);
    CHECK(bench.irr(0) == 0x20);
}

TEST_CASE("8259s: a single chip without ICW4 needs two words", "[pic8259]") {
    Bench bench;
    bench.command(0, 0x12);
    bench.mask(0, 0x40);
    bench.mask(0, 0xfe);
    CHECK(bench.imr(0) == 0xfe);
    bench.pulse(0);
    CHECK(bench.device.acknowledge() == 0x40);
}

TEST_CASE("8259s: automatic end of interrupt, and rotation with it", "[pic8259]") {
    Bench bench;
    bench.initialise(3);
    bench.pulse(0);
    CHECK(bench.device.acknowledge() == 0x20);
    CHECK(bench.isr(0) == 0);
    bench.command(0, 0x80);
    bench.pulse(0);
    CHECK(bench.device.acknowledge() == 0x20);
    bench.pulse(0); // now the lowest
    bench.pulse(7);
    CHECK(bench.device.acknowledge() == 0x27);
    CHECK(bench.device.acknowledge() == 0x20);
}

TEST_CASE("8259s: ends by name, rotation and the lowest priority", "[pic8259]") {
    Bench bench;
    bench.initialise();
    bench.pulse(6);
    CHECK(bench.device.acknowledge() == 0x26);
    bench.pulse(1);
    CHECK(bench.device.acknowledge() == 0x21);
    bench.command(0, 0x60 | 6); // of input 6, although 1 is the first
    CHECK(bench.isr(0) == 2);
    bench.command(0, 0xa0); // end and rotate
    bench.pulse(1);
    bench.pulse(3);
    CHECK(bench.device.acknowledge() == 0x23);
    bench.command(0, eoi);
    bench.command(0, 0xc0 | 0); // 0 is the lowest: 1 the highest
    bench.pulse(0);
    CHECK(bench.device.acknowledge() == 0x21);
}

TEST_CASE("8259s: special mask mode lets lower priorities through", "[pic8259]") {
    Bench bench;
    bench.initialise();
    bench.pulse(3);
    CHECK(bench.device.acknowledge() == 0x23);
    bench.pulse(6);
    bench.mask(0, 0x08);
    CHECK_FALSE(bench.processors.intr);
    bench.command(0, 0x68);
    CHECK(bench.processors.intr);
    CHECK(bench.device.acknowledge() == 0x26);
    bench.command(0, eoi); // not of the masked one
    CHECK(bench.isr(0) == 8);
}

TEST_CASE("8259s: a poll acknowledges", "[pic8259]") {
    Bench bench;
    bench.initialise();
    CHECK((bench.chosen(0, 0x0c) & poll_interrupt) == 0);
    bench.pulse(4);
    CHECK(bench.chosen(0, 0x0c) == (poll_interrupt | 4));
    CHECK_FALSE(bench.processors.intr);
    CHECK(bench.isr(0) == 0x10);
}

TEST_CASE("8259s: byte accesses alone, and no way in at the cascade", "[pic8259]") {
    Bench bench;
    bench.initialise();
    CHECK(bench.device.read(0, 0, 2) == 0xffff);
    bench.device.write(0, 1, 2, 0xff);
    CHECK(bench.imr(0) == 0);
    bench.pulse(2);
    bench.pulse(16);
    CHECK_FALSE(bench.processors.intr);
}
