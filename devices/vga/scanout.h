// From registers and video memory to pixels and characters. Pure functions over a copy, so that
// they run on any thread at leisure.
// Sources: IBM VGA technical reference (CRT controller, attribute controller, DAC); spec.h.
//
// Whatever the registers say, only the bytes of the copy are read, and a picture has at most as
// many pixels as video memory has half bytes (or 2304 by 1024 below DISPI).
// Missing: panning by pixels and preset row scan, the border, underlines of monochrome text,
// cursor skew.
#pragma once

#include "devices/vga/dispi.h"
#include "devices/vga/registers.h"
#include "devices/vga/screen.h"

#include <cstddef>
#include <optional>
#include <vector>

namespace coldstart::vga {

/// What the screen depends on. `memory` are the planes (planar_bytes), or in a linear mode the
/// shown bytes from LinearMode::start on, as many as there are.
struct Capture {
    RegisterState registers;
    std::optional<LinearMode> linear;
    bool dac_8_bit = false;
    bool big_endian = false;
    std::vector<std::byte> memory;
};

/// Without generation and draws_unseen; needs no memory.
ScreenStatus describe(const Capture& capture) noexcept;
Image render(const Capture& capture);
std::optional<TextScreen> read_text(const Capture& capture);

} // namespace coldstart::vga
