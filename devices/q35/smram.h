// SMRAM: the RAM that only processors in system management mode see, as SMRAM and ESMRAMC say. The
// compatible one at 0xa0000, elsewhere the display's window, and TSEG at the end of low RAM.
// Source: Intel 3 Series Express Chipset data sheet, sections 3.4.4 (TSEG), 5.1.32 (SMRAM) and
// 5.1.33 (ESMRAMC); the size of 11b in TSEG_SZ is QEMU's extended TSEG, in 0x50.
//
// D_OPEN shows both to everyone. Closed they are nothing to everyone else: all ones, writes are
// dropped, and no device reaches them by DMA. With G_SMRAME clear there is neither.
// Where the machine has no system management mode nothing is ever shown or hidden.
//
// TSEG stands at the end of low RAM whatever TSEGMB says, as QEMU's does; but TSEGMB keeps what
// firmware writes, as OVMF reads there later where its TSEG is.
//
// Missing: H_SMRAME's high SMRAM, D_CLS (kept, without effect), TSEG with less than least_low_ram.
// Threads: apply() one at a time. A leaf but for the mapper, which is one, too.
#pragma once

#include "devices/q35/spec.h"
#include "vmm/base/guest_memory.h"
#include "vmm/base/memory_mapper.h"

#include <array>
#include <cstdint>
#include <optional>

namespace coldstart {

class Smram {
  public:
    /// RAM at the end of low RAM that is ours to show where there is system management mode; 0
    /// where low RAM is too small for TSEG.
    static constexpr std::uint64_t tseg_room_bytes(std::uint64_t low_ram_bytes) noexcept {
        return low_ram_bytes < least_low_ram ? 0 : std::uint64_t{q35::ext_tseg_mbytes} << 20;
    }
    static constexpr std::uint64_t least_low_ram = 64u << 20;

    /// Both outlive this. `memory` begins with low RAM.
    Smram(MemoryMapper& mapper, const GuestMemory& memory, bool has_smm);
    Smram(const Smram&) = delete;
    Smram& operator=(const Smram&) = delete;
    ~Smram();

    bool has_tseg() const noexcept { return tseg_room_ != 0; }
    void apply(unsigned smram, unsigned esmramc) noexcept;

  private:
    enum class View : std::uint8_t { nobody, smm, everybody };
    struct Piece {
        std::uint64_t base = 0, size = 0;
        View view = View::nobody;
        bool operator==(const Piece&) const noexcept = default;
    };
    /// Compatible SMRAM, what of the room is no TSEG, TSEG.
    using Plan = std::array<Piece, 3>;

    Plan plan(unsigned smram, unsigned esmramc) const noexcept;
    void replace_plan(const Plan& next) noexcept;
    void show(const Piece& piece) noexcept;

    MemoryMapper& mapper_;
    const GuestMemory& memory_;
    const bool has_smm_;
    std::uint64_t low_ram_end_ = 0, tseg_room_ = 0;
    std::byte* host_ = nullptr; ///< of GPA 0; taken before anything is withheld
    Plan current_;
};

} // namespace coldstart
