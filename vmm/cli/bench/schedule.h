// In which order the runs of a benchmark come: in turn, so that a host that grows slower or quicker
// does so for all, and with another one first in each round, so that nobody always follows the same.
#pragma once

#include <cstddef>
#include <vector>

namespace coldstart {

struct Turn {
    std::size_t candidate = 0;
    bool warmup = false;
};

std::vector<Turn> interleave(std::size_t candidates, unsigned warmup, unsigned runs);

} // namespace coldstart
