#include "vmm/cli/bench/html_text.h"

#include "vmm/base/text.h"

#include <cstdio>

namespace coldstart {

std::string html_text(std::string_view text) {
    std::string out;
    for (const char letter : printable(text, 4000)) {
        switch (letter) {
        case '&':
            out += "&amp;";
            break;
        case '<':
            out += "&lt;";
            break;
        case '>':
            out += "&gt;";
            break;
        case '"':
            out += "&quot;";
            break;
        case '\'':
            out += "&#39;";
            break;
        default:
            out += letter;
        }
    }
    return out;
}

std::string svg_number(double value) {
    char text[40];
    std::snprintf(text, sizeof text, "%.2f", value);
    return text;
}

} // namespace coldstart
