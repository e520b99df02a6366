// Routes guest accesses to ports and MMIO addresses to the regions of devices.
//
// An access is a device's only if it lies wholly inside one region. Any other reads all ones and
// writes nothing, and says so in the log (level debug, at a limited rate). Widths other than 1,
// 2, 4 and 8, which KVM reports for accesses that cross a page, go byte by byte.
//
// Threads: read() and write() from any vCPU thread, without lock and without allocation; no lock
// is held while a device handles the access. Regions may be added, removed and moved at any time
// by any thread, a device's handler included. An access already on its way may still reach the
// device after remove() or move(): a device is destroyed only once the vCPUs stand still.
#pragma once

#include "devices/core/device.h"
#include "vmm/base/log.h"
#include "vmm/machine/region_table.h"

#include <cstdint>

namespace coldstart {

class Bus {
  public:
    /// Puts region `region` of `device`, which outlives its stay here, at `base`. Throws Error
    /// when it overlaps another, is empty, leaves the address space, or the table is full.
    void add(Device& device, unsigned region, std::uint64_t base);

    // For the exit path (a guest moves a BAR): false, and nothing changes, where add() throws.
    bool try_add(Device& device, unsigned region, std::uint64_t base) noexcept;
    /// False when no region begins at `base`.
    bool remove(BusKind kind, std::uint64_t base) noexcept;
    /// False when no region begins at `base` or its new place is taken or not there.
    bool move(BusKind kind, std::uint64_t base, std::uint64_t new_base) noexcept;

    // `in_smm`: by a processor in system management mode.
    /// True when a device answered for every byte; `out` has no bits beyond `width` bytes.
    bool read(BusKind kind, std::uint64_t address, unsigned width, std::uint64_t& out,
              bool in_smm = false) noexcept;
    /// True when every byte reached a device.
    bool write(BusKind kind, std::uint64_t address, unsigned width, std::uint64_t value,
               bool in_smm = false) noexcept;

  private:
    RegionTable& table(BusKind kind) noexcept { return kind == BusKind::pio ? pio_ : mmio_; }
    bool find(BusKind kind, std::uint64_t address, unsigned width,
              RegionTable::Region& found) noexcept;
    bool read_once(BusKind kind, std::uint64_t address, unsigned width, std::uint64_t& out,
                   bool in_smm) noexcept;
    bool write_once(BusKind kind, std::uint64_t address, unsigned width, std::uint64_t value,
                    bool in_smm) noexcept;
    void log_unclaimed(BusKind kind, const char* verb, std::uint64_t address,
                       unsigned width) noexcept;

    RegionTable pio_, mmio_;
    LogLimiter log_limiter_{32};
};

} // namespace coldstart
