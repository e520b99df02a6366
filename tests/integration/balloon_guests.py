"""The memory balloon: what Linux gives back is gone from the monitor's own memory."""

import base64
import re
import time

from harness import Running, expect, expect_status, test
from linux_guests import QUIET

# Most of the guest's memory written to and freed again; a line from the host before the driver comes.
DIRTY = """set -e
modprobe virtio_mmio
memory() { grep -E "^(MemTotal|MemAvailable):" /proc/meminfo; }
mkdir -p /filled
mount -t tmpfs -o size=160M filled /filled
dd if=/dev/zero of=/filled/it bs=1M count=150 2>/dev/null
"""


def script_line(script):
    return f"{QUIET} cs.script={base64.b64encode(script.encode()).decode()}"


def guest(env, script, *arguments):
    return Running(env, "run", "--kernel", env.assets["VMLINUX"], "--initrd", env.assets["INITRD"],
                   "--memory", "320M", "--cmdline", script_line(script), "--timeout",
                   str(env.patience), *arguments)


def resident_mib(running):
    with open(f"/proc/{running.process.pid}/status", encoding="ascii") as file:
        return int(re.search(r"VmRSS:\s+(\d+) kB", file.read()).group(1)) / 1024


def meminfo(text, name):
    return [int(kib) / 1024 for kib in re.findall(name + r": +(\d+) kB", text)]


def wait_until(condition, seconds, what):
    end = time.monotonic() + seconds
    while not condition():
        expect(time.monotonic() < end, what)
        time.sleep(0.2)


@test("a balloon of 64 MiB takes them from Linux and from the monitor", needs="linux")
def inflate(env):
    script = DIRTY + """rm /filled/it
memory
total() { awk '/MemTotal/ { print $2 }' /proc/meminfo; }
full=$(total)
echo DIRTY; read go
modprobe virtio_balloon
tries=0
while [ $((full - $(total))) -lt 65536 ] && [ $tries -lt 40 ]; do
    sleep 1; tries=$((tries + 1))
done
memory
echo INFLATED; read go
rmmod virtio_balloon
memory"""
    with guest(env, script, "--balloon", "64M") as running:
        running.wait_for("DIRTY")
        dirty = resident_mib(running)
        expect(dirty > 150, f"the guest wrote 150 MiB, the monitor has {dirty:.0f}")
        running.type("go\n")
        running.wait_for("INFLATED")
        inflated = resident_mib(running)
        running.type("go\n")
        result = running.finish()
    expect_status(result, 0)
    expect("COLDSTART-EXIT 0" in result.out, "the script failed", result)
    for name, least, most in (("MemTotal", 64, 64), ("MemAvailable", 56, 72)):
        first, second, third = meminfo(result.out, name)
        expect(least <= first - second <= most, f"{name} fell by {first - second:.1f} MiB", result)
        expect(third - second >= least - 8, f"{name}: {third - second:.1f} MiB came back", result)
    expect(dirty - inflated > 48, f"the monitor's memory: {dirty:.0f} to {inflated:.0f} MiB")


@test("with reporting=on freed memory of the guest goes back to the host", needs="linux")
def reporting(env):
    script = DIRTY + """modprobe virtio_balloon
echo DIRTY; read go
rm /filled/it
echo FREED; read go"""
    fallen = {}
    for switch in ("on", "off"):
        with guest(env, script, "--balloon", f"0,deflate-on-oom=on,reporting={switch}") as running:
            running.wait_for("DIRTY")
            dirty = resident_mib(running)
            running.type("go\n")
            running.wait_for("FREED")
            if switch == "on":
                # Linux reports two seconds after something was freed, and goes slowly.
                wait_until(lambda: dirty - resident_mib(running) > 100, 60,
                           f"the monitor keeps {resident_mib(running):.0f} of {dirty:.0f} MiB")
            else:
                time.sleep(5)
            fallen[switch] = dirty - resident_mib(running)
            running.type("go\n")
            expect_status(running.finish(), 0)
    expect(fallen["off"] < 20, f"{fallen['off']:.0f} MiB went back though reporting is off")
