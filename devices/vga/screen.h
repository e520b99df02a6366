// A display adapter's screen as the host sees it: a picture, or the characters of a text mode.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace coldstart {

struct Rgb {
    std::uint8_t red = 0, green = 0, blue = 0;

    bool operator==(const Rgb&) const noexcept = default;
};

/// Pixels of the current mode, each once: 320 by 200 where a monitor shows every one four times.
struct Image {
    unsigned width = 0;
    unsigned height = 0;
    std::vector<Rgb> pixels; ///< width * height, line by line

    Rgb at(unsigned x, unsigned y) const { return pixels.at(std::size_t{y} * width + x); }
};

struct TextCell {
    std::uint8_t character = ' '; ///< code page 437
    std::uint8_t foreground = 7;  ///< 0..15: bit 0 blue, 1 green, 2 red, 3 bright
    std::uint8_t background = 0;
    bool blinks = false;

    bool operator==(const TextCell&) const noexcept = default;
};

struct TextScreen {
    struct Cursor {
        unsigned column = 0, row = 0;

        bool operator==(const Cursor&) const noexcept = default;
    };

    unsigned columns = 0;
    unsigned rows = 0;
    std::vector<TextCell> cells;  ///< columns * rows, row by row
    std::optional<Cursor> cursor; ///< none: switched off or elsewhere

    /// One string a row in UTF-8, spaces at its end left out.
    std::vector<std::string> lines() const;

    bool operator==(const TextScreen&) const noexcept = default;
};

struct ScreenStatus {
    enum class Kind : std::uint8_t { blank, text, graphics };
    Kind kind = Kind::blank;
    unsigned width = 0; ///< in pixels, of image()
    unsigned height = 0;
    unsigned columns = 0; ///< of a text mode
    unsigned rows = 0;
    /// Another number whenever the guest has changed the screen by way of the adapter.
    std::uint64_t generation = 0;
    /// The guest may also draw into the frame buffer, of which nobody is told: compare pictures.
    bool draws_unseen = false;
};

/// Any thread may call these while the guest runs; a guest that draws meanwhile may be caught with
/// a picture half drawn. The work is bounded by the adapter's memory. They throw std::bad_alloc.
class Screen {
  public:
    virtual ~Screen() = default;

    virtual ScreenStatus status() const = 0;
    /// Black while the screen is blank. The cursor is drawn, blinking characters are visible.
    virtual Image image() const = 0;
    /// Nothing in a graphics mode.
    virtual std::optional<TextScreen> text() const = 0;
};

/// The character that `code` of code page 437 shows, in UTF-8; 0 and 255 are spaces.
const char* utf8_of_cp437(std::uint8_t code) noexcept;

} // namespace coldstart
