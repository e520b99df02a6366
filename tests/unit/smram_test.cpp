#include "devices/q35/q35_mch.h"
#include "devices/q35/smram.h"
#include "tests/fakes/fake_pci.h"
#include "tests/fakes/fake_smm.h"
#include "tests/fakes/fakes.h"
#include "vmm/base/byte_size.h"
#include "vmm/machine/layout.h"

#include <catch2/catch.hpp>
#include <string>

using namespace coldstart;
using namespace coldstart::q35;

namespace {

constexpr std::uint64_t low_ram = 64 * MiB;
constexpr unsigned closed = smram_power_on | smram_enable;
constexpr unsigned open = closed | smram_open;
constexpr unsigned tseg_8m = esmramc_power_on | 2 << esmramc_tseg_size_shift | esmramc_tseg_enable;

/// A host bridge with system management mode; RAM is heap memory.
struct Bench {
    explicit Bench(std::uint64_t ram_bytes = low_ram)
        : memory(GuestMemory::on_heap(ram_bytes)),
          mch(std::make_unique<Q35Mch>(Q35MchHost{.pci = pci,
                                                  .placer = placer,
                                                  .mapper = mapper,
                                                  .power = power,
                                                  .memory = memory,
                                                  .smm = &smm})) {}

    void set(unsigned offset, unsigned value) { pci.config_write(0, {0, 0}, offset, 1, value); }
    unsigned get(unsigned offset, unsigned width = 1) {
        return pci.config_read(0, {0, 0}, offset, width);
    }
    /// Who sees RAM at `gpa` without an exit: "all", "smm" or "none".
    std::string seen(std::uint64_t gpa) const {
        const auto* const shown = mapper.at(gpa);
        return shown == nullptr ? "none" : shown->smm_only ? "smm" : "all";
    }
    bool reached_by_dma(std::uint64_t gpa) const { return memory.contains(Gpa(gpa), 4); }

    GuestMemory memory;
    PciBus pci;
    fakes::FakePlacer placer;
    fakes::FakeMapper mapper;
    fakes::FakePower power;
    fakes::FakeSmm smm;
    std::unique_ptr<Q35Mch> mch;
};

} // namespace

TEST_CASE("smram: at power-on 0xa0000 is nobody's and the end of RAM everybody's", "[smram]") {
    const Bench bench;
    CHECK(bench.seen(0xa0000) == "none");
    CHECK(bench.reached_by_dma(0xa0000));
    CHECK(bench.seen(low_ram - 16 * MiB) == "all");
    CHECK(bench.seen(low_ram - 1) == "all");
    CHECK(bench.reached_by_dma(low_ram - 4));
    // What stands below the room is the layout's.
    CHECK(bench.seen(low_ram - 16 * MiB - 1) == "none");
    const AddressLayout layout = pc_layout(low_ram, true);
    CHECK(layout.shown.back().end() == Gpa(low_ram - 16 * MiB));
    CHECK(layout.ram.back().end() == Gpa(low_ram));
    CHECK(pc_layout(low_ram, false).shown.back().end() == Gpa(low_ram));
}

TEST_CASE("smram: compatible SMRAM is open to all, to the mode, or not there", "[smram]") {
    Bench bench;
    bench.set(cfg_smram, open);
    CHECK(bench.seen(0xa0000) == "all");
    CHECK(bench.seen(0xbffff) == "all");
    CHECK(bench.mapper.at(0xa0000)->memory.data() ==
          bench.memory.regions().front().host.get() + 0xa0000);
    CHECK(bench.reached_by_dma(0xa0000));
    bench.set(cfg_smram, closed);
    CHECK(bench.seen(0xa0000) == "smm");
    CHECK_FALSE(bench.reached_by_dma(0xa0000));
    CHECK_FALSE(bench.reached_by_dma(0xbfffc));
    CHECK(bench.reached_by_dma(0xc0000));
    CHECK_FALSE(bench.memory.contains(Gpa(0x9fffe), 4)); // half of it inside
    bench.set(cfg_smram, smram_power_on | smram_open);   // without G_SMRAME nothing opens
    CHECK(bench.seen(0xa0000) == "none");
}

TEST_CASE("smram: TSEG of each size is hidden from all but the mode, and from DMA", "[smram]") {
    Bench bench;
    CHECK(bench.get(cfg_ext_tseg_mbytes, 2) == 16);
    bench.set(cfg_smram, closed);
    const std::uint64_t sizes[] = {1 * MiB, 2 * MiB, 8 * MiB, 16 * MiB};
    for (unsigned size = 0; size < 4; ++size) {
        bench.set(cfg_esmramc, size << esmramc_tseg_size_shift | esmramc_tseg_enable);
        const std::uint64_t base = low_ram - sizes[size];
        CHECK(bench.seen(base) == "smm");
        CHECK(bench.seen(low_ram - 1) == "smm");
        CHECK_FALSE(bench.reached_by_dma(base));
        CHECK_FALSE(bench.reached_by_dma(low_ram - 4));
        CHECK_FALSE(bench.memory.contains(Gpa(base - 2), 4));
        CHECK(bench.memory.release(Gpa(base), 4096) == 0);
        CHECK(bench.reached_by_dma(base - 4));
        if (sizes[size] != 16 * MiB)
            CHECK(bench.seen(base - 1) == "all");
    }
    bench.set(cfg_esmramc, tseg_8m);
    bench.set(cfg_smram, open);
    CHECK(bench.seen(low_ram - 1) == "all");
    CHECK(bench.reached_by_dma(low_ram - 4));
    bench.set(cfg_smram, closed);
    bench.set(cfg_esmramc, esmramc_power_on);
    CHECK(bench.seen(low_ram - 1) == "all");
    bench.set(cfg_esmramc, tseg_8m);
    bench.set(cfg_smram, smram_power_on); // G_SMRAME clear: there is no TSEG
    CHECK(bench.seen(low_ram - 1) == "all");
}

TEST_CASE("smram: the lock closes, is told, and ends with a reset", "[smram]") {
    Bench bench;
    bench.set(cfg_esmramc, tseg_8m);
    CHECK_FALSE(bench.smm.is_locked());
    bench.set(cfg_smram, open | smram_locked);
    CHECK(bench.smm.is_locked());
    CHECK(bench.seen(0xa0000) == "smm");
    bench.set(cfg_smram, open);
    bench.set(cfg_esmramc, esmramc_power_on);
    CHECK(bench.seen(0xa0000) == "smm");
    CHECK(bench.seen(low_ram - 1) == "smm");
    bench.mch->reset();
    CHECK_FALSE(bench.smm.is_locked());
    CHECK(bench.seen(0xa0000) == "none");
    CHECK(bench.seen(low_ram - 1) == "all");
    CHECK(bench.reached_by_dma(low_ram - 4));
}

TEST_CASE("smram: a restored bridge shows, withholds and locks the same", "[smram]") {
    Bench source, target;
    source.set(cfg_esmramc, tseg_8m);
    source.set(cfg_smram, closed | smram_locked);
    StateWriter writer;
    source.mch->save(writer);
    StateReader reader(writer.bytes());
    target.mch->restore(reader);
    CHECK(target.smm.is_locked());
    CHECK(target.seen(low_ram - 8 * MiB) == "smm");
    CHECK(target.seen(low_ram - 8 * MiB - 1) == "all");
    CHECK_FALSE(target.reached_by_dma(low_ram - 4));
    target.set(cfg_smram, open);
    CHECK(target.seen(0xa0000) == "smm");
}

TEST_CASE("smram: too little RAM for TSEG leaves 0xa0000", "[smram]") {
    Bench bench(32 * MiB);
    CHECK(bench.get(cfg_ext_tseg_mbytes, 2) == 0);
    bench.set(cfg_smram, closed);
    bench.set(cfg_esmramc, tseg_8m);
    CHECK(bench.seen(0xa0000) == "smm");
    CHECK(bench.seen(32 * MiB - 1) == "none"); // the layout shows all of it
    CHECK(bench.reached_by_dma(32 * MiB - 4));
    CHECK(pc_layout(32 * MiB, true).shown.back().end() == Gpa(32 * MiB));
}

TEST_CASE("smram: a bridge that goes takes everything along", "[smram]") {
    Bench bench;
    bench.set(cfg_smram, closed);
    bench.set(cfg_esmramc, tseg_8m);
    bench.mch.reset();
    CHECK(bench.mapper.shown.empty());
    CHECK(bench.reached_by_dma(0xa0000));
    CHECK(bench.reached_by_dma(low_ram - 4));
}
