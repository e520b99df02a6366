// A device of any shape: registers that echo, and a record of its life.
#pragma once

#include "devices/core/device.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace coldstart::fakes {

class FakeDevice final : public Device {
  public:
    struct Access {
        unsigned region;
        std::uint64_t offset;
        unsigned width;
        std::uint64_t value;
        bool operator==(const Access&) const = default;
    };

    std::string_view type() const noexcept override { return type_name; }
    std::span<const RegionShape> regions() const noexcept override { return region_shapes; }
    std::span<const LineShape> lines() const noexcept override { return line_shapes; }
    std::span<const Doorbell> doorbells() const noexcept override { return bells; }
    AcpiDescription acpi() const override { return description; }

    /// All bits set beyond the width, too: the bus has to mask.
    std::uint64_t read(unsigned region, std::uint64_t offset, unsigned width) noexcept override {
        return (~std::uint64_t{0} << (width * 8 - 1) << 1) | (answer + offset + region * 0x10);
    }
    void write(unsigned region, std::uint64_t offset, unsigned width,
               std::uint64_t value) noexcept override {
        writes.push_back({region, offset, width, value});
    }

    void start() override { tell("start"); }
    void pause() override { tell("pause"); }
    bool drained() override {
        tell("drained");
        return is_drained;
    }
    void resume() override { tell("resume"); }
    void reset() override { tell("reset"); }
    void halt() override { tell("halt"); }
    void save(StateWriter& writer) const override { writer.put(answer); }
    void restore(StateReader& reader) override { reader.get(answer); }

    std::string type_name = "fake";
    std::vector<RegionShape> region_shapes;
    std::vector<LineShape> line_shapes;
    std::vector<Doorbell> bells;
    AcpiDescription description;
    std::uint64_t answer = 0;
    std::vector<Access> writes;
    bool is_drained = true;
    std::function<void(const char*)> on_life = {};

  private:
    void tell(const char* step) {
        if (on_life)
            on_life(step);
    }
};

} // namespace coldstart::fakes
