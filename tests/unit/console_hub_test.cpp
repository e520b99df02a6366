// The console hub: a tail for who comes late or reads slowly, typed text, followers that leave.
#include "tests/fakes/fakes.h"
#include "vmm/runtime/control/console_hub.h"
#include "vmm/runtime/io_loop/io_loop.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <optional>
#include <string>
#include <thread>

using namespace coldstart;
using namespace coldstart::fakes;

namespace {

class Inner final : public ByteStream {
  public:
    std::size_t write(ByteView bytes) noexcept override {
        const std::size_t taken = std::min(bytes.size(), room);
        output.append(reinterpret_cast<const char*>(bytes.data()), taken);
        return taken;
    }
    void input_wanted() noexcept override { ++wanted; }
    void set_sink(ByteSink* next) noexcept override { sink = next; }

    std::string output;
    std::size_t room = ~std::size_t{0};
    int wanted = 0;
    ByteSink* sink = nullptr;
};

struct Uart final : ByteSink {
    std::size_t input_room() noexcept override { return room; }
    void input(ByteView bytes) noexcept override {
        typed.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        room -= bytes.size();
    }
    void output_ready() noexcept override { ++ready; }

    std::string typed;
    std::size_t room = 16;
    int ready = 0;
};

struct Bench {
    Bench() { hub->set_sink(&uart); }
    std::size_t write(const std::string& text) {
        return hub->write(std::as_bytes(std::span(text)));
    }
    void turn() { reactor.run_until_idle(); }

    FakeReactor reactor;
    Inner inner;
    Uart uart;
    std::optional<ConsoleHub> hub{std::in_place, reactor, inner};
};

Listener into(std::string& text) {
    return [&text](std::string_view news) {
        text += news;
        return true;
    };
}

} // namespace

TEST_CASE("followers get every byte, those of before first", "[console]") {
    Bench b;
    b.write("before ");
    std::string one, two;
    const auto first = b.hub->follow(into(one));
    b.turn();
    CHECK(one == "before ");
    b.write("and ");
    const auto second = b.hub->follow(into(two));
    b.turn();
    b.write("after");
    b.turn();
    CHECK(one == "before and after");
    CHECK(two == one);
    CHECK(b.inner.output == one);
}

TEST_CASE("only what the stream took is told", "[console]") {
    Bench b;
    b.inner.room = 3;
    CHECK(b.write("abcdef") == 3);
    std::string told;
    const auto handle = b.hub->follow(into(told));
    b.turn();
    CHECK(told == "abc");
}

TEST_CASE("a slow follower misses what fell out of the tail, and nothing else", "[console]") {
    Bench b;
    std::string told;
    const auto handle = b.hub->follow(into(told));
    std::string all;
    while (all.size() < 2 * ConsoleHub::tail_bytes + 777) {
        const std::string line = std::to_string(all.size()) + "\n";
        all += line;
        b.write(line);
    }
    b.turn();
    CHECK(told == all.substr(all.size() - ConsoleHub::tail_bytes));
    const std::string huge(3 * ConsoleHub::tail_bytes, 'h'); // in one piece
    told.clear();
    CHECK(b.write(huge + "end") == huge.size() + 3);
    b.turn();
    CHECK(told == (huge + "end").substr(huge.size() + 3 - ConsoleHub::tail_bytes));
}

TEST_CASE("typed text waits for room, in order, and too much is refused whole", "[console]") {
    Bench b;
    CHECK(b.hub->type("0123456789"));
    CHECK(b.hub->type("abcdefghij"));
    b.turn();
    CHECK(b.uart.typed == "0123456789abcdef");
    b.uart.room = 100;
    b.hub->input_wanted();
    b.turn();
    CHECK(b.uart.typed == "0123456789abcdefghij");
    CHECK(b.inner.wanted == 1);

    b.uart.room = 0;
    CHECK(b.hub->type(std::string(ConsoleHub::typed_bytes, 'x')));
    CHECK_FALSE(b.hub->type("y"));
    CHECK_FALSE(b.hub->type(std::string(ConsoleHub::typed_bytes + 1, 'z')));
    b.uart.room = 1 << 20;
    b.hub->input_wanted();
    b.turn();
    CHECK(b.uart.typed.size() == 20 + ConsoleHub::typed_bytes);
    CHECK(b.hub->type("y"));
}

TEST_CASE("a follower that has had enough, and one that leaves", "[console]") {
    Bench b;
    std::string one, two;
    const auto first = b.hub->follow([&](std::string_view news) {
        one += news;
        return false;
    });
    auto second = b.hub->follow(into(two));
    b.write("a");
    b.turn();
    b.write("b");
    b.turn();
    second.reset();
    b.write("c");
    b.turn();
    CHECK(one == "a");
    CHECK(two == "ab");
}

TEST_CASE("a device that disconnects gets nothing more, and the hub's end tells the rest",
          "[console]") {
    Bench b;
    CHECK(b.inner.sink != nullptr);
    b.inner.sink->output_ready();
    CHECK(b.uart.ready == 1);
    b.hub->set_sink(nullptr);
    CHECK(b.inner.sink == nullptr);
    CHECK(b.hub->type("nobody"));
    b.turn();
    CHECK(b.uart.typed.empty());
    std::string told;
    auto handle = b.hub->follow(into(told));
    b.write("last words");
    b.hub.reset();
    CHECK(told == "last words");
    handle.reset(); // after the hub
}

TEST_CASE("guest, typists and followers at once", "[console][threads]") {
    IoLoop loop;
    Inner inner;
    Uart uart;
    uart.room = 1 << 20;
    {
        ConsoleHub hub(loop, inner);
        hub.set_sink(&uart);
        loop.start();
        std::string told;
        const auto steady = hub.follow(into(told));
        std::thread guest([&] {
            for (int i = 0; i < 2000; ++i)
                hub.write(std::as_bytes(std::span("0123456789", 10)));
        });
        std::thread typist([&] {
            for (int i = 0; i < 500; ++i)
                while (!hub.type("key"))
                    std::this_thread::yield();
        });
        for (int i = 0; i < 200; ++i) {
            std::string brief;
            const auto gone = hub.follow(into(brief));
        }
        guest.join();
        typist.join();
        loop.stop();
    }
    CHECK(uart.typed.size() == 1500);
    CHECK(inner.output.size() == 20000);
}
