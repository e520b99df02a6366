#include "firmware-loaders/fit/digest.h"

#include <algorithm>
#include <array>

#include <md5.h>
#include <sha1.h>
#include <sha2.h>
#include <stdint.h>
#include <zlib.h>

namespace coldstart {
namespace {

/// libmd's three functions of one algorithm, called in order.
template <std::size_t Size, typename Context, typename Init, typename Update, typename Final>
std::vector<std::byte> run(ByteView data, Context context, Init init, Update update, Final final) {
    init(&context);
    update(&context, reinterpret_cast<const std::uint8_t*>(data.data()), data.size());
    std::array<std::uint8_t, Size> value{};
    final(value.data(), &context);
    const auto bytes = std::as_bytes(std::span(value));
    return {bytes.begin(), bytes.end()};
}

std::vector<std::byte> crc32_big_endian(ByteView data) {
    const uLong crc = ::crc32_z(0, reinterpret_cast<const Bytef*>(data.data()), data.size());
    std::vector<std::byte> value;
    for (int shift = 24; shift >= 0; shift -= 8)
        value.push_back(static_cast<std::byte>((crc >> shift) & 0xff));
    return value;
}

} // namespace

std::optional<std::vector<std::byte>> digest(std::string_view algorithm, ByteView data) {
    if (algorithm == "crc32")
        return crc32_big_endian(data);
    if (algorithm == "md5")
        return run<MD5_DIGEST_LENGTH>(data, MD5_CTX{}, MD5Init, MD5Update, MD5Final);
    if (algorithm == "sha1")
        return run<SHA1_DIGEST_LENGTH>(data, SHA1_CTX{}, SHA1Init, SHA1Update, SHA1Final);
    if (algorithm == "sha256")
        return run<SHA256_DIGEST_LENGTH>(data, SHA2_CTX{}, SHA256Init, SHA256Update, SHA256Final);
    if (algorithm == "sha384")
        return run<SHA384_DIGEST_LENGTH>(data, SHA2_CTX{}, SHA384Init, SHA384Update, SHA384Final);
    if (algorithm == "sha512")
        return run<SHA512_DIGEST_LENGTH>(data, SHA2_CTX{}, SHA512Init, SHA512Update, SHA512Final);
    return std::nullopt;
}

} // namespace coldstart
