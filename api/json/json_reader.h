// JSON as requests and configuration files have it, read strictly: RFC 8259 text in UTF-8, no name
// twice in an object, nothing nested too deep, nothing unknown passed over.
// Threads: any; nothing is shared.
#pragma once

#include "vmm/base/error.h"

#include <cstdint>
#include <initializer_list>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace coldstart {

using Json = nlohmann::ordered_json;

inline constexpr unsigned max_json_depth = 127;

/// Throws Error saying what is wrong and where.
Json parse_json(std::string_view text);

/// The members of one object, each asked for by name; `done` refuses those nobody asked for. A
/// member that is null counts as absent. Every function throws Error naming the member.
class Members {
  public:
    /// `what` names the object in messages: "machine-config". Throws when `value` is no object.
    Members(const Json& value, std::string what);

    /// Without a NUL in it.
    std::optional<std::string> text(std::string_view name);
    std::string required_text(std::string_view name);
    std::optional<bool> boolean(std::string_view name);
    bool required_boolean(std::string_view name);
    /// A whole number within the limits, not one written with a fraction or an exponent.
    std::optional<std::uint64_t> integer(std::string_view name, std::uint64_t max,
                                         std::uint64_t min = 0);
    std::uint64_t required_integer(std::string_view name, std::uint64_t max, std::uint64_t min = 0);
    /// One of `words`; its value.
    template <typename Value>
    std::optional<Value> word(std::string_view name,
                              std::initializer_list<std::pair<std::string_view, Value>> words) {
        const auto given = text(name);
        if (!given)
            return std::nullopt;
        std::string known;
        for (const auto& [spelling, value] : words) {
            if (spelling == *given)
                return value;
            known.append(known.empty() ? "" : ", ").append(spelling);
        }
        refuse_word(name, *given, known);
    }
    /// The member as it is, nullptr when it is absent.
    const Json* value(std::string_view name);
    const Json& required_value(std::string_view name);

    /// Whether the member is there and not null.
    bool has(std::string_view name) const;
    void done() const;

    const std::string& what() const noexcept { return what_; }
    [[noreturn]] void refuse(std::string_view name, std::string_view why) const;

  private:
    [[noreturn]] void refuse_word(std::string_view name, std::string_view given,
                                  std::string_view known) const;
    [[noreturn]] void refuse_missing(std::string_view name) const;

    const Json& value_;
    std::string what_;
    std::vector<std::string_view> taken_;
};

} // namespace coldstart
