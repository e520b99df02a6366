"""coldstart bench: its runs, its reports, and how it ends when something goes wrong."""

import json
import os
import re
import signal
import time

from harness import Running, coldstart, expect, expect_one_line, expect_status, run_small, test

HELLO = "hello from ring 0"


def bench(env, *arguments, **options):
    return coldstart(env, "bench", "boot", *arguments, **options)


def small_bench(env, name, *arguments, **options):
    return bench(env, "--kernel", env.guest(name), "--memory", "32M", "--modes", "pvh",
                 *arguments, **options)


def read_json(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def children_that_run(env):
    """Processes of this monitor's binary that somebody started and nobody ended."""
    left = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = file.read().split(b"\0")
            if b"run" in words[:3] and os.path.samefile(f"/proc/{pid}/exe", env.binary):
                left.append((pid, words))
        except OSError:
            continue
    return left


def wait_for_progress(running, text):
    """Until stderr, which is no terminal, has told of that run."""
    told = ""
    while text not in told:
        piece = os.read(running.process.stderr.fileno(), 4096).decode("utf-8", "replace")
        expect(piece, f"'{text}' did not come before the end", told)
        told += piece


@test("bench: an assembly guest, by its console and by its POST code, with both reports",
      needs="kvm")
def small_guest(env):
    report, page = env.path("bench.json"), env.path("bench.html")
    result = small_bench(env, "hello", "--ready", HELLO, "--runs", "3", "--warmup", "1",
                         "--json", report, "--html", page)
    expect_status(result, 0)
    expect(re.search(r"^pvh +[\d.]+ +[\d.]+", result.out, re.MULTILINE), "no figures", result)
    expect("run 4 of 4  pvh: " in result.err, "no progress", result)
    told = read_json(report)
    runs = told["series"][0]["runs"]
    expect([run["outcome"] for run in runs] == ["ready"] * 4, "not four runs that became ready",
           json.dumps(told, indent=1))
    expect(runs[0].get("warmup") and told["series"][0]["summary_ms"]["count"] == 3,
           "the warm-up counts", json.dumps(told, indent=1))
    expect(all(100_000 < run["ready_ns"] < env.patience * 1e9 for run in runs), "odd times",
           json.dumps(told, indent=1))
    with open(page, encoding="utf-8") as file:
        expect(file.read().endswith("</html>\n"), "the page is not whole")
    result = small_bench(env, "hello", "--ready-code", "0x42", "--runs", "2")
    expect_status(result, 0)
    result = coldstart(env, "bench", "compare", report, report)
    expect_status(result, 0)
    expect("0 slower, 0 quicker, of 1" in result.out, "a report differs from itself", result)


@test("bench: a broken guest, a missing firmware and a guest that hangs; the rest is measured",
      needs="kvm")
def broken_guests(env):
    result = small_bench(env, "triple_fault", "--ready", "never", "--runs", "5")
    expect_status(result, 1)
    expect("given up after 2 failures in a row: ended with status 3" in result.out and
           "triple fault" in result.out, "it does not say why", result)
    start = time.monotonic()
    result = small_bench(env, "spin", "--ready", "never", "--runs", "5", "--timeout", "0.5")
    expect_status(result, 124)
    expect("not ready after 0.5 s" in result.out, "it does not say why", result)
    expect(time.monotonic() - start < env.patience, "it did not give up", result)
    result = bench(env, "--kernel", env.guest("hello"), "--memory", "32M", "--ready", HELLO,
                   "--runs", "2", "--modes", "pvh,ovmf-grub", "--firmware-ovmf", "no-such-file")
    expect_status(result, 1)
    expect("skipped  ovmf-grub: --firmware-ovmf no-such-file: no such file" in result.out,
           "it does not say what is missing", result)
    expect(re.search(r"^pvh +[\d.]+", result.out, re.MULTILINE), "pvh was not measured", result)


@test("bench: interrupted, it writes what it has, leaves no process, and the status tells",
      needs="kvm")
def interrupted(env):
    for number in (signal.SIGINT, signal.SIGTERM):
        report = env.path(f"interrupted-{number}.json")
        with Running(env, "bench", "boot", "--kernel", env.guest("hello"), "--memory", "32M",
                     "--modes", "pvh", "--ready", HELLO, "--runs", "10000", "--json",
                     report) as running:
            wait_for_progress(running, "run 3 of 10001")
            running.signal(number)
            result = running.finish()
        expect_status(result, 128 + number)
        expect("interrupted" in result.out, "the table does not say so", result)
        told = read_json(report)
        expect(told["interrupted"] and len(told["series"][0]["runs"]) > 0, "nothing was written",
               json.dumps(told))
    # A guest that would go on for ever.
    with Running(env, "bench", "boot", "--kernel", env.guest("spin"), "--memory", "32M",
                 "--modes", "pvh", "--ready", "never") as running:
        time.sleep(1)
        expect(running.process.poll() is None, "it has ended already")
        running.signal(signal.SIGTERM)
        result = running.finish()
    expect_status(result, 128 + signal.SIGTERM)
    left = [words for _, words in children_that_run(env) if b"spin.elf" in words[-20:]]
    expect(not left, f"processes are left: {left}")


@test("bench: what can't be run here is one line, with what can", needs="kvm")
def bench_refusals(env):
    if env.kvm_kind == "emulating" and "KERNEL" in env.assets:
        result = bench(env, "--kernel", env.assets["KERNEL"], "--ready", "x")
        expect_status(result, 1)
        expect_one_line(result, "can't run Linux", "--modes pvh")
    result = bench(env, "--kernel", "no-such-kernel", "--ready", "x")
    expect_status(result, 1)
    expect_one_line(result, "no-such-kernel")
    result = small_bench(env, "hello", "--ready", HELLO, "--json", "/no/such/folder/x.json")
    expect_status(result, 1)
    expect_one_line(result, "--json /no/such/folder/x.json")
    bad = env.write("bad.json", b"{}")
    result = coldstart(env, "bench", "compare", bad, bad)
    expect_status(result, 1)
    expect_one_line(result, "bad.json", "not a report")


@test("--events: each event of a run as a line of JSON, in a file and in a FIFO", needs="kvm")
def event_file(env):
    path = env.path("events")
    result = coldstart(env, "run", "--kernel", env.guest("hello"), "--memory", "32M", "--events",
                       path)
    expect_status(result, 0)
    with open(path, encoding="utf-8") as file:
        events = [json.loads(line) for line in file]
    names = [event["event"] for event in events]
    expect(names[0] == "created" and "started" in names and names[-1] == "exited",
           f"other events: {names}")
    expect(any(event.get("code") == 0x42 for event in events), f"no POST code: {events}")
    fifo = env.path("events.fifo")
    os.mkfifo(fifo)
    result = coldstart(env, "run", "--kernel", env.guest("hello"), "--events", fifo)
    expect_status(result, 1)
    expect_one_line(result, "--events", "reads the FIFO")
    result = coldstart(env, "run", "--kernel", env.guest("hello"), "--events", "/dev/full")
    expect_status(result, 0)
    lines = result.err.splitlines()
    expect(len(lines) == 1 and "--events /dev/full: No space left on device" in lines[0],
           "a lost event is not told of once", result)


@test("bench timeline: two runs in one table and one page", needs="kvm")
def two_timelines(env):
    files, page = [env.path("a.json"), env.path("b.json")], env.path("both.html")
    for file, guest in zip(files, ("hello", "timer_irq")):
        expect_status(run_small(env, guest, "--timeline", file), 0)
    result = coldstart(env, "bench", "timeline", *files, "--html", page)
    expect_status(result, 0)
    rows = [line.split() for line in result.out.splitlines()]
    expect(rows[0] == ["ms", "A", "B", "B", "-", "A"], "another heading", result)
    expect([row[0] for row in rows[1:4]] == ["setup", "load", "kernel"], "other phases", result)
    expect(rows[-1][0] == "all" and len(rows[-1]) == 4, "no sum", result)
    with open(page, encoding="utf-8") as file:
        data = json.loads(re.search(r'id="data">(.*?)</script>', file.read(), re.DOTALL).group(1))
    expect(data == [read_json(file) for file in files], "the page has other runs")
    bad = coldstart(env, "bench", "timeline", env.guest("hello"))
    expect_status(bad, 1)
    expect_one_line(bad, "hello.elf", "not a timeline", "run --timeline")


@test("bench: Debian's kernel by two modes, with phases, and under QEMU", needs=("linux", "qemu-system-x86_64"))
def linux_bench(env):
    report = env.path("linux.json")
    result = bench(env, "--kernel", env.assets["KERNEL"], "--initrd", env.assets["INITRD"],
                   "--modes", "linux,pvh", "--peer", "qemu", "--ready", "COLDSTART-INIT", "--runs",
                   "1", "--warmup", "0", "--timeout", env.patience, "--json", report,
                   timeout=5 * env.patience)
    expect_status(result, 0)
    series = {one["name"]: one["runs"] for one in read_json(report)["series"]}
    expect(set(series) == {"linux", "pvh", "qemu-microvm", "qemu-q35"}, f"others: {list(series)}", result)
    for name, runs in series.items():
        expect(len(runs) == 1, f"{name}: not one run", result)
        if name.startswith("qemu"):
            continue
        phases = runs[0]["phases_ns"]
        expect(list(phases)[:3] == ["setup", "load", "kernel"], f"other phases: {runs}")
        expect(sum(phases.values()) == runs[0]["ready_ns"], f"phases do not fit: {runs}")
