"""Cases of /network-interfaces and /mmds/config, which need a TAP interface of the host.

They run in a network namespace of their own: nothing of the host's network is seen or changed."""

import fcntl
import struct

from harness import expect, test

from network_guests import ip, own_network

from api.cases import bad, good, malformed, run_cases, schema
from api.client import Server
from api.device_tables import limiter_cases

MAC = "06:00:00:00:00:01"
SHOWN = {"guest_mac": None, "mtu": None, "rx_rate_limiter": None, "tx_rate_limiter": None}
TAPS = ("cs-one", "cs-two", "exactly15bytes.")


def iface(name, tap, **more):
    return {"iface_id": name, "host_dev_name": tap, **more}


def networks(title):
    """Like cases.table, with the TAP interfaces of TAPS."""
    def mark(function):
        @test(f"api: {title}")
        def run(env):
            own_network()
            for tap in TAPS:
                ip(f"tuntap add dev {tap} mode tap")
            with Server(env) as server:
                run_cases(server, function(server))

        return run

    return mark


@networks("network-interfaces: fields and types")
def fields(_):
    line, body = "PUT /network-interfaces/eth0", iface("eth0", TAPS[0])
    yield good("GET /vm/config", status=200, shows={"answer": {"network-interfaces": []}})
    yield good(line, body, {"/vm/config": {"network-interfaces": [{**SHOWN, **body}]}})
    yield from schema(line, body, {"iface_id": "str", "host_dev_name": "str"},
                      {"guest_mac": "str", "mtu": "int", "rx_rate_limiter": "object",
                       "tx_rate_limiter": "object"},
                      nulls=["guest_mac", "mtu", "rx_rate_limiter", "tx_rate_limiter"],
                      limits={"mtu": (0, 67, 65536, 1 << 20)})
    yield from malformed(line, body)
    yield from limiter_cases(line, body, "rx_rate_limiter")
    yield from limiter_cases(line, body, "tx_rate_limiter")
    for mtu in (68, 1500, 9000, 65535):
        yield good(line, {**body, "mtu": mtu},
                   {"/vm/config": {"network-interfaces": [{**SHOWN, **body, "mtu": mtu}]}})
    yield bad(line, {**body, "guest_mac": "ff:ff:ff:ff:ff:ff"}, source="ours: FC takes groups too")
    for mac in (MAC, "AA:BB:CC:DD:EE:0F"):
        yield good(line, {**body, "guest_mac": mac}, {"/vm/config": {"network-interfaces": [
            {**SHOWN, **body, "guest_mac": mac.lower()}]}}, source="FC: any six bytes")
    for mac in ("", "06:00:00:00:00", MAC + ":01", "06-00-00-00-00-01", "6:0:0:0:0:1", MAC + " ",
                "0g:00:00:00:00:01", "060000000001", " " + MAC, "06:00:00:00:00:001"):
        yield bad(line, {**body, "guest_mac": mac})
    for name in ("x" * 16, "x" * 200):
        yield bad(line, {**body, "host_dev_name": name})
    yield good(line, iface("eth0", TAPS[2]))
    yield bad("PATCH /network-interfaces/eth0", {"iface_id": "eth0"})
    yield bad("DELETE /network-interfaces/eth0")
    yield bad("GET /network-interfaces/eth0")
    yield bad(line)


@networks("network-interfaces: ids, MAC and TAP in use, replacing")
def in_use(_):
    def put(name, tap, mac=None):
        return f"PUT /network-interfaces/{name}", iface(name, tap, guest_mac=mac)

    def told(*interfaces):
        return {"/vm/config": {"network-interfaces": [
            {**SHOWN, **iface(name, tap, guest_mac=mac)} for name, tap, mac in interfaces]}}

    second_mac = "06:00:00:00:00:02"
    yield good(*put("a", TAPS[0], MAC), told(("a", TAPS[0], MAC)))
    yield bad(*put("b", TAPS[1], MAC))
    yield bad(*put("b", TAPS[1], MAC.upper()))
    yield bad(*put("b", TAPS[0], second_mac))
    yield good(*put("b", TAPS[1], second_mac), told(("a", TAPS[0], MAC), ("b", TAPS[1], second_mac)))
    yield bad(*put("a", TAPS[1], MAC))
    yield bad(*put("a", TAPS[0], second_mac))
    # The same interface again, with all that it has or something new.
    yield good(*put("b", TAPS[1], second_mac))
    yield good(*put("b", TAPS[1], "08:00:00:00:00:01"))
    yield good(*put("b", TAPS[2], second_mac))
    yield good(*put("c", TAPS[1], "08:00:00:00:00:01"))
    for name in ("a-b", "a.b", ""):
        yield bad(*put(name, TAPS[2]))
    yield bad("PUT /network-interfaces/a", iface("b", TAPS[0]))
    yield bad("PUT /network-interfaces", iface("a", TAPS[0]))
    for body in ({"iface_id": "a"}, {"iface_id": "b"}, {}, {"iface_id": "a", "guest_mac": MAC}):
        yield bad("PATCH /network-interfaces/a", body)


@networks("mmds/config")
def mmds_config(_):
    line, body = "PUT /mmds/config", {"network_interfaces": ["eth0"]}
    shown = {"version": "V1", "ipv4_address": "169.254.169.254", "imds_compat": False, **body}
    deprecated = {"deprecation": "true"}

    def told(**changes):
        return {"/vm/config": {"mmds-config": {**shown, **changes}}}

    yield good("GET /vm/config", status=200, shows={"answer": {"mmds-config": None}})
    yield bad(line, body)  # there is no such interface yet
    yield good("PUT /network-interfaces/eth0", iface("eth0", TAPS[0]))
    yield good(line, body, told(), headers=deprecated)
    yield from schema(line, body, {"network_interfaces": "list"},
                      {"version": "enum", "ipv4_address": "str", "imds_compat": "bool"},
                      nulls=["ipv4_address"])
    yield from malformed(line, body)
    yield good(line, {**body, "version": "V1"}, told(), headers=deprecated, source="FC")
    yield good(line, {**body, "version": "V2"}, told(version="V2"), headers={"deprecation": None})
    yield good(line, {**body, "imds_compat": True}, told(imds_compat=True))
    for address in ("169.254.169.250", "169.254.1.0", "169.254.254.255", "169.254.170.2"):
        yield good(line, {**body, "ipv4_address": address}, told(ipv4_address=address))
    for address in ("169.254.0.1", "169.254.255.1", "192.168.0.1", "1.1.1.1", "169.254.169", "",
                    "169.254.169.256", "169.254.169.254/16", "fe80::1", "localhost",
                    "169.254.169.0254"):
        yield bad(line, {**body, "ipv4_address": address}, source="OpenAPI")
    for version in ("v1", "V3", "1", "foo"):
        yield bad(line, {**body, "version": version})
    for names in ([], ["foo"], ["eth0", "foo"], [1], ["eth0", None], [[]]):
        yield bad(line, {"network_interfaces": names})
    yield good("PUT /network-interfaces/eth1", iface("eth1", TAPS[1]))
    yield good(line, {"version": "V2", "network_interfaces": ["eth0", "eth1"]},
               told(version="V2", network_interfaces=["eth0", "eth1"]))
    yield bad("GET /mmds/config", {"x": 1})
    yield bad("PATCH /mmds/other")
    yield bad("PUT /mmds/other", body)
    yield bad(line)


@test("api: network-interfaces: a TAP that another program holds is refused")
def held_tap(env):
    own_network()
    ip(f"tuntap add dev {TAPS[0]} mode tap")
    tunsetiff, iff_tap_no_pi = 0x400454CA, 0x1002
    with open("/dev/net/tun", "r+b", buffering=0) as holder, Server(env) as server:
        fcntl.ioctl(holder, tunsetiff, struct.pack("16sH22x", TAPS[0].encode(), iff_tap_no_pi))
        line, body = "PUT /network-interfaces/eth0", iface("eth0", TAPS[0])
        server.refused(line, body)
        expect(server.get("/vm/config")["network-interfaces"] == [], "it is there all the same")
    with Server(env) as server:
        server.ok(line, body)
