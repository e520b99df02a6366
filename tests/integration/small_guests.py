"""Assembly guests through the command line: what the CPU and the board's devices do."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import subprocess
import time

from harness import (ROOT, Running, Skip, coldstart, expect, expect_status, run_small, test)


@test("a guest prints a line and powers off with status 0", needs="kvm")
def hello(env):
    result = run_small(env, "hello")
    expect_status(result, 0)
    expect(result.out == "hello from ring 0\n", "another console output", result)
    expect(result.err == "", "something on stderr", result)


@test("PVH: CPU state at the entry", needs="kvm")
def cpu_state(env):
    result = run_small(env, "cpu_state")
    expect_status(result, 0)


@test("PVH: start info, memory map, RSDP and command line", needs="kvm")
def start_info(env):
    for memory, kib in (("64M", 64 * 1024), ("3G", 3 * 1024 * 1024), ("8G", 3 * 1024 * 1024)):
        result = coldstart(env, "run", "--kernel", env.guest("start_info"), "--memory", memory,
                           "--cmdline", "one two=three")
        expect_status(result, 0)
        expect("one two=three" in result.out, "the command line is not there", result)
        told = int(re.search(r"([0-9a-f]{8}) KiB", result.out).group(1), 16)
        # The EBDA and the legacy hole are missing from the map.
        expect(kib - 512 <= told < kib, f"{told} KiB of RAM told for {memory}", result)


@test("a triple fault ends with status 3, registers and the instruction bytes", needs="kvm")
def triple_fault(env):
    result = run_small(env, "triple_fault")
    expect_status(result, 3)
    expect("about to triple fault" in result.out, "the guest did not run", result)
    for word in ("triple fault", "rip", "cr0", "code at"):
        expect(word in result.err, f"no '{word}' in the dump", result)


@test("a panic told through pvpanic ends with status 3", needs="kvm")
def panic(env):
    result = run_small(env, "panic")
    expect_status(result, 3)
    expect("panic" in result.err, "stderr does not say so", result)


@test("reset by 0xcf9 and by 0x64: status 4 under --on-reboot exit", needs="kvm")
def reset_exit(env):
    for name in ("reset_cf9", "reset_kbd"):
        result = run_small(env, name, "--on-reboot", "exit")
        expect_status(result, 4)
        expect(result.out.startswith("resetting"), "the guest did not run", result)
        expect("still here" not in result.out, "the guest went on after its reset", result)


@test("a reset starts the guest again, time after time", needs="kvm")
def reset_restart(env):
    # With a virtio device, too: its interrupt and doorbell have to follow the machine.
    for options in (("--no-rng",), ()):
        with Running(env, "run", "--kernel", env.guest("reset_cf9"), "--memory", "32M",
                     *options) as guest:
            guest.wait_for("resetting by 0xcf9\n" * 5)
            guest.signal(signal.SIGQUIT)
            expect_status(guest.finish(), 128 + signal.SIGQUIT)


@test("a guest deaf to the power button is stopped when its grace is over", needs="kvm")
def grace(env):
    with Running(env, "run", "--kernel", env.guest("idle"), "--memory", "32M") as guest:
        guest.wait_for("idle")
        guest.signal(signal.SIGTERM)
        result = guest.finish()
        expect_status(result, 128 + signal.SIGTERM)
        expect(9 < result.seconds < 20, f"after {result.seconds:.1f} s", result)


@test("INIT and SIPI start every processor: 1, 2, 4 and 16", needs="kvm")
def smp(env):
    for count in (1, 2, 4, 16):
        result = run_small(env, "smp", "--cpus", count)
        expect_status(result, 0)
        expect(f"{count:08x} processors" in result.out, f"not {count} processors", result)


@test("PIT and RTC interrupts arrive through the PICs", needs="kvm")
def timer_irq(env):
    for irqchip in ("split", "kernel"):
        result = run_small(env, "timer_irq", "--timeout", "30", "--irqchip", irqchip)
        expect_status(result, 0)
        expect("ten of each" in result.out, f"they did not come ({irqchip})", result)


@test("edges and levels arrive through the IOAPIC, a level again until it is taken away",
      needs="kvm")
def ioapic_irq(env):
    for irqchip in ("split", "kernel"):
        result = run_small(env, "ioapic_irq", "--timeout", "30", "--irqchip", irqchip)
        expect_status(result, 0)
        expect("edges and levels" in result.out, f"they did not come ({irqchip})", result)


@test("unclaimed ports and addresses read as all ones; string output works", needs="kvm")
def unclaimed(env):
    result = run_small(env, "unclaimed")
    expect_status(result, 0)
    expect("all ones" in result.out, "rep outsb did not reach the console", result)


@test("input reaches the guest's serial port, none of it lost", needs="kvm")
def echo(env):
    text = "".join(f"line {number};" for number in range(300))
    result = run_small(env, "echo", stdin=(text + "q").encode())
    expect_status(result, 0)
    expect(result.out == "ready\n" + text + " bye\n", "not what was typed", result)


@test("a slow reader gets all of the console's output before the end", needs="kvm")
def slow_reader(env):
    read_end, write_end = os.pipe()
    fcntl.fcntl(write_end, fcntl.F_SETPIPE_SZ, 4096)
    process = subprocess.Popen([env.binary, "run", "--kernel", env.guest("chatty"), "--memory",
                                "32M"], stdin=subprocess.DEVNULL, stdout=write_end)
    os.close(write_end)
    time.sleep(1)  # meanwhile the pipe fills, and then the monitor's own queue
    with os.fdopen(read_end, "rb") as reader:
        text = reader.read()
    expect(process.wait(timeout=env.patience) == 0, f"status {process.returncode}")
    expect(text.endswith(b"the end\n"), f"it ends with {text[-100:]!r}")
    expect(len(text) == 1100 * 61 + 8, f"{len(text)} bytes")


@test("--timeout ends a spinning and an idle guest with status 124", needs="kvm")
def timeout(env):
    for name in ("spin", "idle"):
        result = run_small(env, name, "--timeout", "0.5")
        expect_status(result, 124)
        expect(0.4 < result.seconds < 10, f"took {result.seconds:.1f} s", result)


@test("signals: a second SIGTERM ends at once with status 143; SIGINT with 130", needs="kvm")
def signals(env):
    for number in (signal.SIGTERM, signal.SIGINT):
        with Running(env, "run", "--kernel", env.guest("idle"), "--memory", "32M") as guest:
            guest.wait_for("idle")
            guest.signal(number)
            time.sleep(0.3)
            expect(guest.process.poll() is None, "the first signal gave the guest no time")
            guest.signal(number)
            result = guest.finish(timeout=5)
            expect_status(result, 128 + number)


@test("Ctrl-A p pauses the guest and lets it go on; Ctrl-A x leaves a paused one", needs="kvm")
def pause(env):
    main, side = pty.openpty()
    process = subprocess.Popen([env.binary, "run", "--kernel", env.guest("ticker"), "--memory",
                                "32M"], stdin=side, stdout=side, stderr=side)

    def dots(seconds):
        count, end = 0, time.monotonic() + seconds
        while time.monotonic() < end:
            if select.select([main], [], [], 0.05)[0]:
                count += os.read(main, 65536).count(b".")
        return count

    try:
        expect(dots(2) > 0, "the guest does not run")
        for _ in range(3):
            os.write(main, b"\x01p")
            dots(0.5)  # what was on its way
            expect(dots(1) == 0, "the guest runs although it is paused")
            os.write(main, b"\x01p")
            expect(dots(1.5) > 0, "the guest does not go on")
        os.write(main, b"\x01p\x01x")
        process.wait(timeout=20)
    finally:
        process.kill()
    expect(process.returncode == 0, f"status {process.returncode}")


@test("POST codes are recorded with their times", needs="kvm")
def post_codes(env):
    path = env.path("post")
    result = run_small(env, "hello", "--post-codes", path)
    expect_status(result, 0)
    with open(path, encoding="utf-8") as file:
        text = file.read()
    expect(re.search(r"^\d+\.\d+ .*42", text, re.MULTILINE), f"no code 42 in: {text}")


@test("the console goes to a file, a socket, a pty or nowhere", needs="kvm")
def serial_targets(env):
    path = env.path("console")
    result = run_small(env, "hello", "--serial", f"file={path}")
    expect_status(result, 0)
    expect(result.out == "", "the console is on stdout, too", result)
    with open(path, encoding="utf-8") as file:
        expect(file.read() == "hello from ring 0\n", "not in the file")
    expect_status(run_small(env, "hello", "--serial", "none"), 0)


@test("a full disk under the console's file loses output, not the guest", needs="kvm")
def full_disk(env):
    result = run_small(env, "hello", "--serial", "file=/dev/full")
    expect_status(result, 0)


@test("a closed stdout does not stop the guest", needs="kvm")
def closed_stdout(env):
    with Running(env, "run", "--kernel", env.guest("hello"), "--memory", "32M") as guest:
        guest.process.stdout.close()
        guest.process.stdout = open(os.devnull, "rb")
        guest.process.wait(timeout=env.patience)
        expect(guest.process.returncode == 0, f"status {guest.process.returncode}")


@test("nothing is left behind: no child, no thread, no file", needs="kvm")
def nothing_left(env):
    folder = env.path("empty-folder")
    os.mkdir(folder)
    before = os.getcwd()
    os.chdir(folder)
    try:
        run_small(env, "hello")
        run_small(env, "triple_fault")
    finally:
        os.chdir(before)
    expect(os.listdir(folder) == [], f"left behind: {os.listdir(folder)}")


@test("an idle monitor takes at most 512 KiB, and a PSS of 3 MiB, beside its guest", needs=("kvm", "nasm", "ld"))
def memory_beside_the_guest(env):
    with open(env.binary, "rb") as file:
        if b"/ld-linux" in file.read(4096):
            raise Skip("this build is linked dynamically; the bound is the release build's")
    bench = os.path.join(ROOT, "tests", "bench", "memory")
    cases = ["coldstart", "api"]
    answer = subprocess.run([bench, "--binary", env.binary, "--json", "-", *cases], capture_output=True, text=True)
    expect(answer.returncode == 0, f"the measurement failed: {answer.stderr}")
    for case, sums in json.loads(answer.stdout).items():
        expect(sums["anonymous"] <= 512, f"{case}: {sums['anonymous']} KiB of anonymous memory")
        expect(sums["pss"] <= 3072, f"{case}: a PSS of {sums['pss']} KiB")


@test("doctor tells which KVM this is, as text and as JSON")
def doctor(env):
    result = coldstart(env, "doctor", "--json")
    report = json.loads(result.out)
    expect(report["kvm"] in ("hardware", "emulating", "none"), "no such kind", result)
    expect(result.status == (0 if report["usable"] else 1), "the status contradicts", result)
    text = coldstart(env, "doctor")
    expect("ring 0" in text.out or report["kvm"] == "none", "nothing on ring 0", text)
