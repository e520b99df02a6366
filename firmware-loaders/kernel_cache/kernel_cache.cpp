#include "firmware-loaders/kernel_cache/kernel_cache.h"

#include "firmware-loaders/fit/digest.h"
#include "firmware-loaders/kernel_cache/cache_folder.h"
#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <system_error>
#include <utility>
#include <vector>

#include <sys/stat.h>

namespace coldstart {
namespace {

/// File systems tell times in steps, of a timer tick mostly; those without nanoseconds, of two
/// seconds at most (FAT). A file is settled when a change from now on would show in its times.
constexpr std::int64_t step_ns = 100'000'000;
constexpr std::int64_t coarse_step_ns = 2'500'000'000;

constexpr std::string_view kernel_prefix = "kernel-";
constexpr std::string_view link_prefix = "file-";

std::string sha256_hex(ByteView bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string hex_text;
    const std::vector<std::byte> value = digest("sha256", bytes).value();
    for (const std::byte byte : value) {
        hex_text += digits[std::to_integer<std::size_t>(byte >> 4)];
        hex_text += digits[std::to_integer<std::size_t>(byte & std::byte{15})];
    }
    return hex_text;
}

std::int64_t to_ns(const timespec& time) noexcept {
    return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

bool settled(const struct stat& status) noexcept {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    const bool coarse = status.st_mtim.tv_nsec == 0 && status.st_ctim.tv_nsec == 0;
    const std::int64_t changed = std::max(to_ns(status.st_mtim), to_ns(status.st_ctim));
    return to_ns(now) - changed > (coarse ? coarse_step_ns : step_ns);
}

struct Identity {
    std::string link;
    bool settled = false;
};

/// The name under which this part of this file is known; nothing for what is in no file.
std::optional<Identity> identify(const ImageBytes& image) {
    const auto place = image.file_place();
    struct stat status {};
    if (!place || ::fstat(place->fd, &status) != 0)
        return std::nullopt;
    const std::string text = cat("1 ", status.st_dev, " ", status.st_ino, " ", status.st_size, " ",
                                 to_ns(status.st_mtim), " ", to_ns(status.st_ctim), " ",
                                 place->offset, " ", image.size_bytes());
    return Identity{cat(link_prefix, sha256_hex(std::as_bytes(std::span(text)))), settled(status)};
}

/// The size that a kernel's name ends in.
std::optional<std::uint64_t> size_in(const std::string& name) noexcept {
    const std::size_t dash = name.rfind('-');
    std::uint64_t size = 0;
    if (!name.starts_with(kernel_prefix) || dash == std::string::npos)
        return std::nullopt;
    const char* const end = name.data() + name.size();
    const auto [stop, error] = std::from_chars(name.data() + dash + 1, end, size);
    return error == std::errc() && stop == end && size != 0 ? std::optional(size) : std::nullopt;
}

void keep_on_disk(const std::string& folder_path, std::uint64_t limit_bytes,
                  const std::string& link, const ImageBytes& kernel) {
    const CacheFolder folder(folder_path, true);
    const std::string name =
        cat(kernel_prefix, link.substr(link_prefix.size()), "-", kernel.size_bytes());
    folder.write(name, kernel.view());
    folder.write_link(link, name);
    folder.trim(limit_bytes);
}

} // namespace

KernelCache::KernelCache(std::string folder, std::uint64_t limit_bytes, LogLevel complaints)
    : folder_(std::move(folder)), limit_bytes_(limit_bytes), complaints_(complaints) {}

KernelCache::~KernelCache() {
    wait();
}

std::optional<std::string> KernelCache::default_folder() {
    // XDG Base Directory Specification: a path that is not absolute is to be ignored.
    const char* const cache_home = std::getenv("XDG_CACHE_HOME");
    if (cache_home != nullptr && cache_home[0] == '/')
        return cat(cache_home, "/coldstart/kernels");
    const char* const home = std::getenv("HOME");
    if (home != nullptr && home[0] == '/')
        return cat(home, "/.cache/coldstart/kernels");
    return std::nullopt;
}

std::optional<ImageBytes> KernelCache::find(const ImageBytes& image, bool create_folder) const {
    const auto identity = identify(image);
    if (!identity)
        return std::nullopt;
    try {
        const CacheFolder folder(folder_, create_folder);
        const auto name = folder.read_link(identity->link);
        const auto size_bytes = name ? size_in(*name) : std::nullopt;
        if (!size_bytes)
            return std::nullopt;
        UniqueFd file = folder.open(*name, *size_bytes);
        if (!file)
            return std::nullopt;
        return ImageBytes::of_file(image.name(), std::move(file), *size_bytes);
    } catch (const Error& error) {
        log_debug(error.what()); // keep() finds the same
        return std::nullopt;
    }
}

bool KernelCache::holds(const ImageBytes& image) const {
    return find(image, false).has_value();
}

KernelCache::Kernel KernelCache::unpacked(const ImageBytes& image, const ImageBytes& payload,
                                          const Unpack& unpack, const Check& check) {
    if (auto kept = find(image, true)) {
        try {
            check(*kept);
            return {*std::move(kept), true};
        } catch (const Error& error) {
            log_debug(cat("kernel cache ", folder_, ": ", error.what(), " (unpacked again)"));
        }
    }
    const auto before = identify(image);
    Kernel kernel{unpack(payload.in_host_memory()), false};
    check(kernel.bytes);
    const auto after = identify(image);
    // Not of what is in no file, or in one that changes: it would not be found again, or wrongly.
    if (before && after && after->settled && before->link == after->link)
        keep(after->link, kernel.bytes);
    return kernel;
}

void KernelCache::keep(std::string link, ImageBytes kernel) {
    wait();
    auto work = [folder = folder_, limit = limit_bytes_, complaints = complaints_,
                 link = std::move(link), kernel = std::move(kernel)] {
        try {
            keep_on_disk(folder, limit, link, kernel);
        } catch (const std::exception& error) {
            log_line(complaints, cat(error.what(), " (the unpacked kernel is not kept)"));
        }
    };
    try {
        keeper_ = std::thread(std::move(work));
    } catch (const std::system_error& error) {
        log_line(complaints_, cat("the unpacked kernel is not kept: ", error.what()));
    }
}

void KernelCache::wait() noexcept {
    if (keeper_.joinable())
        keeper_.join();
}

} // namespace coldstart
