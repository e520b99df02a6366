#include "devices/fw_cfg/fw_cfg_items.h"

#include "devices/fw_cfg/spec.h"
#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace coldstart {

using namespace fw_cfg;

namespace {

class OwnBytes final : public FwCfgContent {
  public:
    explicit OwnBytes(std::vector<std::byte> bytes) : bytes_(std::move(bytes)) {}
    std::uint64_t size_bytes() const noexcept override { return bytes_.size(); }
    bool read(std::uint64_t offset, std::span<std::byte> out) const noexcept override {
        std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(offset), out.size(), out.begin());
        return true;
    }

  private:
    std::vector<std::byte> bytes_;
};

class OthersBytes final : public FwCfgContent {
  public:
    OthersBytes(ByteView bytes, std::shared_ptr<const void> keeper)
        : bytes_(bytes), keeper_(std::move(keeper)) {}
    std::uint64_t size_bytes() const noexcept override { return bytes_.size(); }
    bool read(std::uint64_t offset, std::span<std::byte> out) const noexcept override {
        std::ranges::copy(bytes_.subspan(static_cast<std::size_t>(offset), out.size()),
                          out.begin());
        return true;
    }

  private:
    ByteView bytes_;
    std::shared_ptr<const void> keeper_;
};

std::uint32_t checked_size(const std::string& what, std::uint64_t size_bytes) {
    if (size_bytes > std::numeric_limits<std::uint32_t>::max())
        throw Error(cat("fw_cfg ", what, ": ", size_bytes, " bytes are more than an item holds"),
                    "use a file of less than 4 GiB");
    return static_cast<std::uint32_t>(size_bytes);
}

bool is_free_key(std::uint16_t key) {
    if (key == key_signature || key == key_id || key == key_file_directory)
        return false; // the device's own
    const auto number = static_cast<std::uint16_t>(key & ~key_arch_bit);
    return number < key_end && ((key & key_arch_bit) != 0 || number < key_first_file);
}

bool is_file_name(const std::string& name) {
    return !name.empty() && name.size() < name_bytes &&
           std::ranges::all_of(name, [](char c) { return c > ' ' && c <= '~'; });
}

} // namespace

std::shared_ptr<const FwCfgContent> fw_cfg_bytes(std::vector<std::byte> bytes) {
    return std::make_shared<OwnBytes>(std::move(bytes));
}

std::shared_ptr<const FwCfgContent> fw_cfg_view(ByteView bytes,
                                                std::shared_ptr<const void> keeper) {
    return std::make_shared<OthersBytes>(bytes, std::move(keeper));
}

void FwCfgItems::add(std::uint16_t key, std::vector<std::byte> bytes) {
    add(key, fw_cfg_bytes(std::move(bytes)));
}

void FwCfgItems::add(std::uint16_t key, std::shared_ptr<const FwCfgContent> content) {
    const std::string what = cat("item ", hex(key, 4));
    if (!is_free_key(key))
        throw Error(cat("fw_cfg ", what, ": this key can't be given"));
    const std::uint32_t size = checked_size(what, content->size_bytes());
    FwCfgItem item{.name = {},
                   .size_bytes = size,
                   .content = std::move(content),
                   .generate = {},
                   .written = {}};
    if (!numbered_.emplace(key, std::move(item)).second)
        throw Error(cat("fw_cfg ", what, ": given twice"));
}

void FwCfgItems::add_file(const std::string& name, std::vector<std::byte> bytes) {
    add_file(name, fw_cfg_bytes(std::move(bytes)));
}

void FwCfgItems::add_file(const std::string& name, std::shared_ptr<const FwCfgContent> content) {
    const std::uint32_t size = checked_size(name, content->size_bytes());
    insert_file({.name = name,
                 .size_bytes = size,
                 .content = std::move(content),
                 .generate = {},
                 .written = {}});
}

void FwCfgItems::add_generated_file(const std::string& name, std::uint32_t size_bytes,
                                    FwCfgGenerator generate) {
    insert_file({.name = name,
                 .size_bytes = size_bytes,
                 .content = {},
                 .generate = std::move(generate),
                 .written = {}});
}

void FwCfgItems::add_writable_file(const std::string& name, std::vector<std::byte> bytes,
                                   FwCfgWritten written) {
    const std::uint32_t size = checked_size(name, bytes.size());
    insert_file({.name = name,
                 .size_bytes = size,
                 .content = fw_cfg_bytes(std::move(bytes)),
                 .generate = {},
                 .written = std::move(written)});
}

void FwCfgItems::insert_file(FwCfgItem item) {
    const std::string name = item.name;
    if (!is_file_name(name))
        throw Error(cat("fw_cfg file \"", printable(name), "\": not a name fw_cfg can hold"),
                    cat("use 1 to ", name_bytes - 1, " printable characters without spaces"));
    if (files_.size() >= std::size_t{key_end} - key_first_file)
        throw Error(cat("fw_cfg file ", name, ": there are too many files already"));
    if (!files_.emplace(name, std::move(item)).second)
        throw Error(cat("fw_cfg file ", name, ": given twice"));
}

} // namespace coldstart
