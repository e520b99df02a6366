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

} // namespace coldstart
