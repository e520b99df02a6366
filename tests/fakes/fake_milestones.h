// Keeps the milestones it hears of.
#pragma once

#include "vmm/base/milestone.h"

#include <string>
#include <utility>
#include <vector>

namespace coldstart::fakes {

struct FakeMilestones final : MilestoneSink {
    void reached(Milestone what, std::string_view text, std::uint32_t) noexcept override {
        heard.emplace_back(what, text);
    }
    std::vector<std::pair<Milestone, std::string>> heard;
};

} // namespace coldstart::fakes
