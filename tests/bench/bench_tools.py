"""What the benchmarks share: copies in memory of what is measured, one timed run of a monitor, figures.

The clock is CLOCK_MONOTONIC of this process: read before posix_spawn, and again when the bytes come
out of the pipe that is the monitor's stdout. `program_name` names the benchmark in what it says.
"""

import json
import os
import re
import select
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
COLDSTART = os.path.join(ROOT, "build", "release", "coldstart")
KVM_COUNTERS = "/sys/kernel/debug/kvm"
# QEMU's microvm without what slows it down, and its words for a machine with nothing but a serial port.
MICROVM = "microvm,rtc=on,x-option-roms=off,pit=off,pic=off"
QEMU_BARE = ["-no-user-config", "-nodefaults", "-display", "none", "-vga", "none", "-monitor", "none", "-serial", "stdio"]
program_name = os.path.basename(sys.argv[0])


class Missing(Exception):
    """What a case needs and this host has not."""


def say(text):
    print(f"{program_name}: {text}", file=sys.stderr, flush=True)


def assets():
    """Where firmware and images are; empty if they can't be made here."""
    script = os.path.join(ROOT, "scripts", "guest-assets")
    answer = subprocess.run(
        [script, "--firmware", "--print"], stdout=subprocess.PIPE, text=True, check=False
    )
    return dict(re.findall(r"^(\w+)='(.*)'$", answer.stdout, re.MULTILINE))


class Stage:
    """A folder with copies of all that is measured: in the lab it is memory."""

    def __init__(self, options, wants_assets=True):
        self.folder = tempfile.mkdtemp(prefix=program_name + ".")
        self.options = options
        self.assets = assets() if wants_assets else {}

    def path(self, name):
        return os.path.join(self.folder, name)

    def put(self, source, name=None):
        """A copy of the file; the same copy when asked again."""
        path = self.path(name or os.path.basename(source))
        if not os.path.exists(path):
            if not os.path.exists(source):
                raise Missing(f"{source}: no such file")
            subprocess.run(["cp", "--sparse=always", "--", source, path], check=True)
        return path

    def asset(self, key, name=None):
        if key not in self.assets:
            raise Missing(f"scripts/guest-assets --firmware offers no {key} here")
        source = self.assets[key]
        return self.put(os.path.join(source, name) if name else source)

    def program(self, source):
        """The words that start a program: itself, or in the lab a copy with copies of its libraries."""
        if "IN_LAB" not in os.environ:
            return [source]
        libraries = self.path("lib-" + os.path.basename(source))
        if not os.path.isdir(libraries):
            os.mkdir(libraries)
            listed = subprocess.run(["ldd", source], capture_output=True, text=True, check=False)
            for library in re.findall(r"(/\S+) \(0x", listed.stdout):
                shutil.copy(library, libraries)
        linker = os.path.join(libraries, "ld-linux-x86-64.so.2")
        if not os.path.exists(linker):  # linked statically
            return [self.put(source)]
        return [linker, "--library-path", libraries, self.put(source)]

    def qemu(self, name, firmware_files):
        """The words that start QEMU without a file of its own from the disk."""
        words = self.program(shutil.which(name))
        if "IN_LAB" not in os.environ:
            return words
        for file in firmware_files:
            self.put(os.path.join("/usr/share/qemu", file))
        return words + ["-L", self.folder]

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)


def kvm_counters():
    """KVM's counts over the machines that live now; empty without debugfs or privilege."""
    counts = {}
    try:
        for name in os.listdir(KVM_COUNTERS):
            path = os.path.join(KVM_COUNTERS, name)
            if os.path.isfile(path):
                with open(path, encoding="ascii") as file:
                    counts[name] = int(file.read())
    except (OSError, ValueError):
        pass
    return {name: count for name, count in counts.items() if count}


def measure(command, marker, log_path, options):
    """Starts the monitor and waits for the marker: times in ms after the start, or None for 'hung'."""
    # A pipe nobody writes to: both monitors read their stdin, neither finds its end there.
    silent, keep = os.pipe()
    reader, writer = os.pipe()
    actions = [(os.POSIX_SPAWN_DUP2, silent, 0), (os.POSIX_SPAWN_DUP2, writer, 1)]
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    actions.append((os.POSIX_SPAWN_OPEN, 2, log_path, flags, 0o600))
    started = time.monotonic_ns()
    child = os.posix_spawn(command[0], command, os.environ, file_actions=actions)
    os.close(writer)
    output, first, end, counters = b"", None, None, {}
    poll = select.poll()
    poll.register(reader, select.POLLIN)
    while end is None:
        left_ms = options.timeout * 1000 - (time.monotonic_ns() - started) / 1e6
        if left_ms <= 0 or not poll.poll(left_ms):
            break
        chunk = os.read(reader, 65536)
        now = time.monotonic_ns()
        if not chunk:
            break
        first = first or now
        output += chunk
        if marker in output:
            end = now
    if options.exits and end is not None:
        counters = kvm_counters()
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    for descriptor in (silent, keep, reader):
        os.close(descriptor)
    result = {"exits": counters, "output": output}
    if end is not None:
        result["first_byte_ms"] = (first - started) / 1e6
        result["end_ms"] = (end - started) / 1e6
    elif os.WIFEXITED(status):
        with open(log_path, encoding="utf-8", errors="replace") as log:
            words = " ".join(log.read().split())
        result["why"] = f"ended with status {os.WEXITSTATUS(status)}: {words[-300:]}"
    else:
        seen = output[-80:].decode("ascii", "replace").strip()
        result["why"] = f"no marker within {options.timeout:g} s; the last it said: {seen!r}"
    return result


def add_options(parser, runs):
    """The flags that all benchmarks have."""
    parser.add_argument("--binary", default=COLDSTART, help="the coldstart to measure")
    parser.add_argument("--qemu", default="qemu-system-x86_64", help="the QEMU to measure")
    parser.add_argument("--coldstart-flag", action="append", default=[], help="one more word for coldstart run")
    parser.add_argument("--runs", type=int, default=runs, help=f"runs of each that count (default: {runs})")
    parser.add_argument("--warmup", type=int, default=1, help="runs before that (default: 1)")
    parser.add_argument("--timeout", type=float, default=60, help="bound for one run, in seconds (default: 60)")
    parser.add_argument("--json", metavar="FILE", help="write the figures there as well, - for stdout only")
    parser.add_argument("--verbose", action="store_true", help="tell of each run as it ends")


def check_options(parser, options):
    if options.runs < 1 or options.warmup < 0 or options.timeout <= 0:
        parser.error("--runs from 1, --warmup from 0, --timeout above 0")


def write_json(report, options):
    if options.json == "-":
        json.dump(report, sys.stdout, indent=1)
        print()
    elif options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(report, file, indent=1)


def summary(values):
    if not values:
        return None
    return {
        "median": statistics.median(values),
        "min": min(values),
        "max": max(values),
        "values": values,
    }


def kvm_kind(binary):
    answer = subprocess.run([binary, "doctor", "--json"], stdout=subprocess.PIPE, text=True, check=False)
    found = re.search(r'"kvm": "(\w+)"', answer.stdout)
    return found.group(1) if found else "none"
