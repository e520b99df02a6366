/* Takes so many MiB of memory from the kernel and fails if a byte of it is not zero. With init_on_free=1
   init_on_alloc=0 on its command line Linux hands out pages as they are, because it zeroed them when
   they were freed: what the host has put into them since shows. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { page_bytes = 4096 };

int main(int count, char** arguments) {
    if (count != 2) {
        fputs("use: zero-pages MIB\n", stderr);
        return 2;
    }
    const size_t size = (size_t)strtoul(arguments[1], NULL, 0) << 20;
    char* const memory =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        perror("zero-pages: mmap");
        return 2;
    }
    /* Large pages are zeroed in any case. */
    madvise(memory, size, MADV_NOHUGEPAGE);
    size_t spoiled = 0;
    for (size_t page = 0; page < size; page += page_bytes) {
        memory[page] = 1; /* a page of its own */
        for (size_t i = 1; i < page_bytes; ++i)
            spoiled += memory[page + i] != 0;
    }
    printf("%zu bytes are not zero\n", spoiled);
    return spoiled != 0;
}
