// The cache of unpacked kernels: hits, misses, damage, folders of others, many at once, the limit.
#include "firmware-loaders/kernel_cache/kernel_cache.h"
#include "tests/unit/loader_images.h"

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <filesystem>
#include <thread>

#include <sys/stat.h>

using namespace coldstart;
using namespace coldstart::images;
namespace fs = std::filesystem;

namespace {

/// A file on disk whose last change is long enough ago, and a cache beside it.
struct Fixture {
    TempFolder folder;
    std::string path = folder.path() + "/cache/kernels";
    int unpackings = 0;

    ~Fixture() { fs::remove_all(folder.path() + "/cache"); }

    ImageBytes file(const std::string& name, const Bytes& bytes, bool settled = true) {
        const std::string file_path = folder.write(name, bytes);
        if (settled)
            std::this_thread::sleep_for(std::chrono::milliseconds(120));
        return ImageBytes::open(file_path, "kernel", "--kernel");
    }
    /// "Unpacks" to the payload's bytes twice.
    KernelCache::Kernel run(KernelCache& cache, const ImageBytes& image) {
        return cache.unpacked(
            image, image,
            [&](const ImageBytes& payload) {
                ++unpackings;
                Bytes twice = payload.copy(0, payload.size_bytes());
                twice.insert(twice.end(), twice.begin(), twice.end());
                return in_memory(twice);
            },
            [](const ImageBytes& kernel) {
                if (kernel.copy(0, 1)[0] == std::byte{0xff})
                    throw Error("no kernel");
            });
    }
    std::vector<fs::path> kept(const std::string& prefix) const {
        std::vector<fs::path> names;
        std::error_code none;
        for (const auto& entry : fs::directory_iterator(path, none)) {
            if (entry.path().filename().string().starts_with(prefix))
                names.push_back(entry.path());
        }
        return names;
    }
};

Bytes all(const ImageBytes& image) {
    return image.copy(0, image.size_bytes());
}

} // namespace

TEST_CASE("a kernel is unpacked once and kept for other runs", "[loaders]") {
    Fixture f;
    const ImageBytes image = f.file("a", pattern(5000));
    KernelCache first(f.path);
    CHECK_FALSE(first.holds(image));
    CHECK_FALSE(fs::exists(f.path)); // asking leaves no trace
    const auto fresh = f.run(first, image);
    CHECK_FALSE(fresh.was_kept);
    first.wait();
    CHECK(first.holds(image));

    KernelCache second(f.path);
    const auto kept = f.run(second, image);
    CHECK(kept.was_kept);
    CHECK(f.unpackings == 1);
    CHECK(all(kept.bytes) == all(fresh.bytes));
    CHECK(kept.bytes.file_place().has_value());
    CHECK(kept.bytes.name() == image.name());

    REQUIRE(f.kept("kernel-").size() == 1);
    const std::string name = f.kept("kernel-")[0].filename().string();
    CHECK(name.size() ==
          std::string_view("kernel-").size() + 64 + std::string_view("-10000").size());
    CHECK(name.ends_with("-10000"));
    REQUIRE(f.kept("file-").size() == 1);
    CHECK(fs::read_symlink(f.kept("file-")[0]) == name);
    struct stat status {};
    REQUIRE(::stat(f.path.c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 0700);
    REQUIRE(::stat(f.kept("kernel-")[0].c_str(), &status) == 0);
    CHECK((status.st_mode & 0222) == 0);
}

TEST_CASE("zeroes of a kept kernel are holes of its file", "[loaders]") {
    Fixture f;
    Bytes half(512 * 1024);
    std::copy_n(pattern(100).begin(), 100, half.begin() + 1000);
    std::copy_n(pattern(100).begin(), 100, half.begin() + 300'000);
    const ImageBytes image = f.file("a", half);
    KernelCache cache(f.path);
    const Bytes unpacked = all(f.run(cache, image).bytes);
    cache.wait();
    CHECK(all(f.run(cache, image).bytes) == unpacked);
    CHECK(f.unpackings == 1);
    struct stat status {};
    REQUIRE(::stat(f.kept("kernel-").at(0).c_str(), &status) == 0);
    CHECK(status.st_size == 1024 * 1024);
    CHECK(status.st_blocks * 512 <= 4 * 65536);
}

TEST_CASE("each file has its own entry, and a changed one a new one", "[loaders]") {
    Fixture f;
    KernelCache cache(f.path);
    f.run(cache, f.file("a", pattern(5000)));
    f.run(cache, f.file("b", pattern(5000)));
    cache.wait();
    CHECK(f.unpackings == 2);
    CHECK(f.kept("kernel-").size() == 2);
    CHECK(f.kept("file-").size() == 2);

    const auto changed = f.run(cache, f.file("a", pattern(6000)));
    CHECK_FALSE(changed.was_kept);
    CHECK(changed.bytes.size_bytes() == 12000);
    cache.wait();
    CHECK(f.kept("kernel-").size() == 3);
}

TEST_CASE("of a file that has just changed nothing is kept", "[loaders]") {
    Fixture f;
    KernelCache cache(f.path);
    const ImageBytes image = f.file("a", pattern(5000), false);
    f.run(cache, image);
    cache.wait();
    CHECK(f.kept("").empty());
    std::this_thread::sleep_for(std::chrono::milliseconds(120));
    f.run(cache, image);
    cache.wait();
    CHECK(f.run(cache, image).was_kept);
}

TEST_CASE("the part of the file and its every time count", "[loaders]") {
    Fixture f;
    KernelCache cache(f.path);
    const ImageBytes image = f.file("a", pattern(9000));
    f.run(cache, image);
    cache.wait();
    CHECK(cache.holds(image));
    CHECK_FALSE(cache.holds(image.slice(1, 8999, "part")));
    CHECK_FALSE(cache.holds(image.slice(0, 8999, "part")));
    CHECK_FALSE(cache.holds(in_memory(pattern(9000))));
    // Back-dated contents: the time of the inode's change can't be set.
    const std::string path = f.folder.path() + "/a";
    const fs::file_time_type before = fs::last_write_time(path);
    f.folder.write("a", pattern(9000));
    fs::last_write_time(path, before);
    CHECK_FALSE(cache.holds(ImageBytes::open(path, "kernel", "--kernel")));
}

TEST_CASE("what does not pass is unpacked again and replaced", "[loaders]") {
    Fixture f;
    const ImageBytes image = f.file("a", pattern(5000));
    KernelCache cache(f.path);
    const Bytes right = all(f.run(cache, image).bytes);
    cache.wait();
    const fs::path entry = f.kept("kernel-").at(0);
    const auto overwrite = [&](const Bytes& bytes) {
        fs::permissions(entry, fs::perms::owner_all);
        std::ofstream(entry, std::ios::binary | std::ios::trunc)
            .write(reinterpret_cast<const char*>(bytes.data()),
                   static_cast<std::streamsize>(bytes.size()));
    };
    SECTION("damaged") {
        overwrite(Bytes(10000, std::byte{0xff}));
    }
    SECTION("cut short") {
        overwrite(Bytes(right.begin(), right.begin() + 9999));
    }
    SECTION("gone") {
        fs::remove(entry);
    }
    const auto again = f.run(cache, image);
    CHECK_FALSE(again.was_kept);
    CHECK(all(again.bytes) == right);
    cache.wait();
    const auto last = f.run(cache, image);
    CHECK(last.was_kept);
    CHECK(all(last.bytes) == right);
    CHECK(f.unpackings == 2);
}

TEST_CASE("what others may have put there is not used", "[loaders]") {
    Fixture f;
    const ImageBytes image = f.file("a", pattern(5000));
    KernelCache cache(f.path);
    f.run(cache, image);
    cache.wait();
    const fs::path entry = f.kept("kernel-").at(0);
    const fs::path link = f.kept("file-").at(0);
    const Bytes wrong(10000, std::byte{0x41});
    SECTION("a folder that others may write to") {
        fs::permissions(f.path, fs::perms::others_write, fs::perm_options::add);
    }
    SECTION("a file that others may write to") {
        fs::permissions(entry, fs::perms::group_write, fs::perm_options::add);
    }
    SECTION("a link in the place of the file") {
        const std::string elsewhere = f.folder.write("elsewhere", wrong);
        fs::remove(entry);
        fs::create_symlink(elsewhere, entry);
    }
    SECTION("a link out of the folder") {
        f.folder.write("kernel-0-10000", wrong);
        fs::remove(link);
        fs::create_symlink("../../kernel-0-10000", link);
    }
    SECTION("a folder in the place of the file") {
        fs::remove(entry);
        fs::create_directory(entry);
    }
    SECTION("a link in the place of the folder") {
        fs::rename(f.path, f.path + "2");
        fs::create_symlink(f.path + "2", f.path);
    }
    SECTION("a file of somebody else") {
        if (::geteuid() != 0) {
            WARN("skipped: only root can make a file somebody else's");
            return;
        }
        REQUIRE(::chown(entry.c_str(), 65534, 65534) == 0);
    }
    SECTION("a folder of somebody else") {
        if (::geteuid() != 0) {
            WARN("skipped: only root can make a folder somebody else's");
            return;
        }
        REQUIRE(::chown(f.path.c_str(), 65534, 65534) == 0);
    }
    const auto kernel = f.run(cache, image);
    CHECK_FALSE(kernel.was_kept);
    CHECK(f.unpackings == 2);
    CHECK(kernel.bytes.size_bytes() == 10000);
    CHECK(all(kernel.bytes)[5] == pattern(5000)[5]);
    cache.wait();
}

TEST_CASE("a kernel that can't be kept boots all the same", "[loaders]") {
    Fixture f;
    const ImageBytes image = f.file("a", pattern(5000));
    const std::string blocked = f.folder.write("blocked", bytes_of("no folder"));
    for (const std::string& path : {blocked + "/kernels", std::string("/proc/self/kernels")}) {
        KernelCache cache(path);
        CHECK_FALSE(cache.holds(image));
        CHECK(f.run(cache, image).bytes.size_bytes() == 10000);
        cache.wait();
        CHECK_FALSE(f.run(cache, image).was_kept);
    }
    CHECK_THROWS_AS(
        [&] {
            KernelCache cache(f.path);
            f.run(cache, f.file("damaged", Bytes(100, std::byte{0xff})));
        }(),
        Error);
    CHECK(f.kept("").empty());
}

TEST_CASE("the kernels used last stay within the limit", "[loaders]") {
    Fixture f;
    KernelCache cache(f.path, 25000);
    std::vector<ImageBytes> images;
    for (int i = 0; i < 3; ++i) {
        Bytes bytes = pattern(5000);
        bytes[0] = static_cast<std::byte>(i);
        images.push_back(f.file(std::to_string(i), bytes));
    }
    const auto tick = [] { std::this_thread::sleep_for(std::chrono::milliseconds(30)); };
    f.run(cache, images[0]);
    f.run(cache, images[1]);
    cache.wait();
    tick();                                  // times of files come in steps
    CHECK(f.run(cache, images[0]).was_kept); // the other one is the oldest now
    tick();
    f.run(cache, images[2]);
    cache.wait();
    CHECK(cache.holds(images[0]));
    CHECK_FALSE(cache.holds(images[1]));
    CHECK(cache.holds(images[2]));
    CHECK(f.kept("kernel-").size() == 2);
    CHECK(f.kept("file-").size() == 2);

    KernelCache none(f.path, 100);
    f.run(none, images[1]);
    none.wait();
    CHECK(f.kept("").empty());
}

TEST_CASE("writers that died leave nothing for long", "[loaders]") {
    Fixture f;
    KernelCache cache(f.path);
    f.run(cache, f.file("a", pattern(5000)));
    cache.wait();
    for (const char* const name : {".new-1-0", ".new-2-0"})
        std::ofstream(f.path + "/" + name) << "half a kernel";
    fs::last_write_time(f.path + "/.new-1-0",
                        fs::file_time_type::clock::now() - std::chrono::hours(2));
    f.run(cache, f.file("b", pattern(6000)));
    cache.wait();
    CHECK_FALSE(fs::exists(f.path + "/.new-1-0"));
    CHECK(fs::exists(f.path + "/.new-2-0"));
}

TEST_CASE("many at once read whole kernels or none", "[loaders]") {
    Fixture f;
    std::vector<ImageBytes> images;
    for (int i = 0; i < 4; ++i)
        images.push_back(f.file(std::to_string(i), pattern(40000 + static_cast<std::size_t>(i))));
    std::atomic<int> wrong{0}, kept{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&] {
            for (int round = 0; round < 25; ++round) {
                const ImageBytes& image = images[static_cast<std::size_t>(round) % 4];
                // Room for two of the four: they push one another out.
                KernelCache cache(f.path, 170000);
                const auto kernel = cache.unpacked(
                    image, image,
                    [](const ImageBytes& payload) { return payload.in_host_memory(); },
                    [](const ImageBytes&) {});
                kept += kernel.was_kept ? 1 : 0;
                wrong += all(kernel.bytes) == all(image) ? 0 : 1;
            }
        });
    for (std::thread& thread : threads)
        thread.join();
    CHECK(wrong == 0);
    CHECK(kept > 0);
    CHECK(f.kept(".new-").empty());
}

TEST_CASE("the folder is in the user's cache, if there is one", "[loaders]") {
    const auto with = [](const char* xdg, const char* home) {
        const auto set = [](const char* name, const char* value) {
            if (value == nullptr)
                ::unsetenv(name);
            else
                ::setenv(name, value, 1);
        };
        const char* const old_xdg = std::getenv("XDG_CACHE_HOME");
        const char* const old_home = std::getenv("HOME");
        const std::optional<std::string> keep_xdg =
            old_xdg == nullptr ? std::nullopt : std::optional<std::string>(old_xdg);
        const std::optional<std::string> keep_home =
            old_home == nullptr ? std::nullopt : std::optional<std::string>(old_home);
        set("XDG_CACHE_HOME", xdg);
        set("HOME", home);
        const auto folder = KernelCache::default_folder();
        set("XDG_CACHE_HOME", keep_xdg ? keep_xdg->c_str() : nullptr);
        set("HOME", keep_home ? keep_home->c_str() : nullptr);
        return folder;
    };
    CHECK(with("/x", "/h") == "/x/coldstart/kernels");
    CHECK(with("relative", "/h") == "/h/.cache/coldstart/kernels");
    CHECK(with("", "/h") == "/h/.cache/coldstart/kernels");
    CHECK(with(nullptr, "/h") == "/h/.cache/coldstart/kernels");
    CHECK(with(nullptr, nullptr) == std::nullopt);
    CHECK(with("relative", "h") == std::nullopt);
}
