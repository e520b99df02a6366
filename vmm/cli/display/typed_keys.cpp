#include "vmm/cli/display/typed_keys.h"

#include <charconv>
#include <optional>
#include <string_view>

namespace coldstart {
namespace {

constexpr char escape = '\x1b';
/// No key's sequence is longer.
constexpr std::size_t max_sequence_bytes = 16;

// Bits of the modifier parameter, which is one more than their sum.
constexpr unsigned shift = 1;
constexpr unsigned alt = 2;
constexpr unsigned ctrl = 4;

struct FinalKey {
    char final;
    KeyCode key;
};

/// CSI ... and SS3 with these letters.
constexpr FinalKey final_keys[] = {
    {'A', KeyCode::up},  {'B', KeyCode::down}, {'C', KeyCode::right},        {'D', KeyCode::left},
    {'F', KeyCode::end}, {'H', KeyCode::home}, {'M', KeyCode::keypad_enter}, {'P', KeyCode::f1},
    {'Q', KeyCode::f2},  {'R', KeyCode::f3},   {'S', KeyCode::f4},
};

struct NumberKey {
    unsigned number;
    KeyCode key;
};

/// CSI number ~
constexpr NumberKey number_keys[] = {
    {1, KeyCode::home},    {2, KeyCode::insert},    {3, KeyCode::del},  {4, KeyCode::end},
    {5, KeyCode::page_up}, {6, KeyCode::page_down}, {7, KeyCode::home}, {8, KeyCode::end},
    {11, KeyCode::f1},     {12, KeyCode::f2},       {13, KeyCode::f3},  {14, KeyCode::f4},
    {15, KeyCode::f5},     {17, KeyCode::f6},       {18, KeyCode::f7},  {19, KeyCode::f8},
    {20, KeyCode::f9},     {21, KeyCode::f10},      {23, KeyCode::f11}, {24, KeyCode::f12},
};

/// CSI [ letter, of the Linux console.
constexpr KeyCode console_keys[] = {KeyCode::f1, KeyCode::f2, KeyCode::f3, KeyCode::f4,
                                    KeyCode::f5};

KeyStroke with_modifiers(KeyStroke stroke, unsigned modifiers) {
    const auto hold = [&](unsigned bit, KeyCode key) {
        if ((modifiers & bit) == 0)
            return;
        stroke.insert(stroke.begin(), {key, true});
        stroke.push_back({key, false});
    };
    hold(shift, KeyCode::left_shift);
    hold(alt, KeyCode::left_alt);
    hold(ctrl, KeyCode::left_ctrl);
    return stroke;
}

KeyStroke stroke_of(KeyCode key, unsigned modifiers = 0) {
    return with_modifiers({{key, true}, {key, false}}, modifiers);
}

/// A byte that is no part of a sequence.
KeyStroke stroke_of_byte(char byte) {
    KeyStroke known = keys_of_character(byte);
    const auto code = static_cast<unsigned char>(byte);
    if (!known.empty() || code >= 0x20)
        return known;
    // Ctrl takes the two upper bits off the character of a key.
    if (code == 0)
        return stroke_of(KeyCode::space, ctrl);
    const bool letter = code <= 26;
    return with_modifiers(keys_of_character(static_cast<char>(code + (letter ? 0x60 : 0x40))),
                          ctrl);
}

void add(std::vector<KeyStroke>& strokes, KeyStroke stroke) {
    if (!stroke.empty())
        strokes.push_back(std::move(stroke));
}

/// Takes a number and the ';' behind it off `text`; absent: nothing.
std::optional<unsigned> take_number(std::string_view& text) {
    unsigned number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const bool found = error == std::errc{};
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    if (!text.empty() && text.front() == ';')
        text.remove_prefix(1);
    return found ? std::optional(number) : std::nullopt;
}

/// `parameters` and `final` as ECMA-48 calls them.
KeyStroke stroke_of_sequence(std::string_view parameters, char final) {
    const std::optional<unsigned> first = take_number(parameters);
    const std::optional<unsigned> second = take_number(parameters);
    const unsigned modifiers = second && *second >= 1 && *second <= 8 ? *second - 1 : 0;
    if (!parameters.empty())
        return {};
    if (final == '~') {
        for (const NumberKey& known : number_keys) {
            if (first == known.number)
                return stroke_of(known.key, modifiers);
        }
        return {};
    }
    if (final == 'Z')
        return stroke_of(KeyCode::tab, shift);
    for (const FinalKey& known : final_keys) {
        if (final == known.final)
            return stroke_of(known.key, modifiers);
    }
    return {};
}

bool is_parameter(char byte) noexcept {
    return byte >= 0x20 && byte < 0x40;
}

} // namespace

std::vector<KeyStroke> TypedKeys::feed(ByteView typed) {
    std::vector<KeyStroke> strokes;
    for (const std::byte byte : typed)
        take(std::to_integer<char>(byte), strokes);
    return strokes;
}

std::vector<KeyStroke> TypedKeys::settle() {
    std::vector<KeyStroke> strokes;
    const std::string sequence = std::move(sequence_);
    sequence_.clear();
    for (const char byte : sequence)
        add(strokes, stroke_of_byte(byte));
    return strokes;
}

void TypedKeys::take(char byte, std::vector<KeyStroke>& strokes) {
    if (!sequence_.empty())
        go_on(byte, strokes);
    else if (byte == escape)
        sequence_ = escape;
    else
        add(strokes, stroke_of_byte(byte));
}

void TypedKeys::go_on(char byte, std::vector<KeyStroke>& strokes) {
    if (byte == escape) { // what came before is over
        const std::vector<KeyStroke> before = settle();
        if (before.size() == 1)
            strokes.push_back(before.front());
        sequence_ = escape;
        return;
    }
    if (sequence_.size() == 1 && byte != '[' && byte != 'O') {
        sequence_.clear();
        add(strokes, with_modifiers(stroke_of_byte(byte), alt));
        return;
    }
    sequence_ += byte;
    if (sequence_.size() == 2)
        return;
    const bool linux_console = sequence_.starts_with("\x1b[[");
    if (sequence_.size() < max_sequence_bytes &&
        (is_parameter(byte) || (linux_console && sequence_.size() == 3)))
        return;
    const std::string parameters = sequence_.substr(2, sequence_.size() - 3);
    sequence_.clear();
    if (!linux_console)
        add(strokes, stroke_of_sequence(parameters, byte));
    else if (byte >= 'A' && byte <= 'E')
        strokes.push_back(stroke_of(console_keys[byte - 'A']));
}

} // namespace coldstart
