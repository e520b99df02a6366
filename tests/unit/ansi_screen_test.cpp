// Live text on a terminal, checked by a terminal of the test's own.
#include "vmm/runtime/screen/ansi_screen.h"

#include <catch2/catch.hpp>
#include <map>
#include <random>

using namespace coldstart;

namespace {

TextScreen blank(unsigned columns, unsigned rows) {
    TextScreen screen;
    screen.columns = columns;
    screen.rows = rows;
    screen.cells.resize(std::size_t{columns} * rows);
    return screen;
}

void print(TextScreen& screen, unsigned column, unsigned row, std::string_view text,
           unsigned colour = 7) {
    for (const char c : text) {
        TextCell& cell = screen.cells[std::size_t{row} * screen.columns + column++];
        cell.character = static_cast<std::uint8_t>(c);
        cell.foreground = static_cast<std::uint8_t>(colour);
    }
}

/// As much of a terminal as AnsiScreen uses: it fails the test on anything else.
class Terminal {
  public:
    struct Cell {
        std::string glyph = " ";
        unsigned foreground = 0, background = 0; ///< SGR codes; 0: the terminal's own
        bool blinks = false;
    };

    Terminal(unsigned columns, unsigned rows)
        : columns_(columns), rows_(rows), cells_(std::size_t{columns} * rows) {}

    void write(const std::string& text) {
        for (std::size_t at = 0; at < text.size();) {
            if (text[at] == '\x1b') {
                at = escape(text, at);
                continue;
            }
            const auto lead = static_cast<unsigned char>(text[at]);
            const std::size_t length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : 3;
            put(text.substr(at, length));
            at += length;
        }
    }

    const Cell& at(unsigned x, unsigned y) const { return cells_[std::size_t{y} * columns_ + x]; }
    unsigned column = 0, row = 0;
    bool cursor_visible = true;

  private:
    void put(const std::string& glyph) {
        REQUIRE(column < columns_); // printing past the margin wraps, or does not: never rely on it
        Cell& cell = cells_[std::size_t{row} * columns_ + column++];
        cell = pen_;
        cell.glyph = glyph;
    }

    void erase(std::size_t from, std::size_t to) {
        for (std::size_t i = from; i < to; ++i) {
            cells_[i] = Cell{};
            cells_[i].background = pen_.background;
        }
    }

    std::size_t escape(const std::string& text, std::size_t at) {
        REQUIRE(text.at(at + 1) == '[');
        const std::size_t end = text.find_first_of("HJKmhl", at);
        REQUIRE(end != std::string::npos);
        const std::string arguments = text.substr(at + 2, end - at - 2);
        std::vector<unsigned> numbers;
        if (arguments.substr(0, 1) != "?") {
            for (std::size_t from = 0; from < arguments.size();) {
                std::size_t used = 0;
                numbers.push_back(static_cast<unsigned>(std::stoul(arguments.substr(from), &used)));
                from += used + 1;
            }
        }
        switch (text[end]) {
        case 'H':
            row = (numbers.empty() ? 1 : numbers[0]) - 1;
            column = (numbers.size() < 2 ? 1 : numbers[1]) - 1;
            REQUIRE((row < rows_ && column < columns_));
            break;
        case 'J':
            REQUIRE(arguments == "2");
            erase(0, cells_.size());
            break;
        case 'K':
            REQUIRE(arguments.empty());
            erase(std::size_t{row} * columns_ + column, std::size_t{row + 1} * columns_);
            break;
        case 'm':
            for (const unsigned number : numbers)
                select(number);
            break;
        default:
            REQUIRE(arguments == "?25");
            cursor_visible = text[end] == 'h';
        }
        return end + 1;
    }

    void select(unsigned number) {
        if (number == 0)
            pen_ = Cell{};
        else if (number == 5)
            pen_.blinks = true;
        else if ((number >= 30 && number <= 37) || (number >= 90 && number <= 97))
            pen_.foreground = number;
        else if ((number >= 40 && number <= 47) || (number >= 100 && number <= 107))
            pen_.background = number;
        else
            FAIL("SGR " << number);
    }

    unsigned columns_, rows_;
    std::vector<Cell> cells_;
    Cell pen_;
};

void check_shows(const Terminal& terminal, const TextScreen& screen, unsigned columns,
                 unsigned rows) {
    const unsigned codes[] = {30, 34, 32, 36, 31, 35, 33, 37, 90, 94, 92, 96, 91, 95, 93, 97};
    for (unsigned row = 0; row < rows; ++row) {
        for (unsigned column = 0; column < columns; ++column) {
            CAPTURE(column, row);
            const TextCell& wanted = screen.cells[std::size_t{row} * screen.columns + column];
            const Terminal::Cell& shown = terminal.at(column, row);
            REQUIRE(shown.glyph == utf8_of_cp437(wanted.character));
            REQUIRE(shown.background == codes[wanted.background] + 10);
            if (shown.glyph != " ")
                REQUIRE(shown.foreground == codes[wanted.foreground]);
            REQUIRE(shown.blinks == wanted.blinks);
        }
    }
}

} // namespace

TEST_CASE("a first screen is drawn whole, then nothing", "[ansi]") {
    TextScreen screen = blank(10, 2);
    print(screen, 0, 0, "Boot", 15);
    screen.cursor = TextScreen::Cursor{4, 0};
    AnsiScreen ansi(10, 2);
    CHECK(ansi.update(screen) == "\x1b[0m\x1b[2J"
                                 "\x1b[1H\x1b[0;97;40mBoot\x1b[37m\x1b[K"
                                 "\x1b[2H\x1b[K"
                                 "\x1b[1;5H\x1b[?25h");
    CHECK(ansi.update(screen).empty());
    ansi.forget();
    CHECK_FALSE(ansi.update(screen).empty());
}

TEST_CASE("only what differs is written", "[ansi]") {
    TextScreen screen = blank(80, 25);
    print(screen, 0, 3, "Booting from disk 1 of 9");
    AnsiScreen ansi(80, 25);
    ansi.update(screen);
    print(screen, 18, 3, "2");
    CHECK(ansi.update(screen) == "\x1b[4;19H\x1b[0;37;40m2");
    print(screen, 18, 3, "3");
    print(screen, 23, 3, "8"); // near enough to print " of " again
    CHECK(ansi.update(screen) == "\x1b[4;19H\x1b[0;37;40m3 of 8");
    screen.cursor = TextScreen::Cursor{0, 4};
    CHECK(ansi.update(screen) == "\x1b[5H\x1b[?25h");
    screen.cursor.reset();
    CHECK(ansi.update(screen) == "\x1b[?25l");
    screen.cells[79].foreground = 3; // of a space: nobody sees it
    CHECK(ansi.update(screen).empty());
    for (unsigned column = 0; column < 80; ++column)
        screen.cells[3 * 80 + column] = TextCell{};
    CHECK(ansi.update(screen) == "\x1b[4H\x1b[0;37;40m\x1b[K");
}

TEST_CASE("colours and blinking become SGR codes", "[ansi]") {
    TextScreen screen = blank(3, 1);
    screen.cells[0] = {'a', 4, 1, true};
    screen.cells[1] = {'b', 4, 1, false};
    screen.cells[2] = {0xdb, 12, 1, false};
    AnsiScreen ansi;
    CHECK(ansi.update(screen) == "\x1b[0m\x1b[2J\x1b[1H\x1b[0;5;31;44ma\x1b[0;31;44mb"
                                 "\x1b[91m█\x1b[?25l");
}

TEST_CASE("a terminal shows what the guest shows, whatever changes", "[ansi]") {
    std::mt19937 random(11);
    const auto below = [&](unsigned limit) { return static_cast<unsigned>(random() % limit); };
    for (const auto& [columns, rows] : {std::pair{20u, 6u}, {12u, 6u}, {30u, 8u}}) {
        AnsiScreen ansi(columns, rows);
        Terminal terminal(columns, rows);
        TextScreen screen = blank(20, 6);
        for (unsigned round = 0; round < 400; ++round) {
            if (round % 100 == 99)
                screen = blank(20, 5 + below(2));
            for (unsigned changes = below(12); changes != 0; --changes) {
                TextCell& cell = screen.cells[below(static_cast<unsigned>(screen.cells.size()))];
                cell.character = static_cast<std::uint8_t>(below(3) == 0 ? below(256) : ' ');
                cell.foreground = static_cast<std::uint8_t>(below(16));
                cell.background = static_cast<std::uint8_t>(below(4) == 0 ? below(8) : 0);
                cell.blinks = below(10) == 0;
            }
            if (below(10) == 0)
                std::fill(screen.cells.begin() + below(60), screen.cells.end(), TextCell{});
            screen.cursor.reset();
            if (below(4) != 0)
                screen.cursor = TextScreen::Cursor{below(20), below(screen.rows)};
            terminal.write(ansi.update(screen));
            check_shows(terminal, screen, std::min(columns, 20u), std::min(rows, screen.rows));
            const bool inside = screen.cursor && screen.cursor->column < columns;
            REQUIRE(terminal.cursor_visible == inside);
            if (inside) {
                REQUIRE(terminal.column == screen.cursor->column);
                REQUIRE(terminal.row == screen.cursor->row);
            }
        }
    }
}
