#include "devices/ich9/ich9_lpc.h"

#include "devices/ich9/lpc_function.h"
#include "devices/ich9/words.h"
#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <algorithm>

namespace coldstart {

using namespace ich9;

namespace {

constexpr std::array region_shapes = {
    RegionShape{"pm", BusKind::pio, pm_bytes}, RegionShape{"rcba", BusKind::mmio, rcba_bytes},
    RegionShape{"apm", BusKind::pio, 2}, RegionShape{"port92", BusKind::pio, 1}};

constexpr std::array line_shapes = {LineShape{"pirqa"}, LineShape{"pirqb"}, LineShape{"pirqc"},
                                    LineShape{"pirqd"}, LineShape{"pirqe"}, LineShape{"pirqf"},
                                    LineShape{"pirqg"}, LineShape{"pirqh"}, LineShape{"irq5"},
                                    LineShape{"irq9"},  LineShape{"irq10"}, LineShape{"irq11"}};
static_assert(line_shapes.size() == line_gsis.size());

constexpr PciAddress own_address = {.device = 31, .function = 0};

/// The DxxIR register that says how the board wires device `device`: a nibble a pin.
constexpr std::uint32_t wiring_of(std::uint8_t device) noexcept {
    std::uint32_t value = 0;
    for (unsigned pin = 0; pin < pci_pins; ++pin)
        value |= pirq_of(device, pin) << (pin * 4);
    return value;
}

} // namespace

Ich9Lpc::Ich9Lpc(const Ich9LpcHost& host)
    : pci_(host.pci), power_(host.power), smm_(host.smm), registers_(power_on_registers()),
      function_(std::make_unique<LpcFunction>(*this, host.placer,
                                              [this](const LpcWiring& wiring) { rewire(wiring); })),
      pm1_(host.clock,
           {.sci_always_enabled = false, .timer_32_bits = false, .s5_sleep_type = s5_sleep_type},
           [this] {
               const std::lock_guard guard(lock_);
               sync();
           }),
      tco_(host.clock, [this] { watchdog_expired(); }) {
    if (host.lines.size() < line_count)
        throw Error(cat("ich9-lpc: ", host.lines.size(), " interrupts, ", line_count, " wanted"));
    std::copy_n(host.lines.begin(), line_count, lines_.begin());
    function_->reset();
    pci_.add(own_address, *function_);
    pci_.set_pirq_sink(this);
}

Ich9Lpc::~Ich9Lpc() {
    pci_.set_pirq_sink(nullptr);
    pci_.remove(own_address);
}

std::span<const RegionShape> Ich9Lpc::regions() const noexcept {
    return region_shapes;
}

std::span<const LineShape> Ich9Lpc::lines() const noexcept {
    return line_shapes;
}

AcpiDescription Ich9Lpc::acpi() const {
    // All three lie in the region at PMBASE, at offsets that the chipset fixes. The SCI is where a
    // reset leaves it; the reset register is the memory controller's.
    constexpr auto sci = std::find(line_gsis.begin(), line_gsis.end(), 9u) - line_gsis.begin();
    AcpiDescription description;
    description.fixed_hardware = AcpiFixedHardware{.pm1_event_region = region_pm,
                                                   .pm1_control_region = region_pm,
                                                   .pm_timer_region = region_pm,
                                                   .reset_region = {},
                                                   .reset_value = 0,
                                                   .sci_line = static_cast<unsigned>(sci),
                                                   .s5_sleep_type = s5_sleep_type,
                                                   .pm_timer_32_bits = false};
    return description;
}

std::uint64_t Ich9Lpc::read(unsigned region, std::uint64_t offset, unsigned width) noexcept {
    if (width > 4)
        return all_ones(width);
    const std::lock_guard guard(lock_);
    switch (region) {
    case region_pm: {
        const std::uint64_t value =
            read_words(offset, width, [this](std::uint64_t at) { return read_pm(at); });
        if (offset < pm_control)
            sync(); // the timer's flag may just have been seen for the first time
        return value;
    }
    case region_rcba:
        return read_words(offset, width, [this](std::uint64_t at) { return read_rcba(at); });
    case region_apm:
        return (registers_.apm_control | unsigned{registers_.apm_status} << 8) >> (offset * 8) &
               all_ones(width);
    default:
        return registers_.port92;
    }
}

void Ich9Lpc::write(unsigned region, std::uint64_t offset, unsigned width,
                    std::uint64_t value) noexcept {
    if (width > 4)
        return;
    Wishes wishes;
    SmiTarget smi_target = SmiTarget::this_processor;
    {
        const std::lock_guard guard(lock_);
        switch (region) {
        case region_pm:
            write_words(offset, width, value,
                        [&](std::uint64_t at, std::uint32_t mask, std::uint32_t word) {
                            write_pm(at, mask, word, wishes);
                        });
            break;
        case region_rcba:
            write_words(offset, width, value,
                        [this](std::uint64_t at, std::uint32_t mask, std::uint32_t word) {
                            write_rcba(at, mask, word);
                        });
            break;
        case region_apm:
            for (unsigned i = 0; i < width; ++i)
                write_apm(offset + i, static_cast<std::uint8_t>(value >> (i * 8)), wishes);
            break;
        default:
            write_port92(static_cast<std::uint8_t>(value), wishes);
            break;
        }
        if ((registers_.smi_negotiated & broadcast) != 0)
            smi_target = SmiTarget::all_processors;
        sync();
    }
    if (wishes.smi)
        smm_->raise_smi(smi_target);
    if (wishes.power_off)
        power_.power_off();
    if (wishes.reset)
        power_.reset();
}

std::uint32_t Ich9Lpc::read_pm(std::uint64_t offset) noexcept {
    switch (offset) {
    case pm_event:
        return pm1_.event();
    case pm_control:
        return pm1_.control();
    case pm_timer:
        return pm1_.timer();
    case pm_gpe0_en:
        return static_cast<std::uint32_t>(registers_.gpe_enable);
    case pm_gpe0_en + 4:
        return static_cast<std::uint32_t>(registers_.gpe_enable >> 32);
    case pm_smi_en:
        return registers_.smi_enable;
    case pm_smi_sts:
        return registers_.smi_status;
    default:
        return offset >= pm_tco_first ? tco_.read(static_cast<unsigned>(offset - pm_tco_first)) : 0;
    }
}

void Ich9Lpc::write_pm(std::uint64_t offset, std::uint32_t mask, std::uint32_t value,
                       Wishes& wishes) noexcept {
    switch (offset) {
    case pm_event:
        pm1_.write_event(mask, value);
        break;
    case pm_control:
        wishes.power_off = pm1_.write_control(mask, value) || wishes.power_off;
        break;
    case pm_gpe0_en:
    case pm_gpe0_en + 4: {
        const unsigned shift = offset == pm_gpe0_en ? 0 : 32;
        registers_.gpe_enable = (registers_.gpe_enable & ~(std::uint64_t{mask} << shift)) |
                                std::uint64_t{value} << shift;
        break;
    }
    case pm_smi_en:
        write_smi_enable(mask, value);
        break;
    case pm_smi_sts:
        registers_.smi_status &= ~value;
        break;
    default:
        if (offset >= pm_tco_first)
            tco_.write(static_cast<unsigned>(offset - pm_tco_first), mask, value);
        break;
    }
}

void Ich9Lpc::write_smi_enable(std::uint32_t mask, std::uint32_t value) noexcept {
    std::uint32_t taken = mask & smi_en_writable;
    if (smi_locked_)
        taken &= ~smi_en_global;
    if (tco_.is_locked())
        taken &= ~smi_en_tco;
    registers_.smi_enable = (registers_.smi_enable & ~taken) | (value & taken);
}

std::uint32_t Ich9Lpc::read_rcba(std::uint64_t offset) const noexcept {
    switch (offset) {
    case rcrb_d31_d30_ir:
        return wiring_of(31) | wiring_of(30) << 16;
    case rcrb_d29_d28_ir:
        return wiring_of(29) | wiring_of(28) << 16;
    case rcrb_d27_ir:
        return wiring_of(27);
    case rcrb_d26_ir:
        return wiring_of(26);
    case rcrb_d25_ir:
        return wiring_of(25);
    case rcrb_oic:
        return oic_apic_enable;
    case rcrb_hptc:
        return registers_.hptc;
    case rcrb_gcs:
        return registers_.gcs;
    default:
        return 0;
    }
}

void Ich9Lpc::write_rcba(std::uint64_t offset, std::uint32_t mask, std::uint32_t value) noexcept {
    const auto take = [&](std::uint32_t& stored, std::uint32_t writable) {
        stored = (stored & ~(mask & writable)) | (value & writable);
    };
    if (offset == rcrb_hptc)
        take(registers_.hptc, hptc_writable);
    else if (offset == rcrb_gcs)
        take(registers_.gcs, gcs_no_reboot);
}

void Ich9Lpc::write_apm(std::uint64_t offset, std::uint8_t value, Wishes& wishes) noexcept {
    if (offset == apm_status) {
        registers_.apm_status = value;
        return;
    }
    registers_.apm_control = value;
    if (value == apm_acpi_enable || value == apm_acpi_disable) {
        pm1_.set_sci_enabled(value == apm_acpi_enable);
        return;
    }
    if (smm_ == nullptr)
        return;
    registers_.smi_status |= smi_sts_apm;
    constexpr std::uint32_t wanted = smi_en_global | smi_en_apmc;
    wishes.smi = (registers_.smi_enable & wanted) == wanted;
}

void Ich9Lpc::request_smi_features(std::uint64_t features) noexcept {
    const std::lock_guard guard(lock_);
    if (!registers_.smi_settled)
        registers_.smi_requested = features;
}

bool Ich9Lpc::settle_smi_features() noexcept {
    const std::lock_guard guard(lock_);
    if (!registers_.smi_settled && (registers_.smi_requested & ~offered) == 0) {
        registers_.smi_negotiated = registers_.smi_requested;
        registers_.smi_settled = true;
    }
    return registers_.smi_settled;
}

void Ich9Lpc::write_port92(std::uint8_t value, Wishes& wishes) noexcept {
    wishes.reset = (value & ~registers_.port92 & port92_init) != 0;
    registers_.port92 = static_cast<std::uint8_t>(value & port92_kept);
}

std::uint32_t Ich9Lpc::sci_gsi() const noexcept {
    constexpr std::array<std::uint32_t, 8> choices = {9, 10, 11, 0, 20, 21, 0, 0}; // 0: reserved
    return choices[acpi_cntl_ & acpi_cntl_sci_select];
}

void Ich9Lpc::sync() noexcept {
    std::uint32_t raised = 0; // a bit a GSI
    if (pm1_.sync())
        raised |= 1u << sci_gsi();
    for (unsigned pirq = 0; pirq < pirq_count; ++pirq) {
        if (!pirqs_[pirq])
            continue;
        raised |= 1u << (pirq_gsi_base + pirq);
        if ((pirq_rout_[pirq] & pirq_rout_off) == 0)
            raised |= 1u << (pirq_rout_[pirq] & pirq_rout_irq);
    }
    for (std::size_t i = 0; i < line_count; ++i)
        lines_[i]->set_level((raised >> line_gsis[i] & 1) != 0);
}

void Ich9Lpc::rewire(const LpcWiring& wiring) noexcept {
    const std::lock_guard guard(lock_);
    pirq_rout_ = wiring.pirq_rout;
    acpi_cntl_ = wiring.acpi_cntl;
    smi_locked_ = wiring.smi_locked;
    sync();
}

void Ich9Lpc::set_pirq(unsigned pirq, bool asserted) noexcept {
    const std::lock_guard guard(lock_);
    pirqs_[pirq % pirq_count] = asserted;
    sync();
}

void Ich9Lpc::press_power_button() noexcept {
    const std::lock_guard guard(lock_);
    pm1_.press_power_button();
    sync();
}

void Ich9Lpc::watchdog_expired() noexcept {
    bool resets = false;
    {
        const std::lock_guard guard(lock_);
        resets = tco_.expire((registers_.gcs & gcs_no_reboot) == 0);
    }
    if (resets)
        power_.reset();
}

void Ich9Lpc::resume() {
    const std::lock_guard guard(lock_);
    sync();
}

void Ich9Lpc::reset() {
    {
        const std::lock_guard guard(lock_);
        registers_ = power_on_registers();
        pm1_.reset();
        tco_.reset();
    }
    function_->reset(); // rewires, and syncs with it
}

} // namespace coldstart
