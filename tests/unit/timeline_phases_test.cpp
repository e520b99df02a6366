// What a timeline makes of its events: phases and derived marks for each way to boot, the file and
// the page.
#include "vmm/base/error.h"
#include "vmm/runtime/timeline/phases.h"
#include "vmm/runtime/timeline/timeline_file.h"
#include "vmm/runtime/timeline/timeline_html.h"
#include "vmm/runtime/timeline/timeline_json.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <unistd.h>

using namespace coldstart;
using Catch::Matchers::Contains;
using M = Milestone;

namespace {

struct Named {
    std::string name;
    std::uint64_t start_ns, end_ns;
    bool operator==(const Named&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Named& phase) {
    return out << phase.name << ' ' << phase.start_ns << ".." << phase.end_ns;
}

std::vector<Named> phases_of(std::vector<TimelineEvent> events, const BootShape& shape,
                             std::uint64_t end_ns) {
    std::vector<Named> named;
    for (const TimelinePhase& phase :
         timeline_phases(with_derived_marks(std::move(events), shape), shape, 0, end_ns))
        named.push_back({std::string(phase.name), phase.start_ns, phase.end_ns});
    return named;
}

/// When the event of this kind was, or -1.
std::int64_t time_of(const std::vector<TimelineEvent>& events, Milestone what) {
    for (const TimelineEvent& event : events) {
        if (event.what == what)
            return static_cast<std::int64_t>(event.time_ns);
    }
    return -1;
}

/// Until the first instruction.
std::vector<TimelineEvent> begun() {
    return {{M::process_start, 0, 0, {}},  {M::configured, 5, 0, {}},
            {M::memory_ready, 6, 0, {}},   {M::kvm_ready, 8, 0, {}},
            {M::devices_ready, 10, 0, {}}, {M::loaded, 20, 0, "linux"},
            {M::vcpus_ready, 25, 0, {}},   {M::first_run, 30, 0, {}}};
}

std::vector<TimelineEvent> begun_and(std::vector<TimelineEvent> more) {
    std::vector<TimelineEvent> events = begun();
    events.insert(events.end(), more.begin(), more.end());
    return events;
}

class TempFolder {
  public:
    TempFolder() {
        std::string pattern = (std::filesystem::temp_directory_path() / "timeline.XXXXXX").string();
        path_ = ::mkdtemp(pattern.data());
    }
    ~TempFolder() { std::filesystem::remove_all(path_); }
    std::string path(const std::string& name) const { return (path_ / name).string(); }

  private:
    std::filesystem::path path_;
};

std::string content(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
}

} // namespace

TEST_CASE("phases of a kernel entered directly", "[timeline]") {
    const auto events =
        begun_and({{M::console_byte, 100, 0, "com1"},
                   {M::console_line, 110, 0, "[    0.100000] Linux version 6.1"},
                   {M::console_line, 200, 0, "[    1.200000] Run /init as init process"},
                   {M::console_line, 210, 0, "init speaks"},
                   {M::ready, 300, 0, "up"}});
    CHECK(phases_of(events, {}, 400) == std::vector<Named>{{"setup", 0, 10},
                                                           {"load", 10, 30},
                                                           {"kernel", 30, 200},
                                                           {"init", 200, 300},
                                                           {"run", 300, 400}});
}

TEST_CASE("init is the first line that is no kernel message, unless those have no stamp",
          "[timeline]") {
    const auto init_at = [](std::vector<TimelineEvent> more) {
        return time_of(with_derived_marks(begun_and(std::move(more)), {}), M::init);
    };
    CHECK(init_at({{M::console_line, 50, 0, "[    0.05] x"}, {M::console_line, 60, 0, "hello"}}) ==
          60);
    CHECK(init_at({{M::console_line, 50, 0, "[    0.05] x"}}) == -1);
    CHECK(init_at({{M::console_line, 50, 0, "[    0.051234][    T1] x"}}) == -1);
    CHECK(init_at({{M::console_line, 50, 0, "[  OK  ] Started systemd"}}) == 50);
    CHECK(init_at({{M::console_line, 50, 0, "Linux version 6.1"},
                   {M::console_line, 60, 0, "Command line: quiet"},
                   {M::console_line, 70, 0, "Run /sbin/init as init process"}}) == 70);
    CHECK(init_at({{M::ready, 40, 0, "x"}, {M::console_line, 60, 0, "hello"}}) == 40);
}

TEST_CASE("phases of a BIOS with a boot sector, and without an end of it", "[timeline]") {
    const BootShape bios{.firmware = true};
    CHECK(phases_of(begun_and({{M::first_disk_read, 90, 0, "disk.a"},
                               {M::boot_sector, 100, 0, {}},
                               {M::console_line, 120, 0, "GRUB"},
                               {M::kernel_entry, 500, 0, {}},
                               {M::console_line, 700, 0, "hello from init"}}),
                    bios, 800) == std::vector<Named>{{"setup", 0, 10},
                                                     {"load", 10, 30},
                                                     {"firmware", 30, 100},
                                                     {"bootloader", 100, 500},
                                                     {"kernel", 500, 700},
                                                     {"init", 700, 800}});
    CHECK(phases_of(begun(), bios, 800) ==
          std::vector<Named>{{"setup", 0, 10}, {"load", 10, 30}, {"firmware", 30, 800}});
}

TEST_CASE("phases of UEFI: the loader begins with a disk read or the handed kernel", "[timeline]") {
    const BootShape uefi{.firmware = true, .uefi = true};
    const auto events = begun_and({{M::driver_ok, 80, 0, "disk.a"},
                                   {M::first_disk_read, 90, 0, "disk.a"},
                                   {M::driver_reset, 400, 0, "disk.a"},
                                   {M::driver_reset, 410, 0, "rng"},
                                   {M::kernel_entry, 500, 0, {}},
                                   {M::driver_reset, 600, 0, "disk.a"}});
    const auto derived = with_derived_marks(events, uefi);
    CHECK(time_of(derived, M::efi_handover) == 410);
    CHECK(time_of(with_derived_marks(events, {.firmware = true}), M::efi_handover) == -1);
    CHECK(phases_of(events, uefi, 700) == std::vector<Named>{{"setup", 0, 10},
                                                             {"load", 10, 30},
                                                             {"firmware", 30, 90},
                                                             {"bootloader", 90, 500},
                                                             {"kernel", 500, 700}});
    const BootShape handed{.firmware = true, .uefi = true, .kernel_by_fw_cfg = true};
    CHECK(phases_of(begun_and({{M::first_disk_read, 60, 0, "disk.a"},
                               {M::fw_cfg, 70, 8, "kernel size"},
                               {M::fw_cfg, 90, 0x18, "kernel setup"},
                               {M::kernel_entry, 500, 0, {}}}),
                    handed, 600)[3] == Named{"bootloader", 90, 500});
}

TEST_CASE("what comes after a reset is one phase, and a start that failed has what it has",
          "[timeline]") {
    const auto events = begun_and({{M::reset, 100, 0, "by the guest"},
                                   {M::loaded, 110, 0, "linux"},
                                   {M::first_run, 120, 0, {}},
                                   {M::ready, 130, 0, "x"}});
    CHECK(phases_of(events, {}, 200) ==
          std::vector<Named>{
              {"setup", 0, 10}, {"load", 10, 30}, {"kernel", 30, 100}, {"after_reset", 100, 200}});
    CHECK(phases_of({{M::process_start, 0, 0, {}}, {M::configured, 5, 0, {}}}, {}, 9) ==
          std::vector<Named>{{"setup", 0, 9}});
}

TEST_CASE("the file is one object as documented, whatever the guest says", "[timeline]") {
    TimelineRecorder recorder(1000, TimelineRecorder::Extent::everything);
    recorder.record(M::loaded, 2000, "pvh");
    recorder.record(M::first_run, 3000);
    recorder.record(M::post_code, 3500, {}, 66);
    recorder.record(M::console_line, 4000, "</script><!-- \xff \" \\");
    VmConfig config;
    config.id = "one";
    config.kernel_path = "vmlinux";
    config.disks.emplace_back().path = "a.img";
    const std::string text =
        timeline_file_text(timeline_json(config, recorder, {1000, true}, {"powered off", 0, 9000}));
    const Json json = Json::parse(text);
    CHECK(json.at("format") == "coldstart-timeline");
    CHECK(json.at("version") == 1);
    CHECK(json.at("machine").at("boot") == "pvh");
    CHECK(json.at("machine").at("kernel") == "vmlinux");
    CHECK(json.at("machine").at("initrd").is_null());
    CHECK(json.at("machine").at("disks") == Json::array({"a.img"}));
    CHECK(json.at("start_monotonic_ns") == 1000);
    CHECK(json.at("events")[0] == Json{{"t_ns", 0}, {"event", "process_start"}});
    CHECK(json.at("events").back().at("event") == "exited");
    CHECK(json.at("end") == Json{{"reason", "powered off"}, {"status", 0}, {"t_ns", 8000}});
    bool code = false;
    for (const Json& event : json.at("events"))
        code = code || event == Json{{"t_ns", 2500}, {"event", "post_code"}, {"code", 66}};
    CHECK(code);

    const std::string page = timeline_html({&text, 1});
    CHECK_THAT(page, !Contains("</script><!--") && Contains("\\u003c/script>"));
    CHECK_THAT(page, !Contains("@TIMELINES@") && !Contains("@SCRIPT@") && !Contains("@STYLE@"));
    CHECK_THAT(page, !Contains("http://www.w3.org/1999") && !Contains("src="));
    const std::string begin = R"(id="data">)";
    const std::size_t from = page.find(begin) + begin.size();
    const Json shown = Json::parse(page.substr(from, page.find("</script>", from) - from));
    REQUIRE(shown.size() == 1);
    CHECK(shown[0] == json);
    const std::string two[] = {text, text};
    CHECK_THAT(timeline_html(two), Contains("}\n,{\n"));
}

TEST_CASE("timeline files: put in place whole, refused at the start", "[timeline]") {
    CHECK(timeline_format("a/b.json") == TimelineFormat::json);
    CHECK(timeline_format("b.html") == TimelineFormat::html);
    CHECK_THROWS_AS(timeline_format("b.txt"), UsageError);
    const TempFolder folder;
    CHECK_THROWS_WITH(TimelineFiles({folder.path("missing/t.json")}, {}),
                      Contains("--timeline") && Contains("give a path that can be written"));
    std::filesystem::create_directory(folder.path("d.json"));
    CHECK_THROWS_WITH(TimelineFiles({folder.path("d.json")}, {}), Contains("no file"));

    std::ofstream(folder.path("real.json")) << "old";
    std::filesystem::create_symlink("real.json", folder.path("link.json"));
    const TimelineFiles files({folder.path("link.json"), folder.path("t.html")}, {});
    CHECK(content(folder.path("real.json")) == "old");
    CHECK_FALSE(std::filesystem::exists(folder.path("t.html")));
    const TimelineRecorder recorder(0, TimelineRecorder::Extent::everything);
    files.write({}, recorder, {"stopped", 143, 5});
    CHECK(Json::parse(content(folder.path("real.json"))).at("end").at("status") == 143);
    CHECK(std::filesystem::is_symlink(folder.path("link.json")));
    CHECK_THAT(content(folder.path("t.html")), Contains("<!doctype html>"));
    std::size_t entries = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder.path("")))
        ++entries;
    CHECK(entries == 4); // nothing beside the directory, the link, its target and the page
}
