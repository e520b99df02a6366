"""The control socket and Debian's kernel: a machine's whole life by requests, and Kata's way."""

import hashlib
import json
import os
import re
import signal
import subprocess
import time

from api_linux import LinuxGuest, Stream, boot_source, wait_until
from balloon_guests import resident_mib
from harness import expect, test
from network_guests import TAP, make_tap, own_network
from vsock_guests import ECHO_PORT, HOST_PORT, EchoServer, Exchange, call_guest

MIB = 1 << 20


def image(guest, name, size):
    """A file of random bytes, and their SHA-256."""
    content = os.urandom(size)
    return guest.write(name, content), hashlib.sha256(content).hexdigest()


def digest_of(guest, device):
    return guest.sh(f"dd if=/dev/{device} bs=64k iflag=direct 2>/dev/null | sha256sum").split()[0]


def change_drive(guest, drive, device, path, size):
    guest.ok(f"PATCH /drives/{drive}", {"drive_id": drive, "path_on_host": path})
    guest.sh(f"until [ $(cat /sys/block/{device}/size) = {size // 512} ]; do usleep 100000; done")


def follow_pause(guest):
    guest.sh("(while :; do read u _ </proc/uptime; echo up $u; usleep 200000; done) & ticker=$!")
    guest.wait_for("up ")

    def last():
        return float(re.findall(r"up (\d+\.\d+)\n", guest.text)[-1])

    guest.ok("PATCH /vm", {"state": "Paused"})
    expect(guest.state == "Paused", guest.state)
    time.sleep(0.5)  # what was on its way
    said, before = len(guest.text), last()
    time.sleep(5)
    expect(len(guest.text) == said, f"a paused guest speaks: {guest.text[said:]}")
    guest.ok("PATCH /vm", {"state": "Resumed"})
    expect(guest.state == "Running", guest.state)
    wait_until(lambda: last() > before, 30, "it did not come up again after the pause")
    after = float(re.findall(r"up (\d+\.\d+)\n", guest.text[said:])[0])
    expect(after - before < 3, f"its clock went on: {before} to {after}")
    guest.sh("kill $ticker")


def use_drive(guest, first, second):
    expect(digest_of(guest, "vda") == first[1], "the first image is read wrongly")
    change_drive(guest, "data", "vda", second[0], 3 * MIB)
    expect(digest_of(guest, "vda") == second[1], "the second image is read wrongly")


def use_vsock(guest, path):
    server = EchoServer(f"{path}_{HOST_PORT}")
    try:
        guest.sh(f"vsock echo {ECHO_PORT} & echo")
        guest.wait_for("vsock: listening")
        expect(call_guest(path, 53, guest.env.patience) is None, "nobody listens at port 53")
        Exchange(path, os.urandom(MIB + 1), guest.env.patience).finish()
        guest.sh("dd if=/dev/urandom of=/one bs=64k count=16 2>/dev/null; "
                 f"vsock connect 2 {HOST_PORT} </one >/back && cmp /one /back")
    finally:
        server.close()


def use_balloon(guest):
    def total_kib():
        return int(guest.sh("say MemTotal /proc/meminfo"))

    full = total_kib()
    guest.ok("PATCH /balloon", {"amount_mib": 64})
    statistics = wait_until(lambda: (told := guest.get("/balloon/statistics"))["actual_mib"] == 64
                            and told, 60, lambda: f"{guest.get('/balloon/statistics')}")
    expect(statistics["target_mib"] == 64 and statistics["target_pages"] == 16384 ==
           statistics["actual_pages"], f"{statistics}")
    small = total_kib()
    expect(full - small == 65536, f"MemTotal fell from {full} to {small} KiB")
    wait_until(lambda: guest.get("/balloon/statistics").get("total_memory") == small * 1024, 30,
               lambda: f"not {small} KiB: {guest.get('/balloon/statistics')}")
    statistics = guest.get("/balloon/statistics")
    for name in ("free_memory", "available_memory", "disk_caches"):
        expect(0 < statistics.get(name, 0) < small * 1024, f"{name}: {statistics}")
    guest.ok("PATCH /balloon/statistics", {"stats_polling_interval_s": 5})
    expect(guest.get("/balloon")["amount_mib"] == 64, "GET /balloon")
    guest.ok("PATCH /balloon", {"amount_mib": 0})
    wait_until(lambda: guest.get("/balloon/statistics")["actual_mib"] == 0, 60, "no deflation")


def use_hinting(guest):
    guest.ok("PATCH /balloon/hinting/start", {"acknowledge_on_stop": False})
    status = guest.get("/balloon/hinting/status")
    expect(status["host_cmd"] >= 2, f"{status}")
    # 0 is the guest's "these were all".
    wait_until(lambda: guest.get("/balloon/hinting/status").get("guest_cmd") == 0, 60,
               lambda: f"the guest does not hint: {guest.get('/balloon/hinting/status')}")
    guest.ok("PATCH /balloon/hinting/stop", {})
    wait_until(lambda: guest.get("/balloon/hinting/status")["host_cmd"] == 1, 5,
               lambda: f"{guest.get('/balloon/hinting/status')}")


def use_reporting(guest):
    guest.sh("mkdir /filled && mount -t tmpfs filled /filled && "
             "dd if=/dev/zero of=/filled/it bs=1M count=100 2>/dev/null")
    dirty = resident_mib(guest)
    guest.sh("rm /filled/it")
    wait_until(lambda: dirty - resident_mib(guest) > 60, 60,
               lambda: f"the monitor keeps {resident_mib(guest):.0f} of {dirty:.0f} MiB")


def expect_events(events):
    names = [event["event"] for event in events]
    expect([event["seq"] for event in events] == list(range(len(events))), f"{events}")
    times = [event["time_us"] for event in events]
    expect(times == sorted(times), f"{times}")
    codes = [event["code"] for event in events if event["event"] == "post_code"]
    expect(codes == [0x42], f"POST codes {codes}")
    expect(names == ["created", "started", "post_code", "paused", "resumed", "exited"], f"{names}")
    expect(events[-1]["status"] == 0, f"{events[-1]}")


def expect_metrics(guest, path):
    guest.ok("PUT /actions", {"action_type": "FlushMetrics"})
    guest.sh("dd if=/dev/vda of=/dev/null bs=64k count=16 iflag=direct 2>/dev/null")
    guest.ok("PUT /actions", {"action_type": "FlushMetrics"})
    with open(path, encoding="utf-8") as file:
        first, *_, before, last = [json.loads(line) for line in file]
    expect(first["utc_timestamp_ms"] < before["utc_timestamp_ms"] < last["utc_timestamp_ms"],
           "the times")
    expect(last["put_api_requests"]["actions_count"] == 1, f"{last['put_api_requests']}")
    for name in ("block", "block_data"):
        block = last[name]
        expect(block["read_bytes"] == MIB, f"1 MiB was read: {block}")
        expect(16 <= block["read_count"] < 100, f"16 reads: {block}")
        expect(block["write_count"] == 0, f"nothing was written: {block}")


@test("api on Linux: a machine's life: console, events, pause, drive, vsock, balloon, metrics, "
      "Ctrl-Alt-Del", needs="linux")
def life(env):
    with LinuxGuest(env, guise="serve") as guest:
        events = Stream(guest, "/events")
        first, second = image(guest, "1.img", MIB), image(guest, "2.img", 3 * MIB)
        metrics, log = guest.path("metrics"), guest.path("log")
        guest.ok("PUT /logger", {"log_path": log, "level": "Info", "show_level": True})
        guest.ok("PUT /metrics", {"metrics_path": metrics})
        guest.configure("virtio_blk,virtio_balloon,virtio_rng,vmw_vsock_virtio_transport", cpus=2)
        guest.ok("PUT /drives/data", {"drive_id": "data", "is_root_device": False,
                                      "path_on_host": first[0]})
        guest.ok("PUT /vsock", {"guest_cid": 3, "uds_path": guest.path("v.sock")})
        guest.ok("PUT /entropy", {})
        guest.ok("PUT /balloon", {"amount_mib": 0, "deflate_on_oom": False,
                                  "stats_polling_interval_s": 1, "free_page_hinting": True,
                                  "free_page_reporting": True})
        expect(guest.state == "Not started", guest.state)
        guest.boot()
        expect(guest.state == "Running", guest.state)
        expect(guest.sh("nproc") == "2", "not two processors")
        expect("virtio_rng" in guest.sh("cat /sys/class/misc/hw_random/rng_current"), "no entropy")
        guest.sh("post-code 0x42")
        follow_pause(guest)
        use_drive(guest, first, second)
        use_vsock(guest, guest.path("v.sock"))
        use_balloon(guest)
        use_hinting(guest)
        use_reporting(guest)
        expect_metrics(guest, metrics)
        with open(log, encoding="utf-8") as lines:
            expect("INFO" in lines.read(), "nothing in the log")
        guest.ok("PUT /actions", {"action_type": "SendCtrlAltDel"})
        status = guest.process.wait(timeout=env.patience)
        expect(status == 0, f"status {status}: {guest.text[-500:]} {guest.diagnostics()}")
        events.wait_end(10)
        guest.console.wait_end(10)
        expect_events(events.lines())


def kata_config(env, folder):
    """What Kata Containers writes: its root file system is no root drive; drives for later."""
    def drive(name, path, **fields):
        return {"drive_id": name, "path_on_host": path, "is_root_device": False,
                "is_read_only": False, **fields}

    def made(name, size=0):
        with open(os.path.join(folder, name), "wb") as file:
            file.write(os.urandom(size))
        return file.name

    os.makedirs(folder, exist_ok=True)
    drives = [drive("rootfs", made("rootfs.img", MIB), is_read_only=True)]
    drives += [drive(f"drive_{number}", made(f"empty{number}"), rate_limiter={})
               for number in range(8)]
    return {"boot-source": boot_source(env, "virtio_blk,virtio_net"), "drives": drives,
            "machine-config": {"vcpu_count": 1, "mem_size_mib": 256, "smt": False},
            "network-interfaces": [{"iface_id": "0", "host_dev_name": TAP,
                                    "guest_mac": "06:00:00:00:00:01", "rx_rate_limiter": {},
                                    "tx_rate_limiter": {}}],
            "mmds-config": {"network_interfaces": ["0"]},
            "serial": {"serial_out_path": os.path.join(folder, "serial")}}


@test("api on Linux: Kata's way: a configuration file, empty drives filled later, metadata V1, "
      "serial output in a file, SIGTERM", needs=("linux", "ip"))
def kata(env):
    own_network()
    make_tap(TAP, "192.0.2.1/24")
    folder = env.path("kata")
    config = kata_config(env, folder)
    metadata = env.write("metadata.json", json.dumps({"latest": {"id": "one"}}).encode())
    with LinuxGuest(env, "--config-file", env.write("kata.json", json.dumps(config).encode()),
                    "--metadata", metadata, stdout=subprocess.PIPE) as guest:
        expect(guest.state == "Running", guest.state)
        guest.wait_for_shell()
        sizes = guest.sh("cat /sys/block/vd[a-i]/size").split()
        expect(sizes == [str(MIB // 512)] + ["0"] * 8, f"{sizes}")
        path, digest = image(guest, "real.img", 2 * MIB)
        change_drive(guest, "drive_3", "vde", path, 2 * MIB)
        expect(digest_of(guest, "vde") == digest, "the image is read wrongly")
        expect(guest.sh("cat /sys/block/vdd/size /sys/block/vdf/size").split() == ["0", "0"],
               "another drive has changed")
        guest.sh("ip link set eth0 up && ip addr add 192.0.2.9/24 dev eth0 && "
                 "ip route add 169.254.169.254 dev eth0")
        ask = "wget -q -O - http://169.254.169.254/latest/"
        expect(guest.sh(ask + "id") == "one", "the metadata of the file")
        guest.ok("PATCH /mmds", {"latest": {"id": "two", "more": {"a": "b"}}})
        expect(guest.sh(ask + "id") == "two", "PATCH /mmds")
        expect(guest.sh(ask + "more/a") == "b", "PATCH /mmds")
        guest.ok("PUT /mmds", {"latest": {"only": "this"}})
        expect(guest.sh(ask) == "only", "PUT /mmds")
        with open(os.path.join(folder, "serial"), encoding="utf-8", errors="replace") as file:
            serial = file.read().replace("\r", "")
        expect("SHELL-IS-THERE" in serial and serial == guest.text[:len(serial)], serial[-500:])
        guest.process.send_signal(signal.SIGTERM)
        guest.process.wait(timeout=env.patience)
        expect(b"SHELL" not in guest.process.stdout.read(), "the console is on stdout too")
