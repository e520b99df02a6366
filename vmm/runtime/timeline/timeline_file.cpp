#include "vmm/runtime/timeline/timeline_file.h"

#include "vmm/base/error.h"
#include "vmm/base/log.h"
#include "vmm/base/text.h"
#include "vmm/base/unique_fd.h"
#include "vmm/runtime/timeline/timeline_html.h"

#include <cerrno>
#include <exception>
#include <filesystem>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace coldstart {
namespace {

constexpr const char* remedy = "give a path that can be written";

Error refused(const std::string& path, int error_number) {
    return system_error(cat("--timeline ", printable(path, 200)), error_number, remedy);
}

/// Where a symbolic link leads, so that the link stays.
std::string target_of(const std::string& path) {
    std::error_code missing;
    const auto target = std::filesystem::canonical(path, missing);
    return missing ? path : target.string();
}

/// A file beside `target`, gone again unless it is kept.
class Draft {
  public:
    explicit Draft(const std::string& path)
        : path_(path), target_(target_of(path)), name_(cat(target_, '.', ::getpid(), ".tmp")),
          file_(::open(name_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666)) {
        if (!file_)
            throw refused(path_, errno);
    }
    ~Draft() {
        if (!kept_)
            ::unlink(name_.c_str());
    }
    Draft(const Draft&) = delete;
    Draft& operator=(const Draft&) = delete;

    void write(std::string_view text) {
        while (!text.empty()) {
            const ssize_t written = ::write(file_.get(), text.data(), text.size());
            if (written < 0 && errno == EINTR)
                continue;
            if (written < 0)
                throw refused(path_, errno);
            text.remove_prefix(static_cast<std::size_t>(written));
        }
    }
    void keep() {
        if (::rename(name_.c_str(), target_.c_str()) != 0)
            throw refused(path_, errno);
        kept_ = true;
    }

  private:
    const std::string path_, target_, name_;
    UniqueFd file_;
    bool kept_ = false;
};

} // namespace

TimelineFormat timeline_format(std::string_view path) {
    if (path.ends_with(".json"))
        return TimelineFormat::json;
    if (path.ends_with(".html"))
        return TimelineFormat::html;
    throw UsageError(cat("--timeline ", printable(path, 200), ": neither .json nor .html"),
                     "end the name in one of them: boot.html is a page for a browser");
}

TimelineFiles::TimelineFiles(std::vector<std::string> paths, const ProcessStart& start)
    : paths_(std::move(paths)), start_(start) {
    for (const std::string& path : paths_) {
        struct stat status {};
        if (::stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode))
            throw Error(cat("--timeline ", printable(path, 200), ": it is there and is no file"),
                        remedy);
        const Draft draft(path);
    }
}

void TimelineFiles::write(const VmConfig& config, const TimelineRecorder& recorder,
                          const TimelineEnd& end) const noexcept {
    try {
        const std::string text = timeline_file_text(timeline_json(config, recorder, start_, end));
        for (const std::string& path : paths_) {
            Draft draft(path);
            draft.write(timeline_format(path) == TimelineFormat::json ? text
                                                                      : timeline_html({&text, 1}));
            draft.keep();
        }
    } catch (const std::exception& error) {
        log_error(error.what());
    }
}

} // namespace coldstart
