"""Firecracker's own flags: what is refused and how, --version, ids, the socket's path, --metadata."""

import json
import os
import re
import signal
import socket
import stat
import subprocess

from harness import Result, coldstart, expect, expect_status, test

from api.client import Server

VERSION = re.compile(r"^Firecracker v(\d+)\.(\d+)\.(\d+)(-[0-9A-Za-z.-]+)?$")
BAD_CONFIGURATION, BAD_ARGUMENTS = 152, 153


def firecracker(env, *arguments):
    """Runs it to its end, which has to be soon: it must not begin to serve."""
    try:
        return coldstart(env, "firecracker", *arguments, timeout=5)
    except subprocess.TimeoutExpired:
        return Result(None, "", "it does not end", 5)


@test("api: --version tells a semantic version of 0.21.1 or more, the same as the API")
def version(env):
    result = firecracker(env, "--version")
    expect_status(result, 0)
    match = VERSION.match(result.out.splitlines()[0] if result.out else "")
    expect(match, "not 'Firecracker vX.Y.Z'", result)
    expect(tuple(map(int, match.group(1, 2, 3))) >= (0, 21, 1), "too old for clients", result)
    told = result.out.splitlines()[0].split()[1].lstrip("v")
    with Server(env) as server:
        expect(server.get("/version") == {"firecracker_version": told}, "GET /version")
        root = server.get("/")
        expect(root["vmm_version"] == told, f"{root}")
        expect(set(root) == {"id", "state", "vmm_version", "app_name"}, f"{root}")
        expect(root["app_name"] == "Firecracker", f"{root}")  # OpenAPI: a name; FC: this one
    expect_status(firecracker(env, "--help"), 0)


@test("api: started under the name firecracker it is Firecracker")
def by_name(env):
    link = os.path.join(env.scratch, "firecracker")
    if not os.path.islink(link):
        os.symlink(env.binary, link)
    done = subprocess.run([link, "--version"], capture_output=True, text=True, timeout=20,
                          check=False)
    expect(done.returncode == 0 and VERSION.match(done.stdout.splitlines()[0]), f"{done}")


@test("api: bad arguments: status 153 and what is wrong on stderr")
def bad_arguments(env):
    config = env.write("any.json", b"{}")
    sock = env.path("never.sock")
    cases = (
        ("--frobnicate",), ("--api-sock",), ("--id",), ("--config-file",), ("stray",), ("-x",),
        ("--api-sock", sock, "--api-sock", sock), ("--no-api",), ("--api-sock", sock, "--no-api"),
        ("--no-seccomp", "--seccomp-filter", config), ("--id", ""), ("--id", "a_b"), ("--id", "a b"),
        ("--id", "a.b"), ("--id", "a/b"), ("--id", "x" * 65), ("--id", "a:b"),
        ("--http-api-max-payload-size", "many"), ("--http-api-max-payload-size", "-1"),
        ("--mmds-size-limit", "x"), ("--start-time-us", "soon"), ("--version=",),
    )
    wrong = []
    for arguments in cases:
        path = () if "--api-sock" in arguments else ("--api-sock", sock)
        result = firecracker(env, *path, *arguments)
        if result.status != BAD_ARGUMENTS or not result.err.strip():
            wrong.append(f"{arguments}: {result}")
        if os.path.exists(sock):
            wrong.append(f"{arguments}: the socket is there")
            os.unlink(sock)
    print(f"      {len(cases)} cases, {len(wrong)} wrong", flush=True)
    expect(not wrong, "\n".join(wrong))


@test("api: --id, --level and the other flags that do not change what the API shows")
def good_arguments(env):
    for name in ("a", "A-1", "-", "x" * 64, "551e7604-e35c-42b3-b825-416853441234", "0"):
        with Server(env, "--id", name) as server:
            expect(server.get("/")["id"] == name, f"{name!r}")
    with Server(env, "--no-seccomp", "--boot-timer", "--start-time-us", "1", "--start-time-cpu-us",
                "2", "--parent-cpu-time-us", "3", "--show-level", "--show-log-origin", "--level",
                "Debug", "--module", "api", "--log-path", env.path("flags.log"), "--metrics-path",
                env.path("flags.metrics")) as server:
        expect(server.get("/")["id"] == "anonymous-instance", "another id")  # FC
        server.refused("PUT /metrics", {"metrics_path": env.path("second.metrics")})
        expect(os.path.exists(env.path("flags.log")), "--log-path made no file")
    with Server(env, "--enable-pci") as server:
        expect(server.state == "Not started", "--enable-pci")
    result = firecracker(env, "--api-sock", env.path("level.sock"), "--level", "loud")
    expect(result.status in (BAD_CONFIGURATION, BAD_ARGUMENTS), "a bad level", result)  # FC: 152


@test("api: a socket's path that exists is refused and left alone")
def path_in_use(env):
    file = env.write("in-use.file", b"mine")
    with socket.socket(socket.AF_UNIX) as listener, Server(env) as server:
        listener.bind(env.path("in-use.sock"))
        # A file, a socket that nobody listens on, one that is served, one that can't be made.
        for path in (file, env.path("in-use.sock"), server.socket_path,
                     os.path.join(env.scratch, "no/such/folder/s"), env.path("x" * 120)):
            result = firecracker(env, "--api-sock", path)
            expect(result.status in (1, BAD_ARGUMENTS), "the status", result)
            expect(path in result.err, "the message does not name the path", result)
        expect(server.state == "Not started", "the first server does not live")
    with open(file, "rb") as content:
        expect(content.read() == b"mine", "the file was changed")
    expect(stat.S_ISSOCK(os.stat(env.path("in-use.sock")).st_mode), "the socket was taken away")


@test("api: --metadata fills the store before any request")
def metadata(env):
    content = {"latest": {"meta-data": {"ami-id": "abc"}}}
    path = env.write("metadata.json", json.dumps(content).encode())
    with Server(env, "--metadata", path) as server:
        expect(server.get("/mmds") == content and server.state == "Not started", "not there")
        server.ok("PATCH /mmds", {"more": 1})
    big = env.write("big.json", json.dumps({"a": "x" * 60000}).encode())
    for arguments in (("--metadata", env.path("missing.json")), ("--metadata", big),
                      ("--metadata", env.write("broken.json", b'{"a":')),
                      ("--metadata", path, "--mmds-size-limit", "30"),
                      ("--metadata", path, "--http-api-max-payload-size", "30")):
        result = firecracker(env, "--api-sock", env.path("metadata.sock"), *arguments)
        expect(result.status != 0 and result.err.strip(), f"{arguments} is taken", result)
        if os.path.exists(env.path("metadata.sock")):
            os.unlink(env.path("metadata.sock"))


@test("api: coldstart serve is the same API")
def serve(env):
    with Server(env, guise="serve") as server:
        expect(server.state == "Not started", "the state")
        server.ok("PUT /machine-config", {"vcpu_count": 2, "mem_size_mib": 64})
        expect(server.get("/machine-config")["vcpu_count"] == 2, "not what was set")
        server.refused("PUT /boot-source", {})
        expect("drives" in server.get("/vm/config"), "GET /vm/config")


@test("api: the server ends by SIGTERM, SIGINT and with nobody left behind")
def ending(env):
    for number in (signal.SIGTERM, signal.SIGINT):
        with Server(env) as server, server.connect():
            server.end(number)
            expect(server.connection.ended(1), "the connection outlives the server")
    for _ in range(3):  # the same path again, as soon as the one before is gone
        with Server(env) as server:
            server.get("/version")
