"""Wrong flags, files and hosts: one line that names the thing and the remedy, the right status."""

import os
import struct

from harness import (Skip, coldstart, expect, expect_one_line, expect_status, test)


def refuse(env, status, words, *arguments, **options):
    result = coldstart(env, *arguments, **options)
    expect_status(result, status)
    expect_one_line(result, *words)
    return result


@test("bad usage: flags and values, status 2")
def usage(env):
    kernel = env.write("kernel", b"x")
    for words, arguments in (
            (("--frobnicate", "--help"), ("run", "--kernel", kernel, "--frobnicate")),
            (("--memroy", "--memory"), ("run", "--kernel", kernel, "--memroy", "1G")),
            (("--memory", "twice"), ("run", "--memory", "1G", "--memory", "1G")),
            (("--memory",), ("run", "--kernel", kernel, "--memory", "0")),
            (("--memory",), ("run", "--kernel", kernel, "--memory", "1")),
            (("--memory",), ("run", "--kernel", kernel, "--memory", "1T")),
            (("--memory",), ("run", "--kernel", kernel, "--memory", "lots")),
            (("--cpus",), ("run", "--kernel", kernel, "--cpus", "0")),
            (("--cpus",), ("run", "--kernel", kernel, "--cpus", "4096")),
            (("--cpus",), ("run", "--kernel", kernel, "--cpus", "-1")),
            (("--boot",), ("run", "--kernel", kernel, "--boot", "floppy")),
            (("--disk",), ("run", "--kernel", kernel, "--disk", "path=x,colour=red")),
            (("--kernel",), ("run",)),
            (("--timeout",), ("run", "--kernel", kernel, "--timeout", "-3")),
            (("--kernel",), ("run", "--kernel")),
            (("walk",), ("walk",)),
    ):
        refuse(env, 2, words, *arguments)


@test("bad kernels: status 1, the file and the reason named", needs="kvm")
def kernels(env):
    elf32 = bytearray(64)
    elf32[:7] = b"\x7fELF\x01\x01\x01"
    struct.pack_into("<HHI", elf32, 16, 2, 3, 1)
    for name, content, words in (
            ("text.txt", b"#!/bin/sh\necho not a kernel\n" * 100, ("text",)),
            ("empty", b"", ("empty",)),
            ("short", b"\x7fELF", ()),
            ("elf32", bytes(elf32), ("program headers",)),
            ("zeros", bytes(100000), ()),
    ):
        path = env.write(name, content)
        refuse(env, 1, (path, *words), "run", "--kernel", path)
    refuse(env, 1, ("/nonexistent/kernel",), "run", "--kernel", "/nonexistent/kernel")
    refuse(env, 1, (env.scratch,), "run", "--kernel", env.scratch)


@test("bad disks: status 1, the file and the remedy named", needs="kvm")
def disks(env):
    guest = env.guest("hello")
    odd = env.write("odd.img", bytes(1000))
    refuse(env, 1, (odd, "512"), "run", "--kernel", guest, "--disk", f"path={odd}")
    refuse(env, 1, (env.scratch,), "run", "--kernel", guest, "--disk", f"path={env.scratch}")
    missing = env.path("missing.img")
    refuse(env, 1, (missing,), "run", "--kernel", guest, "--disk", f"path={missing}")
    read_only = env.write("ro.img", bytes(512 * 8))
    os.chmod(read_only, 0o444)
    if os.access(read_only, os.W_OK):
        return  # root writes to it all the same
    refuse(env, 1, (read_only, "readonly"), "run", "--kernel", guest, "--disk",
           f"path={read_only}")


@test("two machines can't write to one disk", needs="kvm")
def shared_disk(env):
    from harness import Running
    disk = env.write("shared.img", bytes(1 << 20))
    guest = env.guest("idle")
    with Running(env, "run", "--kernel", guest, "--memory", "32M", "--disk",
                 f"path={disk}") as first:
        first.wait_for("idle")
        refuse(env, 1, (disk,), "run", "--kernel", guest, "--memory", "32M", "--disk",
               f"path={disk}")


@test("an initrd larger than memory is refused with its size", needs="kvm")
def initrd(env):
    if "KERNEL" not in env.assets:
        raise Skip("needs a Linux kernel (--assets)")
    large = env.path("large")
    with open(large, "wb") as file:
        file.truncate(300 << 20)
    result = coldstart(env, "run", "--kernel", env.assets["KERNEL"], "--initrd", large,
                       environment={"COLDSTART_ALLOW_EMULATED_KVM": "1"})
    expect_status(result, 1)
    expect_one_line(result, large, "--memory")


@test("no /dev/kvm and no permission: one line with the remedy", needs="unshare")
def no_kvm(env):
    import subprocess
    kernel = env.guest("hello")
    for prepare, words in (
            ("mount -t tmpfs none /dev", ("/dev/kvm", "modprobe")),
            ("mount --bind /dev/null /dev/kvm", ("/dev/kvm",)),
    ):
        command = ["unshare", "--mount", "sh", "-c",
                   f"{prepare} && exec {env.binary} run --kernel {kernel}"]
        answer = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if "unshare" in answer.stderr or "mount:" in answer.stderr:
            raise Skip("mount namespaces are not permitted here")
        expect(answer.returncode == 1, f"status {answer.returncode}: {answer.stderr}")
        lines = answer.stderr.strip().splitlines()
        expect(len(lines) == 1, f"not one line: {answer.stderr}")
        for word in words:
            expect(word in lines[0], f"'{word}' is not in: {answer.stderr}")


@test("a KVM that only emulates ring 0 refuses Linux in one line")
def emulating(env):
    if env.kvm_kind != "emulating":
        raise Skip(f"this KVM is of another kind: {env.kvm_kind}")
    if "KERNEL" not in env.assets:
        raise Skip("needs a Linux kernel (--assets)")
    for kernel in ("KERNEL", "VMLINUX"):
        result = coldstart(env, "run", "--kernel", env.assets[kernel])
        expect_status(result, 1)
        expect_one_line(result, "emulates", "doctor")
