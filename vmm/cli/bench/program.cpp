#include "vmm/cli/bench/program.h"

#include "vmm/base/error.h"
#include "vmm/base/text.h"
#include "vmm/cli/bench/spawn.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>

#include <poll.h>
#include <unistd.h>

namespace coldstart {
namespace {

namespace fs = std::filesystem;

constexpr const char* dynamic_loader = "/lib64/ld-linux-x86-64.so.2";

bool executable(const std::string& path) {
    return ::access(path.c_str(), X_OK) == 0 && fs::is_regular_file(path);
}

void put_copy(const fs::path& from, const fs::path& to) {
    std::error_code error;
    fs::copy_file(from, to, fs::copy_options::overwrite_existing, error);
    if (error)
        throw system_error(cat("copying ", from.string(), " to ", to.parent_path().string()),
                           error.value(), "give the lab more memory (--memory)");
}

/// All a short program writes to stdout.
std::string output_of(const Words& command) {
    const ChildProcess child(command);
    std::string text;
    std::array<char, 4096> buffer;
    while (true) {
        pollfd fd{child.out(), POLLIN, 0};
        ::poll(&fd, 1, -1);
        const ssize_t got = ::read(child.out(), buffer.data(), buffer.size());
        if (got > 0)
            text.append(buffer.data(), static_cast<std::size_t>(got));
        else if (got == 0 || errno != EAGAIN)
            return text;
    }
}

/// The paths in "libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x...)".
std::vector<std::string> libraries_in(std::string_view text) {
    std::vector<std::string> paths;
    constexpr std::string_view arrow = "=> /";
    for (std::size_t at = text.find(arrow); at != std::string_view::npos;
         at = text.find(arrow, at + 1)) {
        const std::string_view path = text.substr(at + arrow.size() - 1);
        paths.emplace_back(path.substr(0, path.find(' ')));
    }
    return paths;
}

} // namespace

std::string find_program(const std::string& program) {
    if (program.find('/') != std::string::npos)
        return executable(program) ? fs::absolute(program).string() : "";
    const char* const variable = std::getenv("PATH");
    std::string_view folders = variable != nullptr ? variable : "/usr/bin:/bin";
    while (!folders.empty()) {
        const std::size_t end = std::min(folders.find(':'), folders.size());
        const std::string path = cat(folders.substr(0, end), '/', program);
        if (executable(path))
            return path;
        folders.remove_prefix(std::min(end + 1, folders.size()));
    }
    return "";
}

Words copy_program(const std::string& program, const std::string& folder) {
    const fs::path own = fs::path(folder) / "lib" / fs::path(program).filename();
    fs::create_directories(own);
    const std::string copied = (own / "program").string();
    put_copy(program, copied);
    const std::vector<std::string> libraries =
        executable(dynamic_loader) ? libraries_in(output_of({dynamic_loader, "--list", program}))
                                   : std::vector<std::string>();
    if (libraries.empty()) // linked statically
        return {copied};
    for (const std::string& library : libraries)
        put_copy(library, own / fs::path(library).filename());
    const std::string loader = (own / "loader").string();
    put_copy(dynamic_loader, loader);
    return {loader, "--library-path", own.string(), copied};
}

void copy_qemu_data(const std::string& folder) {
    for (const char* const name : {"linuxboot_dma.bin", "kvmvapic.bin", "pvh.bin",
                                   "bios-microvm.bin", "bios-256k.bin", "qboot.rom"}) {
        const fs::path source = fs::path("/usr/share/qemu") / name;
        const fs::path firmware = fs::path("/usr/share/seabios") / name;
        // QEMU looks in its own folder first; Debian has another bios-microvm.bin in each.
        const fs::path& found = fs::exists(source) ? source : firmware;
        if (fs::exists(found))
            put_copy(found, fs::path(folder) / name);
    }
}

} // namespace coldstart
