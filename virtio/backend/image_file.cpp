#include "virtio/backend/image_file.h"

#include "vmm/base/error.h"
#include "vmm/base/log.h"
#include "vmm/base/text.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdlib>
#include <memory>

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace coldstart {
namespace {

struct stat status_of(const std::string& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) {
        const int error = errno;
        throw system_error(cat("disk image ", path), error,
                           error == ENOENT ? cat("create one with: truncate -s 1G ", path) : "");
    }
    if (S_ISDIR(status.st_mode))
        throw Error(cat("disk image ", path, ": is a directory"),
                    "name an image file or a block device");
    if (!S_ISREG(status.st_mode) && !S_ISBLK(status.st_mode))
        throw Error(cat("disk image ", path, ": is neither a regular file nor a block device"),
                    "name an image file or a block device");
    return status;
}

UniqueFd open_path(const std::string& path, bool read_only, bool direct) {
    const int flags = O_CLOEXEC | (read_only ? O_RDONLY : O_RDWR) | (direct ? O_DIRECT : 0);
    UniqueFd fd(::open(path.c_str(), flags));
    if (fd)
        return fd;
    const int error = errno;
    const bool denied = error == EACCES || error == EROFS || error == EPERM;
    if (denied && !read_only && ::access(path.c_str(), R_OK) == 0)
        throw system_error(cat("disk image ", path, ": can't be opened for writing"), error,
                           "add readonly=on, or make the file writable");
    if (denied)
        throw system_error(cat("disk image ", path), error, "make the file readable for this user");
    if (error == EINVAL && direct)
        throw Error(cat("disk image ", path, ": its file system refuses O_DIRECT"),
                    "use the cache mode writeback, or put the image on another file system");
    throw system_error(cat("disk image ", path), error);
}

bool same_file(int fd, int other_fd) noexcept {
    struct stat one {};
    struct stat other {};
    return other_fd >= 0 && ::fstat(fd, &one) == 0 && ::fstat(other_fd, &other) == 0 &&
           one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

void lock_image(int fd, const std::string& path, bool read_only, bool lenient) {
    struct flock lock {};
    lock.l_type = read_only ? F_RDLCK : F_WRLCK;
    lock.l_whence = SEEK_SET;
    if (::fcntl(fd, F_OFD_SETLK, &lock) == 0)
        return;
    if (!lenient && (errno == EAGAIN || errno == EACCES))
        throw Error(cat("disk image ", path, ": is in use by another machine",
                        read_only ? " that writes to it" : ""),
                    "stop that machine, or open the image with readonly=on in both");
    log_warn(cat("disk image ", path, ": can't be locked; see that nobody else writes to it"));
}

std::uint32_t power_of_two_within(std::uint64_t value, std::uint32_t low,
                                  std::uint32_t high) noexcept {
    return std::clamp(
        static_cast<std::uint32_t>(std::bit_floor(std::min<std::uint64_t>(value, high))), low,
        high);
}

void measure_block_device(ImageFile& image, const std::string& path) {
    if (::ioctl(image.fd.get(), BLKGETSIZE64, &image.size_bytes) != 0)
        throw system_error(cat("block device ", path, ": its size"), errno);
    int logical = 512;
    unsigned physical = 512;
    unsigned optimal = 0;
    ::ioctl(image.fd.get(), BLKSSZGET, &logical);
    ::ioctl(image.fd.get(), BLKPBSZGET, &physical);
    ::ioctl(image.fd.get(), BLKIOOPT, &optimal);
    image.geometry.block_bytes = power_of_two_within(static_cast<unsigned>(logical), 512, 65536);
    image.geometry.physical_block_bytes =
        power_of_two_within(physical, image.geometry.block_bytes, 65536);
    image.geometry.optimal_io_bytes = optimal;
}

/// What O_DIRECT asks of requests, from the kernel (6.1 on) or else by trying.
void find_direct_alignment(ImageFile& image) {
    std::uint32_t memory = 0;
    std::uint32_t offset = 0;
#ifdef STATX_DIOALIGN
    struct statx status {};
    if (::statx(image.fd.get(), "", AT_EMPTY_PATH, STATX_DIOALIGN, &status) == 0 &&
        (status.stx_mask & STATX_DIOALIGN) != 0) {
        memory = status.stx_dio_mem_align;
        offset = status.stx_dio_offset_align;
    }
#endif
    if (memory == 0 || offset == 0) {
        const std::unique_ptr<void, decltype(&std::free)> buffer(std::aligned_alloc(4096, 4096),
                                                                 &std::free);
        offset = image.geometry.block_bytes;
        while (buffer && offset < 4096 && ::pread(image.fd.get(), buffer.get(), offset, 0) < 0 &&
               errno == EINVAL)
            offset *= 2;
        memory = offset;
    }
    image.memory_alignment = power_of_two_within(memory, 1, 4096);
    DiskGeometry& geometry = image.geometry;
    geometry.block_bytes = std::max(geometry.block_bytes, power_of_two_within(offset, 512, 4096));
    geometry.physical_block_bytes = std::max(geometry.physical_block_bytes, geometry.block_bytes);
}

} // namespace

ImageFile open_image_file(const std::string& path, const ImageFileOptions& options,
                          int held_lock_fd) {
    const auto [read_only, direct, lenient] = options;
    const struct stat named = status_of(path);
    ImageFile image;
    image.lock_fd = open_path(path, read_only, false);
    if (same_file(image.lock_fd.get(), held_lock_fd)) {
        // The lock belongs to the open file description, and stays until its last descriptor goes.
        image.lock_fd.reset(::fcntl(held_lock_fd, F_DUPFD_CLOEXEC, 0));
        if (!image.lock_fd)
            throw system_error(cat("disk image ", path), errno);
    } else {
        lock_image(image.lock_fd.get(), path, read_only, lenient);
    }
    image.fd = open_path(path, read_only, direct);

    if (S_ISBLK(named.st_mode)) {
        measure_block_device(image, path);
    } else {
        struct stat status {};
        if (::fstat(image.fd.get(), &status) != 0)
            throw system_error(cat("disk image ", path), errno);
        image.size_bytes = static_cast<std::uint64_t>(status.st_size);
        // A write of less than the file system's block costs the host a read.
        image.geometry.physical_block_bytes =
            power_of_two_within(static_cast<std::uint64_t>(status.st_blksize), 512, 4096);
    }
    if (direct)
        find_direct_alignment(image);

    const std::uint32_t block = image.geometry.block_bytes;
    if (lenient)
        image.size_bytes -= image.size_bytes % block;
    if (image.size_bytes % block != 0)
        throw Error(cat("disk image ", path, ": its size of ", image.size_bytes,
                        " bytes is no multiple of ", block),
                    cat("round it up with: truncate -s %", block, " ", path));
    return image;
}

} // namespace coldstart
