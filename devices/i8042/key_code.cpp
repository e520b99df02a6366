#include "devices/i8042/key_code.h"

#include <algorithm>
#include <array>

namespace coldstart {
namespace {

struct NamedKey {
    std::string_view name;
    KeyCode key;
};

constexpr NamedKey named_keys[] = {
    {"escape", KeyCode::escape},
    {"f1", KeyCode::f1},
    {"f2", KeyCode::f2},
    {"f3", KeyCode::f3},
    {"f4", KeyCode::f4},
    {"f5", KeyCode::f5},
    {"f6", KeyCode::f6},
    {"f7", KeyCode::f7},
    {"f8", KeyCode::f8},
    {"f9", KeyCode::f9},
    {"f10", KeyCode::f10},
    {"f11", KeyCode::f11},
    {"f12", KeyCode::f12},
    {"grave", KeyCode::grave},
    {"1", KeyCode::digit_1},
    {"2", KeyCode::digit_2},
    {"3", KeyCode::digit_3},
    {"4", KeyCode::digit_4},
    {"5", KeyCode::digit_5},
    {"6", KeyCode::digit_6},
    {"7", KeyCode::digit_7},
    {"8", KeyCode::digit_8},
    {"9", KeyCode::digit_9},
    {"0", KeyCode::digit_0},
    {"minus", KeyCode::minus},
    {"equal", KeyCode::equal},
    {"backspace", KeyCode::backspace},
    {"tab", KeyCode::tab},
    {"bracket_left", KeyCode::bracket_left},
    {"bracket_right", KeyCode::bracket_right},
    {"backslash", KeyCode::backslash},
    {"caps_lock", KeyCode::caps_lock},
    {"semicolon", KeyCode::semicolon},
    {"quote", KeyCode::quote},
    {"enter", KeyCode::enter},
    {"less", KeyCode::less},
    {"comma", KeyCode::comma},
    {"period", KeyCode::period},
    {"slash", KeyCode::slash},
    {"space", KeyCode::space},
    {"a", KeyCode::a},
    {"b", KeyCode::b},
    {"c", KeyCode::c},
    {"d", KeyCode::d},
    {"e", KeyCode::e},
    {"f", KeyCode::f},
    {"g", KeyCode::g},
    {"h", KeyCode::h},
    {"i", KeyCode::i},
    {"j", KeyCode::j},
    {"k", KeyCode::k},
    {"l", KeyCode::l},
    {"m", KeyCode::m},
    {"n", KeyCode::n},
    {"o", KeyCode::o},
    {"p", KeyCode::p},
    {"q", KeyCode::q},
    {"r", KeyCode::r},
    {"s", KeyCode::s},
    {"t", KeyCode::t},
    {"u", KeyCode::u},
    {"v", KeyCode::v},
    {"w", KeyCode::w},
    {"x", KeyCode::x},
    {"y", KeyCode::y},
    {"z", KeyCode::z},
    {"left_shift", KeyCode::left_shift},
    {"right_shift", KeyCode::right_shift},
    {"left_ctrl", KeyCode::left_ctrl},
    {"right_ctrl", KeyCode::right_ctrl},
    {"left_alt", KeyCode::left_alt},
    {"right_alt", KeyCode::right_alt},
    {"left_meta", KeyCode::left_meta},
    {"right_meta", KeyCode::right_meta},
    {"menu", KeyCode::menu},
    {"insert", KeyCode::insert},
    {"delete", KeyCode::del},
    {"home", KeyCode::home},
    {"end", KeyCode::end},
    {"page_up", KeyCode::page_up},
    {"page_down", KeyCode::page_down},
    {"up", KeyCode::up},
    {"down", KeyCode::down},
    {"left", KeyCode::left},
    {"right", KeyCode::right},
    {"num_lock", KeyCode::num_lock},
    {"keypad_divide", KeyCode::keypad_divide},
    {"keypad_multiply", KeyCode::keypad_multiply},
    {"keypad_minus", KeyCode::keypad_minus},
    {"keypad_plus", KeyCode::keypad_plus},
    {"keypad_enter", KeyCode::keypad_enter},
    {"keypad_period", KeyCode::keypad_period},
    {"keypad_0", KeyCode::keypad_0},
    {"keypad_1", KeyCode::keypad_1},
    {"keypad_2", KeyCode::keypad_2},
    {"keypad_3", KeyCode::keypad_3},
    {"keypad_4", KeyCode::keypad_4},
    {"keypad_5", KeyCode::keypad_5},
    {"keypad_6", KeyCode::keypad_6},
    {"keypad_7", KeyCode::keypad_7},
    {"keypad_8", KeyCode::keypad_8},
    {"keypad_9", KeyCode::keypad_9},
    {"scroll_lock", KeyCode::scroll_lock},
    {"print_screen", KeyCode::print_screen},
    {"pause", KeyCode::pause},
};

struct CharacterKey {
    char plain, shifted;
    KeyCode key;
};

constexpr CharacterKey character_keys[] = {
    {'`', '~', KeyCode::grave},         {'1', '!', KeyCode::digit_1},
    {'2', '@', KeyCode::digit_2},       {'3', '#', KeyCode::digit_3},
    {'4', '$', KeyCode::digit_4},       {'5', '%', KeyCode::digit_5},
    {'6', '^', KeyCode::digit_6},       {'7', '&', KeyCode::digit_7},
    {'8', '*', KeyCode::digit_8},       {'9', '(', KeyCode::digit_9},
    {'0', ')', KeyCode::digit_0},       {'-', '_', KeyCode::minus},
    {'=', '+', KeyCode::equal},         {'[', '{', KeyCode::bracket_left},
    {']', '}', KeyCode::bracket_right}, {'\\', '|', KeyCode::backslash},
    {';', ':', KeyCode::semicolon},     {'\'', '"', KeyCode::quote},
    {',', '<', KeyCode::comma},         {'.', '>', KeyCode::period},
    {'/', '?', KeyCode::slash},         {' ', ' ', KeyCode::space},
    {'\n', '\n', KeyCode::enter},       {'\r', '\r', KeyCode::enter},
    {'\t', '\t', KeyCode::tab},         {'\b', '\b', KeyCode::backspace},
    {'\x1b', '\x1b', KeyCode::escape},  {'\x7f', '\x7f', KeyCode::backspace},
};

std::optional<KeyCode> letter_key(char lower) noexcept {
    return lower >= 'a' && lower <= 'z' ? key_by_name(std::string_view(&lower, 1)) : std::nullopt;
}

std::vector<KeyEvent> stroke(KeyCode key, bool shifted) {
    if (!shifted)
        return {{key, true}, {key, false}};
    return {{KeyCode::left_shift, true}, {key, true}, {key, false}, {KeyCode::left_shift, false}};
}

} // namespace

std::optional<KeyCode> key_by_name(std::string_view name) noexcept {
    const auto* const found = std::ranges::find(named_keys, name, &NamedKey::name);
    return found == std::end(named_keys) ? std::nullopt : std::optional(found->key);
}

bool is_key(KeyCode key) noexcept {
    return std::ranges::find(named_keys, key, &NamedKey::key) != std::end(named_keys);
}

std::vector<KeyEvent> keys_of_character(char character) {
    const bool upper = character >= 'A' && character <= 'Z';
    if (const auto key = letter_key(upper ? static_cast<char>(character - 'A' + 'a') : character))
        return stroke(*key, upper);
    for (const CharacterKey& known : character_keys) {
        if (character == known.plain || character == known.shifted)
            return stroke(known.key, character != known.plain);
    }
    return {};
}

} // namespace coldstart
