#include "devices/vga/page_memory.h"

#include "vmm/base/error.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>

#include <sys/mman.h>

namespace coldstart::vga {
namespace {

constexpr std::size_t page_bytes = 4096;
constexpr std::uint32_t end_of_runs = std::numeric_limits<std::uint32_t>::max();

/// Zeroes between two bytes that are worth a run of their own.
constexpr std::size_t min_gap_bytes = 16;

bool all_zero(ByteView bytes) noexcept {
    static constexpr std::byte zeroes[page_bytes] = {};
    return std::memcmp(bytes.data(), zeroes, bytes.size()) == 0;
}

void save_page(StateWriter& writer, ByteView page, std::size_t base) {
    std::size_t at = 0;
    while (at < page.size()) {
        if (page[at] == std::byte{0}) {
            ++at;
            continue;
        }
        std::size_t end = at + 1;
        for (std::size_t i = end; i < page.size() && i < end + min_gap_bytes; ++i) {
            if (page[i] != std::byte{0})
                end = i + 1;
        }
        writer.put(static_cast<std::uint32_t>(base + at));
        writer.put_bytes(page.subspan(at, end - at));
        at = end;
    }
}

} // namespace

PageMemory::PageMemory(std::size_t size_bytes) {
    const std::size_t whole = (size_bytes + page_bytes - 1) / page_bytes * page_bytes;
    void* const mapping = ::mmap(nullptr, whole, PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapping == MAP_FAILED)
        throw system_error("vga: memory for the adapter", errno);
    bytes_ = {static_cast<std::byte*>(mapping), whole};
}

PageMemory::~PageMemory() {
    ::munmap(bytes_.data(), bytes_.size());
}

void PageMemory::clear() noexcept {
    if (::madvise(bytes_.data(), bytes_.size(), MADV_DONTNEED) != 0)
        std::memset(bytes_.data(), 0, bytes_.size());
}

void PageMemory::save(StateWriter& writer) const {
    for (std::size_t base = 0; base < bytes_.size(); base += page_bytes) {
        const ByteView page = bytes_.subspan(base, page_bytes);
        if (!all_zero(page))
            save_page(writer, page, base);
    }
    writer.put(end_of_runs);
}

std::vector<Run> PageMemory::read_runs(StateReader& reader) const {
    std::vector<Run> runs;
    for (;;) {
        std::uint32_t offset = 0;
        reader.get(offset);
        if (offset == end_of_runs)
            return runs;
        runs.push_back({offset, reader.get_bytes()});
        if (!range_inside(offset, runs.back().bytes.size(), bytes_.size()))
            throw Error("saved state of a vga: its memory does not fit");
    }
}

void PageMemory::set(const std::vector<Run>& runs) noexcept {
    clear();
    for (const Run& run : runs)
        std::copy(run.bytes.begin(), run.bytes.end(), bytes_.begin() + run.offset);
}

} // namespace coldstart::vga
