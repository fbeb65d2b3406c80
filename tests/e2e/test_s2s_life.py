"""How streams to other servers begin and end again: idleness, a planned end, the death of s2sd."""

import os
import queue
import shutil
import signal
import socket
import time

import pytest

from fake_server import FakeServer
from federation import Dns
from harness import NS, Client, Server, wait_for
from test_components import connect as connect_component
from test_federation import raw_peer
from test_rooms import enter

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("dnsmasq"), reason="needs root and dnsmasq")
OURS = "zubr.example"


@pytest.fixture(scope="module")
def peers():
    made = {name: FakeServer(f"{name}.example", **how)
            for name, how in {"good": {}, "later": {"silent": True}, "third": {"silent": True},
                              "never": {"silent": True}}.items()}
    yield made
    for peer in made.values():
        peer.stop()


def killed(server, instance):
    pid = server.pid_of(instance)
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: any(r["name"] == instance and r["state"] == "running" and r["pid"] != pid
                         for r in server.ctl_json("status", check=False)), f"a new {instance}", 20)


def nothing_more(peer, seconds=0.5):
    with pytest.raises(queue.Empty):
        peer.stanzas.get(timeout=seconds)


def waits(server, domain):
    return wait_for(lambda: [r for r in server.ctl_json("queue", domain, check=False) if r["count"]], "a queue")


def verified(server, to=OURS):
    c = raw_peer(server, come_from="good.example", to=to)
    c.write(f"<db:result from='good.example' to='{to}'>any</db:result>")
    assert c.next().get("type") == "valid"
    return c


@pytest.fixture(scope="module")
def mute():
    """A DNS server that never answers is one for domains below mute.example."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        yield s.getsockname()[1]


@pytest.fixture(scope="module")
def suite(peers, mute):
    server = Server("--instances", "s2sd=1", "--resolver", "127.0.53.3:53", "--set", "limits.s2s_idle_seconds=1",
                    domains=(OURS,))
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


def keeps_what_waits(server, peers, name, end):
    a, peer = server.client("alice"), peers[name]
    for i in range(20):
        a.message(f"x@{name}.example", f"m{i}")
    a.write(f"<iq to='x@{name}.example' type='get' id='question-{name}'><query xmlns='jabber:iq:version'/></iq>")
    assert waits(server, f"{name}.example")[0]["count"] == 21
    peer.silent = False                 # on the next stream: this one was opened in vain
    end("s2sd-1")
    for i in range(20):
        peer.expect(f"m{i}")
    q = peer.stanzas.get(timeout=10)
    assert q.get("id") == f"question-{name}"
    nothing_more(peer)
    a.expect_none("iq")
    a.expect_none("message")


def test_what_waits_for_a_remote_domain_outlives_s2sd(server, peers):
    server.expect_warning("daemon_restarted")
    keeps_what_waits(server, peers, "later", lambda name: killed(server, name))


def test_what_is_too_long_for_a_daemon_is_answered(server, peers):
    """RFC 6120 8.2.3: the answer has the id of what was asked, however long; also when it has to wait for a stream."""
    c, peer = verified(server), peers["good"]
    for to, condition in ((OURS, "policy-violation"), ("not a jid@", "jid-malformed")):
        for kind in ("iq type='get'", "message"):
            wait_for(lambda: not streams(server, "good.example"), "the end of the idle stream")
            c.write("".join(f"<{kind} from='x@good.example' to='{to}' id='{n * 65536}'>"
                            f"<ping xmlns='urn:xmpp:ping'/></{kind.split()[0]}>" for n in "ab"))
            for n in "ab":
                e = peer.stanzas.get(timeout=20)
                assert e.tag == f"{{jabber:server}}{kind.split()[0]}" and (e.get("type"), e.get("id")) == ("error", n * 65536)
                assert (e.get("from"), e.get("to")) == (OURS, "x@good.example")
                assert e.find(f"*/stanzas:{condition}", NS) is not None
    c.write(f"<iq from='x@good.example' to='{OURS}' type='result' id='{'r' * 65536}'/>"
            f"<iq from='x@good.example' to='{OURS}' type='get' id='{'l' * 65535}'><ping xmlns='urn:xmpp:ping'/></iq>")
    e = peer.stanzas.get(timeout=20)
    assert e.get("type") == "result" and e.get("id") == "l" * 65535
    nothing_more(peer)
    c.close()


def test_a_room_with_a_remote_occupant_does_not_notice(server, peers):
    server.expect_warning("daemon_restarted")
    muc, peer = f"muc.{OURS}", peers["good"]
    a = server.client("alice")
    enter(a, f"house@{muc}", "alice")
    c = verified(server, to=muc)
    c.write(f"<presence from='guest@good.example/r' to='house@{muc}/guest'><x xmlns='{NS['muc']}'/></presence>")
    a.expect("presence", lambda p: p.get("from") == f"house@{muc}/guest")
    wait_for(lambda: peer.stanzas.qsize() >= 3, "presences and the subject")
    while not peer.stanzas.empty():
        peer.stanzas.get()
    before = peer.connections
    killed(server, "s2sd-1")
    c.expect_end()
    a.expect_none("presence")
    a.message(f"house@{muc}", "anybody still here?", kind="groupchat")
    m = peer.expect("anybody still here?")
    assert m.get("from") == f"house@{muc}/alice" and m.get("to") == "guest@good.example/r"
    assert peer.connections == before + 1
    c = verified(server, to=muc)
    c.write(f"<message from='guest@good.example/r' to='house@{muc}' type='groupchat'><body>yes</body></message>")
    a.expect_body("yes", f"house@{muc}/guest")


def test_a_component_comes_back_by_itself(server):
    server.expect_warning("daemon_restarted")
    domain, a = f"comp.{OURS}", server.client("alice")
    c = connect_component(server, domain=domain)
    assert c.next().tag.endswith("handshake")
    killed(server, "s2sd-1")
    c.expect_end()
    assert a.error_of(a.iq("get", "<ping xmlns='urn:xmpp:ping'/>", to=domain)) == "service-unavailable"
    c = connect_component(server, domain=domain)
    assert c.next().tag.endswith("handshake")
    a.message(f"x@{domain}", "welcome back")
    assert c.next().findtext("{jabber:component:accept}body") == "welcome back"
    c.close()


def test_a_server_that_sends_faster_than_we_store_is_slowed(server, peers):
    """While sm stands still its channel fills; what is not confirmed is not read from the remote."""
    a = server.client("alice")
    c = verified(server)
    sm = server.pid_of("sm-1")
    stanza = f"<message from='x@good.example' to='{a.bare}'><body>{'f' * 4000}</body></message>".encode()
    os.kill(sm, signal.SIGSTOP)
    try:
        c.sock.setblocking(False)
        rest, sent, blocked = b"", 0, 0
        deadline = time.monotonic() + 20
        while blocked < 30 and time.monotonic() < deadline:
            rest = rest or stanza
            try:
                n = c.sock.send(rest)
                rest, sent, blocked = rest[n:], sent + n, 0
            except OSError:
                blocked += 1
                time.sleep(0.02)
        assert blocked >= 30, f"{sent} bytes were taken"
    finally:
        os.kill(sm, signal.SIGCONT)
    c.sock.setblocking(True)
    c.write(rest)
    c.write(f"<message from='x@good.example' to='{a.bare}'><body>the last</body></message>")
    wanted = (sent + len(rest)) // len(stanza)
    got = 0
    while (body := a.expect("message").findtext("client:body", None, NS)) != "the last":
        assert body == "f" * 4000
        got += 1
    assert got == wanted


def test_a_server_over_its_rate_is_slowed(server, peers):
    """limits.s2s_byte_rate: ten times that at once, then no faster; nothing of it is lost."""
    a = server.client("alice")
    c = verified(server)
    total = 1500                    # 6 MB; 5 MB are taken at once
    c.write("".join(f"<message from='x@good.example' to='{a.jid}' type='headline'><body>{i} {'f' * 4000}</body></message>"
                    for i in range(total)))
    got = [int(a.expect("message").findtext("client:body", None, NS).split()[0]) for _ in range(total)]
    assert got == list(range(total))
    assert sum(row["slowed"] for row in server.ctl_json("streams", "good.example")) > 0


# ---- planned ends: these come last, as ./dev run does not start again what was ended so

def test_a_planned_restart_gives_nothing_back(server, peers):
    keeps_what_waits(server, peers, "third", server.restart)


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


def test_the_verb_stop_gives_back_what_waits(server, peers):
    a = server.client("alice")
    ident = a.message("x@never.example", "hello?")
    waits(server, "never.example")
    server.ctl("stop", "s2sd-1")
    e = a.expect("message", lambda m: m.get("id") == ident and m.get("type") == "error")
    assert a.error_of(e) == "remote-server-timeout"
