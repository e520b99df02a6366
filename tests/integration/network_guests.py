"""Networks: a TAP interface with a DHCP server behind it, booting from it, user mode by passt.

Each test has a network namespace of its own, made of what Linux offers: nothing of the host's network
is seen or changed, and what a test has built is gone with its last process."""

import base64
import ctypes
import hashlib
import os
import socket
import subprocess
import threading
import time

from harness import (Running, Skip, coldstart, expect, expect_one_line, expect_status, run_small,
                     test)
from linux_guests import QUIET, boot, expect_script_ran

TAP = "cs-tap"
HOST = "10.77.0.1"
HTTP_PORT = 8000

# For busybox: asks for an address and takes it.
DHCP = """cat >/dhcp <<'END'
#!/bin/sh
[ "$1" = bound ] || exit 0
ip addr add $ip/$mask dev $interface
[ -z "$router" ] || ip route add default via $router dev $interface
END
chmod 755 /dhcp
set -e
ip link set eth0 up
udhcpc -i eth0 -n -q -t 10 -s /dhcp
"""


def ip(words):
    done = subprocess.run(["ip", *words.split()], capture_output=True, text=True, check=False)
    expect(done.returncode == 0, f"ip {words}: {done.stderr}")


def own_network():
    """From here on this process, and what it starts, has an empty network."""
    if os.geteuid() != 0:
        raise Skip("only root can make network interfaces")
    if not os.path.exists("/dev/net/tun"):
        raise Skip("no /dev/net/tun here (modprobe tun)")
    clone_newnet = 0x40000000
    if ctypes.CDLL(None, use_errno=True).unshare(clone_newnet) != 0:
        raise Skip(f"no network namespace: {os.strerror(ctypes.get_errno())}")
    ip("link set lo up")


def make_tap(name, address, options=""):
    ip(f"tuntap add dev {name} mode tap {options}")
    ip(f"addr add {address} dev {name}")
    ip(f"link set {name} up")


def in_base64(script):
    return base64.b64encode(script.encode()).decode()


def firmware(env, name):
    if name not in env.assets:
        raise Skip("the assets have no firmware (scripts/guest-assets --firmware)")
    return env.assets[name]


class Server:
    """A program in the background; `log` is what it has said."""

    def __init__(self, env, *command):
        self.log_path = env.path(os.path.basename(command[0]) + ".log")
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=subprocess.STDOUT)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    @property
    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()


def dhcp_server(env, *more):
    return Server(env, "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--user=root",
                  "--pid-file=" + env.path("dnsmasq.pid"), "--log-facility=-", "--log-dhcp",
                  "--dhcp-leasefile=" + env.path("leases"), "--port=0", "--no-ping",
                  "--dhcp-authoritative", f"--interface={TAP}", "--bind-interfaces",
                  "--dhcp-range=10.77.0.50,10.77.0.99,1h", *more)


def http_server(env, folder, address=HOST):
    server = Server(env, "python3", "-m", "http.server", HTTP_PORT, "--bind", address,
                    "--directory", folder)
    end = time.monotonic() + 60
    while True:
        try:
            socket.create_connection((address, HTTP_PORT), timeout=5).close()
            return server
        except OSError:
            expect(time.monotonic() < end, "the web server does not come up", server.log)
            time.sleep(0.1)


class Receiver:
    """Takes one TCP connection; `digest()` is the SHA-256 of what came."""

    def __init__(self, address, port):
        self.socket = socket.create_server((address, port))
        self.hash = hashlib.sha256()
        self.thread = threading.Thread(target=self._receive, daemon=True)
        self.thread.start()

    def _receive(self):
        connection, _ = self.socket.accept()
        while chunk := connection.recv(65536):
            self.hash.update(chunk)
        connection.close()

    def digest(self):
        self.thread.join(timeout=10)
        self.socket.close()
        return self.hash.hexdigest()


def exchange_by_tap(env, *arguments, modules):
    own_network()
    make_tap(TAP, f"{HOST}/24")
    folder = env.path("web")
    os.makedirs(folder, exist_ok=True)
    content = os.urandom(3_000_001)
    with open(os.path.join(folder, "file"), "wb") as file:
        file.write(content)
    receiver = Receiver(HOST, 9000)
    script = DHCP + f"""cat /sys/class/net/eth0/address
ip -4 addr show eth0
ping -c 3 {HOST}
wget -q -O - http://{HOST}:{HTTP_PORT}/file | sha256sum
dd if=/dev/urandom of=/up bs=1000 count=2500 2>/dev/null
echo up $(sha256sum </up)
nc {HOST} 9000 </up"""
    with dhcp_server(env) as dhcp, http_server(env, folder):
        result = boot(env, script, "--net", f"tap={TAP},mac=52:54:00:12:34:56", *arguments,
                      modules=modules)
        log = dhcp.log
    expect_status(result, 0)
    expect_script_ran(result)
    expect("DHCPACK" in log, "the DHCP server gave no address", log)
    for words in ("52:54:00:12:34:56", "inet 10.77.0.", "3 packets received"):
        expect(words in result.out, f"no '{words}'", result)
    expect(hashlib.sha256(content).hexdigest() in result.out, "the file came damaged", result)
    expect("up " + receiver.digest() in result.out, "what the guest sent came damaged", result)


@test("board micro: a guest on a TAP interface gets an address and moves data both ways",
      needs=("linux", "ip", "dnsmasq"))
def tap_on_micro(env):
    exchange_by_tap(env, modules="virtio_mmio,virtio_net")


@test("board pc: a guest on a TAP interface gets an address and moves data both ways",
      needs=("linux", "ip", "dnsmasq"))
def tap_on_pc(env):
    exchange_by_tap(env, "--firmware", firmware(env, "SEABIOS"), modules="virtio_pci,virtio_net")


def boot_from_network(env, base):
    """SeaBIOS runs iPXE, which runs a script it is told of by DHCP."""
    if not os.path.exists("/usr/lib/ipxe/qemu/pxe-virtio.rom"):
        raise Skip("no iPXE ROM here (package ipxe-qemu)")
    own_network()
    make_tap(TAP, f"{HOST}/24")
    folder = env.path("netboot")
    os.makedirs(folder, exist_ok=True)
    for name, asset in (("vmlinuz", "KERNEL"), ("initrd", "INITRD")):
        if not os.path.lexists(os.path.join(folder, name)):
            os.symlink(env.assets[asset], os.path.join(folder, name))
    script = in_base64("echo from the net $(uname -r)")
    with open(os.path.join(folder, "boot.ipxe"), "w", encoding="ascii") as file:
        file.write(f"#!ipxe\nkernel {base}vmlinuz initrd=initrd {QUIET} cs.script={script}\n"
                   f"initrd {base}initrd\nboot\n")
    with dhcp_server(env, "--enable-tftp", f"--tftp-root={folder}", "--dhcp-boot=boot.ipxe") as tftp:
        with http_server(env, folder) as web:
            result = coldstart(env, "run", "--firmware", firmware(env, "SEABIOS"), "--memory",
                               "512M", "--net", f"tap={TAP},bootindex=0", "--on-reboot", "exit",
                               "--timeout", env.patience)
            logs = tftp.log, web.log
    expect_status(result, 0)
    expect("iPXE" in result.out, "iPXE did not speak", result)
    expect(f"from the net {env.assets['RELEASE']}" in result.out, "that kernel did not run", result)
    expect_script_ran(result)
    return logs


@test("SeaBIOS boots from the network: iPXE, DHCP, kernel and initrd by TFTP",
      needs=("linux", "ip", "dnsmasq"))
def boot_by_tftp(env):
    log, _ = boot_from_network(env, "")
    for name in ("boot.ipxe", "vmlinuz", "initrd"):
        expect(f"{name} to 10.77.0." in log, f"{name} was not asked for by TFTP", log)


@test("SeaBIOS boots from the network: iPXE, DHCP, kernel and initrd by HTTP",
      needs=("linux", "ip", "dnsmasq"))
def boot_by_http(env):
    _, log = boot_from_network(env, f"http://{HOST}:{HTTP_PORT}/")
    for name in ("vmlinuz", "initrd"):
        expect(f"GET /{name} " in log, f"{name} was not asked for by HTTP", log)


@test("OVMF boots from the network: its own virtio-net driver, DHCP, GRUB by TFTP",
      needs=("linux", "ip", "dnsmasq", "grub-mkstandalone"))
def uefi_boot_by_tftp(env):
    own_network()
    make_tap(TAP, f"{HOST}/24")
    folder = env.path("uefi-netboot")
    os.makedirs(folder, exist_ok=True)
    config = env.write("net.cfg", b"serial\nterminal_output serial\necho GRUB from the net\nhalt\n")
    subprocess.run(["grub-mkstandalone", "-O", "x86_64-efi", "--install-modules=normal echo serial terminal halt",
                    "--fonts=", "--locales=", "--themes=", "-o", os.path.join(folder, "grub.efi"),
                    f"boot/grub/grub.cfg={config}"], check=True, capture_output=True)
    with dhcp_server(env, "--enable-tftp", f"--tftp-root={folder}", "--dhcp-boot=grub.efi") as tftp:
        result = coldstart(env, "run", "--firmware", firmware(env, "OVMF_CODE"), "--nvram", env.path("net.fd"),
                           "--nvram-template", firmware(env, "OVMF_VARS"), "--memory", "512M",
                           "--net", f"tap={TAP},bootindex=0", "--timeout", env.patience)
        log = tftp.log
    expect_status(result, 0)
    expect("GRUB from the net" in result.out, "GRUB did not run", result)
    expect("grub.efi to 10.77.0." in log, "it was not asked for by TFTP", log)


@test("user mode: passt gives an address, leads out, and brings connections in",
      needs=("linux", "ip", "passt"))
def user_mode(env):
    own_network()
    make_tap("cs-up", "192.0.2.2/24")  # passt gives the guest what its host has
    ip("route add default via 192.0.2.1 dev cs-up")
    folder = env.path("web-user")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "file"), "w", encoding="ascii") as file:
        file.write("from the host's loopback\n")
    # The servers in the guest: one answers, one speaks first.
    script = DHCP + f"""ip -4 addr show eth0
wget -q -O - http://192.0.2.1:{HTTP_PORT}/file
dd if=/dev/urandom of=/data bs=1k count=300
echo sum $(sha256sum </data)
nc -l -p 80 -e cat &
nc -l -p 81 -e cat /data &
for port in 0050 0051; do
    until grep -qs ":$port .* 0A " /proc/net/tcp /proc/net/tcp6; do sleep 0.1; done
done
echo servers are up
wait"""
    line = f"{QUIET} cs.modules=virtio_mmio,virtio_net"
    with http_server(env, folder, "127.0.0.1"), \
            Running(env, "run", "--kernel", env.assets["KERNEL"], "--initrd", env.assets["INITRD"],
                    "--cmdline", f"{line} cs.script={in_base64(script)}", "--net",
                    "user,forward=tcp:8080:80,forward=tcp:8081:81", "--timeout",
                    env.patience) as guest:
        guest.wait_for("servers are up")
        from_guest = talk("127.0.0.1", 8081, b"")
        to_guest = os.urandom(300 * 1024)
        echo = talk("192.0.2.2", 8080, to_guest)
        expect(echo == to_guest, f"the guest echoes something else: {len(echo)} bytes, the first "
               f"{len(os.path.commonprefix([echo, to_guest]))} as they were sent")
        result = guest.finish()
    expect_status(result, 0)
    expect_script_ran(result)
    for words in ("inet 192.0.2.2", "from the host's loopback",
                  f"sum {hashlib.sha256(from_guest).hexdigest()}"):
        expect(words in result.out, f"no '{words}'", result)


def talk(address, port, data):
    """Says `data`, if there is any, and nothing more; what the server says until it ends."""
    with socket.create_connection((address, port), timeout=60) as connection:
        def say():
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
        speaker = threading.Thread(target=say if data else lambda: None)
        speaker.start()
        received = b""
        while piece := connection.recv(65536):
            received += piece
        speaker.join()
    return received


@test("networks that can't be had end the run with one line", needs="kvm")
def refusals(env):
    result = run_small(env, "hello", "--net", "tap=cs-none")
    expect_status(result, 1)
    expect_one_line(result, "cs-none", "there is none", "ip tuntap add")
    result = run_small(env, "hello", "--net", "user", environment={"PATH": "/nonexistent"})
    expect_status(result, 1)
    expect_one_line(result, "passt is not installed", "apt install passt")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run_small(env, "hello", "--net", f"user,forward=tcp:{port}:80")
        expect_status(result, 1)
        expect_one_line(result, f"TCP port {port}", "another host port")


@test("a TAP interface of another user, and one that is taken, are refused",
      needs=("kvm", "ip", "setpriv"))
def taps_of_others(env):
    own_network()
    make_tap(TAP, f"{HOST}/24", "user 12345")
    name = env.guest("hello")
    command = ["run", "--boot", "pvh", "--kernel", name, "--memory", "32M", "--net", f"tap={TAP}"]
    # Root without this capability is a user as any other to TAP interfaces.
    done = subprocess.run(["setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin",
                           env.binary, *command], capture_output=True, text=True, check=False)
    expect(done.returncode == 1, f"status {done.returncode}", done.stderr)
    expect("belongs to another user" in done.stderr, "not said whose it is", done.stderr)
    with Running(env, "run", "--boot", "pvh", "--kernel", env.guest("spin"), "--memory", "32M",
                 "--net", f"tap={TAP}", "--timeout", "30") as holder:
        holder.wait_for("spinning")
        result = coldstart(env, *command)
    expect_status(result, 1)
    expect_one_line(result, TAP, "another interface")
