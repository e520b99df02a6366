"""--config-file: what it may hold, what ends the process, with and without the socket."""

import json
import os
import signal
import subprocess

from harness import Running, expect, expect_status, test
from network_guests import ip, own_network

from api.client import Server
from api.command_line import BAD_ARGUMENTS, BAD_CONFIGURATION, firecracker


def config(env, guest="idle", **sections):
    """A file's content; a section given as None is left out. Underscores stand for dashes."""
    whole = {"boot-source": {"kernel_image_path": env.guest(guest)}, "drives": [],
             "machine-config": {"vcpu_count": 1, "mem_size_mib": 32}}
    whole.update({name.replace("_", "-"): value for name, value in sections.items()})
    return {name: value for name, value in whole.items() if value is not None}


def written(env, content, name="config.json"):
    return env.write(name, content if isinstance(content, bytes) else json.dumps(content).encode())


def disk(env, name, size=4096):
    path = env.path(name)
    with open(path, "wb") as file:
        file.truncate(size)
    return path


@test("api: --config-file with the socket: running at once, and shown by GET", needs="kvm")
def with_socket(env):
    root = {"drive_id": "rootfs", "path_on_host": disk(env, "root.img"), "is_root_device": True,
            "partuuid": None, "is_read_only": False, "cache_type": "Unsafe", "io_engine": "Sync",
            "rate_limiter": None, "socket": None}
    content = config(
        env, boot_source={"kernel_image_path": env.guest("idle"), "boot_args": "console=ttyS0",
                          "initrd_path": None},
        drives=[root], balloon={"amount_mib": 0, "deflate_on_oom": True,
                                "stats_polling_interval_s": 1, "free_page_hinting": False,
                                "free_page_reporting": False},
        vsock={"guest_cid": 3, "uds_path": env.path("config.vsock")}, entropy={"rate_limiter": None},
        logger={"log_path": env.path("config.log"), "level": "Info", "show_level": True},
        metrics={"metrics_path": env.path("config.metrics")}, network_interfaces=[],
        whatever={"is": ["not", "known"]})
    with Server(env, "--config-file", written(env, content)) as server:
        expect(server.state == "Running", server.state)
        shown = server.get("/vm/config")
        for name in ("boot-source", "drives", "balloon", "vsock", "entropy", "network-interfaces"):
            expect(shown[name] == content[name], f"{name}: {shown[name]}")
        expect(shown["machine-config"]["mem_size_mib"] == 32, f"{shown['machine-config']}")
        server.refused("PUT /machine-config", {"vcpu_count": 1, "mem_size_mib": 64})
        server.refused("PUT /actions", {"action_type": "InstanceStart"})
        server.end()
        with open(env.path("config.metrics"), encoding="utf-8") as lines:
            expect("utc_timestamp_ms" in json.loads(lines.readline()), "no metrics")


@test("api: --config-file: the smallest one, and null for what is not wanted", needs="kvm")
def smallest(env):
    for sections in ({"machine_config": None},
                     {"machine_config": {"vcpu_count": 1, "mem_size_mib": 32, "smt": False}}):
        with Server(env, "--config-file", written(env, config(env, **sections))) as server:
            expect(server.state == "Running", server.state)
    whole = config(env)
    whole.update({name: None for name in ("balloon", "vsock", "entropy", "logger", "metrics",
                                          "mmds-config", "cpu-config", "memory-hotplug")})
    with Server(env, "--config-file", written(env, whole)) as server:
        expect(server.state == "Running", server.state)
    # The order of the sections does not matter: what depends on the memory comes after it.
    content = {"balloon": {"amount_mib": 200, "deflate_on_oom": False}, "drives": [],
               "machine-config": {"vcpu_count": 2, "mem_size_mib": 256}, **config(
                   env, machine_config=None)}
    with Server(env, "--config-file", written(env, content)) as server:
        expect(server.get("/balloon")["amount_mib"] == 200, "the balloon")


def bad_files(env):
    """{title: content} of what has to be refused."""
    small = {"vcpu_count": 1, "mem_size_mib": 32}
    drive = {"drive_id": "a", "path_on_host": disk(env, "a.img"), "is_root_device": True}
    files = {"empty": b"", "no JSON": b"boot-source:", "cut off": b'{"boot-source": {',
             "a list": b"[]", "null": b"null", "not UTF-8": b'{"\xff": 1}', "nothing in it": {},
             "trailing": json.dumps(config(env)).encode() + b"}",
             "no boot-source": config(env, boot_source=None), "no drives": config(env, drives=None)}
    for title, sections in {
            "drives null": {}, "a kernel that is missing": {
                "boot_source": {"kernel_image_path": "/nonexistent"}},
            "no kernel": {"boot_source": {}}, "an unknown field": {
                "machine_config": {**small, "x": 1}},
            "no memory": {"machine_config": {"vcpu_count": 1}},
            "no CPUs": {"machine_config": {"mem_size_mib": 32}},
            "33 CPUs": {"machine_config": {**small, "vcpu_count": 33}},
            "a string for a number": {"machine_config": {**small, "vcpu_count": "1"}},
            "a float": {"machine_config": {**small, "mem_size_mib": 32.0}},
            "drives no list": {"drives": {}}, "two roots": {"drives": [drive, {**drive,
                                                                              "drive_id": "b"}]},
            "a disk that is missing": {"drives": [{**drive, "path_on_host": "/nonexistent"}]},
            "an unknown field in a disk": {"drives": [{**drive, "x": 1}]},
            "a balloon too large": {"balloon": {"amount_mib": 33, "deflate_on_oom": True}},
            "a log in no folder": {"logger": {"log_path": "/nonexistent/log"}},
            "metrics in no folder": {"metrics": {"metrics_path": "/nonexistent/metrics"}},
            "mmds without an interface": {"mmds_config": {"network_interfaces": ["eth0"]}},
            "a vsock in no folder": {"vsock": {"guest_cid": 3, "uds_path": "/nonexistent/v"}},
            "a guest's kernel that is none": {
                "boot_source": {"kernel_image_path": env.write("garbage", b"no kernel" * 999)}},
    }.items():
        files[title] = config(env, **sections)
    files["drives null"] = {**config(env), "drives": None}
    return files


@test("api: --config-file: what is wrong with it ends the process, with status 152", needs="kvm")
def wrong_files(env):
    wrong, files = [], bad_files(env)
    for title, content in files.items():
        path = written(env, content, "wrong.json")
        for more in (("--no-api",), ("--api-sock", env.path("wrong.sock"))):
            result = firecracker(env, *more, "--config-file", path)
            # FC ends with 1 here; api.md has 152. A machine that does not start may be either.
            allowed = (1, BAD_CONFIGURATION) if "that is none" in title else (BAD_CONFIGURATION,)
            if result.status not in allowed or not result.err.strip():
                wrong.append(f"{title} {more[0]}: {result}")
            if os.path.exists(env.path("wrong.sock")):
                os.unlink(env.path("wrong.sock"))
    print(f"      {2 * len(files)} cases, {len(wrong)} wrong", flush=True)
    expect(not wrong, "\n".join(wrong))
    for path in (env.path("missing.json"), env.scratch):
        result = firecracker(env, "--no-api", "--config-file", path)
        expect(result.status not in (0, None) and path in result.err, "not told", result)


@test("api: --no-api runs the guest with its console on stdout, and needs no socket", needs="kvm")
def no_api(env):
    path = written(env, config(env, "hello"))
    with Running(env, "firecracker", "--no-api", "--config-file", path,
                 stdin=subprocess.DEVNULL) as guest:
        guest.wait_for("hello from ring 0")
        expect_status(guest.finish(timeout=10), 0)
    expect_status(firecracker(env, "--no-api"), BAD_ARGUMENTS)
    path = written(env, config(env, "ticker"))
    with Running(env, "firecracker", "--no-api", "--config-file", path, "--id", "no-api",
                 stdin=subprocess.DEVNULL) as guest:
        guest.wait_for("....")
        expect(not os.path.exists("/run/firecracker.socket"), "there is a socket")
        guest.signal(signal.SIGTERM)
        guest.finish(timeout=5)


@test("api: a guest that resets the machine, or crashes it, ends the process", needs="kvm")
def reset_ends(env):
    # api.md: 0 ok or guest reboot. FC: a triple fault is a reset, too.
    for name in ("reset_kbd", "triple_fault"):
        result = firecracker(env, "--no-api", "--config-file", written(env, config(env, name)))
        expect(result.status is not None, f"{name}: it does not end", result)
        if name == "reset_kbd":
            expect_status(result, 0)
        expect(result.out, "the guest said nothing", result)


@test("api: --config-file with a network, MMDS and metadata", needs="kvm")
def with_network(env):
    own_network()
    ip("tuntap add dev cs-file mode tap")
    content = config(env, network_interfaces=[{
        "iface_id": "1", "host_dev_name": "cs-file", "guest_mac": "06:00:00:00:00:01"}],
        mmds_config={"network_interfaces": ["1"], "version": "V2"})
    data = written(env, {"latest": {"a": "b"}}, "data.json")
    with Server(env, "--config-file", written(env, content), "--metadata", data) as server:
        shown = server.get("/vm/config")
        expect(shown["mmds-config"] == {"version": "V2", "network_interfaces": ["1"], "imds_compat":
                                        False, "ipv4_address": "169.254.169.254"}, f"{shown}")
        expect(shown["network-interfaces"][0]["guest_mac"] == "06:00:00:00:00:01", f"{shown}")
        expect(server.get("/mmds") == {"latest": {"a": "b"}}, "the metadata")
        server.ok("PATCH /mmds", {"latest": {"a": None}})
        server.ok("PUT /mmds", {"new": 1})
        expect(server.get("/mmds") == {"new": 1}, "PUT while running")
