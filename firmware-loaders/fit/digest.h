// The check sums a FIT image may carry.
#pragma once

#include "vmm/base/bytes.h"

#include <optional>
#include <string_view>
#include <vector>

namespace coldstart {

/// The digest of `data` as a FIT stores it (crc32 big-endian); nothing for an unknown algorithm.
/// crc32, md5, sha1, sha256, sha384, sha512.
std::optional<std::vector<std::byte>> digest(std::string_view algorithm, ByteView data);

} // namespace coldstart
