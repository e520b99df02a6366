"""Raw HTTP over a Unix socket, and the server it talks to.

A client library would mend or refuse what these tests want to send, so requests are bytes here, and
every answer is checked for its form the moment it is read: what a client relies on in each of them.
"""

import json
import os
import signal
import socket
import subprocess
import tempfile
import time

PATIENCE_S = 15  # for one answer; a good one takes a millisecond, in the lab some more


class Broken(Exception):
    """An answer that is none: late, cut off, or not in the form that api.md promises."""


class Ended(Broken):
    """The connection was closed with no byte of an answer."""


class Answer:
    def __init__(self, status, headers, body, version="HTTP/1.1"):
        self.status, self.headers, self.body, self.version = status, headers, body, version

    def json(self):
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise Broken(f"not JSON: {self.body[:200]!r}") from error

    @property
    def fault(self):
        """The fault_message; empty when there is none."""
        document = self.json() if self.body else {}
        text = document.get("fault_message") if isinstance(document, dict) else None
        return text if isinstance(text, str) else ""

    def __str__(self):
        return f"{self.status} {self.body[:300].decode('utf-8', 'replace')}"

    def check_form(self):
        def want(condition, what):
            if not condition:
                raise Broken(f"{what}: {self} {self.headers}")

        want(self.headers.get("server") == "Firecracker API", "Server")
        if self.status in (100, 204):
            want(not self.body and "content-type" not in self.headers, "a body or its type")
            want("content-length" not in self.headers, "Content-Length without a body")
        if self.status == 200:
            want(self.headers.get("content-type") == "application/json", "Content-Type")
        if self.status in (400, 413):
            want(self.headers.get("content-type") == "application/json", "Content-Type")
            want(self.fault, "no fault_message")
        return self


class Connection:
    """One connection; whatever arrives beyond an answer is kept for the next one."""

    def __init__(self, path, timeout=PATIENCE_S):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        self.socket.connect(path)
        self.rest = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, content):
        """Sends what the server will take; it may have answered and closed before the end."""
        try:
            self.socket.sendall(content)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def _more(self):
        try:
            chunk = self.socket.recv(65536)
        except socket.timeout as error:
            raise Broken(f"no answer, only {self.rest[:200]!r}") from error
        except ConnectionResetError:
            chunk = b""
        if not chunk:
            kind = Broken if self.rest else Ended
            raise kind(f"the connection ends after {self.rest[:200]!r}")
        self.rest += chunk

    def _until(self, mark):
        while mark not in self.rest:
            self._more()
        head, self.rest = self.rest.split(mark, 1)
        return head

    def head(self):
        """Status line and headers: (version, status, {lower-case name: value})."""
        first, *lines = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        words = first.split(" ")
        if len(words) < 2 or not words[1].isdigit():
            raise Broken(f"the status line is {first!r}")
        headers = {}
        for line in lines:
            name, colon, value = line.partition(":")
            if not colon:
                raise Broken(f"the header line is {line!r}")
            headers[name.strip().lower()] = value.strip()
        return words[0], int(words[1]), headers

    def answer(self, check=True):
        version, status, headers = self.head()
        length = int(headers.get("content-length", 0))
        while len(self.rest) < length:
            self._more()
        body, self.rest = self.rest[:length], self.rest[length:]
        answer = Answer(status, headers, body, version)
        return answer.check_form() if check else answer

    def ended(self, seconds):
        """Whether the server closes the connection within that time, saying nothing more."""
        self.socket.settimeout(seconds)
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True
        except socket.timeout:
            return False
        finally:
            self.socket.settimeout(PATIENCE_S)

    def request(self, line, body=None, headers=()):
        """line: "PUT /path". body: bytes as they are, or anything for json.dumps; None: no body."""
        self.send(raw(line, body, headers))
        return self.answer()


def raw(line, body=None, headers=()):
    """A request as bytes."""
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body).encode()
    lines = [f"{line} HTTP/1.1", "Host: localhost", *headers]
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join(lines + ["", ""]).encode() + (body or b"")


class Server:
    """The monitor with an API socket. Its files lie in `folder`, which the environment removes."""

    def __init__(self, env, *arguments, guise="firecracker", wait=True, stdout=subprocess.DEVNULL):
        self.folder = tempfile.mkdtemp(prefix="api.", dir=env.scratch)
        self.socket_path = self.path("api.sock")
        self.log = open(self.path("stderr"), "w+b")  # pylint: disable=consider-using-with
        self.process = subprocess.Popen(
            [env.binary, guise, "--api-sock", self.socket_path, *map(str, arguments)],
            stdin=subprocess.DEVNULL, stdout=stdout, stderr=self.log)
        self.connection = None
        if wait:
            try:
                self.connection = self.connect_when_ready()
            except BaseException:
                self.__exit__()
                raise

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, content=b""):
        with open(self.path(name), "wb") as file:
            file.write(content)
        return self.path(name)

    def diagnostics(self):
        with open(self.path("stderr"), "rb") as file:
            return file.read().decode("utf-8", "replace")[-2000:]

    def connect(self):
        return Connection(self.socket_path)

    def connect_when_ready(self):
        """As clients do: try until the socket is there."""
        end = time.monotonic() + PATIENCE_S
        while True:
            try:
                return self.connect()
            except (FileNotFoundError, ConnectionRefusedError) as error:
                if self.process.poll() is not None:
                    raise AssertionError(f"ended with {self.process.returncode} before its socket "
                                         f"was there\n{self.diagnostics()}") from error
                if time.monotonic() > end:
                    raise AssertionError("the socket does not appear") from error
                time.sleep(0.005)

    def request(self, line, body=None, headers=()):
        """On the connection that is kept; on a new one when the server ended that one before, as it
        may after what was no HTTP."""
        try:
            return self.connection.request(line, body, headers)
        except Ended:
            self.connection.close()
            self.connection = self.connect()
            return self.connection.request(line, body, headers)
        except (Broken, OSError):
            self.connection.close()
            self.connection = self.connect()
            raise

    def get(self, path):
        answer = self.request(f"GET {path}")
        if answer.status != 200:
            raise AssertionError(f"GET {path}: {answer}")
        return answer.json()

    def ok(self, line, body=None, headers=()):
        """A request that has to be carried out, its answer 204."""
        answer = self.request(line, body, headers)
        if answer.status != 204:
            raise AssertionError(f"{line} {body}: {answer}\n{self.diagnostics()}")
        return answer

    def refused(self, line, body=None):
        answer = self.request(line, body)
        if answer.status != 400:
            raise AssertionError(f"{line} {body}: {answer}")
        return answer

    @property
    def state(self):
        return self.get("/")["state"]

    def start(self, kernel, cpus=1, memory_mib=32):
        self.ok("PUT /machine-config", {"vcpu_count": cpus, "mem_size_mib": memory_mib})
        self.ok("PUT /boot-source", {"kernel_image_path": kernel})
        self.ok("PUT /actions", {"action_type": "InstanceStart"})

    def end(self, number=signal.SIGTERM, timeout=5):
        """Sends a signal; the exit status, which has to come soon."""
        self.process.send_signal(number)
        return self.process.wait(timeout=timeout)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.connection:
            self.connection.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.log.close()
