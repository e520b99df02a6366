"""GET /vm/config and its kin, compared as a whole: the exact shape that clients take apart."""

from harness import expect, test
from network_guests import ip, own_network

from api.cases import file_of
from api.client import Server

# Every section is always there. [FC: resources.rs; test_api.py, test_get_full_config]
FRESH = {
    "balloon": None, "drives": [],
    "boot-source": {"kernel_image_path": "", "initrd_path": None, "boot_args": None},
    "cpu-config": None, "logger": None,
    "machine-config": {"vcpu_count": 1, "mem_size_mib": 128, "smt": False,
                       "track_dirty_pages": False, "huge_pages": "None"},
    "metrics": None, "mmds-config": None, "network-interfaces": [], "vsock": None,
    "entropy": None, "pmem": [], "memory-hotplug": None,
}


def same(found, wanted, where="/vm/config"):
    if isinstance(found, dict) and isinstance(wanted, dict):
        expect(set(found) == set(wanted), f"{where}: keys {sorted(set(found) ^ set(wanted))}")
        for key, value in wanted.items():
            same(found[key], value, f"{where}/{key}")
    expect(found == wanted, f"{where} is {found}, not {wanted}")


@test("api: GET /vm/config, /machine-config and /balloon show exactly what Firecracker's do")
def whole(env):
    own_network()
    ip("tuntap add dev cs-whole mode tap")
    with Server(env) as server:
        same(server.get("/vm/config"), FRESH)
        same(server.get("/machine-config"), FRESH["machine-config"], "/machine-config")
        wanted = dict(FRESH)
        kernel, disk = file_of(server, "kernel", 9), file_of(server, "disk.img", 4096)
        wanted["machine-config"] = {"vcpu_count": 2, "mem_size_mib": 256, "smt": True,
                                    "track_dirty_pages": True, "huge_pages": "Transparent"}
        server.ok("PUT /machine-config", wanted["machine-config"])
        wanted["boot-source"] = {"kernel_image_path": kernel, "boot_args": "", "initrd_path": None}
        server.ok("PUT /boot-source", {"kernel_image_path": kernel, "boot_args": ""})
        bucket = {"size": 1000000, "refill_time": 100, "one_time_burst": None}
        both = {"bandwidth": {**bucket, "one_time_burst": 12}, "ops": None}
        data = {"drive_id": "data", "partuuid": None, "is_root_device": False,
                "cache_type": "Writeback", "is_read_only": False, "path_on_host": disk,
                "rate_limiter": both, "io_engine": "Sync", "socket": None}
        root = {**data, "drive_id": "rootfs", "is_root_device": True, "cache_type": "Unsafe",
                "is_read_only": True, "rate_limiter": None, "partuuid": "0eaa91a0-01"}
        server.ok("PUT /drives/data", data)
        server.ok("PUT /drives/rootfs", {key: value for key, value in root.items()
                                         if key not in ("cache_type", "rate_limiter", "socket")})
        wanted["drives"] = [root, data]
        interface = {"iface_id": "1", "host_dev_name": "cs-whole", "mtu": None,
                     "guest_mac": "06:00:00:00:00:01", "rx_rate_limiter": None,
                     "tx_rate_limiter": {"bandwidth": bucket, "ops": None}}
        server.ok("PUT /network-interfaces/1", interface)
        wanted["network-interfaces"] = [interface]
        wanted["mmds-config"] = {"version": "V2", "ipv4_address": "169.254.169.250",
                                 "network_interfaces": ["1"], "imds_compat": True}
        server.ok("PUT /mmds/config", wanted["mmds-config"])
        wanted["balloon"] = {"amount_mib": 1, "deflate_on_oom": True, "free_page_hinting": False,
                             "stats_polling_interval_s": 0, "free_page_reporting": False}
        server.ok("PUT /balloon", {"amount_mib": 1, "deflate_on_oom": True})
        wanted["vsock"] = {"guest_cid": 15, "uds_path": server.path("v.sock")}
        server.ok("PUT /vsock", {**wanted["vsock"], "vsock_id": "old"})
        wanted["entropy"] = {"rate_limiter": {"bandwidth": None, "ops": bucket}}
        server.ok("PUT /entropy", wanted["entropy"])
        # These two are never shown.
        server.ok("PUT /logger", {"log_path": server.path("log")})
        server.ok("PUT /metrics", {"metrics_path": server.path("metrics")})
        for _ in range(2):
            same(server.get("/vm/config"), wanted)
        same(server.get("/balloon"), wanted["balloon"], "/balloon")
        same(server.get("/machine-config"), wanted["machine-config"], "/machine-config")
        # What GET shows can be put again.
        server.ok("PUT /balloon", server.get("/balloon"))
        server.ok("PUT /machine-config", server.get("/machine-config"))
        server.ok("PUT /drives/rootfs", server.get("/vm/config")["drives"][0])
        same(server.get("/vm/config"), wanted)
