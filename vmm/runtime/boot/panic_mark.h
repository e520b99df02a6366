// How a kernel panic is told from a reboot without a driver in the guest: Linux, told to reset warm
// after a panic and only then (guest_command_line.h), writes so into the BIOS data area just before.
// Source: IBM PC's reset flag at 0x472; Linux arch/x86/kernel/reboot.c.
#pragma once

#include "vmm/base/guest_memory.h"

#include <cstdint>

namespace coldstart::panic_mark {

inline constexpr Gpa reset_flag{0x472};
inline constexpr std::uint16_t warm = 0x1234;

inline void clear(const GuestMemory& memory) noexcept {
    memory.store(reset_flag, std::uint16_t{0});
}
inline bool is_set(const GuestMemory& memory) noexcept {
    return memory.load<std::uint16_t>(reset_flag) == warm;
}

} // namespace coldstart::panic_mark
