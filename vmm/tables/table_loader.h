// The script "etc/table-loader": how firmware gets tables from fw_cfg into memory of its choice.
//
// A row of commands, each of 128 bytes: the command's number, then names of files (56 bytes, with
// a terminating zero) and little-endian numbers, packed. Firmware runs them in order; SeaBIOS
// skips numbers it does not know, as OVMF does, so that zeros at the end do no harm.
//
//   ALLOCATE      loads a file to memory: below 4 GiB, or in the segment at 0xF0000
//   ADD_POINTER   adds a file's address to the pointer at an offset of another file
//   ADD_CHECKSUM  makes the sum of some bytes of a file zero by the byte at an offset, which is 0
//                 before (SeaBIOS subtracts the sum from it, OVMF replaces it)
//
// Source: QEMU's docs and hw/acpi/bios-linker-loader.c for the format. OVMF (AcpiPlatformLib) wants
// more: it installs what ADD_POINTER commands point to, if it looks like a table with a good
// checksum, and only that.
// Missing: WRITE_POINTER.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace coldstart {

class TableLoaderScript {
  public:
    static constexpr std::size_t command_bytes = 128;
    static constexpr std::size_t file_name_bytes = 56;

    enum class Zone : std::uint8_t { high = 1, f_segment = 2 };

    void allocate(std::string_view file, std::uint32_t alignment, Zone zone);
    /// The pointer of `size_bytes` at `offset` of `in_file` holds an offset in `to_file`.
    void add_pointer(std::string_view in_file, std::string_view to_file, std::uint32_t offset,
                     std::uint8_t size_bytes);
    void add_checksum(std::string_view file, std::uint32_t offset, std::uint32_t start,
                      std::uint32_t length);

    const std::vector<std::byte>& bytes() const noexcept { return bytes_; }

  private:
    void put_file(std::string_view name);
    void end_command(std::size_t begin);

    std::vector<std::byte> bytes_;
};

} // namespace coldstart
