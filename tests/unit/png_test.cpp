// Pictures in files, decoded again by libpng.
#include "tests/fakes/virtio_temp_file.h"
#include "tests/unit/vga_guest.h"
#include "vmm/base/error.h"
#include "vmm/runtime/screen/png.h"

#include <catch2/catch.hpp>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <png.h>
#include <sys/resource.h>

using namespace coldstart;

namespace {

struct TempFolder {
    TempFolder() {
        std::string name = (std::filesystem::temp_directory_path() / "coldstart-png-XXXXXX");
        if (::mkdtemp(name.data()) == nullptr)
            throw std::runtime_error("can't make a temporary folder");
        path = name;
    }
    ~TempFolder() { std::filesystem::remove_all(path); }
    std::size_t files() const {
        const std::filesystem::directory_iterator all(path);
        return static_cast<std::size_t>(std::distance(begin(all), end(all)));
    }
    std::filesystem::path path;
};

Image decode(const std::string& path) {
    png_image png{};
    png.version = PNG_IMAGE_VERSION;
    REQUIRE(png_image_begin_read_from_file(&png, path.c_str()) != 0);
    CHECK(png.format == PNG_FORMAT_RGB);
    Image image{png.width, png.height, {}};
    image.pixels.resize(std::size_t{png.width} * png.height);
    REQUIRE(png_image_finish_read(&png, nullptr, image.pixels.data(), 0, nullptr) != 0);
    return image;
}

std::string contents(const std::filesystem::path& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
}

/// Files end at `bytes`, as a full disk's would.
class FileSizeLimit {
  public:
    explicit FileSizeLimit(rlim_t bytes) {
        ::getrlimit(RLIMIT_FSIZE, &before_);
        handler_ = ::signal(SIGXFSZ, SIG_IGN);
        const rlimit limit{bytes, before_.rlim_max};
        ::setrlimit(RLIMIT_FSIZE, &limit);
    }
    ~FileSizeLimit() {
        ::setrlimit(RLIMIT_FSIZE, &before_);
        ::signal(SIGXFSZ, handler_);
    }

  private:
    rlimit before_{};
    void (*handler_)(int) = SIG_DFL;
};

} // namespace

TEST_CASE("a text screen becomes a PNG file", "[png]") {
    fakes::VgaGuest guest;
    guest.text_mode(80, 25, 16, false);
    guest.load_glyph('c', {0, 0, 0, 0x3c, 0x66, 0x60, 0x60, 0x66, 0x3c});
    guest.print(81, "ccc", 0x1e);
    const Image drawn = guest.function.screen().image();
    TempFolder folder;
    const std::string path = folder.path / "screen.png";
    std::ofstream(path) << "what was there before";
    write_png(path, drawn);
    const Image read = decode(path);
    CHECK(read.width == 720);
    CHECK(read.height == 400);
    CHECK(read.pixels == drawn.pixels);
    CHECK(read.at(9 + 2, 16 + 3) != read.at(9 + 1, 16 + 3));
    CHECK(folder.files() == 1);
}

TEST_CASE("a picture that can't be written leaves the old file", "[png]") {
    TempFolder folder;
    const std::string path = folder.path / "screen.png";
    std::ofstream(path) << "old";
    Image image{64, 64, {}};
    CHECK_THROWS_AS(write_png(path, image), Error);
    image.pixels.resize(64 * 64);
    for (std::size_t i = 0; i < image.pixels.size(); ++i)
        image.pixels[i].red = static_cast<std::uint8_t>(i * i >> 3);
    {
        const FileSizeLimit limit(100);
        CHECK_THROWS_WITH(write_png(path, image),
                          Catch::Contains("screen.png") && Catch::Contains("too large"));
    }
    CHECK(contents(path) == "old");
    CHECK(folder.files() == 1);
    CHECK_THROWS_WITH(write_png(folder.path / "none" / "screen.png", image),
                      Catch::Contains("No such file"));
    write_png(path, image);
    CHECK(decode(path).pixels == image.pixels);
}
