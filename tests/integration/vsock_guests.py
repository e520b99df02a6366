"""Virtio sockets: Debian's driver against the monitor's, real data both ways, and what is refused."""

import hashlib
import os
import socket
import threading

from harness import Running, expect, expect_one_line, expect_status, run_small, test
from linux_guests import QUIET
from network_guests import firmware, in_base64

MIB = 1 << 20
GUEST_CID = 3
ECHO_PORT = 5252
HOST_PORT = 77


def digest(content):
    return hashlib.sha256(content).hexdigest()


def call_guest(path, port, patience):
    """A connection to `port` of the guest, as Firecracker's clients make it; None if it refuses."""
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(patience)
    client.connect(path)
    client.sendall(f"CONNECT {port}\n".encode())
    line = b""
    while not line.endswith(b"\n"):
        letter = client.recv(1)
        if not letter:
            client.close()
            return None
        line += letter
    expect(line.startswith(b"OK ") and int(line[3:]) > 0, f"it said {line}")
    return client


class Exchange:
    """Sends `content` to the guest's echo server and reads it back at the same time."""

    def __init__(self, path, content, patience):
        self.content, self.back, self.error = content, b"", None
        self.client = call_guest(path, ECHO_PORT, patience)
        expect(self.client, "the guest refused port 5252")
        self.writer = self._start(self._write)
        self.reader = self._start(self._read)

    def _start(self, work):
        def run():
            try:
                work()
            except OSError as error:
                self.error = error

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread

    def _write(self):
        self.client.sendall(self.content)
        self.client.shutdown(socket.SHUT_WR)

    def _read(self):
        parts = []
        while chunk := self.client.recv(65536):
            parts.append(chunk)
        self.back = b"".join(parts)

    def finish(self):
        self.writer.join()
        self.reader.join()
        self.client.close()
        expect(self.error is None, f"the exchange broke off: {self.error}")
        expect(digest(self.back) == digest(self.content),
               f"{len(self.back)} of {len(self.content)} bytes came back, or other ones")


class EchoServer:
    """A host program at `path` that gives back what it gets, any number of connections."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(path)
        self.socket.listen(8)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                peer, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    @staticmethod
    def _serve(peer):
        with peer:
            while chunk := peer.recv(65536):
                peer.sendall(chunk)

    def close(self):
        self.socket.close()


SCRIPT = f"""vsock echo {ECHO_PORT} &
until [ "$word" = go ]; do read -r word; done
vsock connect 2 99
echo refused $?
dd if=/dev/urandom of=/one bs=64k count=64 2>/dev/null
dd if=/dev/urandom of=/two bs=64k count=65 2>/dev/null
vsock connect 2 {HOST_PORT} </one >/one.back & first=$!
vsock connect 2 {HOST_PORT} </two >/two.back & second=$!
wait $first $second
sha256sum /one /one.back /two /two.back
cmp /one /one.back && cmp /two /two.back && echo both came back"""


def exchange(env, *arguments, modules):
    path = env.path("v.sock")
    server = EchoServer(f"{path}_{HOST_PORT}")
    line = f"{QUIET} cs.modules={modules} cs.script={in_base64(SCRIPT)}"
    try:
        with Running(env, "run", "--kernel", env.assets["KERNEL"], "--initrd",
                     env.assets["INITRD"], "--cmdline", line, "--timeout", env.patience, "--vsock",
                     f"cid={GUEST_CID},path={path}", *arguments) as guest:
            guest.wait_for("COLDSTART-INIT")
            early = socket.socket(socket.AF_UNIX)  # says nothing, and is in nobody's way
            early.connect(path)
            guest.wait_for("vsock: listening")
            expect(call_guest(path, 53, env.patience) is None, "nobody listens at port 53")
            one = Exchange(path, os.urandom(4 * MIB + 1), env.patience)
            two = Exchange(path, os.urandom(5 * MIB + 3), env.patience)
            one.finish()
            two.finish()
            guest.type("go\n")
            result = guest.finish()
            early.close()
    finally:
        server.close()
        os.unlink(f"{path}_{HOST_PORT}")
    expect_status(result, 0)
    for words in ("connect: ECONNRESET", "refused 1", "both came back", "COLDSTART-EXIT 0"):
        expect(words in result.out, f"no '{words}'", result)
    expect(not os.path.exists(path), "the socket's file is still there")


@test("board micro: data passes virtio sockets both ways, whoever connects", needs="linux")
def sockets_on_micro(env):
    exchange(env, modules="virtio_mmio,vmw_vsock_virtio_transport")


@test("board pc: data passes virtio sockets both ways, whoever connects", needs="linux")
def sockets_on_pc(env):
    exchange(env, "--firmware", firmware(env, "SEABIOS"),
             modules="virtio_pci,vmw_vsock_virtio_transport")


@test("a guest's reboot closes its connections, and the socket listens on", needs="linux")
def reboot(env):
    path = env.path("v.sock")
    script = in_base64(f"vsock echo {ECHO_PORT} & read -r word")
    line = (f"{QUIET} cs.modules=virtio_mmio,vmw_vsock_virtio_transport cs.end=reboot "
            f"cs.script={script}")
    with Running(env, "run", "--kernel", env.assets["KERNEL"], "--initrd", env.assets["INITRD"],
                 "--cmdline", line, "--timeout", env.patience, "--vsock",
                 f"cid={GUEST_CID},path={path}") as guest:
        guest.wait_for("vsock: listening")
        client = call_guest(path, ECHO_PORT, env.patience)
        client.sendall(b"first life")
        expect(client.recv(100) == b"first life", "no echo")
        guest.type("\n")
        try:
            rest = client.recv(100)
        except ConnectionResetError:
            rest = b""
        expect(rest == b"", f"the connection lived on: {rest}")
        guest.text = guest.text.replace("vsock: listening", "")
        guest.wait_for("vsock: listening")
        client = call_guest(path, ECHO_PORT, env.patience)
        client.sendall(b"second life")
        expect(client.recv(100) == b"second life", "no echo")


@test("a socket that can't be made ends the run with one line", needs="kvm")
def refusals(env):
    taken = env.write("taken.sock", b"")
    result = run_small(env, "hello", "--vsock", f"cid=3,path={taken}")
    expect_status(result, 1)
    expect_one_line(result, taken, "in use", "choose another path")
    result = run_small(env, "hello", "--vsock", "cid=2,path=v.sock")
    expect_status(result, 2)
    expect_one_line(result, "cid=2", "accepted: 3 to 4294967294")
    path = env.path("short.sock")
    result = run_small(env, "hello", "--vsock", f"cid=3,path={path}")
    expect_status(result, 0)
    expect(not os.path.exists(path), "the socket's file is still there")
