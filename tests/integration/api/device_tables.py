"""Cases of the devices without a host side to open: balloon, entropy, vsock, serial, pmem, memory."""

import os
import stat

from harness import expect, test

from api.cases import bad, file_of, good, malformed, schema, table
from api.client import Server

BUCKET = {"size": 1000, "refill_time": 100}


def limiter_cases(line, body, field):
    """Every form of a rate limiter in `body[field]`."""
    def having(value):
        return {**body, field: value}

    for value in (None, {}, {"bandwidth": None}, {"ops": None}, {"bandwidth": BUCKET},
                  {"ops": BUCKET}, {"bandwidth": BUCKET, "ops": BUCKET},
                  {"bandwidth": {**BUCKET, "one_time_burst": 5}},
                  {"bandwidth": {**BUCKET, "one_time_burst": None}},
                  {"bandwidth": {"size": 0, "refill_time": 0, "one_time_burst": 0}},
                  {"ops": {"size": (1 << 64) - 1, "refill_time": 1}}):
        yield good(line, having(value))
    # Buckets are where unknown fields are let through.
    yield good(line, having({"ops": {**BUCKET, "unexpected": {"deep": [1, None]}}}))
    yield bad(line, having({"unexpected": BUCKET}))
    for name in ("bandwidth", "ops"):
        for bucket in ({}, {"size": 1}, {"refill_time": 1}, {"one_time_burst": 1}, 1, "x", [], True):
            yield bad(line, having({name: bucket}))
        for key in ("size", "refill_time", "one_time_burst"):
            for value in (-1, 1.0, "1", True, [], {}, 1 << 64):
                yield bad(line, having({name: {**BUCKET, key: value}}))
        for key in ("size", "refill_time"):
            yield bad(line, having({name: {**BUCKET, key: None}}))
    for value in (1, "x", [], True):
        yield bad(line, having(value))


@table("balloon")
def balloon(_):
    line, body = "PUT /balloon", {"amount_mib": 10, "deflate_on_oom": True}
    defaults = {"stats_polling_interval_s": 0, "free_page_hinting": False,
                "free_page_reporting": False}
    optional = {"stats_polling_interval_s": "int", "free_page_hinting": "bool",
                "free_page_reporting": "bool"}

    def told(fields):
        whole = {**defaults, **fields}
        return {"/balloon": whole, "/vm/config": {"balloon": whole}}

    yield good("GET /vm/config", status=200, shows={"answer": {"balloon": None}})
    yield bad("GET /balloon", source="FC: no device")
    yield good(line, body, told(body))
    yield from schema(line, body, {"amount_mib": "int", "deflate_on_oom": "bool"}, optional,
                      limits={"amount_mib": (129, 1 << 32), "stats_polling_interval_s": (65536,)})
    yield from malformed(line, body)
    for field, value in (("stats_polling_interval_s", 65535), ("free_page_hinting", True),
                         ("free_page_reporting", True), ("amount_mib", 0), ("amount_mib", 128)):
        yield good(line, {**body, field: value}, told({**body, field: value}))
    # The memory can't be smaller than the balloon any more.
    yield bad("PUT /machine-config", {"vcpu_count": 1, "mem_size_mib": 64})
    yield bad("PATCH /machine-config", {"mem_size_mib": 127})
    yield good("PATCH /machine-config", {"mem_size_mib": 256})
    yield good(line, {**body, "amount_mib": 256})
    yield bad(line, {**body, "amount_mib": 257})
    for later in ({"amount_mib": 1}, {"amount_mib": "x"}, {}):
        yield bad("PATCH /balloon", later)
    for interval in ({"stats_polling_interval_s": 1}, {}, {"stats_polling_interval_s": "1"}):
        yield bad("PATCH /balloon/statistics", interval)
    yield bad("GET /balloon/statistics")
    yield bad("PATCH /balloon")
    for path in ("start", "stop", "nonsense", ""):
        yield bad(f"PATCH /balloon/hinting/{path}", {"acknowledge_on_stop": True})
    for path in ("hinting/status", "hinting/nonsense", "hinting", "unrelated"):
        yield bad(f"GET /balloon/{path}")
    yield bad(line)
    yield bad(line, {})


@table("entropy")
def entropy(_):
    line = "PUT /entropy"
    yield good("GET /vm/config", status=200, shows={"answer": {"entropy": None}})
    yield good(line, {}, {"/vm/config": {"entropy": {"rate_limiter": None}}}, source="FC")
    limited = {"bandwidth": {**BUCKET, "one_time_burst": None}, "ops": None}
    yield good(line, {"rate_limiter": {"bandwidth": BUCKET}},
               {"/vm/config": {"entropy": {"rate_limiter": limited}}}, source="FC")
    yield from limiter_cases(line, {}, "rate_limiter")
    yield from malformed(line, {"rate_limiter": {}})
    yield bad(line, {"some_id": 4})
    yield bad("PATCH /entropy", {})
    yield bad("GET /entropy", source="OpenAPI")
    yield bad(line)


@table("vsock")
def vsock(server):
    line, path = "PUT /vsock", server.path("v.sock")
    body = {"guest_cid": 3, "uds_path": path}
    yield good("GET /vm/config", status=200, shows={"answer": {"vsock": None}})
    yield good(line, body, {"/vm/config": {"vsock": body}}, headers={"deprecation": None})
    # The same path again, though its socket exists: it is our own.
    yield good(line, {**body, "guest_cid": 52}, {"/vm/config": {"vsock": {"guest_cid": 52}}})
    yield good(line, {**body, "vsock_id": "vsock1"}, {"/vm/config": {"vsock": body}},
               headers={"deprecation": "true"})
    yield good(line, {**body, "vsock_id": None})
    yield bad(line, {**body, "vsock_id": 1})
    for cid in (0, 1, 2):
        yield bad(line, {**body, "guest_cid": cid}, source="OpenAPI: minimum 3")
    yield bad(line, {**body, "uds_path": file_of(server, "taken")})
    yield bad(line, {**body, "uds_path": server.path("no/such/folder")})
    yield bad(line, {**body, "uds_path": server.path("x" * 120)})
    yield bad(line, {**body, "uds_path": ""})
    yield bad(line, {**body, "unexpected": False})
    for field in body:
        yield bad(line, {key: value for key, value in body.items() if key != field})
        yield bad(line, {**body, field: None})
        for value in (True, [], {}, 1.0, -1, 1 << 32):
            yield bad(line, {**body, field: value})
    yield from malformed(line, body)
    yield bad("PATCH /vsock", body)
    yield bad(line)


@test("api: vsock: bound at PUT, unlinked when replaced, kept when a PUT is refused")
def vsock_socket(env):
    def is_socket(path):
        return os.path.exists(path) and stat.S_ISSOCK(os.stat(path).st_mode)

    with Server(env) as server:
        first, second = server.path("one"), server.path("two")
        server.ok("PUT /vsock", {"guest_cid": 3, "uds_path": first})
        expect(is_socket(first), "the first socket is not there")
        server.refused("PUT /vsock", {"guest_cid": 3, "uds_path": server.path("no/folder")})
        expect(is_socket(first), "a refused PUT took the socket away")
        server.ok("PUT /vsock", {"guest_cid": 4, "uds_path": second})
        expect(is_socket(second), "the second socket is not there")
        expect(not os.path.exists(first), "the first socket is still there")
        expect(server.get("/vm/config")["vsock"] == {"guest_cid": 4, "uds_path": second},
               "not what was set")


@table("serial")
def serial(server):
    line = "PUT /serial"
    yield good(line, {}, source="FC")
    yield good(line, {"serial_out_path": file_of(server, "console")}, source="OpenAPI")
    yield good(line, {"serial_out_path": None, "rate_limiter": None}, source="FC")
    # One bucket, not a pair of them.
    yield good(line, {"rate_limiter": BUCKET}, source="OpenAPI")
    yield bad(line, {"rate_limiter": {"bandwidth": BUCKET}}, source="OpenAPI")
    for value in (1, True, [], {}):
        yield bad(line, {"serial_out_path": value}, source="OpenAPI")
    yield bad(line, {"path": "x"}, source="FC")
    yield from malformed(line, {"serial_out_path": None})
    yield bad(line)


@table("hotplug/memory")
def memory_hotplug(_):
    line = "PUT /hotplug/memory"

    yield bad("GET /hotplug/memory")
    yield bad("PATCH /hotplug/memory", {"requested_size_mib": 128})
    full = {"total_size_mib": 2048, "block_size_mib": 64, "slot_size_mib": 256}
    yield bad(line, full, source="api.md: not built here")
    for change in ({"block_size_mib": 1}, {"block_size_mib": 0}, {"block_size_mib": 3},
                   {"slot_size_mib": 64}, {"slot_size_mib": 200}, {"total_size_mib": 128},
                   {"total_size_mib": 2049}, {"total_size_mib": 0}, {"total_size_mib": 1 << 44},
                   {"block_size_mib": 1 << 32}, {"slot_size_mib": 1 << 32}, {"total_size_mib": 1.0},
                   {"total_size_mib": "1"}, {"total_size_mib": None}, {"unexpected": 1}):
        yield bad(line, {**full, **change}, source="FC")
    yield from malformed(line, full)
    yield bad("PUT /hotplug", full, source="FC")
    yield bad("PUT /hotplug/cpu", full, source="FC")
    yield bad(line, {})
    yield bad(line)


@table("pmem")
def pmem(server):
    path = file_of(server, "pmem.img", 2 << 20)
    body, line = {"id": "pmem0", "path_on_host": path}, "PUT /pmem/pmem0"
    yield bad(line, body, source="api.md: not built here")
    yield from malformed(line, body)
    for path_id in ("/pmem/other", "/pmem", "/pmem/", "/pmem/a-b"):
        yield bad(f"PUT {path_id}", body)
    yield bad(line, {**body, "root_device": True}, source="api.md: not built here")
    yield bad("PATCH /pmem/pmem0", {"id": "pmem0", "rate_limiter": {"ops": BUCKET}})
    yield bad("DELETE /pmem/pmem0")
    yield bad(line)
