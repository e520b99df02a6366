// Pictures as PNG files.
// Source: PNG (ISO/IEC 15948), by libpng.
// Threads: any.
#pragma once

#include "devices/vga/screen.h"

#include <string>

namespace coldstart {

/// Writes `image` to `path`, of 24 bits without alpha. Who reads `path` meanwhile finds the old
/// file or the new one, whole: it is made beside it and renamed. Throws Error when the picture is
/// empty or the file can't be written; what was there before then stays.
void write_png(const std::string& path, const Image& image);

/// The same in memory. Throws Error when the picture is empty.
std::string png_bytes(const Image& image);

} // namespace coldstart
