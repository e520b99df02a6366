#include "devices/flash/cfi_flash.h"

#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include <sys/mman.h>

namespace coldstart {

using namespace flash;

struct CfiFlash::Pages {
    explicit Pages(std::size_t size_bytes) : size(size_bytes) {
        void* const mapped =
            ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (mapped == MAP_FAILED)
            throw system_error("memory for a flash", errno);
        base = static_cast<std::byte*>(mapped);
    }
    Pages(const Pages&) = delete;
    Pages& operator=(const Pages&) = delete;
    ~Pages() { ::munmap(base, size); }

    std::byte* base = nullptr;
    std::size_t size;
};

/// Outlives the device as long as a flush is on its way.
struct CfiFlash::Flusher {
    void run(FlashStore& store) noexcept {
        queued = false; // what is written from here on wants a flush of its own
        if (const int error = store.flush(); error != 0 && log_limiter.allow())
            log_warn(cat("flash file ", store.name(),
                         ": can't be flushed: ", std::generic_category().message(error)));
        --in_flight;
    }

    std::atomic<bool> queued = false;
    std::atomic<unsigned> in_flight = 0;
    LogLimiter log_limiter{4};
};

CfiFlash::CfiFlash(std::shared_ptr<FlashStore> store, RegionPlacer& placer, Reactor& reactor,
                   const SystemManagement* smm)
    : store_(std::move(store)), placer_(placer), reactor_(reactor), smm_(smm),
      query_(make_query_table(store_->size_bytes())), flusher_(std::make_shared<Flusher>()) {
    const std::uint64_t size = store_->size_bytes();
    require_flash_size(store_->name(), size);
    pages_ = std::make_unique<Pages>(size);
    store_->load(contents());
    shape_ = {.name = "array",
              .bus = BusKind::mmio,
              .size_bytes = size,
              .memory = pages_->base,
              .memory_access = MemoryAccess::read_only};
    state_.locked.resize(size / block_bytes);
    stale_.resize(size / block_bytes);
}

CfiFlash::~CfiFlash() = default;

std::span<std::byte> CfiFlash::contents() const noexcept {
    return {pages_->base, pages_->size};
}

std::span<std::byte> CfiFlash::block_contents(std::uint64_t block) const noexcept {
    return contents().subspan(block * block_bytes, block_bytes);
}

std::uint64_t CfiFlash::read(unsigned, std::uint64_t offset, unsigned width) noexcept {
    const std::lock_guard guard(lock_);
    return read_as(is_protected() ? Mode::array : state_.mode, offset, width);
}

std::uint64_t CfiFlash::read_in_smm(unsigned, std::uint64_t offset, unsigned width) noexcept {
    const std::lock_guard guard(lock_);
    return read_as(state_.mode, offset, width);
}

std::uint64_t CfiFlash::read_as(Mode mode, std::uint64_t offset, unsigned width) const noexcept {
    std::uint64_t value = 0;
    for (unsigned i = 0; i < width; ++i)
        value |= std::uint64_t{read_byte(offset + i, mode)} << (i * 8);
    return value;
}

std::uint8_t CfiFlash::read_byte(std::uint64_t offset, Mode mode) const noexcept {
    switch (mode) {
    case Mode::status:
        return state_.status;
    case Mode::query:
        return offset % block_bytes < query_bytes ? query_[offset % block_bytes] : 0;
    case Mode::id:
        if (offset == id_manufacturer)
            return manufacturer_intel;
        if (offset == id_device)
            return device_code;
        return offset % block_bytes == id_block_lock && is_locked(offset / block_bytes) ? 1 : 0;
    case Mode::array:
        break;
    }
    return static_cast<std::uint8_t>(contents()[offset]);
}

void CfiFlash::write(unsigned region, std::uint64_t offset, unsigned width,
                     std::uint64_t value) noexcept {
    if (!is_protected())
        write_in_smm(region, offset, width, value);
}

void CfiFlash::write_in_smm(unsigned, std::uint64_t offset, unsigned width,
                            std::uint64_t value) noexcept {
    bool flush = false;
    {
        const std::lock_guard guard(lock_);
        cycle(offset, width, value);
        sync();
        flush = state_.mode == Mode::array && std::exchange(unflushed_, false);
    }
    if (flush)
        flush_later();
}

void CfiFlash::cycle(std::uint64_t offset, unsigned width, std::uint64_t value) noexcept {
    const auto code = static_cast<std::uint8_t>(value);
    switch (state_.cycle) {
    case Cycle::command:
        command(code);
        break;
    case Cycle::program_data:
        program_data(offset, width, value);
        break;
    case Cycle::erase_confirm:
        if (code == confirm)
            finish(erase(offset));
        else
            sequence_error();
        break;
    case Cycle::lock_confirm:
        lock_block(offset, code);
        break;
    case Cycle::buffer_count:
        state_.buffer_left = code;
        state_.buffer.fill(0xff);
        state_.cycle = Cycle::buffer_first;
        break;
    case Cycle::buffer_first:
        state_.buffer_base = static_cast<std::uint32_t>(offset - offset % buffer_bytes);
        buffer_data(offset, width, value);
        break;
    case Cycle::buffer_next:
        buffer_data(offset, width, value);
        break;
    case Cycle::buffer_confirm:
        if (code == confirm)
            finish(program(state_.buffer_base, std::as_bytes(std::span(state_.buffer))));
        else
            sequence_error();
        break;
    }
}

void CfiFlash::command(std::uint8_t code) noexcept {
    state_.mode = Mode::status;
    switch (code) {
    case cmd_program:
    case cmd_program_alternate:
        state_.cycle = Cycle::program_data;
        break;
    case cmd_erase_block:
        state_.cycle = Cycle::erase_confirm;
        break;
    case cmd_lock_setup:
        state_.cycle = Cycle::lock_confirm;
        break;
    case cmd_buffered_program:
        state_.cycle = Cycle::buffer_count;
        state_.status |= status_ready; // the buffer is free
        break;
    case cmd_read_status:
        break;
    case cmd_read_id:
        state_.mode = Mode::id;
        break;
    case cmd_query:
        state_.mode = Mode::query;
        break;
    case cmd_clear_status:
        state_.status = 0;
        state_.mode = Mode::array;
        break;
    default:
        state_.mode = Mode::array;
        break;
    }
}

void CfiFlash::program_data(std::uint64_t offset, unsigned width, std::uint64_t value) noexcept {
    std::array<std::byte, 8> bytes{};
    store_le(bytes, 0, value);
    finish(program(offset, ByteView(bytes).first(width)));
}

void CfiFlash::buffer_data(std::uint64_t offset, unsigned width, std::uint64_t value) noexcept {
    const std::uint64_t at = offset - state_.buffer_base;
    if (offset < state_.buffer_base || !range_inside(at, width, buffer_bytes)) {
        sequence_error();
        return;
    }
    for (unsigned i = 0; i < width; ++i)
        state_.buffer[at + i] = static_cast<std::uint8_t>(value >> (i * 8));
    state_.cycle = state_.buffer_left == 0 ? Cycle::buffer_confirm : Cycle::buffer_next;
    if (state_.buffer_left != 0)
        --state_.buffer_left;
}

void CfiFlash::lock_block(std::uint64_t offset, std::uint8_t code) noexcept {
    if (code != confirm && code != confirm_lock) {
        sequence_error();
        return;
    }
    state_.locked[offset / block_bytes] = code == confirm_lock ? 1 : 0;
    finish(0);
}

void CfiFlash::sequence_error() noexcept {
    finish(status_sequence_error);
}

void CfiFlash::finish(std::uint8_t error_bits) noexcept {
    state_.cycle = Cycle::command;
    state_.status = static_cast<std::uint8_t>(state_.status | status_ready | error_bits);
}

void CfiFlash::sync() noexcept {
    const bool wanted = state_.mode == Mode::array;
    if (std::exchange(shown_, wanted) != wanted)
        placer_.show_memory(*this, 0, wanted);
}

void CfiFlash::flush_later() {
    if (flusher_->queued.exchange(true))
        return;
    ++flusher_->in_flight;
    reactor_.post([flusher = flusher_, store = store_] { flusher->run(*store); });
}

void CfiFlash::pause() {
    bool flush = false;
    {
        const std::lock_guard guard(lock_);
        flush = std::exchange(unflushed_, false);
    }
    if (flush)
        flush_later();
}

bool CfiFlash::drained() {
    return flusher_->in_flight == 0;
}

void CfiFlash::reset() {
    const std::lock_guard guard(lock_);
    state_ = State{.locked = std::vector<std::uint8_t>(state_.locked.size())};
    sync();
}

void CfiFlash::halt() {
    const std::lock_guard guard(lock_);
    if (store_->read_only())
        return;
    store_again();
    if (const int error = store_->flush(); error != 0)
        log_error(cat("flash file ", store_->name(),
                      ": the last flush failed: ", std::generic_category().message(error)));
}

} // namespace coldstart
