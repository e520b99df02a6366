// The recognisers behind identify_media, one a family. Each fills `info` and returns true, or
// returns false and leaves it as it was.
#pragma once

#include "firmware-loaders/media/media.h"
#include "firmware-loaders/media/media_file.h"

namespace coldstart {

/// A file system or swap area at the start of the window.
std::optional<FilesystemInfo> recognise_filesystem(const MediaFile& window);

bool recognise_archive(const MediaFile& file, MediaInfo& info);
bool recognise_foreign_disk(const MediaFile& file, MediaInfo& info);
bool recognise_option_rom(const MediaFile& file, MediaInfo& info);
bool recognise_optical_disc(const MediaFile& file, MediaInfo& info);
bool recognise_gpt(const MediaFile& file, MediaInfo& info);
bool recognise_mbr(const MediaFile& file, MediaInfo& info);
bool recognise_firmware(const MediaFile& file, MediaInfo& info);

} // namespace coldstart
