// Saved device state: a flat little-endian byte string, written and read field by field.
//
// A device keeps what it saves in one plain struct with a version and passes every field by
// structured binding (`auto& [a, b] = state_;`), so that a forgotten field does not compile.
// Reading never trusts its input: any shortage or surplus throws Error.
#pragma once

#include "vmm/base/bytes.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace coldstart {

class StateWriter {
  public:
    /// Opens a section: its name and version lead the fields that follow.
    void begin(std::string_view name, std::uint16_t version);

    template <typename T>
    requires(std::is_integral_v<T> || std::is_enum_v<T>) void put(T value) {
        if constexpr (std::is_same_v<T, bool>)
            append_le<std::uint8_t>(bytes_, value ? 1 : 0);
        else if constexpr (std::is_enum_v<T>)
            append_le(bytes_, static_cast<std::underlying_type_t<T>>(value));
        else
            append_le(bytes_, value);
    }

    template <typename T, std::size_t N>
    void put(const std::array<T, N>& values) {
        for (const T& value : values)
            put(value);
    }

    void put_bytes(ByteView bytes); ///< length-prefixed, up to 4 GiB

    /// Every argument in order.
    template <typename... Fields>
    void fields(const Fields&... values) {
        (put(values), ...);
    }

    const std::vector<std::byte>& bytes() const noexcept { return bytes_; }

  private:
    std::vector<std::byte> bytes_;
};

class StateReader {
  public:
    explicit StateReader(ByteView bytes) noexcept : rest_(bytes) {}

    /// Expects a section of this name; throws Error unless its version is 1..newest. Returns it.
    std::uint16_t begin(std::string_view name, std::uint16_t newest_version);

    template <typename T>
    requires(std::is_integral_v<T> || std::is_enum_v<T>) void get(T& value) {
        if constexpr (std::is_same_v<T, bool>)
            value = take<std::uint8_t>() != 0;
        else if constexpr (std::is_enum_v<T>)
            value = static_cast<T>(take<std::underlying_type_t<T>>());
        else
            value = take<T>();
    }

    template <typename T, std::size_t N>
    void get(std::array<T, N>& values) {
        for (T& value : values)
            get(value);
    }

    std::vector<std::byte> get_bytes();

    template <typename... Fields>
    void fields(Fields&... values) {
        (get(values), ...);
    }

    bool at_end() const noexcept { return rest_.empty(); }

  private:
    template <typename T>
    T take() {
        need(sizeof(T));
        const T value = load_le<T>(rest_);
        rest_ = rest_.subspan(sizeof(T));
        return value;
    }
    void need(std::size_t size_bytes) const;

    ByteView rest_;
};

} // namespace coldstart
