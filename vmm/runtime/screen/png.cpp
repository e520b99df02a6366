#include "vmm/runtime/screen/png.h"

#include "vmm/base/error.h"
#include "vmm/base/text.h"
#include "vmm/base/unique_fd.h"

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <memory>

#include <fcntl.h>
#include <png.h>
#include <unistd.h>

namespace coldstart {
namespace {

static_assert(sizeof(Rgb) == 3, "libpng takes the pixels as they are");

constexpr const char* remedy = "free some space or choose another file";

/// A file that is gone at the end unless it was kept under its real name.
class Draft {
  public:
    explicit Draft(const std::string& path) : path_(path) {
        static std::atomic<unsigned> serial{0};
        draft_path_ = cat(path, ".", ::getpid(), ".", serial.fetch_add(1), ".tmp");
        UniqueFd fd(::open(draft_path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
        if (!fd)
            fail();
        file_.reset(::fdopen(fd.get(), "wb"));
        if (!file_) {
            const int error_number = errno;
            ::unlink(draft_path_.c_str());
            errno = error_number;
            fail();
        }
        fd.release();
    }
    Draft(const Draft&) = delete;
    Draft& operator=(const Draft&) = delete;
    ~Draft() {
        if (!kept_)
            ::unlink(draft_path_.c_str());
    }

    std::FILE* file() const noexcept { return file_.get(); }

    void keep() {
        if (std::fclose(file_.release()) != 0)
            fail();
        if (::rename(draft_path_.c_str(), path_.c_str()) != 0)
            fail();
        kept_ = true;
    }

    [[noreturn]] void fail() const { throw system_error(cat("picture ", path_), errno, remedy); }

  private:
    struct Close {
        void operator()(std::FILE* file) const noexcept { std::fclose(file); }
    };

    std::string path_;
    std::string draft_path_;
    std::unique_ptr<std::FILE, Close> file_;
    bool kept_ = false;
};

png_image header_of(const Image& image) {
    png_image png{};
    png.version = PNG_IMAGE_VERSION;
    png.width = image.width;
    png.height = image.height;
    png.format = PNG_FORMAT_RGB;
    png.flags = PNG_IMAGE_FLAG_FAST;
    return png;
}

void check(const std::string& what, const Image& image) {
    if (image.pixels.empty() || image.pixels.size() != std::size_t{image.width} * image.height)
        throw Error(cat(what, ": there is nothing to draw"));
}

} // namespace

std::string png_bytes(const Image& image) {
    check("picture", image);
    png_image png = header_of(image);
    png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(png);
    std::string bytes(size, '\0');
    if (png_image_write_to_memory(&png, bytes.data(), &size, 0, image.pixels.data(), 0, nullptr) ==
        0)
        throw Error(cat("picture: libpng says: ", png.message));
    bytes.resize(size);
    return bytes;
}

void write_png(const std::string& path, const Image& image) {
    check(cat("picture ", path), image);
    Draft draft(path);
    png_image png = header_of(image);
    errno = 0;
    const int written =
        png_image_write_to_stdio(&png, draft.file(), 0, image.pixels.data(), 0, nullptr);
    if (written == 0 && errno != 0)
        draft.fail();
    if (written == 0)
        throw Error(cat("picture ", path, ": libpng says: ", png.message));
    draft.keep();
}

} // namespace coldstart
