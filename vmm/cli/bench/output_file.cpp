#include "vmm/cli/bench/output_file.h"

#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <cerrno>
#include <cstdio>

#include <fcntl.h>
#include <unistd.h>

namespace coldstart {

OutputFile::OutputFile(const std::string& flag, const std::string& path)
    : flag_(flag), path_(path), part_(cat(path, ".", ::getpid(), ".part")) {
    if (path_.empty())
        return;
    open_part();
    part_is_there_ = true;
}

OutputFile::~OutputFile() {
    if (part_is_there_)
        ::unlink(part_.c_str());
}

UniqueFd OutputFile::open_part() const {
    UniqueFd fd(::open(part_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (!fd)
        throw system_error(cat(flag_, ' ', printable(path_)), errno,
                           "give a path that can be written");
    return fd;
}

void OutputFile::write(std::string_view text) {
    if (!wanted())
        return;
    const UniqueFd fd = open_part();
    while (!text.empty()) {
        const ssize_t written = ::write(fd.get(), text.data(), text.size());
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            throw system_error(cat(flag_, ' ', printable(path_)), errno, "make room for it");
        text.remove_prefix(static_cast<std::size_t>(written));
    }
    if (std::rename(part_.c_str(), path_.c_str()) != 0)
        throw system_error(cat(flag_, ' ', printable(path_)), errno,
                           "give a path that can be written");
    part_is_there_ = false;
}

} // namespace coldstart
