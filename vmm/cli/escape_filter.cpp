#include "vmm/cli/escape_filter.h"

namespace coldstart {

EscapeFilter::Result EscapeFilter::feed(ByteView typed) {
    constexpr std::byte ctrl_a{0x01};
    Result result;
    result.for_guest.reserve(typed.size());
    for (const std::byte byte : typed) {
        if (!escaped_) {
            escaped_ = byte == ctrl_a;
            if (!escaped_)
                result.for_guest.push_back(byte);
            continue;
        }
        escaped_ = false;
        switch (std::to_integer<char>(byte)) {
        case 0x01:
            result.for_guest.push_back(ctrl_a);
            break;
        case 'x':
        case 'X':
            result.actions.push_back(EscapeAction::quit);
            break;
        case 'p':
        case 'P':
            result.actions.push_back(EscapeAction::pause);
            break;
        case 'h':
        case 'H':
        case '?':
            result.actions.push_back(EscapeAction::help);
            break;
        case 'd':
        case 'D':
            if (place_ == Place::display)
                result.actions.push_back(EscapeAction::ctrl_alt_delete);
            break;
        case 'l':
        case 'L':
            if (place_ == Place::display)
                result.actions.push_back(EscapeAction::redraw);
            break;
        default:
            break;
        }
    }
    return result;
}

std::string_view escape_help() noexcept {
    return "\r\n"
           "Ctrl-A x       quit coldstart\r\n"
           "Ctrl-A p       pause the guest, and let it go on\r\n"
           "Ctrl-A h       show these keys\r\n"
           "Ctrl-A Ctrl-A  send Ctrl-A to the guest\r\n";
}

std::string_view display_help() noexcept {
    return "Ctrl-A x       quit coldstart\r\n"
           "Ctrl-A d       press Ctrl-Alt-Del\r\n"
           "Ctrl-A p       pause the guest, and let it go on\r\n"
           "Ctrl-A l       draw the screen again\r\n"
           "Ctrl-A h       show these keys\r\n"
           "Ctrl-A Ctrl-A  press Ctrl-A\r\n"
           "Any key goes back to the guest's screen.\r\n";
}

} // namespace coldstart
