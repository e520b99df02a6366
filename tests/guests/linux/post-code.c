/* Writes its argument, a number, to port 0x80: where firmware says how far it has come. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/io.h>

int main(int count, char** arguments) {
    const unsigned short port = 0x80;
    if (count != 2) {
        fputs("use: post-code NUMBER\n", stderr);
        return 2;
    }
    if (ioperm(port, 1, 1) != 0) {
        perror("post-code: ioperm");
        return 1;
    }
    outb((unsigned char)strtoul(arguments[1], NULL, 0), port);
    return 0;
}
