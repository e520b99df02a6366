// A driver that does anything: random registers, random rings, random descriptors, against every
// virtio device. It finds no wrong answers, only crashes, hangs and what the sanitizers see.
//
//     virtio_fuzz [iterations [seed]]
#include "tests/fakes/fake_net.h"
#include "tests/fakes/fakes.h"
#include "tests/fakes/virtio_driver.h"
#include "tests/fakes/virtio_temp_file.h"
#include "tests/fakes/vsock_peers.h"
#include "virtio/backend/raw_disk.h"
#include "virtio/balloon/virtio_balloon.h"
#include "virtio/blk/virtio_blk.h"
#include "virtio/console/virtio_console.h"
#include "virtio/net/virtio_net.h"
#include "virtio/rng/virtio_rng.h"
#include "virtio/transport/mmio/virtio_mmio_device.h"
#include "vmm/base/byte_size.h"
#include "vmm/base/error.h"
#include "vmm/base/log.h"
#include "vmm/base/text.h"

#include <algorithm>
#include <cstdio>
#include <memory>
#include <random>

using namespace coldstart;
using namespace coldstart::fakes;

namespace {

constexpr std::uint64_t ram_bytes = 256 * KiB;

/// Takes some of what it is given and talks back at random.
class MoodyStream final : public ByteStream {
  public:
    explicit MoodyStream(std::mt19937_64& random) : random_(random) {}
    std::size_t write(ByteView bytes) noexcept override {
        return random_() % 3 == 0 ? random_() % (bytes.size() + 1) : bytes.size();
    }
    void input_wanted() noexcept override {}
    void set_sink(ByteSink* sink) noexcept override { sink_ = sink; }
    void speak() {
        std::array<std::byte, 64> text{};
        const std::size_t size = std::min(sink_->input_room(), text.size());
        if (size != 0)
            sink_->input(ByteView(text).first(size));
        sink_->output_ready();
    }

  private:
    std::mt19937_64& random_;
    ByteSink* sink_ = nullptr;
};

class Fuzzer {
  public:
    Fuzzer(std::mt19937_64& random, std::unique_ptr<VirtioDevice> device, FakeReactor& reactor,
           std::size_t queues = 2)
        : random_(random), reactor_(reactor), mmio_(std::move(device), memory_, line_, reactor),
          rings_(queues) {}

    void run(unsigned steps, const std::function<void()>& outside) {
        for (unsigned step = 0; step < steps; ++step) {
            switch (random_() % 24) {
            case 0:
                any_register();
                break;
            case 1:
                start();
                break;
            case 2:
                lifecycle();
                break;
            case 3:
                outside();
                break;
            default:
                scribble();
                kick();
                break;
            }
        }
        mmio_.halt();
    }

  private:
    struct Ring {
        std::uint32_t size = 1;
        std::uint64_t descriptors = 0, avail = 65536, used = 131072;
    };

    std::uint64_t below(std::uint64_t limit) { return random_() % limit; }
    /// Mostly inside RAM, sometimes at its edges or far out.
    std::uint64_t address() {
        switch (below(16)) {
        case 0:
            return random_();
        case 1:
            return ram_bytes - below(64);
        case 2:
            return ~0ull - below(64);
        default:
            return below(ram_bytes) & ~15ull;
        }
    }
    std::uint32_t length() {
        switch (below(12)) {
        case 0:
            return static_cast<std::uint32_t>(random_());
        case 1:
            return 0;
        case 2:
            return static_cast<std::uint32_t>(below(8) * 16);
        case 3:
            return static_cast<std::uint32_t>(below(64) * 512);
        default:
            return static_cast<std::uint32_t>(below(2) == 0 ? 16 : below(40) + 1);
        }
    }

    void any_register() {
        const unsigned width = 1u << below(4);
        const std::uint64_t offset =
            below(4) == 0 ? below(0x1000 - width + 1) : below(0x120 / 4) * 4;
        mmio_.write(0, offset, width, below(3) == 0 ? random_() : below(20));
        mmio_.read(0, offset, width);
    }

    void start() {
        VirtioDriver driver(mmio_, memory_);
        driver.reset();
        const std::uint64_t offered = driver.offered();
        if (!driver.negotiate(offered & (random_() | random_())))
            return;
        for (std::size_t i = 0; i < rings_.size(); ++i) {
            driver.write(0x30, static_cast<std::uint32_t>(i));
            const std::uint32_t size = 1u << below(7);
            rings_[i] = {size, below(8) * 4096, 65536 + below(8) * 4096, 131072 + below(8) * 4096};
            driver.write(0x38, size);
            driver.write_address(0x80, Gpa(rings_[i].descriptors));
            driver.write_address(0x90, Gpa(rings_[i].avail));
            driver.write_address(0xa0, Gpa(rings_[i].used));
            driver.write(0x44, 1);
            memory_.store(Gpa(rings_[i].avail), std::uint32_t{0});
        }
        driver.set_status(4);
    }

    void scribble() {
        Ring& ring = rings_[below(rings_.size())];
        for (unsigned i = 0; i < 6; ++i)
            write_descriptor(Gpa(ring.descriptors) + 16 * below(ring.size), ring.size);
        if (below(3) == 0) {
            const Gpa table(below(ram_bytes / 4096) * 4096);
            for (unsigned i = 0; i < 8; ++i)
                write_descriptor(table + 16ull * i, 8);
        }
        // What a block device reads first: a type and a sector.
        const Gpa header(address());
        memory_.store(header, static_cast<std::uint32_t>(below(15)));
        memory_.store(header + 8, below(8) == 0 ? random_() : below(300));

        const auto index = memory_.load<std::uint16_t>(Gpa(ring.avail + 2)).value_or(0);
        for (unsigned i = 0; i < 3; ++i)
            memory_.store(
                Gpa(ring.avail) + 4 + 2 * ((index + i) % ring.size),
                static_cast<std::uint16_t>(below(32) == 0 ? random_() : below(ring.size)));
        if (below(4) != 0) {
            for (unsigned i = 0; i < 3; ++i)
                memory_.store(Gpa(ring.avail) + 4 + 2 * ((index + i) % ring.size),
                              write_block_request(ring));
        }
        const std::uint64_t ahead = below(40) == 0 ? random_() : below(4);
        memory_.store(Gpa(ring.avail + 2), static_cast<std::uint16_t>(index + ahead));
    }

    /// A request a block device can make sense of, nearly: so that it gets past the first check.
    std::uint16_t write_block_request(const Ring& ring) {
        const auto type = static_cast<std::uint32_t>(std::array{0, 1, 4, 8, 11, 13}[below(6)]);
        const bool to_driver = type == 0 || type == 8;
        const Gpa header(below(ram_bytes / 512) * 512);
        memory_.store(header, type);
        memory_.store(header + 8, below(260));
        const Gpa data((below(ram_bytes / 1024) * 512) + below(2) * below(512));
        if (type >= 11) {
            memory_.store(data, below(260));
            memory_.store(data + 8, static_cast<std::uint32_t>(below(64)));
            memory_.store(data + 12, static_cast<std::uint32_t>(below(2)));
        }
        const auto size = static_cast<std::uint32_t>(type >= 11  ? 16
                                                     : type == 8 ? 20
                                                                 : 512 * (1 + below(64)));
        const auto first = static_cast<std::uint16_t>(below(ring.size));
        const auto second = static_cast<std::uint16_t>((first + 1u) % ring.size);
        const auto third = static_cast<std::uint16_t>((first + 2u) % ring.size);
        store_descriptor(Gpa(ring.descriptors) + 16ull * first, header, 16, 1, second);
        store_descriptor(Gpa(ring.descriptors) + 16ull * second, data, size, to_driver ? 3 : 1,
                         third);
        store_descriptor(Gpa(ring.descriptors) + 16ull * third, Gpa(below(ram_bytes)), 1, 2, 0);
        return first;
    }

    void store_descriptor(Gpa at, Gpa address_of, std::uint32_t size_bytes, std::uint16_t flags,
                          std::uint16_t next) {
        memory_.store(at, address_of.value);
        memory_.store(at + 8, size_bytes);
        memory_.store(at + 12, flags);
        memory_.store(at + 14, next);
    }

    void write_descriptor(Gpa at, std::uint32_t entries) {
        memory_.store(at, address());
        memory_.store(at + 8, length());
        memory_.store(at + 12, static_cast<std::uint16_t>(below(16) == 0 ? random_() : below(4)));
        memory_.store(at + 14, static_cast<std::uint16_t>(below(entries)));
    }

    void kick() {
        mmio_.write(0, 0x50, 4, below(rings_.size() + 2));
        // Chains that are added while the device works are never more than were there before.
        for (int i = 0; i < 4 && reactor_.run_until_idle() != 0; ++i) {
        }
    }

    void lifecycle() {
        mmio_.pause();
        for (int i = 0; i < 10000 && !mmio_.drained(); ++i)
            reactor_.run_until_idle(1);
        if (!mmio_.drained())
            throw Error("virtio_fuzz: the device never drained");
        StateWriter writer;
        mmio_.save(writer);
        StateReader reader(writer.bytes());
        try {
            if (below(2) == 0) {
                mmio_.restore(reader);
            } else {
                std::vector<std::byte> damaged = writer.bytes();
                damaged[below(damaged.size())] ^= static_cast<std::byte>(1u << below(8));
                StateReader damaged_reader(damaged);
                mmio_.restore(damaged_reader);
            }
        } catch (const Error&) {
            mmio_.reset();
        }
        mmio_.resume();
    }

    std::mt19937_64& random_;
    FakeReactor& reactor_;
    GuestMemory memory_ = GuestMemory::on_heap(ram_bytes);
    FakeIrqLine line_;
    VirtioMmioDevice mmio_;
    std::vector<Ring> rings_;
};

/// Mostly none, else one that is felt.
TokenBucketOptions any_bucket(std::mt19937_64& random) {
    if (random() % 3 != 0)
        return {};
    return {.size = random() % 8 == 0 ? random() : 1 + random() % 10'000,
            .refill_time_ms = random() % 8 == 0 ? random() : random() % 20,
            .one_time_burst = random() % 2 * (random() % 5000)};
}

RateLimitOptions any_limit(std::mt19937_64& random) {
    return {.bytes = any_bucket(random), .operations = any_bucket(random)};
}

RateLimitUpdate any_update(std::mt19937_64& random) {
    RateLimitUpdate update;
    if (random() % 2 == 0)
        update.bytes = any_bucket(random);
    if (random() % 2 == 0)
        update.operations = any_bucket(random);
    return update;
}

void fuzz_rng(std::mt19937_64& random, FakeReactor& reactor) {
    FakeClock clock;
    auto device = std::make_unique<VirtioRng>(VirtioRngOptions{&clock, any_limit(random)});
    VirtioRng& rng = *device;
    Fuzzer(random, std::move(device), reactor).run(400, [&] {
        clock.advance(random() % 20'000'000);
        if (random() % 4 == 0)
            rng.set_rate_limit(any_update(random));
    });
}

void fuzz_disk(std::mt19937_64& random, DiskCacheMode cache, bool synchronous) {
    const TempFile file(128 * KiB), other(4 * KiB), nothing(0);
    const std::string paths[] = {file.path(), other.path(), nothing.path()};
    if (cache == DiskCacheMode::none && !file.takes_direct_io())
        cache = DiskCacheMode::writeback;
    FakeReactor reactor;
    FakeClock clock;
    RawDiskOptions options{file.path(), random() % 4 == 0, cache, synchronous};
    auto device =
        std::make_unique<VirtioBlk>(std::make_unique<RawDisk>(options, reactor),
                                    VirtioBlkOptions{"fuzz", 2, &clock, any_limit(random)});
    VirtioBlk& blk = *device;
    Fuzzer fuzzer(random, std::move(device), reactor);
    fuzzer.run(400, [&] {
        clock.advance(random() % 20'000'000);
        if (random() % 4 == 0)
            blk.set_rate_limit(any_update(random));
        if (random() % 8 != 0)
            return;
        options.path = paths[random() % 3];
        options.replaces = dynamic_cast<const RawDisk*>(&blk.image());
        blk.replace_image(std::make_unique<RawDisk>(options, reactor));
    });
}

void fuzz_net(std::mt19937_64& random, FakeReactor& reactor) {
    FakeNet net;
    net.offloads = {.checksum = true, .tso4 = true, .tso6 = true, .ecn = true};
    FakeClock clock;
    VirtioNetOptions options{.mac = {{2, 0, 0, 0, 0, 1}}};
    options.clock = &clock;
    options.receive_limit = any_limit(random);
    options.transmit_limit = any_limit(random);
    auto device = std::make_unique<VirtioNet>(std::make_unique<FakeNetBackend>(net), options);
    VirtioNet& card = *device;
    Fuzzer fuzzer(random, std::move(device), reactor);
    fuzzer.run(400, [&] {
        clock.advance(random() % 20'000'000);
        if (random() % 4 == 0)
            card.set_rate_limit(any_update(random), any_update(random));
        if (net.waiting() < 16)
            net.arrive(std::string(random() % 70000, static_cast<char>(random() % 3)));
        net.take_sent();
        net.set_room(random() % 8);
    });
}

/// Page numbers, commands and statistics are whatever lies in memory; the host meddles too.
void fuzz_balloon(std::mt19937_64& random, FakeReactor& reactor) {
    const GuestMemory other = GuestMemory::on_heap(ram_bytes);
    FakeClock clock;
    const VirtioBalloonOptions options{.statistics_interval_s = 1,
                                       .free_page_hinting = random() % 4 != 0,
                                       .free_page_reporting = random() % 4 != 0};
    auto device = std::make_unique<VirtioBalloon>(options, other, clock);
    VirtioBalloon& balloon = *device;
    Fuzzer fuzzer(random, std::move(device), reactor, 5);
    fuzzer.run(400, [&] {
        clock.advance(random() % 2'000'000'000);
        balloon.set_target(0);
        balloon.request_statistics();
        balloon.set_statistics_interval(static_cast<std::uint32_t>(random() | 1));
        try {
            balloon.start_hinting(random() % 2 == 0);
            if (random() % 4 == 0)
                balloon.stop_hinting();
        } catch (const Error&) {
            return; // no driver, or the feature is off
        }
    });
}

/// Host programs that come, say something, read or not, and leave.
class VsockPrograms {
  public:
    VsockPrograms(std::mt19937_64& random, const std::string& path)
        : random_(random), path_(path), server_(path + "_1") {}
    void act() {
        if (programs_.size() < 8) {
            programs_.emplace_back(path_);
            programs_.back().write(random_() % 8 == 0 ? "CONN" : "CONNECT 1\n");
        }
        while (auto accepted = server_.accept())
            programs_.push_back(std::move(*accepted));
        HostProgram& program = programs_[random_() % programs_.size()];
        switch (random_() % 6) {
        case 0:
            std::swap(program, programs_.back());
            programs_.pop_back();
            break;
        case 1:
            program.shut_write();
            break;
        case 2:
            program.read(random_() % 400'000 + 1);
            break;
        default:
            program.write(std::string(random_() % 100'000, 'x'));
            break;
        }
    }

  private:
    std::mt19937_64& random_;
    const std::string& path_;
    HostServer server_;
    std::vector<HostProgram> programs_;
};

/// A driver that keeps to the rings but not to the packets: ports of streams that are there and of
/// others, any operation, lengths and credit around the limits.
void send_packets(std::mt19937_64& random, VsockGuest& guest, std::vector<VsockPorts>& ports) {
    const VsockPorts chosen = ports.empty() || random() % 8 == 0
                                  ? VsockPorts{1, static_cast<std::uint32_t>(random() % 16)}
                                  : ports[random() % ports.size()];
    VsockPacket packet = guest.make(virtio_vsock::op_rw, chosen.guest, chosen.host);
    if (random() % 3 == 0)
        packet.op = static_cast<std::uint16_t>(random() % 2 == 0 ? virtio_vsock::op_credit_update
                                                                 : random() % 9);
    std::string data;
    if (packet.op == virtio_vsock::op_rw)
        data.assign(random() % 40'000, 'y');
    packet.len = static_cast<std::uint32_t>(data.size());
    packet.flags = static_cast<std::uint32_t>(random() % 5);
    packet.buf_alloc = static_cast<std::uint32_t>(random() >> random() % 64);
    packet.fwd_cnt = static_cast<std::uint32_t>(random() >> random() % 64);
    if (random() % 128 == 0)
        packet.len = static_cast<std::uint32_t>(random());
    if (random() % 32 == 0)
        packet.dst_cid = random() % 4;
    if (random() % 32 == 0)
        packet.type = static_cast<std::uint16_t>(random() % 4);
    guest.send_raw(packet, data);
    while (random() % 8 != 0) {
        const auto got = guest.next();
        if (!got)
            break;
        if (got->packet.op == virtio_vsock::op_request && random() % 8 != 0)
            guest.answer(got->packet, virtio_vsock::op_response);
        if (got->packet.op == virtio_vsock::op_request && ports.size() < 64)
            ports.push_back({got->packet.src_port, got->packet.dst_port});
    }
}

void fuzz_vsock(std::mt19937_64& random) {
    const TempFile file(0);
    const std::string path = file.path() + ".v";
    FakeReactor reactor;
    FakeClock clock;
    const auto make = [&] {
        return std::make_unique<VirtioVsock>(VsockGuest::cid, std::make_shared<VsockListener>(path),
                                             reactor, clock);
    };
    VsockPrograms programs(random, path);
    const auto outside = [&] {
        programs.act();
        clock.advance(random() % 8 == 0 ? random() % 100'000'000'000 : 0);
    };
    if (random() % 2 == 0) {
        Fuzzer(random, make(), reactor).run(400, outside);
        return;
    }
    const GuestMemory memory = GuestMemory::on_heap(8 * MiB);
    FakeIrqLine line;
    VirtioMmioDevice mmio(make(), memory, line, reactor);
    VsockGuest guest(mmio, memory, reactor);
    std::vector<VsockPorts> ports;
    guest.start();
    for (int step = 0; step < 400; ++step) {
        if (random() % 4 == 0)
            outside();
        if ((guest.driver.status() & 0x40) != 0 || random() % 200 == 0) {
            guest.driver.reset();
            guest.start();
        }
        send_packets(random, guest, ports);
    }
    mmio.halt();
}

void one_round(std::uint64_t seed) {
    std::mt19937_64 random(seed);
    FakeReactor reactor;
    switch (seed % 8) {
    case 0:
        fuzz_rng(random, reactor);
        break;
    case 1: {
        MoodyStream stream(random);
        Fuzzer fuzzer(random, std::make_unique<VirtioConsole>(stream), reactor);
        fuzzer.run(400, [&stream] { stream.speak(); });
        break;
    }
    case 2:
        fuzz_disk(random, DiskCacheMode::writeback, false);
        break;
    case 3:
        fuzz_disk(random, DiskCacheMode::none, false);
        break;
    case 4:
        fuzz_net(random, reactor);
        break;
    case 5:
        fuzz_balloon(random, reactor);
        break;
    case 6:
        fuzz_vsock(random);
        break;
    default:
        fuzz_disk(random, DiskCacheMode::unsafe, true);
        break;
    }
}

} // namespace

int main(int argc, char** argv) {
    const auto iterations = argc > 1 ? parse_decimal(argv[1]) : 200;
    const auto seed = argc > 2 ? parse_decimal(argv[2]) : 1;
    if (!iterations || !seed) {
        std::fprintf(stderr, "usage: virtio_fuzz [iterations [seed]]\n");
        return 2;
    }
    set_log_level(LogLevel::error);
    for (std::uint64_t i = 0; i < *iterations; ++i) {
        try {
            one_round(*seed + i);
        } catch (const std::exception& error) {
            std::fprintf(stderr, "virtio_fuzz: seed %llu: %s\n",
                         static_cast<unsigned long long>(*seed + i), error.what());
            return 1;
        }
    }
    std::printf("virtio_fuzz: %llu rounds from seed %llu\n",
                static_cast<unsigned long long>(*iterations),
                static_cast<unsigned long long>(*seed));
    return 0;
}
