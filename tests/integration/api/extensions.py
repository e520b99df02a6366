"""What coldstart adds to Firecracker's API: firmware, boards, the screen, events, times, metrics."""

import json
import os
import re
import shutil
import subprocess
import time

from harness import Skip, expect, test

from api.cases import bad, file_of, good, malformed, run_cases, schema, table
from api.client import Broken, Server

SEABIOS = "/usr/share/seabios/bios-256k.bin"
PNG = b"\x89PNG\r\n\x1a\n"


@table("ours: platform, display and cdrom")
def shapes(server):
    choices = {"/platform": {"board": ("micro", "pc"), "on_reboot": ("restart", "exit"),
                             "boot_mode": ("auto", "linux", "pvh", "firmware"),
                             "load": ("auto", "copy", "map")},
               "/display": {"adapter": ("none", "std")}}
    for path, fields in choices.items():
        for field, values in fields.items():
            for value in values:
                yield good(f"PUT {path}", {field: value})
            yield from schema(f"PUT {path}", {field: values[0]}, {}, {field: "enum"})
            yield bad(f"PUT {path}", {field: values[0].upper()})
        yield from malformed(f"PUT {path}", {field: values[0]})
        yield bad(f"PUT {path}")
    line, body = "PUT /cdrom", {"path_on_host": file_of(server, "cd.iso", 1 << 20)}
    yield good(line, body)
    yield from schema(line, body, {"path_on_host": "str"}, {})
    yield from malformed(line, body)
    yield bad(line, {"path_on_host": server.path("missing.iso")})


@test("api: ours: firmware")
def firmware(env):
    if not os.path.exists(SEABIOS):
        raise Skip(f"{SEABIOS} is missing (apt install seabios)")
    with Server(env) as server:
        line, body = "PUT /firmware", {"image_path": SEABIOS}
        run_cases(server, [
            good(line, body), *malformed(line, body),
            *schema(line, body, {"image_path": "str"}, {"nvram_path": "str",
                                                        "nvram_template_path": "str"},
                    ["nvram_path", "nvram_template_path"]),
            bad(line, {"image_path": server.path("missing")}), bad(line)])


@test("api: ours: GET /openapi.json describes every resource; GET /metrics is Prometheus text")
def documents(env):
    with Server(env) as server:
        paths = server.get("/openapi.json")["paths"]
        for path in ("/actions", "/machine-config", "/boot-source", "/drives/{id}", "/vm",
                     "/mmds", "/vsock", "/balloon", "/events", "/screen", "/timeline", "/platform"):
            expect(path in paths, f"{path} is not in {sorted(paths)}")
        with server.connect() as connection:
            connection.send(b"GET /metrics HTTP/1.1\r\n\r\n")
            answer = connection.answer(check=False)
        expect(answer.status == 200, str(answer))
        expect(answer.headers.get("content-type", "").startswith("text/plain"), f"{answer.headers}")
        name = re.compile(rb"^(#.*|[a-zA-Z_:][a-zA-Z0-9_:]*(\{.*\})? \S+( \d+)?)$")
        lines = [line for line in answer.body.split(b"\n") if line]
        expect(lines and all(map(name.match, lines)), f"{answer.body[:500]!r}")


def first_event(connection, seconds=10):
    """The first line of a stream that is a JSON object, however its body is framed."""
    _, status, headers = connection.head()
    expect(status == 200, f"GET /events: {status} {headers}")
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        *lines, rest = connection.rest.split(b"\n")
        connection.rest = rest
        for line in lines:
            if line.strip().startswith(b"{"):
                return json.loads(line)
        connection._more()  # pylint: disable=protected-access
    raise Broken("no event")


@test("api: ours: GET /events streams JSON lines, and others are served meanwhile", needs="kvm")
def events(env):
    with Server(env) as server, server.connect() as stream:
        stream.send(b"GET /events HTTP/1.1\r\n\r\n")
        server.start(env.guest("idle"))
        expect(isinstance(first_event(stream), dict), "no object")
        expect(server.state == "Running", server.state)
        timeline = server.get("/timeline")
        expect(timeline, "the timeline is empty")
        server.end()


@test("api: ours: PowerButton, Reset and Stop", needs="kvm")
def actions(env):
    with Server(env, stdout=subprocess.PIPE) as server:
        for action in ("PowerButton", "Reset"):
            server.refused("PUT /actions", {"action_type": action})  # before the start
        server.ok("PUT /platform", {"on_reboot": "restart"})
        server.start(env.guest("idle"))
        said, out = b"", server.process.stdout
        os.set_blocking(out.fileno(), False)
        server.ok("PUT /actions", {"action_type": "PowerButton"})  # the guest is deaf to it
        for count in (1, 2, 3):
            end = time.monotonic() + 10
            while said.count(b"idle") < count:
                expect(time.monotonic() < end, f"no start number {count}: {said!r}")
                said += out.read() or b""
                time.sleep(0.01)
            if count < 3:
                server.ok("PUT /actions", {"action_type": "Reset"})
        server.ok("PUT /actions", {"action_type": "Stop"})
        end = time.monotonic() + 10
        while server.process.poll() is None:  # whether the process ends with its guest, or not
            try:
                if server.state == "Not started":
                    break
            except (Broken, OSError, AssertionError):
                pass
            expect(time.monotonic() < end, "the guest does not end")
            time.sleep(0.02)


@test("api: ours: a guest that can't start again ends the process, and does not look alive",
      needs="kvm")
def reset_in_vain(env):
    with Server(env) as server:
        kernel = server.path("kernel")
        shutil.copy(env.guest("idle"), kernel)
        server.start(kernel)
        os.unlink(kernel)
        server.ok("PUT /actions", {"action_type": "Reset"})
        expect(server.process.wait(timeout=10) == 1, f"status {server.process.returncode}")


@test("api: ours: the screen as text and as a picture, by Accept", needs="kvm")
def screen(env):
    with Server(env) as server:
        server.start(env.guest("idle"))
        server.refused("GET /screen")  # there is no display adapter
        server.end()
    if not os.path.exists(SEABIOS):
        raise Skip(f"{SEABIOS} is missing (apt install seabios)")
    with Server(env) as server:
        server.ok("PUT /platform", {"board": "pc", "boot_mode": "firmware"})
        server.ok("PUT /display", {"adapter": "std"})
        server.ok("PUT /firmware", {"image_path": SEABIOS})
        server.ok("PUT /machine-config", {"vcpu_count": 1, "mem_size_mib": 64})
        server.ok("PUT /actions", {"action_type": "InstanceStart"})
        for accept, mark in (("text/plain", b""), ("image/png", PNG)):
            with server.connect() as connection:
                connection.send(f"GET /screen HTTP/1.1\r\nAccept: {accept}\r\n\r\n".encode())
                answer = connection.answer(check=False)
            expect(answer.status == 200, str(answer))
            expect(answer.headers.get("content-type", "").startswith(accept), f"{answer.headers}")
            expect(answer.body.startswith(mark), f"{answer.body[:20]!r}")
        server.end()
