#include "devices/ich9/ich9_lpc.h"
#include "devices/ich9/ich9_smbus.h"
#include "tests/fakes/fake_pci.h"
#include "tests/fakes/fake_smm.h"
#include "tests/fakes/fakes.h"
#include "vmm/base/error.h"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace coldstart;
using namespace coldstart::ich9;

namespace {

constexpr PciAddress lpc_address{.device = 31, .function = 0};
constexpr std::uint64_t tick = tco_tick_ns;

struct Lpc {
    explicit Lpc(bool has_smm = false) : lpc(host(has_smm)) {}

    Ich9LpcHost host(bool has_smm = false) {
        for (std::size_t i = 0; i < irqs.size(); ++i)
            lines[i] = &irqs[i];
        return {.pci = pci,
                .placer = placer,
                .clock = clock,
                .power = power,
                .lines = lines,
                .smm = has_smm ? &smm : nullptr};
    }

    std::uint32_t config(unsigned offset, unsigned width) {
        return pci.config_read(0, lpc_address, offset, width);
    }
    void configure(unsigned offset, unsigned width, std::uint32_t value) {
        pci.config_write(0, lpc_address, offset, width, value);
    }
    std::uint64_t pm(unsigned offset, unsigned width) { return lpc.read(region_pm, offset, width); }
    void set_pm(unsigned offset, unsigned width, std::uint64_t value) {
        lpc.write(region_pm, offset, width, value);
    }
    std::uint64_t tco(unsigned offset, unsigned width = 2) { return pm(0x60 + offset, width); }
    void set_tco(unsigned offset, std::uint64_t value) { set_pm(0x60 + offset, 2, value); }
    bool gsi(std::uint32_t number) const {
        const auto found = std::find(line_gsis.begin(), line_gsis.end(), number);
        return irqs[static_cast<std::size_t>(found - line_gsis.begin())].level;
    }
    std::vector<std::uint32_t> raised() const {
        std::vector<std::uint32_t> all;
        for (const std::uint32_t number : line_gsis) {
            if (gsi(number))
                all.push_back(number);
        }
        return all;
    }

    std::array<fakes::FakeIrqLine, line_gsis.size()> irqs;
    std::array<IrqLine*, line_gsis.size()> lines{};
    PciBus pci;
    fakes::FakePlacer placer;
    fakes::FakeClock clock;
    fakes::FakePower power;
    fakes::FakeSmm smm;
    Ich9Lpc lpc;
};

using Gsis = std::vector<std::uint32_t>;

} // namespace

TEST_CASE("ich9: the LPC bridge is the one guests know", "[ich9]") {
    Lpc lpc;
    CHECK(lpc.config(0, 4) == 0x29188086);
    CHECK(lpc.config(8, 4) == 0x06010002);
    CHECK(lpc.config(0x2c, 4) == 0x11001af4);
    CHECK(lpc.config(cfg_pmbase, 4) == 1);
    CHECK(lpc.config(cfg_pirq_a_rout, 4) == 0x80808080);
    fakes::FakeIrqLine intx;
    Ich9Smbus smbus(lpc.placer, intx);
    lpc.pci.add({.device = 31, .function = 3}, smbus);
    CHECK(lpc.config(0x0e, 1) == 0x80); // it has siblings
}

TEST_CASE("ich9: PMBASE moves the power management ports once ACPI_EN is set", "[ich9]") {
    Lpc lpc;
    lpc.configure(cfg_pmbase, 4, 0x601);
    CHECK_FALSE(lpc.placer.where(lpc.lpc, region_pm));
    lpc.configure(cfg_acpi_cntl, 1, acpi_cntl_enable);
    CHECK(lpc.placer.where(lpc.lpc, region_pm) == 0x600);
    lpc.configure(cfg_pmbase, 4, 0xffffffff);
    CHECK(lpc.config(cfg_pmbase, 4) == 0xff81);
    CHECK(lpc.placer.where(lpc.lpc, region_pm) == 0xff80);
    lpc.configure(cfg_pmbase, 4, 0);
    CHECK_FALSE(lpc.placer.where(lpc.lpc, region_pm));
    lpc.configure(cfg_pmbase + 1, 1, 0xb0);
    CHECK(lpc.placer.where(lpc.lpc, region_pm) == 0xb000);
    lpc.configure(cfg_acpi_cntl, 1, 0);
    CHECK_FALSE(lpc.placer.where(lpc.lpc, region_pm));

    lpc.configure(cfg_rcba, 4, 0xfed1c001);
    CHECK(lpc.placer.where(lpc.lpc, region_rcba) == 0xfed1c000);
    lpc.configure(cfg_rcba, 4, 0xfed1c000);
    CHECK_FALSE(lpc.placer.where(lpc.lpc, region_rcba));
    lpc.configure(cfg_rcba, 4, 0xfed1c001);
    lpc.lpc.reset();
    CHECK(lpc.placer.places.empty());
}

TEST_CASE("ich9: PIRQs drive their GSI and the ISA interrupt they are routed to", "[ich9]") {
    Lpc lpc;
    const auto pin = lpc.pci.connect_intx({.device = 2, .function = 0}, 0);    // PIRQG
    const auto other = lpc.pci.connect_intx({.device = 6, .function = 0}, 0);  // PIRQG as well
    const auto third = lpc.pci.connect_intx({.device = 31, .function = 2}, 1); // PIRQB
    pin->set_level(true);
    CHECK(lpc.raised() == Gsis{22}); // not routed at power-on
    lpc.configure(cfg_pirq_e_rout + 2, 1, 10);
    CHECK(lpc.raised() == Gsis{22, 10});
    other->set_level(true);
    pin->set_level(false);
    CHECK(lpc.raised() == Gsis{22, 10});
    lpc.configure(cfg_pirq_a_rout, 4, 0x0b0b0a0a);
    third->set_level(true);
    CHECK(lpc.raised() == Gsis{17, 22, 10});
    other->set_level(false);
    CHECK(lpc.raised() == Gsis{17, 10}); // PIRQB holds it
    lpc.configure(cfg_pirq_a_rout + 1, 1, 11);
    CHECK(lpc.raised() == Gsis{17, 11});
    lpc.configure(cfg_pirq_a_rout + 1, 1, 4); // an edge lives there: ignored
    CHECK(lpc.raised() == Gsis{17});
    lpc.configure(cfg_pirq_a_rout + 1, 1, 0x8b); // off
    CHECK(lpc.raised() == Gsis{17});
    third->set_level(false);
    CHECK(lpc.raised().empty());
}

TEST_CASE("ich9: the SCI goes where ACPI_CNTL says and shares with PIRQs", "[ich9]") {
    Lpc lpc;
    lpc.lpc.press_power_button();
    lpc.set_pm(2, 2, acpi_pm::pm1_power_button);
    CHECK(lpc.raised().empty()); // legacy mode
    lpc.lpc.write(region_apm, apm_control, 1, apm_acpi_enable);
    CHECK(lpc.raised() == Gsis{9});
    CHECK((lpc.pm(pm_control, 2) & 1) == 1);
    const Gsis by_choice[] = {{9}, {10}, {11}, {}, {20}, {21}, {}, {}};
    for (unsigned choice = 0; choice < 8; ++choice) {
        lpc.configure(cfg_acpi_cntl, 1, choice);
        CHECK(lpc.raised() == by_choice[choice]);
    }
    lpc.configure(cfg_acpi_cntl, 1, 1);
    lpc.configure(cfg_pirq_a_rout, 1, 10);
    const auto pin = lpc.pci.connect_intx({.device = 31, .function = 2}, 0);
    pin->set_level(true);
    lpc.lpc.write(region_apm, apm_control, 1, apm_acpi_disable);
    CHECK(lpc.raised() == Gsis{16, 10});
    pin->set_level(false);
    CHECK(lpc.raised().empty());
}

TEST_CASE("ich9: what firmware does to the power management ports", "[ich9]") {
    Lpc lpc;
    CHECK((lpc.pm(pm_smi_en, 4) & smi_en_apmc) != 0); // SeaBIOS: SMM is set up already
    lpc.clock.advance(1'000'000'000);
    CHECK(lpc.pm(pm_timer, 4) == acpi_pm::timer_hz);
    lpc.clock.advance(10'000'000'000);
    CHECK(lpc.pm(pm_timer, 4) == ((acpi_pm::timer_hz * 11) & 0xffffff)); // 24 bits
    CHECK(lpc.pm(pm_timer + 1, 2) == (((acpi_pm::timer_hz * 11) & 0xffffff) >> 8));
    // Across two doublewords: PM1_EN and PM1_CNT.
    lpc.set_pm(2, 4, 0x0001'0100);
    CHECK(lpc.pm(2, 4) == 0x0001'0100);

    for (unsigned i = 0; i < 16; ++i) // ACPICA clears and disables them byte by byte
        lpc.set_pm(pm_gpe0_sts + i, 1, 0xff);
    CHECK(lpc.pm(pm_gpe0_sts, 4) == 0);
    CHECK(lpc.pm(pm_gpe0_en + 3, 4) == 0xffffffff);
    lpc.set_pm(pm_gpe0_en + 5, 1, 0);
    CHECK(lpc.pm(pm_gpe0_en + 4, 4) == 0xffff00ff);

    // OVMF turns the machine off so, and SeaBIOS with one write.
    lpc.set_pm(pm_control, 2, lpc.pm(pm_control, 2) & ~0x3c00ull);
    lpc.set_pm(pm_control, 2, lpc.pm(pm_control, 2) | 0x2000);
    CHECK(lpc.power.power_offs == 1);
    lpc.set_pm(pm_control, 2, 0x2000);
    CHECK(lpc.power.power_offs == 2);
    lpc.set_pm(pm_control, 2, 0x2400); // S3 is not there: it wakes at once
    CHECK(lpc.power.power_offs == 2);
    CHECK((lpc.pm(pm_event, 2) & acpi_pm::pm1_wake) != 0);
}

TEST_CASE("ich9: locks hold until a reset", "[ich9]") {
    Lpc lpc;
    lpc.set_pm(pm_smi_en, 4, smi_en_global | smi_en_tco);
    lpc.configure(cfg_gen_pmcon_1, 2, pmcon_1_smi_lock);
    lpc.set_tco(0x08, tco1_cnt_lock);
    lpc.configure(cfg_bios_cntl, 1, bios_cntl_lock_enable);
    lpc.configure(cfg_gen_pmcon_1, 2, 0);
    lpc.set_tco(0x08, 0);
    lpc.configure(cfg_bios_cntl, 1, 1);
    lpc.set_pm(pm_smi_en, 4, 0);
    CHECK(lpc.config(cfg_gen_pmcon_1, 2) == pmcon_1_smi_lock);
    CHECK(lpc.config(cfg_bios_cntl, 1) == (bios_cntl_lock_enable | 1));
    CHECK(lpc.tco(0x08) == tco1_cnt_lock);
    CHECK(lpc.pm(pm_smi_en, 4) == (smi_en_global | smi_en_tco));
    lpc.lpc.reset();
    lpc.set_pm(pm_smi_en, 4, 0);
    lpc.configure(cfg_gen_pmcon_1, 2, 0x1000);
    CHECK(lpc.config(cfg_gen_pmcon_1, 2) == 0x1000);
    CHECK(lpc.tco(0x08) == 0);
    CHECK(lpc.pm(pm_smi_en, 4) == 0);
}

TEST_CASE("ich9: APM_CNT sends an SMI where SMI_EN says so", "[ich9]") {
    Lpc lpc(true);
    const auto command = [&](unsigned value) { lpc.lpc.write(region_apm, apm_control, 1, value); };
    CHECK(lpc.pm(pm_smi_en, 4) == 0);
    command(0x10);
    lpc.set_pm(pm_smi_en, 4, smi_en_apmc);
    command(0x10);
    CHECK(lpc.smm.to_one == 0);
    lpc.set_pm(pm_smi_en, 4, smi_en_apmc | smi_en_global);
    command(0x10);
    CHECK(lpc.smm.to_one == 1);
    CHECK(lpc.lpc.read(region_apm, apm_control, 1) == 0x10);
    CHECK(lpc.pm(pm_smi_sts, 4) == smi_sts_apm);
    lpc.set_pm(pm_smi_sts, 4, smi_sts_apm);
    CHECK(lpc.pm(pm_smi_sts, 4) == 0);
    // The chipset's own commands, and the status port, are none.
    command(apm_acpi_enable);
    command(apm_acpi_disable);
    lpc.lpc.write(region_apm, apm_status, 1, 0x10);
    CHECK(lpc.smm.to_one == 1);
    lpc.lpc.write(region_apm, apm_control, 2, 0x1220); // both ports at once
    CHECK(lpc.smm.to_one == 2);
    CHECK(lpc.smm.to_all == 0);
}

TEST_CASE("ich9: an SMI goes to all processors once that is settled, until a reset", "[ich9]") {
    Lpc lpc(true);
    const auto send = [&] {
        lpc.set_pm(pm_smi_en, 4, smi_en_apmc | smi_en_global);
        lpc.lpc.write(region_apm, apm_control, 1, 0x10);
    };
    lpc.lpc.request_smi_features(SmiFeatures::broadcast | 2); // CPU hot-plug is not offered
    CHECK_FALSE(lpc.lpc.settle_smi_features());
    lpc.lpc.request_smi_features(SmiFeatures::broadcast);
    send();
    CHECK(lpc.smm.to_all == 0);
    CHECK(lpc.lpc.settle_smi_features());
    lpc.lpc.request_smi_features(0); // too late
    CHECK(lpc.lpc.settle_smi_features());
    send();
    CHECK(lpc.smm.to_all == 1);

    Lpc target(true);
    StateWriter writer;
    lpc.lpc.save(writer);
    StateReader reader(writer.bytes());
    target.lpc.restore(reader);
    target.lpc.write(region_apm, apm_control, 1, 0x10);
    CHECK(target.smm.to_all == 1);

    lpc.lpc.reset();
    send();
    CHECK(lpc.smm.to_all == 1);
    CHECK(lpc.smm.to_one == 2);
}

TEST_CASE("ich9: the watchdog as Linux's iTCO_wdt drives it", "[ich9]") {
    Lpc lpc;
    const auto set_no_reboot = [&](bool set) {
        const auto gcs = lpc.lpc.read(region_rcba, rcrb_gcs, 4);
        lpc.lpc.write(region_rcba, rcrb_gcs, 4,
                      set ? gcs | gcs_no_reboot : gcs & ~std::uint64_t{gcs_no_reboot});
    };
    lpc.clock.advance(1000 * tick);
    CHECK(lpc.tco(0x04) == 0); // nobody has started it
    CHECK(lpc.lpc.read(region_rcba, rcrb_gcs, 4) == gcs_no_reboot);

    lpc.set_tco(0x12, (lpc.tco(0x12) & 0xfc00) | 50);
    CHECK((lpc.tco(0x12) & 0x3ff) == 50);
    set_no_reboot(false);
    CHECK(lpc.lpc.read(region_rcba, rcrb_gcs, 4) == 0);
    lpc.set_tco(0x00, 1);
    lpc.set_tco(0x08, lpc.tco(0x08) & 0xf7ff);
    CHECK((lpc.tco(0x08) & tco1_cnt_halt) == 0);
    CHECK(lpc.tco(0x00) == 50);
    lpc.clock.advance(10 * tick + 1);
    CHECK(lpc.tco(0x00) == 40);

    for (unsigned i = 0; i < 5; ++i) { // it is patted
        lpc.clock.advance(45 * tick);
        lpc.set_tco(0x00, 1);
    }
    // 40 ticks, 45 ticks: one timeout in between, forgotten with the next reload.
    CHECK(lpc.tco(0x06) == 0);
    lpc.set_tco(0x04, tco1_timeout);
    CHECK(lpc.tco(0x04) == 0);

    lpc.clock.advance(50 * tick + 1);
    CHECK(lpc.tco(0x04) == tco1_timeout);
    CHECK(lpc.power.resets == 0);
    lpc.clock.advance(49 * tick);
    CHECK(lpc.power.resets == 0);
    lpc.clock.advance(tick);
    CHECK(lpc.power.resets == 1);
    CHECK(lpc.tco(0x06) == (tco2_second_timeout | tco2_boot));
    lpc.clock.advance(1000 * tick); // it does not go on
    CHECK(lpc.power.resets == 1);
    lpc.set_tco(0x06, tco2_second_timeout);
    CHECK(lpc.tco(0x06) == tco2_boot);
}

TEST_CASE("ich9: the watchdog stands still when halted and spares those who say NO_REBOOT",
          "[ich9]") {
    Lpc lpc;
    lpc.set_tco(0x12, 10);
    lpc.set_tco(0x00, 1);
    lpc.clock.advance(4 * tick);
    lpc.set_tco(0x08, tco1_cnt_halt);
    lpc.clock.advance(100 * tick);
    CHECK(lpc.tco(0x00) == 6);
    CHECK(lpc.tco(0x04) == 0);
    lpc.set_tco(0x08, 0);
    lpc.clock.advance(6 * tick);
    CHECK(lpc.tco(0x04) == tco1_timeout);
    lpc.clock.advance(10 * tick);
    CHECK(lpc.tco(0x06) == (tco2_second_timeout | tco2_boot));
    CHECK(lpc.power.resets == 0);

    lpc.set_tco(0x12, 1); // too short to count
    lpc.set_tco(0x04, 0xffff);
    lpc.set_tco(0x00, 1);
    lpc.clock.advance(100 * tick);
    CHECK(lpc.tco(0x04) == 0);
}

TEST_CASE("ich9: a snapshot keeps the watchdog's remaining time", "[ich9]") {
    Lpc source, target;
    source.lpc.write(region_rcba, rcrb_gcs, 1, 0);
    source.set_tco(0x12, 10);
    source.set_tco(0x00, 1);
    source.clock.advance(14 * tick);
    StateWriter writer;
    source.lpc.save(writer);
    target.clock.advance(12'345);
    StateReader reader(writer.bytes());
    target.lpc.restore(reader);
    target.clock.advance(6 * tick - 1);
    CHECK(target.power.resets == 0);
    target.clock.advance(1);
    CHECK(target.power.resets == 1);
}

TEST_CASE("ich9: chipset configuration says how the board is wired", "[ich9]") {
    Lpc lpc;
    CHECK(lpc.lpc.read(region_rcba, 0x3140, 2) == 0x3210); // device 31: PIRQA to PIRQD
    CHECK(lpc.lpc.read(region_rcba, 0x3146, 2) == 0x7654); // device 28
    CHECK(lpc.lpc.read(region_rcba, 0x3144, 2) == 0x4765); // device 29 begins one further on
    lpc.lpc.write(region_rcba, 0x3140, 4, 0);
    CHECK(lpc.lpc.read(region_rcba, 0x3140, 2) == 0x3210);
    CHECK(lpc.lpc.read(region_rcba, 0x31ff, 1) == 1);
    CHECK(lpc.lpc.read(region_rcba, 0x3ffc, 4) == 0);
    CHECK(lpc.lpc.read(region_rcba, 0, 8) == ~0ull);
}

TEST_CASE("ich9: ports 0x92, 0xb2 and 0xb3", "[ich9]") {
    Lpc lpc;
    lpc.lpc.write(region_apm, 0, 2, 0x5544);
    CHECK(lpc.lpc.read(region_apm, apm_control, 1) == 0x44);
    CHECK(lpc.lpc.read(region_apm, apm_status, 1) == 0x55);
    CHECK(lpc.lpc.read(region_apm, 0, 2) == 0x5544);

    CHECK(lpc.lpc.read(region_port92, 0, 1) == port92_a20);
    lpc.lpc.write(region_port92, 0, 1, 0);
    CHECK(lpc.lpc.read(region_port92, 0, 1) == 0);
    lpc.lpc.write(region_port92, 0, 1, port92_init);
    CHECK(lpc.power.resets == 1);
    lpc.lpc.write(region_port92, 0, 1, port92_init | port92_a20); // no edge
    CHECK(lpc.power.resets == 1);
}

TEST_CASE("ich9: fewer lines than it needs are refused", "[ich9]") {
    Lpc lpc;
    Ich9LpcHost host = lpc.host();
    host.lines = host.lines.first(11);
    CHECK_THROWS_AS(Ich9Lpc(host), Error);
}

TEST_CASE("ich9: every SMBus transaction ends with DEV_ERR", "[ich9]") {
    fakes::FakePlacer placer;
    fakes::FakeIrqLine intx;
    Ich9Smbus smbus(placer, intx);
    CHECK(smbus.config_read(0, 4) == 0x29308086);
    CHECK(smbus.config_read(8, 4) == 0x0c050002);
    smbus.config_write(0x20, 4, 0x701); // as SeaBIOS
    smbus.config_write(4, 2, 1);
    CHECK(placer.where(smbus, 0) == 0x700);

    smbus.write(0, hst_cnt, 1, cnt_start);
    CHECK(smbus.read(0, hst_sts, 1) == 0); // the controller is off
    smbus.config_write(cfg_smbus_hostc, 1, hostc_enable);
    smbus.write(0, xmit_slva, 1, 0xa1);
    smbus.write(0, hst_cnt, 1, cnt_start | 0x08);
    CHECK(smbus.read(0, hst_cnt, 1) == 0x08);
    CHECK_FALSE(intx.level);
    CHECK(smbus.read(0, hst_sts, 1) == (sts_device_error | sts_in_use)); // the read took it
    smbus.write(0, hst_sts, 1, 0xff);
    CHECK(smbus.read(0, hst_sts, 1) == 0);

    smbus.write(0, hst_cnt, 1, cnt_start | cnt_interrupt_enable);
    CHECK(intx.level);
    CHECK((smbus.config_read(6, 2) & 0x08) != 0); // i2c-i801 looks here first
    smbus.write(0, hst_sts, 1, sts_device_error);
    CHECK_FALSE(intx.level);
    smbus.write(0, hst_cnt, 1, cnt_kill);
    CHECK((smbus.read(0, hst_sts, 1) & sts_failed) != 0);
}

TEST_CASE("ich9: the SMBus block buffer", "[ich9]") {
    fakes::FakePlacer placer;
    fakes::FakeIrqLine intx;
    Ich9Smbus smbus(placer, intx);
    smbus.write(0, aux_ctl, 1, aux_ctl_block_buffer);
    CHECK(smbus.read(0, aux_ctl, 1) == aux_ctl_block_buffer); // the driver looks whether it took
    smbus.read(0, hst_cnt, 1);
    for (unsigned i = 0; i < block_bytes; ++i)
        smbus.write(0, host_block_db, 1, i);
    smbus.read(0, hst_cnt, 1);
    for (unsigned i = 0; i < block_bytes; ++i)
        CHECK(smbus.read(0, host_block_db, 1) == i);
    smbus.config_write(cfg_smbus_hostc, 1, hostc_soft_reset | hostc_enable);
    CHECK(smbus.config_read(cfg_smbus_hostc, 1) == hostc_enable);
    CHECK(smbus.read(0, aux_ctl, 1) == 0);
}
