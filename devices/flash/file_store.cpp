#include "devices/flash/flash_store.h"
#include "devices/flash/spec.h"
#include "vmm/base/error.h"
#include "vmm/base/log.h"
#include "vmm/base/text.h"
#include "vmm/base/unique_fd.h"

#include <cerrno>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace coldstart {
namespace {

std::uint64_t regular_file_size(int fd, const std::string& path) {
    struct stat status {};
    if (::fstat(fd, &status) != 0)
        throw system_error(cat("flash file ", path), errno);
    if (!S_ISREG(status.st_mode))
        throw Error(cat("flash file ", path, ": is not a regular file"), "name a regular file");
    return static_cast<std::uint64_t>(status.st_size);
}

void read_whole(int fd, const std::string& path, std::span<std::byte> into) {
    std::size_t done = 0;
    while (done < into.size()) {
        const ssize_t got =
            ::pread(fd, into.data() + done, into.size() - done, static_cast<off_t>(done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            throw system_error(cat("flash file ", path), errno);
        if (got == 0)
            throw Error(cat("flash file ", path, ": became shorter while it was read"));
        done += static_cast<std::size_t>(got);
    }
}

int write_whole(int fd, std::uint64_t offset, ByteView bytes) noexcept {
    while (!bytes.empty()) {
        const ssize_t put = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return put < 0 ? errno : EIO;
        bytes = bytes.subspan(static_cast<std::size_t>(put));
        offset += static_cast<std::uint64_t>(put);
    }
    return 0;
}

void lock_file(int fd, const std::string& path, bool read_only) {
    struct flock lock {};
    lock.l_type = read_only ? F_RDLCK : F_WRLCK;
    lock.l_whence = SEEK_SET;
    if (::fcntl(fd, F_OFD_SETLK, &lock) == 0)
        return;
    if (errno == EAGAIN || errno == EACCES)
        throw Error(cat("flash file ", path, ": is in use by another machine"),
                    "give each machine its own, or stop the other one");
    log_warn(cat("flash file ", path, ": can't be locked here; see that nobody else writes to it"));
}

/// A file under a name of its own beside its later one; gone unless it was given that name.
class TemporaryFile {
  public:
    explicit TemporaryFile(const std::string& beside) {
        // Not mkstemp, whose files are their owner's alone: the umask is to decide.
        for (unsigned attempt = 0; !fd_ && attempt < max_attempts; ++attempt) {
            path_ = cat(beside, ".new-", ::getpid(), "-", attempt);
            fd_.reset(::open(path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
            if (!fd_ && errno != EEXIST)
                break;
        }
        if (!fd_)
            throw system_error(cat("flash file ", beside), errno, "its folder must be writable");
    }
    TemporaryFile(const TemporaryFile&) = delete;
    TemporaryFile& operator=(const TemporaryFile&) = delete;
    ~TemporaryFile() { ::unlink(path_.c_str()); }

    int fd() const noexcept { return fd_.get(); }
    /// Takes no name away from a file that came to be meanwhile: that one is as good.
    bool link_as(const std::string& path) const noexcept {
        return ::link(path_.c_str(), path.c_str()) == 0 || errno == EEXIST;
    }

  private:
    static constexpr unsigned max_attempts = 100;

    std::string path_;
    UniqueFd fd_;
};

void sync_folder_of(const std::string& path) noexcept {
    const auto slash = path.rfind('/');
    const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    const UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd)
        ::fsync(fd.get());
}

/// Either no file or all of it appears at `path`, whenever this is interrupted.
void make_from_template(const std::string& path, const std::string& template_path) {
    const UniqueFd source(::open(template_path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!source)
        throw system_error(cat("flash template ", template_path), errno,
                           "name the firmware's empty variable store");
    const std::uint64_t size = regular_file_size(source.get(), template_path);
    require_flash_size(template_path, size);
    std::vector<std::byte> contents(size);
    read_whole(source.get(), template_path, contents);

    const TemporaryFile copy(path);
    if (const int error = write_whole(copy.fd(), 0, contents); error != 0)
        throw system_error(cat("flash file ", path), error);
    if (::fsync(copy.fd()) != 0 || !copy.link_as(path))
        throw system_error(cat("flash file ", path), errno);
    sync_folder_of(path);
}

UniqueFd open_or_make(const FileFlashOptions& options) {
    const int flags = (options.read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC;
    UniqueFd fd(::open(options.path.c_str(), flags));
    if (!fd && errno == ENOENT && !options.template_path.empty()) {
        make_from_template(options.path, options.template_path);
        fd.reset(::open(options.path.c_str(), flags));
    }
    if (!fd)
        throw system_error(cat("flash file ", options.path), errno,
                           errno == ENOENT && !options.read_only ? "name a template to make it from"
                                                                 : "");
    return fd;
}

class FileFlashStore final : public FlashStore {
  public:
    explicit FileFlashStore(const FileFlashOptions& options)
        : path_(options.path), read_only_(options.read_only), fd_(open_or_make(options)),
          size_bytes_(regular_file_size(fd_.get(), path_)) {
        require_flash_size(path_, size_bytes_);
        lock_file(fd_.get(), path_, read_only_);
    }

    std::string_view name() const noexcept override { return path_; }
    std::uint64_t size_bytes() const noexcept override { return size_bytes_; }
    bool read_only() const noexcept override { return read_only_; }

    void load(std::span<std::byte> contents) override { read_whole(fd_.get(), path_, contents); }
    int write(std::uint64_t offset, ByteView bytes) noexcept override {
        return write_whole(fd_.get(), offset, bytes);
    }
    int flush() noexcept override { return ::fdatasync(fd_.get()) == 0 ? 0 : errno; }

  private:
    std::string path_;
    bool read_only_;
    UniqueFd fd_;
    std::uint64_t size_bytes_;
};

} // namespace

void require_flash_size(std::string_view name, std::uint64_t size_bytes) {
    if (size_bytes == 0 || size_bytes % flash::block_bytes != 0 ||
        size_bytes > flash::max_size_bytes)
        throw Error(cat("flash file ", name, ": has ", size_bytes,
                        " bytes, a flash has a multiple of 4096, up to 16 MiB"),
                    "name a firmware or variable store image");
}

std::shared_ptr<FlashStore> open_flash_file(const FileFlashOptions& options) {
    return std::make_shared<FileFlashStore>(options);
}

} // namespace coldstart
