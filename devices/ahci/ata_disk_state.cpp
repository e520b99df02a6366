// The saved state of an ATA disk.
#include "devices/ahci/ata_disk.h"
#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <bit>

namespace coldstart {

using namespace ata;

void AtaDisk::save(StateWriter& writer) const {
    const auto& [write_cache, look_ahead, multiple, multiword_mode, ultra_mode, failed_tag,
                 failed_status, failed_error, failed_lba] = settings_;
    writer.begin("ata-disk", 1);
    writer.fields(sectors_, image_->read_only(), write_cache, look_ahead, multiple, multiword_mode,
                  ultra_mode, failed_tag, failed_status, failed_error, failed_lba);
}

bool AtaDisk::valid(const Settings& settings) const noexcept {
    const unsigned multiple = settings.multiple;
    return multiple <= max_multiple && (multiple == 0 || std::has_single_bit(multiple)) &&
           (settings.multiword_mode <= 2 || settings.multiword_mode == none) &&
           (settings.ultra_mode <= 6 || settings.ultra_mode == none) &&
           (settings.failed_tag < 32 || settings.failed_tag == none) &&
           settings.failed_lba <= lba_mask;
}

void AtaDisk::restore(StateReader& reader) {
    Settings loaded;
    auto& [write_cache, look_ahead, multiple, multiword_mode, ultra_mode, failed_tag, failed_status,
           failed_error, failed_lba] = loaded;
    std::uint64_t sectors = 0;
    bool read_only = false;
    reader.begin("ata-disk", 1);
    reader.fields(sectors, read_only, write_cache, look_ahead, multiple, multiword_mode, ultra_mode,
                  failed_tag, failed_status, failed_error, failed_lba);
    if (sectors != sectors_ || read_only != image_->read_only())
        throw Error(cat("saved state: SATA disk: it had ", sectors, " sectors and now has ",
                        sectors_, ", or became ", read_only ? "writable" : "read-only"),
                    "restore it with the disk it was saved with");
    if (!valid(loaded))
        throw Error("saved state: a SATA disk's settings hold impossible values",
                    "the file is damaged");
    restored_ = loaded;
}

} // namespace coldstart
