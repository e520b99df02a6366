"""The metadata service: Debian's kernel and busybox ask it over a TAP interface, whose card leaves
checksums and segments to the host, and over passt, whose card does not."""

import hashlib
import json

from harness import coldstart, expect, expect_one_line, expect_status, run_small, test
from linux_guests import boot, expect_script_ran
from network_guests import TAP, ip, make_tap, own_network

URL = "http://169.254.169.254"
LARGE = "".join(hashlib.sha256(str(i).encode()).hexdigest() for i in range(700))
DOCUMENT = {"latest": {"meta-data": {"ami-id": "ami-12345678", "count": 3, "tags": {"a": "b"},
                                     "large": LARGE}}}

SETUP = """set -e
ip link set eth0 up
ip addr add 192.0.2.9/24 dev eth0
ip route add 169.254.169.254 dev eth0
"""


def metadata_file(env):
    return env.write("metadata.json", json.dumps(DOCUMENT, indent=4).encode())


def expect_lines(result, *lines):
    seen = result.out.replace("\r", "").split("\n")
    for line in lines:
        expect(line in seen, f"no line '{line}'", result)


def ask_by_wget(env, modules, *arguments):
    own_network()
    make_tap(TAP, "192.0.2.1/24")
    script = SETUP + f"""
echo list $(wget -q -O - {URL}/latest/meta-data/)
echo id $(wget -q -O - {URL}/latest/meta-data/ami-id)
echo json $(wget -q -O - --header 'Accept: application/json' {URL}/latest/meta-data/tags)
echo large $(wget -q -O - {URL}/latest/meta-data/large | sha256sum)
wget -O - {URL}/nobody 2>&1 | grep -o '404 Not Found'
wget -O - {URL}/latest/meta-data/count 2>&1 | grep -o '501 Not Implemented'
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    wget -q -O - {URL}/latest/meta-data/ami-id & done | tr -d '\\n' | sha256sum
wait
ip neigh show 169.254.169.254
ping -c 1 192.0.2.1 >/dev/null && echo the network is there
"""
    result = boot(env, script, "--net", f"tap={TAP}", "--metadata", metadata_file(env), *arguments,
                  modules=modules)
    expect_status(result, 0)
    expect_script_ran(result)
    expect_lines(result, "list ami-id count large tags/", "id ami-12345678", 'json {"a":"b"}',
                 f"large {hashlib.sha256(LARGE.encode()).hexdigest()} -", "404 Not Found",
                 "501 Not Implemented", "the network is there",
                 hashlib.sha256(b"ami-12345678" * 20).hexdigest() + "  -")
    expect("lladdr 06:01:23:45:67:01" in result.out, "another hardware address", result)


@test("board micro: a guest on a TAP interface reads its metadata", needs=("linux", "ip"))
def metadata_on_micro(env):
    ask_by_wget(env, "virtio_mmio,virtio_net")


@test("version 2 of the metadata service wants a token, over passt",
      needs=("linux", "ip", "passt"))
def metadata_with_token(env):
    own_network()
    make_tap("cs-up", "192.0.2.2/24")
    ip("route add default via 192.0.2.1 dev cs-up")
    script = SETUP + f"""
ask() {{ printf "$1" | nc 169.254.169.254 80 | tr -d '\\r'; }}
ask 'GET /latest/meta-data/ami-id HTTP/1.0\\r\\n\\r\\n'
echo
token=$(ask 'PUT /latest/api/token HTTP/1.0\\r\\nX-metadata-token-ttl-seconds: 3\\r\\n\\r\\n' | tail -n 1)
echo token of ${{#token}}
ask "GET /latest/meta-data/ami-id HTTP/1.0\\r\\nX-metadata-token: $token\\r\\n\\r\\n"
echo
echo large $(wget -q -O - --header "X-aws-ec2-metadata-token: $token" {URL}/latest/meta-data/large |
             sha256sum)
sleep 4
ask "GET /latest/meta-data/ami-id HTTP/1.0\\r\\nX-metadata-token: $token\\r\\n\\r\\n" | tail -n 1
echo
"""
    result = boot(env, script, "--net", "user", "--metadata", metadata_file(env),
                  "--metadata-version", "v2", modules="virtio_mmio,virtio_net")
    expect_status(result, 0)
    expect_script_ran(result)
    expect_lines(result, "HTTP/1.0 401 Unauthorized", "token of 48", "HTTP/1.0 200 OK",
                 "ami-12345678", f"large {hashlib.sha256(LARGE.encode()).hexdigest()} -",
                 "MMDS token not valid.")


@test("metadata that can't be read ends the run with one line", needs="kvm")
def refusals(env):
    for content, words in ((b"{", "not valid JSON"), (b'"' + b"x" * 51200 + b'"', "51202 bytes")):
        path = env.write("bad.json", content)
        result = run_small(env, "hello", "--net", "user", "--metadata", path)
        expect_status(result, 1)
        expect_one_line(result, "bad.json", words)
    result = run_small(env, "hello", "--net", "user", "--metadata", env.path("nobody.json"))
    expect_status(result, 1)
    expect_one_line(result, "nobody.json", "No such file")
    result = coldstart(env, "run", "--kernel", "k", "--metadata", "m.json")
    expect_status(result, 2)
    expect_one_line(result, "--metadata", "--net")
