"""What the logger and the metrics write: form, levels, FIFOs that are read and that are not."""

import json
import os
import re
import time

from harness import expect, test

from api.client import Server

FLUSH = {"action_type": "FlushMetrics"}
TIME = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9} "


def lines_of(path, at_least=1, seconds=10):
    """The whole lines of a file, once there are so many."""
    end = time.monotonic() + seconds
    while True:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = file.read().split("\n")[:-1]
        if len(lines) >= at_least:
            return lines
        expect(time.monotonic() < end, f"{len(lines)} lines in {path}, not {at_least}")
        time.sleep(0.02)


def busy(server):
    """Requests that Firecracker logs about at Info."""
    server.ok("PUT /machine-config", {"vcpu_count": 1, "mem_size_mib": 32})
    server.refused("PUT /machine-config", {})
    server.get("/version")


@test("api: log lines have the form that clients parse")
def log_form(env):
    for level, origin, middle in ((False, False, ""), (True, False, ":(ERROR|WARN|INFO|DEBUG|TRACE)"),
                                  (False, True, r":[^:\]]+:\d+"),
                                  (True, True, r":(ERROR|WARN|INFO|DEBUG|TRACE):[^:\]]+:\d+")):
        with Server(env, "--id", "log-1") as server:
            path = server.path("log")
            server.ok("PUT /logger", {"log_path": path, "level": "Debug", "show_level": level,
                                      "show_log_origin": origin})
            busy(server)
            form = re.compile(TIME + r"\[log-1:[^:\]]+" + middle + r"\] .+")
            for line in lines_of(path):
                expect(form.match(line), f"{line!r} is not of the form {form.pattern}")


@test("api: the log's level keeps lines away; a second PUT /logger moves to another file")
def log_level(env):
    with Server(env) as server:
        def count(name):
            return os.path.getsize(server.path(name))

        server.ok("PUT /logger", {"log_path": server.path("off"), "level": "Off"})
        busy(server)
        expect(count("off") == 0, "lines although the log is off")
        server.ok("PUT /logger", {"log_path": server.path("info"), "level": "Info"})
        busy(server)
        lines_of(server.path("info"))
        server.ok("PUT /logger", {"log_path": server.path("other"), "level": "Info"})
        size = count("info")
        busy(server)
        lines_of(server.path("other"))
        expect(count("info") <= size + 200, "it goes on in the first file")
        expect(count("off") == 0, "lines in the file that was left")


@test("api: metrics: a JSON object a line, at the start, by FlushMetrics and at the end", needs="kvm")
def metrics(env):
    with Server(env) as server:
        path = server.path("metrics")
        server.ok("PUT /metrics", {"metrics_path": path})
        server.start(env.guest("idle"))
        lines_of(path)
        for number in range(3):
            server.ok("PUT /actions", FLUSH)
            lines = lines_of(path, at_least=2 + number)
            expect(len(lines) == 2 + number, f"{len(lines)} lines after {number + 1} flushes")
        for line in lines:
            record = json.loads(line)
            expect(next(iter(record)) == "utc_timestamp_ms", f"the first key of {line[:100]}")
            now = record["utc_timestamp_ms"]
            expect(isinstance(now, int) and abs(now / 1000 - time.time()) < 600, f"{now}")
            expect(all(isinstance(group, dict) for name, group in record.items()
                       if name != "utc_timestamp_ms"), f"no groups in {line[:200]}")
        # FC: counters are deltas. Of the groups that clients look at, this one counts our requests.
        requests = json.loads(lines[0]).get("put_api_requests", {})
        expect(requests.get("metrics_count") == 1, f"put_api_requests in the first: {requests}")
        requests = json.loads(lines[-1]).get("put_api_requests", {})
        expect(requests.get("metrics_count") == 0, f"put_api_requests in the last: {requests}")
    with Server(env) as server:  # without metrics there is nothing to flush, which is no error
        server.start(env.guest("idle"))
        server.ok("PUT /actions", FLUSH)
        server.end()


@test("api: metrics are written when the guest ends", needs="kvm")
def metrics_at_end(env):
    with Server(env, "--metrics-path", env.path("end.metrics")) as server:
        server.start(env.guest("hello"))
        server.process.wait(timeout=env.patience)
        lines = lines_of(env.path("end.metrics"), at_least=2)
        expect(all(json.loads(line) for line in lines), f"{lines}")


def drain(descriptor, want, seconds=10):
    """Reads a FIFO until `want` is in what came."""
    content, end = b"", time.monotonic() + seconds
    while want not in content:
        expect(time.monotonic() < end, f"{want!r} does not come, only {content[-300:]!r}")
        try:
            content += os.read(descriptor, 65536)
        except BlockingIOError:
            pass
        time.sleep(0.005)
    return content


@test("api: log and metrics into FIFOs, with a reader before, later, or never", needs="kvm")
def fifos(env):
    with Server(env) as server:
        paths = {name: server.path(name) for name in ("log", "metrics")}
        for path in paths.values():
            os.mkfifo(path)
        reader = os.open(paths["log"], os.O_RDONLY | os.O_NONBLOCK)
        server.ok("PUT /logger", {"log_path": paths["log"], "level": "Info", "show_level": True})
        # Nobody reads the metrics yet: the PUT must not wait for one.
        server.ok("PUT /metrics", {"metrics_path": paths["metrics"]})
        server.start(env.guest("idle"))
        drain(reader, b"\n")
        late = os.open(paths["metrics"], os.O_RDONLY | os.O_NONBLOCK)
        server.ok("PUT /actions", FLUSH)
        text = drain(late, b"utc_timestamp_ms")
        expect(b"{" in text, f"{text[:100]}")
        os.close(reader)
        os.close(late)
        for _ in range(3):  # the readers are gone: no signal, no error
            server.ok("PUT /actions", FLUSH)
        expect(server.state == "Running", server.state)
        server.end()


@test("api: FIFOs that nobody reads fill up and hold up nothing", needs="kvm")
def full_fifos(env):
    with Server(env) as server:
        paths = {name: server.path(name) for name in ("log", "metrics")}
        for path in paths.values():
            os.mkfifo(path)
        server.ok("PUT /logger", {"log_path": paths["log"], "level": "Trace", "show_level": True,
                                  "show_log_origin": True})
        server.ok("PUT /metrics", {"metrics_path": paths["metrics"]})
        server.start(env.guest("idle"))
        start = time.monotonic()
        for number in range(1500):
            server.ok("PATCH /vm", {"state": "Paused" if number % 2 else "Resumed"})
            if number % 10 == 0:
                server.ok("PUT /actions", FLUSH)
        print(f"      1650 requests in {time.monotonic() - start:.1f} s", flush=True)
        expect(server.state == "Paused", server.state)
        server.end()
