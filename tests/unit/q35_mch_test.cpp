#include "devices/q35/q35_mch.h"
#include "tests/fakes/fake_pci.h"
#include "tests/fakes/fakes.h"
#include "vmm/base/error.h"

#include <catch2/catch.hpp>

using namespace coldstart;
using namespace coldstart::q35;

namespace {

constexpr PciAddress mch_address{.device = 0, .function = 0};
constexpr std::size_t rom_bytes = 128 * 1024;

struct Mch {
    explicit Mch(std::size_t rom_size = rom_bytes)
        : ram(ShadowMemory::size_bytes, std::byte{0x11}), rom(rom_size, std::byte{0x22}),
          mch(Q35MchHost{.pci = pci,
                         .placer = placer,
                         .mapper = mapper,
                         .power = power,
                         .memory = memory,
                         .shadow_ram = ram,
                         .low_rom = rom}) {}

    std::uint32_t config(unsigned offset, unsigned width) {
        return pci.config_read(0, mch_address, offset, width);
    }
    void configure(unsigned offset, unsigned width, std::uint32_t value) {
        pci.config_write(0, mch_address, offset, width, value);
    }
    void pam(unsigned index, std::uint32_t value) { configure(cfg_pam0 + index, 1, value); }
    std::uint64_t read(std::uint64_t gpa, unsigned width = 1) {
        return mch.read(region_shadow, gpa - 0xc0000, width);
    }
    void write(std::uint64_t gpa, std::uint64_t value, unsigned width = 1) {
        mch.write(region_shadow, gpa - 0xc0000, width, value);
    }
    std::byte ram_at(std::uint64_t gpa) const { return ram[gpa - 0xc0000]; }
    /// What the guest sees without an exit: the memory behind `gpa`, or nullptr.
    const std::byte* seen(std::uint64_t gpa) const {
        const auto after = mapper.shown.upper_bound(gpa);
        if (after == mapper.shown.begin())
            return nullptr;
        const auto& [base, shown] = *std::prev(after);
        return gpa - base < shown.memory.size() ? &shown.memory[gpa - base] : nullptr;
    }
    bool is_writable(std::uint64_t gpa) const {
        return mapper.at(gpa)->access == MemoryAccess::read_write;
    }
    const std::byte* in_ram(std::uint64_t gpa) const { return &ram[gpa - 0xc0000]; }
    const std::byte* in_rom(std::uint64_t gpa) const { return &rom[gpa - (0x100000 - rom.size())]; }

    std::vector<std::byte> ram, rom;
    PciBus pci;
    fakes::FakePlacer placer;
    fakes::FakeMapper mapper;
    fakes::FakePower power;
    GuestMemory memory = GuestMemory::on_heap(1 << 20);
    Q35Mch mch;
};

} // namespace

TEST_CASE("q35: the host bridge is the one guests know", "[q35]") {
    Mch mch;
    CHECK(mch.config(0, 4) == 0x29c08086);
    CHECK(mch.config(8, 4) == 0x06000000);
    CHECK(mch.config(0x2c, 4) == 0x11001af4);
    CHECK(mch.config(cfg_pciexbar, 4) == 0xb0000000);
    // OVMF asks for extended TSEG and SMRAM at the default SMBASE so: not there.
    mch.configure(cfg_ext_tseg_mbytes, 2, 0xffff);
    mch.configure(cfg_smbase_control, 1, 0xff);
    CHECK(mch.config(cfg_ext_tseg_mbytes, 2) == 0);
    CHECK(mch.config(cfg_smbase_control, 1) == 0);
}

TEST_CASE("q35: at power-on the ROM stands below 1 MiB, read-only, in one piece", "[q35]") {
    Mch mch;
    REQUIRE(mch.mapper.shown.size() == 1);
    CHECK(mch.seen(0xe0000) == mch.in_rom(0xe0000));
    CHECK(mch.seen(0xfffff) == mch.in_rom(0xfffff));
    CHECK_FALSE(mch.is_writable(0xe0000));
    CHECK(mch.seen(0xdffff) == nullptr);
    CHECK(mch.read(0xdfffc, 8) == 0x22222222ffffffff); // across the ROM's first byte
    mch.write(0xf0000, 0x99);
    CHECK(mch.ram_at(0xf0000) == std::byte{0x11});
    CHECK(mch.read(0xf0000) == 0x22);
}

TEST_CASE("q35: the four states of a segment", "[q35]") {
    Mch mch;
    mch.pam(0, 0x30); // reads and writes RAM
    CHECK(mch.seen(0xf0000) == mch.in_ram(0xf0000));
    CHECK(mch.is_writable(0xf0000));
    CHECK(mch.seen(0xeffff) == mch.in_rom(0xeffff)); // the neighbour stays

    mch.pam(0, 0x10); // reads RAM, writes nowhere
    CHECK(mch.seen(0xf1234) == mch.in_ram(0xf1234));
    CHECK_FALSE(mch.is_writable(0xf1234));
    mch.write(0xf1234, 0x99);
    CHECK(mch.ram_at(0xf1234) == std::byte{0x11});

    mch.pam(0, 0x20); // reads ROM, writes RAM
    CHECK(mch.seen(0xf1234) == mch.in_rom(0xf1234));
    CHECK_FALSE(mch.is_writable(0xf1234));
    mch.write(0xf1234, 0x55aa, 2);
    CHECK(mch.read(0xf1234, 2) == 0x2222);
    CHECK(mch.ram_at(0xf1234) == std::byte{0xaa});
    CHECK(mch.ram_at(0xf1235) == std::byte{0x55});
    mch.pam(0, 0x30);
    CHECK(mch.read(0xf1234, 2) == 0x55aa);

    mch.pam(0, 0x00);
    CHECK(mch.seen(0xf1234) == mch.in_rom(0xf1234));
    CHECK(mch.mapper.shown.size() == 1);
}

TEST_CASE("q35: each nibble of PAM1 to PAM6 has its 16 KiB", "[q35]") {
    for (unsigned nibble = 0; nibble < 12; ++nibble) {
        Mch mch;
        mch.pam(1 + nibble / 2, nibble % 2 == 0 ? 0x03 : 0x30);
        const std::uint64_t segment = 0xc0000 + nibble * 0x4000ull;
        for (std::uint64_t gpa = 0xc0000; gpa < 0x100000; gpa += 0x1000) {
            CAPTURE(nibble, gpa);
            const bool is_inside = gpa >= segment && gpa < segment + 0x4000;
            const std::byte* rom = gpa >= 0xe0000 ? mch.in_rom(gpa) : nullptr;
            CHECK(mch.seen(gpa) == (is_inside ? mch.in_ram(gpa) : rom));
        }
    }
}

TEST_CASE("q35: equal neighbours are shown as one, and only changes touch the mapper", "[q35]") {
    Mch mch;
    // As SeaBIOS: two doublewords make everything RAM.
    mch.configure(0x90, 4, 0x33333330);
    mch.configure(0x94, 4, 0x00333333);
    REQUIRE(mch.mapper.shown.size() == 1);
    CHECK(mch.seen(0xc0000) == mch.in_ram(0xc0000));
    CHECK(mch.seen(0xfffff) == mch.in_ram(0xfffff));

    mch.configure(0x90, 4, 0x33331110); // F0000 and C0000..CFFFF are locked
    CHECK(mch.mapper.shown.size() == 3);
    // The mapper refuses: what stands is left alone, the rest is served by exits.
    const auto* const middle = mch.mapper.at(0xd0000);
    mch.pam(1, 0x00);
    CHECK(mch.mapper.at(0xd0000) == middle);
    CHECK(mch.seen(0xc7fff) == nullptr);
    CHECK(mch.seen(0xc8000) == mch.in_ram(0xc8000));
}

TEST_CASE("q35: what can't be shown is served access by access", "[q35]") {
    Mch mch;
    std::vector<std::byte> other(4096);
    mch.pam(1, 0x03);
    mch.pam(1, 0x00);
    REQUIRE(mch.mapper.show(Gpa(0xc1000), other, MemoryAccess::read_write));
    mch.pam(1, 0x03);
    CHECK(mch.mapper.at(0xc0000) == nullptr);
    mch.write(0xc0000, 0x1122334455667788, 8);
    CHECK(mch.read(0xc0000, 8) == 0x1122334455667788);
    mch.mapper.hide(Gpa(0xc1000));
    mch.pam(2, 0x03); // the next change tries again
    CHECK(mch.seen(0xc0000) == mch.in_ram(0xc0000));
}

TEST_CASE("q35: ROMs of other sizes", "[q35]") {
    Mch none(0);
    CHECK(none.mapper.shown.empty());
    CHECK(none.read(0xffff0, 4) == 0xffffffff);
    Mch whole(256 * 1024);
    CHECK(whole.seen(0xc0000) == whole.in_rom(0xc0000));
    Mch odd(0x11000); // begins inside a segment
    CHECK(odd.seen(0xeefff) == nullptr);
    CHECK(odd.seen(0xef000) == odd.in_rom(0xef000));
    odd.configure(0x90, 4, 0x33333330);
    odd.configure(0x94, 4, 0x00033333); // all but EC000..EFFFF
    CHECK(odd.seen(0xeefff) == nullptr);
    CHECK(odd.seen(0xef000) == odd.in_rom(0xef000));
    CHECK(odd.seen(0xf0000) == odd.in_ram(0xf0000));
    CHECK_THROWS_AS(Mch(512 * 1024), Error);
    CHECK_THROWS_AS(Mch(1000), Error);
}

TEST_CASE("q35: a reset brings the ROM back and takes ECAM away", "[q35]") {
    Mch mch;
    mch.configure(0x90, 4, 0x33333330);
    mch.configure(cfg_pciexbar, 4, 0xb0000001);
    mch.configure(cfg_smram, 1, smram_locked);
    mch.mch.write(region_ports, 0, 4, 0x80000000);
    mch.mch.reset();
    CHECK(mch.mapper.shown.size() == 1);
    CHECK(mch.seen(0xf0000) == mch.in_rom(0xf0000));
    CHECK_FALSE(mch.placer.where(mch.mch, region_ecam));
    CHECK(mch.mch.read(region_ports, 0, 4) == 0);
    mch.configure(cfg_smram, 1, smram_open);
    CHECK(mch.config(cfg_smram, 1) == (smram_open | smram_power_on));
}

TEST_CASE("q35: firmware finds the bases of TSEG and stolen memory as it left them", "[q35]") {
    Mch mch;
    for (const unsigned base : {cfg_gbsm, cfg_bgsm, cfg_tsegmb}) {
        CAPTURE(base);
        CHECK(mch.config(base, 4) == 0);
        mch.configure(base, 4, 0x1f0fffff);
        CHECK(mch.config(base, 4) == 0x1f000000);
    }
    mch.mch.reset();
    CHECK(mch.config(cfg_tsegmb, 4) == 0);
}

TEST_CASE("q35: PCIEXBAR places ECAM, whose length it knows", "[q35]") {
    Mch mch;
    CHECK_FALSE(mch.placer.where(mch.mch, region_ecam));
    CHECK(mch.mch.read(region_ecam, 0, 4) == 0xffffffff);
    mch.configure(cfg_pciexbar + 4, 4, 0); // as OVMF: high half, then low with the enable bit
    mch.configure(cfg_pciexbar, 4, 0xe0000001);
    CHECK(mch.placer.where(mch.mch, region_ecam) == 0xe0000000);
    CHECK(mch.mch.read(region_ecam, 0, 4) == 0x29c08086);
    CHECK(mch.mch.read(region_ecam, 2, 2) == 0x29c0);
    CHECK(mch.mch.read(region_ecam, 0x100, 4) == 0);            // extended space
    CHECK(mch.mch.read(region_ecam, 1 << 15, 4) == 0xffffffff); // no device 1
    CHECK(mch.mch.read(region_ecam, 1 << 20, 4) == 0xffffffff); // no bus 1
    CHECK(mch.mch.read(region_ecam, 3, 2) == 0xffff);           // across a doubleword
    CHECK(mch.mch.read(region_ecam, 0, 8) == ~0ull);
    mch.mch.write(region_ecam, cfg_tolud, 2, 0x8000);
    CHECK(mch.config(cfg_tolud, 2) == 0x8000);

    mch.configure(cfg_pciexbar, 4, 0xb4000005); // 64 MiB
    CHECK(mch.placer.where(mch.mch, region_ecam) == 0xb4000000);
    CHECK(mch.mch.read(region_ecam, 0, 4) == 0x29c08086);
    CHECK(mch.mch.read(region_ecam, 64 << 20, 4) == 0xffffffff);
    mch.configure(cfg_pciexbar, 4, 0xb8000007); // reserved length
    CHECK_FALSE(mch.placer.where(mch.mch, region_ecam));
    mch.configure(cfg_pciexbar + 4, 4, 0xffffffff);
    mch.configure(cfg_pciexbar, 4, 0xf0000001);
    CHECK(mch.placer.where(mch.mch, region_ecam) == 0xff0000000);

    mch.placer.refuse = true; // something stands there
    mch.configure(cfg_pciexbar, 4, 0xa0000001);
    CHECK_FALSE(mch.placer.where(mch.mch, region_ecam));
    CHECK(mch.mch.read(region_ecam, 0, 4) == 0xffffffff);
}

TEST_CASE("q35: ports 0xcf8 to 0xcff", "[q35]") {
    Mch mch;
    const auto in = [&](unsigned port, unsigned width) {
        return mch.mch.read(region_ports, port - 0xcf8, width);
    };
    const auto out = [&](unsigned port, unsigned width, std::uint32_t value) {
        mch.mch.write(region_ports, port - 0xcf8, width, value);
    };
    CHECK(in(0xcfc, 4) == 0xffffffff); // not enabled
    out(0xcf8, 4, 0xffffffff);
    CHECK(in(0xcf8, 4) == 0x80fffffc);
    CHECK(in(0xcfc, 4) == 0xffffffff); // bus 255
    out(0xcf8, 4, 0x80000000);
    CHECK(in(0xcfc, 4) == 0x29c08086);
    CHECK(in(0xcfc, 2) == 0x8086);
    CHECK(in(0xcfd, 1) == 0x80);
    CHECK(in(0xcfd, 2) == 0xc080);
    CHECK(in(0xcfe, 2) == 0x29c0);
    CHECK(in(0xcff, 1) == 0x29);
    out(0xcf8, 4, 0x80000000 | cfg_tolud);
    out(0xcfd, 1, 0x77);
    CHECK(in(0xcfc, 2) == 0x7700);
    // Linux's test of mechanism 1: a byte to 0xcfb is no address.
    out(0xcfb, 1, 1);
    CHECK(in(0xcf8, 4) == (0x80000000 | cfg_tolud));
    out(0xcf8, 2, 0);
    CHECK(in(0xcf8, 4) == (0x80000000 | cfg_tolud));
    CHECK(in(0xcf8, 2) == 0xffff);
    CHECK(in(0xcfa, 4) == 0xffffffff); // half address, half data
    out(0xcfa, 4, 0);
    CHECK(in(0xcf8, 4) == (0x80000000 | cfg_tolud));
    CHECK(in(0xcfc, 2) == 0x7700);
    out(0xcf8, 4, cfg_tolud); // disabled
    out(0xcfc, 4, 0);
    CHECK(mch.config(cfg_tolud, 2) == 0x7700);
}

TEST_CASE("q35: port 0xcf9 resets when its CPU bit is written", "[q35]") {
    Mch mch;
    mch.mch.write(region_ports, 0, 4, 0x80000000);
    mch.mch.write(region_ports, port_reset, 1, 0x02);
    CHECK(mch.power.resets == 0);
    CHECK(mch.mch.read(region_ports, port_reset, 1) == 0x02);
    CHECK(mch.mch.read(region_ports, 0, 4) == 0x80000000); // another register
    mch.mch.write(region_ports, 0, 4, 0x80000604);         // an address, not a reset
    CHECK(mch.power.resets == 0);
    mch.mch.write(region_ports, port_reset, 1, 0x06);
    CHECK(mch.power.resets == 1);
    mch.mch.write(region_ports, port_reset, 1, 0x0e);
    CHECK(mch.power.resets == 2);
    CHECK(mch.mch.read(region_ports, port_reset, 1) == 0x0a);
}

TEST_CASE("q35: D_LCK locks SMRAM and ESMRAMC", "[q35]") {
    Mch mch;
    CHECK(mch.config(cfg_smram, 1) == smram_power_on);
    CHECK(mch.config(cfg_esmramc, 1) == esmramc_power_on);
    mch.configure(cfg_smram, 1, smram_open | smram_enable);
    CHECK(mch.config(cfg_smram, 1) == (smram_open | smram_enable | smram_power_on));
    mch.configure(cfg_esmramc, 1, 0x01);
    mch.configure(cfg_smram, 1, smram_open | smram_enable | smram_locked);
    const unsigned locked = smram_enable | smram_locked | smram_power_on; // it closes, too
    CHECK(mch.config(cfg_smram, 1) == locked);
    mch.configure(cfg_smram, 2, smram_open);
    CHECK(mch.config(cfg_smram, 1) == locked);
    CHECK(mch.config(cfg_esmramc, 1) == (esmramc_power_on | 0x01));
    mch.configure(cfg_smram, 1, smram_closed);
    CHECK(mch.config(cfg_smram, 1) == (locked | smram_closed));
}

TEST_CASE("q35: a restored bridge shows and places what the saved one did", "[q35]") {
    Mch source, target;
    source.configure(0x90, 4, 0x33111130);
    source.configure(cfg_pciexbar, 4, 0xb0000001);
    source.configure(cfg_smram, 1, smram_locked);
    StateWriter writer;
    source.mch.save(writer);
    StateReader reader(writer.bytes());
    target.mch.restore(reader);
    CHECK(target.placer.where(target.mch, region_ecam) == 0xb0000000);
    REQUIRE(target.mapper.shown.size() == source.mapper.shown.size());
    for (const auto& [base, shown] : source.mapper.shown) {
        REQUIRE(target.mapper.at(base) != nullptr);
        CHECK(target.mapper.at(base)->memory.size() == shown.memory.size());
        CHECK(target.mapper.at(base)->access == shown.access);
    }
    target.configure(cfg_smram, 1, smram_open);
    CHECK((target.config(cfg_smram, 1) & smram_open) == 0); // still locked
}

TEST_CASE("q35: a bridge that goes leaves nothing behind", "[q35]") {
    PciBus pci;
    fakes::FakePlacer placer;
    fakes::FakeMapper mapper;
    fakes::FakePower power;
    std::vector<std::byte> rom(4096);
    const GuestMemory memory = GuestMemory::on_heap(1 << 20);
    const Q35MchHost host{.pci = pci,
                          .placer = placer,
                          .mapper = mapper,
                          .power = power,
                          .memory = memory,
                          .low_rom = rom};
    {
        Q35Mch mch(host);
        CHECK(pci.find(mch_address) != nullptr);
        CHECK(mapper.shown.size() == 1);
        CHECK_THROWS_AS(Q35Mch(host), Error); // 00:00.0 is taken
    }
    CHECK(pci.find(mch_address) == nullptr);
    CHECK(mapper.shown.empty());
}
