/* The floor of the start-up benchmark: the least a process has to do to bring a guest of 128 MiB to its
 * first port write. One thread, no devices, no files but /dev/kvm, a static program.
 *
 * The guest's byte for COM1 goes to stdout; its write to port 0x604 ends the process. The order of the
 * calls is the quickest known: memory before the interrupt controller, since a slot set afterwards waits
 * for SRCU on some hosts, and of that controller only the local APICs in the kernel.
 *
 *   floor [kernel]    "kernel" takes the whole interrupt controller into KVM, with the timer: what a
 *                     monitor needs that emulates none of it
 *
 * gcc -O2 -static -o floor floor.c
 */
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

enum { memory_bytes = 128 << 20, code_at = 0x1000, com1 = 0x3f8, pm1_control = 0x604 };

/* mov dx, 0x3f8; mov al, 'R'; out dx, al; mov dx, 0x604; mov ax, 0x3400; out dx, ax; hlt */
static const unsigned char code[] = {0xba, 0xf8, 0x03, 0xb0, 'R',  0xee, 0xba, 0x04,
                                     0x06, 0xb8, 0x00, 0x34, 0xef, 0xf4};

static int check(int result, const char *what) {
    if (result < 0) {
        perror(what);
        _exit(1);
    }
    return result;
}

static void make_interrupt_controller(int vm, int in_kernel) {
    if (in_kernel) {
        struct kvm_pit_config pit = {.flags = KVM_PIT_SPEAKER_DUMMY};
        check(ioctl(vm, KVM_CREATE_IRQCHIP, 0), "KVM_CREATE_IRQCHIP");
        check(ioctl(vm, KVM_CREATE_PIT2, &pit), "KVM_CREATE_PIT2");
    } else {
        struct kvm_enable_cap split = {.cap = KVM_CAP_SPLIT_IRQCHIP, .args = {24}};
        check(ioctl(vm, KVM_ENABLE_CAP, &split), "KVM_CAP_SPLIT_IRQCHIP");
    }
}

static int make_vcpu(int kvm, int vm, struct kvm_run **run) {
    const int vcpu = check(ioctl(vm, KVM_CREATE_VCPU, 0), "KVM_CREATE_VCPU");
    const int size = check(ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), "KVM_GET_VCPU_MMAP_SIZE");
    *run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
    struct kvm_sregs sregs;
    check(ioctl(vcpu, KVM_GET_SREGS, &sregs), "KVM_GET_SREGS");
    sregs.cs.selector = 0;
    sregs.cs.base = 0;
    check(ioctl(vcpu, KVM_SET_SREGS, &sregs), "KVM_SET_SREGS");
    struct kvm_regs regs = {.rip = code_at, .rflags = 2};
    check(ioctl(vcpu, KVM_SET_REGS, &regs), "KVM_SET_REGS");
    return vcpu;
}

int main(int argc, char **argv) {
    const int in_kernel = argc > 1 && strcmp(argv[1], "kernel") == 0;
    const int kvm = check(open("/dev/kvm", O_RDWR | O_CLOEXEC), "/dev/kvm");
    const int vm = check(ioctl(kvm, KVM_CREATE_VM, 0), "KVM_CREATE_VM");
    unsigned char *memory = mmap(NULL, memory_bytes, PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    memcpy(memory + code_at, code, sizeof code);
    struct kvm_userspace_memory_region region = {.memory_size = memory_bytes,
                                                 .userspace_addr = (unsigned long)memory};
    check(ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region), "KVM_SET_USER_MEMORY_REGION");
    make_interrupt_controller(vm, in_kernel);
    struct kvm_run *run;
    const int vcpu = make_vcpu(kvm, vm, &run);
    for (;;) {
        check(ioctl(vcpu, KVM_RUN, 0), "KVM_RUN");
        if (run->exit_reason != KVM_EXIT_IO) {
            fprintf(stderr, "floor: exit reason %u\n", run->exit_reason);
            return 1;
        }
        if (run->io.port == pm1_control)
            _exit(0);
        if (run->io.port == com1 && write(1, (char *)run + run->io.data_offset, 1) != 1)
            return 1;
    }
}
