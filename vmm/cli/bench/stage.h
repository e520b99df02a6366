// The files of a benchmark: found, looked into, unpacked, and in the lab copied to memory, since
// reading through its shared folder would make the deterministic clock jump.
// Threads: one.
#pragma once

#include "vmm/cli/bench/candidate.h"

#include <string>

namespace coldstart {

/// A folder in $TMPDIR that goes with its owner.
class ScratchFolder {
  public:
    ScratchFolder();
    ~ScratchFolder();
    ScratchFolder(const ScratchFolder&) = delete;
    ScratchFolder& operator=(const ScratchFolder&) = delete;
    const std::string& path() const noexcept { return path_; }

  private:
    std::string path_;
};

class Stage {
  public:
    /// `in_memory`: copy what is measured into the scratch folder.
    explicit Stage(bool in_memory) : in_memory_(in_memory) {}

    bool in_memory() const noexcept { return in_memory_; }
    const std::string& folder() const noexcept { return folder_.path(); }
    std::string path(const std::string& name) const { return folder() + "/" + name; }

    /// The file, or in the lab its copy, the same for the same file. `flag` names it in the Error
    /// thrown when it can't be read.
    std::string file(const std::string& path, const std::string& flag);
    /// Throws Error when the kernel, the initrd or a disk can't be had; a firmware or a disk with
    /// GRUB that is not there is a `no_...` of the answer.
    BootFiles files(const BenchCommand& command);

  private:
    void take_kernel(const std::string& path, BootFiles& files);
    void take_firmware(const BenchCommand& command, BootFiles& files);
    void take_grub_disks(const BenchCommand& command, BootFiles& files);

    const bool in_memory_;
    const ScratchFolder folder_;
    std::size_t copies_ = 0;
    std::vector<std::pair<std::string, std::string>> copied_; ///< from, to
};

} // namespace coldstart
