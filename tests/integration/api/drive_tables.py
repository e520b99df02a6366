"""Cases of /drives: fields, files, the one root drive, the order that GET shows."""

import os
import socket

from harness import expect, test

from api.cases import bad, file_of, good, malformed, schema, table, white_space
from api.client import Server
from api.device_tables import BUCKET, limiter_cases

SHOWN = {"partuuid": None, "cache_type": "Unsafe", "is_read_only": False, "rate_limiter": None,
         "io_engine": "Sync", "socket": None}


def drive(name, path, root=False, **more):
    return {"drive_id": name, "path_on_host": path, "is_root_device": root, **more}


@table("drives: fields and types")
def fields(server):
    path, line = file_of(server, "disk.img", 1 << 20), "PUT /drives/d1"
    body = drive("d1", path)
    yield good("GET /vm/config", status=200, shows={"answer": {"drives": []}})
    yield good(line, body, {"/vm/config": {"drives": [{**SHOWN, **body}]}})
    yield from schema(line, body, {"drive_id": "str", "is_root_device": "bool"},
                      {"is_read_only": "bool", "partuuid": "str", "cache_type": "enum",
                       "io_engine": "enum", "rate_limiter": "object", "path_on_host": "str",
                       "socket": "str"},
                      nulls=["is_read_only", "partuuid", "io_engine", "rate_limiter", "socket"])
    yield from malformed(line, body)
    yield from white_space(line, body)
    yield from limiter_cases(line, body, "rate_limiter")
    for field, value in (("is_read_only", True), ("cache_type", "Writeback"), ("io_engine", "Async"),
                         ("cache_type", "Unsafe"), ("io_engine", "Sync"),
                         ("partuuid", "0eaa91a0-01"), ("is_root_device", True)):
        whole = {**SHOWN, **body, field: value}
        yield good(line, {**body, field: value}, {"/vm/config": {"drives": [whole]}})
    for field, value in (("cache_type", "unsafe"), ("cache_type", "None"), ("io_engine", "sync"),
                         ("io_engine", "io_uring"), ("io_engine", "Threads")):
        yield bad(line, {**body, field: value})
    # A limiter that limits nothing is none; a burst of 0 is none. [FC: vmm_config]
    for limiter, shown in (
            ({}, None), ({"bandwidth": {"size": 0, "refill_time": 100}}, None),
            ({"ops": {"size": 10, "refill_time": 0}}, None),
            ({"ops": {**BUCKET, "one_time_burst": 0}},
             {"bandwidth": None, "ops": {**BUCKET, "one_time_burst": None}}),
            ({"bandwidth": {**BUCKET, "one_time_burst": 7}, "ops": BUCKET},
             {"bandwidth": {**BUCKET, "one_time_burst": 7},
              "ops": {**BUCKET, "one_time_burst": None}})):
        yield good(line, {**body, "rate_limiter": limiter}, {"/vm/config": {"drives": [
            {**SHOWN, **body, "rate_limiter": shown}]}}, source="FC")


@table("drives: the id in the path and in the body")
def ids(server):
    path = file_of(server, "disk.img", 4096)
    for name in ("a", "rootfs", "drive_0", "A_1", "_", "123", "x" * 200):
        yield good(f"PUT /drives/{name}", drive(name, path))
    for name in ("a-b", "a.b", "a%20b", "a:b", "%61", "a+b", "a,b"):
        yield bad(f"PUT /drives/{name}", drive(name, path))
    yield bad("PUT /drives/%61", drive("a", path), source="FC: no percent-decoding")
    yield bad("PUT /drives/one", drive("two", path))
    yield bad("PUT /drives/One", drive("one", path))
    yield bad("PUT /drives/one", drive("", path))
    yield bad("PUT /drives/one", drive(" one", path))
    for line in ("PUT /drives", "PUT /drives/", "PUT /drives?id=a"):
        yield bad(line, drive("a", path))
    for line in ("GET /drives", "GET /drives/a", "POST /drives/a"):
        yield bad(line, source="OpenAPI")
    yield bad("DELETE /drives/a", source="FC: not before the start")
    yield bad("DELETE /drives/a", {"x": 1}, source="FC")


@table("drives: files on the host")
def files(server):
    line = "PUT /drives/d"
    for size in (0, 1, 511, 512, 513, 1000, 1 << 40):
        yield good(line, drive("d", file_of(server, f"size{size}", size)), source="FC: any size")
    yield bad(line, drive("d", server.path("missing")))
    yield bad(line, drive("d", server.folder))
    yield bad(line, drive("d", ""))
    yield bad(line, drive("d", server.path("size512") + "\0"))
    # Neither, or both, of a file and a vhost-user socket; what belongs to the other kind.
    yield bad(line, {"drive_id": "d", "is_root_device": False})
    yield bad(line, {**drive("d", None)})
    yield bad(line, {**drive("d", server.path("size512")), "socket": server.path("s")})
    backend = {"drive_id": "d", "is_root_device": False, "socket": server.path("nobody.sock")}
    yield bad(line, backend, source="OpenAPI")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(server.path("vhost.sock"))
        backend["socket"] = server.path("vhost.sock")
        for field, value in (("is_read_only", False), ("io_engine", "Sync"), ("rate_limiter", {})):
            yield bad(line, {**backend, field: value}, source="OpenAPI")
    yield good(line, drive("d", server.path("size512"), is_read_only=True))
    yield good("GET /vm/config", status=200, shows={"answer": {"drives": [
        {**SHOWN, **drive("d", server.path("size512"), is_read_only=True)}]}})
    yield bad("PATCH /drives/d", {"drive_id": "d", "path_on_host": server.path("size512")})
    yield bad("PATCH /drives/d", {"drive_id": "d", "path_on_host": "x", "is_read_only": True})
    yield bad("PATCH /drives/d")


@table("drives: one root, which comes first; the same id replaces")
def root(server):
    one, two = file_of(server, "one.img", 4096), file_of(server, "two.img", 8192)

    def order(*names):
        """The ids that GET /vm/config shows, in this order, root or not."""
        return {"/vm/config": {"drives": [
            {**SHOWN, **drive(name.strip("*"), one, name.startswith("*"))} for name in names]}}

    def put(name, is_root=False):
        return f"PUT /drives/{name}", drive(name, one, is_root)

    yield good(*put("a"), order("a"))
    yield good(*put("b"), order("a", "b"))
    yield good(*put("root", True), order("*root", "a", "b"))
    yield bad(*put("c", True))
    yield bad(*put("a", True))
    yield good(*put("c"), order("*root", "a", "b", "c"))
    yield good(*put("root", True), order("*root", "a", "b", "c"))
    yield good(*put("b"), order("*root", "a", "b", "c"))
    # The root may stop being it, and another become it. [FC: vmm_config/drive.rs]
    yield good(*put("root"), order("root", "a", "b", "c"), source="FC")
    yield good(*put("b", True), order("*b", "a", "root", "c"), source="FC")
    yield bad(*put("root", True))
    yield bad("PUT /drives/b", drive("b", server.path("missing"), True))
    yield good("PUT /drives/a", drive("a", two), {"/vm/config": {"drives": [
        {**SHOWN, **drive("b", one, True)}, {**SHOWN, **drive("a", two)},
        {**SHOWN, **drive("root", one)}, {**SHOWN, **drive("c", one)}]}})
    for number in range(8):
        yield good(f"PUT /drives/extra_{number}", drive(f"extra_{number}", two))


@test("api: drives: a read-only file of somebody else is refused for writing")
def permissions(env):
    with Server(env) as server:
        path = file_of(server, "ro.img", 4096)
        os.chmod(path, 0o444)
        server.ok("PUT /drives/d", drive("d", path, is_read_only=True))
        answer = server.request("PUT /drives/d", drive("d", path))
        wanted = 204 if os.access(path, os.W_OK) else 400  # root may write to it all the same
        expect(answer.status == wanted, str(answer))
