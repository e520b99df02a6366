"""Board pc: firmware from the reset vector. ROM guests for what firmware takes for granted, SeaBIOS as
far as the boot sector on any KVM; GRUB and Debian's kernel under SeaBIOS and OVMF where Linux runs."""

import base64
import os
import re
import shutil
import signal
import struct
import time
import zlib

from harness import Running, Skip, coldstart, expect, expect_one_line, expect_status, test
from timelines import check_timeline

ROMS = {
    "rom_state": "the state of the boot processor at the reset vector",
    "rom_alias": "the firmware stands below 4 GiB and below 1 MiB, read-only",
    "rom_pam": "PAM: all four states of a shadow segment",
    "rom_irq": "interrupts arrive through the PIC and through the IOAPIC",
    "rom_sipi": "application processors wait for INIT and SIPI",
    "rom_timers": "PIT, PM timer and RTC agree",
    "rom_resets": "0xcf9, 0x64, 0x92, a triple fault and the ACPI register reset",
}


def rom(env, name):
    path = os.path.join(env.guests, name + ".rom")
    if not os.path.exists(path):
        raise Skip(f"{name}.rom was not built (nasm)")
    return path


def asset(env, key, *names):
    if key not in env.assets:
        raise Skip(f"no {key} among the guest assets (scripts/guest-assets --firmware)")
    path = os.path.join(env.assets[key], *names)
    if not os.path.exists(path):
        raise Skip(f"{path} is not there")
    return path


def run_firmware(env, firmware, *arguments, **options):
    return coldstart(env, "run", "--firmware", firmware, "--timeout", env.patience, *arguments,
                     **options)


def seabios(env, *arguments, **options):
    return run_firmware(env, asset(env, "SEABIOS"), *arguments, **options)


def expect_all_ok(result):
    lines = result.out.splitlines()
    expect(any(line.startswith("ok ") for line in lines), "the guest said nothing", result)
    expect(not any(line.startswith("bad ") for line in lines), "something is not as it should be",
           result)


@test("board pc: a message signalled interrupt (AHCI) arrives at its vector", needs="kvm")
def rom_msi(env):
    disc = env.write("msi.iso", bytes(1 << 20))
    result = run_firmware(env, rom(env, "rom_msi"), "--memory", "64M", "--cdrom", disc)
    expect_status(result, 0)
    expect_all_ok(result)


def rom_test(name, what):
    @test(f"board pc: {what}", needs="kvm")
    def run_rom(env):
        result = run_firmware(env, rom(env, name), "--cpus", "4", "--memory", "64M")
        expect_status(result, 0)
        expect_all_ok(result)
    return run_rom


for rom_name, rom_title in ROMS.items():
    rom_test(rom_name, rom_title)


@test("board pc: a reset ends with status 4 under --on-reboot exit, faults without end with 3",
      needs="kvm")
def rom_reset_exit(env):
    result = run_firmware(env, rom(env, "rom_resets"), "--on-reboot", "exit", "--memory", "64M")
    expect_status(result, 4)
    result = run_firmware(env, rom(env, "rom_fault_loop"), "--memory", "64M")
    expect_status(result, 3)
    expect("triple fault" in result.err, "stderr does not say why", result)


@test("board pc: --debug-exit lets the guest choose the exit status", needs="kvm")
def debug_exit(env):
    result = run_firmware(env, rom(env, "rom_exit"), "--debug-exit", "--memory", "64M")
    expect_status(result, 2 * 0x21 + 1)
    result = coldstart(env, "run", "--firmware", rom(env, "rom_exit"), "--memory", "64M",
                       "--timeout", "1")
    expect_status(result, 124)


def mbr_that_says(env, name, text):
    with open(asset(env, "IMAGES", "seed.img"), "rb") as seed:
        image = seed.read()
    expect(b"Hello MBR" in image and len(text) == 9, "the seed MBR has another text")
    return env.write(name, image.replace(b"Hello MBR", text.encode()))


def until(env, ready, *arguments, firmware=None):
    """SeaBIOS until `ready(guest)`; then the guest, which would go on for ever, is stopped."""
    with Running(env, "run", "--firmware", firmware or asset(env, "SEABIOS"), *arguments) as guest:
        ready(guest)
        guest.signal(signal.SIGTERM)
        time.sleep(0.2)
        guest.signal(signal.SIGTERM)
        result = guest.finish()
    expect_status(result, 128 + signal.SIGTERM)
    return result


def seabios_stopped_at_sector(env, *arguments, firmware=None):
    """SeaBIOS until the boot sector has sent its POST code."""
    codes = env.write("codes", b"")

    def sector_ran(_guest):
        end = time.monotonic() + env.patience
        while "0x7c" not in read_text(codes):
            expect(time.monotonic() < end, "the boot sector did not run", read_text(codes))
            time.sleep(0.05)

    return until(env, sector_ran, "--post-codes", codes, *arguments, firmware=firmware)


def read_text(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


@test("SeaBIOS starts the seed's MBR, whose line stands on the VGA screen", needs="kvm")
def seed_mbr(env):
    png, text = env.path("screen.png"), env.path("screen.txt")
    seabios_stopped_at_sector(env, "--vga", "std", "--screenshot", png, "--screen-text", text, "--disk",
                              f"path={asset(env, 'IMAGES', 'seed.img')},readonly=on")
    lines = read_text(text).splitlines()
    expect("Hello MBR" in lines, f"not on the screen: {lines}")
    expect(any(line.startswith("SeaBIOS (version") for line in lines), f"no banner: {lines}")
    width, height, lit = read_png(png)
    expect((width, height) == (720, 400), f"a picture of {width} by {height}")
    expect(500 < lit < width * height / 10, f"{lit} pixels are lit")


def read_png(path):
    """Width, height and the number of pixels that are not black, of an 8-bit RGB picture."""
    with open(path, "rb") as file:
        data = file.read()
    expect(data[:8] == b"\x89PNG\r\n\x1a\n", "no PNG")
    chunks, at = {}, 8
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        chunks[kind] = chunks.get(kind, b"") + data[at + 8:at + 8 + size]
        at += size + 12
    width, height, depth, colours = struct.unpack(">IIBB", chunks[b"IHDR"][:10])
    expect((depth, colours) == (8, 2), "not 8-bit RGB")
    raw = zlib.decompress(chunks[b"IDAT"])
    lit, before = 0, bytearray(width * 3)
    for y in range(height):
        kind, line = raw[y * (width * 3 + 1)], bytearray(raw[y * (width * 3 + 1) + 1:][:width * 3])
        unfilter(kind, line, before)
        lit += sum(any(line[x:x + 3]) for x in range(0, width * 3, 3))
        before = line
    return width, height, lit


@test("SeaBIOS's image of 128 KiB starts a boot sector, which draws in VBE's 1024x768x32",
      needs="kvm")
def vbe_sector(env):
    firmware = os.path.join(os.path.dirname(asset(env, "SEABIOS")), "bios.bin")
    if not os.path.exists(firmware):
        raise Skip(f"{firmware} is not there")
    png, text = env.path("vbe.png"), env.path("vbe.txt")
    seabios_stopped_at_sector(env, "--serial", "none", "--vga", "std", "--screenshot", png, "--screen-text", text,
                "--disk", f"path={asset(env, 'IMAGES', 'vbe.img')},readonly=on", firmware=firmware)
    expect(read_png(png) == (1024, 768, 4 * 1024), f"a picture of {read_png(png)}")
    expect(read_text(text) == "", "text in a graphics mode")


def unfilter(kind, line, above):
    """PNG filter types 0 to 4, three bytes a pixel."""
    for i, byte in enumerate(line):
        left, up, corner = (line[i - 3] if i > 2 else 0, above[i], above[i - 3] if i > 2 else 0)
        if kind == 1:
            guess = left
        elif kind == 2:
            guess = up
        elif kind == 3:
            guess = (left + up) // 2
        elif kind == 4:
            guess = min((left, up, corner), key=lambda c, p=left + up - corner: abs(p - c))
        else:
            guess = 0
        line[i] = (byte + guess) & 0xff


@test("SeaBIOS boots by bootindex, from virtio and SATA disks", needs="kvm")
def boot_order(env):
    first, second = mbr_that_says(env, "a.img", "Hello one"), mbr_that_says(env, "b.img", "Hello two")
    for disks, expected in (((f"path={first}", f"path={second}"), "Hello one"),
                            ((f"path={first},bootindex=2", f"path={second},bootindex=1"),
                             "Hello two"),
                            ((f"path={first},bus=sata", f"path={second}"), "Hello one"),
                            ((f"path={first},bootindex=9", f"path={second},bus=sata,bootindex=0"),
                             "Hello two")):
        result = seabios_stopped_at_sector(env, "--disk", disks[0], "--disk", disks[1])
        expect(expected in result.out, f"{disks}: not '{expected}'", result)


@test("a disk without a boot signature, and none at all: the user sees why nothing boots",
      needs="kvm")
def nothing_to_boot(env):
    blank = asset(env, "IMAGES", "blank.img")
    for arguments, words in ((("--disk", f"path={blank},readonly=on"), "not a bootable disk"),
                             ((), "No bootable device.")):
        until(env, lambda guest, text=words: guest.wait_for(text), *arguments)


@test("firmware's debug output and POST codes are recorded; a spinning one ends with 124",
      needs="kvm")
def spinning(env):
    log, codes = env.path("debug"), env.path("codes")
    result = coldstart(env, "run", "--firmware", asset(env, "SEABIOS"), "--timeout", "8",
                       "--debugcon", log, "--post-codes", codes, "--serial", "none")
    expect_status(result, 124)
    text = read_text(log)
    for word in ("Running on KVM", "Found QEMU fw_cfg", "PCI: init bdf=00:1f.0 id=8086:2918",
                 "ACPI: parse DSDT", "No bootable device"):
        expect(word in text, f"SeaBIOS does not say '{word}'", text)
    for word in ("out of I/O address space", "WARNING", "Unable to"):
        expect(word not in text, f"SeaBIOS says '{word}'", text)


@test("bad firmware and variable stores: status 1, the file and the remedy named", needs="kvm")
def bad_firmware(env):
    sizes = {"empty": b"", "odd": b"x" * 5000, "huge": b"x" * (16 * 1024 * 1024 + 4096),
             "blank": b"\xff" * 65536}
    for name, content in sizes.items():
        path = env.write(name + ".bin", content)
        result = run_firmware(env, path)
        expect_status(result, 1)
        expect_one_line(result, path)
    result = run_firmware(env, env.path("none.bin"))
    expect_status(result, 1)
    expect_one_line(result, "none.bin")
    code = asset(env, "OVMF_CODE")
    for arguments, word in ((("--nvram", env.write("short.fd", b"x" * 4096)), "4096 bytes"),
                            (("--nvram", env.path("absent.fd")), "--nvram-template"),
                            (("--nvram", env.path("absent.fd"), "--nvram-template",
                              env.path("absent2.fd")), "absent2.fd")):
        result = run_firmware(env, code, *arguments)
        expect_status(result, 1)
        expect_one_line(result, word)
    expect(not os.path.exists(env.path("absent.fd")), "a variable store was left behind")


# The rest needs a KVM that runs Linux.

# What the machine we present could be blamed for; of the CPU and its load the kernel may complain.
BOARD_WORDS = re.compile(r"ACPI|PCI|pci|virtio|ahci|\bata\d|HPET|hpet|IRQ|nobody cared|e820|"
                         r"fw_cfg|rtc|i8042|MSI|timer doesn.t work")


def expect_debian(result, env, *words):
    """The guest of scripts/lib/firmware-images.sh ran to its end and complained of nothing."""
    expect_status(result, 0)
    for word in (f"release {env.assets['RELEASE']}", "COLDSTART-EXIT 0", *words):
        expect(word in result.out, f"no '{word}' on the console", result)
    left = [line for line in result.out.replace("\r", "").splitlines()
            if line.startswith("complaint") and BOARD_WORDS.search(line)]
    expect(not left, "the kernel complains:\n" + "\n".join(left))


def disk(env, name):
    return f"path={asset(env, 'IMAGES', name)},readonly=on"


@test("SeaBIOS, GRUB in the MBR, Debian, from a virtio disk and from a SATA disk", needs="linux")
def seabios_grub(env):
    timeline = env.path("grub.json")
    result = seabios(env, "--disk", disk(env, "grub-mbr.img"), "--memory", "512M", "--cpus", "2",
                     "--timeline", timeline)
    expect_debian(result, env, "cpus 2", "GRUB speaks", "block vda 200704", "acpi MCFG")
    expect("efi yes" not in result.out, "it thinks it is UEFI", result)
    check_timeline(timeline, ["setup", "load", "firmware", "bootloader", "kernel", "init"],
                   ["first_run", "pci_scan_end", "first_disk_read", "kernel_entry", "init",
                    "driver_ok", "exited"], "firmware")
    result = seabios(env, "--disk", disk(env, "grub-mbr.img") + ",bus=sata", "--memory", "3G",
                     "--vga", "std")
    expect_debian(result, env, "cpus 1", "0x1234 0x1111 0x030000", "0x8086 0x2922 0x010601")


@test("SeaBIOS boots an ISO image in the CD drive", needs="linux")
def seabios_iso(env):
    result = seabios(env, "--cdrom", asset(env, "IMAGES", "grub.iso"), "--memory", "512M")
    expect_debian(result, env, "GRUB speaks")


@test("a kernel handed to SeaBIOS and to OVMF by fw_cfg", needs="linux")
def firmware_kernel(env):
    script = base64.b64encode(b"echo release $(uname -r); nproc").decode()
    arguments = ["--kernel", env.assets["KERNEL"], "--initrd", env.assets["INITRD"], "--cmdline",
                 f"console=ttyS0 quiet cs.script={script}", "--memory", "512M", "--cpus", "2"]
    expect_debian(seabios(env, *arguments), env)
    expect_debian(run_firmware(env, asset(env, "OVMF_CODE"), "--nvram", env.path("kernel.fd"),
                               "--nvram-template", asset(env, "OVMF_VARS"), *arguments), env)


@test("OVMF, GRUB in the ESP, Debian; UEFI variables outlive the run", needs="linux")
def ovmf_grub(env):
    store, timeline = env.path("vars.fd"), env.path("ovmf.json")
    for cpus in (1, 2):
        result = run_firmware(env, asset(env, "OVMF_CODE"), "--nvram", store, "--nvram-template",
                              asset(env, "OVMF_VARS"), "--disk", disk(env, "grub-esp.img"),
                              "--memory", "512M", "--cpus", cpus, "--timeline", timeline)
        expect_debian(result, env, "efi yes", f"cpus {cpus}", "GRUB speaks")
        check_timeline(timeline, ["setup", "load", "firmware", "bootloader", "kernel", "init"],
                       ["first_run", "pci_scan_end", "driver_ok", "first_disk_read",
                        "driver_reset", "efi_handover", "kernel_entry", "init", "driver_ok",
                        "exited"], "firmware")
    with open(store, "rb") as kept, open(asset(env, "OVMF_VARS"), "rb") as template:
        expect(kept.read() != template.read(), "no variable was written")


@test("OVMF boots an ISO image, and comes to its shell when there is nothing to boot",
      needs="linux")
def ovmf_iso_and_shell(env):
    store = env.path("shell.fd")
    shutil.copy(asset(env, "OVMF_VARS"), store)
    result = run_firmware(env, asset(env, "OVMF_CODE"), "--nvram", store, "--cdrom",
                          asset(env, "IMAGES", "grub.iso"), "--memory", "512M")
    expect_debian(result, env, "efi yes", "GRUB speaks")
    result = coldstart(env, "run", "--firmware", asset(env, "OVMF_CODE"), "--nvram", store,
                       "--memory", "512M", "--timeout", env.patience / 2)
    expect_status(result, 124)
    expect("Shell>" in result.out, "no shell", result)
