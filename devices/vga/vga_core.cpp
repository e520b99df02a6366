#include "devices/vga/vga_core.h"

#include "vmm/base/bytes.h"

#include <algorithm>
#include <cstring>

namespace coldstart::vga {
namespace {

constexpr std::size_t chunk_bytes = 65536; // copied under the lock at a time

std::uint8_t byte_of(std::uint64_t value, unsigned index) noexcept {
    return static_cast<std::uint8_t>(value >> 8 * index);
}

} // namespace

std::uint64_t VgaCore::read_ports(unsigned port, unsigned width) noexcept {
    const std::lock_guard guard(lock_);
    std::uint64_t value = 0;
    for (unsigned i = 0; i < width; ++i)
        value |= std::uint64_t{registers_.read(port + i)} << 8 * i;
    return value;
}

void VgaCore::write_ports(unsigned port, unsigned width, std::uint64_t value) noexcept {
    const std::lock_guard guard(lock_);
    for (unsigned i = 0; i < width; ++i)
        registers_.write(port + i, byte_of(value, i));
    changed();
}

Window VgaCore::window() noexcept {
    const bool packed = dispi_.is_enabled() && dispi_.mode().bits != 4;
    return {registers_.state(), memory_.bytes(), dispi_.bank_start(), packed};
}

std::uint64_t VgaCore::read_window(std::size_t offset, unsigned width) noexcept {
    const std::lock_guard guard(lock_);
    Window seen = window();
    std::uint64_t value = 0;
    for (unsigned i = 0; i < width; ++i)
        value |= std::uint64_t{seen.read(offset + i)} << 8 * i;
    return value;
}

void VgaCore::write_window(std::size_t offset, unsigned width, std::uint64_t value) noexcept {
    const std::lock_guard guard(lock_);
    Window seen = window();
    for (unsigned i = 0; i < width; ++i)
        seen.write(offset + i, byte_of(value, i));
    changed();
}

std::uint64_t VgaCore::read_frame_buffer(std::size_t offset, unsigned width) noexcept {
    const std::lock_guard guard(lock_);
    std::uint64_t value = 0;
    std::memcpy(&value, &memory_.bytes()[offset], width);
    return value;
}

void VgaCore::write_frame_buffer(std::size_t offset, unsigned width, std::uint64_t value) noexcept {
    const std::lock_guard guard(lock_);
    std::memcpy(&memory_.bytes()[offset], &value, width);
    changed();
}

std::uint16_t VgaCore::read_dispi(unsigned index) noexcept {
    const std::lock_guard guard(lock_);
    return dispi_.read(index);
}

void VgaCore::write_dispi(unsigned index, std::uint16_t value) noexcept {
    const std::lock_guard guard(lock_);
    write_dispi_locked(index, value);
}

std::uint16_t VgaCore::dispi_index() noexcept {
    const std::lock_guard guard(lock_);
    return dispi_.index();
}

void VgaCore::set_dispi_index(std::uint16_t index) noexcept {
    const std::lock_guard guard(lock_);
    dispi_.set_index(index);
}

std::uint16_t VgaCore::read_dispi_data() noexcept {
    const std::lock_guard guard(lock_);
    return dispi_.read(dispi_.index());
}

void VgaCore::write_dispi_data(std::uint16_t value) noexcept {
    const std::lock_guard guard(lock_);
    write_dispi_locked(dispi_.index(), value);
}

void VgaCore::write_dispi_locked(unsigned index, std::uint16_t value) noexcept {
    const Dispi::Effect effect = dispi_.write(index, value);
    if (effect.mode_changed) {
        const LinearMode mode = dispi_.mode();
        registers_.enter_dispi_mode(mode.width, mode.height, mode.line_bytes, mode.bits == 4);
    }
    if (effect.clear_bytes != 0)
        std::memset(memory_.bytes().data(), 0, std::min(effect.clear_bytes, memory_bytes));
    changed();
}

bool VgaCore::big_endian() noexcept {
    const std::lock_guard guard(lock_);
    return big_endian_;
}

void VgaCore::set_big_endian(bool big_endian) noexcept {
    const std::lock_guard guard(lock_);
    big_endian_ = big_endian;
    changed();
}

void VgaCore::reset() noexcept {
    const std::lock_guard guard(lock_);
    registers_.state() = {};
    dispi_.set_state({});
    big_endian_ = false;
    memory_.clear();
    changed();
}

void VgaCore::save(StateWriter& writer) const {
    const std::lock_guard guard(lock_);
    writer.begin("vga", 1);
    const auto& [misc, feature, attribute_index, attribute_data_next, attribute, sequencer_index,
                 sequencer, graphics_index, graphics, crtc_index, crtc, pel_mask, dac_state,
                 dac_read_index, dac_write_index, dac_component, dac_pending, dac, status1,
                 latches] = registers_.state();
    writer.fields(misc, feature, attribute_index, attribute_data_next, attribute, sequencer_index,
                  sequencer, graphics_index, graphics, crtc_index, crtc, pel_mask, dac_state,
                  dac_read_index, dac_write_index, dac_component, dac_pending, dac, status1,
                  latches);
    const auto& [index, values] = dispi_.state();
    writer.fields(index, values, big_endian_);
    memory_.save(writer);
}

VgaCore::Saved VgaCore::read_saved(StateReader& reader) const {
    reader.begin("vga", 1);
    Saved saved;
    auto& [misc, feature, attribute_index, attribute_data_next, attribute, sequencer_index,
           sequencer, graphics_index, graphics, crtc_index, crtc, pel_mask, dac_state,
           dac_read_index, dac_write_index, dac_component, dac_pending, dac, status1, latches] =
        saved.registers;
    reader.fields(misc, feature, attribute_index, attribute_data_next, attribute, sequencer_index,
                  sequencer, graphics_index, graphics, crtc_index, crtc, pel_mask, dac_state,
                  dac_read_index, dac_write_index, dac_component, dac_pending, dac, status1,
                  latches);
    auto& [index, values] = saved.dispi;
    reader.fields(index, values, saved.big_endian);
    saved.memory = memory_.read_runs(reader);
    make_sane(saved.registers);
    return saved;
}

void VgaCore::restore(const Saved& saved) noexcept {
    const std::lock_guard guard(lock_);
    registers_.state() = saved.registers;
    dispi_.set_state(saved.dispi);
    big_endian_ = saved.big_endian;
    memory_.set(saved.memory);
    changed();
}

Capture VgaCore::capture_registers() const {
    const std::lock_guard guard(lock_);
    Capture capture;
    capture.registers = registers_.state();
    if (dispi_.is_enabled())
        capture.linear = dispi_.mode();
    capture.dac_8_bit = dispi_.has_8bit_dac();
    capture.big_endian = big_endian_;
    return capture;
}

Capture VgaCore::capture() const {
    Capture capture = capture_registers();
    std::size_t start = 0;
    std::size_t bytes = planar_bytes;
    if (const auto& mode = capture.linear) {
        start = std::min(mode->start, memory_bytes);
        bytes = std::size_t{mode->line_bytes} * (mode->height - 1) + mode->visible_bytes();
    }
    capture.memory.resize(std::min(bytes, memory_bytes - start));
    const std::span<const std::byte> source = memory_.bytes().subspan(start);
    for (std::size_t done = 0; done < capture.memory.size(); done += chunk_bytes) {
        const std::size_t count = std::min(chunk_bytes, capture.memory.size() - done);
        const std::lock_guard guard(lock_);
        std::memcpy(&capture.memory[done], &source[done], count);
    }
    return capture;
}

ScreenStatus VgaCore::status() const {
    const std::uint64_t generation = generation_.load(std::memory_order_relaxed);
    const Capture capture = capture_registers();
    ScreenStatus status = describe(capture);
    status.generation = generation;
    status.draws_unseen = capture.linear.has_value();
    return status;
}

Image VgaCore::image() const {
    return render(capture());
}

std::optional<TextScreen> VgaCore::text() const {
    return read_text(capture());
}

} // namespace coldstart::vga
