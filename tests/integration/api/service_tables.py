"""Cases of what is no device: metadata, logger, metrics, snapshots, and paths that are none."""

import json
import os
import stat

from harness import expect, test

from api.cases import DEEP, Missing, bad, file_of, good, malformed, run_cases, schema, table
from api.client import Server


def mmds_is(value):
    return {"/mmds": value}


@table("mmds: the data before and after PUT and PATCH")
def mmds(_):
    put, patch = "PUT /mmds", "PATCH /mmds"
    yield good("GET /mmds", status=200, shows={"answer": {}}, source="FC")
    yield bad(patch, {"a": 1})
    yield bad(patch, {})
    first = {"latest": {"meta-data": {"ami-id": "ami-1", "empty": None, "n": [1, 2.5, -3, True]}}}
    yield good(put, first, mmds_is(first))
    yield good(put, {"b": 1}, {"/mmds": {"b": 1, "latest": Missing}})
    # RFC 7396: objects are merged, null takes away, anything else replaces.
    for change, becomes in (
            ({"a": "b"}, {"a": "b", "b": 1}), ({"a": "c"}, {"a": "c"}), ({"a": None}, {"a": Missing}),
            ({"no-such": None}, {"no-such": Missing}), ({"b": {"x": 1, "gone": None}},
                                                         {"b": {"x": 1, "gone": Missing}}),
            ({"b": {"y": [1]}}, {"b": {"x": 1, "y": [1]}}), ({"b": {"y": [{"z": None}]}},
                                                             {"b": {"y": [{"z": None}]}}),
            ({"b": {"x": None}}, {"b": {"x": Missing}}), ({"b": 5}, {"b": 5}), ({}, {"b": 5}),
            ({"b": {}}, {"b": {}})):
        yield good(patch, change, mmds_is(becomes))
    yield good(put, {}, {"/mmds": {"b": Missing}})
    for text in ("caf\u00e9 \u2603 \U0001f600", "\"\\/\b\f\n\r\t", "\0", "a/b~c", ""):
        yield good(put, {"text": text, text: 1}, mmds_is({"text": text, text: 1}))
        yield good(put, json.dumps({"text": text}, ensure_ascii=False).encode(),
                   mmds_is({"text": text}))
    for number in (0, -1, 1.5, 1e300, (1 << 63) - 1, -(1 << 63), (1 << 64) - 1, 1e-7):
        yield good(put, {"number": number}, mmds_is({"number": number}))
    yield good(put, b'{"a": 1, "a": 2}', mmds_is({"a": 2}), source="FC: the last one wins")
    for value in ([1, {"a": None}], "text", 5, 1.5, True):
        yield good(put, value, mmds_is(value), source="api.md: any JSON")
    yield good(patch, {"a": 1}, mmds_is({"a": 1}), source="RFC 7396: no object becomes one")
    deep = b"[" * 100 + b"]" * 100
    yield good(put, b'{"deep":' + deep + b"}", mmds_is({"deep": json.loads(deep)}))
    for line in (put, patch):
        for content in (b"{", b"nonsense", b'{"a":1', b'{"a":1}x', b'{"a":1,}', b"{'a':1}", b" ",
                        b'{"a":\xff}', b'{"\xc3\x28":1}', b'{"a":NaN}', b'{"a":01}', b'{"a":.5}',
                        b'{"a":"\n"}', b'{"a":"\\ud800"}', b'{"a":"\\x41"}', b'{"a":tru}', b"[1,]",
                        b'\xef\xbb\xbf{"a":1}', b"[" * DEEP, b"[" * DEEP + b"]" * DEEP,
                        b'{"x":' * DEEP + b"1" + b"}" * DEEP, b"1e999999x", b'{"a" 1}', b"-"):
            yield bad(line, content)
        yield bad(line)
    yield bad("DELETE /mmds")


@test("api: mmds: over the limit is 413, and the store stays as it was")
def mmds_limit(env):
    def sized(size):
        """An object of so many bytes, written without spaces."""
        return {"a": "x" * (size - len('{"a":""}'))}

    with Server(env, "--mmds-size-limit", 1000) as server:
        run_cases(server, [
            good("PUT /mmds", sized(1000), mmds_is(sized(1000))),
            bad("PUT /mmds", sized(1001), 413), bad("PATCH /mmds", sized(1001), 413),
            bad("PATCH /mmds", {"b": 1}, 413), bad("PUT /mmds", sized(20000), 413),
            # What counts is the stored form, not the spaces of the request.
            good("PUT /mmds", json.dumps(sized(1000), indent=2000).encode(), mmds_is(sized(1000)),
                 source="FC"),
            good("PATCH /mmds", {"a": "y"}, mmds_is({"a": "y"})),
            good("PATCH /mmds", {"b": "z" * 900}), bad("PATCH /mmds", {"c": "z" * 100}, 413),
            bad("PUT /mmds", b"{" + b" " * 2000),
        ])
    # Without the option the limit is that of a request's body.
    with Server(env, "--http-api-max-payload-size", 2000) as server:
        run_cases(server, [good("PUT /mmds", sized(1500)), good("PATCH /mmds", {"b": "x" * 400}),
                           bad("PATCH /mmds", {"c": "x" * 400}, 413, source="FC")])


@table("logger")
def logger(server):
    line, path = "PUT /logger", file_of(server, "log")
    yield good(line, {}, source="OpenAPI: nothing is required")
    yield good(line, {"log_path": path})
    optional = {"log_path": "str", "level": "enum", "show_level": "bool",
                "show_log_origin": "bool", "module": "str"}
    yield from schema(line, {"log_path": path}, {}, optional, nulls=list(optional))
    yield from malformed(line, {"log_path": path})
    for level in ("Error", "Warning", "Info", "Debug", "Trace", "Off", "error", "WARNING", "iNfO"):
        yield good(line, {"log_path": path, "level": level}, source="OpenAPI: case-insensitive")
    for level in ("Verbose", "", "Information", "3", "Warning "):
        yield bad(line, {"log_path": path, "level": level})
    yield good(line, {"log_path": path, "level": "Debug", "show_level": True,
                      "show_log_origin": True, "module": "api_server::request"})
    yield good(line, {"log_path": server.path("another")})
    yield bad(line, {"log_path": server.path("no/such/folder")})
    yield bad(line, {"log_path": server.folder})
    yield bad(line, {"log_path": ""})
    yield bad("PATCH /logger", {"level": "Error"})
    yield bad("GET /logger", source="OpenAPI")
    yield bad(line)


@table("metrics: once")
def metrics(server):
    line, path = "PUT /metrics", server.path("metrics")
    yield from malformed(line, {"metrics_path": path})
    for body in ({}, {"metrics_path": None}, {"metrics_path": 1}, {"metrics_path": [path]},
                 {"metrics_path": ""}, {"metrics_path": server.folder}, {"invalid_field": path},
                 {"metrics_path": server.path("no/such/folder")},
                 {"metrics_path": path, "emit_id": 1}, {"metrics_path": path, "properties": []},
                 {"metrics_path": path, "properties": {"a": 1}}):
        yield bad(line, body)
    yield good(line, {"metrics_path": path})
    yield bad(line, {"metrics_path": path})
    yield bad(line, {"metrics_path": server.path("second")})
    yield bad("PATCH /metrics", {"metrics_path": path})
    yield bad(line)


@test("api: logger and metrics make their files, and do not empty one that is there")
def log_files(env):
    with Server(env) as server:
        server.ok("PUT /logger", {"log_path": server.path("log")})
        server.ok("PUT /metrics", {"metrics_path": server.path("metrics"), "emit_id": True,
                                   "properties": {"customer": "1"}})
        for name in ("log", "metrics"):
            expect(stat.S_ISREG(os.stat(server.path(name)).st_mode), f"{name} is no file")
        kept = server.write("kept", b"x" * 5000)
        server.ok("PUT /logger", {"log_path": kept})
        server.get("/")
        expect(os.path.getsize(kept) >= 5000, "the file was emptied")


@table("snapshots before the start")
def snapshots(server):
    memory, state = server.path("mem"), server.path("state")
    create = {"snapshot_path": state, "mem_file_path": memory}
    yield bad("PUT /snapshot/create", create)
    for change in ({"snapshot_type": "Full"}, {"snapshot_type": "Diff"}, {"snapshot_type": "full"},
                   {"snapshot_type": 1}, {"unexpected": 1}, {"snapshot_path": None},
                   {"mem_file_path": 5}, {"version": "1.0.0"}):
        yield bad("PUT /snapshot/create", {**create, **change})
    yield bad("PUT /snapshot/create", {"snapshot_path": state})
    yield from malformed("PUT /snapshot/create", create)
    load = "PUT /snapshot/load"
    backend = {"backend_type": "File", "backend_path": memory}
    for body in (
            {}, {"snapshot_path": state}, {"mem_backend": backend}, {"mem_file_path": memory},
            {"snapshot_path": state, "mem_backend": backend, "mem_file_path": memory},
            {"snapshot_path": state, "mem_backend": {"backend_type": "File"}},
            {"snapshot_path": state, "mem_backend": {"backend_path": memory}},
            {"snapshot_path": state, "mem_backend": {**backend, "backend_type": "foo"}},
            {"snapshot_path": state, "mem_backend": {**backend, "extra": 1}},
            {"snapshot_path": state, "mem_backend": backend, "resume_vm": 1},
            {"snapshot_path": state, "mem_backend": backend, "unexpected": 1},
            {"snapshot_path": state, "mem_backend": backend, "network_overrides": {}},
            {"snapshot_path": state, "mem_backend": backend, "network_overrides": [{}]},
            {"snapshot_path": state, "mem_backend": backend, "vsock_override": {}},
            {"snapshot_path": state, "mem_backend": backend, "track_dirty_pages": "yes"}):
        yield bad(load, body)
    yield from malformed(load, {"snapshot_path": state, "mem_backend": backend})
    for line in ("PUT /snapshot", "PUT /snapshot/invalid", "PATCH /snapshot/load"):
        yield bad(line, create)
    yield bad(load)
    # Once the machine has been configured it can't be loaded over.
    yield good("PUT /machine-config", {"vcpu_count": 1, "mem_size_mib": 64})
    yield bad(load, {"snapshot_path": state, "mem_backend": backend})
    old = bad(load, {"snapshot_path": state, "mem_file_path": memory}, source="FC: test_api.py")
    yield old._replace(headers={"deprecation": "true"})


@table("paths and methods that are none")
def unknown_paths(_):
    body = {"vcpu_count": 1, "mem_size_mib": 64}
    for path in ("/nonsense", "/machine_config", "/Machine-Config", "/machine-configs", "/vm/x",
                 "/api/v1/machine-config", "/drive", "/network-interface", "/.", "/..", "/%2e",
                 "/machine%2Dconfig", "/machine-config?x=1", "/\u00e9", "/" + "x" * 900):
        yield bad(f"PUT {path}", body)
        yield bad(f"PUT {path}")
        yield bad(f"PATCH {path}", body)
        yield bad(f"GET {path}")
        yield bad(f"DELETE {path}")
    for path in ("/", "/version", "/vm/config", "/vm"):
        yield bad(f"PUT {path}", body, source="OpenAPI")
        yield bad(f"DELETE {path}", source="OpenAPI")
    for path in ("/", "/version", "/vm/config"):
        yield bad(f"PATCH {path}", body, source="OpenAPI")
    for path in ("/machine-config", "/boot-source", "/logger", "/actions", "/vsock", "/entropy"):
        yield bad(f"DELETE {path}", source="OpenAPI")
    for path in ("/", "/version", "/vm/config", "/machine-config", "/mmds", "/balloon"):
        yield bad(f"GET {path}", {})
        yield bad(f"GET {path}", body)
    for path in ("/vm", "/actions", "/boot-source", "/snapshot/create", "/vsock", "/mmds/config"):
        yield bad(f"GET {path}", {"x": 1})
    for method in ("POST", "HEAD", "OPTIONS", "TRACE", "CONNECT", "put", "Get", "DELETED", "GE"):
        yield bad(f"{method} /machine-config", body)
    for path in ("/version/", "/vm/config/", "/machine-config/", "//version"):
        yield good(f"GET {path}", status=200, source="FC")
    yield good("PUT /machine-config/", body, source="FC")
