#include "tests/unit/loader_images.h"

#include <catch2/catch.hpp>

#include <sys/stat.h>

using namespace coldstart;
using namespace coldstart::images;
using Catch::Contains;

TEST_CASE("a kernel file that can't be read is refused with its reason", "[loaders]") {
    TempFolder folder;
    const auto open = [](const std::string& path) {
        return ImageBytes::open(path, "kernel", "--kernel");
    };
    CHECK_THROWS_WITH(open(folder.path() + "/none"),
                      Contains("No such file") && Contains("--kernel"));
    CHECK_THROWS_WITH(open(folder.path()), Contains("is a directory"));
    CHECK_THROWS_WITH(open(folder.write("empty", {})), Contains("empty"));
    CHECK_THROWS_WITH(open("/dev/null"), Contains("is a device"));
    const std::string pipe = folder.expect("pipe");
    REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
    CHECK_THROWS_WITH(open(pipe), Contains("is a pipe"));
    CHECK_THROWS_WITH(open(std::string("a\0b", 3)), Contains("zero byte"));
    if (::geteuid() != 0) {
        const std::string secret = folder.write("secret", bytes_of("x"));
        REQUIRE(::chmod(secret.c_str(), 0) == 0);
        CHECK_THROWS_WITH(open(secret), Contains("Permission denied"));
    }
}

TEST_CASE("a file that shrinks while it is read is an error, not a signal", "[loaders]") {
    TempFolder folder;
    const std::string path = folder.write("kernel", pattern(10000));
    const ImageBytes image = ImageBytes::open(path, "kernel", "--kernel");
    CHECK(image.copy(0, 10000) == pattern(10000));
    REQUIRE(::truncate(path.c_str(), 5000) == 0);
    CHECK_THROWS_WITH(image.copy(0, 10000), Contains("became shorter"));
    CHECK_THROWS_WITH(image.in_host_memory(), Contains("became shorter"));
}

TEST_CASE("slices stay inside what they are cut from", "[loaders]") {
    const Bytes all = pattern(1000);
    const ImageBytes image = in_memory(all);
    const ImageBytes inner = image.slice(100, 200, "part").slice(50, 100, "part of a part");
    CHECK(inner.size_bytes() == 100);
    CHECK(inner.copy(10, 5) == Bytes(all.begin() + 160, all.begin() + 165));
    CHECK(inner.view().data() == image.view().data() + 150);
    CHECK_THROWS_WITH(inner.copy(0, 101), Contains("ends before"));
    CHECK_THROWS_WITH(inner.copy(~0ull, 2), Contains("ends before"));
    CHECK_THROWS_WITH(inner.copy(2, ~0ull), Contains("ends before"));
    CHECK_THROWS_WITH(image.slice(900, 101, "the tail"), Contains("the tail"));
    CHECK_THROWS_WITH(image.slice(~0ull, 2, "x"), Contains("past the end"));
}

TEST_CASE("a host buffer grows and stops at its limit", "[loaders]") {
    HostBuffer buffer(1, 3000);
    auto space = buffer.space(1000);
    REQUIRE(space.size() >= 1000);
    std::memset(space.data(), 7, 1000);
    buffer.commit(1000);
    space = buffer.space(10000);
    CHECK(space.size() == 2000);
    CHECK(buffer.view()[999] == std::byte{7});
    buffer.commit(2000);
    CHECK_THROWS_WITH(buffer.space(1), Contains("more than 3000"));
}
