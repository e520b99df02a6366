// Keys of a PC keyboard of 104 keys, by what they send.
// Source: IBM PS/2 Hardware Interface Technical Reference, "Keyboard": scan code set 2 and the
// table by which the 8042 makes set 1 of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace coldstart {

/// The set 2 make code; 0xe000 is added where it follows an 0xe0. Named by the US layout.
enum class KeyCode : std::uint16_t {
    escape = 0x76,
    f1 = 0x05,
    f2 = 0x06,
    f3 = 0x04,
    f4 = 0x0c,
    f5 = 0x03,
    f6 = 0x0b,
    f7 = 0x83,
    f8 = 0x0a,
    f9 = 0x01,
    f10 = 0x09,
    f11 = 0x78,
    f12 = 0x07,
    grave = 0x0e,
    digit_1 = 0x16,
    digit_2 = 0x1e,
    digit_3 = 0x26,
    digit_4 = 0x25,
    digit_5 = 0x2e,
    digit_6 = 0x36,
    digit_7 = 0x3d,
    digit_8 = 0x3e,
    digit_9 = 0x46,
    digit_0 = 0x45,
    minus = 0x4e,
    equal = 0x55,
    backspace = 0x66,
    tab = 0x0d,
    bracket_left = 0x54,
    bracket_right = 0x5b,
    backslash = 0x5d,
    caps_lock = 0x58,
    semicolon = 0x4c,
    quote = 0x52,
    enter = 0x5a,
    less = 0x61,
    comma = 0x41,
    period = 0x49,
    slash = 0x4a,
    space = 0x29,
    a = 0x1c,
    b = 0x32,
    c = 0x21,
    d = 0x23,
    e = 0x24,
    f = 0x2b,
    g = 0x34,
    h = 0x33,
    i = 0x43,
    j = 0x3b,
    k = 0x42,
    l = 0x4b,
    m = 0x3a,
    n = 0x31,
    o = 0x44,
    p = 0x4d,
    q = 0x15,
    r = 0x2d,
    s = 0x1b,
    t = 0x2c,
    u = 0x3c,
    v = 0x2a,
    w = 0x1d,
    x = 0x22,
    y = 0x35,
    z = 0x1a,
    left_shift = 0x12,
    right_shift = 0x59,
    left_ctrl = 0x14,
    right_ctrl = 0xe014,
    left_alt = 0x11,
    right_alt = 0xe011,
    left_meta = 0xe01f,
    right_meta = 0xe027,
    menu = 0xe02f,
    insert = 0xe070,
    del = 0xe071,
    home = 0xe06c,
    end = 0xe069,
    page_up = 0xe07d,
    page_down = 0xe07a,
    up = 0xe075,
    down = 0xe072,
    left = 0xe06b,
    right = 0xe074,
    num_lock = 0x77,
    keypad_divide = 0xe04a,
    keypad_multiply = 0x7c,
    keypad_minus = 0x7b,
    keypad_plus = 0x79,
    keypad_enter = 0xe05a,
    keypad_period = 0x71,
    keypad_0 = 0x70,
    keypad_1 = 0x69,
    keypad_2 = 0x72,
    keypad_3 = 0x7a,
    keypad_4 = 0x6b,
    keypad_5 = 0x73,
    keypad_6 = 0x74,
    keypad_7 = 0x6c,
    keypad_8 = 0x75,
    keypad_9 = 0x7d,
    scroll_lock = 0x7e,
    print_screen = 0xe07c, ///< sends more than its code
    pause = 0xe177,        ///< sends a sequence of its own, and nothing when let go
};

/// One change of one key.
struct KeyEvent {
    KeyCode key;
    bool down;

    bool operator==(const KeyEvent&) const noexcept = default;
};

/// "a", "enter", "f12", "left_ctrl", ...: the names above, digits also as "1". Nothing for others.
std::optional<KeyCode> key_by_name(std::string_view name) noexcept;
/// False for a number that is no key of the list.
bool is_key(KeyCode key) noexcept;

/// The presses that type `character` on a US layout, Shift included; empty for what it has no key
/// for. Newline is Enter; tab, backspace and escape are their keys.
std::vector<KeyEvent> keys_of_character(char character);

} // namespace coldstart
