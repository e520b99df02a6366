"""Cases of the machine itself: /machine-config, /boot-source, /cpu-config, /actions, /vm."""

from api.cases import (Missing, bad, file_of, good, malformed, schema, table, white_space)

MACHINE = "/machine-config"
SMALL = {"vcpu_count": 1, "mem_size_mib": 64}
OPTIONAL = {"smt": "bool", "track_dirty_pages": "bool", "cpu_template": "enum",
            "huge_pages": "enum"}
DEPRECATED = {"deprecation": "true"}


def shows(**fields):
    return {MACHINE: fields, "/vm/config": {"machine-config": fields}}


@table("machine-config: fields, types and limits")
def machine_fields(_):
    line = f"PUT {MACHINE}"
    yield good(f"GET {MACHINE}", status=200, shows={"answer": {
        "vcpu_count": 1, "mem_size_mib": 128, "smt": False, "track_dirty_pages": False,
        "huge_pages": "None", "cpu_template": Missing}}, source="FC")
    yield good(line, SMALL, shows(vcpu_count=1, mem_size_mib=64, smt=False,
                                  track_dirty_pages=False, huge_pages="None"))
    yield from schema(line, SMALL, {"vcpu_count": "int", "mem_size_mib": "int"}, OPTIONAL,
                      nulls=["cpu_template"], limits={
                          "vcpu_count": (0, 33, 64, 255, 256, 1 << 32, (1 << 64) - 1),
                          "mem_size_mib": (0, (1 << 64) + 1, 1 << 70)})
    yield from malformed(line, SMALL)
    yield from white_space(line, SMALL)
    for count in (1, 2, 3, 31, 32):
        yield good(line, {**SMALL, "vcpu_count": count}, shows(vcpu_count=count))
    for size in (1, 2, 129, 4096, 65536):
        yield good(line, {**SMALL, "mem_size_mib": size}, shows(mem_size_mib=size))
    for raw in (b'{"vcpu_count": 1e0, "mem_size_mib": 64}', b'{"vcpu_count": 1, "mem_size_mib": -0}',
                b'{"vcpu_count": +1, "mem_size_mib": 64}', b'{"vcpu_count": 01, "mem_size_mib": 64}',
                b'{"vcpu_count": 0x1, "mem_size_mib": 64}', b'{"vcpu_count": 1., "mem_size_mib": 64}',
                b'{"vcpu_count": 1, "mem_size_mib": 64, "vcpu_count": 2}',
                b'{"vcpu_count": 1, "mem_size_mib": Infinity}', b'{vcpu_count: 1, mem_size_mib: 64}'):
        yield bad(line, raw)
    yield bad(line, {})
    yield bad(line)


@table("machine-config: SMT, huge pages and CPU templates")
def machine_features(_):
    line = f"PUT {MACHINE}"
    for count, smt, wanted in ((1, True, 204), (2, True, 204), (3, True, 400), (4, True, 204),
                               (5, True, 400), (31, True, 400), (32, True, 204), (3, False, 204)):
        body = {**SMALL, "vcpu_count": count, "smt": smt}
        yield good(line, body, shows(smt=smt, vcpu_count=count)) if wanted == 204 else \
            bad(line, body)
    for pages in ("None", "2M", "Transparent"):
        yield good(line, {**SMALL, "huge_pages": pages}, shows(huge_pages=pages))
    for pages in ("2M", "Transparent"):
        yield bad(line, {**SMALL, "mem_size_mib": 65, "huge_pages": pages}, source="FC")
    for pages in ("none", "1G", "2m", "transparent", "4K"):
        yield bad(line, {**SMALL, "huge_pages": pages})
    for dirty in (True, False):
        yield good(line, {**SMALL, "track_dirty_pages": dirty}, shows(track_dirty_pages=dirty))
    for name in ("T2", "C3", "T2S", "T2CL", "T2A"):
        yield good(line, {**SMALL, "cpu_template": name}, shows(cpu_template=name),
                   headers=DEPRECATED)
    # A PUT without it keeps the template; "None" is how it goes. [FC: machine_config.rs]
    yield good(line, SMALL, shows(cpu_template="T2A"), headers={"deprecation": None}, source="FC")
    yield good(line, {**SMALL, "cpu_template": "None"}, shows(cpu_template=Missing),
               headers=DEPRECATED, source="FC")
    yield good(line, SMALL, shows(cpu_template=Missing), headers={"deprecation": None})
    for name in ("t2", "T3", "", "none"):
        yield bad(line, {**SMALL, "cpu_template": name})


@table("machine-config: PATCH changes what it names")
def machine_patch(_):
    line = f"PATCH {MACHINE}"
    put = {"vcpu_count": 2, "mem_size_mib": 256, "track_dirty_pages": True}
    yield good(f"PUT {MACHINE}", put, shows(smt=False, **put))
    yield bad(line, {})
    yield bad(line)
    yield bad(line, {"vcpu_count": None}, source="FC: nothing to change")
    yield from schema(line, {"vcpu_count": 2}, {}, {"vcpu_count": "int", "mem_size_mib": "int",
                                                   **OPTIONAL},
                      nulls=["mem_size_mib", "smt", "track_dirty_pages", "huge_pages",
                             "cpu_template"],
                      limits={"vcpu_count": (0, 33, 256), "mem_size_mib": (0, 1 << 64)})
    yield from malformed(line, {"mem_size_mib": 256})
    yield good(line, {"mem_size_mib": 512}, shows(vcpu_count=2, mem_size_mib=512,
                                                  track_dirty_pages=True))
    yield good(line, {"vcpu_count": 3}, shows(vcpu_count=3, mem_size_mib=512))
    yield bad(line, {"smt": True})
    yield good(line, {"vcpu_count": 4, "smt": True}, shows(vcpu_count=4, smt=True))
    yield bad(line, {"vcpu_count": 3})
    yield good(line, {"vcpu_count": 3, "smt": False}, shows(vcpu_count=3, smt=False))
    yield good(line, {"track_dirty_pages": False}, shows(track_dirty_pages=False, vcpu_count=3))
    yield good(line, {"huge_pages": "2M"}, shows(huge_pages="2M"))
    yield bad(line, {"mem_size_mib": 511}, source="FC")
    yield good(line, {"huge_pages": "None", "mem_size_mib": 511}, shows(mem_size_mib=511))
    yield bad(line, {"huge_pages": "Transparent"}, source="FC")
    yield good(line, {"cpu_template": "None"}, headers=DEPRECATED)
    # PUT sets everything anew.
    yield good(f"PUT {MACHINE}", SMALL, shows(smt=False, track_dirty_pages=False, vcpu_count=1,
                                              mem_size_mib=64, huge_pages="None"))


@table("boot-source")
def boot_source(server):
    line, kernel = "PUT /boot-source", file_of(server, "kernel", 100)
    initrd, body = file_of(server, "initrd", 10), {"kernel_image_path": kernel}
    empty = {"kernel_image_path": "", "initrd_path": None, "boot_args": None}
    yield good("GET /vm/config", status=200, shows={"answer": {"boot-source": empty}}, source="FC")

    def told(**fields):
        return {"/vm/config": {"boot-source": {**empty, **fields}}}

    yield good(line, body, told(**body))
    full = {**body, "initrd_path": initrd, "boot_args": "console=ttyS0 quiet"}
    yield good(line, full, told(**full))
    # A second PUT replaces the whole.
    yield good(line, body, told(**body))
    yield good(line, {**body, "boot_args": ""}, told(boot_args="", **body), source="FC")
    yield from schema(line, body, {"kernel_image_path": "str"},
                      {"initrd_path": "str", "boot_args": "str"}, ["initrd_path", "boot_args"])
    yield from malformed(line, body)
    yield from white_space(line, full)
    missing = server.path("missing")
    yield bad(line, {"kernel_image_path": missing})
    yield bad(line, {"kernel_image_path": ""})
    yield bad(line, {"kernel_image_path": kernel + "\0"})
    yield bad(line, {"kernel_image_path": "/" + "x" * 5000})
    yield bad(line, {**body, "initrd_path": missing})
    yield bad(line, {**body, "initrd_path": ""})
    yield good(line, {**body, "boot_args": "a" * 1500}, told(boot_args="a" * 1500, **body))
    for size in (2100, 4096, 40000):
        yield bad(line, {**body, "boot_args": "a" * size})
    for text in ("console=\tttyS0", "a\nb", "a\0b", "caf\u00e9"):
        yield bad(line, {**body, "boot_args": text}, source="FC: printable ASCII only")
    yield bad("PATCH /boot-source", body, source="OpenAPI")
    yield bad("GET /boot-source", source="OpenAPI")
    yield bad(line, {})
    yield bad(line)


@table("cpu-config")
def cpu_config(_):
    line = "PUT /cpu-config"
    yield good(line, {}, source="FC")
    body = {"cpuid_modifiers": [{"leaf": "0x1", "subleaf": "0x0", "flags": 0, "modifiers": [
        {"register": "ecx", "bitmap": "0b" + "x" * 31 + "1"}]}]}
    for change in (body, {"msr_modifiers": [{"addr": "0x10a", "bitmap": "0b" + "x" * 64}]},
                   {"kvm_capabilities": ["121"]}):
        yield bad(line, change, source="api.md: not built here")
    for field in ("cpuid_modifiers", "msr_modifiers", "kvm_capabilities"):
        for value in (1, "x", {}, [1]):
            yield bad(line, {field: value}, source="OpenAPI")
    yield bad(line, {"foo": False}, source="FC")
    yield bad(line, {"msr_modifiers": [{"addr": "0x0\n\n", "bitmap": "0b00"}]}, source="FC")
    yield bad(line, {"msr_modifiers": [{"addr": "zz", "bitmap": "0b" + "x" * 64}]}, source="FC")
    yield bad(line, {"msr_modifiers": [{"addr": "0x1", "bitmap": "0b2"}]}, source="FC")
    yield bad(line, {"cpuid_modifiers": [{"leaf": "0x1"}]}, source="OpenAPI")
    yield from malformed(line, {"kvm_capabilities": []})
    yield bad(line)


@table("actions and the machine's state before the start")
def actions(_):
    line = "PUT /actions"
    for action in ("InstanceStart", "FlushMetrics", "SendCtrlAltDel"):
        # The first without a kernel, the others before the start.
        yield bad(line, {"action_type": action})
        yield bad(line, {"action_type": action, "payload": "string"})
    for action in ("instancestart", "InstanceHalt", "BlockDeviceRescan", "Start", "", "Pause"):
        yield bad(line, {"action_type": action})
    for value in (None, 1, True, [], {}, ["InstanceStart"]):
        yield bad(line, {"action_type": value})
    yield bad(line, {})
    yield bad(line, {"type": "InstanceStart"})
    yield bad(line)
    yield from malformed(line, {"action_type": "InstanceStart"})
    yield bad("PATCH /actions", {"action_type": "InstanceStart"})
    yield bad("GET /actions")
    for state in ("Paused", "Resumed"):
        yield bad("PATCH /vm", {"state": state})
    for body in ({}, {"state": "Running"}, {"state": "paused"}, {"state": None}, {"state": 1},
                 {"state": "Paused", "x": 1}):
        yield bad("PATCH /vm", body)
    yield bad("PATCH /vm")
    yield bad("PUT /vm", {"state": "Paused"})
    yield from malformed("PATCH /vm", {"state": "Paused"})
    yield good("GET /", status=200, shows={"answer": {"state": "Not started",
                                                      "id": "anonymous-instance"}}, source="FC")
