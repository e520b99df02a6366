#include "vmm/runtime/screen/ansi_screen.h"

#include <algorithm>

namespace coldstart {
namespace {

/// Unchanged cells that are printed again rather than jumped over (a jump takes 6 bytes or more).
constexpr unsigned max_reprinted = 5;
/// Spaces up to the end of a row from which on erasing is shorter.
constexpr unsigned min_erased = 4;

bool looks_empty(const TextCell& cell) noexcept {
    return *utf8_of_cp437(cell.character) == ' ' && !cell.blinks;
}

bool same_colours(const TextCell& a, const TextCell& b) noexcept {
    return a.foreground == b.foreground && a.background == b.background && a.blinks == b.blinks;
}

bool look_the_same(const TextCell& a, const TextCell& b) noexcept {
    return a == b || (looks_empty(a) && looks_empty(b) && a.background == b.background);
}

/// Bit 0 is blue in a VGA and red in SGR.
unsigned sgr_colour(unsigned colour, unsigned normal, unsigned bright) {
    const unsigned swapped = (colour & 1) << 2 | (colour & 2) | (colour >> 2 & 1);
    return ((colour & 8) != 0 ? bright : normal) + swapped;
}

/// Writes cells and keeps track of what the terminal would do with them.
class Pen {
  public:
    void whole_screen() { out_ += "\x1b[0m\x1b[2J"; }

    void move_to(unsigned column, unsigned row) {
        if (row == row_ && column == column_)
            return;
        out_ += "\x1b[" + std::to_string(row + 1);
        if (column != 0)
            out_ += ";" + std::to_string(column + 1);
        out_ += "H";
        column_ = column;
        row_ = row;
    }

    void print(const TextCell& cell) {
        set_colours(cell);
        out_ += utf8_of_cp437(cell.character);
        ++column_;
    }

    void erase_row_from_here(const TextCell& cell) {
        set_colours(cell);
        out_ += "\x1b[K";
    }

    /// After the last column the terminal may or may not have wrapped.
    void lose_place() noexcept { row_ = nowhere; }

    void show_cursor(bool shown) { out_ += shown ? "\x1b[?25h" : "\x1b[?25l"; }

    bool is_empty() const noexcept { return out_.empty(); }
    std::string take() { return std::move(out_); }

  private:
    static constexpr unsigned nowhere = ~0u;

    void set_colours(const TextCell& cell) {
        if (colours_ && same_colours(*colours_, cell))
            return;
        const bool stops_blinking = !colours_ || (colours_->blinks && !cell.blinks);
        std::string codes;
        if (stops_blinking)
            codes = "0;";
        if (cell.blinks && (stops_blinking || !colours_->blinks))
            codes += "5;";
        if (stops_blinking || colours_->foreground != cell.foreground)
            codes += std::to_string(sgr_colour(cell.foreground, 30, 90)) + ";";
        if (stops_blinking || colours_->background != cell.background)
            codes += std::to_string(sgr_colour(cell.background, 40, 100)) + ";";
        codes.back() = 'm';
        out_ += "\x1b[" + codes;
        colours_ = cell;
    }

    std::string out_;
    unsigned column_ = nowhere, row_ = nowhere;
    std::optional<TextCell> colours_;
};

/// One row of two screens; `before` is nullptr where the terminal's row is blank or unknown.
class Row {
  public:
    /// `fills_terminal`: erasing colours nothing beyond the last column.
    Row(const TextCell* before, const TextCell* after, unsigned columns, unsigned row,
        bool fills_terminal) noexcept
        : before_(before), after_(after), columns_(columns), row_(row),
          tail_(tail_start(fills_terminal)) {}

    void draw(Pen& pen) const {
        unsigned column = 0;
        unsigned written_to = 0; // one past the last cell written
        while (column < columns_) {
            if (!differs(column)) {
                ++column;
                continue;
            }
            const bool continues = written_to != 0 && column - written_to <= max_reprinted;
            if (continues && colours_are_uniform(written_to, column)) {
                for (unsigned i = written_to; i < column; ++i)
                    pen.print(after_[i]);
            }
            pen.move_to(column, row_);
            if (column >= tail_ && columns_ - column >= min_erased) {
                pen.erase_row_from_here(after_[column]);
                return;
            }
            pen.print(after_[column]);
            written_to = ++column;
        }
        if (written_to == columns_)
            pen.lose_place();
    }

  private:
    bool differs(unsigned column) const noexcept {
        return before_ == nullptr || !look_the_same(before_[column], after_[column]);
    }

    bool colours_are_uniform(unsigned from, unsigned to) const noexcept {
        for (unsigned i = from; i < to; ++i) {
            if (!same_colours(after_[i], after_[from - 1]))
                return false;
        }
        return true;
    }

    /// Where the spaces of one background begin that end the row and may be erased.
    unsigned tail_start(bool fills_terminal) const noexcept {
        unsigned start = columns_;
        if (!fills_terminal && after_[columns_ - 1].background != 0)
            return start;
        while (start != 0 && looks_empty(after_[start - 1]) &&
               after_[start - 1].background == after_[columns_ - 1].background)
            --start;
        return start;
    }

    const TextCell* before_;
    const TextCell* after_;
    unsigned columns_;
    unsigned row_;
    unsigned tail_;
};

unsigned visible(unsigned size, unsigned terminal_size) noexcept {
    return terminal_size == 0 ? size : std::min(size, terminal_size);
}

} // namespace

void AnsiScreen::resize_terminal(unsigned columns, unsigned rows) noexcept {
    terminal_columns_ = columns;
    terminal_rows_ = rows;
    forget();
}

std::string AnsiScreen::update(const TextScreen& next) {
    const bool same_size = shown_ && shown_->columns == next.columns && shown_->rows == next.rows;
    const unsigned columns = visible(next.columns, terminal_columns_);
    const unsigned rows = visible(next.rows, terminal_rows_);
    Pen pen;
    if (!same_size)
        pen.whole_screen();
    for (unsigned row = 0; row < rows; ++row) {
        const std::size_t first = std::size_t{row} * next.columns;
        Row(same_size ? &shown_->cells[first] : nullptr, &next.cells[first], columns, row,
            columns == terminal_columns_)
            .draw(pen);
    }
    const auto shows = [&](const TextScreen& screen) {
        return screen.cursor && screen.cursor->column < columns && screen.cursor->row < rows;
    };
    const bool cursor_now = shows(next);
    const bool cursor_moved = !same_size || shown_->cursor != next.cursor;
    if (cursor_now && (cursor_moved || !pen.is_empty()))
        pen.move_to(next.cursor->column, next.cursor->row);
    if (!same_size || cursor_now != shows(*shown_))
        pen.show_cursor(cursor_now);
    shown_ = next;
    return pen.take();
}

std::string AnsiScreen::leave() {
    const unsigned rows = shown_ ? visible(shown_->rows, terminal_rows_) : 1;
    forget();
    return "\x1b[0m\x1b[" + std::to_string(rows) + "H\x1b[?25h\r\n";
}

} // namespace coldstart
