/* Tells hardware KVM from KVM that emulates ring 0 instruction by instruction (KVM-PVM).
 *
 * Use: compiled and run by scripts/kvm-kind. Prints "hardware", "emulating" or "none" and, with -v, on stderr why.
 *
 * A guest of five instructions counts a register down in 32-bit ring 0 and halts. Hardware does that in some 20 us, an
 * emulator of about 2 million instructions a second in some 20 ms. The best of five tries counts, so that a busy
 * host is not taken for a slow one. Never guess from the name of the CPU.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { LOOPS = 20000, TRIES = 5, CODE_GPA = 0x1000, MEMORY_BYTES = 0x4000 };
static const double HARDWARE_BELOW_MS = 4.0;
static int verbose;

static int answer(const char *kind, const char *why) {
    puts(kind);
    if (verbose) fprintf(stderr, "%s: %s\n", kind, why);
    return 0;
}

static int answer_none(const char *what) {
    char why[200];
    const char *remedy = errno == ENOENT ? " (no KVM here: no virtualisation, or the module kvm-intel or kvm-amd is not loaded)"
                       : errno == EACCES || errno == EPERM ? " (join the group kvm, or run as root)" : "";
    snprintf(why, sizeof why, "%s: %s%s", what, strerror(errno), remedy);
    return answer("none", why);
}

static double now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

int main(int argc, char **argv) {
    static const uint8_t code[] = {
        0xb9, LOOPS & 0xff, LOOPS >> 8, 0, 0, /* mov ecx, LOOPS */
        0x49,                                 /* again: dec ecx */
        0x75, 0xfd,                           /* jnz again */
        0xf4,                                 /* hlt */
        0xeb, 0xfd,                           /* jmp back to hlt */
    };
    char why[200];
    verbose = argc > 1 && strcmp(argv[1], "-v") == 0;

    int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    if (kvm < 0) return answer_none("/dev/kvm");
    if (ioctl(kvm, KVM_GET_API_VERSION, 0) != KVM_API_VERSION) return answer("none", "/dev/kvm speaks another API version");
    int vm = ioctl(kvm, KVM_CREATE_VM, 0);
    if (vm < 0) return answer_none("KVM_CREATE_VM");
    ioctl(vm, KVM_SET_TSS_ADDR, 0xfffbd000ul); /* old Intel hardware wants it; others do not mind */
    void *memory = mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return answer_none("mmap");
    memcpy((uint8_t *)memory + CODE_GPA, code, sizeof code);
    struct kvm_userspace_memory_region region = {.memory_size = MEMORY_BYTES, .userspace_addr = (uintptr_t)memory};
    if (ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region) < 0) return answer_none("KVM_SET_USER_MEMORY_REGION");
    int vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
    if (vcpu < 0) return answer_none("KVM_CREATE_VCPU");
    int run_bytes = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
    struct kvm_run *run = mmap(NULL, (size_t)run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
    if (run == MAP_FAILED) return answer_none("mmap of the vCPU");

    struct kvm_sregs sregs;
    if (ioctl(vcpu, KVM_GET_SREGS, &sregs) < 0) return answer_none("KVM_GET_SREGS");
    struct kvm_segment flat = {.limit = 0xffffffff, .type = 3, .present = 1, .db = 1, .s = 1, .g = 1, .selector = 0x10};
    sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = flat;
    flat.type = 11;
    flat.selector = 8;
    sregs.cs = flat;
    sregs.cr0 |= 1; /* protected mode, no paging */
    if (ioctl(vcpu, KVM_SET_SREGS, &sregs) < 0) return answer_none("KVM_SET_SREGS");

    double best_ms = 1e9;
    for (int i = 0; i < TRIES && best_ms >= HARDWARE_BELOW_MS; i++) {
        struct kvm_regs regs = {.rip = CODE_GPA, .rflags = 2};
        if (ioctl(vcpu, KVM_SET_REGS, &regs) < 0) return answer_none("KVM_SET_REGS");
        double begin = now_ms();
        int result;
        do result = ioctl(vcpu, KVM_RUN, 0);
        while (result < 0 && errno == EINTR);
        double took = now_ms() - begin;
        if (result < 0) return answer_none("KVM_RUN");
        if (run->exit_reason != KVM_EXIT_HLT) {
            snprintf(why, sizeof why, "/dev/kvm is there but cannot run a loop in ring 0 (exit reason %u)", run->exit_reason);
            return answer("emulating", why);
        }
        if (took < best_ms) best_ms = took;
    }
    if (best_ms < HARDWARE_BELOW_MS) {
        snprintf(why, sizeof why, "%d turns of a loop in ring 0 took %.3f ms", LOOPS, best_ms);
        return answer("hardware", why);
    }
    snprintf(why, sizeof why, "%d turns of a loop in ring 0 took %.1f ms: every instruction is emulated, no Linux guest boots here", LOOPS, best_ms);
    return answer("emulating", why);
}
