// A file of a test, gone at its end.
#pragma once

#include "vmm/base/unique_fd.h"

#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <string>

#include <fcntl.h>
#include <unistd.h>

namespace coldstart::fakes {

class TempFile {
  public:
    explicit TempFile(std::uint64_t size_bytes) {
        const char* folder = std::getenv("TMPDIR");
        path_ = std::string(folder != nullptr ? folder : "/tmp") + "/coldstart-test-XXXXXX";
        fd_.reset(::mkstemp(path_.data()));
        if (!fd_ || ::ftruncate(fd_.get(), static_cast<off_t>(size_bytes)) != 0)
            throw std::runtime_error("can't make a temporary file");
    }
    TempFile(const TempFile&) = delete;
    TempFile& operator=(const TempFile&) = delete;
    ~TempFile() { ::unlink(path_.c_str()); }

    const std::string& path() const { return path_; }
    int fd() const { return fd_.get(); }
    std::string read(std::uint64_t offset, std::size_t size) const {
        std::string text(size, '?');
        const auto got = ::pread(fd_.get(), text.data(), size, static_cast<off_t>(offset));
        text.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
        return text;
    }
    void write(std::uint64_t offset, const std::string& text) const {
        if (::pwrite(fd_.get(), text.data(), text.size(), static_cast<off_t>(offset)) !=
            static_cast<ssize_t>(text.size()))
            throw std::runtime_error("can't write a temporary file");
    }

    /// False on a tmpfs before Linux 6.6, and on an overlay over one.
    bool takes_direct_io() const {
        return static_cast<bool>(UniqueFd(::open(path_.c_str(), O_RDWR | O_DIRECT | O_CLOEXEC)));
    }

  private:
    std::string path_;
    UniqueFd fd_;
};

} // namespace coldstart::fakes
