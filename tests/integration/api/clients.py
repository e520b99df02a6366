"""The sequences of real clients, as api.md ("What real clients do") has them."""

import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
import uuid

from harness import expect, test
from network_guests import ip, own_network

from api.client import Server, raw

GO = ("User-Agent: Go-http-client/1.1", "Accept: application/json", "Accept-Encoding: gzip")
ZERO = {"size": 0, "refill_time": 1000, "one_time_burst": 0}
EMPTY_LIMITER = {"bandwidth": ZERO, "ops": ZERO}


def image(env, name, size=1 << 20):
    path = env.path(name)
    with open(path, "wb") as file:
        file.truncate(size)
    return path


def timed(server, limit_ms, line, body):
    """As the SDK does it: an answer after its timeout is none."""
    start = time.monotonic()
    server.ok(line, body, GO)
    took = 1000 * (time.monotonic() - start)
    # In the lab the whole machine is some twenty times slower.
    expect(took < limit_ms * (20 if os.environ.get("IN_LAB") else 1), f"{line} took {took:.0f} ms")


@test("api: firecracker-go-sdk, and firectl on top of it", needs="kvm")
def go_sdk(env):
    own_network()
    ip("tuntap add dev cs-sdk mode tap")
    fifos = {name: env.path(f"sdk.{name}") for name in ("log", "metrics")}
    readers = []
    for path in fifos.values():
        os.mkfifo(path)
        readers.append(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
    name = str(uuid.uuid4())
    with Server(env, "--id", name, "--no-seccomp") as server:
        expect(server.get("/machine-config")["vcpu_count"] == 1, "the poll for the socket")
        timed(server, 500, "PUT /logger", {"log_path": fifos["log"], "level": "Debug",
                                           "show_level": True, "show_log_origin": False})
        timed(server, 500, "PUT /metrics", {"metrics_path": fifos["metrics"]})
        timed(server, 500, "PUT /machine-config", {"mem_size_mib": 32, "smt": True, "vcpu_count": 1,
                                                   "track_dirty_pages": False})
        expect(server.get("/machine-config")["mem_size_mib"] == 32, "GET /machine-config")
        timed(server, 500, "PUT /boot-source", {
            "boot_args": "ro console=ttyS0 noapic reboot=k panic=1 pci=off nomodules",
            "kernel_image_path": env.guest("idle")})
        timed(server, 250, "PUT /drives/1", {
            "drive_id": "1", "is_read_only": False, "is_root_device": True,
            "partuuid": "0eaa91a0-01", "path_on_host": image(env, "sdk.root"),
            "rate_limiter": {"bandwidth": {"refill_time": 1000, "size": 1 << 20}}})
        timed(server, 250, "PUT /drives/2", {"drive_id": "2", "is_read_only": True, "io_engine":
                                             "Sync", "is_root_device": False, "cache_type": "Unsafe",
                                             "path_on_host": image(env, "sdk.two")})
        timed(server, 500, "PUT /network-interfaces/1", {
            "guest_mac": "AA:FC:00:00:00:01", "host_dev_name": "cs-sdk", "iface_id": "1"})
        timed(server, 500, "PUT /vsock", {"guest_cid": 3, "uds_path": env.path("sdk.vsock"),
                                          "vsock_id": "agent_api"})
        timed(server, 500, "PUT /mmds/config", {"network_interfaces": ["1"], "version": "V2",
                                                "ipv4_address": "169.254.169.254"})
        timed(server, 500, "PUT /mmds", {"latest": {"meta-data": {"id": name}}})
        timed(server, 5000, "PUT /actions", {"action_type": "InstanceStart"})
        expect(server.get("/") == {**server.get("/"), "id": name, "state": "Running"}, "GET /")
        timed(server, 500, "PATCH /mmds", {"latest": {"more": True}})
        timed(server, 500, "PATCH /network-interfaces/1", {"iface_id": "1", "rx_rate_limiter": {
            "ops": {"size": 10, "refill_time": 100}}})
        timed(server, 500, "PATCH /drives/2", {"drive_id": "2", "path_on_host": image(env, "sdk.3")})
        timed(server, 500, "PATCH /vm", {"state": "Paused"})
        timed(server, 500, "PATCH /vm", {"state": "Resumed"})
        timed(server, 500, "PUT /actions", {"action_type": "SendCtrlAltDel"})
        for reader in readers:
            expect(os.read(reader, 65536), "nothing in a FIFO")
            os.close(reader)
        server.end(signal.SIGTERM)


@test("api: Kata (Go): --version, everything by --config-file, PATCH for hot-plugging, SIGTERM",
      needs="kvm")
def kata_go(env):
    own_network()
    ip("tuntap add dev cs-kata mode tap")
    told = subprocess.run([env.binary, "firecracker", "--version"], capture_output=True, text=True,
                          check=True, timeout=20)
    expect(re.fullmatch(r"v?\d+\.\d+\.\d+\S*", told.stdout.split()[1]), told.stdout)
    fifos = {name: env.path(f"kata-{name}.fifo") for name in ("log", "metrics")}
    readers = []
    for path in fifos.values():
        os.mkfifo(path)
        readers.append(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
    drives = [{"drive_id": "rootfs", "is_read_only": False, "is_root_device": False,
               "path_on_host": image(env, "kata.root")}]
    drives += [{"drive_id": f"drive_{number}", "is_read_only": False, "is_root_device": False,
                "path_on_host": image(env, f"kata.drive_{number}", 0), "rate_limiter": {}}
               for number in range(8)]
    content = {
        "boot-source": {"kernel_image_path": env.guest("idle"), "boot_args": "console=ttyS0"},
        "machine-config": {"vcpu_count": 1, "mem_size_mib": 32, "smt": False}, "drives": drives,
        "vsock": {"guest_cid": 3, "uds_path": env.path("kata.hvsock"), "vsock_id": "root"},
        "network-interfaces": [{"iface_id": "eth0", "host_dev_name": "cs-kata",
                                "guest_mac": "02:00:ca:fe:00:01", "rx_rate_limiter": EMPTY_LIMITER,
                                "tx_rate_limiter": EMPTY_LIMITER}],
        "logger": {"log_path": fifos["log"], "level": "Error"},
        "metrics": {"metrics_path": fifos["metrics"]}}
    config = env.write("fcConfig.json", json.dumps(content).encode())
    with Server(env, "--id", "kata-1", "--config-file", config) as server:
        end = time.monotonic() + 10
        while server.state != "Running":
            expect(time.monotonic() < end, "it does not come to 'Running'")
            time.sleep(0.01)
        shown = server.get("/vm/config")
        expect([item["drive_id"] for item in shown["drives"]] ==
               [item["drive_id"] for item in drives], f"{shown['drives']}")
        interface = shown["network-interfaces"][0]
        expect(interface["rx_rate_limiter"] is None, f"{interface}")
        for number in range(8):
            path = image(env, f"kata.volume_{number}")
            server.ok(f"PATCH /drives/drive_{number}", {"drive_id": f"drive_{number}",
                                                        "path_on_host": path})
        # The agent is looked for on the hybrid vsock; nobody listens in this guest.
        with socket.socket(socket.AF_UNIX) as agent:
            agent.settimeout(5)
            agent.connect(env.path("kata.hvsock"))
            agent.sendall(b"CONNECT 1024\n")
        expect(os.read(readers[1], 65536).startswith(b"{"), "no metrics at the start")
        server.end(signal.SIGTERM)
    for reader in readers:
        os.close(reader)


@test("api: Kata (Rust): PUTs that are tried again, from another connection each, SIGKILL",
      needs="kvm")
def kata_rust(env):
    with Server(env) as server:
        server.connection.close()

        def put(line, body):
            for _ in range(2):  # as if the first answer had been lost
                with server.connect() as connection:
                    connection.send(raw(line, body))
                    expect(connection.answer().status == 204, line)

        put("PUT /logger", {"log_path": env.path("rs.log"), "level": "Error"})
        put("PUT /boot-source", {"kernel_image_path": env.guest("idle"), "boot_args": "quiet"})
        put("PUT /machine-config", {"vcpu_count": 1, "mem_size_mib": 32})
        put("PUT /drives/rootfs", {"drive_id": "rootfs", "path_on_host": image(env, "rs.root"),
                                   "is_root_device": False, "is_read_only": True})
        for number in range(1, 4):
            put(f"PUT /drives/drive{number}", {"drive_id": f"drive{number}", "is_root_device": False,
                                               "path_on_host": image(env, f"rs.{number}", 0),
                                               "is_read_only": False})
        put("PUT /vsock", {"guest_cid": 3, "uds_path": env.path("rs.vsock")})
        with server.connect() as server.connection:
            server.ok("PUT /actions", {"action_type": "InstanceStart"})
            server.ok("PATCH /drives/drive1", {"drive_id": "drive1",
                                               "path_on_host": image(env, "rs.new")})
            expect(server.state == "Running", server.state)
            expect(server.end(signal.SIGKILL) == -signal.SIGKILL, "another end")


@test("api: many clients at once see whole states and whole answers", needs="kvm")
def many_clients(env):
    wrong = []

    def read_on(server, over):
        try:
            with server.connect() as connection:
                while not over.is_set():
                    state = connection.request("GET /").json()["state"]
                    config = connection.request("GET /vm/config").json()["machine-config"]
                    pair = config["vcpu_count"], config["mem_size_mib"]
                    if state not in ("Not started", "Running", "Paused") or pair not in (
                            (1, 128), (1, 32), (2, 64)):
                        wrong.append((state, pair))
        except Exception as error:  # pylint: disable=broad-except
            wrong.append(repr(error))

    with Server(env) as server:
        over = threading.Event()
        readers = [threading.Thread(target=read_on, args=(server, over)) for _ in range(6)]
        for thread in readers:
            thread.start()
        try:
            for number in range(100):
                both = {"vcpu_count": 1 + number % 2, "mem_size_mib": 32 * (1 + number % 2)}
                server.ok("PUT /machine-config", both)
            server.start(env.guest("idle"))
            for number in range(50):
                server.ok("PATCH /vm", {"state": "Resumed" if number % 2 else "Paused"})
        finally:
            over.set()
            for thread in readers:
                thread.join()
        expect(not wrong, f"{wrong[:5]}")
        server.end()
