"""How streams to other servers begin and end again: idleness, a planned end, the death of s2sd."""

import os
import shutil
import socket

import pytest

from fake_server import FakeServer
from federation import Dns
from harness import Server, wait_for

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("dnsmasq"), reason="needs root and dnsmasq")
OURS = "zubr.example"


@pytest.fixture(scope="module")
def peers():
    made = {name: FakeServer(f"{name}.example", **how)
            for name, how in {"good": {}, "later": {"silent": True}}.items()}
    yield made
    for peer in made.values():
        peer.stop()


@pytest.fixture(scope="module")
def mute():
    """A DNS server that never answers is one for domains below mute.example."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        yield s.getsockname()[1]


@pytest.fixture(scope="module")
def suite(peers, mute):
    server = Server("--resolver", "127.0.53.3:53", "--set", "limits.s2s_idle_seconds=1", domains=(OURS,))
    hosts = {f"{name}.example": "127.0.0.1" for name in [*peers, "zubr"]}
    services = {f"{name}.example": (f"{name}.example", p.port) for name, p in peers.items()}
    dns = Dns(hosts, services, address="127.0.53.3", extra=[f"--server=/mute.example/127.0.0.1#{mute}"])
    try:
        with server:
            yield server
    finally:
        dns.stop()


def streams(server, domain):
    return [r for r in server.ctl_json("streams", domain) if r["direction"] == "out" and r["state"] == "ready"]


def test_an_idle_stream_is_closed_and_opened_again_when_needed(server, peers):
    a = server.client("alice")
    for round_ in range(2):
        before = peers["good"].connections
        a.message("x@good.example", f"round {round_}")
        peers["good"].expect(f"round {round_}")
        assert peers["good"].connections == before + 1
        wait_for(lambda: not streams(server, "good.example"), "the end of the idle stream")
        wait_for(lambda: peers["good"].closes == before + 1, "a polite end")


def test_a_question_to_dns_is_answered_when_s2sd_stops(server, peers):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(10)
    s.connect(str(server.dir / "run" / "ctl" / "s2sd-1.sock"))
    s.sendall(b"dns slow.mute.example\n")
    server.restart("s2sd-1")
    answer = b""
    while data := s.recv(4096):
        answer += data
    assert answer.startswith(b"error timeout")
