#include "vmm/base/state_io.h"

#include "vmm/base/error.h"
#include "vmm/base/text.h"

namespace coldstart {

void StateWriter::begin(std::string_view name, std::uint16_t version) {
    put_bytes(std::as_bytes(std::span(name)));
    put(version);
}

void StateWriter::put_bytes(ByteView bytes) {
    put(static_cast<std::uint32_t>(bytes.size()));
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
}

std::uint16_t StateReader::begin(std::string_view name, std::uint16_t newest_version) {
    const std::vector<std::byte> stored = get_bytes();
    const std::string_view stored_name(reinterpret_cast<const char*>(stored.data()), stored.size());
    if (stored_name != name)
        throw Error(cat("saved state: expected section ", name, ", found ", printable(stored_name)),
                    "the file is damaged or comes from another configuration");
    std::uint16_t version = 0;
    get(version);
    if (version == 0 || version > newest_version)
        throw Error(cat("saved state: section ", name, " has version ", version,
                        ", this monitor knows up to ", newest_version),
                    "restore it with the release that wrote it, or a newer one");
    return version;
}

std::vector<std::byte> StateReader::get_bytes() {
    const auto size_bytes = take<std::uint32_t>();
    need(size_bytes);
    std::vector<std::byte> bytes(rest_.begin(), rest_.begin() + size_bytes);
    rest_ = rest_.subspan(size_bytes);
    return bytes;
}

void StateReader::need(std::size_t size_bytes) const {
    if (rest_.size() < size_bytes)
        throw Error("saved state: ends too early", "the file is truncated");
}

} // namespace coldstart
