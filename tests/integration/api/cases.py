"""Tables of requests and what has to become of them.

A case is a request and the status it has to get. After each refused one, everything that GET shows
must be as it was before ("State set earlier is kept when a PUT is refused"). `source` names where a
doubtful expectation comes from: the default is our REST contract, "api.md"; "OpenAPI" Firecracker's
API document, which decides where the contract is silent; "FC" the behaviour of Firecracker's own
parsers and functional tests."""

import json
import os
import traceback
from collections import namedtuple

from harness import expect, test

from api.client import Broken, Server

Case = namedtuple("Case", "line body status shows headers source")


def good(line, body=None, shows=None, status=204, headers=None, source="api.md"):
    """shows: {GET path: {key: value...}} that has to be among what it answers afterwards."""
    return Case(line, body, status, shows or {}, headers or {}, source)


def bad(line, body=None, status=400, source="api.md"):
    return Case(line, body, status, {}, {}, source)


class Missing:
    """In `shows`: the key must not be there."""


def table(title, needs=()):
    """Marks a function(server) that yields cases: a test that sends them all to one server."""
    def mark(function):
        @test(f"api: {title}", needs=needs)
        def run(env):
            with Server(env) as server:
                run_cases(server, function(server))

        return run

    return mark


def run_cases(server, cases):
    """Sends them all, on one connection; one failure does not hide the next one."""
    failures, count, before = [], 0, snapshot(server)
    for case in cases:
        count += 1
        try:
            run_case(server, case, before)
            if case.status == 204:
                before = snapshot(server)
        except (AssertionError, Broken, OSError) as error:
            body = case.body if isinstance(case.body, bytes) else json.dumps(case.body)
            failures.append(f"{case.line} {body[:200]} [{case.source}]\n    {error}")
            if server.process.poll() is not None:
                failures.append(f"the server ended with {server.process.returncode}\n"
                                + server.diagnostics())
                break
            try:
                before = snapshot(server)
            except (AssertionError, Broken, OSError):
                failures.append("the server does not answer any more\n" + traceback.format_exc())
                break
    print(f"      {count} cases, {len(failures)} wrong", flush=True)
    expect(not failures, "\n".join(failures[:40]))


def snapshot(server):
    return tuple(server.request(f"GET {path}").body for path in ("/", "/vm/config", "/mmds"))


def run_case(server, case, before):
    answer = server.request(case.line, case.body)
    expect(answer.status == case.status, f"{answer}, expected {case.status}")
    if case.status >= 400:
        after = snapshot(server)
        expect(after == before, f"refused, yet it changed {before} into {after}")
    for name, value in case.headers.items():
        expect(answer.headers.get(name) == value, f"{name} is {answer.headers.get(name)}")
    for path, wanted in case.shows.items():
        compare(server.get(path) if path != "answer" else answer.json(), wanted, path)


def compare(found, wanted, where):
    """`wanted` has to be in `found`: keys of objects one by one, everything else exactly."""
    if not isinstance(wanted, dict) or not isinstance(found, dict):
        same = found == wanted and isinstance(found, bool) == isinstance(wanted, bool)
        expect(same, f"{where} is {found!r}, not {wanted!r}")
        return
    for key, value in wanted.items():
        if value is Missing:
            expect(key not in found, f"{where} has {key}")
        else:
            expect(key in found, f"{where} has no {key}: {found}")
            compare(found[key], value, f"{where}/{key}")


# Values of a wrong type, by kind of field. Everything is refused. [FC: serde]
WRONG = {
    "int": (True, "1", 1.0, 1e2, -1, 1 << 64, [], {}, [1], 0.5),
    "bool": (0, 1, "true", "", [], {}),
    "str": (1, True, [], {}, ["x"]),
    "object": (1, "x", [], True, [{}]),
    "list": (1, "x", {}, True),
    "enum": (1, True, [], {}, "", "nonsense", " None"),
}


def without(body, field):
    return {key: value for key, value in body.items() if key != field}


def schema(line, body, required, optional, nulls=(), limits=None):
    """Cases that follow from the fields alone. body: a good one; required, optional: {field: kind};
    nulls: the optional fields where null is tried; limits: {field: (values just out of range)}."""
    yield bad(line, {**body, "unexpected": 1})
    yield bad(line, {**body, "Unexpected_Field": None})
    for field in required:
        yield bad(line, without(body, field))
        yield bad(line, {**body, field: None})
    for field, kind in {**required, **optional}.items():
        for value in WRONG[kind]:
            yield bad(line, {**body, field: value}, source="FC")
        for value in (limits or {}).get(field, ()):
            yield bad(line, {**body, field: value})
    for field in nulls:
        yield good(line, {**body, field: None})


DEEP = 10_000


def malformed(line, body):
    """Bodies that are no JSON, or not one object. body: a good one with at least one field."""
    text = json.dumps(body).encode()
    first = next(iter(body))
    once = json.dumps({first: body[first]}).encode()
    for content in (
            b" ", b"{", b"}", b"nonsense", b"\0", b"[", b"[]", b"[{}]", b"1", b'"x"', b"true",
            b"null", text[:-1], text[:len(text) // 2], text + b"x", text + text, text + b",",
            text[:-1] + b",}", b"{,}", text.replace(b'"', b"'"), text.replace(b":", b"=", 1),
            b"\xef\xbb\xbf" + text, text.decode().encode("utf-16"), text[:-1] + b',"x":\xff}',
            text[:-1] + b',"\xc3\x28":1}', text[:-1] + b',"x":NaN}', text[:-1] + b',"x":01}',
            text[:-1] + b',"x":"\n"}', text[:-1] + b',"x":"\\ud800"}', text[:-1] + b',"x":"\\q"}',
            b"//c\n" + text, text + b"/**/", b"[" * DEEP, b"[" * DEEP + b"]" * DEEP,
            b'{"x":' * DEEP + b"1" + b"}" * DEEP,
    ):
        yield bad(line, content)
    # The same key twice, the second time with the same value.
    yield bad(line, text[:-1] + b"," + once[1:], source="FC: duplicate field")


def white_space(line, body):
    """One good body, written in every way that JSON allows."""
    text = json.dumps(body)
    first = next(iter(body))
    yield good(line, b" \t\r\n" + json.dumps(body, indent=4).encode() + b"\r\n\t ")
    yield good(line, json.dumps(body, separators=(",", ":")).encode())
    yield good(line, text.replace(f'"{first}"', f'"\\u{ord(first[0]):04x}{first[1:]}"', 1).encode())
    yield good(line, dict(reversed(body.items())))


def file_of(server, name, size=0):
    """A file of that size below the server's folder; made once."""
    path = server.path(name)
    if not os.path.exists(path):
        with open(path, "wb") as file:
            file.truncate(size)
    return path
