// A folder of files that only its owner can have put there: made with mode 0700, and not used when
// it, or a file in it, belongs to somebody else or may be written to by others. What is in it is
// therefore as good as what the same user could change anyway.
//
// Files come into being whole, under a temporary name first, so that any number of processes may use
// the folder at once. When it is full, what has not been used for the longest time goes.
// Missing: shared folders of several users.
// Threads: any.
#pragma once

#include "vmm/base/bytes.h"
#include "vmm/base/unique_fd.h"

#include <cstdint>
#include <optional>
#include <string>

namespace coldstart {

class CacheFolder {
  public:
    /// Opens `path`, and makes it if `create` says so, with the folders above it. Throws Error when
    /// it can't be had or can't be trusted.
    CacheFolder(const std::string& path, bool create);

    /// The file of that name and size, just marked as used; an invalid descriptor when it is not
    /// there or is not to be trusted.
    UniqueFd open(const std::string& name, std::uint64_t size_bytes) const noexcept;

    /// Where a link leads, one of ours; nothing otherwise.
    std::optional<std::string> read_link(const std::string& name) const;

    /// Writes a file, or a link, in place of what has that name. Throws Error. The host brings it to
    /// the disk in its own time: a loss of power before may leave a file of another size.
    void write(const std::string& name, ByteView bytes) const;
    void write_link(const std::string& name, const std::string& target) const;

    void remove(const std::string& name) const noexcept;

    /// Removes the files that were not used for the longest time until the rest takes at most
    /// `limit_bytes`, links that lead nowhere, and what writers that died have left.
    void trim(std::uint64_t limit_bytes) const;

  private:
    /// A name that no other writer uses.
    std::string temporary_name() const;
    void put_in_place(const std::string& temporary, const std::string& name) const;

    std::string path_;
    UniqueFd folder_;
};

} // namespace coldstart
