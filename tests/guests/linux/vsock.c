// What a Linux guest speaks AF_VSOCK with: busybox does not. Built statically by
// scripts/guest-assets, into the initramfs of the tests.
//
//     vsock echo PORT           serves any number of connections, each gets back what it sends
//     vsock connect CID PORT    stdin to the connection and the connection to stdout, until both
//                               have ended; status 1 and errno's name when it can't be had
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

static char buffer[65536];

static void say(const char* text) {
    if (write(2, text, strlen(text)) < 0)
        _exit(2);
}

static int fail(const char* what) {
    say("vsock: ");
    say(what);
    say(": ");
    say(strerrorname_np(errno));
    say("\n");
    return 1;
}

static int make_socket(struct sockaddr_vm* address, unsigned cid, const char* port) {
    memset(address, 0, sizeof *address);
    address->svm_family = AF_VSOCK;
    address->svm_cid = cid;
    address->svm_port = (unsigned)strtoul(port, NULL, 10);
    return socket(AF_VSOCK, SOCK_STREAM, 0);
}

// 1: some bytes went over, 0: the end came, -1: an error.
static int copy_some(int from, int to) {
    const ssize_t got = read(from, buffer, sizeof buffer);
    if (got <= 0)
        return (int)got;
    for (ssize_t done = 0; done < got;) {
        const ssize_t count = write(to, buffer + done, (size_t)(got - done));
        if (count < 0)
            return -1;
        done += count;
    }
    return 1;
}

static int echo(const char* port) {
    struct sockaddr_vm address;
    const int listener = make_socket(&address, VMADDR_CID_ANY, port);
    if (listener < 0 || bind(listener, (struct sockaddr*)&address, sizeof address) ||
        listen(listener, 16))
        return fail("listen");
    signal(SIGCHLD, SIG_IGN);
    say("vsock: listening\n");
    for (;;) {
        const int peer = accept(listener, NULL, NULL);
        if (peer < 0)
            return fail("accept");
        if (fork() == 0) {
            while (copy_some(peer, peer) > 0) {
            }
            _exit(0);
        }
        close(peer);
    }
}

static int connect_to(const char* cid, const char* port) {
    struct sockaddr_vm address;
    const int peer = make_socket(&address, (unsigned)strtoul(cid, NULL, 10), port);
    if (peer < 0 || connect(peer, (struct sockaddr*)&address, sizeof address))
        return fail("connect");
    // A process for each way: neither waits for the other.
    if (fork() == 0) {
        while (copy_some(0, peer) > 0) {
        }
        shutdown(peer, SHUT_WR);
        _exit(0);
    }
    int went = 1;
    while (went > 0)
        went = copy_some(peer, 1);
    return went < 0 ? fail("read") : 0;
}

int main(int count, char** words) {
    signal(SIGPIPE, SIG_IGN);
    if (count == 3 && strcmp(words[1], "echo") == 0)
        return echo(words[2]);
    if (count == 4 && strcmp(words[1], "connect") == 0)
        return connect_to(words[2], words[3]);
    say("use: vsock echo PORT | vsock connect CID PORT\n");
    return 2;
}
