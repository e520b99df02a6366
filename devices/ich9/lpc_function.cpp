#include "devices/ich9/lpc_function.h"

#include <utility>

namespace coldstart {

using namespace ich9;

namespace {

constexpr PciIdentity lpc_identity = {.vendor_id = vendor_id,
                                      .device_id = lpc_device_id,
                                      .revision = revision,
                                      .class_code = class_isa_bridge,
                                      .subsystem_vendor_id = subsystem_vendor_id,
                                      .subsystem_id = subsystem_id,
                                      .interrupt_pin = 0};

constexpr unsigned rout_register(unsigned pirq) noexcept {
    return pirq < 4 ? cfg_pirq_a_rout + pirq : cfg_pirq_e_rout + pirq - 4;
}

} // namespace

LpcFunction::LpcFunction(Device& bridge, RegionPlacer& placer,
                         std::function<void(const LpcWiring&)> on_change)
    : PciFunction(lpc_identity, placer, nullptr), bridge_(bridge), window_placer_(placer),
      on_change_(std::move(on_change)) {
    define_registers();
}

void LpcFunction::define_registers() {
    define(cfg_pmbase, 4, pmbase_io, pmbase_mask);
    define(cfg_acpi_cntl, 1, 0, acpi_cntl_enable | acpi_cntl_sci_select);
    define(cfg_gpiobase, 4, pmbase_io);
    for (unsigned pirq = 0; pirq < pirq_count; ++pirq)
        define(rout_register(pirq), 1, pirq_rout_off, pirq_rout_off | pirq_rout_irq);
    define(cfg_sirq_cntl, 1, 0x10, 0xff);
    define(cfg_lpc_io_decode, 2, 0, 0x1377);
    define(cfg_lpc_enables, 2, 0, 0x3f0f);
    for (unsigned i = 0; i < 4; ++i)
        define(cfg_generic_decode1 + i * 4, 4, 0, 0x00fcfffd);
    define(cfg_gen_pmcon_1, 2, 0, pmcon_1_writable);
    define(cfg_gen_pmcon_3, 2, 0, 0x0001);
    define(cfg_gpi_rout, 4, 0, 0xffffffff);
    define(cfg_fwh_decode, 2, 0xffcf, 0x7fcf);
    define(cfg_bios_cntl, 1, 0, 0x0f);
    define(cfg_rcba, 4, 0, rcba_mask | rcba_enable);
}

void LpcFunction::config_written(unsigned, unsigned) noexcept {
    keep_locks();
    apply();
}

void LpcFunction::keep_locks() noexcept {
    if (smi_locked_)
        set_config_value(cfg_gen_pmcon_1, 2, config_value(cfg_gen_pmcon_1, 2) | pmcon_1_smi_lock);
    if (bios_locked_)
        set_config_value(cfg_bios_cntl, 1, config_value(cfg_bios_cntl, 1) | bios_cntl_lock_enable);
    remember_locks();
}

void LpcFunction::remember_locks() noexcept {
    smi_locked_ = (config_value(cfg_gen_pmcon_1, 2) & pmcon_1_smi_lock) != 0;
    bios_locked_ = (config_value(cfg_bios_cntl, 1) & bios_cntl_lock_enable) != 0;
}

void LpcFunction::place(Window& window, std::optional<std::uint64_t> wanted) noexcept {
    if (wanted == window.base)
        return;
    window.base.reset();
    if (!wanted)
        window_placer_.withdraw(bridge_, window.region);
    else if (window_placer_.place(bridge_, window.region, *wanted))
        window.base = wanted;
}

void LpcFunction::apply() noexcept {
    LpcWiring wiring;
    for (unsigned pirq = 0; pirq < pirq_count; ++pirq)
        wiring.pirq_rout[pirq] = static_cast<std::uint8_t>(config_value(rout_register(pirq), 1));
    wiring.acpi_cntl = static_cast<std::uint8_t>(config_value(cfg_acpi_cntl, 1));
    wiring.smi_locked = smi_locked_;
    on_change_(wiring);

    const std::uint32_t pmbase = config_value(cfg_pmbase, 4) & pmbase_mask;
    const bool has_pm = (wiring.acpi_cntl & acpi_cntl_enable) != 0 && pmbase != 0;
    place(pm_, has_pm ? std::optional<std::uint64_t>(pmbase) : std::nullopt);
    const std::uint32_t rcba = config_value(cfg_rcba, 4);
    place(rcba_, (rcba & rcba_enable) != 0 ? std::optional<std::uint64_t>(rcba & rcba_mask)
                                           : std::nullopt);
}

void LpcFunction::reset() {
    reset_config();
    remember_locks();
    apply();
}

void LpcFunction::restore(StateReader& reader) {
    restore_config(reader);
    remember_locks();
    apply();
}

} // namespace coldstart
