#include "devices/q35/smram.h"

namespace coldstart {

using namespace q35;

namespace {

constexpr std::uint64_t compatible_base = 0xa0000, compatible_bytes = 0x20000;
constexpr std::size_t withheld_compatible = 0, withheld_tseg = 1;

std::uint64_t tseg_bytes(unsigned esmramc) noexcept {
    constexpr std::array<std::uint64_t, 4> mbytes = {1, 2, 8, ext_tseg_mbytes};
    return mbytes[esmramc >> esmramc_tseg_size_shift & 3] << 20;
}

} // namespace

Smram::Smram(MemoryMapper& mapper, const GuestMemory& memory, bool has_smm)
    : mapper_(mapper), memory_(memory), has_smm_(has_smm) {
    if (!has_smm_)
        return;
    const MemoryRegion& low = memory.regions().front();
    low_ram_end_ = low.end().value;
    tseg_room_ = tseg_room_bytes(low_ram_end_);
    host_ = low.host.get();
    apply(smram_power_on, esmramc_power_on);
}

Smram::~Smram() {
    replace_plan({});
    memory_.withhold(withheld_compatible, Gpa(0), 0);
    memory_.withhold(withheld_tseg, Gpa(0), 0);
}

Smram::Plan Smram::plan(unsigned smram, unsigned esmramc) const noexcept {
    const bool enabled = (smram & smram_enable) != 0;
    const View closed = (smram & smram_open) != 0 ? View::everybody : View::smm;
    const bool has_tseg = enabled && (esmramc & esmramc_tseg_enable) != 0;
    const std::uint64_t tseg = has_tseg && tseg_room_ != 0 ? tseg_bytes(esmramc) : 0;
    const bool has_compatible = low_ram_end_ >= compatible_base + compatible_bytes;
    return {Piece{compatible_base, has_compatible ? compatible_bytes : 0,
                  enabled ? closed : View::nobody},
            Piece{low_ram_end_ - tseg_room_, tseg_room_ - tseg, View::everybody},
            Piece{low_ram_end_ - tseg, tseg, closed}};
}

void Smram::apply(unsigned smram, unsigned esmramc) noexcept {
    if (!has_smm_)
        return;
    const Plan next = plan(smram, esmramc);
    replace_plan(next);
    const auto withheld = [&](std::size_t which, const Piece& piece) {
        memory_.withhold(which, Gpa(piece.base), piece.view == View::smm ? piece.size : 0);
    };
    withheld(withheld_compatible, next[0]);
    withheld(withheld_tseg, next[2]);
}

// The old goes first: a page can't be shown twice. The processor that wrote the register waits for
// us; firmware lets no other one run here meanwhile.
void Smram::replace_plan(const Plan& next) noexcept {
    for (std::size_t i = 0; i < next.size(); ++i) {
        if (current_[i] != next[i] && current_[i].size != 0 && current_[i].view != View::nobody)
            mapper_.hide(Gpa(current_[i].base));
    }
    for (std::size_t i = 0; i < next.size(); ++i) {
        if (current_[i] != next[i])
            show(next[i]);
    }
    current_ = next;
}

void Smram::show(const Piece& piece) noexcept {
    if (piece.size == 0 || piece.view == View::nobody)
        return;
    const std::span<std::byte> memory(host_ + piece.base, piece.size);
    if (piece.view == View::smm)
        mapper_.show_in_smm(Gpa(piece.base), memory);
    else
        mapper_.show(Gpa(piece.base), memory, MemoryAccess::read_write);
}

} // namespace coldstart
