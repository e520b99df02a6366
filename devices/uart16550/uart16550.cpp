#include "devices/uart16550/uart16550.h"

#include <algorithm>
#include <array>
#include <utility>

namespace coldstart {
namespace {

constexpr std::array region_shapes = {
    RegionShape{"registers", BusKind::pio, uart16550::register_bytes}};
constexpr std::array line_shapes = {LineShape{"interrupt"}};

} // namespace

Uart16550::Uart16550(IrqLine& irq, Clock& clock, ByteStream& stream)
    : irq_(irq), clock_(clock), stream_(stream),
      timeout_timer_(clock.make_timer([this] { on_timeout(); })) {}

Uart16550::~Uart16550() {
    Uart16550::halt();
}

std::span<const RegionShape> Uart16550::regions() const noexcept {
    return region_shapes;
}

std::span<const LineShape> Uart16550::lines() const noexcept {
    return line_shapes;
}

AcpiDescription Uart16550::acpi() const {
    AcpiDescription description;
    description.name = "COM1";
    description.hid = "PNP0501";
    description.uid = 1;
    description.legacy = {LegacyFeature::user_visible};
    return description;
}

std::uint64_t Uart16550::read(unsigned, std::uint64_t offset, unsigned width) noexcept {
    if (width != 1)
        return all_ones(width);
    std::uint8_t value = 0;
    bool ask_for_input = false;
    {
        const std::lock_guard guard(lock_);
        const bool wanted = registers_.input_wanted();
        value = registers_.read(offset);
        ask_for_input = !wanted && registers_.input_wanted();
        sync();
    }
    if (ask_for_input)
        stream_.input_wanted();
    return value;
}

void Uart16550::write(unsigned, std::uint64_t offset, unsigned width,
                      std::uint64_t value) noexcept {
    if (width != 1)
        return;
    bool ask_for_input = false;
    {
        const std::lock_guard output_guard(output_lock_);
        bool has_output = false;
        {
            const std::lock_guard guard(lock_);
            const bool wanted = registers_.input_wanted();
            registers_.write(offset, static_cast<std::uint8_t>(value));
            ask_for_input = !wanted && registers_.input_wanted();
            has_output = registers_.output_size() != 0;
            sync();
        }
        if (has_output)
            flush_output();
    }
    if (ask_for_input)
        stream_.input_wanted();
}

void Uart16550::start() {
    {
        const std::lock_guard guard(lock_);
        connected_ = true;
    }
    stream_.set_sink(this);
    resume();
}

void Uart16550::pause() {
    const std::lock_guard guard(lock_);
    paused_ = true;
}

void Uart16550::resume() {
    {
        const std::lock_guard guard(lock_);
        paused_ = false;
        sync();
    }
    output_ready(); // restored state may hold output that never reached a stream
    stream_.input_wanted();
}

void Uart16550::reset() {
    const std::lock_guard output_guard(output_lock_);
    const std::lock_guard guard(lock_);
    registers_.reset();
    sync();
}

void Uart16550::halt() {
    {
        const std::lock_guard guard(lock_);
        if (!std::exchange(connected_, false))
            return;
    }
    stream_.set_sink(nullptr);
}

void Uart16550::save(StateWriter& writer) const {
    // With output_lock_, no byte is both on its way to the stream and still in the FIFO.
    const std::lock_guard output_guard(output_lock_);
    const std::lock_guard guard(lock_);
    registers_.save(writer);
}

void Uart16550::restore(StateReader& reader) {
    const std::lock_guard output_guard(output_lock_);
    const std::lock_guard guard(lock_);
    registers_.restore(reader);
    sync();
}

Uart16550::Counts Uart16550::counts() const {
    const std::lock_guard guard(lock_);
    return counts_;
}

void Uart16550::receive_break() noexcept {
    const std::lock_guard guard(lock_);
    registers_.receive(0, uart16550::lsr_break | uart16550::lsr_framing_error);
    sync();
}

std::size_t Uart16550::input_room() noexcept {
    const std::lock_guard guard(lock_);
    return paused_ ? 0 : registers_.input_room();
}

void Uart16550::input(ByteView bytes) noexcept {
    const std::lock_guard guard(lock_);
    for (const std::byte byte : bytes)
        registers_.receive(std::to_integer<std::uint8_t>(byte));
    counts_.read_bytes += bytes.size();
    sync();
}

void Uart16550::output_ready() noexcept {
    const std::lock_guard output_guard(output_lock_);
    flush_output();
}

// Called with output_lock_ held. An output_ready() that comes between a short write and the end
// of this function waits for output_lock_ and then tries again: no wake-up is lost.
void Uart16550::flush_output() noexcept {
    std::array<std::byte, uart16550::fifo_bytes> bytes;
    std::size_t size = 0;
    {
        const std::lock_guard guard(lock_);
        size = registers_.copy_output(bytes);
    }
    if (size == 0)
        return;
    const std::size_t taken = std::min(stream_.write(ByteView(bytes).first(size)), size);
    const std::lock_guard guard(lock_);
    registers_.output_taken(taken);
    counts_.written_bytes += taken;
    sync();
}

void Uart16550::on_timeout() noexcept {
    const std::lock_guard guard(lock_);
    // The timer may have been re-armed or cancelled while its callback was on the way.
    const bool due = timeout_armed_ && clock_.now_ns() >= timeout_deadline_ns_;
    timeout_armed_ = false;
    if (due && registers_.wants_timeout())
        registers_.timed_out();
    sync();
}

void Uart16550::sync() noexcept {
    irq_.set_level(registers_.interrupt());
    if (!registers_.wants_timeout()) {
        if (std::exchange(timeout_armed_, false))
            timeout_timer_->cancel();
        return;
    }
    if (timeout_armed_ && timeout_activity_ == registers_.activity())
        return;
    timeout_armed_ = true;
    timeout_activity_ = registers_.activity();
    timeout_deadline_ns_ = clock_.now_ns() + registers_.timeout_ns();
    timeout_timer_->arm(timeout_deadline_ns_);
}

} // namespace coldstart
