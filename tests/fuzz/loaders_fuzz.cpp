// Bends kernel images and feeds them to load_kernel() and identify_kernel(): each must load or be
// refused with an Error, and what loads must lie inside guest RAM. The same arguments do the same
// again: loaders_fuzz [iterations [seed]]. On a finding the image is left in loaders_fuzz.image.
#include "firmware-loaders/fit/digest.h"
#include "firmware-loaders/identify/kernel_info.h"
#include "tests/unit/loader_images.h"
#include "vmm/base/unique_fd.h"
#include "vmm/runtime/guest_ram.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <random>

#include <sys/mman.h>

namespace {

using namespace coldstart;
using namespace coldstart::images;

using Random = std::mt19937_64;

std::vector<Bytes> seeds() {
    std::vector<Bytes> all;
    ElfBuilder vmlinux = small_vmlinux();
    for (ElfPart& part : vmlinux.parts)
        part.physical -= MiB; // 1 MiB on: guest memory is small here
    vmlinux.entry -= MiB;
    vmlinux.notes.clear();
    vmlinux.add_pvh_note(0x100040);
    const Bytes elf = vmlinux.build();
    all.push_back(elf);
    all.push_back(small_pvh32().build32());
    ElfBuilder paged = vmlinux;
    paged.aligned = true;
    paged.parts[1] = {0x110100, pattern(3 * page_size_bytes), 5 * page_size_bytes};
    all.push_back(paged.build());
    for (const Compression codec : all_codecs) {
        BzImageBuilder image;
        image.preferred_address = MiB;
        image.alignment = MiB;
        image.payload = linux_payload(codec, elf);
        all.push_back(image.build());
        all.push_back(pack(codec, elf));
    }
    FitBuilder fit;
    FitNode kernel;
    kernel.data = pack_gzip(elf);
    kernel.compression = "gzip";
    FitNode ramdisk;
    ramdisk.name = "ramdisk-1";
    ramdisk.type = "ramdisk";
    ramdisk.data = pattern(200);
    ramdisk.hash_algorithm = "crc32";
    ramdisk.hash = *digest("crc32", ramdisk.data);
    fit.nodes = {kernel, ramdisk};
    fit.ramdisk = "ramdisk-1";
    for (const bool external : {false, true}) {
        fit.external = external;
        all.push_back(fit.build());
    }
    return all;
}

std::size_t below(Random& random, std::size_t limit) {
    return static_cast<std::size_t>(random() % limit);
}

/// Half of the changes hit the first KiB, where the headers are.
std::size_t position(Random& random, std::size_t size) {
    return below(random, random() % 2 == 0 ? std::min<std::size_t>(size, 1024) : size);
}

/// Numbers at which arithmetic goes wrong.
std::uint64_t interesting(Random& random) {
    constexpr std::uint64_t values[] = {0,          1,          0x7f,       0xff,
                                        0xffff,     0x7fffffff, 0x80000000, 0xffffffff,
                                        0xfffff000, 0x100000,   0x3ff000,   0x100000000,
                                        ~0ull >> 1, ~0ull,      ~0ull - 7,  ~0ull << 12};
    return values[below(random, std::size(values))];
}

void mutate(Bytes& bytes, Random& random) {
    for (std::size_t left = 1 + below(random, 4); left != 0 && !bytes.empty(); --left) {
        const std::size_t at = position(random, bytes.size());
        switch (random() % 6) {
        case 0:
            bytes[at] ^= static_cast<std::byte>(1u << (random() % 8));
            break;
        case 1:
            bytes[at] = static_cast<std::byte>(random());
            break;
        case 2:
        case 3: {
            const std::uint64_t value = interesting(random);
            const std::size_t size = std::min<std::size_t>(1u << (random() % 4), bytes.size() - at);
            std::memcpy(bytes.data() + at, &value, size);
            break;
        }
        case 4:
            bytes.resize(1 + below(random, bytes.size()));
            break;
        case 5: {
            const std::size_t size = below(random, bytes.size() - at);
            const std::size_t target = below(random, bytes.size() - size);
            std::memmove(bytes.data() + target, bytes.data() + at, size);
            break;
        }
        }
    }
}

[[noreturn]] void report(const char* finding, const Bytes& image, std::uint64_t iteration) {
    std::ofstream("loaders_fuzz.image", std::ios::binary)
        .write(reinterpret_cast<const char*>(image.data()),
               static_cast<std::streamsize>(image.size()));
    std::fprintf(stderr, "iteration %llu: %s; the image is in loaders_fuzz.image\n",
                 static_cast<unsigned long long>(iteration), finding);
    std::exit(1);
}

const char* fault_of(const BootPlan& plan, const GuestMemory& memory) {
    if (!memory.contains(Gpa(plan.entry.rip), 1))
        return "the entry lies outside of guest RAM";
    for (const LoadedPart& part : plan.parts) {
        if (!memory.contains(part.base, part.size_bytes))
            return "a part lies outside of guest RAM";
        for (const LoadedPart& other : plan.parts) {
            if (&part != &other && part.base < other.base + other.size_bytes &&
                other.base < part.base + part.size_bytes)
                return "two parts overlap";
        }
    }
    return nullptr;
}

/// A file without a name, rewritten for every image.
class ImageFile {
  public:
    ImageFile() : fd_(::memfd_create("loaders_fuzz", MFD_CLOEXEC)) {
        if (!fd_)
            throw std::runtime_error("memfd_create");
    }
    void write(const Bytes& bytes) const {
        if (::ftruncate(fd_.get(), 0) != 0 || ::pwrite(fd_.get(), bytes.data(), bytes.size(), 0) !=
                                                  static_cast<ssize_t>(bytes.size()))
            throw std::runtime_error("can't write the image");
    }
    std::string path() const { return "/proc/self/fd/" + std::to_string(fd_.get()); }

  private:
    UniqueFd fd_;
};

/// Loads by mapping what could be loaded by copying.
const char* difference_when_mapped(const LoadRequest& request, const BootPlan& plan,
                                   const GuestMemory& paged) {
    const LoadRequest mapped{.memory = paged,
                             .map = request.map,
                             .rsdp = request.rsdp,
                             .kernel_path = request.kernel_path,
                             .initrd_path = request.initrd_path,
                             .command_line = request.command_line,
                             .protocol = request.protocol,
                             .method = LoadMethod::map};
    load_kernel(mapped);
    for (const LoadedPart& part : plan.parts) {
        const auto copy = request.memory.range(part.base, part.size_bytes);
        const auto other = paged.range(part.base, part.size_bytes);
        if (copy.size() != other.size() || !std::equal(copy.begin(), copy.end(), other.begin()))
            return "a part differs when it is mapped";
    }
    return nullptr;
}

} // namespace

int main(int argc, char** argv) {
    const std::uint64_t iterations = argc > 1 ? std::strtoull(argv[1], nullptr, 0) : 20000;
    Random random(argc > 2 ? std::strtoull(argv[2], nullptr, 0) : 1);
    const std::vector<Bytes> corpus = seeds();
    const Guest guest(4 * MiB);
    const GuestMemory paged = map_guest_ram(std::array{Range{Gpa(0), 4 * MiB}});
    const ImageFile file;
    std::uint64_t loaded = 0;
    for (std::uint64_t i = 0; i < iterations; ++i) {
        // The unbent seeds come first, so that a broken builder shows.
        Bytes image = corpus[i < corpus.size() ? i : below(random, corpus.size())];
        if (i >= corpus.size())
            mutate(image, random);
        file.write(image);
        LoadRequest request = guest.request(file.path());
        request.protocol = std::array{BootProtocol::automatic, BootProtocol::linux64,
                                      BootProtocol::pvh}[i < corpus.size() ? 0 : random() % 3];
        try {
            const BootPlan plan = load_kernel(request);
            ++loaded;
            if (const char* fault = fault_of(plan, guest.memory))
                report(fault, image, i);
            if (const char* fault = difference_when_mapped(request, plan, paged))
                report(fault, image, i);
        } catch (const Error& error) {
            if (i < corpus.size())
                report(error.what(), image, i);
        } catch (const std::exception& error) {
            report(error.what(), image, i);
        }
        if (i % 4 == 0 && !image.empty())
            identify_kernel(file.path());
    }
    std::printf("%llu images, %llu loaded, the others refused\n",
                static_cast<unsigned long long>(iterations),
                static_cast<unsigned long long>(loaded));
    return 0;
}
