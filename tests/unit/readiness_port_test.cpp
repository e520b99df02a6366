#include "devices/readiness_port/readiness_port.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

using namespace coldstart;

namespace {

struct Lines final : ReadinessSink {
    void guest_ready(std::string_view line) noexcept override { said.emplace_back(line); }
    std::vector<std::string> said;
};

void say(ReadinessPort& port, std::string_view text, bool steps) {
    std::uint64_t offset = 0;
    for (const char letter : text) {
        port.write(0, offset % ReadinessPort::ports, 1, static_cast<std::uint8_t>(letter));
        offset += steps ? 1 : 0;
    }
}

} // namespace

TEST_CASE("readiness port: a line is told when it ends, from one port or along them") {
    Lines lines;
    ReadinessPort port(lines);
    say(port, "rea", false);
    CHECK(lines.said.empty());
    say(port, "dy\nweb up\n", true);
    CHECK(lines.said == std::vector<std::string>{"ready", "web up"});
    say(port, "\n", false);
    CHECK(lines.said.back().empty());
    port.write(0, 0, 2, 'x');
    say(port, std::string(500, 'a') + "\n", false);
    CHECK(lines.said.back() == std::string(ReadinessPort::max_line_bytes, 'a'));
    CHECK(port.read(0, 0, 1) == 0xff);
    say(port, "half", false);
    port.reset();
    say(port, "whole\n", false);
    CHECK(lines.said.back() == "whole");
}
