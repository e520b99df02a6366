#include "api/json/metadata_store.h"

#include "vmm/base/text.h"

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>
#include <vector>

namespace coldstart {

using Json = nlohmann::json;

struct MetadataStore::Document {
    Json value;
    std::string text; ///< without white space
};

namespace {

// Deep nesting would exhaust the stack of whoever copies or writes the document.
Json parse(std::string_view text) {
    bool too_deep = false;
    const auto watch_depth = [&too_deep](int depth, Json::parse_event_t event, const Json&) {
        const bool opens =
            event == Json::parse_event_t::object_start || event == Json::parse_event_t::array_start;
        too_deep = too_deep || (opens && depth >= static_cast<int>(MetadataStore::max_depth));
        return !too_deep;
    };
    // Which the parser would pass over.
    if (text.starts_with("\xef\xbb\xbf") || text.find('\0') != std::string_view::npos)
        throw Error("metadata: not valid JSON: a byte order mark or a NUL",
                    "send one JSON document");
    try {
        Json value = Json::parse(text.begin(), text.end(), watch_depth);
        if (!too_deep)
            return value;
    } catch (const Json::exception& error) {
        throw Error(cat("metadata: not valid JSON: ", printable(error.what(), 200)),
                    "send one JSON document");
    }
    throw Error(
        cat("metadata: objects and arrays are nested deeper than ", MetadataStore::max_depth),
        "flatten the document");
}

/// The place of a path part in an array: "0", "1", "12", and no other spelling.
std::optional<std::size_t> array_index(std::string_view part) {
    const bool is_number =
        !part.empty() && part.size() <= 9 &&
        std::all_of(part.begin(), part.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (!is_number || (part.size() > 1 && part[0] == '0'))
        return std::nullopt;
    return static_cast<std::size_t>(*parse_decimal(part));
}

/// "~1" and "~0" of a pointer are "/" and "~" of a key.
std::string unescaped(std::string_view part) {
    std::string key;
    for (std::size_t i = 0; i < part.size(); ++i) {
        const char next = i + 1 < part.size() ? part[i + 1] : '\0';
        const bool is_escape = part[i] == '~' && (next == '0' || next == '1');
        key += is_escape ? (next == '0' ? '~' : '/') : part[i];
        i += is_escape ? 1 : 0;
    }
    return key;
}

const Json* child(const Json& parent, std::string_view part) {
    if (parent.is_object()) {
        const auto found = parent.find(unescaped(part));
        return found == parent.end() ? nullptr : &*found;
    }
    const auto index = parent.is_array() ? array_index(part) : std::nullopt;
    return index && *index < parent.size() ? &parent[*index] : nullptr;
}

/// Slashes in a row count as one, and one at the end as none.
const Json* find(const Json& document, std::string_view path) {
    const Json* value = &document;
    while (!path.empty() && value != nullptr) {
        const std::size_t end = std::min(path.find('/'), path.size());
        if (end != 0)
            value = child(*value, path.substr(0, end));
        path.remove_prefix(std::min(end + 1, path.size()));
    }
    return value;
}

std::optional<std::string> as_text(const Json& value) {
    if (value.is_string())
        return value.get<std::string>();
    if (!value.is_object())
        return std::nullopt;
    std::string lines;
    for (const auto& [key, member] : value.items()) {
        if (&member != &*value.begin())
            lines += '\n';
        lines += key;
        if (member.is_object())
            lines += '/';
    }
    return lines;
}

std::string as_json(const Json& value) {
    // Text of the parser is valid UTF-8; `replace` keeps dump() from throwing all the same.
    return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

} // namespace

MetadataStore::MetadataStore(std::size_t limit_bytes) : limit_bytes_(limit_bytes) {}

MetadataStore::~MetadataStore() = default;

MetadataStore::DocumentPointer MetadataStore::current() const {
    const std::lock_guard guard(mutex_);
    return document_;
}

void MetadataStore::replace(DocumentPointer next) {
    const std::size_t limit = limit_bytes_;
    if (next->text.size() > limit)
        throw MetadataTooLarge(
            cat("metadata: ", next->text.size(), " bytes of JSON, the store takes ", limit),
            "send less, or raise the limit");
    const std::lock_guard guard(mutex_);
    document_.swap(next); // the old one ends after the lock
}

void MetadataStore::put(std::string_view json_text) {
    const std::lock_guard one(writer_);
    auto next = std::make_shared<Document>();
    next->value = parse(json_text);
    next->text = as_json(next->value);
    replace(std::move(next));
}

void MetadataStore::patch(std::string_view json_text) {
    const std::lock_guard one(writer_);
    const DocumentPointer before = current();
    if (before == nullptr)
        throw Error("The MMDS data store is not initialized", "put a document first");
    auto next = std::make_shared<Document>();
    next->value = before->value;
    next->value.merge_patch(parse(json_text));
    next->text = as_json(next->value);
    replace(std::move(next));
}

std::string MetadataStore::json() const {
    const DocumentPointer document = current();
    return document == nullptr || document->value.is_null() ? "{}" : document->text;
}

MetadataAnswer MetadataStore::lookup(std::string_view path, bool wants_json) const {
    static const Json nothing;
    const DocumentPointer document = current();
    const Json* const value = find(document == nullptr ? nothing : document->value, path);
    if (value == nullptr)
        return {};
    if (wants_json)
        return {MetadataStatus::found, as_json(*value), true};
    if (auto text = as_text(*value))
        return {MetadataStatus::found, std::move(*text), false};
    return {MetadataStatus::not_supported, {}, false};
}

void put_metadata_file(MetadataStore& store, const std::string& path) {
    constexpr std::size_t max_file_bytes = std::size_t{16} << 20;
    std::ifstream file(path, std::ios::binary);
    if (!file)
        throw system_error(cat("metadata file ", printable(path)), errno);
    std::vector<char> bytes(max_file_bytes + 1);
    file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    const auto size = static_cast<std::size_t>(file.gcount());
    if (size == bytes.size())
        throw MetadataTooLarge(
            cat("metadata file ", printable(path), ": it is over ", max_file_bytes >> 20, " MiB"));
    try {
        store.put({bytes.data(), size});
    } catch (const Error& error) {
        throw Error(cat(printable(path), ": ", error.what()));
    }
}

} // namespace coldstart
