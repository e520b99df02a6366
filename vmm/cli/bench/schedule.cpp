#include "vmm/cli/bench/schedule.h"

namespace coldstart {

std::vector<Turn> interleave(std::size_t candidates, unsigned warmup, unsigned runs) {
    std::vector<Turn> turns;
    for (unsigned round = 0; round < warmup + runs; ++round) {
        for (std::size_t i = 0; i < candidates; ++i) {
            // Every other round goes backwards: a rotation alone would keep the neighbours.
            const std::size_t place = (round + i) % candidates;
            turns.push_back({round % 2 == 0 ? place : candidates - 1 - place, round < warmup});
        }
    }
    return turns;
}

} // namespace coldstart
