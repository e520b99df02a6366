"""Rate limits by the control socket, measured from inside of a Linux guest; metadata version 2."""

import os
import socket
import threading
import time

from api_linux import LinuxGuest, wait_until
from harness import expect, test
from network_guests import HOST, TAP, make_tap, own_network

KIB, MIB = 1 << 10, 1 << 20
MODULES = "virtio_blk,virtio_net"


def a_second(count):
    """A bucket of so many a second, filled up every tenth of it."""
    return {"size": count // 10, "refill_time": 100}


OFF = {"size": 0, "refill_time": 0}
# With room for several of TCP's frames, up to 64 KiB each: it pauses now and then between them.
NETWORK_LIMIT = {"size": 400_000, "refill_time": 1000}
SENT = 3_600_000


def expect_rate(done, seconds, limit, what):
    print(f"      {what}: {done / seconds:.0f} of {limit} a second, {seconds:.1f} s", flush=True)
    expect(seconds >= 5, f"{what}: {done} took {seconds:.1f} s only, at a limit of {limit}")
    expect(abs(done / seconds / limit - 1) < 0.1, f"{what}: {done / seconds:.0f}, not {limit}")


def expect_rate_in_guest(done, seconds, limit, what):
    """The same, the bucket full at the start: with what passes in a tenth of a second."""
    expect_rate(done - limit / 10, seconds, limit, what)


def limit_drive(guest):
    def read(block, count):
        time.sleep(0.2)  # the bucket fills up
        return guest.timed(f"dd if=/dev/vda of=/dev/null bs={block} count={count} iflag=direct "
                           "2>/dev/null")

    def patch(limiter):
        guest.ok("PATCH /drives/data", {"drive_id": "data", "rate_limiter": limiter})

    expect_rate_in_guest(12 * MIB, read(64 * KIB, 192), 2 * MIB, "bytes read")
    patch({"bandwidth": a_second(MIB)})
    expect_rate_in_guest(6 * MIB, read(32 * KIB, 192), MIB, "bytes read after PATCH")
    patch({"bandwidth": OFF, "ops": a_second(50)})
    expect_rate_in_guest(300, read(4 * KIB, 300), 50, "reads")
    patch({"ops": OFF})
    seconds = read(64 * KIB, 64)
    expect(seconds < 1.5, f"4 MiB took {seconds} s without a limit")


class Peer:
    """A host program that takes one connection and sends `content` or receives to the end."""

    def __init__(self, content=None):
        self.server = socket.create_server((HOST, 0))
        self.port = self.server.getsockname()[1]
        self.received, self.content = 0, content
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        with self.server, self.server.accept()[0] as peer:
            if self.content is not None:
                peer.sendall(self.content)
                return
            while chunk := peer.recv(65536):
                self.received += len(chunk)


def on_the_wire(column):
    """Bytes of frames that the host's end of the network has received (0) or sent (8)."""
    with open("/proc/net/dev", encoding="ascii") as file:
        line = next(line for line in file if line.strip().startswith(f"{TAP}:"))
    return int(line.split(":")[1].split()[column])


def expect_network_rate(guest, command, column, what):
    """While the guest moves SENT bytes, from when TCP is fast and the bucket empty."""
    before, rate = on_the_wire(column), NETWORK_LIMIT["size"]
    started = guest.begin(command)

    def passed(count):
        return on_the_wire(column) >= before + count

    wait_until(lambda: passed(rate * 3), 30, f"{what}: too few")
    first, begin = on_the_wire(column), time.monotonic()
    wait_until(lambda: passed(SENT), 30, f"{what}: too few")
    expect_rate(on_the_wire(column) - first, time.monotonic() - begin, rate, what)
    guest.finish(started)


def limit_network(guest):
    guest.sh(f"ip link set eth0 up && ip addr add 10.77.0.9/24 dev eth0 && ping -c 1 {HOST}")
    send = f"dd if=/dev/zero bs=10000 count={SENT // 10000} 2>/dev/null | nc {HOST} %d"
    receiver = Peer()
    expect_network_rate(guest, send % receiver.port, 0, "bytes sent")
    receiver.thread.join(timeout=10)
    expect(receiver.received == SENT, f"{receiver.received} bytes of {SENT} came")
    sender = Peer(bytes(SENT))
    expect_network_rate(guest, f"[ $(nc {HOST} {sender.port} </dev/null | wc -c) = {SENT} ]", 8,
                        "bytes received")
    guest.ok("PATCH /network-interfaces/eth0", {
        "iface_id": "eth0", "rx_rate_limiter": {"bandwidth": OFF, "ops": a_second(20)},
        "tx_rate_limiter": {"bandwidth": OFF}})
    # Of an echo only the answer is limited, 20 a second.
    expect_rate_in_guest(120, guest.timed(f"ping -q -A -c 120 {HOST}"), 20, "packets received")
    guest.ok("PATCH /network-interfaces/eth0", {
        "iface_id": "eth0", "rx_rate_limiter": {"ops": OFF}})
    receiver = Peer()
    seconds = guest.timed(f"sh -c '{send % receiver.port}'")
    expect(seconds < 3, f"{SENT} bytes took {seconds} s without a limit")


def read_metadata(guest):
    guest.sh("ip route add 169.254.169.254 dev eth0")
    ask = "wget -q -O - --header \"X-metadata-token: $token\" http://169.254.169.254/latest/"
    expect("401" in guest.sh("wget -O - http://169.254.169.254/latest/id 2>&1", status=1),
           "metadata without a token")
    guest.sh("token=$(printf 'PUT /latest/api/token HTTP/1.0\\r\\n"
             "X-metadata-token-ttl-seconds: 60\\r\\n\\r\\n' | nc 169.254.169.254 80 | tail -n 1); "
             "[ ${#token} -ge 40 ]")
    expect(guest.sh(ask + "id") == "one", "the metadata of PUT /mmds")
    guest.ok("PATCH /mmds", {"latest": {"id": "two"}})
    expect(guest.sh(ask + "id") == "two", "PATCH /mmds")
    expect(guest.get("/mmds") == {"latest": {"id": "two", "kept": "x"}}, "GET /mmds")
    expect(guest.sh(ask + "kept") == "x", "PATCH /mmds took something away")


@test("api on Linux: rate limits hold and are changed while the guest runs; metadata version 2",
      needs=("linux", "ip"))
def limits(env):
    own_network()
    make_tap(TAP, f"{HOST}/24")
    with LinuxGuest(env) as guest:
        guest.configure(MODULES)
        guest.ok("PUT /drives/data", {
            "drive_id": "data", "is_root_device": False, "is_read_only": True,
            "path_on_host": guest.write("disk.img", os.urandom(16 * MIB)),
            "rate_limiter": {"bandwidth": a_second(2 * MIB)}})
        guest.ok("PUT /network-interfaces/eth0", {
            "iface_id": "eth0", "host_dev_name": TAP,
            "rx_rate_limiter": {"bandwidth": NETWORK_LIMIT},
            "tx_rate_limiter": {"bandwidth": NETWORK_LIMIT}})
        guest.ok("PUT /mmds/config", {"network_interfaces": ["eth0"], "version": "V2"})
        guest.ok("PUT /mmds", {"latest": {"id": "one", "kept": "x"}})
        guest.boot()
        limit_drive(guest)
        limit_network(guest)
        read_metadata(guest)
        guest.sh("sync")
        guest.ok("PUT /actions", {"action_type": "SendCtrlAltDel"})
        expect(guest.process.wait(timeout=env.patience) == 0, f"{guest.diagnostics()}")
