"""--timeline: what is recorded of small guests and of SeaBIOS, and that it is there however a run ends.
Boots of Linux are checked along with the tests that make them."""

import os
import signal
import time

from firmware_guests import asset, seabios_stopped_at_sector
from harness import Running, coldstart, expect, expect_one_line, expect_status, run_small, test
from timelines import check_timeline, event_names, read_timeline

SETUP = ["process_start", "configured", "memory_ready", "kvm_ready", "devices_ready", "loaded",
         "vcpus_ready", "first_run"]


@test("a timeline: the monitor's steps, the guest's marks and words, the end", needs="kvm")
def hello(env):
    data, page = env.path("hello.json"), env.path("hello.html")
    result = run_small(env, "hello", "--timeline", data, "--timeline", page)
    expect_status(result, 0)
    timeline = check_timeline(data, ["setup", "load", "kernel", "init"],
                              [*SETUP, "post_code", "console_byte", "console_line", "exited"], "pvh")
    expect({"event": "post_code", "code": 0x42}.items() <=
           timeline["events"][event_names(timeline).index("post_code")].items(), "another POST code")
    line = timeline["events"][event_names(timeline).index("console_line")]
    expect(line["text"] == "hello from ring 0", f"another line: {line}")
    expect(timeline["end"]["reason"] == "powered off", f"{timeline['end']}")
    expect(timeline["end"]["t_ns"] < result.seconds * 1e9, "it took longer than it did")
    with open(page, encoding="ascii") as file:
        text = file.read()
    expect("hello from ring 0" in text and "</html>" in text, "the page is not whole")


@test("a timeline is written on every way out, and begins when its starter says", needs="kvm")
def every_way_out(env):
    path = env.path("end.json")
    for guest, status, reason, arguments in (("triple_fault", 3, "crashed", ()),
                                             ("panic", 3, "crashed", ()),
                                             ("reset_cf9", 4, "rebooted", ("--on-reboot", "exit")),
                                             ("idle", 124, "timed out", ("--timeout", "0.5"))):
        result = run_small(env, guest, "--timeline", path, *arguments)
        expect_status(result, status)
        end = read_timeline(path)["end"]
        expect((end["status"], end["reason"]) == (status, reason), f"{guest}: {end}")
        os.unlink(path)
    with Running(env, "run", "--kernel", env.guest("idle"), "--memory", "32M", "--timeline",
                 path) as guest:
        guest.wait_for("idle")
        guest.signal(signal.SIGQUIT)
        expect_status(guest.finish(), 128 + signal.SIGQUIT)
    expect(read_timeline(path)["end"]["status"] == 128 + signal.SIGQUIT, "not that of the signal")

    before = time.monotonic_ns() - 10 ** 9
    run_small(env, "hello", "--timeline", path, environment={"COLDSTART_START_NS": str(before)})
    timeline = read_timeline(path)
    expect(timeline["start_monotonic_ns"] == before, "another start than it was told")
    expect(timeline["events"][1]["t_ns"] > 10 ** 9, "a second is missing")

    result = coldstart(env, "run", "--kernel", env.path("none.elf"), "--timeline", path)
    expect_status(result, 1)
    expect("none.elf" in read_timeline(path)["end"]["reason"], "it does not say what failed")


@test("a timeline that can't be written is refused before the guest runs", needs="kvm")
def unwritable(env):
    os.makedirs(env.path("folder.html"), exist_ok=True)
    for path in (env.path("absent/t.json"), env.path("folder.html")):
        result = run_small(env, "hello", "--timeline", path)
        expect_status(result, 1)
        expect_one_line(result, "--timeline", path, "can be written")
    result = run_small(env, "hello", "--timeline", "t.txt")
    expect_status(result, 2)
    expect_one_line(result, "--timeline t.txt", ".json", ".html")


@test("a timeline of SeaBIOS: fw_cfg, PCI, the disk, debug lines, the boot sector", needs="kvm")
def bios(env):
    path = env.path("bios.json")
    seabios_stopped_at_sector(env, "--timeline", path, "--debugcon", env.path("debug"), "--disk",
                              f"path={asset(env, 'IMAGES', 'seed.img')},readonly=on")
    # The lab's software CPU does not stop at a guest's breakpoints (docs/timeline.md).
    sector = [] if os.environ.get("IN_LAB") else ["boot_sector"]
    timeline = check_timeline(path, ["setup", "load", "firmware", "bootloader"],
                              [*SETUP, "pci_scan_begin", "pci_scan_end", "driver_ok",
                               "first_disk_read", *sector, "post_code"], "firmware")
    items = [event["item"] for event in timeline["events"] if event["event"] == "fw_cfg"]
    for item in ("signature", "etc/e820", "etc/table-loader", "etc/acpi/tables"):
        expect(item in items, f"{item} was not read: {items}")
    devices = {event["device"] for event in timeline["events"] if "device" in event}
    expect("disk.disk0" in devices, f"{devices}")
    said = [event["text"] for event in timeline["events"] if event["event"] == "debug_line"]
    expect(any("Booting from 0000:7c00" in line for line in said), f"{said[-5:]}")
