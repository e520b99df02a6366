// Where the contents of a flash live between runs: a file, or memory in a test.
//
// Durability: what write() accepted survives the end of this process, however it ends; what
// flush() came back from survives a loss of power. A write that is cut short damages no byte
// outside of it.
#pragma once

#include "vmm/base/bytes.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace coldstart {

class FlashStore {
  public:
    virtual ~FlashStore() = default;

    virtual std::string_view name() const noexcept = 0; ///< for messages: the file
    virtual std::uint64_t size_bytes() const noexcept = 0;
    virtual bool read_only() const noexcept = 0;

    /// All of it, size_bytes() bytes. Throws Error.
    virtual void load(std::span<std::byte> contents) = 0;

    // 0, or an errno value. Any thread; one write at a time, a flush at the same time.
    virtual int write(std::uint64_t offset, ByteView bytes) noexcept = 0;
    virtual int flush() noexcept = 0; ///< may take long: not on a vCPU's thread
};

/// Throws Error unless `size_bytes` is one a flash may have: whole blocks, not none, not too many.
void require_flash_size(std::string_view name, std::uint64_t size_bytes);

struct FileFlashOptions {
    std::string path;
    bool read_only = false;
    std::string template_path = {}; ///< what the file is made from when there is none yet
};

/// A file of the flash's size. It is locked as long as the store lives: a writer excludes all
/// others. Throws Error when it can't be opened, is in use or of a wrong size.
std::shared_ptr<FlashStore> open_flash_file(const FileFlashOptions& options);

} // namespace coldstart
