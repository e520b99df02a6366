// Listening sockets: made, found, and passed.
#include "tests/fakes/http_peer.h"
#include "vmm/base/error.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

using namespace coldstart;
using namespace coldstart::fakes;
using Catch::Contains;

namespace {

unsigned mode_of(const std::string& path) {
    struct stat found {};
    REQUIRE(::lstat(path.c_str(), &found) == 0);
    return found.st_mode & 07777u;
}

bool exists(const std::string& path) {
    struct stat found {};
    return ::lstat(path.c_str(), &found) == 0;
}

} // namespace

TEST_CASE("a new socket is its owner's alone whatever the umask") {
    SocketFolder folder;
    for (const mode_t mask : {0000u, 0022u, 0777u}) {
        const std::string path = folder.path(cat("umask", mask));
        const mode_t before = ::umask(mask);
        const UniqueFd socket = listen_unix(path);
        ::umask(before);
        CHECK(mode_of(path) == 0600);
        CHECK((::fcntl(socket.get(), F_GETFD) & FD_CLOEXEC) != 0);
        CHECK(connect_unix(path, 1000));
    }
}

TEST_CASE("a path that is taken is refused, and the error tells by what") {
    SocketFolder folder;
    const std::string path = folder.path("socket");
    UniqueFd live = listen_unix(path);
    CHECK_THROWS_WITH(listen_unix(path), Contains("another process listens on it"));
    // The probe of the one above is waiting in its backlog.
    live.reset();
    CHECK_THROWS_WITH(listen_unix(path), Contains("left over") && Contains("remove it (rm /tmp/"));
    const std::string file = folder.path("file");
    std::ofstream(file) << "text";
    CHECK_THROWS_WITH(listen_unix(file), Contains("is no socket"));
    const std::string link = folder.path("link");
    REQUIRE(::symlink("nowhere", link.c_str()) == 0);
    CHECK_THROWS_WITH(listen_unix(link), Contains("is no socket"));
    CHECK(exists(path));
    CHECK(exists(file));
}

TEST_CASE("a path that can't be is refused with a remedy") {
    SocketFolder folder;
    CHECK_THROWS_WITH(listen_unix(folder.path("no/socket")), Contains("its folder must exist"));
    CHECK_THROWS_AS(listen_unix(""), UsageError);
    CHECK_THROWS_AS(listen_unix(std::string("a\0b", 3)), UsageError);
    CHECK_THROWS_WITH(listen_unix(folder.path(std::string(200, 'x'))), Contains("107 bytes"));
    const std::string longest = folder.path(std::string(107 - folder.path("").size(), 'x'));
    CHECK(listen_unix(longest));
}

TEST_CASE("a socket's path goes with it, unless it is another's by now") {
    SocketFolder folder;
    const std::string path = folder.path("socket");
    {
        const UniqueFd socket = listen_unix(path);
        SocketPath first(path);
        SocketPath moved(std::move(first));
        CHECK(exists(path));
    }
    CHECK_FALSE(exists(path));
    const UniqueFd one = listen_unix(path);
    {
        const SocketPath stays(path);
        REQUIRE(::rename(path.c_str(), folder.path("renamed").c_str()) == 0);
        const UniqueFd another = listen_unix(path);
        static_cast<void>(another);
    }
    CHECK(exists(path));
    SocketPath kept(path);
    kept.keep();
    kept.remove();
    CHECK(exists(path));
    CHECK_THROWS_AS(SocketPath(folder.path("none")), Error);
}

TEST_CASE("a descriptor that is passed must be a listening Unix stream socket") {
    SocketFolder folder;
    CHECK_THROWS_WITH(listening_fd_passed(-1), Contains("is not open"));
    CHECK_THROWS_WITH(listening_fd_passed(99999), Contains("is not open"));
    CHECK_THROWS_WITH(listening_fd_passed(2), Contains("is no Unix stream socket"));
    const UniqueFd datagram(::socket(AF_UNIX, SOCK_DGRAM, 0));
    CHECK_THROWS_WITH(listening_fd_passed(datagram.get()), Contains("is no Unix stream socket"));
    const UniqueFd internet(::socket(AF_INET, SOCK_STREAM, 0));
    CHECK_THROWS_WITH(listening_fd_passed(internet.get()), Contains("is no Unix stream socket"));
    const UniqueFd silent(::socket(AF_UNIX, SOCK_STREAM, 0));
    CHECK_THROWS_WITH(listening_fd_passed(silent.get()), Contains("nobody listens"));

    const std::string path = folder.path("socket");
    UniqueFd good = listen_unix(path);
    // As systemd passes it: it blocks, and children inherit it.
    ::fcntl(good.get(), F_SETFL, 0);
    ::fcntl(good.get(), F_SETFD, 0);
    ScriptedHandler handler;
    UniqueFd passed = listening_fd_passed(good.release());
    CHECK((::fcntl(passed.get(), F_GETFD) & FD_CLOEXEC) != 0);
    HttpServer server({}, std::move(passed), handler);
    server.start();
    RawClient client(path);
    client.send("GET / HTTP/1.1\r\n\r\n");
    CHECK(client.status() == 200);
}

TEST_CASE("systemd's socket is taken if it is meant for this process") {
    ::unsetenv("LISTEN_PID");
    ::unsetenv("LISTEN_FDS");
    CHECK_FALSE(listening_fd_passed());
    ::setenv("LISTEN_FDS", "1", 1);
    ::setenv("LISTEN_PID", "1", 1);
    CHECK_FALSE(listening_fd_passed());
    CHECK(std::getenv("LISTEN_PID") != nullptr);
    ::setenv("LISTEN_PID", cat(::getpid()).c_str(), 1);
    ::setenv("LISTEN_FDS", "2", 1);
    CHECK_THROWS_WITH(listening_fd_passed(), Contains("exactly one ListenStream="));
    CHECK(std::getenv("LISTEN_FDS") == nullptr);

    // Descriptor 3 belongs to somebody else in this process, so a child tries it.
    SocketFolder folder;
    const UniqueFd socket = listen_unix(folder.path("socket"));
    const pid_t child = ::fork();
    if (child == 0) {
        bool right = ::dup2(socket.get(), 3) == 3;
        ::setenv("LISTEN_FDS", "1", 1);
        ::setenv("LISTEN_PID", cat(::getpid()).c_str(), 1);
        try {
            const UniqueFd passed = listening_fd_passed();
            right = right && passed.get() == 3 && std::getenv("LISTEN_PID") == nullptr;
        } catch (const Error&) {
            right = false;
        }
        ::_exit(right ? 0 : 1);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
}
