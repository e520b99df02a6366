"""Runs the integration tests in the lab (scripts/lab), which is QEMU's software CPU and hangs now and
then: when nothing is heard for too long, the lab is given up and a new one goes on with the test
that was running. A test during which the lab hangs three times has failed."""

import os
import select
import signal
import subprocess
import sys
import tempfile
import time

from harness import ALIVE, ALIVE_SECONDS, ROOT

MOST_HANGS = 3
# A busy host may stop the lab for a while.
MOST_SILENT_SECONDS = 12 * ALIVE_SECONDS
OUTCOMES = {"ok": "passed", "FAIL": "failed", "skip": "skipped"}


class Lab:
    """One lab with the tests that are left; yields the lines it prints."""

    def __init__(self, options, titles):
        self.file = tempfile.NamedTemporaryFile("w", suffix=".titles", encoding="utf-8")
        self.file.write("\n".join(titles))
        self.file.flush()
        command = [os.path.join(ROOT, "scripts/lab"), "--memory", "10G", "--timeout", "3000", "--",
                   "/usr/bin/python3", os.path.join(ROOT, "tests/integration/run"), "--binary",
                   os.path.abspath(options.binary), "--guests", os.path.abspath(options.guests),
                   "--patience", str(options.patience), "--titles", self.file.name]
        if options.assets:
            command += ["--assets", os.path.abspath(options.assets)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL,
                                        start_new_session=True)

    def lines(self, silence):
        """Lines until the end; raises TimeoutError after `silence` seconds without one."""
        rest = b""
        while True:
            if not select.select([self.process.stdout], [], [], silence)[0]:
                raise TimeoutError
            chunk = os.read(self.process.stdout.fileno(), 65536)
            if not chunk:
                return
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                yield line.decode("utf-8", "replace")

    def end(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.process.stdout.close()
        self.file.close()
        return self.process.returncode


def run_in_lab(options, titles):
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    hangs = {}
    left = list(titles)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    while left:
        running = left[0]
        lab = Lab(options, left)
        try:
            for line in lab.lines(silence=MOST_SILENT_SECONDS):
                if line == ALIVE:
                    continue
                word, _, title = line.partition("  ")
                title = title.strip()
                if word == "run" and title in left:
                    running = title
                    continue
                finished = next((known for known in left if title.startswith(known)), None)
                if word in OUTCOMES and finished:
                    counts[OUTCOMES[word]] += 1
                    left.remove(finished)
                if " passed, " not in line:
                    print(line, flush=True)
        except TimeoutError:
            hangs[running] = hangs.get(running, 0) + 1
            print(f"lab   hung during: {running} ({hangs[running]})", flush=True)
        finally:
            status = lab.end()
        if left and status == 0:
            time.sleep(1)
        if left and status not in (0, 1) and running not in hangs:
            hangs[running] = hangs.get(running, 0) + 1
            print(f"lab   ended with status {status} during: {running}", flush=True)
        if hangs.get(running, 0) >= MOST_HANGS and running in left:
            print(f"FAIL  {running}: the lab hung {MOST_HANGS} times", flush=True)
            counts["failed"] += 1
            left.remove(running)
    return counts
