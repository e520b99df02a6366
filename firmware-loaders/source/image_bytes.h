// The bytes of an image, wherever they are: a regular file read with pread, or host memory holding
// something unpacked; or a slice of either. Copying one is cheap, they share what they stand on.
//
// Files are read, never mapped: a file that another process cuts short while it is mapped would
// end the monitor with SIGBUS. Here it ends in an Error.
// Missing: block devices, pipes and URLs as kernels.
// Threads: any, after construction.
#pragma once

#include "firmware-loaders/source/host_buffer.h"
#include "vmm/base/bytes.h"
#include "vmm/base/unique_fd.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace coldstart {

class ImageBytes {
  public:
    /// Opens a non-empty regular file; `role` ("kernel", "initrd") and `flag` go into the message
    /// of the Error thrown otherwise.
    static ImageBytes open(const std::string& path, const std::string& role,
                           const std::string& flag);

    /// The first `size_bytes` of a regular file that has as many.
    static ImageBytes of_file(std::string name, UniqueFd file, std::uint64_t size_bytes);

    static ImageBytes in_memory(std::string name, HostBuffer bytes);

    /// [offset, offset + size) of this one; throws Error naming `what` when that leaves it.
    ImageBytes slice(std::uint64_t offset, std::uint64_t size_bytes, const std::string& what) const;

    /// The same under another name.
    ImageBytes named(std::string name) const;

    const std::string& name() const noexcept { return name_; }
    std::uint64_t size_bytes() const noexcept { return size_; }

    /// Fills `out` from `offset` on; throws Error when the image ends before.
    void read(std::uint64_t offset, std::span<std::byte> out) const;

    /// Whether these bytes are known to be zeroes without a look at them, being a hole of a sparse
    /// file. False when that is not known, or they are not all inside.
    bool is_hole(std::uint64_t offset, std::uint64_t size_bytes) const noexcept;

    std::vector<std::byte> copy(std::uint64_t offset, std::uint64_t size_bytes) const;

    /// Up to `max_bytes` from the start, for telling formats apart.
    std::vector<std::byte> head(std::uint64_t max_bytes) const;

    /// The same bytes in host memory: itself if they are there already. What is checked and then
    /// used must be one copy, since others may write to a file in between.
    ImageBytes in_host_memory() const;

    /// Where the bytes are in a file; nothing for an image in host memory.
    struct FilePlace {
        int fd = -1;
        std::uint64_t offset = 0;
    };
    std::optional<FilePlace> file_place() const noexcept;

    /// The bytes themselves; only of an image in host memory (see above).
    ByteView view() const noexcept;

  private:
    ImageBytes() = default;

    std::string name_;
    std::shared_ptr<const UniqueFd> file_;
    std::shared_ptr<const HostBuffer> memory_;
    std::uint64_t offset_ = 0;
    std::uint64_t size_ = 0;
};

} // namespace coldstart
