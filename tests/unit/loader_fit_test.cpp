#include "firmware-loaders/fit/digest.h"
#include "firmware-loaders/identify/kernel_info.h"
#include "tests/unit/loader_images.h"
#include "vmm/base/text.h"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace coldstart;
using namespace coldstart::images;
using Catch::Contains;

namespace {

FitBuilder small_fit() {
    FitBuilder fit;
    FitNode kernel;
    kernel.data = small_bzimage().build();
    kernel.hash_algorithm = "sha256";
    kernel.hash = *digest("sha256", kernel.data);
    fit.nodes.push_back(kernel);
    return fit;
}

FitNode ramdisk_node() {
    FitNode node;
    node.name = "ramdisk-1";
    node.type = "ramdisk";
    node.data = pattern(3000);
    node.hash_algorithm = "crc32";
    node.hash = *digest("crc32", node.data);
    return node;
}

struct Fixture {
    TempFolder folder;
    Guest guest;
    BootPlan load(const Bytes& bundle) {
        return load_kernel(guest.request(folder.write("bundle", bundle)));
    }
    const LoadedPart* part(const BootPlan& plan, const std::string& name) {
        const auto found =
            std::find_if(plan.parts.begin(), plan.parts.end(),
                         [&](const LoadedPart& candidate) { return candidate.name == name; });
        return found == plan.parts.end() ? nullptr : &*found;
    }
};

std::string hex_of(const std::optional<std::vector<std::byte>>& value) {
    std::string text;
    for (const std::byte byte : value.value())
        text += hex(std::to_integer<unsigned>(byte), 2).substr(2);
    return text;
}

} // namespace

TEST_CASE("digests agree with their published test vectors", "[loaders]") {
    const Bytes abc = bytes_of("abc");
    CHECK(hex_of(digest("crc32", bytes_of("123456789"))) == "cbf43926");
    CHECK(hex_of(digest("md5", abc)) == "900150983cd24fb0d6963f7d28e17f72");
    CHECK(hex_of(digest("sha1", abc)) == "a9993e364706816aba3e25717850c26c9cd0d89d");
    CHECK(hex_of(digest("sha256", abc)) ==
          "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK(hex_of(digest("sha384", abc)).substr(0, 16) == "cb00753f45a35e8b");
    CHECK(hex_of(digest("sha512", abc)).substr(0, 16) == "ddaf35a193617aba");
    CHECK_FALSE(digest("crc16", abc));
}

TEST_CASE("a bundle's default configuration boots", "[loaders]") {
    for (const bool external : {false, true}) {
        Fixture f;
        FitBuilder fit = small_fit();
        fit.external = external;
        fit.nodes.push_back(ramdisk_node());
        fit.ramdisk = "ramdisk-1";
        const BootPlan plan = f.load(fit.build());
        CHECK_THAT(plan.description, Contains("FIT configuration conf-1, bzImage 6.1.0-test"));
        CHECK(f.guest.read(0x200000, 600) == pattern(600));
        const LoadedPart* initrd = f.part(plan, "initrd");
        REQUIRE(initrd != nullptr);
        CHECK(f.guest.read(initrd->base.value, 3000) == pattern(3000));

        // One named by the user wins, and a broken one in the bundle then does not matter.
        fit.nodes[1].hash[0] ^= std::byte{1};
        LoadRequest request = f.guest.request(f.folder.write("other", fit.build()));
        CHECK_THROWS_WITH(load_kernel(request), Contains("ramdisk-1 does not match its crc32"));
        request.initrd_path = f.folder.write("initrd", pattern(77));
        const BootPlan own = load_kernel(request);
        REQUIRE(f.part(own, "initrd") != nullptr);
        CHECK(f.part(own, "initrd")->size_bytes == 77);
    }
}

TEST_CASE("kernels in a bundle may be ELF and packed", "[loaders]") {
    const std::pair<const char*, Compression> kinds[] = {
        {"gzip", Compression::gzip},      {"lz4", Compression::lz4_frame},
        {"lz4", Compression::lz4_legacy}, {"lzma", Compression::lzma},
        {"bzip2", Compression::bzip2},    {"zstd", Compression::zstd}};
    for (const auto& [name, codec] : kinds) {
        Fixture f;
        FitBuilder fit;
        FitNode kernel;
        kernel.compression = name;
        kernel.data = pack(codec, small_vmlinux().build());
        fit.nodes.push_back(kernel);
        CHECK(f.load(fit.build()).description ==
              "FIT configuration conf-1, ELF vmlinux, 64-bit entry");
    }
}

TEST_CASE("faulty bundles are refused by name", "[loaders]") {
    Fixture f;
    const auto load = [&](auto&& bend) {
        FitBuilder fit = small_fit();
        bend(fit);
        return f.load(fit.build());
    };
    CHECK_NOTHROW(load([](FitBuilder&) {}));
    CHECK_THROWS_WITH(load([](FitBuilder& b) { b.nodes[0].hash[3] ^= std::byte{1}; }),
                      Contains("image kernel-1 does not match its sha256 hash"));
    CHECK_THROWS_WITH(load([](FitBuilder& b) { b.nodes[0].hash.pop_back(); }),
                      Contains("does not match"));
    CHECK_THROWS_WITH(load([](FitBuilder& b) { b.nodes[0].hash_algorithm = "crc16"; }),
                      Contains("unknown kind \"crc16\""));
    CHECK_THROWS_WITH(load([](FitBuilder& b) { b.nodes[0].compression = "brotli"; }),
                      Contains("unknown compression \"brotli\""));
    CHECK_THROWS_WITH(load([](FitBuilder& b) { b.nodes[0].compression = "gzip"; }),
                      Contains("marked as packed with gzip"));
    CHECK_THROWS_WITH(load([](FitBuilder& b) { b.nodes[0].architecture = "arm64"; }),
                      Contains("processor \"arm64\""));
    CHECK_THROWS_WITH(load([](FitBuilder& b) { b.nodes[0].type = "firmware"; }),
                      Contains("of type \"firmware\""));
    CHECK_THROWS_WITH(load([](FitBuilder& b) { b.kernel = "kernel-9"; }),
                      Contains("kernel-9, which is missing"));
    CHECK_THROWS_WITH(load([](FitBuilder& b) { b.kernel = ""; }), Contains("names no kernel"));
    CHECK_THROWS_WITH(load([](FitBuilder& b) { b.ramdisk = "ramdisk-1"; }),
                      Contains("ramdisk ramdisk-1, which is missing"));
    CHECK_THROWS_WITH(load([](FitBuilder& b) { b.default_configuration = "conf-2"; }),
                      Contains("default configuration conf-2 is missing"));
    // The only configuration needs no default.
    CHECK_NOTHROW(load([](FitBuilder& b) { b.default_configuration = ""; }));
    CHECK_THROWS_WITH(load([](FitBuilder& b) {
                          b.nodes[0].data.clear();
                          b.nodes[0].hash_algorithm.clear();
                      }),
                      Contains("image kernel-1 is empty"));
}

TEST_CASE("a plain device tree is no bundle", "[loaders]") {
    Fixture f;
    Bytes tree(256);
    REQUIRE(fdt_create_empty_tree(tree.data(), static_cast<int>(tree.size())) == 0);
    CHECK_THROWS_WITH(f.load(tree), Contains("without a /images node"));
}

TEST_CASE("a bundle cut anywhere is refused", "[loaders]") {
    FitBuilder fit;
    FitNode kernel;
    kernel.data = small_vmlinux().build();
    fit.nodes.push_back(kernel);
    for (const bool external : {false, true}) {
        fit.external = external;
        Fixture f;
        const Bytes whole = fit.build();
        const std::string path = f.folder.write("cut", whole);
        CHECK_NOTHROW(load_kernel(f.guest.request(path)));
        // The blob's last bytes may be alignment; what lies before is needed.
        const std::size_t end = external ? whole.size() : fdt_totalsize(whole.data());
        for (std::size_t size = end; size-- > 0;) {
            REQUIRE(::truncate(path.c_str(), static_cast<off_t>(size)) == 0);
            INFO(size << " of " << whole.size());
            CHECK_THROWS_AS(load_kernel(f.guest.request(path)), Error);
        }
    }
}

TEST_CASE("bundles made by mkimage are read", "[loaders]") {
    if (std::system("command -v mkimage >/dev/null && command -v dtc >/dev/null") != 0) {
        WARN("skipped: mkimage (u-boot-tools) or dtc (device-tree-compiler) is not installed");
        return;
    }
    Fixture f;
    const std::string kernel = f.folder.write("k.gz", pack_gzip(small_bzimage().build()));
    const std::string ramdisk = f.folder.write("r", pattern(1234));
    const std::string source = cat(
        "/dts-v1/; / { description = \"both\"; #address-cells = <1>;\n"
        "images { kernel-1 { description = \"k\"; data = /incbin/(\"",
        kernel,
        "\"); type = \"kernel\"; arch = \"x86_64\"; os = \"linux\"; compression = \"gzip\";\n"
        " load = <0x200000>; entry = <0x200000>;\n"
        " hash-1 { algo = \"sha256\"; }; hash-2 { algo = \"crc32\"; }; hash-3 { algo = \"sha1\"; };"
        " hash-4 { algo = \"md5\"; }; };\n"
        "ramdisk-1 { data = /incbin/(\"",
        ramdisk,
        "\"); type = \"ramdisk\"; arch = \"x86_64\"; os = \"linux\"; compression = \"none\";"
        " hash-1 { algo = \"sha512\"; }; }; };\n"
        "configurations { default = \"main\"; main { kernel = \"kernel-1\";"
        " ramdisk = \"ramdisk-1\"; }; other { kernel = \"kernel-1\"; }; }; };\n");
    const std::string its = f.folder.write("b.its", bytes_of(source));
    for (const char* options : {"", "-E ", "-E -p 0x4000 "}) {
        const std::string itb = f.folder.expect("b.itb");
        const std::string command =
            cat("mkimage ", options, "-f ", its, " ", itb, " >/dev/null 2>&1");
        REQUIRE(std::system(command.c_str()) == 0);
        const BootPlan plan = load_kernel(f.guest.request(itb));
        CHECK_THAT(plan.description, Contains("FIT configuration main, bzImage"));
        const LoadedPart* initrd = f.part(plan, "initrd");
        REQUIRE(initrd != nullptr);
        CHECK(f.guest.read(initrd->base.value, 1234) == pattern(1234));

        const KernelInfo info = identify_kernel(itb);
        REQUIRE(info.fit);
        CHECK(info.fit->description == "both");
        CHECK(info.fit->default_configuration == "main");
        REQUIRE(info.fit->images.size() == 2);
        CHECK(info.fit->images[0].hashes.size() == 4);
        CHECK(info.fit->images[0].external == (*options != '\0'));
        CHECK(info.fit->configurations.size() == 2);
        CHECK(info.wrong_fit_images.empty());
        CHECK(info.problem.empty());
        CHECK(info.version == "6.1.0-test (builder) #1");
    }
}
