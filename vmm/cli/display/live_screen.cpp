#include "vmm/cli/display/live_screen.h"

#include "vmm/base/text.h"

namespace coldstart {

void LiveScreen::forget() noexcept {
    shown_.reset();
    text_.forget();
}

std::string LiveScreen::frame(const Screen& screen, unsigned terminal_columns,
                              unsigned terminal_rows) {
    if (terminal_columns != terminal_columns_ || terminal_rows != terminal_rows_) {
        terminal_columns_ = terminal_columns;
        terminal_rows_ = terminal_rows;
        text_.resize_terminal(terminal_columns, terminal_rows);
        forget();
    }
    const ScreenStatus status = screen.status();
    if (shown_ && !status.draws_unseen && status.generation == shown_->generation)
        return {};
    if (status.kind != ScreenStatus::Kind::text)
        return notice(status);
    const std::optional<TextScreen> text = screen.text();
    if (!text) // the guest has left the text mode since
        return {};
    if (shown_ && shown_->kind != status.kind)
        text_.forget();
    std::string drawn = text_.update(*text);
    shown_ = status;
    return drawn;
}

std::string LiveScreen::notice(const ScreenStatus& status) {
    const bool same = shown_ && shown_->kind == status.kind && shown_->width == status.width &&
                      shown_->height == status.height;
    std::string drawn;
    if (!same)
        drawn = "\x1b[0m\x1b[2J\x1b[H\x1b[?25l";
    if (!same && status.kind == ScreenStatus::Kind::graphics)
        drawn += cat("The guest shows graphics, ", status.width, " by ", status.height,
                     " pixels; --screenshot FILE.png keeps the last picture.");
    shown_ = status;
    return drawn;
}

} // namespace coldstart
