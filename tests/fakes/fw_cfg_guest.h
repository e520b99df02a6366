// Firmware's side of fw_cfg for tests: by the data port, by DMA, and through the directory.
#pragma once

#include "devices/core/device.h"
#include "vmm/base/bytes.h"
#include "vmm/base/gpa.h"
#include "vmm/base/guest_memory.h"

#include <array>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace coldstart::fakes {

class FwCfgGuest {
  public:
    struct File {
        std::string name;
        std::uint32_t size = 0;
        std::uint16_t key = 0;
    };

    /// Uses guest memory from `scratch` on.
    FwCfgGuest(Device& device, const GuestMemory& memory, Gpa scratch = Gpa(0x1000))
        : device_(device), memory_(memory), descriptor_(scratch), buffer_(scratch + 0x100) {}

    void select(std::uint16_t key) { device_.write(0, 0, 2, key); }

    /// Through the data port, from the current offset on.
    std::vector<std::byte> read_port(std::size_t count) {
        std::vector<std::byte> bytes;
        while (bytes.size() < count)
            bytes.push_back(static_cast<std::byte>(device_.read(0, 1, 1)));
        return bytes;
    }

    /// The control word as the device left it.
    std::uint32_t dma(std::uint32_t control, std::uint32_t length, std::uint64_t address) {
        memory_.store(descriptor_, __builtin_bswap32(control));
        memory_.store(descriptor_ + 4, __builtin_bswap32(length));
        memory_.store(descriptor_ + 8, __builtin_bswap64(address));
        device_.write(1, 0, 4,
                      __builtin_bswap32(static_cast<std::uint32_t>(descriptor_.value >> 32)));
        device_.write(1, 4, 4, __builtin_bswap32(static_cast<std::uint32_t>(descriptor_.value)));
        return __builtin_bswap32(memory_.load<std::uint32_t>(descriptor_).value());
    }

    std::vector<std::byte> read(std::uint16_t key, std::uint32_t size) {
        if (dma(0x0a | std::uint32_t{key} << 16, size, buffer_.value) != 0)
            throw std::runtime_error("fake firmware: a transfer failed");
        const auto bytes = memory_.range(buffer_, size);
        return {bytes.begin(), bytes.end()};
    }
    template <typename T>
    T number(std::uint16_t key) {
        return load_le<T>(read(key, sizeof(T)));
    }

    std::vector<File> directory() {
        const std::uint32_t count = __builtin_bswap32(number<std::uint32_t>(0x19));
        const auto bytes = read(0x19, 4 + 64 * count);
        std::vector<File> files;
        for (std::uint32_t i = 0; i < count; ++i) {
            const auto entry = std::span(bytes).subspan(4 + 64 * i, 64);
            files.push_back({.name = reinterpret_cast<const char*>(entry.data() + 8),
                             .size = __builtin_bswap32(load_le<std::uint32_t>(entry)),
                             .key = __builtin_bswap16(load_le<std::uint16_t>(entry, 4))});
        }
        return files;
    }
    /// The whole file; throws when there is none of this name.
    std::vector<std::byte> file(const std::string& name) {
        for (const File& found : directory()) {
            if (found.name == name)
                return read(found.key, found.size);
        }
        throw std::runtime_error("fake firmware: no file " + name);
    }
    bool has_file(const std::string& name) {
        for (const File& found : directory()) {
            if (found.name == name)
                return true;
        }
        return false;
    }

    Gpa descriptor() const { return descriptor_; }
    Gpa buffer() const { return buffer_; }

  private:
    Device& device_;
    const GuestMemory& memory_;
    Gpa descriptor_, buffer_;
};

} // namespace coldstart::fakes
