// Whether a UEFI firmware image is one that runs a part of itself in system management mode. Such an
// image does not work without the mode, and stops without a word.
//
// Told by edk2's driver that loads the part (PiSmmIpl), whose file stands in the compressed volume
// of the drivers.
// Source: UEFI PI specification 1.7, volume 3, sections 3.2.2 (files) and 3.2.5.6 (GUID-defined
// sections); edk2 MdeModulePkg/Universal/LzmaCustomDecompressLib (the GUID of LZMA sections).
// Missing: volumes packed otherwise (Tiano, Brotli), in which nothing is found.
// Threads: none of its own.
#pragma once

#include "vmm/base/bytes.h"

namespace coldstart {

/// Whether it is a UEFI image at all: a firmware volume begins at some page of it (UEFI PI 1.7,
/// volume 3, section 3.2.1).
bool is_uefi(ByteView image) noexcept;

/// Unpacks what is packed, which takes some tenths of a second for OVMF. A damaged section holds
/// nothing.
bool is_uefi_with_smm(ByteView image);

} // namespace coldstart
