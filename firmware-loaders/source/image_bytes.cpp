#include "firmware-loaders/source/image_bytes.h"

#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace coldstart {
namespace {

const char* kind_of_file(mode_t mode) noexcept {
    if (S_ISDIR(mode))
        return "a directory";
    if (S_ISFIFO(mode))
        return "a pipe";
    if (S_ISSOCK(mode))
        return "a socket";
    return "a device";
}

void pread_all(int fd, std::uint64_t offset, std::span<std::byte> out, const std::string& name) {
    while (!out.empty()) {
        const ssize_t got = ::pread(fd, out.data(), out.size(), static_cast<off_t>(offset));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            throw system_error(name, errno);
        if (got == 0)
            throw Error(cat(name, ": the file became shorter while it was read"),
                        "do not write to it while a machine starts");
        offset += static_cast<std::uint64_t>(got);
        out = out.subspan(static_cast<std::size_t>(got));
    }
}

} // namespace

ImageBytes ImageBytes::open(const std::string& path, const std::string& role,
                            const std::string& flag) {
    const std::string name = cat(role, " ", path);
    if (path.find('\0') != std::string::npos)
        throw Error(cat(role, " path contains a zero byte"), cat("correct ", flag));
    // O_NONBLOCK: opening a pipe without a writer would wait forever.
    UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (!fd)
        throw system_error(name, errno, cat("give ", flag, " a file that can be read"));
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0)
        throw system_error(name, errno);
    if (!S_ISREG(status.st_mode))
        throw Error(cat(name, ": is ", kind_of_file(status.st_mode), ", not a file"),
                    cat("give ", flag, " a regular file"));
    if (status.st_size <= 0)
        throw Error(cat(name, ": the file is empty"), cat("give ", flag, " a complete file"));

    return of_file(name, std::move(fd), static_cast<std::uint64_t>(status.st_size));
}

ImageBytes ImageBytes::of_file(std::string name, UniqueFd file, std::uint64_t size_bytes) {
    ImageBytes image;
    image.name_ = std::move(name);
    image.file_ = std::make_shared<const UniqueFd>(std::move(file));
    image.size_ = size_bytes;
    return image;
}

ImageBytes ImageBytes::in_memory(std::string name, HostBuffer bytes) {
    ImageBytes image;
    image.name_ = std::move(name);
    image.size_ = bytes.size_bytes();
    image.memory_ = std::make_shared<const HostBuffer>(std::move(bytes));
    return image;
}

ImageBytes ImageBytes::slice(std::uint64_t offset, std::uint64_t size_bytes,
                             const std::string& what) const {
    if (!range_inside(offset, size_bytes, size_))
        throw Error(cat(name_, ": ", what, " (", size_bytes, " bytes at offset ", hex(offset),
                        ") goes past the end of its ", size_, " bytes"),
                    "the file is truncated or damaged: copy it again");
    ImageBytes part = *this;
    part.offset_ += offset;
    part.size_ = size_bytes;
    return part;
}

ImageBytes ImageBytes::named(std::string name) const {
    ImageBytes same = *this;
    same.name_ = std::move(name);
    return same;
}

void ImageBytes::read(std::uint64_t offset, std::span<std::byte> out) const {
    if (!range_inside(offset, out.size(), size_))
        throw Error(
            cat(name_, ": ends before offset ", hex(offset), " plus ", out.size(), " bytes"),
            "the file is truncated or damaged: copy it again");
    if (out.empty())
        return;
    if (memory_ != nullptr)
        std::memcpy(out.data(), memory_->view().data() + offset_ + offset, out.size());
    else
        pread_all(file_->get(), offset_ + offset, out, name_);
}

bool ImageBytes::is_hole(std::uint64_t offset, std::uint64_t size_bytes) const noexcept {
    if (file_ == nullptr || !range_inside(offset, size_bytes, size_))
        return false;
    // Nothing that reads the file goes by its position.
    const off_t start = static_cast<off_t>(offset_ + offset);
    const off_t data = ::lseek(file_->get(), start, SEEK_DATA);
    if (data < 0) // ENXIO: no data from there on, or the file was cut short, which reading tells
        return false;
    return static_cast<std::uint64_t>(data - start) >= size_bytes;
}

std::vector<std::byte> ImageBytes::copy(std::uint64_t offset, std::uint64_t size_bytes) const {
    // Checked before the allocation: the size may come from the image itself.
    if (!range_inside(offset, size_bytes, size_))
        read(offset, std::span<std::byte>(static_cast<std::byte*>(nullptr), size_bytes));
    std::vector<std::byte> bytes(static_cast<std::size_t>(size_bytes));
    read(offset, bytes);
    return bytes;
}

std::vector<std::byte> ImageBytes::head(std::uint64_t max_bytes) const {
    return copy(0, std::min(max_bytes, size_));
}

ImageBytes ImageBytes::in_host_memory() const {
    if (memory_ != nullptr)
        return *this;
    HostBuffer bytes(size_, size_);
    read(0, bytes.space(size_).first(static_cast<std::size_t>(size_)));
    bytes.commit(size_);
    return in_memory(name_, std::move(bytes));
}

std::optional<ImageBytes::FilePlace> ImageBytes::file_place() const noexcept {
    if (file_ == nullptr)
        return std::nullopt;
    return FilePlace{file_->get(), offset_};
}

ByteView ImageBytes::view() const noexcept {
    assert(memory_ != nullptr);
    return memory_->view().subspan(static_cast<std::size_t>(offset_),
                                   static_cast<std::size_t>(size_));
}

} // namespace coldstart
