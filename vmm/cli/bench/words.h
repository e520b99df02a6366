// Building command lines.
#pragma once

#include <initializer_list>
#include <string>
#include <vector>

namespace coldstart {

using Words = std::vector<std::string>;

inline void add_words(Words& words, std::initializer_list<std::string> more) {
    words.insert(words.end(), more);
}

/// As coldstart's and QEMU's KEY=VALUE lists want a comma inside a value.
inline std::string doubled_commas(const std::string& text) {
    std::string out;
    for (const char letter : text)
        out.append(letter == ',' ? 2 : 1, letter);
    return out;
}

} // namespace coldstart
