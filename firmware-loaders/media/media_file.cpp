#include "firmware-loaders/media/media_file.h"

#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <cerrno>

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

namespace coldstart {

MediaFile MediaFile::open(const std::string& path) {
    // O_NONBLOCK: opening a FIFO that nobody writes must not hang.
    UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
    if (!fd)
        throw system_error(path, errno);
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0)
        throw system_error(path, errno);
    MediaFile file;
    if (S_ISREG(status.st_mode)) {
        file.size_bytes_ = static_cast<std::uint64_t>(status.st_size);
    } else if (S_ISBLK(status.st_mode)) {
        if (::ioctl(fd.get(), BLKGETSIZE64, &file.size_bytes_) != 0)
            throw system_error(path, errno);
    } else {
        throw Error(path + ": not a regular file", "name a file or a block device");
    }
    file.fd_ = std::make_shared<const UniqueFd>(std::move(fd));
    return file;
}

MediaFile MediaFile::window(std::uint64_t start_bytes, std::uint64_t size_bytes) const noexcept {
    MediaFile part = *this;
    const std::uint64_t start = std::min(start_bytes, size_bytes_);
    part.start_bytes_ = start_bytes_ + start;
    part.size_bytes_ = std::min(size_bytes, size_bytes_ - start);
    return part;
}

bool MediaFile::read(std::uint64_t offset, std::span<std::byte> out) const noexcept {
    if (!range_inside(offset, out.size(), size_bytes_))
        return false;
    std::uint64_t at = start_bytes_ + offset;
    while (!out.empty()) {
        const ssize_t count = ::pread(fd_->get(), out.data(), out.size(), static_cast<off_t>(at));
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return false;
        at += static_cast<std::uint64_t>(count);
        out = out.subspan(static_cast<std::size_t>(count));
    }
    return true;
}

std::vector<std::byte> MediaFile::read_some(std::uint64_t offset, std::size_t max_bytes) const {
    if (offset >= size_bytes_)
        return {};
    std::vector<std::byte> bytes(
        static_cast<std::size_t>(std::min<std::uint64_t>(max_bytes, size_bytes_ - offset)));
    if (!read(offset, bytes))
        bytes.clear();
    return bytes;
}

bool MediaFile::has(std::uint64_t offset, std::string_view magic) const noexcept {
    std::array<std::byte, 16> bytes;
    if (magic.size() > bytes.size() || !read(offset, std::span(bytes).first(magic.size())))
        return false;
    return std::memcmp(bytes.data(), magic.data(), magic.size()) == 0;
}

std::string MediaFile::text(std::uint64_t offset, std::size_t max_chars) const {
    return text_field(read_some(offset, max_chars));
}

std::string MediaFile::uuid(std::uint64_t offset) const {
    const auto bytes = block<16>(offset);
    return bytes ? uuid_text(*bytes) : "";
}

std::string text_field(ByteView bytes) {
    std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    text = text.substr(0, text.find('\0'));
    while (text.ends_with(' '))
        text.remove_suffix(1);
    return printable(text);
}

std::string uuid_text(ByteView sixteen_bytes, bool first_fields_swapped) {
    static constexpr std::size_t straight[] = {0, 1, 2,  3,  4,  5,  6,  7,
                                               8, 9, 10, 11, 12, 13, 14, 15};
    static constexpr std::size_t mixed[] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};
    std::string text;
    for (std::size_t i = 0; i < 16; ++i) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            text += '-';
        const auto byte =
            std::to_integer<unsigned>(sixteen_bytes[first_fields_swapped ? mixed[i] : straight[i]]);
        text += "0123456789abcdef"[byte >> 4];
        text += "0123456789abcdef"[byte & 15];
    }
    return text;
}

} // namespace coldstart
