#include "vmm/tables/table_loader.h"

#include "vmm/base/bytes.h"

#include <cassert>

namespace coldstart {

namespace {

constexpr std::uint32_t command_allocate = 1;
constexpr std::uint32_t command_add_pointer = 2;
constexpr std::uint32_t command_add_checksum = 3;

} // namespace

void TableLoaderScript::put_file(std::string_view name) {
    assert(name.size() < file_name_bytes);
    const auto text = std::as_bytes(std::span(name));
    bytes_.insert(bytes_.end(), text.begin(), text.end());
    bytes_.resize(bytes_.size() + file_name_bytes - name.size());
}

void TableLoaderScript::end_command(std::size_t begin) {
    bytes_.resize(begin + command_bytes);
}

void TableLoaderScript::allocate(std::string_view file, std::uint32_t alignment, Zone zone) {
    const std::size_t begin = bytes_.size();
    append_le(bytes_, command_allocate);
    put_file(file);
    append_le(bytes_, alignment);
    append_le(bytes_, static_cast<std::uint8_t>(zone));
    end_command(begin);
}

void TableLoaderScript::add_pointer(std::string_view in_file, std::string_view to_file,
                                    std::uint32_t offset, std::uint8_t size_bytes) {
    const std::size_t begin = bytes_.size();
    append_le(bytes_, command_add_pointer);
    put_file(in_file);
    put_file(to_file);
    append_le(bytes_, offset);
    append_le(bytes_, size_bytes);
    end_command(begin);
}

void TableLoaderScript::add_checksum(std::string_view file, std::uint32_t offset,
                                     std::uint32_t start, std::uint32_t length) {
    const std::size_t begin = bytes_.size();
    append_le(bytes_, command_add_checksum);
    put_file(file);
    append_le(bytes_, offset);
    append_le(bytes_, start);
    append_le(bytes_, length);
    end_command(begin);
}

} // namespace coldstart
