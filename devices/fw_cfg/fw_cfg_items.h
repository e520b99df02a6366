// What firmware is told through fw_cfg: numbered items and named files, collected by the board and
// the runtime before the guest starts.
//
// Contents are bytes of its own, bytes somewhere else (a kernel of many megabytes, read straight
// into guest memory when the guest asks), or made anew each time the guest selects the item: ACPI
// tables depend on what firmware did to the chipset meanwhile. The directory announces a size
// before that, so such a file has a fixed one.
//
// Source: QEMU, docs/specs/fw_cfg.rst, "Firmware Configuration Items".
// Threads: filled by the control thread, then constant; generators, write callbacks and the
// observer are called on vCPU threads.
#pragma once

#include "vmm/base/bytes.h"

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace coldstart {

/// Bytes of constant number. Any thread.
class FwCfgContent {
  public:
    virtual ~FwCfgContent() = default;
    virtual std::uint64_t size_bytes() const noexcept = 0;
    /// Fills `out` from `offset` on, all inside; false when the bytes can't be had (a file was cut
    /// short meanwhile).
    virtual bool read(std::uint64_t offset, std::span<std::byte> out) const noexcept = 0;
};

/// Hears of each item's first byte read since power-on: firmware's progress, for a timeline.
/// A leaf: it calls nothing back. vCPU threads.
class FwCfgObserver {
  public:
    virtual ~FwCfgObserver() = default;
    /// `name` is empty for an item that is no file.
    virtual void item_read(std::uint16_t key, std::string_view name,
                           std::uint64_t now_ns) noexcept = 0;
};

/// Runs without a lock of the device; may throw, the guest then reads zeros.
using FwCfgGenerator = std::function<std::vector<std::byte>()>;
/// The whole item after a guest wrote some of it. Runs without a lock of the device; throws nothing.
using FwCfgWritten = std::function<void(ByteView content)>;

struct FwCfgItem {
    std::string name; ///< empty: no file
    std::uint32_t size_bytes = 0;
    std::shared_ptr<const FwCfgContent> content; ///< none: generated
    FwCfgGenerator generate;
    FwCfgWritten written; ///< none: read-only
};

class FwCfgItems {
  public:
    // All of these throw Error when the key or name is taken or not allowed, or the content is
    // 4 GiB or more.

    void add(std::uint16_t key, std::vector<std::byte> bytes);
    void add(std::uint16_t key, std::shared_ptr<const FwCfgContent> content);
    template <std::integral T>
    void add_number(std::uint16_t key, T value) {
        std::vector<std::byte> bytes;
        append_le(bytes, value);
        add(key, std::move(bytes));
    }

    /// `name`: 1 to 55 printable ASCII characters, "etc/e820".
    void add_file(const std::string& name, std::vector<std::byte> bytes);
    void add_file(const std::string& name, std::shared_ptr<const FwCfgContent> content);
    template <std::integral T>
    void add_number_file(const std::string& name, T value) {
        std::vector<std::byte> bytes;
        append_le(bytes, value);
        add_file(name, std::move(bytes));
    }
    /// What `generate` returns is filled with zeros, or cut, to `size_bytes`.
    void add_generated_file(const std::string& name, std::uint32_t size_bytes,
                            FwCfgGenerator generate);
    /// The guest may overwrite it by DMA; a reset brings `bytes` back.
    void add_writable_file(const std::string& name, std::vector<std::byte> bytes,
                           FwCfgWritten written);

    bool has_file(const std::string& name) const { return files_.count(name) != 0; }

    /// Not owned; null: nobody.
    void set_observer(FwCfgObserver* observer) noexcept { observer_ = observer; }
    FwCfgObserver* observer() const noexcept { return observer_; }

    const std::map<std::uint16_t, FwCfgItem>& numbered() const noexcept { return numbered_; }
    const std::map<std::string, FwCfgItem>& files() const noexcept { return files_; }

  private:
    void insert_file(FwCfgItem item);

    std::map<std::uint16_t, FwCfgItem> numbered_;
    std::map<std::string, FwCfgItem> files_; // sorted by name, as the directory is
    FwCfgObserver* observer_ = nullptr;
};

std::shared_ptr<const FwCfgContent> fw_cfg_bytes(std::vector<std::byte> bytes);
/// No copy; `keeper` lives as long as the content does.
std::shared_ptr<const FwCfgContent> fw_cfg_view(ByteView bytes, std::shared_ptr<const void> keeper);

} // namespace coldstart
