"""The serial console of the API: a file that is kept, a FIFO nobody reads, a limit."""

import json
import os

from harness import expect, test

from api.client import Server


def run_to_end(env, server, guest):
    server.start(env.guest(guest))
    server.process.wait(timeout=env.patience)
    expect(server.process.returncode == 0, f"status {server.process.returncode}")


def content(path):
    with open(path, "rb") as file:
        return file.read()


@test("api: serial output goes to a file, which is made or kept, never emptied", needs="kvm")
def kept_file(env):
    with Server(env) as server:
        made = server.path("made")
        server.ok("PUT /serial", {"serial_out_path": made})
        run_to_end(env, server, "hello")
        expect(b"hello from ring 0" in content(made), f"{content(made)!r}")
    with Server(env) as server:
        kept = server.write("kept", b"k" * 4096)
        server.ok("PUT /serial", {"serial_out_path": kept})
        run_to_end(env, server, "hello")
        expect(len(content(kept)) >= 4096, "the file was emptied")
        expect(b"hello from ring 0" in content(kept), "no output")


@test("api: a FIFO nobody reads takes what it has room for and holds no guest up", needs="kvm")
def full_fifo(env):
    with Server(env) as server:
        path = server.path("fifo")
        os.mkfifo(path)
        reader = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        try:
            server.ok("PUT /serial", {"serial_out_path": path})
            run_to_end(env, server, "chatty")  # more than a FIFO holds
            expect(b"the quick brown fox" in os.read(reader, 65536), "nothing in the FIFO")
        finally:
            os.close(reader)
    with Server(env) as server:
        path = server.path("alone")
        os.mkfifo(path)
        server.ok("PUT /serial", {"serial_out_path": path})
        run_to_end(env, server, "chatty")


@test("api: serial output over its limit is lost, counted, and holds no guest up", needs="kvm")
def limited(env):
    with Server(env) as server:
        out, metrics = server.path("out"), server.path("metrics")
        server.ok("PUT /metrics", {"metrics_path": metrics})
        server.ok("PUT /serial", {"serial_out_path": out, "rate_limiter": {
            "size": 1000, "refill_time": 3600000}})
        run_to_end(env, server, "chatty")
        size = os.path.getsize(out)
        expect(1000 <= size <= 1100, f"{size} bytes, not the 1000 of the limit")
        lines = [json.loads(line) for line in content(metrics).splitlines()]
        dropped = sum(line["uart"]["rate_limiter_dropped_bytes"] for line in lines)
        written = sum(line["uart"]["write_count"] for line in lines)
        expect(written == size + dropped, f"{written} written, {size} kept, {dropped} dropped")
        expect(lines[-1]["api_server"]["process_startup_time_us"] > 0, "no start-up time")
