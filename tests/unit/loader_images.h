// Builders of small kernel images for the loaders' tests and their fuzz program: each field a test
// may want to bend has a name, everything else is as a real build writes it.
#pragma once

#include "firmware-loaders/boot_plan.h"
#include "firmware-loaders/decompress/decompress.h"
#include "firmware-loaders/source/image_bytes.h"
#include "vmm/base/byte_size.h"
#include "vmm/base/bytes.h"
#include "vmm/base/error.h"

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <bzlib.h>
#include <elf.h>
#include <fcntl.h>
#include <libfdt.h>
#include <lz4.h>
#include <lz4frame.h>
#include <lzma.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

namespace coldstart::images {

using Bytes = std::vector<std::byte>;

inline Bytes bytes_of(std::string_view text) {
    const auto view = std::as_bytes(std::span(text.data(), text.size()));
    return {view.begin(), view.end()};
}

/// `size` bytes that compress, but are not all the same.
inline Bytes pattern(std::size_t size) {
    Bytes bytes(size);
    for (std::size_t i = 0; i < size; ++i)
        bytes[i] = static_cast<std::byte>((i / 7) ^ (i >> 9));
    return bytes;
}

inline ImageBytes in_memory(ByteView bytes, const std::string& name = "kernel test") {
    HostBuffer buffer(bytes.size(), std::max<std::size_t>(bytes.size(), 1));
    if (!bytes.empty())
        std::memcpy(buffer.space(bytes.size()).data(), bytes.data(), bytes.size());
    buffer.commit(bytes.size());
    return ImageBytes::in_memory(name, std::move(buffer));
}

/// A folder that goes away with the test.
class TempFolder {
  public:
    TempFolder() {
        std::string name = "/tmp/coldstart-loaders-XXXXXX";
        if (::mkdtemp(name.data()) == nullptr)
            throw std::runtime_error("mkdtemp");
        path_ = name;
    }
    ~TempFolder() {
        for (const std::string& file : files_)
            ::unlink(file.c_str());
        ::rmdir(path_.c_str());
    }
    TempFolder(const TempFolder&) = delete;
    TempFolder& operator=(const TempFolder&) = delete;

    const std::string& path() const noexcept { return path_; }
    /// The path of a file to be made by someone else, removed at the end.
    std::string expect(const std::string& name) {
        files_.push_back(path_ + "/" + name);
        return files_.back();
    }
    std::string write(const std::string& name, ByteView bytes) {
        const std::string path = expect(name);
        std::ofstream out(path, std::ios::binary | std::ios::trunc);
        out.write(reinterpret_cast<const char*>(bytes.data()),
                  static_cast<std::streamsize>(bytes.size()));
        if (!out.flush())
            throw std::runtime_error("can't write " + path);
        return path;
    }

  private:
    std::string path_;
    std::vector<std::string> files_;
};

struct ElfPart {
    std::uint64_t physical = 0;
    Bytes bytes;
    std::uint64_t memory_bytes = 0; ///< 0: as many as in the file
};

struct ElfBuilder {
    std::uint64_t entry = 0x200000;
    std::uint64_t map_base = 0xffffffff80000000; ///< virtual minus physical, as Linux links
    std::vector<ElfPart> parts;
    Bytes notes;
    std::uint16_t machine = EM_X86_64;
    std::uint16_t type = ET_EXEC;
    bool aligned = false; ///< segments lie in the file's pages as they do in memory's

    void add_note(std::string_view owner, std::uint32_t note_type, ByteView value) {
        append_le(notes, static_cast<std::uint32_t>(owner.size() + 1));
        append_le(notes, static_cast<std::uint32_t>(value.size()));
        append_le(notes, note_type);
        const auto pad = [&] { notes.resize(align_up(notes.size(), 4)); };
        const Bytes name = bytes_of(owner);
        notes.insert(notes.end(), name.begin(), name.end());
        notes.push_back(std::byte{0});
        pad();
        notes.insert(notes.end(), value.begin(), value.end());
        pad();
    }
    void add_pvh_note(std::uint64_t address, std::size_t value_bytes = 8) {
        Bytes value;
        append_le(value, address);
        value.resize(value_bytes);
        add_note("Xen", 18, value);
    }

    template <typename Ehdr, typename Phdr>
    Bytes build_as(unsigned char elf_class) const {
        Ehdr header{};
        std::memcpy(header.e_ident, ELFMAG, SELFMAG);
        header.e_ident[EI_CLASS] = elf_class;
        header.e_ident[EI_DATA] = ELFDATA2LSB;
        header.e_ident[EI_VERSION] = EV_CURRENT;
        header.e_type = type;
        header.e_machine = machine;
        header.e_version = EV_CURRENT;
        header.e_entry = static_cast<decltype(header.e_entry)>(entry);
        header.e_phoff = sizeof(Ehdr);
        header.e_ehsize = sizeof(Ehdr);
        header.e_phentsize = sizeof(Phdr);
        header.e_phnum = static_cast<std::uint16_t>(parts.size() + (notes.empty() ? 0 : 1));

        std::vector<Phdr> programs;
        Bytes body;
        const std::size_t body_at = sizeof(Ehdr) + header.e_phnum * sizeof(Phdr);
        const auto place = [&](const Bytes& bytes, Phdr& program) {
            using Word = decltype(program.p_offset);
            program.p_offset = static_cast<Word>(body_at + body.size());
            program.p_filesz = static_cast<Word>(bytes.size());
            program.p_memsz = program.p_filesz;
            body.insert(body.end(), bytes.begin(), bytes.end());
        };
        if (!notes.empty()) {
            Phdr program{};
            program.p_type = PT_NOTE;
            program.p_align = 4;
            place(notes, program);
            programs.push_back(program);
        }
        for (const ElfPart& part : parts) {
            Phdr program{};
            using Address = decltype(program.p_paddr);
            if (aligned)
                body.resize(body.size() +
                            (part.physical - body_at - body.size()) % page_size_bytes);
            program.p_type = PT_LOAD;
            program.p_flags = PF_R | PF_X;
            program.p_paddr = static_cast<Address>(part.physical);
            program.p_vaddr = static_cast<Address>(part.physical + map_base);
            place(part.bytes, program);
            if (part.memory_bytes != 0)
                program.p_memsz = static_cast<decltype(program.p_memsz)>(part.memory_bytes);
            programs.push_back(program);
        }
        Bytes out;
        const auto append = [&](const void* data, std::size_t size) {
            const auto* first = static_cast<const std::byte*>(data);
            out.insert(out.end(), first, first + size);
        };
        append(&header, sizeof header);
        append(programs.data(), programs.size() * sizeof(Phdr));
        append(body.data(), body.size());
        return out;
    }
    Bytes build() const { return build_as<Elf64_Ehdr, Elf64_Phdr>(ELFCLASS64); }
    Bytes build32() const { return build_as<Elf32_Ehdr, Elf32_Phdr>(ELFCLASS32); }
};

/// A vmlinux in miniature: two segments from 2 MiB on, the second with a bss, a PVH note.
inline ElfBuilder small_vmlinux() {
    ElfBuilder elf;
    elf.parts.push_back({0x200000, pattern(600), 0});
    elf.parts.push_back({0x201000, pattern(100), 0x800});
    elf.add_pvh_note(0x200040);
    return elf;
}

/// A 32-bit PVH kernel that is not Linux.
inline ElfBuilder small_pvh32() {
    ElfBuilder elf;
    elf.machine = EM_386;
    elf.map_base = 0;
    elf.entry = 0x100000;
    elf.parts.push_back({0x100000, pattern(300), 0x400});
    elf.add_pvh_note(0x100010, 4);
    return elf;
}

struct BzImageBuilder {
    std::uint16_t protocol = 0x020f;
    std::uint8_t load_flags = 1;   ///< LOADED_HIGH
    std::uint16_t xload_flags = 3; ///< XLF_KERNEL_64, XLF_CAN_BE_LOADED_ABOVE_4G
    std::uint32_t command_line_bytes = 2047;
    std::uint32_t initrd_address_max = 0x7fffffff;
    std::uint32_t alignment = 0x200000;
    std::uint8_t relocatable = 1;
    std::uint64_t preferred_address = 0x200000;
    std::uint32_t init_bytes = 0x4000;
    std::uint8_t setup_sectors = 3;
    std::string version = "6.1.0-test (builder) #1";
    Bytes payload;
    std::uint32_t payload_offset = 0x240; ///< behind the 64-bit entry

    Bytes build() const {
        const std::size_t setup = (std::size_t{setup_sectors} + 1) * 512;
        Bytes out(align_up(setup + payload_offset + payload.size(), 16));
        const auto put = [&](std::size_t at, auto value) { store_le(std::span(out), at, value); };
        put(0x1f1, setup_sectors);
        put(0x1f4, static_cast<std::uint32_t>((out.size() - setup) / 16));
        put(0x1fe, std::uint16_t{0xaa55});
        put(0x200, std::uint16_t{0x6aeb}); // a jump over the header, which ends at 0x26c
        put(0x202, std::uint32_t{0x53726448});
        put(0x206, protocol);
        put(0x20e, std::uint16_t{0x300 - 0x200});
        put(0x211, load_flags);
        put(0x22c, initrd_address_max);
        put(0x230, alignment);
        put(0x234, relocatable);
        put(0x236, xload_flags);
        put(0x238, command_line_bytes);
        put(0x248, payload.empty() ? 0u : payload_offset);
        put(0x24c, static_cast<std::uint32_t>(payload.size()));
        put(0x258, preferred_address);
        put(0x260, init_bytes);
        std::memcpy(out.data() + 0x300, version.c_str(), version.size() + 1);
        out[0x1ef] = std::byte{0xff}; // the sentinel, which must not reach boot_params
        for (std::size_t i = setup; i < setup + payload_offset; ++i)
            out[i] = std::byte{0x90};
        if (!payload.empty())
            std::memcpy(out.data() + setup + payload_offset, payload.data(), payload.size());
        return out;
    }
};

inline Bytes lzma_with(lzma_stream& stream, ByteView in) {
    Bytes out(in.size() * 2 + 4096);
    stream.next_in = reinterpret_cast<const std::uint8_t*>(in.data());
    stream.avail_in = in.size();
    stream.next_out = reinterpret_cast<std::uint8_t*>(out.data());
    stream.avail_out = out.size();
    const lzma_ret status = lzma_code(&stream, LZMA_FINISH);
    out.resize(out.size() - stream.avail_out);
    lzma_end(&stream);
    if (status != LZMA_STREAM_END)
        throw std::runtime_error("liblzma");
    return out;
}

inline Bytes pack_xz(ByteView in) {
    // As scripts/xz_wrap.sh does it for x86: BCJ filter, CRC32.
    lzma_options_lzma options;
    lzma_lzma_preset(&options, 6);
    lzma_filter filters[] = {
        {LZMA_FILTER_X86, nullptr}, {LZMA_FILTER_LZMA2, &options}, {LZMA_VLI_UNKNOWN, nullptr}};
    lzma_stream stream = LZMA_STREAM_INIT;
    if (lzma_stream_encoder(&stream, filters, LZMA_CHECK_CRC32) != LZMA_OK)
        throw std::runtime_error("liblzma");
    return lzma_with(stream, in);
}

inline Bytes pack_lzma(ByteView in) {
    lzma_options_lzma options;
    lzma_lzma_preset(&options, 6);
    lzma_stream stream = LZMA_STREAM_INIT;
    if (lzma_alone_encoder(&stream, &options) != LZMA_OK)
        throw std::runtime_error("liblzma");
    return lzma_with(stream, in);
}

inline Bytes pack_gzip(ByteView in) {
    z_stream stream{};
    if (deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        throw std::runtime_error("zlib");
    Bytes out(in.size() * 2 + 4096);
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(in.data()));
    stream.avail_in = static_cast<uInt>(in.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    const int status = deflate(&stream, Z_FINISH);
    out.resize(stream.total_out);
    deflateEnd(&stream);
    if (status != Z_STREAM_END)
        throw std::runtime_error("zlib");
    return out;
}

inline Bytes pack_bzip2(ByteView in) {
    Bytes out(in.size() * 2 + 4096);
    unsigned size = static_cast<unsigned>(out.size());
    if (BZ2_bzBuffToBuffCompress(reinterpret_cast<char*>(out.data()), &size,
                                 reinterpret_cast<char*>(const_cast<std::byte*>(in.data())),
                                 static_cast<unsigned>(in.size()), 9, 0, 0) != BZ_OK)
        throw std::runtime_error("libbz2");
    out.resize(size);
    return out;
}

inline Bytes pack_lz4_legacy(ByteView in) {
    Bytes out;
    append_le(out, std::uint32_t{0x184c2102});
    while (!in.empty()) {
        const ByteView block = in.first(std::min<std::size_t>(in.size(), 8 * MiB));
        Bytes packed(static_cast<std::size_t>(LZ4_compressBound(static_cast<int>(block.size()))));
        const int size = LZ4_compress_default(
            reinterpret_cast<const char*>(block.data()), reinterpret_cast<char*>(packed.data()),
            static_cast<int>(block.size()), static_cast<int>(packed.size()));
        append_le(out, static_cast<std::uint32_t>(size));
        out.insert(out.end(), packed.begin(), packed.begin() + size);
        in = in.subspan(block.size());
    }
    return out;
}

inline Bytes pack_lz4_frame(ByteView in) {
    Bytes out(LZ4F_compressFrameBound(in.size(), nullptr));
    out.resize(LZ4F_compressFrame(out.data(), out.size(), in.data(), in.size(), nullptr));
    return out;
}

inline Bytes pack_zstd(ByteView in) {
    Bytes out(ZSTD_compressBound(in.size()));
    out.resize(ZSTD_compress(out.data(), out.size(), in.data(), in.size(), 9));
    return out;
}

inline Bytes pack(Compression compression, ByteView in) {
    switch (compression) {
    case Compression::gzip:
        return pack_gzip(in);
    case Compression::bzip2:
        return pack_bzip2(in);
    case Compression::lzma:
        return pack_lzma(in);
    case Compression::xz:
        return pack_xz(in);
    case Compression::lz4_legacy:
        return pack_lz4_legacy(in);
    case Compression::lz4_frame:
        return pack_lz4_frame(in);
    case Compression::zstd:
        return pack_zstd(in);
    default:
        return {in.begin(), in.end()};
    }
}

inline constexpr Compression all_codecs[] = {
    Compression::gzip,       Compression::bzip2,     Compression::lzma, Compression::xz,
    Compression::lz4_legacy, Compression::lz4_frame, Compression::zstd};

/// A payload as Linux's build makes it: packed, and the size behind all but gzip.
inline Bytes linux_payload(Compression compression, ByteView vmlinux) {
    Bytes out = pack(compression, vmlinux);
    if (compression != Compression::gzip)
        append_le(out, static_cast<std::uint32_t>(vmlinux.size()));
    return out;
}

inline BzImageBuilder small_bzimage(Compression compression = Compression::lz4_legacy) {
    BzImageBuilder image;
    image.payload = linux_payload(compression, small_vmlinux().build());
    return image;
}

struct FitNode {
    std::string name = "kernel-1";
    std::string type = "kernel";
    std::string architecture = "x86_64";
    std::string compression = "none";
    Bytes data;
    std::string hash_algorithm; ///< empty: no hash
    Bytes hash;
};

/// Written with libfdt; hashes are what the test says, right or wrong.
struct FitBuilder {
    std::vector<FitNode> nodes;
    std::string default_configuration = "conf-1";
    std::string configuration = "conf-1";
    std::string kernel = "kernel-1";
    std::string ramdisk;
    bool external = false;

    Bytes build() const {
        std::size_t room = 4096;
        for (const FitNode& node : nodes)
            room += node.data.size() + 512;
        Bytes out(room);
        Bytes behind;
        void* fdt = out.data();
        const auto text = [&](const char* name, const std::string& value) {
            fdt_property(fdt, name, value.c_str(), static_cast<int>(value.size() + 1));
        };
        fdt_create(fdt, static_cast<int>(out.size()));
        fdt_finish_reservemap(fdt);
        fdt_begin_node(fdt, "");
        text("description", "test bundle");
        fdt_begin_node(fdt, "images");
        for (const FitNode& node : nodes) {
            fdt_begin_node(fdt, node.name.c_str());
            text("type", node.type);
            text("arch", node.architecture);
            text("compression", node.compression);
            if (external) {
                fdt_property_u32(fdt, "data-offset", static_cast<std::uint32_t>(behind.size()));
                fdt_property_u32(fdt, "data-size", static_cast<std::uint32_t>(node.data.size()));
                behind.insert(behind.end(), node.data.begin(), node.data.end());
            } else {
                fdt_property(fdt, "data", node.data.data(), static_cast<int>(node.data.size()));
            }
            if (!node.hash_algorithm.empty()) {
                fdt_begin_node(fdt, "hash-1");
                text("algo", node.hash_algorithm);
                fdt_property(fdt, "value", node.hash.data(), static_cast<int>(node.hash.size()));
                fdt_end_node(fdt);
            }
            fdt_end_node(fdt);
        }
        fdt_end_node(fdt);
        fdt_begin_node(fdt, "configurations");
        if (!default_configuration.empty())
            text("default", default_configuration);
        fdt_begin_node(fdt, configuration.c_str());
        if (!kernel.empty())
            text("kernel", kernel);
        if (!ramdisk.empty())
            text("ramdisk", ramdisk);
        fdt_end_node(fdt);
        fdt_end_node(fdt);
        fdt_end_node(fdt);
        if (fdt_finish(fdt) != 0)
            throw std::runtime_error("libfdt");
        out.resize(align_up(fdt_totalsize(fdt), 4));
        out.insert(out.end(), behind.begin(), behind.end());
        return out;
    }
};

/// Guest memory with the map of a PC, and a LoadRequest over them.
struct Guest {
    explicit Guest(std::uint64_t size_bytes = 8 * MiB)
        : memory(GuestMemory::on_heap(size_bytes)), map{{Gpa(0), 0x9fc00, MemoryKind::ram},
                                                        {Gpa(0x9fc00), 0x60400,
                                                         MemoryKind::reserved},
                                                        {Gpa(MiB), size_bytes - MiB,
                                                         MemoryKind::ram}} {}

    LoadRequest request(const std::string& path,
                        BootProtocol protocol = BootProtocol::automatic) const {
        return {memory, map, Gpa(0xe0000), path, std::nullopt, "console=ttyS0", protocol};
    }
    Bytes read(std::uint64_t at, std::size_t size) const {
        Bytes bytes(size);
        if (!memory.read(Gpa(at), bytes))
            throw std::runtime_error("outside of guest memory");
        return bytes;
    }

    GuestMemory memory;
    MemoryMap map;
};

} // namespace coldstart::images
