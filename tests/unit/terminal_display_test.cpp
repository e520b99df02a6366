#include "vmm/base/error.h"
#include "vmm/cli/display/live_screen.h"
#include "vmm/cli/display/terminal_display.h"
#include "vmm/cli/display/typed_keys.h"

#include <catch2/catch.hpp>
#include <span>
#include <string>

#include <unistd.h>

using namespace coldstart;
using Catch::Matchers::Contains;

namespace {

std::vector<KeyStroke> typed(TypedKeys& keys, const std::string& text) {
    return keys.feed(std::as_bytes(std::span(text)));
}

std::vector<KeyStroke> typed(const std::string& text) {
    TypedKeys keys;
    return typed(keys, text);
}

using Strokes = std::vector<KeyStroke>;

KeyStroke press(KeyCode key) {
    return {{key, true}, {key, false}};
}

KeyStroke press(KeyCode held, KeyCode key) {
    return {{held, true}, {key, true}, {key, false}, {held, false}};
}

struct FakeScreen final : Screen {
    FakeScreen() {
        now.kind = ScreenStatus::Kind::text;
        shown.columns = 20;
        shown.rows = 2;
        shown.cells.resize(40);
    }
    ScreenStatus status() const override { return now; }
    Image image() const override { return {}; }
    std::optional<TextScreen> text() const override {
        ++texts_read;
        return now.kind == ScreenStatus::Kind::text ? std::optional(shown) : std::nullopt;
    }
    void put(unsigned at, char character) {
        shown.cells[at].character = static_cast<std::uint8_t>(character);
    }

    ScreenStatus now;
    TextScreen shown;
    mutable unsigned texts_read = 0;
};

} // namespace

TEST_CASE("typed characters are the keys of a US keyboard", "[display]") {
    CHECK(typed("a1") == Strokes{press(KeyCode::a), press(KeyCode::digit_1)});
    CHECK(typed("A") == Strokes{press(KeyCode::left_shift, KeyCode::a)});
    CHECK(typed("\r") == Strokes{press(KeyCode::enter)});
    CHECK(typed("\t\x7f") == Strokes{press(KeyCode::tab), press(KeyCode::backspace)});
    CHECK(typed("\x03") == Strokes{press(KeyCode::left_ctrl, KeyCode::c)});
    CHECK(typed("\x1c") == Strokes{press(KeyCode::left_ctrl, KeyCode::backslash)});
    CHECK(typed(std::string(1, '\0')) == Strokes{press(KeyCode::left_ctrl, KeyCode::space)});
    CHECK(typed("\xc3\xa4").empty());
}

TEST_CASE("the sequences of terminals are keys", "[display]") {
    const std::pair<const char*, KeyCode> known[] = {
        {"\x1b[A", KeyCode::up},       {"\x1bOB", KeyCode::down},
        {"\x1b[C", KeyCode::right},    {"\x1bOD", KeyCode::left},
        {"\x1b[H", KeyCode::home},     {"\x1b[1~", KeyCode::home},
        {"\x1b[F", KeyCode::end},      {"\x1b[4~", KeyCode::end},
        {"\x1b[5~", KeyCode::page_up}, {"\x1b[6~", KeyCode::page_down},
        {"\x1b[2~", KeyCode::insert},  {"\x1b[3~", KeyCode::del},
        {"\x1bOP", KeyCode::f1},       {"\x1b[[E", KeyCode::f5},
        {"\x1b[15~", KeyCode::f5},     {"\x1b[17~", KeyCode::f6},
        {"\x1b[21~", KeyCode::f10},    {"\x1b[24~", KeyCode::f12},
    };
    for (const auto& [sequence, key] : known)
        CHECK(typed(sequence) == Strokes{press(key)});
    CHECK(typed("\x1b[1;5C") == Strokes{press(KeyCode::left_ctrl, KeyCode::right)});
    CHECK(typed("\x1b[3;3~") == Strokes{press(KeyCode::left_alt, KeyCode::del)});
    CHECK(typed("\x1b[Z") == Strokes{press(KeyCode::left_shift, KeyCode::tab)});
    CHECK(typed("\x1bx") == Strokes{press(KeyCode::left_alt, KeyCode::x)});
}

TEST_CASE("what is no key is dropped as a whole", "[display]") {
    CHECK(typed("\x1b[99~b") == Strokes{press(KeyCode::b)});
    CHECK(typed("\x1b[99999999999999999999~").size() < 10);
    CHECK(typed("\x1b[200~b") == Strokes{press(KeyCode::b)});
    CHECK(typed("\x1b[?1;2cb") == Strokes{press(KeyCode::b)});
    CHECK(typed("\x1b[[Zb") == Strokes{press(KeyCode::b)});
}

TEST_CASE("an escape alone is the key once nothing follows; sequences may be cut", "[display]") {
    TypedKeys keys;
    CHECK(typed(keys, "\x1b").empty());
    CHECK(keys.waits());
    CHECK(keys.settle() == Strokes{press(KeyCode::escape)});
    CHECK_FALSE(keys.waits());
    CHECK(keys.settle().empty());
    CHECK(typed(keys, "\x1b").empty());
    CHECK(typed(keys, "[").empty());
    CHECK(typed(keys, "A") == Strokes{press(KeyCode::up)});
    CHECK(typed(keys, "\x1b\x1b[A") == Strokes{press(KeyCode::escape), press(KeyCode::up)});
}

TEST_CASE("a screen is drawn when it has changed, and then only what has", "[display]") {
    FakeScreen screen;
    LiveScreen live;
    screen.put(0, 'H');
    CHECK_THAT(live.frame(screen, 80, 25), Contains("H"));
    CHECK(screen.texts_read == 1);
    CHECK(live.frame(screen, 80, 25).empty());
    CHECK(screen.texts_read == 1); // not even looked at

    screen.put(1, 'i');
    ++screen.now.generation;
    const std::string second = live.frame(screen, 80, 25);
    CHECK_THAT(second, Contains("i") && !Contains("\x1b[2J"));
    ++screen.now.generation; // without a difference
    CHECK(live.frame(screen, 80, 25).empty());

    screen.now.draws_unseen = true;
    screen.put(2, '!');
    CHECK_THAT(live.frame(screen, 80, 25), Contains("!"));
}

TEST_CASE("a terminal of another size, or overwritten, is drawn whole", "[display]") {
    FakeScreen screen;
    screen.put(0, 'H');
    LiveScreen live;
    live.frame(screen, 80, 25);
    CHECK_THAT(live.frame(screen, 80, 1), Contains("\x1b[2J") && Contains("H"));
    live.forget();
    CHECK_THAT(live.frame(screen, 80, 1), Contains("\x1b[2J") && Contains("H"));
}

TEST_CASE("of graphics a line is shown, once for a mode", "[display]") {
    FakeScreen screen;
    screen.put(0, 'H');
    screen.put(1, 'i');
    LiveScreen live;
    live.frame(screen, 80, 25);
    screen.now = {ScreenStatus::Kind::graphics, 800, 600, 0, 0, 7, true};
    CHECK_THAT(live.frame(screen, 80, 25), Contains("800 by 600") && Contains("--screenshot"));
    CHECK(live.frame(screen, 80, 25).empty());
    screen.now.width = 1024;
    screen.now.height = 768;
    CHECK_THAT(live.frame(screen, 80, 25), Contains("1024 by 768"));
    screen.now = {ScreenStatus::Kind::text, 720, 400, 20, 2, 8, false};
    CHECK_THAT(live.frame(screen, 80, 25), Contains("\x1b[2J") && Contains("Hi"));
    screen.now.kind = ScreenStatus::Kind::blank;
    ++screen.now.generation;
    CHECK_THAT(live.frame(screen, 80, 25), Contains("\x1b[2J") && !Contains("Hi"));
}

TEST_CASE("a display needs a terminal", "[display]") {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    CHECK_THROWS_AS(TerminalDisplay(ends[0], ends[1], {}), UsageError);
    ::close(ends[0]);
    ::close(ends[1]);
}
