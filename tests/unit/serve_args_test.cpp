#include "vmm/base/error.h"
#include "vmm/cli/args.h"
#include "vmm/cli/firecracker.h"

#include <catch2/catch.hpp>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include <unistd.h>

using namespace coldstart;
using Catch::Contains;

namespace {

using Words = std::vector<std::string_view>;

class TempText {
  public:
    explicit TempText(const std::string& text) {
        char name[] = "/tmp/coldstart-args-XXXXXX";
        ::close(::mkstemp(name));
        path_ = name;
        std::ofstream(path_) << text;
    }
    ~TempText() { std::remove(path_.c_str()); }
    const std::string& path() const { return path_; }

  private:
    std::string path_;
};

ServeCommand serve(const Words& words) {
    Words all{"serve"};
    all.insert(all.end(), words.begin(), words.end());
    return std::get<ServeCommand>(parse_command_line(all));
}

FirecrackerArguments firecracker(const Words& words) {
    return parse_firecracker(words);
}

} // namespace

TEST_CASE("serve: the socket, and the machine that Firecracker's clients expect", "[cli]") {
    const ServeCommand plain = serve({"--api-sock", "s"});
    CHECK(plain.api.socket_path == "s");
    CHECK_FALSE(plain.api.socket_by_systemd);
    CHECK_FALSE(plain.start_at_once);
    CHECK(plain.config.memory_bytes == 128 * MiB);
    CHECK(plain.config.cpus == 1);
    CHECK_FALSE(plain.config.rng);
    CHECK(plain.config.on_reboot == OnReboot::exit);
    CHECK(serve({}).api.socket_by_systemd);
    const ServeCommand all =
        serve({"--api-fd", "3", "--ready-fd", "4", "--http-api-max-payload-size", "100",
               "--mmds-size-limit", "200", "--id", "vm1", "--on-reboot", "restart"});
    CHECK(all.api.socket_fd == 3);
    CHECK(all.api.ready_fd == 4);
    CHECK(all.api.max_body_bytes == 100);
    CHECK(all.metadata_limit_bytes == 200);
    CHECK(all.config.id == "vm1");
    CHECK(all.config.on_reboot == OnReboot::restart);
    CHECK_THROWS_WITH(serve({"--api-fd", "x"}), Contains("--api-fd x: not a number"));
    CHECK_THROWS_WITH(serve({"--api-fd", "4294967296"}), Contains("--api-fd"));
    CHECK_THROWS_WITH(serve({"--config", "/nonexistent"}), Contains("/nonexistent"));
}

TEST_CASE("run --config: flags go before the file, wherever they stand", "[cli]") {
    const TempText kernel("k");
    const TempText file("{\"boot-source\": {\"kernel_image_path\": \"" + kernel.path() +
                        "\", \"boot_args\": \"quiet\"}, \"drives\": [], "
                        "\"machine-config\": {\"vcpu_count\": 2, \"mem_size_mib\": 64}, "
                        "\"metrics\": {\"metrics_path\": \"m\"}}");
    const auto run = std::get<RunCommand>(
        parse_command_line(Words{"run", "--cpus", "3", "--config", file.path()}));
    CHECK(run.config.kernel_path == kernel.path());
    CHECK(run.config.command_line == "quiet");
    CHECK(run.config.memory_bytes == 64 * MiB);
    CHECK(run.config.cpus == 3);
    REQUIRE(run.requests.size() == 1);
    CHECK(std::get<PutMetrics>(run.requests[0]).path == "m");

    const TempText bad("{\"boot-source\": {\"kernel_image_path\": \"/nonexistent/k\"}, "
                       "\"drives\": []}");
    CHECK_THROWS_WITH(parse_command_line(Words{"run", "--config", bad.path()}),
                      Contains("/nonexistent/k"));
    const TempText none("no JSON");
    CHECK_THROWS_WITH(parse_command_line(Words{"run", "--config", none.path()}),
                      Contains(none.path()));
}

TEST_CASE("firecracker's arguments", "[cli]") {
    CHECK(firecracker({}).api_socket == "/run/firecracker.socket");
    CHECK(firecracker({}).id == "anonymous-instance");
    const auto all =
        firecracker({"--api-sock", "s", "--id", "a-1", "--no-seccomp", "--boot-timer", "--level",
                     "Warning", "--show-level", "--log-path", "l", "--start-time-us", "12"});
    CHECK(all.api_socket == "s");
    CHECK(all.id == "a-1");
    CHECK(all.wants_logger());
    CHECK(all.logger.level == "warn");
    CHECK(all.logger.show_level == true);
    CHECK(all.logger.path == "l");
    CHECK(firecracker({"--version", "--id", "x"}).version);
    CHECK_FALSE(firecracker({"--no-api", "--config-file", "f"}).api);

    for (const Words& wrong :
         {Words{"--nonsense"}, Words{"--id"}, Words{"--id", "--no-api"}, Words{"--id", "a_b"},
          Words{"--id", std::string_view()}, Words{"--id", "a", "--id", "a"}, Words{"--id=a"},
          Words{"positional"}, Words{"--no-api"}, Words{"--no-seccomp", "--seccomp-filter", "f"},
          Words{"--start-time-us", "soon"}, Words{"--http-api-max-payload-size", "-1"},
          Words{"--mmds-size-limit", "99999999999"}}) {
        CAPTURE(wrong);
        CHECK_THROWS_AS(firecracker(wrong), UsageError);
    }
    CHECK_THROWS_AS(firecracker({"--level", "loud"}), ConfigurationRefused);
}
