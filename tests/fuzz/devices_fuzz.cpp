// Random guests against every device: accesses, input, time, resets, and a move to a fresh device
// by save and restore in between; now and then the saved state is damaged on the way.
// Usage: devices_fuzz [iterations [seed]]; a failure names the device, round and seed.
#include "tests/contract/device_script.h"
#include "vmm/base/error.h"

#include <cstdio>
#include <cstdlib>

using namespace coldstart;
using namespace coldstart::contract;

namespace {

constexpr unsigned steps_per_round = 400;

class Round {
  public:
    Round(const DeviceFactory& factory, std::uint64_t seed)
        : factory_(factory), random_(seed), device_(factory(fixture_)) {
        device_->start();
    }
    ~Round() { device_->halt(); }

    bool run() {
        for (unsigned i = 0; i < steps_per_round && ok_; ++i)
            step();
        return ok_;
    }

  private:
    void step() {
        switch (random_() % 64) {
        case 0:
            device_->pause();
            drain(*device_, fixture_);
            device_->reset();
            device_->resume();
            break;
        case 1:
            move_to_fresh_device();
            break;
        case 2:
            restore_damaged();
            break;
        case 3:
            // From nanoseconds to years.
            fixture_.clock.advance(random_() % (std::uint64_t{1} << random_() % 38));
            break;
        case 4:
        case 5:
        case 6:
        case 7:
            if (factory_.habits.host_action != nullptr && random_() % 8 == 0)
                factory_.habits.host_action(*device_);
            if (factory_.habits.guest_action != nullptr && random_() % 8 == 0)
                factory_.habits.guest_action(*device_, fixture_);
            host_activity(fixture_, random_);
            fixture_.reactor.run_until_idle();
            break;
        default: {
            const Access access = random_access(*device_, random_);
            const std::uint64_t value = perform(*device_, access);
            expect((value & ~all_ones(access.width)) == 0, "a read is wider than asked for");
            break;
        }
        }
    }

    void move_to_fresh_device() {
        device_->pause();
        drain(*device_, fixture_);
        const auto state = saved(*device_);
        device_->halt();
        device_.reset(); // lets go of the stream before the next one takes it
        device_ = factory_(fixture_);
        restore(*device_, state);
        expect(saved(*device_) == state, "restored state saves differently");
        device_->start();
    }

    void restore_damaged() {
        drain(*device_, fixture_);
        auto state = saved(*device_);
        state[random_() % state.size()] = static_cast<std::byte>(random_());
        try {
            restore(*device_, state);
        } catch (const Error&) {
            // Refused, as it should be; the device goes on as it was.
        }
    }

    void expect(bool condition, const char* complaint) {
        if (condition)
            return;
        std::fprintf(stderr, "%s\n", complaint);
        ok_ = false;
    }

    const DeviceFactory& factory_;
    std::mt19937_64 random_;
    Fixture fixture_;
    std::unique_ptr<Device> device_;
    bool ok_ = true;
};

} // namespace

int main(int argc, char** argv) {
    const std::uint64_t iterations = argc > 1 ? std::strtoull(argv[1], nullptr, 0) : 100;
    const std::uint64_t seed = argc > 2 ? std::strtoull(argv[2], nullptr, 0) : 1;
    for (std::uint64_t i = 0; i < iterations; ++i) {
        for (const DeviceFactory& factory : device_factories()) {
            if (Round(factory, seed + i).run())
                continue;
            std::fprintf(stderr, "devices_fuzz: %s failed; again: devices_fuzz 1 %llu\n",
                         factory.name.c_str(), static_cast<unsigned long long>(seed + i));
            return 1;
        }
    }
    return 0;
}
