"""What strangers can make grow, with the limits of an ordinary configuration: each daemon stays within 16 MB
of its resting size or its stated limits, the offender is cut or slowed, a bystander is answered within 100 ms.
Only in the long form: it measures."""

import asyncio
import os
import signal
import socket
import subprocess
import time

import pytest

from fake_server import FakeServer
from federation import Dns
from harness import NS, ROOT, Client, Server, StreamError, wait_for
from load import Load
from measure import Watch, bystander
from test_federation import SERVER_HEADER
from world import LONG, say, site_of

pytestmark = [pytest.mark.skipif(not LONG, reason="measured in the long form"),
              pytest.mark.skipif(os.geteuid() != 0, reason="needs root for the memory of the daemons")]
HOLD = ROOT / "build/tests/faults/hold"
DNS = "127.0.53.8"
OFFENCES = ("rate_limited", "output_limit", "client_slow", "peer_slow", "queue_full", "stream_limit", "reader_slow",
            "conn_limited", "client_limited")


@pytest.fixture(scope="module")
def peer():
    made = FakeServer("flood.example")
    yield made
    made.stop()


@pytest.fixture(scope="module")
def suite(peer):
    server = Server("--resolver", DNS + ":53", build="build")
    dns = Dns({"flood.example": "127.0.0.1"}, {"flood.example": ("flood.example", peer.port)}, DNS)
    try:
        with server:
            for name in ("bystander", "mallory", "sink", "giver"):
                server.register(name)
            server.announced += OFFENCES
            yield server
    finally:
        dns.stop()


@pytest.fixture
def watch(suite):
    """Reports and judges when the test is over."""
    time.sleep(2)                                 # what the last test left behind settles
    client = bystander(suite)
    w = Watch(suite, client)
    yield w
    say(f"faults: {os.environ['PYTEST_CURRENT_TEST'].split('::')[1].split(' ')[0]}: {w.line()}")
    client.drop()


def pour(client, text, seconds):
    """Writes without reading as fast as it is taken; bytes taken, and whether it was cut off."""
    data, taken, end = text.encode(), 0, time.monotonic() + seconds
    client.sock.settimeout(0.2)
    while time.monotonic() < end:
        try:
            client.sock.sendall(data)
            taken += len(data)
        except TimeoutError:
            continue
        except OSError:
            return taken, True
    return taken, False


FLOODS = {
    "presence": "<presence><status>{pad}</status></presence>" * 50,
    "joins": "".join(f"<presence to='flood{i}@muc.example.org/n'><x xmlns='{NS['muc']}'/></presence>" for i in range(50)),
    "iq": "<iq type='get' id='x' to='example.org'><query xmlns='jabber:iq:version'/></iq>" * 50,
    "roster": "".join(f"<iq type='set' id='r{i}'><query xmlns='jabber:iq:roster'><item jid='c{i}@x.example' name='{{pad}}'/>"
                      "</query></iq>" for i in range(50)),
    "messages": "<message to='sink@example.org' type='chat'><body>{pad}</body></message>" * 50,
}


@pytest.mark.parametrize("kind", FLOODS)
def test_floods(suite, watch, kind):
    """Slowed: what is taken in five seconds is what the rates allow."""
    m = suite.client("mallory", register=False, tls=True)
    with watch:
        taken, cut = pour(m, FLOODS[kind].replace("{pad}", "x" * 500), 5)
    m.drop()
    say(f"faults: flood of {kind}: {taken // 1024} KB taken in 5 s{', then cut off' if cut else ''}")
    watch.check()


@pytest.fixture
def generous():
    """Without rates: so much comes for a reader that its own limit is reached."""
    with Server("--set", "limits.byte_rate=0", "--set", "limits.stanza_rate=0", build="build") as server:
        for name in ("bystander", "giver"):
            server.register(name)
        server.announced += OFFENCES
        yield server


async def archived(server):
    load = Load(site_of(server), 0, 1, away=0, rooms=0, tls_only=True)
    c = load.clients[0]
    c.start()
    await load.all_up([c])
    rows = await c.archive()
    await load.stop()
    return {row[1].split(" ")[0] for row in rows}


def test_readers_that_never_read(generous):
    """Cut at their limit of output; what they did not read is in their archive."""
    suite = generous
    readers = [suite.client("p0", resource=f"r{i}", priority=5) for i in range(3)]
    giver = suite.client("giver", register=False)
    watch = Watch(suite, bystander(suite))
    sent, end = 0, time.monotonic() + 30
    with watch:
        while time.monotonic() < end:
            for _ in range(50):
                giver.message("p0@" + suite.domain, f"{sent} " + "x" * 8000)
                sent += 1
            giver.ping()
            if not any(row["jid"].startswith("p0@") for row in suite.ctl_json("sessions")):
                break
    say(f"faults: readers that never read: cut after {sent} messages of 8 KB: {watch.line()}")
    assert time.monotonic() < end, "they were not cut"
    for c in (*readers, giver):
        c.drop()
    missing = {str(i) for i in range(sent)} - asyncio.run(archived(suite))
    assert not missing, f"{len(missing)} of {sent} messages are not in the archive"
    watch.check()


def test_half_open_streams(suite, watch):
    """5,000 connections that say half a stream header; each address has its own hundred."""
    held = []
    with watch:
        for n in range(5000):
            s = socket.socket()
            s.bind((f"127.0.{10 + n // 100}.1", 0))
            try:
                s.connect(("127.0.0.1", suite.c2s))
                s.sendall(b"<?xml version='1.0'?><stream:stream to='example.org'")
            except OSError:
                pass
            held.append(s)
        time.sleep(3)
    held_by = sum(r["connections"] for r in suite.ctl_json("status") if r["role"] == "c2sd")
    say(f"faults: half-open streams: c2sd holds {held_by} of {len(held)}")
    for s in held:
        s.close()
    watch.check()


def test_a_thousand_joins_in_one_write(suite, watch):
    m = suite.client("mallory", register=False)
    with watch:
        m.write("".join(f"<presence to='many{i}@muc.example.org/n'><x xmlns='{NS['muc']}'/></presence>" for i in range(1000)))
        end = time.monotonic() + 15
        answers = 0
        while answers < 1000 and time.monotonic() < end:
            try:
                answers += m.next(max(0.1, end - time.monotonic())).tag.endswith("presence")
            except (AssertionError, StreamError):
                break
    say(f"faults: 1,000 joins in one write: {answers} answers")
    m.drop()
    watch.check()


def test_a_peer_that_sends_faster_than_we_store(suite, watch, peer):
    """Its socket is not read while 64 KB of it are unconfirmed."""
    c = Client(suite, suite.domain, port=suite.s2s)
    header = SERVER_HEADER.format("flood.example", suite.domain)
    c.open(header).next()
    c.write(f"<starttls xmlns='{NS['tls']}'/>")
    assert c.next().tag.endswith("proceed")
    c._wrap()
    c.open(header).next()
    c.write(f"<db:result from='flood.example' to='{suite.domain}'>any key</db:result>")
    assert c.next().get("type") == "valid"
    one = f"<message from='m@flood.example/r' to='sink@{suite.domain}' type='chat'><body>{'x' * 2000}</body></message>"
    with watch:
        taken, cut = pour(c, one * 20, 8)
    say(f"faults: a fast peer: {taken // 1024} KB taken in 8 s{', then cut off' if cut else ''}")
    c.drop()
    watch.check()


# ---- LMDB shared with a process that dies or stands still

def hold(suite, what, environment):
    owner = os.stat(suite.dir / "data" / environment / "data.mdb")
    p = subprocess.Popen(["setpriv", "--reuid", str(owner.st_uid), "--regid", str(owner.st_gid), "--clear-groups", str(HOLD),
                          what, str(suite.dir / "data" / environment)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    return p


@pytest.mark.parametrize("environment", ["archive", "accounts", "rooms"])
def test_a_killed_reader_is_forgotten(suite, environment):
    p = hold(suite, "read", environment)
    assert p.stdout.readline() == "holding\n"

    def listed():
        return str(p.pid) in hold(suite, "readers", environment).communicate()[0].split()

    assert listed()
    p.kill()
    p.wait()
    begin = time.monotonic()
    wait_for(lambda: not listed(), "the dead reader to be forgotten", 5)
    say(f"faults: killed reader of {environment}: forgotten after {time.monotonic() - begin:.1f} s")


def test_a_stopped_writer(suite, watch):
    """Somebody holds the write lock of the archive and stands still: who needs it waits or is refused, within
    bounds; all else goes on; afterwards everything that was taken is there."""
    giver, sink = suite.client("giver", register=False), suite.client("sink", register=False)
    sink.settle(1)
    p = hold(suite, "write", "archive")
    assert p.stdout.readline() == "holding\n"
    os.kill(p.pid, signal.SIGSTOP)
    sent = []
    with watch:
        end = time.monotonic() + 10
        while time.monotonic() < end:
            sent.append(giver.message(sink.bare, f"stopped {len(sent)} " + "x" * 500))
            time.sleep(0.02)
    os.kill(p.pid, signal.SIGCONT)
    p.communicate("")
    refused = {e.get("id") for e in giver.settle(3) if e is not None and e.get("type") == "error"}
    got = {e.get("id") for e in sink.settle(3) if e is not None}
    say(f"faults: stopped writer: {len(sent)} sent, {len(refused)} refused, {len(got & set(sent))} arrived")
    assert set(sent) == (got | refused) & set(sent), f"neither arrived nor refused: {sorted(set(sent) - got - refused)[:5]}"
    for c in (giver, sink):
        c.drop()
    watch.check()
