// What devices/core/device.h promises, checked for every device of device_factories.h.
#include "tests/contract/device_script.h"
#include "vmm/base/error.h"

#include <catch2/catch.hpp>
#include <set>
#include <thread>

using namespace coldstart;
using namespace coldstart::contract;

namespace {

/// A started device in its surroundings.
struct Bench {
    explicit Bench(const DeviceFactory& made_by) : factory(made_by), device(made_by(fixture)) {
        device->start();
    }
    ~Bench() { device->halt(); }

    const DeviceFactory& factory;
    Fixture fixture;
    std::unique_ptr<Device> device;
};

/// Some work, so that the state is not the power-on one: accesses, input, time.
void exercise(Bench& bench, std::uint64_t seed, unsigned steps) {
    std::mt19937_64 random(seed);
    for (unsigned i = 0; i < steps; ++i) {
        perform(*bench.device, random_access(*bench.device, random));
        if (random() % 8 == 0)
            host_activity(bench.fixture, random);
        if (random() % 16 == 0)
            bench.fixture.clock.advance(random() % (1ull << random() % 32)); // up to 2 s
        if (random() % 16 == 0 && bench.factory.habits.host_action != nullptr)
            bench.factory.habits.host_action(*bench.device);
        if (random() % 64 == 0 && bench.factory.habits.guest_action != nullptr)
            bench.factory.habits.guest_action(*bench.device, bench.fixture);
        if (random() % 8 == 0)
            bench.fixture.reactor.run_until_idle();
    }
    drain(*bench.device, bench.fixture);
}

/// Interrupts so far on edge-triggered lines, of which no level tells.
unsigned edges(const Bench& bench) {
    unsigned count = 0;
    for (std::size_t i = 0; i < bench.device->lines().size(); ++i) {
        if (bench.device->lines()[i].edge_triggered)
            count += bench.fixture.irqs[i].rising_edges;
    }
    return count;
}

std::vector<bool> levels(const Bench& bench) {
    std::vector<bool> result;
    for (std::size_t i = 0; i < bench.device->lines().size(); ++i)
        result.push_back(bench.fixture.irqs[i].level);
    return result;
}

} // namespace

TEST_CASE("what is known of a device is of one in the catalogue", "[contract]") {
    for (const DeviceHabits& known : device_habits) {
        CAPTURE(known.type);
        CHECK(std::ranges::any_of(device_catalogue(), [&](const CatalogueEntry& entry) {
            return entry.type == known.type;
        }));
    }
}

TEST_CASE("a device's shape is sane and constant", "[contract]") {
    for (const DeviceFactory& factory : device_factories()) {
        CAPTURE(factory.name);
        Bench bench(factory);
        Device& device = *bench.device;
        CHECK(device.type() == factory.placed.type);
        REQUIRE_FALSE(device.regions().empty());
        std::set<std::string_view> names;
        for (const RegionShape& region : device.regions()) {
            CHECK(region.size_bytes != 0);
            CHECK((region.bus == BusKind::mmio || region.size_bytes <= 65536));
            CHECK_FALSE(region.name.empty());
            CHECK(names.insert(region.name).second);
        }
        REQUIRE(device.lines().size() <= bench.fixture.irqs.size());

        const AcpiDescription acpi = device.acpi();
        CHECK(acpi.name.size() <= 4);
        CHECK(acpi.hid.empty() == acpi.name.empty());
        if (acpi.fixed_hardware) {
            CHECK(acpi.fixed_hardware->pm1_event_region < device.regions().size());
            CHECK(acpi.fixed_hardware->pm1_control_region < device.regions().size());
            CHECK(acpi.fixed_hardware->pm_timer_region.value_or(0) < device.regions().size());
            CHECK(acpi.fixed_hardware->reset_region.value_or(0) < device.regions().size());
            CHECK(acpi.fixed_hardware->sci_line < device.lines().size());
        }
        const auto* regions = device.regions().data();
        const auto* lines = device.lines().data();
        exercise(bench, 1, 200);
        device.reset();
        CHECK(device.regions().data() == regions);
        CHECK(device.lines().data() == lines);
    }
}

TEST_CASE("every register answers at every width", "[contract]") {
    for (const DeviceFactory& factory : device_factories()) {
        CAPTURE(factory.name);
        Bench bench(factory);
        const auto regions = bench.device->regions();
        for (unsigned region = 0; region < regions.size(); ++region) {
            const std::uint64_t end = std::min<std::uint64_t>(regions[region].size_bytes, 8192);
            for (unsigned width : {1u, 2u, 4u, 8u}) {
                for (std::uint64_t offset = 0; offset + width <= end; ++offset) {
                    CAPTURE(region, offset, width);
                    const auto value = bench.device->read(region, offset, width);
                    CHECK((value & ~all_ones(width)) == 0);
                    for (std::uint64_t out : {0ull, ~0ull, 0xa5a5a5a5a5a5a5a5ull})
                        bench.device->write(region, offset, width, out & all_ones(width));
                }
            }
        }
    }
}

TEST_CASE("a width no device knows reads as all ones and writes nothing", "[contract]") {
    for (const DeviceFactory& factory : device_factories()) {
        CAPTURE(factory.name);
        Bench bench(factory);
        exercise(bench, 2, 300);
        const auto before = saved(*bench.device);
        for (unsigned region = 0; region < bench.device->regions().size(); ++region) {
            if (bench.device->regions()[region].size_bytes < 8 ||
                bench.device->regions()[region].bus != BusKind::pio)
                continue;
            // No port access is eight bytes wide.
            CHECK(bench.device->read(region, 0, 8) == ~0ull);
            bench.device->write(region, 0, 8, 0);
        }
        CHECK(saved(*bench.device) == before);
    }
}

TEST_CASE("saved state restores to the same state and line levels", "[contract]") {
    for (const DeviceFactory& factory : device_factories()) {
        for (std::uint64_t seed = 0; seed < 50; ++seed) {
            CAPTURE(factory.name, seed);
            Bench source(factory), target(factory);
            exercise(source, seed, 200);
            source.device->pause();
            REQUIRE(source.device->drained());
            const auto state = saved(*source.device);
            target.fixture.stream.set_room(0);
            target.fixture.clock.advance(source.fixture.clock.now_ns() -
                                         target.fixture.clock.now_ns());
            copy_ram(source.fixture, target.fixture);
            const unsigned edges_before = edges(target);
            restore(*target.device, state);
            CHECK(edges(target) == edges_before); // what was signalled was, before the save
            CHECK(saved(*target.device) == state);
            CHECK(levels(target) == levels(source));

            StateReader reader(state);
            target.device->restore(reader);
            CHECK(reader.at_end());
        }
    }
}

TEST_CASE("damaged state is refused with an Error or accepted whole", "[contract]") {
    for (const DeviceFactory& factory : device_factories()) {
        CAPTURE(factory.name);
        Bench source(factory);
        exercise(source, 3, 200);
        const auto state = saved(*source.device);
        Bench target(factory);
        for (std::size_t size = 0; size < state.size(); ++size) {
            const std::vector<std::byte> cut(state.begin(),
                                             state.begin() + static_cast<std::ptrdiff_t>(size));
            CHECK_THROWS_AS(restore(*target.device, cut), Error);
        }
        std::mt19937_64 random(4);
        for (unsigned round = 0; round < 500; ++round) {
            auto damaged = state;
            for (unsigned flips = 1 + random() % 4; flips != 0; --flips)
                damaged[random() % damaged.size()] = static_cast<std::byte>(random());
            const auto before = saved(*target.device);
            try {
                restore(*target.device, damaged);
            } catch (const Error&) {
                CHECK(saved(*target.device) == before); // a failed restore changes nothing
            }
            exercise(target, round, 20); // whatever was accepted can be worked with
        }
    }
}

TEST_CASE("reset returns to the power-on state", "[contract]") {
    for (const DeviceFactory& factory : device_factories()) {
        unsigned raised_before = 0;
        for (std::uint64_t seed = 0; seed < 20; ++seed) {
            CAPTURE(factory.name, seed);
            Bench used(factory);
            exercise(used, seed, 200);
            used.device->pause();
            for (const bool level : levels(used))
                raised_before += level ? 1 : 0;
            raised_before += edges(used);
            used.device->reset();
            for (const bool level : levels(used))
                CHECK_FALSE(level);
            const auto after_reset = saved(*used.device);
            if (!factory.habits.keeps_state_over_reset) {
                Bench fresh(factory);
                CHECK(after_reset == saved(*fresh.device));
            }
            used.device->reset();
            CHECK(saved(*used.device) == after_reset);
        }
        // Else this test would say nothing about lines.
        CHECK((raised_before != 0 || Bench(factory).device->lines().empty()));
    }
}

TEST_CASE("a reset right after power-on changes nothing", "[contract]") {
    for (const DeviceFactory& factory : device_factories()) {
        CAPTURE(factory.name);
        Bench bench(factory);
        const auto fresh = saved(*bench.device);
        bench.device->reset();
        CHECK(saved(*bench.device) == fresh);
    }
}

TEST_CASE("line levels need no second look", "[contract]") {
    for (const DeviceFactory& factory : device_factories()) {
        for (std::uint64_t seed = 0; seed < 50; ++seed) {
            CAPTURE(factory.name, seed);
            Bench bench(factory);
            exercise(bench, seed, 100);
            const auto before = levels(bench);
            // A restore of its own state recomputes every level from the state alone.
            restore(*bench.device, saved(*bench.device));
            CHECK(levels(bench) == before);
            bench.device->pause();
            bench.device->resume();
            drain(*bench.device, bench.fixture);
            bench.device->pause();
            // With the outside quiet, what resume() did is stable too.
            const auto settled = levels(bench);
            restore(*bench.device, saved(*bench.device));
            CHECK(levels(bench) == settled);
        }
    }
}

TEST_CASE("vCPUs, the I/O thread and a snapshot may meet in a device", "[contract][threads]") {
    for (const DeviceFactory& factory : device_factories()) {
        CAPTURE(factory.name);
        Bench bench(factory);
        if (factory.habits.guest_action != nullptr)
            factory.habits.guest_action(*bench.device, bench.fixture);
        const auto vcpu = [&](std::uint64_t seed) {
            std::mt19937_64 random(seed);
            for (unsigned i = 0; i < 3000; ++i)
                perform(*bench.device, random_access(*bench.device, random));
        };
        std::thread first(vcpu, 1), second(vcpu, 2);
        std::thread host([&] {
            std::mt19937_64 random(3);
            for (unsigned i = 0; i < 1000; ++i) {
                host_activity(bench.fixture, random);
                bench.fixture.reactor.run_until_idle();
                if (factory.habits.host_action != nullptr && i % 8 == 0)
                    factory.habits.host_action(*bench.device);
            }
        });
        for (unsigned i = 0; i < 100; ++i)
            saved(*bench.device);
        first.join();
        second.join();
        host.join();
        drain(*bench.device, bench.fixture);
        const auto before = levels(bench);
        restore(*bench.device, saved(*bench.device));
        CHECK(levels(bench) == before);
    }
}
