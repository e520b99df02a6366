"""Debian's kernel as a guest that the control socket alone configures, watches and types into."""

import json
import re
import threading
import time

from harness import expect

from api.client import Connection, Server

ARGUMENTS = "console=ttyS0 quiet reboot=k panic=-1"

# The guest carries out what is typed into its console, line by line, and tells each one's status.
SHELL = r"""stty -echo
say() { awk -v name="$1" '$1 == name ":" { print $2 }' "$2"; }
uptime_ms() { read -r now _ </proc/uptime; echo "${now%.*}${now#*.}0"; }
timed() { begin=$(uptime_ms); "$@"; code=$?; echo "took $(($(uptime_ms) - begin)) ms"; return $code; }
number=0
echo SHELL-IS-THERE
while read -r line; do
    number=$((number + 1))
    eval "$line"
    echo "DONE-$number $?"
done
"""


def cpio(files):
    """An initramfs, "newc", with these {name: bytes}; a name ending in a slash is a folder."""
    archive = b""
    for number, (name, content) in enumerate([*files.items(), ("TRAILER!!!", b"")]):
        mode = 0o40755 if name.endswith("/") else 0o100644
        path = name.rstrip("/").encode() + b"\0"
        fields = (number, mode, 1, 0, 0, 0, len(content), 0, 0, 0, 0, len(path), 0)
        archive += b"070701" + b"".join(b"%08x" % field for field in fields) + path
        archive += bytes(-len(archive) % 4) + content
        archive += bytes(-len(archive) % 4)
    return archive


def shell_initrd(env):
    """The tests' initramfs and, behind it, the script that it runs."""
    with open(env.assets["INITRD"], "rb") as file:
        first = file.read()
    return env.write("shell.initrd", first + bytes(-len(first) % 512) +
                     cpio({"cs/": b"", "cs/script": SHELL.encode()}))


class Stream:
    """Follows an endless, chunked answer; `content` is what came up to now."""

    def __init__(self, server, path):
        self.connection = Connection(server.socket_path, timeout=None)
        self.connection.send(f"GET {path} HTTP/1.1\r\n\r\n".encode())
        _, status, headers = self.connection.head()
        expect(status == 200, f"GET {path}: {status} {headers}")
        expect(headers.get("transfer-encoding") == "chunked", f"GET {path}: {headers}")
        self.content, self.ended = b"", False
        threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self):  # pylint: disable=protected-access
        try:
            while size := int(self.connection._until(b"\r\n"), 16):
                while len(self.connection.rest) < size + 2:
                    self.connection._more()
                self.content += self.connection.rest[:size]
                self.connection.rest = self.connection.rest[size + 2:]
            self.ended = True  # by the empty chunk, as it should
        except Exception:  # pylint: disable=broad-except
            pass  # `ended` stays False

    def lines(self):
        return [json.loads(line) for line in self.content.split(b"\n")[:-1]]

    def wait_end(self, seconds):
        wait_until(lambda: self.ended, seconds, lambda: f"no end of {self.content[-300:]}")


def wait_until(condition, seconds, what):
    """Until the condition holds; its value."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        expect(time.monotonic() < end, what() if callable(what) else what)
        time.sleep(0.05)
    return value


class LinuxGuest(Server):
    """The server with a Linux guest, once `boot` has been called."""

    def __init__(self, env, *arguments, **options):
        super().__init__(env, *arguments, **options)
        self.env, self.console, self.typed = env, None, 0

    def configure(self, modules, cpus=1, memory_mib=256):
        self.ok("PUT /machine-config", {"vcpu_count": cpus, "mem_size_mib": memory_mib})
        self.ok("PUT /boot-source", boot_source(self.env, modules))

    def boot(self):
        self.ok("PUT /actions", {"action_type": "InstanceStart"})
        self.wait_for_shell()

    def wait_for_shell(self):
        self.console = Stream(self, "/console")
        self.wait_for("SHELL-IS-THERE")

    @property
    def text(self):
        return self.console.content.decode("utf-8", "replace").replace("\r", "")

    def wait_for(self, words, start=0):
        return wait_until(lambda: words in self.text[start:], self.env.patience,
                          lambda: f"'{words}' did not come: {self.text[-2000:]}"
                                  f"\n{self.diagnostics()}")

    def begin(self, command):
        """Types a command; where its output begins."""
        start = len(self.text)
        self.typed += 1
        self.ok("PUT /console", {"input": command + "\n"})
        return start

    def finish(self, start, status=0):
        mark = f"DONE-{self.typed} "
        self.wait_for(mark, start)
        wait_until(lambda: re.search(mark + r"\d+\n", self.text[start:]), 10, "half a line")
        output, _, end = self.text[start:].partition(mark)
        expect(status is None or int(end.split()[0]) == status, f"status {end}: {output}")
        return output.strip()

    def sh(self, command, status=0):
        """Has the guest carry out a line; what it printed."""
        return self.finish(self.begin(command), status)

    def timed(self, command):
        """The same; the seconds that passed on the guest's clock."""
        output = self.sh(f"timed {command}")
        return int(re.search(r"took (\d+) ms", output).group(1)) / 1000


def boot_source(env, modules):
    return {"kernel_image_path": env.assets["VMLINUX"], "initrd_path": shell_initrd(env),
            "boot_args": f"{ARGUMENTS} cs.modules=virtio_mmio,{modules}"}
