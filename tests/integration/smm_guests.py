"""System management mode and Secure Boot: an assembly guest on any KVM that has the mode, and OVMF with
Debian's signed chain where Linux runs."""

import os
import re
import shutil

from firmware_guests import asset, disk, expect_all_ok, expect_debian, read_text, rom, run_firmware
from harness import Running, Skip, coldstart, expect, expect_one_line, expect_status, test

FLASH_BYTES = 64 * 1024


def need_smm(env):
    """Skips where this KVM has no system management mode; that the user is told is looked at, too."""
    result = coldstart(env, "run", "--firmware", rom(env, "rom_exit"), "--memory", "64M", "--smm",
                       "on", "--debug-exit")
    if result.status == 1:
        expect_one_line(result, "--smm on: this host's KVM has no system management mode")
        raise Skip("this KVM has no system management mode (KVM_CAP_X86_SMM)")
    expect_status(result, 2 * 0x21 + 1)


@test("board pc: SMRAM, TSEG, SMIs, and a flash that only SMM writes", needs="kvm")
def rom_smm(env):
    need_smm(env)
    with open(rom(env, "rom_smm"), "rb") as file:
        code = file.read()
    # 192 KiB of firmware leave 64 KiB for a variable store below them.
    firmware = env.write("smm.rom", b"\xff" * (2 * len(code)) + code)
    store = env.write("smm.fd", b"\xff" * (FLASH_BYTES - 4) + b"FLSH")
    codes = env.path("smm.codes")
    result = run_firmware(env, firmware, "--smm", "on", "--nvram", store, "--memory",
                          "128M", "--cpus", "2", "--post-codes", codes)
    expect_status(result, 0)
    expect_all_ok(result)
    expect("TSEG is RAM again" in result.out, "the guest did not come to its end", result)
    expect("0x01" in read_text(codes), "the guest saw no flash", result)
    with open(store, "rb") as file:
        expect(file.read(4) == b"\x5a\xff\x5a\x5a", "the store holds something else")


@test("a host without SMM, or --smm off: firmware built with it is refused in one line",
      needs="kvm")
def smm_refused(env):
    code = asset(env, "OVMF_SECURE_CODE")
    result = run_firmware(env, code, "--nvram", env.path("refused.fd"), "--nvram-template",
                          asset(env, "OVMF_SECURE_VARS"), "--smm", "off")
    expect_status(result, 1)
    expect_one_line(result, code, "system management mode")
    expect(not os.path.exists(env.path("refused.fd")), "a variable store was left behind")
    result = coldstart(env, "run", "--kernel", env.guest("hello"), "--smm", "on")
    expect_status(result, 2)
    expect_one_line(result, "--smm on", "--firmware")


@test("Secure Boot: Debian's shim, GRUB and kernel; variables are written through SMM",
      needs="linux")
def signed_chain(env):
    need_smm(env)
    store = env.path("secure.fd")
    shutil.copy(asset(env, "OVMF_SECURE_VARS"), store)
    result = run_firmware(env, asset(env, "OVMF_SECURE_CODE"), "--nvram", store,
                          "--cpus", "2", "--memory", "512M", "--disk",
                          f"path={asset(env, 'SECURE_BOOT_DISK')},readonly=on")
    # D_LCK and G_SMRAME: the firmware has locked SMRAM, and with it the flash.
    expect_debian(result, env, "GRUB speaks", "kernel says secureboot: Secure boot enabled",
                  "variable kept")
    expect(re.search(r"secureboot +6 +0 +0 +0 +1\r?\n", result.out), "no SecureBoot variable", result)
    expect(re.search(r"smram +1a\r?\n", result.out), "SMRAM is not locked", result)
    with open(store, "rb") as kept:
        expect("Coldstart".encode("utf-16-le") in kept.read(), "the variable is not in the store")


@test("Secure Boot refuses an EFI program without a signature, and says so", needs="linux")
def unsigned_refused(env):
    need_smm(env)
    store = env.path("unsigned.fd")
    shutil.copy(asset(env, "OVMF_SECURE_VARS"), store)
    with Running(env, "run", "--firmware", asset(env, "OVMF_SECURE_CODE"), "--nvram", store,
                 "--memory", "512M", "--disk", disk(env, "grub-esp.img")) as guest:
        guest.wait_for("Access Denied")
        expect("GRUB" not in guest.text, "it ran", guest.text)
