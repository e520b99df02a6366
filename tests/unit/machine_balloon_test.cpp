// From a BalloonConfig to a balloon on either board, and back to it from a machine that runs.
#include "tests/fakes/fake_machine_host.h"
#include "virtio/balloon/virtio_balloon.h"
#include "vmm/base/error.h"
#include "vmm/machine/find_virtio.h"
#include "vmm/machine/pc_board.h"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace coldstart;
using namespace coldstart::fakes;

namespace {

/// The board's balloon alone: nothing else of it matters here.
std::vector<BoardDevice> balloon_of(std::vector<BoardDevice> board) {
    std::erase_if(board,
                  [](const BoardDevice& entry) { return entry.function != "virtio-balloon"; });
    return board;
}

std::vector<BoardDevice> boards_balloon(const VmConfig& config, bool pc) {
    return balloon_of(pc ? pc_board(config, {.firmware_bytes = 256 * KiB}) : micro_board(config));
}

} // namespace

TEST_CASE("a board has a balloon where the configuration says so", "[balloon]") {
    const bool pc = GENERATE(false, true);
    FakeMachineHost around;
    CHECK(boards_balloon(around.config, pc).empty());
    around.config.balloon = BalloonConfig{.amount_mib = 1,
                                          .deflate_on_oom = true,
                                          .statistics_interval_s = 3,
                                          .free_page_hinting = true,
                                          .free_page_reporting = true};
    const auto board = boards_balloon(around.config, pc);
    REQUIRE(board.size() == 1);
    CHECK(board[0].id == "balloon");
    CHECK(board[0].pci.has_value() == pc);

    Machine machine(board, around.host());
    auto* const balloon = find_virtio<VirtioBalloon>(machine, "balloon");
    REQUIRE(balloon != nullptr);
    CHECK(balloon->size().target_mib() == 1);
    CHECK(balloon->deflates_on_oom());
    CHECK(balloon->statistics_interval_s() == 3);
    CHECK(balloon->hinting_enabled());
    CHECK(balloon->reporting_enabled());
    CHECK(find_virtio(machine, "rng") == nullptr);

    machine.start();
    balloon->set_target(0);
    machine.pause();
    machine.reset();
    CHECK(balloon->size().target_mib() == 0); // not the configuration's again
    machine.halt();

    around.config.balloon->amount_mib = 2; // of 1 MiB
    CHECK_THROWS_AS(Machine(board, around.host()), Error);
}

TEST_CASE("only what stands behind a virtio transport is found there", "[balloon]") {
    FakeMachineHost around;
    const std::vector<BoardDevice> board = {{.id = "post", .type = "post-port", .regions = {0x80}},
                                            {.id = "rng",
                                             .type = "virtio-mmio",
                                             .regions = {0xd0000000},
                                             .gsis = {5},
                                             .function = "virtio-rng"}};
    Machine machine(board, around.host());
    CHECK(find_virtio(machine, "post") == nullptr);
    CHECK(find_virtio(machine, "nothing") == nullptr);
    REQUIRE(find_virtio(machine, "rng") != nullptr);
    CHECK(find_virtio(machine, "rng")->type() == "virtio-rng");
    CHECK(find_virtio<VirtioBalloon>(machine, "rng") == nullptr);
}
