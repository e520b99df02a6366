"""HTTP itself: what is a request, how long it may be, how answers and connections behave."""

import json
import socket
import time

from harness import expect, test

from api.client import Broken, Connection, Server, raw

GET = b"GET /version HTTP/1.1\r\n\r\n"
SMALL = {"vcpu_count": 1, "mem_size_mib": 64}


def exchange(server, content):
    """What a new connection answers to these bytes."""
    with server.connect() as connection:
        connection.send(content)
        return connection.answer()


def each(server, cases, wanted):
    """Sends each of {title: bytes} on a connection of its own; afterwards a good request works."""
    wrong = []
    for title, content in cases.items():
        try:
            answer = exchange(server, content)
            if answer.status != wanted:
                wrong.append(f"{title}: {answer}")
            expect(exchange(server, GET).status == 200, "then a good request fails")
        except (Broken, OSError, AssertionError) as error:
            wrong.append(f"{title}: {error}")
    print(f"      {len(cases)} cases, {len(wrong)} wrong", flush=True)
    expect(not wrong, "\n".join(wrong))


@test("api: HTTP: what is a request, and what only looks like one")
def requests(env):
    put = raw("PUT /machine-config", SMALL)
    good = {
        "1.1": GET, "1.0": GET.replace(b"1.1", b"1.0"), "no header at all": GET,
        "an absolute URI": b"GET http://localhost/version HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "header names in any case": b"GET /version HTTP/1.1\r\ncontent-LENGTH: 0\r\n\r\n",
        "an empty body": b"GET /version HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
        "no space after the colon": b"GET /version HTTP/1.1\r\nContent-Length:0\r\n\r\n",
        "any Accept": b"GET /version HTTP/1.1\r\nAccept: image/png, */*;q=0.1\r\n\r\n",
        "gzip": b"GET /version HTTP/1.1\r\nAccept-Encoding: gzip, deflate\r\n\r\n",
        "another Expect": b"GET /version HTTP/1.1\r\nExpect: a-miracle\r\n\r\n",
        "Connection": b"GET /version HTTP/1.1\r\nConnection: Keep-Alive\r\n\r\n",
        "a colon in a value": b"GET /version HTTP/1.1\r\nX: a:b:c\r\n\r\n",
        "an empty value": b"GET /version HTTP/1.1\r\nX-Empty:\r\n\r\n",
        "100 headers": b"GET /version HTTP/1.1\r\n" + b"X-More: yes\r\n" * 100 + b"\r\n",
        "a header line of 1000": b"GET /version HTTP/1.1\r\nX: " + b"x" * 997 + b"\r\n\r\n",
        "ten of them": b"GET /version HTTP/1.1\r\n" + (b"X: " + b"x" * 997 + b"\r\n") * 10 + b"\r\n",
    }
    bad = {
        "nonsense": b"nonsense\r\n\r\n",
        "no URI": b"GET\r\n\r\n", "no version": b"GET /version\r\n\r\n", "only spaces": b"  \r\n\r\n",
        "HTTP/0.9": GET.replace(b"1.1", b"0.9"), "HTTP/1.2": GET.replace(b"1.1", b"1.2"),
        "HTTP/2.0": GET.replace(b"1.1", b"2.0"), "http/1.1": GET.replace(b"HTTP", b"http"),
        "HTTP 2's preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "two spaces": b"GET  /version HTTP/1.1\r\n\r\n", "POST": GET.replace(b"GET", b"POST"),
        "get": GET.replace(b"GET", b"get"), "no method": GET[3:], "TLS": b"\x16\x03\x01\x02\r\n\r\n",
        "a URI that is not UTF-8": b"GET /\xff\xfe HTTP/1.1\r\n\r\n",
        "a request line of 1100": b"GET /" + b"x" * 1086 + b" HTTP/1.1\r\n\r\n",
        "a request line without end": b"GET /" + b"x" * 5000,
        "a header line of 1100": b"GET /version HTTP/1.1\r\nX: " + b"x" * 1097 + b"\r\n\r\n",
        "a header line without end": b"GET /version HTTP/1.1\r\nX: " + b"x" * 5000,
        "a header without a colon": b"GET /version HTTP/1.1\r\nnonsense\r\n\r\n",
        "a header that is not UTF-8": b"GET /version HTTP/1.1\r\nX: \xff\r\n\r\n",
        "a length of words": b"PUT /mmds HTTP/1.1\r\nContent-Length: two\r\n\r\n{}",
        "a negative length": b"PUT /mmds HTTP/1.1\r\nContent-Length: -2\r\n\r\n{}",
        "a length of nothing": b"PUT /mmds HTTP/1.1\r\nContent-Length:\r\n\r\n{}",
        "a hexadecimal length": b"PUT /mmds HTTP/1.1\r\nContent-Length: 0x2\r\n\r\n{}",
        "a length and more": b"PUT /mmds HTTP/1.1\r\nContent-Length: 2 2\r\n\r\n{}",
        "a length of 2^32": b"PUT /mmds HTTP/1.1\r\nContent-Length: 4294967296\r\n\r\n{}",
        "a length of 2^64 + 2":
            b"PUT /mmds HTTP/1.1\r\nContent-Length: 18446744073709551618\r\n\r\n{}",
        "an empty PUT": b"PUT /mmds HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
        "chunked": b"PUT /mmds HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        "GET with a body": b"GET /version HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}",
        "a PUT cut into a body of 2": put.replace(b"Length: ", b"Length: 2\r\nX: "),
    }
    with Server(env) as server:
        before = server.get("/vm/config")
        each(server, good, 200)
        each(server, bad, 400)
        expect(server.get("/vm/config") == before and server.get("/mmds") == {}, "it changed")


@test("api: HTTP: the form of an answer")
def answers(env):
    with Server(env) as server, server.connect() as connection:
        connection.send(raw("PUT /machine-config", SMALL))
        version, status, headers = connection.head()
        expect((version, status) == ("HTTP/1.1", 204), f"{version} {status}")
        expect(headers.get("connection") == "keep-alive", f"{headers}")
        connection.send(GET)  # a body after the 204 would be taken for this one's answer
        answer = connection.answer()
        expect(answer.status == 200 and "firecracker_version" in answer.json(), str(answer))
        expect(answer.headers.get("connection") == "keep-alive", f"{answer.headers}")
        connection.send(raw("PUT /boot-source", {}))
        answer = connection.answer()
        expect(answer.status == 400 and list(answer.json()) == ["fault_message"], str(answer))
        # Quotes, controls and foreign letters in a fault message stay JSON.
        for name in ('"', "\\", "\n", "\u00e9", "\0", "</x>"):
            connection.send(raw("PUT /boot-source", {"kernel_image_path": "/no/" + name}))
            expect(connection.answer().fault, "no fault")
            connection.send(raw("PUT /boot-source", {name: 1}))
            expect(connection.answer().fault, "no fault")


@test("api: HTTP: a body of 51200 bytes is taken, one of 51201 refused")
def body_limit(env):
    def body(size):
        return json.dumps({"a": "x" * (size - 9)}).encode()

    with Server(env) as server:
        for size in (1000, 1024, 1025, 2048, 51199, 51200):
            expect(len(body(size)) == size, "the test is wrong")
            server.ok("PUT /mmds", body(size))
        kept = server.get("/mmds")
        for size in (51201, 60000, 1 << 20):
            answer = exchange(server, raw("PUT /mmds", body(size)))
            expect(answer.status == 400, f"{size}: {answer}")
        # It is refused by its headers: the body does not have to come.
        answer = exchange(server, b"PUT /mmds HTTP/1.1\r\nContent-Length: 51201\r\n\r\n")
        expect(answer.status == 400, str(answer))
        expect(server.get("/mmds") == kept, "a refused body was stored")
    with Server(env, "--http-api-max-payload-size", 250) as server:
        server.ok("PUT /mmds", body(250))
        expect(exchange(server, raw("PUT /mmds", body(251))).status == 400, "251 of 250 bytes")
    with Server(env, "--http-api-max-payload-size", 2 << 20) as server:
        expect(exchange(server, raw("PUT /mmds", body(1 << 20))).status == 204, "1 MiB of 2")


@test("api: HTTP: Expect: 100-continue")
def expect_continue(env):
    head = b"PUT /mmds HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n"
    with Server(env) as server:
        with server.connect() as connection:
            connection.send(head % 7)
            expect(connection.answer().status == 100, "no 100")
            connection.send(b'{"a":1}')
            expect(connection.answer().status == 204, "not carried out")
        with server.connect() as connection:  # who does not wait gets both answers all the same
            connection.send(head % 7 + b'{"a":2}' + GET)
            statuses = [connection.answer().status for _ in range(3)]
            expect(statuses == [100, 204, 200], f"{statuses}")
        answer = exchange(server, head % 51201)
        expect(answer.status == 400, f"{answer} for a body that is too large")
        expect(server.get("/mmds") == {"a": 2}, "not what was put")


@test("api: HTTP: keep-alive and pipelining, in pieces of any size")
def pipelining(env):
    several = b"".join(raw("PUT /mmds", {"n": n}) + raw("GET /mmds") for n in range(50))
    with Server(env) as server:
        for size in (len(several), 1000, 7):
            with server.connect() as connection:
                for start in range(0, len(several), size):
                    connection.send(several[start:start + size])
                for number in range(50):
                    expect(connection.answer().status == 204, f"PUT {number}")
                    expect(connection.answer().json() == {"n": number}, f"GET {number}")
        with server.connect() as connection:  # one byte at a time
            for byte in raw("PUT /machine-config", SMALL) + GET:
                connection.send(bytes([byte]))
            expect([connection.answer().status for _ in range(2)] == [204, 200], "in single bytes")
        with server.connect() as connection:
            for _ in range(1000):
                connection.send(GET)
                expect(connection.answer().status == 200, "keep-alive")
        with server.connect() as connection:  # a refused request does not end the connection
            for _ in range(20):
                connection.send(raw("PUT /machine-config", {}) + GET)
                expect([connection.answer().status for _ in range(2)] == [400, 200], "after a 400")
        with server.connect() as connection:  # answers that nobody reads stop nobody else
            connection.socket.setblocking(False)
            try:
                for _ in range(100):
                    connection.socket.send(GET * 1000)
            except (BlockingIOError, ConnectionError):
                pass
            expect(exchange(server, GET).status == 200, "one who does not read blocks the others")


@test("api: HTTP: a slow client does not keep a good one waiting")
def slow(env):
    request = raw("PUT /mmds", {"slow": True})
    with Server(env) as server:
        clients = [server.connect() for _ in range(8)]
        for number, client in enumerate(clients):
            client.send(request[:len(request) * (number + 1) // 9])
        start = time.monotonic()
        for _ in range(100):
            expect(server.get("/version"), "no version")
        expect(time.monotonic() - start < 5, "the good client has to wait")
        for number, client in enumerate(clients):
            client.send(request[len(request) * (number + 1) // 9:])
            expect(client.answer().status == 204, "the slow one was given up")
            client.close()


@test("api: HTTP: clients that leave in the middle")
def leaving(env):
    with Server(env) as server:
        for content in (b"", b"GET", GET[:-2], raw("PUT /mmds", {"a": 1})[:-3], GET, GET * 100,
                        b"PUT /mmds HTTP/1.1\r\nContent-Length: 51200\r\n\r\n"):
            for _ in range(15):  # more than the connections there may be at once
                client = server.connect()
                client.send(content)
                client.close()
            settled(server).close()
        expect(server.get("/mmds") == {}, "half a request was carried out")


@test("api: HTTP: ten connections at once; past the limit 503, until one leaves")
def connections(env):
    with Server(env) as server:
        server.connection.close()
        clients = [settled(server) for _ in range(10)]
        for client in clients:
            expect(client.request("GET /version").status == 200, "one of ten is refused")
        refused = 0
        for _ in range(200):
            client = server.connect()
            client.send(GET)
            try:
                answer = client.answer(check=False)
            except Broken:
                refused += 1  # closed before the 503 could be read is refused, too
                client.close()
                continue
            expect(answer.status in (200, 503), str(answer))
            if answer.status == 503:
                refused += 1
                client.close()
            else:
                clients.append(client)
        print(f"      {len(clients)} connections at once, {refused} refused", flush=True)
        for client in clients:
            expect(client.request("GET /version").status == 200, "one is lost")
            client.close()
        with settled(server) as client:
            expect(client.request("GET /version").status == 200, "no place after all have left")
        server.connection = server.connect()


def settled(server):
    """A connection; tried again for a moment, while the server notices that others have left."""
    end = time.monotonic() + 5
    while True:
        client = server.connect()
        client.send(GET)
        try:
            if client.answer(check=False).status == 200 or time.monotonic() > end:
                return client
        except Broken:
            if time.monotonic() > end:
                raise
        client.close()
        time.sleep(0.01)


@test("api: HTTP: random bytes and broken requests do not end the server")
def fuzz(env):
    import random
    chance = random.Random(1)
    seeds = [raw("PUT /machine-config", SMALL), GET, raw("PATCH /mmds", {"a": [1, {"b": None}]}),
             raw("PUT /drives/a", {"drive_id": "a", "path_on_host": "/x", "is_root_device": False})]
    with Server(env) as server:
        for _ in range(300):
            content = bytearray(chance.choice(seeds))
            for _ in range(chance.randint(1, 8)):
                where = chance.randrange(len(content) or 1)
                content[where:where + chance.randint(0, 3)] = chance.randbytes(chance.randint(0, 3))
            with Connection(server.socket_path) as client:
                client.send(bytes(content))
                client.socket.shutdown(socket.SHUT_WR)
                try:
                    answer = client.answer(check=False)
                    expect(answer.status in (200, 204, 400), str(answer))
                except Broken:
                    pass  # half a request gets no answer
        expect(server.state == "Not started" and server.process.poll() is None, "it does not live")
