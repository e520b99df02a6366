"""What the integration tests share: finding the monitor and its guests, running a guest, counting.

A test is a function marked with @test("what it shows", needs=...). `needs` names what the host
must have: "kvm" (any /dev/kvm), "linux" (a KVM that runs Linux), or a program. Where it is missing
the test is skipped, and the run says why.
"""

import argparse
import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TESTS = []
# What the lab says while it goes on, and how often.
ALIVE = "alive"
ALIVE_SECONDS = 5
# Modules whose tests look at the host's side of the monitor: which KVM there is makes no difference to them.
HOST_SIDE = ("bad_input", "display_guests", "api.")


class Skip(Exception):
    """Raised by a test that can't be carried out here; its text says why."""


def test(title, needs=()):
    def mark(function):
        TESTS.append((title, tuple([needs] if isinstance(needs, str) else needs), function))
        return function

    return mark


class Environment:
    def __init__(self, options):
        self.binary = os.path.abspath(options.binary)
        self.guests = os.path.abspath(options.guests)
        # A Linux boot takes a few seconds in the lab; ten times that is a hang.
        self.patience = options.patience
        self.kvm_kind = self._kvm_kind()
        self.assets = {}
        self.scratch = tempfile.mkdtemp(prefix="coldstart-test.")
        # The kernel cache of the tests, not the user's.
        os.environ["XDG_CACHE_HOME"] = os.path.join(self.scratch, "cache")

    def _kvm_kind(self):
        answer = subprocess.run([self.binary, "doctor", "--json"], capture_output=True, text=True)
        found = re.search(r'"kvm": "(\w+)"', answer.stdout)
        return found.group(1) if found else "none"

    def load_assets(self, path):
        """KEY=VALUE lines as scripts/guest-assets --print writes them."""
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                key, _, value = line.strip().partition("=")
                self.assets[key] = value.strip("'\"")

    def missing(self, need):
        if need == "kvm":
            return "no /dev/kvm here" if self.kvm_kind == "none" else None
        if need == "linux":
            if self.kvm_kind != "hardware":
                return f"this KVM can't run Linux (kind: {self.kvm_kind})"
            return None if self.assets else "no guest assets given (--assets)"
        return None if shutil.which(need) else f"{need} is not installed"

    def guest(self, name):
        path = os.path.join(self.guests, name + ".elf")
        if not os.path.exists(path):
            raise Skip(f"{name}.elf was not built (nasm)")
        return path

    def path(self, name):
        return os.path.join(self.scratch, name)

    def write(self, name, content):
        path = self.path(name)
        with open(path, "wb") as file:
            file.write(content)
        return path


class Result:
    def __init__(self, status, out, err, seconds):
        self.status, self.out, self.err, self.seconds = status, out, err, seconds

    def __str__(self):
        return (f"status {self.status} after {self.seconds:.1f} s\n--- stdout\n{self.out[-4000:]}"
                f"\n--- stderr\n{self.err[-4000:]}")


def coldstart(env, *arguments, stdin=b"", timeout=None, environment=None):
    """Runs the monitor to its end."""
    start = time.monotonic()
    # A little more than the --timeout that most guests get: its status and output tell more.
    process = subprocess.run([env.binary, *map(str, arguments)], input=stdin, capture_output=True,
                             timeout=timeout or env.patience + 20,
                             env={**os.environ, **(environment or {})})
    return Result(process.returncode, process.stdout.decode("utf-8", "replace"),
                  process.stderr.decode("utf-8", "replace"), time.monotonic() - start)


def run_small(env, name, *arguments, **options):
    """Runs an assembly guest by PVH."""
    return coldstart(env, "run", "--boot", "pvh", "--kernel", env.guest(name), "--memory", "32M",
                     "--no-rng", *arguments, **options)


def expect(condition, what, result=None):
    if not condition:
        raise AssertionError(f"{what}\n{result}" if result is not None else what)


def expect_status(result, status):
    expect(result.status == status, f"exit status {result.status}, not {status}", result)


def expect_one_line(result, *words):
    """Bad input: one line on stderr that names the thing and the remedy."""
    lines = [line for line in result.err.splitlines() if line.strip()]
    expect(len(lines) == 1, f"{len(lines)} lines on stderr, not one", result)
    for word in words:
        expect(word in lines[0], f"the message does not say '{word}'", result)
    expect(result.out == "", "something on stdout", result)


class Running:
    """The monitor in the background, its console read as it comes."""

    def __init__(self, env, *arguments, stdin=subprocess.PIPE, preexec=None):
        self.env = env
        self.process = subprocess.Popen([env.binary, *map(str, arguments)], stdin=stdin,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        preexec_fn=preexec)
        self.text = ""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def wait_for(self, text, timeout=None):
        os.set_blocking(self.process.stdout.fileno(), False)
        end = time.monotonic() + (timeout or self.env.patience)
        while text not in self.text:
            expect(time.monotonic() < end, f"'{text}' did not come", self.text[-3000:])
            chunk = self.process.stdout.read()
            if chunk:
                self.text += chunk.decode("utf-8", "replace")
            elif chunk == b"" and self.process.poll() is not None:
                break
            else:
                time.sleep(0.01)
        if text not in self.text:
            rest = self.process.stderr.read().decode("utf-8", "replace")
            raise AssertionError(f"'{text}' did not come before the end\n{self.text[-3000:]}{rest}")

    def type(self, text):
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def signal(self, number):
        self.process.send_signal(number)

    def finish(self, timeout=None):
        os.set_blocking(self.process.stdout.fileno(), True)
        start = time.monotonic()
        out, err = self.process.communicate(timeout=timeout or self.env.patience)
        status = self.process.returncode
        return Result(status, self.text + out.decode("utf-8", "replace"),
                      err.decode("utf-8", "replace"), time.monotonic() - start)


def parse_options():
    parser = argparse.ArgumentParser(description="coldstart's integration tests")
    parser.add_argument("--binary", default=os.path.join(ROOT, "build/release/coldstart"))
    parser.add_argument("--guests", default=os.path.join(ROOT, "build/release/tests/guests"))
    parser.add_argument("--assets", help="file with the output of scripts/guest-assets --print")
    parser.add_argument("--patience", type=float, default=90, help="seconds a guest may take")
    parser.add_argument("--only", default="", help="run tests whose title contains this")
    parser.add_argument("--lab", action="store_true",
                        help="run the tests in the lab, and a hung lab's tests again in a new one")
    parser.add_argument("--titles", help="file with the titles to run, one a line")
    parser.add_argument("--passed", metavar="LOG",
                        help="leave out what passed in this log of another run here and looks at the host's side alone")
    return parser.parse_args()


def selected(options):
    titles = None
    if options.titles:
        with open(options.titles, encoding="utf-8") as file:
            titles = set(file.read().splitlines())
    passed = titles_passed(options.passed)
    return [item for item in TESTS
            if options.only in item[0] and (titles is None or item[0] in titles)
            and not (item[0] in passed and item[2].__module__.startswith(HOST_SIDE))]


def titles_passed(log):
    if not log or not os.path.exists(log):
        return set()
    with open(log, encoding="utf-8", errors="replace") as lines:
        return set(re.findall(r"^ok    (.*) \([0-9.]+ s\)$", lines.read(), re.MULTILINE))


def went_silent(error):
    """Whether a test failed because its guest said nothing more: what a hung guest looks like."""
    words = ("did not come", "does not come up", "does not go on", "exit status 124")
    return isinstance(error, subprocess.TimeoutExpired) or any(map(str(error).__contains__, words))


def with_patience(title, needs, function, env):
    """Runs the test. In the lab a Linux guest with two processors and a chatty console now and then
    spins for ever (docs/lab.md, "Known weakness", tells what is known): there a silent one is tried
    twice more. A crash is never tried again."""
    tries_left = 2 if os.environ.get("IN_LAB") and "linux" in needs else 0
    while True:
        try:
            return function(env)
        except Exception as error:  # pylint: disable=broad-except
            if tries_left == 0 or not went_silent(error):
                raise
        tries_left -= 1
        print(f"again {title}: the guest went silent in the lab", flush=True)


def run_one(env, title, needs, function):
    """Prints the test's outcome; which it was."""
    print(f"run   {title}", flush=True)
    reason = next((why for why in map(env.missing, needs) if why), None)
    start = time.monotonic()
    try:
        if reason:
            raise Skip(reason)
        with_patience(title, needs, function, env)
    except Skip as why:
        print(f"skip  {title}: {why}", flush=True)
        return "skipped"
    except Exception:  # pylint: disable=broad-except
        print(f"FAIL  {title}\n{traceback.format_exc()}", flush=True)
        return "failed"
    print(f"ok    {title} ({time.monotonic() - start:.1f} s)", flush=True)
    return "passed"


def keep_kvm_in_use():
    """A virtual machine that stays: the lab's software CPU hangs now and then when KVM, left by its
    last user, switches virtualisation off on every CPU."""
    kvm_create_vm = 0xAE01
    device = os.open("/dev/kvm", os.O_RDWR | os.O_CLOEXEC)
    return fcntl.ioctl(device, kvm_create_vm, 0)


def say_alive():
    """Tells the lab's runner every few seconds that the lab goes on, whatever a test waits for."""
    def go_on():
        while True:
            time.sleep(ALIVE_SECONDS)
            print(ALIVE, flush=True)

    threading.Thread(target=go_on, daemon=True).start()


def run_here(options):
    env = Environment(options)
    if os.environ.get("IN_LAB"):
        say_alive()
        if env.kvm_kind != "none":
            keep_kvm_in_use()
    if options.assets:
        env.load_assets(options.assets)
    print(f"KVM here: {env.kvm_kind}", flush=True)
    # A stuck test must not leave its guest behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    try:
        for title, needs, function in selected(options):
            counts[run_one(env, title, needs, function)] += 1
    finally:
        shutil.rmtree(env.scratch, ignore_errors=True)
    return counts


def main():
    options = parse_options()
    if options.lab:
        from lab_runner import run_in_lab
        titles = [title for title, _, _ in selected(options)]
        print(f"{len(titles)} of {len(TESTS)} tests run in the lab", flush=True)
        counts = run_in_lab(options, titles)
    else:
        counts = run_here(options)
    print("{passed} passed, {failed} failed, {skipped} skipped".format(**counts))
    return 1 if counts["failed"] else 0
