// What a PCI function or a chipset wants from the machine, recorded: where its regions stand, the
// messages it sent, the memory it shows.
#pragma once

#include "devices/core/device.h"
#include "devices/core/region_placer.h"
#include "vmm/base/irq_router.h"
#include "vmm/base/memory_mapper.h"

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <utility>
#include <vector>

namespace coldstart::fakes {

class FakePlacer final : public RegionPlacer {
  public:
    bool place(Device& device, unsigned region, std::uint64_t base) noexcept override {
        places.erase({&device, region});
        if (refuse)
            return false;
        places[{&device, region}] = base;
        return true;
    }
    void withdraw(Device& device, unsigned region) noexcept override {
        places.erase({&device, region});
    }
    void show_memory(Device& device, unsigned region, bool shown) noexcept override {
        ++memory_changes;
        if (shown)
            hidden.erase({&device, region});
        else
            hidden.insert({&device, region});
    }

    std::optional<std::uint64_t> where(const Device& device, unsigned region) const {
        const auto found = places.find({&device, region});
        return found == places.end() ? std::nullopt : std::optional(found->second);
    }

    std::map<std::pair<const Device*, unsigned>, std::uint64_t> places;
    std::set<std::pair<const Device*, unsigned>> hidden; ///< their memory, by show_memory
    unsigned memory_changes = 0;
    bool refuse = false;
};

/// The messages sent, in order. One thread, except sent_count.
class FakeMsiRouter final : public MsiRouter {
  public:
    std::unique_ptr<MsiLine> make_msi() override {
        ++lines;
        return std::make_unique<Line>(*this);
    }

    std::vector<MsiMessage> sent;
    std::atomic<unsigned> lines = 0;

  private:
    struct Line final : MsiLine {
        explicit Line(FakeMsiRouter& owner) : router(owner) {}
        void set_message(MsiMessage wanted) noexcept override { message = wanted; }
        void send() noexcept override {
            if (message)
                router.sent.push_back(*message);
        }
        FakeMsiRouter& router;
        std::optional<MsiMessage> message;
    };
};

class FakeMapper final : public MemoryMapper {
  public:
    struct Shown {
        std::span<std::byte> memory;
        MemoryAccess access;
        bool smm_only = false;
    };
    bool show(Gpa gpa, std::span<std::byte> memory, MemoryAccess access) noexcept override {
        return add(gpa, {memory, access, false});
    }
    bool show_in_smm(Gpa gpa, std::span<std::byte> memory) noexcept override {
        return add(gpa, {memory, MemoryAccess::read_write, true});
    }
    void hide(Gpa gpa) noexcept override { shown.erase(gpa.value); }

    /// What the guest sees at `gpa`, or nullptr where an access would exit.
    const Shown* at(std::uint64_t gpa) const {
        auto after = shown.upper_bound(gpa);
        if (after == shown.begin())
            return nullptr;
        --after;
        return gpa < after->first + after->second.memory.size() ? &after->second : nullptr;
    }

    std::map<std::uint64_t, Shown> shown;

  private:
    bool add(Gpa gpa, const Shown& wanted) {
        for (const auto& [base, other] : shown) {
            if (base < gpa.value + wanted.memory.size() && gpa.value < base + other.memory.size())
                return false;
        }
        shown[gpa.value] = wanted;
        return true;
    }
};

} // namespace coldstart::fakes
