#include "devices/ich9/ich9_smbus.h"

#include "devices/ich9/spec.h"
#include "vmm/base/error.h"

namespace coldstart {

using namespace ich9;

namespace {

constexpr PciIdentity smbus_identity = {.vendor_id = vendor_id,
                                        .device_id = smbus_device_id,
                                        .revision = revision,
                                        .class_code = class_smbus,
                                        .subsystem_vendor_id = subsystem_vendor_id,
                                        .subsystem_id = subsystem_id,
                                        .interrupt_pin = 1};

} // namespace

Ich9Smbus::Ich9Smbus(RegionPlacer& placer, IrqLine& intx)
    : PciFunction(smbus_identity, placer, &intx) {
    define(cfg_smbus_hostc, 1, 0, hostc_writable | hostc_soft_reset);
    add_bar(smbus_bar, BarKind::io, {"registers", BusKind::pio, smbus_ports});
}

void Ich9Smbus::config_written(unsigned offset, unsigned width) noexcept {
    if (offset > cfg_smbus_hostc || offset + width <= cfg_smbus_hostc)
        return;
    const unsigned hostc = config_value(cfg_smbus_hostc, 1);
    set_config_value(cfg_smbus_hostc, 1, hostc & hostc_writable);
    const std::lock_guard guard(lock_);
    if ((hostc & hostc_soft_reset) != 0)
        state_ = State{};
    state_.is_enabled = (hostc & hostc_enable) != 0;
    sync();
}

std::uint64_t Ich9Smbus::read(unsigned, std::uint64_t offset, unsigned width) noexcept {
    if (width > 4)
        return all_ones(width);
    const std::lock_guard guard(lock_);
    std::uint64_t value = 0;
    for (unsigned i = 0; i < width; ++i)
        value |= std::uint64_t{read_byte(static_cast<std::size_t>(offset) + i)} << (i * 8);
    return value;
}

void Ich9Smbus::write(unsigned, std::uint64_t offset, unsigned width,
                      std::uint64_t value) noexcept {
    if (width > 4)
        return;
    const std::lock_guard guard(lock_);
    for (unsigned i = 0; i < width; ++i)
        write_byte(static_cast<std::size_t>(offset) + i,
                   static_cast<std::uint8_t>(value >> (i * 8)));
    sync();
}

// With the block buffer on, each access goes to its next byte; a read of HST_CNT begins anew.
std::uint8_t& Ich9Smbus::block_data() noexcept {
    if ((state_.ports[aux_ctl] & aux_ctl_block_buffer) == 0)
        return state_.ports[host_block_db];
    std::uint8_t& byte = state_.block[state_.block_index];
    state_.block_index = static_cast<std::uint8_t>((state_.block_index + 1) % block_bytes);
    return byte;
}

std::uint8_t Ich9Smbus::read_byte(std::size_t port) noexcept {
    switch (port) {
    case hst_sts: {
        const std::uint8_t status = state_.ports[hst_sts];
        state_.ports[hst_sts] = static_cast<std::uint8_t>(status | sts_in_use);
        return status;
    }
    case hst_cnt:
        state_.block_index = 0;
        return state_.ports[hst_cnt];
    case host_block_db:
        return block_data();
    case smbus_pin_ctl:
        return pin_ctl_idle;
    default:
        return state_.ports[port];
    }
}

void Ich9Smbus::write_byte(std::size_t port, std::uint8_t value) noexcept {
    switch (port) {
    case hst_sts:
        state_.ports[hst_sts] = static_cast<std::uint8_t>(state_.ports[hst_sts] & ~value);
        break;
    case hst_cnt:
        write_control(value);
        break;
    case host_block_db:
        block_data() = value;
        break;
    case aux_ctl:
        state_.ports[aux_ctl] = static_cast<std::uint8_t>(value & aux_ctl_writable);
        break;
    case hst_cmd:
    case xmit_slva:
    case hst_d0:
    case hst_d1:
    case pec:
    case rcv_slva:
    case slv_cmd:
        state_.ports[port] = value;
        break;
    default:
        break;
    }
}

void Ich9Smbus::write_control(std::uint8_t value) noexcept {
    state_.ports[hst_cnt] = static_cast<std::uint8_t>(value & cnt_kept_bits);
    unsigned status = state_.ports[hst_sts];
    if ((value & cnt_kill) != 0)
        status |= sts_failed;
    else if ((value & cnt_start) != 0 && state_.is_enabled)
        status |= sts_device_error;
    state_.ports[hst_sts] = static_cast<std::uint8_t>(status);
}

void Ich9Smbus::sync() noexcept {
    set_intx((state_.ports[hst_cnt] & cnt_interrupt_enable) != 0 &&
             (state_.ports[hst_sts] & sts_interrupting) != 0);
}

void Ich9Smbus::reset() {
    {
        const std::lock_guard guard(lock_);
        state_ = State{};
    }
    reset_config();
}

void Ich9Smbus::save(StateWriter& writer) const {
    {
        const std::lock_guard guard(lock_);
        const auto& [ports, block, block_index, is_enabled] = state_;
        writer.begin("ich9-smbus", 1);
        writer.fields(ports, block, block_index, is_enabled);
    }
    save_config(writer);
}

void Ich9Smbus::restore(StateReader& reader) {
    State loaded;
    auto& [ports, block, block_index, is_enabled] = loaded;
    reader.begin("ich9-smbus", 1);
    reader.fields(ports, block, block_index, is_enabled);
    if (block_index >= block_bytes || (ports[hst_sts] & ~sts_kept) != 0 ||
        (ports[hst_cnt] & ~cnt_kept_bits) != 0 || (ports[aux_ctl] & ~aux_ctl_writable) != 0)
        throw Error("saved state: ich9-smbus registers hold impossible values",
                    "the file is damaged");
    restore_config(reader);
    const std::lock_guard guard(lock_);
    state_ = loaded;
    sync();
}

} // namespace coldstart
