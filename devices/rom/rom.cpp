#include "devices/rom/rom.h"

#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <cstring>

namespace coldstart {

Rom::Rom(std::span<std::byte> bytes)
    : bytes_(bytes), regions_{RegionShape{.name = "memory",
                                          .bus = BusKind::mmio,
                                          .size_bytes = bytes.size(),
                                          .memory = bytes.data(),
                                          .memory_access = MemoryAccess::read_only}} {}

std::uint64_t Rom::read(unsigned /*region*/, std::uint64_t offset, unsigned width) noexcept {
    std::uint64_t value = 0;
    std::memcpy(&value, bytes_.data() + offset, width);
    return value;
}

void Rom::save(StateWriter& writer) const {
    writer.begin("rom", 1);
    writer.put(static_cast<std::uint64_t>(bytes_.size()));
}

void Rom::restore(StateReader& reader) {
    reader.begin("rom", 1);
    std::uint64_t size_bytes = 0;
    reader.get(size_bytes);
    if (size_bytes != bytes_.size())
        throw Error(
            cat("saved state: the firmware had ", size_bytes, " bytes and now has ", bytes_.size()),
            "restore it with the firmware it was saved with");
}

} // namespace coldstart
