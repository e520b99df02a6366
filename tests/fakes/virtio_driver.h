// The driver's side of virtio, as a guest would play it: negotiates through a transport's
// registers, lays out queues in guest memory, adds chains, kicks, and takes used buffers.
// Source: virtio 1.2, sections 3.1 and 2.7.13; written apart from the device's code on purpose.
//
//     VirtioDriver driver(device, memory);                              // virtio-mmio
//     VirtioDriver driver(std::make_unique<PciTransport>(function), memory);  // virtio-pci
//     driver.start(wanted_features, {8});
//     const Chain chain = driver.queue(0).chain().out(header).in(512).in(1).add();
//     driver.queue(0).kick();
#pragma once

#include "tests/fakes/virtio_driver_transport.h"
#include "vmm/base/guest_memory.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace coldstart::fakes {

/// A chain in the avail ring, and the buffers it was built of, in order.
struct Chain {
    std::uint16_t head = 0;
    std::vector<Gpa> buffers;
};

struct UsedBuffer {
    std::uint32_t id = 0;
    std::uint32_t length = 0;
    bool operator==(const UsedBuffer&) const = default;
};

class VirtioDriver {
  public:
    class Queue;

    class ChainBuilder {
      public:
        ChainBuilder(VirtioDriver& driver, Queue& queue) : driver_(driver), queue_(queue) {}
        /// A device-readable buffer with these bytes.
        ChainBuilder& out(ByteView bytes) {
            const Gpa at = driver_.alloc(bytes.size());
            driver_.memory_.write(at, bytes);
            return raw(at, static_cast<std::uint32_t>(bytes.size()), 0);
        }
        ChainBuilder& out(std::string_view text) { return out(std::as_bytes(std::span(text))); }
        /// A device-writable buffer.
        ChainBuilder& in(std::uint32_t size) { return raw(driver_.alloc(size), size, 2); }
        /// Any descriptor; the next flag is added where one follows.
        ChainBuilder& raw(Gpa address, std::uint32_t length, std::uint16_t flags) {
            parts_.push_back({address, length, flags});
            return *this;
        }
        /// Put what was built so far into one indirect table.
        ChainBuilder& indirect() {
            indirect_ = true;
            return *this;
        }
        /// Into the descriptor table and the avail ring; the device sees it at once.
        Chain add() {
            const Chain chain = place();
            queue_.make_available(chain.head);
            return chain;
        }
        /// Into the descriptor table only.
        Chain place();

      private:
        struct Part {
            Gpa address;
            std::uint32_t length;
            std::uint16_t flags;
        };
        VirtioDriver& driver_;
        Queue& queue_;
        std::vector<Part> parts_;
        bool indirect_ = false;
    };

    class Queue {
      public:
        Queue(VirtioDriver& driver, unsigned index, std::uint16_t size)
            : driver_(driver), index_(index), size_(size), desc_(driver.alloc(16ull * size, 16)),
              avail_(driver.alloc(6 + 2ull * size, 2)), used_(driver.alloc(6 + 8ull * size, 4)),
              owners_(size, 0) {}

        ChainBuilder chain() { return {driver_, *this}; }
        std::uint16_t size() const { return size_; }
        Gpa desc() const { return desc_; }
        Gpa avail() const { return avail_; }
        Gpa used() const { return used_; }

        void write_descriptor(std::uint16_t index, Gpa address, std::uint32_t length,
                              std::uint16_t flags, std::uint16_t next) {
            const Gpa at = desc_ + 16ull * index;
            driver_.memory_.store(at, address.value);
            driver_.memory_.store(at + 8, length);
            driver_.memory_.store(at + 12, flags);
            driver_.memory_.store(at + 14, next);
        }
        void make_available(std::uint16_t head) {
            driver_.memory_.store(avail_ + 4 + 2ull * (avail_index_ % size_), head);
            set_avail_index(static_cast<std::uint16_t>(avail_index_ + 1));
        }
        void set_avail_index(std::uint16_t index) {
            avail_index_ = index;
            shared16(avail_ + 2).store(index);
        }
        std::uint16_t avail_index() const { return avail_index_; }
        void kick() { driver_.transport_->kick(index_); }
        /// As a real driver: kick only when the device asked for it. True when it did.
        bool kick_if_wanted(bool event_idx) {
            const std::uint16_t before = kicked_index_;
            kicked_index_ = avail_index_;
            const bool wanted = event_idx
                                    ? static_cast<std::uint16_t>(avail_index_ - avail_event() - 1) <
                                          static_cast<std::uint16_t>(avail_index_ - before)
                                    : (used_flags() & 1) == 0;
            if (wanted)
                kick();
            return wanted;
        }
        void suppress_interrupts(bool on) { shared16(avail_).store(on ? 1 : 0); }
        void set_used_event(std::uint16_t index) {
            shared16(avail_ + 4 + 2ull * size_).store(index);
        }
        std::uint16_t avail_event() { return shared16(used_ + 4 + 8ull * size_).load(); }
        std::uint16_t used_flags() { return shared16(used_).load(); }
        std::uint16_t used_index() { return shared16(used_ + 2).load(); }

        std::optional<UsedBuffer> take_used() {
            if (used_index() == taken_)
                return std::nullopt;
            const auto element =
                driver_.memory_.load<UsedBuffer>(used_ + 4 + 8ull * (taken_ % size_)).value();
            ++taken_;
            for (std::uint16_t& owner : owners_) {
                if (owner == element.id + 1)
                    owner = 0;
            }
            return element;
        }

      private:
        friend class ChainBuilder;
        std::uint16_t claim(std::uint16_t head_plus_one) {
            for (std::uint16_t i = 0; i < size_; ++i) {
                if (owners_[i] == 0) {
                    owners_[i] =
                        head_plus_one == 0 ? static_cast<std::uint16_t>(i + 1) : head_plus_one;
                    return i;
                }
            }
            throw std::runtime_error("fake driver: no free descriptor");
        }
        std::atomic_ref<std::uint16_t> shared16(Gpa at) {
            return std::atomic_ref(
                *reinterpret_cast<std::uint16_t*>(driver_.memory_.range(at, 2).data()));
        }

        VirtioDriver& driver_;
        unsigned index_;
        std::uint16_t size_;
        Gpa desc_, avail_, used_;
        std::vector<std::uint16_t> owners_; // head + 1 of the chain a descriptor belongs to
        std::uint16_t avail_index_ = 0, kicked_index_ = 0, taken_ = 0;
    };

    VirtioDriver(Device& device, const GuestMemory& memory, Gpa heap = Gpa(0x1000))
        : VirtioDriver(std::make_unique<MmioTransport>(device), memory, heap) {}
    VirtioDriver(std::unique_ptr<DriverTransport> transport, const GuestMemory& memory,
                 Gpa heap = Gpa(0x1000))
        : transport_(std::move(transport)), memory_(memory), heap_start_(heap), heap_(heap) {}

    DriverTransport& transport() { return *transport_; }
    std::uint32_t read(std::uint64_t offset) { return transport_->read(offset); }
    void write(std::uint64_t offset, std::uint32_t value) { transport_->write(offset, value); }
    void write_address(std::uint64_t offset, Gpa gpa) {
        write(offset, static_cast<std::uint32_t>(gpa.value));
        write(offset + 4, static_cast<std::uint32_t>(gpa.value >> 32));
    }
    template <typename T>
    T config(std::uint64_t offset) {
        return static_cast<T>(transport_->read_config(offset, sizeof(T)));
    }
    std::uint32_t status() { return transport_->status(); }
    void set_status(std::uint32_t bits) { transport_->write_status(status() | bits); }
    void reset() {
        transport_->write_status(0);
        queues_.clear();
        heap_ = heap_start_;
    }
    std::uint64_t offered() {
        const std::uint64_t high = transport_->offered(1);
        return high << 32 | transport_->offered(0);
    }
    /// Steps 1 to 6 of section 3.1; VERSION_1 is added. True when the device agreed.
    bool negotiate(std::uint64_t features) {
        features |= 1ull << 32;
        set_status(1);
        set_status(2);
        transport_->accept(0, static_cast<std::uint32_t>(features));
        transport_->accept(1, static_cast<std::uint32_t>(features >> 32));
        set_status(8);
        return (status() & 8) != 0;
    }
    std::uint32_t queue_max_size(unsigned index) { return transport_->queue_max_size(index); }
    /// Lays a queue out in memory and hands it to the device.
    Queue& add_queue(std::uint16_t size) {
        const auto index = static_cast<unsigned>(queues_.size());
        queues_.push_back(std::make_unique<Queue>(*this, index, size));
        Queue& queue = *queues_.back();
        transport_->enable_queue(
            index,
            {.size = size, .desc = queue.desc(), .avail = queue.avail(), .used = queue.used()});
        return queue;
    }
    void start(std::uint64_t features, const std::vector<std::uint16_t>& sizes) {
        if (!negotiate(features))
            throw std::runtime_error("fake driver: the device refused the features");
        for (const std::uint16_t size : sizes)
            add_queue(size);
        set_status(4);
    }
    Queue& queue(std::size_t index) { return *queues_.at(index); }

    Gpa alloc(std::uint64_t size, std::uint64_t alignment = 16) {
        const Gpa at((heap_.value + alignment - 1) / alignment * alignment);
        heap_ = at + size;
        if (size != 0 && !memory_.contains(at, size))
            throw std::runtime_error("fake driver: guest memory is full");
        return at;
    }
    /// Forget all buffers allocated after `mark`: for long tests.
    Gpa heap_mark() const { return heap_; }
    void rewind(Gpa mark) { heap_ = mark; }
    std::string text(Gpa gpa, std::size_t size) {
        const auto bytes = memory_.range(gpa, size);
        return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
    }
    const GuestMemory& memory() const { return memory_; }

  private:
    std::unique_ptr<DriverTransport> transport_;
    const GuestMemory& memory_;
    Gpa heap_start_, heap_;
    std::vector<std::unique_ptr<Queue>> queues_;
};

inline Chain VirtioDriver::ChainBuilder::place() {
    Chain chain;
    for (const Part& part : parts_)
        chain.buffers.push_back(part.address);
    if (indirect_) {
        const Gpa table = driver_.alloc(16 * parts_.size());
        for (std::size_t i = 0; i < parts_.size(); ++i) {
            const bool last = i + 1 == parts_.size();
            driver_.memory_.store(table + 16 * i, parts_[i].address.value);
            driver_.memory_.store(table + 16 * i + 8, parts_[i].length);
            driver_.memory_.store(table + 16 * i + 12,
                                  static_cast<std::uint16_t>(parts_[i].flags | (last ? 0 : 1)));
            driver_.memory_.store(table + 16 * i + 14, static_cast<std::uint16_t>(i + 1));
        }
        chain.head = queue_.claim(0);
        queue_.write_descriptor(chain.head, table, static_cast<std::uint32_t>(16 * parts_.size()),
                                4, 0);
        return chain;
    }
    std::vector<std::uint16_t> indices;
    for (std::size_t i = 0; i < parts_.size(); ++i)
        indices.push_back(
            queue_.claim(i == 0 ? 0 : static_cast<std::uint16_t>(indices.front() + 1)));
    chain.head = indices.at(0);
    for (std::size_t i = 0; i < parts_.size(); ++i) {
        const bool last = i + 1 == parts_.size();
        queue_.write_descriptor(indices[i], parts_[i].address, parts_[i].length,
                                static_cast<std::uint16_t>(parts_[i].flags | (last ? 0 : 1)),
                                last ? 0 : indices[i + 1]);
    }
    return chain;
}

} // namespace coldstart::fakes
