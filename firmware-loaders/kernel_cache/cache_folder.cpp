#include "firmware-loaders/kernel_cache/cache_folder.h"

#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <memory>
#include <vector>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

namespace coldstart {
namespace {

constexpr std::string_view temporary_prefix = ".new-";
/// Nobody takes that long to write a kernel.
constexpr time_t abandoned_s = 3600;
/// Links are small, but each file that was ever booted may have one.
constexpr std::size_t max_links = 256;
/// Zeroes of this size are left out of a file; file systems have no larger blocks.
constexpr std::size_t hole_bytes = 65536;

bool only_ours(const struct stat& status) noexcept {
    return status.st_uid == ::geteuid() && (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

/// As `mkdir -p -m 0700`; what goes wrong shows when the folder is opened.
void make_folders(const std::string& path) noexcept {
    for (std::size_t slash = path.find('/', 1); slash != std::string::npos;
         slash = path.find('/', slash + 1))
        ::mkdir(path.substr(0, slash).c_str(), S_IRWXU);
    ::mkdir(path.c_str(), S_IRWXU);
}

UniqueFd open_folder(const std::string& path) noexcept {
    return UniqueFd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

struct Entry {
    std::string name;
    struct stat status {};

    bool older_than(const Entry& other) const noexcept {
        const timespec &a = status.st_mtim, &b = other.status.st_mtim;
        return a.tv_sec != b.tv_sec ? a.tv_sec < b.tv_sec : a.tv_nsec < b.tv_nsec;
    }
};

std::vector<Entry> entries_of(int folder) {
    // A descriptor of its own: the position in a folder belongs to the open file.
    const int own = ::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const std::unique_ptr<DIR, int (*)(DIR*)> list(own < 0 ? nullptr : ::fdopendir(own),
                                                   &::closedir);
    std::vector<Entry> entries;
    if (list == nullptr)
        return entries;
    while (const dirent* const item = ::readdir(list.get())) {
        Entry entry{item->d_name, {}};
        if (::fstatat(folder, item->d_name, &entry.status, AT_SYMLINK_NOFOLLOW) == 0 &&
            !S_ISDIR(entry.status.st_mode))
            entries.push_back(std::move(entry));
    }
    std::sort(entries.begin(), entries.end(),
              [](const Entry& a, const Entry& b) { return b.older_than(a); });
    return entries;
}

void write_all(int fd, std::uint64_t offset, ByteView bytes, const std::string& name) {
    while (!bytes.empty()) {
        const ssize_t written =
            ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            throw system_error(name, errno);
        offset += static_cast<std::uint64_t>(written);
        bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
}

bool all_zero(ByteView bytes) noexcept {
    return bytes[0] == std::byte{0} &&
           std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0;
}

/// With holes in the place of zeroes: two fifths of Debian's kernel, which then need no reading.
void write_sparsely(int fd, ByteView bytes, const std::string& name) {
    if (::ftruncate(fd, static_cast<off_t>(bytes.size())) != 0)
        throw system_error(name, errno);
    std::uint64_t written = 0;
    for (std::uint64_t at = 0; at < bytes.size(); at += hole_bytes) {
        const ByteView block = bytes.subspan(at).first(std::min(hole_bytes, bytes.size() - at));
        if (!all_zero(block))
            continue;
        write_all(fd, written, bytes.subspan(written, at - written), name);
        written = at + block.size();
    }
    write_all(fd, written, bytes.subspan(written), name);
}

} // namespace

CacheFolder::CacheFolder(const std::string& path, bool create) : path_(path) {
    folder_ = open_folder(path);
    // Made only when it is missing: on a network file system mkdir asks the server about every
    // folder on the way, though it is there.
    if (!folder_ && errno == ENOENT && create) {
        make_folders(path);
        folder_ = open_folder(path);
    }
    struct stat status {};
    if (!folder_ || ::fstat(folder_.get(), &status) != 0)
        throw system_error(cat("kernel cache ", path), errno);
    if (!only_ours(status))
        throw Error(cat("kernel cache ", path, ": others may write to it"),
                    "give --kernel-cache a folder of your own with mode 0700, or off");
}

UniqueFd CacheFolder::open(const std::string& name, std::uint64_t size_bytes) const noexcept {
    UniqueFd file(::openat(folder_.get(), name.c_str(),
                           O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    struct stat status {};
    if (!file || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode) ||
        !only_ours(status) || static_cast<std::uint64_t>(status.st_size) != size_bytes)
        return UniqueFd();
    ::futimens(file.get(), nullptr); // a file system that is read-only keeps its order
    return file;
}

std::optional<std::string> CacheFolder::read_link(const std::string& name) const {
    struct stat status {};
    if (::fstatat(folder_.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0 ||
        !S_ISLNK(status.st_mode) || status.st_uid != ::geteuid())
        return std::nullopt;
    std::array<char, 256> target{};
    const ssize_t length = ::readlinkat(folder_.get(), name.c_str(), target.data(), target.size());
    if (length <= 0 || static_cast<std::size_t>(length) == target.size())
        return std::nullopt;
    std::string result(target.data(), static_cast<std::size_t>(length));
    if (result.find('/') != std::string::npos)
        return std::nullopt;
    return result;
}

std::string CacheFolder::temporary_name() const {
    static std::atomic<unsigned> counter{0};
    return cat(temporary_prefix, ::getpid(), "-", counter.fetch_add(1));
}

void CacheFolder::put_in_place(const std::string& temporary, const std::string& name) const {
    if (::renameat(folder_.get(), temporary.c_str(), folder_.get(), name.c_str()) == 0)
        return;
    const int error = errno;
    remove(temporary);
    throw system_error(cat(path_, "/", name), error);
}

void CacheFolder::write(const std::string& name, ByteView bytes) const {
    const std::string temporary = temporary_name();
    const std::string full_name = cat(path_, "/", name);
    // A process of another container may have the same number: the name is taken then, for an hour.
    const UniqueFd file(::openat(folder_.get(), temporary.c_str(),
                                 O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, S_IRUSR));
    if (!file)
        throw system_error(full_name, errno);
    try {
        write_sparsely(file.get(), bytes, full_name);
    } catch (const Error&) {
        remove(temporary);
        throw;
    }
    put_in_place(temporary, name);
}

void CacheFolder::write_link(const std::string& name, const std::string& target) const {
    const std::string temporary = temporary_name();
    if (::symlinkat(target.c_str(), folder_.get(), temporary.c_str()) != 0)
        throw system_error(cat(path_, "/", name), errno);
    put_in_place(temporary, name);
}

void CacheFolder::remove(const std::string& name) const noexcept {
    ::unlinkat(folder_.get(), name.c_str(), 0);
}

void CacheFolder::trim(std::uint64_t limit_bytes) const {
    const std::vector<Entry> entries = entries_of(folder_.get()); // the newest first
    const time_t now = ::time(nullptr);
    std::uint64_t taken = 0;
    for (const Entry& entry : entries) {
        if (entry.name.starts_with(temporary_prefix)) {
            if (entry.status.st_mtim.tv_sec < now - abandoned_s)
                remove(entry.name);
        } else if (S_ISREG(entry.status.st_mode)) {
            taken += static_cast<std::uint64_t>(entry.status.st_size);
            if (taken > limit_bytes)
                remove(entry.name);
        }
    }
    std::size_t links = 0;
    for (const Entry& entry : entries) {
        struct stat target {};
        if (S_ISLNK(entry.status.st_mode) &&
            (++links > max_links || ::fstatat(folder_.get(), entry.name.c_str(), &target, 0) != 0))
            remove(entry.name);
    }
}

} // namespace coldstart
