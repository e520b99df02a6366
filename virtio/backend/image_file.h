// Opening the host file behind a raw image: every way it can be wrong, told in one line.
//
// The file is locked for as long as it is open (an open-file-description lock, fcntl(2)): alone
// for a writable disk, shared for a read-only one, so that two machines don't ruin one image.
#pragma once

#include "vmm/base/disk_image.h"
#include "vmm/base/unique_fd.h"

#include <cstdint>
#include <string>

namespace coldstart {

struct ImageFile {
    UniqueFd fd;
    /// Holds the lock and nothing else: io_uring keeps `fd` open for a while after it is closed,
    /// even after the process is gone, and with it a lock would stay.
    UniqueFd lock_fd;
    std::uint64_t size_bytes = 0;
    DiskGeometry geometry;
    /// Where a buffer must start for O_DIRECT; 1 without it.
    std::uint32_t memory_alignment = 1;
};

struct ImageFileOptions {
    bool read_only = false;
    bool direct = false; ///< O_DIRECT
    /// Of any size, what is no whole block at the end being left out; and whoever else has it open.
    bool lenient = false;
};

/// Throws Error. `held_lock_fd` is the lock_fd of an image that this one is to replace, opened in
/// the same way, or -1: when the path leads to the same file again, its lock is shared.
ImageFile open_image_file(const std::string& path, const ImageFileOptions& options,
                          int held_lock_fd = -1);

} // namespace coldstart
