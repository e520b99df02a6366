"""How kernel and initrd come into a guest's memory: copied, mapped, kept unpacked from the last run."""

import os
import re
import shutil
import signal

from harness import Running, coldstart, expect, expect_one_line, expect_status, test
from linux_guests import QUIET, boot, expect_script_ran


def maps_file(running, path):
    """Whether the monitor has pages of that file in its memory."""
    with open(f"/proc/{running.process.pid}/maps", encoding="utf-8") as file:
        return any(line.rstrip().endswith(path) for line in file)


@test("--load map shows the guest the kernel's own pages, pristine after each reset", needs="kvm")
def mapped_resets(env):
    kernel = shutil.copy(env.guest("mapped"), env.path("mapped.elf"))
    with open(kernel, "rb") as file:
        before = file.read()
    for how, mapped in (("map", True), ("copy", False)):
        with Running(env, "run", "--kernel", kernel, "--memory", "32M", "--load", how) as guest:
            guest.wait_for("as linked\n" * 4)
            expect(maps_file(guest, kernel) == mapped, f"--load {how}: mapped is not {mapped}")
            guest.signal(signal.SIGQUIT)
            expect_status(guest.finish(), 128 + signal.SIGQUIT)
    with open(kernel, "rb") as file:
        expect(file.read() == before, "the guest's writes came into the file")


@test("a mapped kernel cut short is the end of its guest, not of the monitor", needs="kvm")
def torn_kernel(env):
    for how in ("map", "copy"):
        kernel = shutil.copy(env.guest("mapped_reader"), env.path("reader.elf"))
        with Running(env, "run", "--kernel", kernel, "--memory", "32M", "--load", how) as guest:
            guest.wait_for("....")
            os.truncate(kernel, 8192)
            if how == "copy":
                guest.wait_for("." * (len(guest.text) + 20))
                continue
            if env.kvm_kind == "emulating":
                # There KVM takes what has no page for a device's registers; the monitor lives.
                guest.wait_for("changed")
                guest.signal(signal.SIGQUIT)
                expect_status(guest.finish(), 128 + signal.SIGQUIT)
                continue
            result = guest.finish()
            expect_status(result, 3)
            expect("cut short" in result.err and "--load copy" in result.err, "no reason", result)


@test("the kernel cache is refused where it can't be, and asked for by name", needs="kvm")
def cache_usage(env):
    result = coldstart(env, "run", "--kernel", env.guest("hello"), "--kernel-cache", "")
    expect_status(result, 2)
    expect_one_line(result, "--kernel-cache", "off")
    for folder in ("off", "/proc/none", env.path("kernels")):
        result = coldstart(env, "run", "--kernel", env.guest("hello"), "--memory", "32M",
                           "--kernel-cache", folder)
        expect_status(result, 0)
        expect(result.err == "", "something on stderr", result)


def how_loaded(result):
    return re.search(r"info: (bzImage.*)", result.err).group(1)


@test("a bzImage is unpacked once: the second run takes the kernel kept", needs="linux")
def second_boot(env):
    folder = env.path("kept")
    for protocol, load, words in (("linux", "copy", "unpacked on the host"),
                                  ("linux", "map", "kept unpacked, 64-bit"),
                                  ("pvh", "auto", "kept unpacked, PVH")):
        result = boot(env, "uname -r", "--boot", protocol, "--load", load, "--kernel-cache", folder,
                      "--log-level", "info")
        expect_status(result, 0)
        expect_script_ran(result)
        expect(words in how_loaded(result), f"not '{words}'", result)
    kernels = [name for name in os.listdir(folder) if name.startswith("kernel-")]
    expect(len(kernels) == 1, f"the folder has {os.listdir(folder)}")
    with open(os.path.join(folder, kernels[0]), "rb") as kept, \
            open(env.assets["VMLINUX"], "rb") as unpacked:
        expect(kept.read() == unpacked.read(), "what is kept is not the kernel")


def mapped_mib(running, path):
    """How much of the monitor's memory is that file's pages."""
    mib = 0
    with open(f"/proc/{running.process.pid}/maps", encoding="utf-8") as file:
        for line in file:
            if line.rstrip().endswith(path):
                start, end = line.split()[0].split("-")
                mib += (int(end, 16) - int(start, 16)) / (1 << 20)
    return mib


@test("a mapped kernel and initrd are the files' own again after a reboot", needs="linux")
def mapped_linux(env):
    initrd = env.assets["INITRD"]
    whole = os.path.getsize(initrd) // 4096 * 4096 / (1 << 20)
    with Running(env, "run", "--kernel", env.assets["VMLINUX"], "--initrd", initrd, "--load", "map",
                 "--cmdline", f"{QUIET} cs.end=reboot", "--timeout", str(env.patience)) as guest:
        for _ in range(2):
            guest.text = ""
            guest.wait_for("COLDSTART-EXIT 0")
            expect(mapped_mib(guest, initrd) > whole - 0.1, "the initrd is not mapped")
        guest.signal(signal.SIGQUIT)
        expect_status(guest.finish(), 128 + signal.SIGQUIT)
