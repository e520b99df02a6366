// Kernels unpacked from bzImages, kept from one run to the next, so that a bzImage costs no
// decompression the second time and starts like the vmlinux inside.
//
// An entry is named by the identity of the file it came from: device, inode, size, time of change of
// contents and of inode, and where in the file the bzImage is. Nobody but root sets the last time,
// so that contents can't change under a name; nothing is kept of a file that changed so recently,
// or while it was read, that a later change could carry the same times. The packed contents are not
// hashed: SHA-256 of them takes longer than unpacking LZ4. A link of the identity's name leads to the
// kernel, whose name tells its size as well.
//
// Nothing here stops a boot: what can't be found is unpacked, what can't be kept is not, and a
// line of the log says why. Entries are trusted as the user's own files are (cache_folder.h); that they
// hold what their names say is not checked again, apart from the size and that it is an ELF file.
// Keeping happens on a thread of its own, while the guest runs already; the destructor waits for it.
// Missing: copies of a file are kept once each; kernels in FIT bundles and in files that are compressed as a whole are not kept.
// Threads: one; the folder may be used by many processes at once.
#pragma once

#include "firmware-loaders/source/image_bytes.h"
#include "vmm/base/byte_size.h"
#include "vmm/base/log.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <thread>

namespace coldstart {

class CacheFolder;

class KernelCache {
  public:
    /// About ten kernels of distributions.
    static constexpr std::uint64_t default_limit_bytes = 512 * MiB;

    /// The folder is touched when it is needed first. What is wrong with it is told at `complaints`.
    explicit KernelCache(std::string folder, std::uint64_t limit_bytes = default_limit_bytes,
                         LogLevel complaints = LogLevel::debug);
    ~KernelCache();
    KernelCache(const KernelCache&) = delete;
    KernelCache& operator=(const KernelCache&) = delete;

    /// coldstart/kernels in $XDG_CACHE_HOME or else in ~/.cache; nothing without either.
    static std::optional<std::string> default_folder();

    struct Kernel {
        ImageBytes bytes;
        bool was_kept = false;
    };
    using Unpack = std::function<ImageBytes(const ImageBytes& payload)>;
    /// Throws Error when the kernel does not suit.
    using Check = std::function<void(const ImageBytes& kernel)>;

    /// The kernel in `payload`, a part of `image`: the one kept, if it passes `check`, or what
    /// `unpack` makes of the payload. That is kept for the next time when it passes. Throws what
    /// `unpack` and `check` throw.
    Kernel unpacked(const ImageBytes& image, const ImageBytes& payload, const Unpack& unpack,
                    const Check& check);

    /// Whether unpacked() would find the kernel of this file.
    bool holds(const ImageBytes& image) const;

    /// Until what is being kept is there.
    void wait() noexcept;

  private:
    std::optional<ImageBytes> find(const ImageBytes& image, bool create_folder) const;
    void keep(std::string link, ImageBytes kernel);

    std::string folder_;
    std::uint64_t limit_bytes_;
    LogLevel complaints_;
    std::thread keeper_;
};

} // namespace coldstart
