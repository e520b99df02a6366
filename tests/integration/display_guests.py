"""The guest's screen and keyboard live on a terminal (run --display terminal). On any KVM."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

from firmware_guests import asset, rom
from harness import coldstart, expect, expect_one_line, expect_status, test

# A boot sector that shows what is typed (interrupts 16h and 10h), and of keys without a character
# the scan code as one: up is 'H'.
ECHO = bytes.fromhex("bb0700" "31c0" "cd16" "84c0" "7502" "88e0" "b40e" "cd10" "ebf0")


def boot_sector(env, code):
    # SeaBIOS reads it by cylinder, head and sector: the disk has a few cylinders.
    return env.write("echo.img", code.ljust(510, b"\0") + b"\x55\xaa" + bytes(4 << 20))


class Terminal:
    """The user's side of a pseudo-terminal: what a terminal would show."""

    SEQUENCE = re.compile(r"\x1b\[(\??)([0-9;]*)([A-Za-z])")

    def __init__(self, columns=100, rows=30):
        self.master, self.slave = pty.openpty()
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.before = termios.tcgetattr(self.slave)
        self.cells, self.row, self.column = {}, 0, 0
        self.alternate, self.raw = False, b""

    def close(self):
        os.close(self.master)
        os.close(self.slave)

    def read(self, seconds):
        if select.select([self.master], [], [], seconds)[0]:
            self.raw += os.read(self.master, 65536)
            self.take()

    def take(self):
        text, at = self.raw.decode("utf-8", "ignore"), 0
        # What is cut in the middle waits for the rest.
        whole = text.rfind("\x1b") if re.search(r"\x1b(\[[?0-9;]*)?$", text) else len(text)
        self.raw = text[whole:].encode()
        while at < whole:
            found = self.SEQUENCE.match(text, at)
            if found:
                self.obey(*found.groups())
                at = found.end()
                continue
            self.put(text[at])
            at += 1

    def put(self, character):
        if character == "\r":
            self.column = 0
        elif character == "\n":
            self.row += 1
        else:
            self.cells[self.row, self.column] = character
            self.column += 1

    def obey(self, private, numbers, final):
        if private:
            if numbers == "1049":
                self.alternate = final == "h"
                self.cells = {}
        elif final == "H":
            row, _, column = numbers.partition(";")
            self.row, self.column = int(row or 1) - 1, int(column or 1) - 1
        elif final == "J":
            self.cells = {}
        elif final == "K":
            self.cells = {place: character for place, character in self.cells.items()
                          if place[0] != self.row or place[1] < self.column}
        else:
            expect(final == "m", f"an unknown sequence: {numbers}{final}")

    def lines(self):
        rows = {}
        for (row, column), character in sorted(self.cells.items()):
            rows[row] = rows.get(row, "").ljust(column) + character
        return [rows.get(row, "").rstrip() for row in range(max(rows, default=-1) + 1)]

    def wait_for(self, text, patience):
        end = time.monotonic() + patience
        while not any(text in line for line in self.lines()):
            expect(time.monotonic() < end, f"'{text}' is not shown:\n" + "\n".join(self.lines()))
            self.read(0.1)

    def type(self, keys):
        os.write(self.master, keys)

    def expect_restored(self):
        while select.select([self.master], [], [], 0)[0]:
            self.read(0)
        expect(not self.alternate, "the alternate screen is still shown")
        expect(termios.tcgetattr(self.slave) == self.before, "the terminal's mode is another")


def shown(env, disk, use, firmware=None):
    """`use(terminal, process)` while the firmware runs; the exit status."""
    terminal = Terminal()
    arguments = [env.binary, "run", "--firmware", firmware or asset(env, "SEABIOS"), "--disk", disk,
                 "--vga", "std", "--display", "terminal", "--timeout", str(env.patience)]
    process = subprocess.Popen(arguments, stdin=terminal.slave, stdout=terminal.slave,
                               stderr=subprocess.PIPE)
    try:
        use(terminal, process)
        status = process.wait(timeout=env.patience)
        terminal.expect_restored()
    finally:
        process.kill()
        process.communicate()
        terminal.close()
    return status


@test("--display terminal: the seed's MBR line is shown; Ctrl-A x ends it, the terminal as before",
      needs="kvm")
def live_screen(env):
    def use(terminal, _process):
        terminal.wait_for("Hello MBR", env.patience)
        expect(terminal.alternate, "the user's own screen is overwritten")
        expect(termios.tcgetattr(terminal.slave) != terminal.before, "the terminal is not raw")
        expect("Hello MBR" in terminal.lines(), f"not a line of its own: {terminal.lines()}")
        terminal.type(b"\x01h")
        terminal.wait_for("Ctrl-Alt-Del", env.patience)
        terminal.type(b" ")
        terminal.wait_for("Hello MBR", env.patience)
        terminal.type(b"\x01x")

    status = shown(env, f"path={asset(env, 'IMAGES', 'seed.img')},readonly=on", use)
    expect(status == 0, f"exit status {status}")


@test("--display terminal: keys typed reach the guest; Ctrl-A d resets it", needs="kvm")
def live_keys(env):
    def use(terminal, _process):
        terminal.wait_for("Booting from", env.patience)
        # SeaBIOS drops keys typed before its boot sector asks.
        end = time.monotonic() + env.patience
        while not any("#" in line for line in terminal.lines()):
            expect(time.monotonic() < end, "no key arrives", terminal.lines())
            terminal.type(b"#")
            terminal.read(0.5)
        terminal.type(b"coldW\x1b[A!\x1b[B")
        terminal.wait_for("coldWH!P", env.patience)
        terminal.type(b"\x01d")
        end = time.monotonic() + env.patience
        while any("coldWH!P" in line for line in terminal.lines()):
            expect(time.monotonic() < end, "Ctrl-Alt-Del does not reset", terminal.lines())
            terminal.read(0.1)
        terminal.wait_for("Booting from", env.patience)
        terminal.type(b"\x01x")

    status = shown(env, f"path={boot_sector(env, ECHO)},readonly=on", use)
    expect(status == 0, f"exit status {status}")


@test("--display terminal: the terminal is as before after signals and a guest's crash too",
      needs="kvm")
def live_ends(env):
    seed = f"path={asset(env, 'IMAGES', 'seed.img')},readonly=on"

    def end_by_signal(terminal, process):
        terminal.wait_for("Hello MBR", env.patience)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        process.send_signal(signal.SIGTERM)

    status = shown(env, seed, end_by_signal)
    expect(status == 128 + signal.SIGTERM, f"exit status {status}")

    def break_off(terminal, process):
        terminal.wait_for("Hello MBR", env.patience)
        process.send_signal(signal.SIGSEGV)

    status = shown(env, seed, break_off)
    expect(status == -signal.SIGSEGV, f"exit status {status}")
    status = shown(env, seed, lambda *_: None, firmware=rom(env, "rom_fault_loop"))
    expect(status == 3, f"exit status {status}")


@test("--display terminal without a terminal is wrong usage", needs="kvm")
def no_terminal(env):
    result = coldstart(env, "run", "--firmware", asset(env, "SEABIOS"), "--vga", "std",
                       "--display", "terminal")
    expect_status(result, 2)
    expect_one_line(result, "--display terminal", "is no terminal")
