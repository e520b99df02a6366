#include "firmware-loaders/media/media.h"
#include "vmm/base/byte_size.h"
#include "vmm/base/bytes.h"
#include "vmm/base/error.h"
#include "vmm/cli/inspect.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include <sys/stat.h>
#include <unistd.h>

using namespace coldstart;

namespace {

using Catch::Contains;

/// A file that goes away; made by us or by a tool.
struct TempFile {
    TempFile() {
        char pattern[] = "/tmp/coldstart-media-XXXXXX";
        ::close(::mkstemp(pattern));
        path = pattern;
    }
    explicit TempFile(const std::string& content) : TempFile() { write(content); }
    ~TempFile() { ::unlink(path.c_str()); }
    TempFile(const TempFile&) = delete;
    TempFile& operator=(const TempFile&) = delete;

    void write(const std::string& content) const {
        std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
    }
    std::string read() const {
        std::ifstream in(path, std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    void resize(std::uint64_t size_bytes) const {
        REQUIRE(::truncate(path.c_str(), static_cast<off_t>(size_bytes)) == 0);
    }
    std::string path;
};

int sh(const std::string& command) {
    // NOLINTNEXTLINE(bugprone-command-processor): the command is the test's own.
    return std::system(
        ("PATH=$PATH:/sbin:/usr/sbin; { " + command + "; } >/dev/null 2>&1").c_str());
}

bool have(const char* tool) {
    if (sh(std::string("command -v ") + tool) == 0)
        return true;
    WARN("skipped: no " << tool << " here");
    return false;
}

std::string notes_of(const MediaInfo& info) {
    std::string all;
    for (const std::string& note : info.notes)
        all += note + "\n";
    return all;
}

std::string cpio_entry(const std::string& name, const std::string& data) {
    char header[111];
    std::snprintf(header, sizeof header,
                  "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", 1u, 0100755u, 0u,
                  0u, 1u, 0u, static_cast<unsigned>(data.size()), 0u, 0u, 0u, 0u,
                  static_cast<unsigned>(name.size() + 1), 0u);
    std::string entry = header + name + '\0';
    entry.resize(align_up(entry.size(), 4));
    entry += data;
    entry.resize(align_up(entry.size(), 4));
    return entry;
}

const std::string trailer = cpio_entry("TRAILER!!!", "");

template <typename T>
void put(std::string& image, std::size_t at, T value) {
    store_le<T>(std::as_writable_bytes(std::span(image)), at, value);
}

} // namespace

TEST_CASE("cpio archives are walked to their end", "[media]") {
    const TempFile plain(cpio_entry("bin/sh", "xx") + cpio_entry("init", "#!") + trailer);
    MediaInfo info = identify_media(plain.path);
    CHECK(info.kind == MediaKind::initrd);
    CHECK(notes_of(info) == "cpio archive of 2 entries, with /init\n");

    const TempFile two(cpio_entry("kernel/x86/microcode/AuthenticAMD.bin", "m") + trailer +
                       std::string(512, '\0') + "\x28\xb5\x2f\xfd rest");
    info = identify_media(two.path);
    CHECK(info.description == "initrd: cpio archive and compressed data");
    CHECK_THAT(notes_of(info), Contains("early microcode") && Contains("zstd-compressed"));

    CHECK_THAT(notes_of(identify_media(TempFile(cpio_entry("a", "b") + trailer).path)),
               Contains("no /init inside"));
    CHECK_THAT(notes_of(identify_media(TempFile(cpio_entry("init", "b")).path)),
               Contains("cut short"));
    std::string huge = cpio_entry("init", "b") + trailer;
    huge.replace(6 + 6 * 8, 8, "ffffffff");
    CHECK_THAT(notes_of(identify_media(TempFile(huge).path)), Contains("cut short"));
    huge.replace(6 + 6 * 8, 8, "zzzzzzzz");
    CHECK_THAT(notes_of(identify_media(TempFile(huge).path)), Contains("makes no sense"));
}

TEST_CASE("compressed initrds are told apart", "[media]") {
    for (const char* tool : {"gzip", "xz", "zstd", "lz4", "bzip2", "lzma"}) {
        if (!have(tool))
            continue;
        const TempFile file;
        const std::string legacy = std::string(tool) == "lz4" ? " -l" : "";
        REQUIRE(sh(std::string("echo hello | ") + tool + legacy + " -c > " + file.path) == 0);
        const MediaInfo info = identify_media(file.path);
        CHECK(info.kind == MediaKind::compressed);
        CHECK_THAT(info.description, Catch::StartsWith(std::string(tool) + "-compressed"));
    }
}

TEST_CASE("file systems show type, label, UUID and size", "[media]") {
    struct Maker {
        const char *tool, *command, *type;
        std::uint64_t size_bytes;
    };
    const char* uuid = "12345678-1234-4234-8234-123456789abc";
    const Maker makers[] = {
        {"mke2fs", "mke2fs -F -t ext4 -L mylabel -U 12345678-1234-4234-8234-123456789abc ", "ext4",
         16 * MiB},
        {"mke2fs", "mke2fs -F -t ext2 -L mylabel -U 12345678-1234-4234-8234-123456789abc ", "ext2",
         16 * MiB},
        {"mkfs.xfs", "mkfs.xfs -f -L mylabel -m uuid=12345678-1234-4234-8234-123456789abc ", "xfs",
         512 * MiB},
        {"mkfs.btrfs", "mkfs.btrfs -f -L mylabel -U 12345678-1234-4234-8234-123456789abc ", "btrfs",
         256 * MiB},
        {"mkswap", "mkswap -L mylabel -U 12345678-1234-4234-8234-123456789abc ", "swap", 4 * MiB},
        {"mkfs.vfat", "mkfs.vfat -F 16 -n MYLABEL -i 1234abcd ", "vfat (FAT16)", 16 * MiB},
        {"mkfs.vfat", "mkfs.vfat -F 32 -n MYLABEL -i 1234abcd ", "vfat (FAT32)", 64 * MiB},
    };
    for (const Maker& maker : makers) {
        if (!have(maker.tool))
            continue;
        INFO(maker.command);
        const TempFile file;
        file.resize(maker.size_bytes);
        REQUIRE(sh(maker.command + file.path) == 0);
        const MediaInfo info = identify_media(file.path);
        CHECK(info.kind == MediaKind::filesystem);
        REQUIRE(info.filesystem);
        CHECK(info.filesystem->type == maker.type);
        CHECK(info.filesystem->size_bytes == maker.size_bytes);
        const bool fat = std::string(maker.tool) == "mkfs.vfat";
        CHECK(info.filesystem->label == (fat ? "MYLABEL" : "mylabel"));
        CHECK(info.filesystem->uuid == (fat ? "1234-abcd" : uuid));
        CHECK(info.notes.empty());
        file.resize(maker.size_bytes / 2);
        CHECK_THAT(notes_of(identify_media(file.path)), Contains("cut short"));
    }
}

TEST_CASE("read-only file systems and discs", "[media]") {
    const std::string source = "d=$(mktemp -d) && echo hi > $d/file && ";
    if (have("mksquashfs")) {
        const TempFile file;
        REQUIRE(sh(source + "mksquashfs $d " + file.path + " -noappend; rm -r $d") == 0);
        CHECK(identify_media(file.path).filesystem.value().type == "squashfs");
    }
    if (have("mkfs.erofs")) {
        const TempFile file;
        REQUIRE(sh(source + "mkfs.erofs -U 12345678-1234-4234-8234-123456789abc " + file.path +
                   " $d; rm -r $d") == 0);
        const MediaInfo info = identify_media(file.path);
        CHECK(info.filesystem.value().type == "erofs");
        CHECK(info.filesystem->uuid == "12345678-1234-4234-8234-123456789abc");
    }
    if (have("xorriso")) {
        const TempFile file;
        REQUIRE(sh(source + "xorriso -as mkisofs -V MYDISC -b file -no-emul-boot -o " + file.path +
                   " $d; rm -r $d") == 0);
        const MediaInfo info = identify_media(file.path);
        CHECK(info.kind == MediaKind::optical_disc);
        CHECK(info.filesystem.value().label == "MYDISC");
        CHECK(info.boot_code);
        CHECK_THAT(notes_of(info), Contains("El Torito boot entry for BIOS"));
    }
}

TEST_CASE("GPT: checksums, names and what is inside the partitions", "[media]") {
    if (!have("sfdisk") || !have("mke2fs"))
        return;
    const TempFile file;
    file.resize(32 * MiB);
    REQUIRE(
        sh("printf 'label: gpt\\nsize=4M,type=U,name=\"ESP here\"\\nsize=16M,type=L,name=root\\n' "
           "| sfdisk " +
           file.path) == 0);
    MediaInfo info = identify_media(file.path);
    REQUIRE(info.kind == MediaKind::partitioned_disk);
    REQUIRE(info.partitions.size() == 2);
    CHECK(info.notes.empty());
    CHECK(info.partitions[0].type == "EFI system");
    CHECK(info.partitions[0].name == "ESP here");
    CHECK(info.partitions[0].size_bytes == 4 * MiB);
    CHECK(info.partitions[1].type == "Linux");
    CHECK(info.partitions[1].start_bytes == 5 * MiB);

    REQUIRE(sh("mke2fs -F -t ext4 -L inner -E offset=5242880 " + file.path + " 16M") == 0);
    info = identify_media(file.path);
    REQUIRE(info.partitions.size() == 2);
    REQUIRE(info.partitions[1].filesystem);
    CHECK(info.partitions[1].filesystem->label == "inner");
    CHECK_THAT(inspect_text(file.path), Contains("root=/dev/vda2"));

    std::string image = file.read();
    image[512 + 40] = static_cast<char>(image[512 + 40] ^ 1);
    file.write(image);
    CHECK_THAT(notes_of(identify_media(file.path)), Contains("checksum of the GPT header"));
    image[1024 + 56] = 'X';
    file.write(image);
    CHECK_THAT(notes_of(identify_media(file.path)), Contains("checksum of the partition table"));
    put<std::uint64_t>(image, 1024 + 40, ~0ull);
    put<std::uint64_t>(image, 1024 + 128 + 40, 1ull << 40);
    file.write(image);
    info = identify_media(file.path);
    CHECK(info.partitions.empty());
    CHECK_THAT(notes_of(info), Contains("partition 2 leaves the disk"));
    put<std::uint32_t>(image, 512 + 80, ~0u);
    file.write(image);
    CHECK_THAT(notes_of(identify_media(file.path)), Contains("makes no sense"));
}

TEST_CASE("MBR partition tables", "[media]") {
    std::string image(1 * MiB, '\0');
    image[0] = '\xfa';
    put<std::uint16_t>(image, 510, 0xaa55);
    put<std::uint8_t>(image, 446, 0x80);
    put<std::uint8_t>(image, 446 + 4, 0x83);
    put<std::uint32_t>(image, 446 + 8, 64);
    put<std::uint32_t>(image, 446 + 12, 128);
    put<std::uint8_t>(image, 462 + 4, 0x0c);
    put<std::uint32_t>(image, 462 + 8, 2000);
    put<std::uint32_t>(image, 462 + 12, ~0u);
    const MediaInfo info = identify_media(TempFile(image).path);
    CHECK(info.kind == MediaKind::partitioned_disk);
    CHECK(info.boot_code);
    REQUIRE(info.partitions.size() == 1);
    CHECK(info.partitions[0].type == "Linux");
    CHECK(info.partitions[0].active);
    CHECK(info.partitions[0].start_bytes == 64 * 512ul);
    CHECK_THAT(notes_of(info), Contains("partition 2 leaves the disk"));
    put<std::uint8_t>(image, 446, 0x12);
    CHECK(identify_media(TempFile(image).path).kind == MediaKind::unknown);
}

TEST_CASE("qcow2 and other formats are named with the way out", "[media]") {
    if (have("qemu-img")) {
        const TempFile file;
        REQUIRE(sh("qemu-img create -f qcow2 " + file.path + " 3G") == 0);
        const MediaInfo info = identify_media(file.path);
        CHECK(info.kind == MediaKind::foreign_disk);
        CHECK_THAT(notes_of(info), Contains("virtual size 3G"));
        CHECK_THAT(inspect_text(file.path), Contains("qemu-img convert -O raw"));
        for (const char* format : {"vmdk", "vhdx", "vdi"}) {
            REQUIRE(sh(std::string("qemu-img create -f ") + format + " " + file.path + " 3G") == 0);
            CHECK(identify_media(file.path).kind == MediaKind::foreign_disk);
        }
    }
}

TEST_CASE("firmware jumps at the reset vector, option ROMs begin 55 AA", "[media]") {
    std::string rom(64 * KiB, '\xff');
    rom.replace(rom.size() - 16, 5, "\xea\x5b\xe0\x00\xf0", 5);
    CHECK(identify_media(TempFile(rom).path).description == "firmware image");
    rom.replace(100, 20, "SeaBIOS (version %s)");
    CHECK(identify_media(TempFile(rom).path).description == "SeaBIOS firmware");
    rom[rom.size() - 16] = '\0';
    CHECK(identify_media(TempFile(rom).path).kind == MediaKind::unknown);

    std::string option(1024, '\0');
    option.replace(0, 3, "\x55\xaa\x02", 3);
    option[1023] = static_cast<char>(0x100 - (0x55 + 0xaa + 2) % 0x100);
    CHECK(identify_media(TempFile(option).path).notes.empty());
    option[7] = 1;
    CHECK_THAT(notes_of(identify_media(TempFile(option).path)), Contains("checksum"));
    CHECK_THAT(notes_of(identify_media(TempFile(option.substr(0, 600)).path)),
               Contains("cut short"));
    for (const auto& [path, what] : {std::pair{"/usr/share/OVMF/OVMF_CODE.fd", MediaKind::firmware},
                                     {"/usr/share/OVMF/OVMF_VARS.fd", MediaKind::variable_store},
                                     {"/usr/share/seabios/bios-256k.bin", MediaKind::firmware}}) {
        if (::access(path, R_OK) == 0)
            CHECK(identify_media(path).kind == what);
        else
            WARN("skipped: no " << path << " here");
    }
}

TEST_CASE("what can't be looked at is an error, what is unknown an answer", "[media]") {
    CHECK_THROWS_WITH(identify_media("/nonexistent"), Contains("/nonexistent: No such file"));
    CHECK_THROWS_AS(identify_media("/tmp"), Error);
    CHECK_THROWS_AS(identify_media("/dev/null"), Error);
    CHECK(identify_media(TempFile("").path).kind == MediaKind::empty);
    CHECK(identify_media(TempFile("plain words").path).kind == MediaKind::unknown);
}

TEST_CASE("damaged images crash nothing", "[media]") {
    std::mt19937 random(1);
    std::vector<std::string> seeds{cpio_entry("init", "x") + trailer, std::string(70000, '\0')};
    const TempFile seed;
    for (const char* make : {"mke2fs -F -t ext4 ", "mkfs.vfat ", "mkfs.erofs ", "sfdisk "}) {
        seed.write(std::string(1 * MiB, '\0'));
        const std::string more = std::string(make) == "mkfs.erofs " ? " /etc/apt"
                                 : std::string(make) == "sfdisk "
                                     ? " <<< $'label: gpt\\nsize=64K\\n'"
                                     : "";
        if (sh("bash -c \"" + (make + seed.path + more) + "\"") == 0)
            seeds.push_back(seed.read().substr(0, 200000));
    }
    const TempFile file;
    for (int round = 0; round < 600; ++round) {
        std::string image = seeds[random() % seeds.size()];
        for (unsigned i = 0; i < 1 + random() % 40; ++i)
            image[random() % std::min<std::size_t>(image.size(), 4096)] =
                static_cast<char>(random());
        if (random() % 2 == 0)
            image.resize(random() % (image.size() + 1));
        file.write(image);
        CHECK_NOTHROW(inspect_json(file.path));
    }
}

TEST_CASE("inspect prints a person's lines and a program's object", "[media]") {
    const TempFile file(cpio_entry("init", "#!") + trailer);
    CHECK_THAT(inspect_text(file.path), Contains("boots with: --initrd " + file.path));
    const std::string json = inspect_json(file.path);
    CHECK_THAT(json, Contains("\"kind\": \"initrd\"") && Contains("\"advice\": \"--initrd "));
    CHECK(json.front() == '{');
}
