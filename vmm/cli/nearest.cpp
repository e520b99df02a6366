#include "vmm/cli/nearest.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace coldstart {
namespace {

constexpr std::size_t max_chars = 32; // longer than any name we have

std::string_view without_dashes(std::string_view name) noexcept {
    name.remove_prefix(std::min(name.find_first_not_of('-'), name.size()));
    return name;
}

/// The optimal string alignment distance.
std::size_t edits_between(std::string_view a, std::string_view b) noexcept {
    std::array<std::array<std::size_t, max_chars + 1>, max_chars + 1> edits{};
    for (std::size_t i = 0; i <= a.size(); ++i) {
        for (std::size_t j = 0; j <= b.size(); ++j) {
            if (i == 0 || j == 0) {
                edits[i][j] = i + j;
                continue;
            }
            const std::size_t change = a[i - 1] == b[j - 1] ? 0 : 1;
            std::size_t best =
                std::min({edits[i - 1][j] + 1, edits[i][j - 1] + 1, edits[i - 1][j - 1] + change});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                best = std::min(best, edits[i - 2][j - 2] + 1);
            edits[i][j] = best;
        }
    }
    return edits[a.size()][b.size()];
}

} // namespace

std::string_view nearest_name(std::string_view name, std::span<const std::string_view> known) {
    const std::string_view wanted = without_dashes(name);
    std::string_view nearest;
    if (wanted.empty() || wanted.size() > max_chars)
        return nearest;
    std::size_t fewest = max_chars;
    for (const std::string_view candidate : known) {
        const std::string_view bare = without_dashes(candidate);
        if (bare.size() > max_chars)
            continue;
        const std::size_t edits = edits_between(wanted, bare);
        if (edits <= std::max<std::size_t>(1, bare.size() / 3) && edits < fewest) {
            fewest = edits;
            nearest = candidate;
        }
    }
    return nearest;
}

} // namespace coldstart
