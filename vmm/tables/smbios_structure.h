// One SMBIOS structure under construction: a formatted area, then its strings, counted from 1.
// Source: DSP0134 2.8, section 6.1.
#pragma once

#include "vmm/base/bytes.h"

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace coldstart {

class SmbiosStructure {
  public:
    SmbiosStructure(std::uint8_t type, std::uint16_t handle) {
        put(type);
        put(std::uint8_t{0}); // the length, known at the end
        put(handle);
    }

    template <std::integral T>
    SmbiosStructure& put(T value) {
        append_le(formatted_, value);
        return *this;
    }
    SmbiosStructure& byte(std::uint8_t value) { return put(value); }
    SmbiosStructure& word(std::uint16_t value) { return put(value); }
    SmbiosStructure& dword(std::uint32_t value) { return put(value); }
    SmbiosStructure& qword(std::uint64_t value) { return put(value); }
    SmbiosStructure& bytes(ByteView values) {
        formatted_.insert(formatted_.end(), values.begin(), values.end());
        return *this;
    }
    /// The number of a string; 0, "not there", for an empty one.
    SmbiosStructure& text(std::string_view value) {
        if (value.empty())
            return byte(0);
        const auto chars = std::as_bytes(std::span(value));
        strings_.insert(strings_.end(), chars.begin(), chars.end());
        strings_.push_back(std::byte{0});
        return byte(++string_count_);
    }

    /// The whole structure with the zeros that end it.
    std::vector<std::byte> finish() const {
        std::vector<std::byte> out = formatted_;
        out[1] = static_cast<std::byte>(formatted_.size());
        out.insert(out.end(), strings_.begin(), strings_.end());
        out.resize(out.size() + (strings_.empty() ? 2 : 1)); // a set of no strings is two zeros
        return out;
    }

  private:
    std::vector<std::byte> formatted_;
    std::vector<std::byte> strings_;
    std::uint8_t string_count_ = 0;
};

} // namespace coldstart
