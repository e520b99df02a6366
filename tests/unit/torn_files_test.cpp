// A file that guest RAM is mapped from is cut short: the monitor lives and can tell.
#include "tests/unit/loader_images.h"
#include "vmm/runtime/guest_ram.h"
#include "vmm/runtime/torn_files.h"

#include <array>
#include <catch2/catch.hpp>
#include <filesystem>

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

using namespace coldstart;
using namespace coldstart::images;

namespace {

constexpr std::uint64_t page = page_size_bytes;

struct TornFile {
    TempFolder folder;
    std::string path = folder.write("file", Bytes(8 * page, std::byte{0x42}));
    UniqueFd fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    GuestMemory memory = map_guest_ram(std::array{Range{Gpa(0), 4 * MiB}});

    TornFile() {
        REQUIRE(memory.map_file(Gpa(page), fd.get(), 0, 4 * page));
        REQUIRE(memory.map_file(Gpa(16 * page), fd.get(), 4 * page, 4 * page));
    }
    void cut_short() { std::filesystem::resize_file(path, 2 * page); }
};

} // namespace

TEST_CASE("the monitor reads zeroes where a mapped file was cut short", "[runtime]") {
    TornFile file;
    TornFileGuard guard;
    guard.watch(file.memory);
    CHECK_FALSE(guard.is_torn(file.memory));
    file.cut_short();
    CHECK(guard.is_torn(file.memory)); // told without an access
    CHECK(file.memory.load<std::uint8_t>(Gpa(2 * page)) == 0x42);
    CHECK(file.memory.load<std::uint8_t>(Gpa(3 * page)) == 0);
    CHECK(file.memory.load<std::uint8_t>(Gpa(19 * page + 5)) == 0);
    CHECK(file.memory.store(Gpa(17 * page), std::uint8_t{7}));
    CHECK(file.memory.load<std::uint8_t>(Gpa(17 * page)) == 7);
    // It stays torn when no page is missing any more.
    for (std::uint64_t at = 0; at < 4 * MiB; at += page)
        file.memory.load<std::uint8_t>(Gpa(at));
    CHECK(guard.is_torn(file.memory));

    guard.watch(file.memory); // after a reset
    file.memory.unmap_files();
    CHECK_FALSE(guard.is_torn(file.memory));
}

TEST_CASE("any other SIGBUS still ends the process", "[runtime]") {
    TornFile file;
    void* const other = ::mmap(nullptr, 4 * page, PROT_READ, MAP_PRIVATE, file.fd.get(), 4 * page);
    REQUIRE(other != MAP_FAILED);
    const auto ends_with = [](auto act) {
        const pid_t child = ::fork();
        if (child == 0) {
            act();
            ::_exit(0);
        }
        int status = 0;
        REQUIRE(::waitpid(child, &status, 0) == child);
        return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    };
    const auto access_other = [&] {
        static_cast<void>(*static_cast<const volatile std::byte*>(other));
    };
    const auto access_guest = [&] { file.memory.load<std::uint8_t>(Gpa(3 * page)); };
    // Catch has a handler of its own; the default is what the monitor begins with.
    struct sigaction ours {
    }, before{};
    ours.sa_handler = SIG_DFL;
    REQUIRE(::sigaction(SIGBUS, nullptr, &before) == 0);
    const auto guarded = [&](auto act) {
        return ends_with([&] {
            ::sigaction(SIGBUS, &ours, nullptr);
            TornFileGuard guard;
            guard.watch(file.memory);
            act();
        });
    };
    file.cut_short();
    CHECK(guarded(access_guest) == 0);
    CHECK(guarded(access_other) == SIGBUS);
    CHECK(guarded([] { ::raise(SIGBUS); }) == SIGBUS);
    CHECK(guarded([&] { // without the guard
              file.memory.unmap_files();
              access_other();
          }) == SIGBUS);
    ::munmap(other, 4 * page);
}
