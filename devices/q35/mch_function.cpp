#include "devices/q35/mch_function.h"

namespace coldstart {

using namespace q35;

namespace {

constexpr PciIdentity mch_identity = {.vendor_id = vendor_id,
                                      .device_id = device_id,
                                      .revision = 0,
                                      .class_code = class_host_bridge,
                                      .subsystem_vendor_id = subsystem_vendor_id,
                                      .subsystem_id = subsystem_id,
                                      .interrupt_pin = 0};

constexpr bool touches(unsigned offset, unsigned width, unsigned first, unsigned size) noexcept {
    return offset < first + size && first < offset + width;
}

} // namespace

std::optional<EcamWindow> ecam_window_of(std::uint64_t pciexbar) noexcept {
    const auto length = static_cast<unsigned>(pciexbar >> pciexbar_length_shift & 3);
    if ((pciexbar & pciexbar_enable) == 0 || length == 3)
        return std::nullopt;
    const std::uint64_t size = ecam_max_bytes >> length;
    return EcamWindow{.base = pciexbar & ~(size - 1), .size_bytes = size};
}

MchFunction::MchFunction(Device& bridge, RegionPlacer& placer, ShadowMemory& shadow, Smram& smram,
                         SystemManagement* smm)
    : PciFunction(mch_identity, placer, nullptr), bridge_(bridge), ecam_placer_(placer),
      shadow_(shadow), smram_memory_(smram), smm_(smm) {
    define(cfg_ext_tseg_mbytes, 2, smram.has_tseg() ? ext_tseg_mbytes : 0);
    define(cfg_ggc, 2, ggc_no_graphics);
    define(cfg_deven, 4, deven_host_bridge);
    define(cfg_pciexbar, 4, pciexbar_power_on, pciexbar_low_writable);
    define(cfg_pciexbar + 4, 4, 0, pciexbar_high_writable);
    define(cfg_pam0, 1, 0, 0x30);
    for (unsigned i = 1; i < pam_count; ++i)
        define(cfg_pam0 + i, 1, 0, 0x33);
    define(cfg_smram, 1, smram_power_on, smram_writable);
    define(cfg_esmramc, 1, esmramc_power_on, esmramc_writable);
    define(cfg_tom, 2, 0, 0x01ff);
    define(cfg_touud, 2, 0, 0xffff);
    for (const unsigned base : {cfg_gbsm, cfg_bgsm, cfg_tsegmb})
        define(base, 4, 0, stolen_base_writable);
    define(cfg_tolud, 2, 0, 0xfff0);
    smram_ = smram_power_on;
    esmramc_ = esmramc_power_on;
}

void MchFunction::config_written(unsigned offset, unsigned width) noexcept {
    if (touches(offset, width, cfg_smram, 2))
        lock_smram();
    if (touches(offset, width, cfg_pciexbar, 8))
        place_ecam(config_value(cfg_pciexbar, 4) | std::uint64_t{config_value(cfg_pciexbar + 4, 4)}
                                                       << 32);
    if (touches(offset, width, cfg_pam0, pam_count)) {
        ShadowMemory::Pam pam{};
        for (unsigned i = 0; i < pam_count; ++i)
            pam[i] = static_cast<std::uint8_t>(config_value(cfg_pam0 + i, 1));
        shadow_.apply(pam);
    }
}

// Locked, only D_CLS may still change.
void MchFunction::lock_smram() noexcept {
    unsigned smram = config_value(cfg_smram, 1);
    if ((smram_ & smram_locked) != 0) {
        smram = (smram_ & ~smram_closed) | (smram & smram_closed);
        set_config_value(cfg_esmramc, 1, esmramc_);
    } else if ((smram & smram_locked) != 0) {
        smram &= ~smram_open;
    }
    set_config_value(cfg_smram, 1, smram);
    smram_ = static_cast<std::uint8_t>(smram);
    esmramc_ = static_cast<std::uint8_t>(config_value(cfg_esmramc, 1));
    apply_smram();
}

void MchFunction::apply_smram() noexcept {
    smram_memory_.apply(smram_, esmramc_);
    if (smm_ != nullptr)
        smm_->set_locked((smram_ & smram_locked) != 0);
    else if ((esmramc_ & esmramc_tseg_enable) != 0 && complaints_.allow())
        log_warn("the firmware sets up memory for system management mode (TSEG), which this "
                 "machine has not: it will hardly go on; give an image built without, such as "
                 "OVMF_CODE_4M.fd, or a host whose KVM has it ('coldstart doctor')");
}

void MchFunction::place_ecam(std::uint64_t pciexbar) noexcept {
    const std::optional<EcamWindow> wanted = ecam_window_of(pciexbar);
    if (wanted == ecam_)
        return;
    ecam_.reset();
    ecam_bytes_.store(0, std::memory_order_release);
    if (!wanted) {
        ecam_placer_.withdraw(bridge_, region_ecam);
        return;
    }
    if (!ecam_placer_.place(bridge_, region_ecam, wanted->base))
        return;
    ecam_ = wanted;
    ecam_bytes_.store(wanted->size_bytes, std::memory_order_release);
}

void MchFunction::apply_all() noexcept {
    smram_ = static_cast<std::uint8_t>(locked_config_value(cfg_smram, 1));
    esmramc_ = static_cast<std::uint8_t>(locked_config_value(cfg_esmramc, 1));
    apply_smram();
    place_ecam(locked_config_value(cfg_pciexbar, 4) |
               std::uint64_t{locked_config_value(cfg_pciexbar + 4, 4)} << 32);
    ShadowMemory::Pam pam{};
    for (unsigned i = 0; i < pam_count; ++i)
        pam[i] = static_cast<std::uint8_t>(locked_config_value(cfg_pam0 + i, 1));
    shadow_.apply(pam);
}

void MchFunction::reset() {
    reset_config();
    apply_all();
}

void MchFunction::restore(StateReader& reader) {
    restore_config(reader);
    apply_all();
}

} // namespace coldstart
