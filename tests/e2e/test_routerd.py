"""routerd alone, with raw sockets in the place of the other daemons (DESIGN.md 3)."""

import json
import os
import pwd
import re
import signal
import socket
import struct
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from harness import BUILD, ROOT, wait_for

HELLO, ROUTES, REFUSED, PAUSE, RESUME, ROUTE_BIND, ROUTE_UNBIND = 1, 2, 3, 4, 5, 6, 7
SYNC, STANZA, FANOUT, BOUNCE, VOID, AUTH_START, AUTH_DONE, BIND, SLOT_READY = 8, 10, 11, 12, 13, 20, 22, 30, 42
ROLE = {"c2sd": 1, "s2sd": 2, "sm": 4, "muc": 8, "routerd": 16}
MESSAGE, IQ = 1, 3
HEADER = struct.Struct("<IBBHBBBBIIIQQQQQQII6H")
VERSION = int(re.search(r"FRAME_VERSION (\d+)", (ROOT / "proto/frame_kinds.h").read_text()).group(1))
assert HEADER.size == 92


def key(name):
    h = 2166136261
    for c in name.encode():
        h = (h ^ c) * 16777619 & 0xFFFFFFFF
    return h or 1


def frame(kind, dest=None, life=0, body=b"", origin=("c2sd", 0, 0), parts=(b"",) * 6, generation=0, handle=0, sender=0,
          trace=1, name=0, type_=0, flags=0, number=0, list_=b""):
    role = ROLE[dest.split("-")[0]] if dest else 0
    tail = b"".join(parts) + list_ + body
    return HEADER.pack(HEADER.size - 4 + len(tail), VERSION, kind, flags, ROLE[origin[0]], role, name, type_, generation,
                       origin[1], key(dest) if dest else 0, origin[2], life, handle, sender, number, trace, 0,
                       len(list_), *map(len, parts)) + tail


def stanza(dest, from_, to=b"", body=b"<body/>", **more):
    return frame(STANZA, dest, body=body, parts=(from_, to, b"", b"", b"", b""), name=MESSAGE, type_=2, **more)


def sized(data):
    return struct.pack("<I", len(data)) + data


class Got:
    def __init__(self, data):
        (self.length, self.version, self.kind, self.flags, self.origin_role, self.dest_role, self.name, self.type,
         self.generation, self.origin, self.dest, self.origin_life, self.dest_life, self.handle, self.sender,
         self.number, self.trace, self.stanza_flags, list_len, *lens) = HEADER.unpack_from(data)
        at = HEADER.size
        self.parts = []
        for n in lens:
            self.parts.append(data[at:at + n])
            at += n
        self.body = data[at + list_len:]
        self.data = data


class Peer:
    """A daemon, as far as routerd can see."""

    def __init__(self, router, role):
        self.router, self.role = router, role
        self.buffer = b""
        self.sock = router.connect(role)
        self.sock.settimeout(10)

    def send(self, *frames):
        self.sock.sendall(b"".join(frames))

    def hello(self, name, life=None, role=None):
        self.name, self.life = name, life or int.from_bytes(os.urandom(7), "little") + 1
        self.send(frame(HELLO, body=sized(name.encode()), origin=(role or self.role, 0, self.life)))
        return self

    def read(self, *kinds):
        """The next frame, of these kinds if said; None: the link was closed."""
        while True:
            while len(self.buffer) < 4 or len(self.buffer) < 4 + struct.unpack_from("<I", self.buffer)[0]:
                try:
                    data = self.sock.recv(1 << 16)
                except ConnectionResetError:
                    return None
                if not data:
                    return None
                self.buffer += data
            n = 4 + struct.unpack_from("<I", self.buffer)[0]
            got, self.buffer = Got(self.buffer[:n]), self.buffer[n:]
            if not kinds or got.kind in kinds:
                return got

    def quiet(self, seconds=0.2):
        """No stanza or bounce arrives."""
        self.sock.settimeout(seconds)
        try:
            got = self.read(STANZA, FANOUT, BOUNCE)
            assert got is None, f"kind {got.kind} arrived"
            raise AssertionError("the link was closed")
        except socket.timeout:
            pass
        finally:
            self.sock.settimeout(10)

    def table(self, name, up=True):
        """Waits for a table in which that instance is up (or down)."""
        while True:
            got = self.read(ROUTES)
            assert got, "closed"
            if parse_table(got.body)[1].get(name, {}).get("up") == up:
                return got

    def close(self):
        self.sock.close()


def parse_table(body):
    generation, router, count = struct.unpack_from("<IQH", body)
    at, instances, domains = 14, {}, {}
    for _ in range(count):
        role, k, life, up, member, joins, n = struct.unpack_from("<BIQBBII", body, at)
        at += 23
        instances[body[at:at + n].decode()] = {"role": role, "key": k, "life": life, "up": bool(up), "member": member,
                                               "joins": joins}
        at += n
    (count,) = struct.unpack_from("<H", body, at)
    at += 2
    for _ in range(count):
        role, k, n = struct.unpack_from("<BII", body, at)
        at += 9
        domains[body[at:at + n].decode()] = (role, k)
        at += n
    assert at == len(body)
    return generation, instances, domains


CONFIG = """
domain "example.org" {{ }}
component "icq.example.org" {{ secret_file = "{dir}/secret" }}
dir {{ run = "{dir}/run" data = "{dir}/data" certs = "{dir}/certs" }}
instances {{ sm = 2 muc = 1 c2sd = 2 s2sd = 2 }}
limits {{ router_queue_bytes = 262144 }}
admin_group = "nogroup"
"""


class Router:
    """build/zubr-routerd as an ordinary user; as root we are that user while we connect."""

    def __init__(self):
        self.user = pwd.getpwnam("nobody") if os.getuid() == 0 else pwd.getpwuid(os.getuid())
        self.dir = Path(tempfile.mkdtemp(prefix="zubr-routerd-"))
        (self.dir / "secret").write_text("secret\n")
        (self.dir / "zubr.conf").write_text(CONFIG.format(dir=self.dir))
        os.chmod(self.dir, 0o755)
        if os.getuid() == 0:
            os.chown(self.dir, self.user.pw_uid, self.user.pw_gid)
        self.log = self.dir / "log"
        self.process = None

    def start(self):
        binary = self.binary()
        extra = {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []} if os.getuid() == 0 else {}
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([binary, "--config", str(self.dir / "zubr.conf"), "--set",
                                             "log=debug"], stderr=log, stdout=log, cwd=self.dir, **extra)
        deadline = time.monotonic() + 15
        while not self.answers():
            assert self.process.poll() is None and time.monotonic() < deadline, self.text()
            time.sleep(0.01)
        return self

    def answers(self):
        with socket.socket(socket.AF_UNIX) as s:
            return s.connect_ex(str(self.dir / "run/ctl/routerd.sock")) == 0

    def binary(self):
        """A clone below /root cannot be reached by another user: then a copy is."""
        for built in (ROOT / BUILD / "routerd" / "zubr-routerd", ROOT / BUILD / "zubr-routerd"):
            if built.exists():
                copy = self.dir / "zubr-routerd"
                copy.write_bytes(built.read_bytes()) if not copy.exists() else None
                copy.chmod(0o755)
                return str(copy)
        raise AssertionError("zubr-routerd is not built")

    def text(self):
        return self.log.read_text(errors="replace")

    def connect(self, role, as_user=True):
        s = socket.socket(socket.AF_UNIX)
        path = str(self.dir / "run" / "router" / f"{role}.sock")
        euid = os.geteuid()
        if as_user and euid == 0:
            os.seteuid(self.user.pw_uid)
        try:
            s.connect(path)
        finally:
            if os.geteuid() != euid:
                os.seteuid(euid)
        return s

    def peer(self, name):
        p = Peer(self, name.split("-")[0]).hello(name)
        p.first = p.read()
        assert p.first.kind == ROUTES
        return p

    def ctl(self, verb):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(10)
        s.connect(str(self.dir / "run" / "ctl" / "routerd.sock"))
        s.sendall(f"--json {verb}\n".encode())
        data = b""
        while not data.endswith(b"ok\n") and b"\nerror" not in b"\n" + data:
            data += s.recv(65536)
        return [json.loads(line) for line in data.decode().splitlines() if line.startswith("{")]

    def kill(self):
        self.process.kill()
        self.process.wait(10)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(10) == 0, self.text()
        assert "Sanitizer" not in self.text() and "runtime error" not in self.text(), self.text()


@pytest.fixture(name="router")
def _router():
    router = Router().start()
    yield router
    if router.process.poll() is None:
        router.stop()
    subprocess.run(["rm", "-rf", str(router.dir)], check=True)


def test_hello_is_answered_by_the_table(router):
    sm = router.peer("sm-1")
    generation, instances, domains = parse_table(sm.first.body)
    assert generation > 100_000_000
    assert list(instances) == ["sm-1", "sm-2", "muc-1", "c2sd-1", "c2sd-2", "s2sd-1", "s2sd-2"]
    assert instances["sm-1"] == {"role": 4, "key": key("sm-1"), "life": sm.life, "up": True, "member": 3, "joins": 1}
    assert not instances["sm-2"]["up"]
    assert domains == {"example.org": (4, 0), "muc.example.org": (8, 0)}
    router.peer("c2sd-1")
    sm.table("c2sd-1")
    peers = {p["name"]: p for p in router.ctl("peers")}
    assert peers["sm-1"]["state"] == "up" and peers["sm-2"]["state"] == "down"
    assert {r["domain"]: r["role"] for r in router.ctl("routes")} == {"example.org": "sm", "muc.example.org": "muc"}
    assert sum(r["slots"] for r in router.ctl("slots") if r["role"] == "sm") == 4096


@pytest.mark.parametrize("role, name, claim", [
    ("c2sd", "sm-1", "sm"), ("c2sd", "sm-1", "c2sd"), ("c2sd", "c2sd-1", "sm"), ("c2sd", "c2sd-9", "c2sd"),
    ("sm", "routerd", "routerd"), ("muc", "", "muc"), ("muc", "muc-1\0", "muc"), ("s2sd", "s" * 200, "s2sd")])
def test_a_wrong_name_or_role_is_refused(router, role, name, claim):
    p = Peer(router, role).hello(name, role=claim)
    assert p.read().kind == REFUSED and p.read() is None
    assert "peer_refused" in router.text()


def test_an_incarnation_of_zero_is_refused(router):
    p = Peer(router, "sm")
    p.send(frame(HELLO, body=sized(b"sm-1"), origin=("sm", 0, 0)))
    assert p.read().kind == REFUSED


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else")
def test_a_wrong_user_is_refused(router):
    p = Peer.__new__(Peer)
    p.buffer, p.sock = b"", router.connect("sm", as_user=False)
    p.sock.settimeout(10)
    assert p.read() is None
    assert "wrong user" in router.text()


def test_a_second_link_of_one_name_is_refused_and_the_first_lives(router):
    first = router.peer("sm-1")
    second = Peer(router, "sm").hello("sm-1")
    got = second.read()
    assert got.kind == REFUSED and b"already" in got.body and second.read() is None
    c2sd = router.peer("c2sd-1")
    c2sd.send(stanza("sm-1", b"a@example.org/x"))
    assert first.read(STANZA)
    first.close()
    c2sd.table("sm-1", up=False)
    assert router.peer("sm-1")


def test_junk_closes_the_link_and_nothing_else(router):
    sm = router.peer("sm-1")
    c2sd = router.peer("c2sd-1")
    for junk in (b"\xff" * 300, os.urandom(3000), b"\0\0\0\0" * 30, b"GET / HTTP/1.0\r\n\r\n" * 20,
                 stanza("sm-1", b"a@example.org/x"), frame(HELLO), frame(HELLO, body=b"\xff\xff\xff\xff"),
                 frame(HELLO, body=sized(b"c2sd-2") + b"x", origin=("c2sd", 0, 1))):
        p = Peer(router, "c2sd")
        p.send(junk)
        p.sock.shutdown(socket.SHUT_WR)
        assert p.read() is None or p.read() is None
    for cut in range(1, 98):
        p = Peer(router, "c2sd")
        p.send(frame(HELLO, body=sized(b"c2sd-2"), origin=("c2sd", 0, 1))[:cut])
        p.close()
    c2sd.send(stanza("sm-1", b"a@example.org/x", body=b"still here"))
    assert sm.read(STANZA).body == b"still here"
    assert not any(p["name"] == "c2sd-2" and p["state"] != "down" for p in router.ctl("peers"))


def test_a_frame_over_16_mb_closes_the_link(router):
    c2sd = router.peer("c2sd-1")
    c2sd.send(struct.pack("<I", 16 * 1024 * 1024 + 1) + b"\1\x0a" + bytes(200))
    assert c2sd.read() is None


def test_frame_bombs(router):
    """A million bytes of the smallest frames, and one frame in single bytes."""
    sm, c2sd = router.peer("sm-1"), router.peer("c2sd-1")
    small = stanza("sm-1", b"", body=b"")
    total = 10000
    router_reads = small * total
    c2sd.sock.setblocking(False)
    sent, got = 0, 0
    deadline = time.monotonic() + 30
    while got < total and time.monotonic() < deadline:
        try:
            sent += c2sd.sock.send(router_reads[sent:sent + 65536])
        except BlockingIOError:
            pass
        sm.sock.settimeout(0.05)
        try:
            while sm.read(STANZA):
                got += 1
        except socket.timeout:
            pass
    assert got == total
    c2sd.sock.setblocking(True)
    sm.sock.settimeout(10)
    for byte in stanza("sm-1", b"a@example.org/x", body=b"slow"):
        c2sd.send(bytes([byte]))
    assert sm.read(STANZA).body == b"slow"


def test_a_forbidden_kind_closes_the_link(router):
    for kind in (ROUTES, REFUSED, PAUSE, AUTH_DONE, ROUTE_BIND, HELLO):
        c2sd = router.peer("c2sd-1")
        c2sd.send(frame(kind, "sm-1"))
        got = c2sd.read(REFUSED)
        assert got and c2sd.read() is None


def test_the_origin_is_stamped_whatever_the_sender_says(router):
    sm, c2sd = router.peer("sm-1"), router.peer("c2sd-1")
    c2sd.send(stanza("sm-1", b"a@example.org/x", b"b@example.org", origin=("sm", key("sm-2"), 77), handle=5, sender=6,
                     trace=7, number=8))
    got = sm.read(STANZA)
    assert (got.origin_role, got.origin, got.origin_life) == (ROLE["c2sd"], key("c2sd-1"), c2sd.life)
    assert (got.handle, got.sender, got.trace, got.number) == (5, 6, 7, 8)
    assert got.parts[:2] == [b"a@example.org/x", b"b@example.org"] and got.body == b"<body/>"


FROM = [
    ("c2sd-1", "sm-1", b"a@example.org/x", True), ("c2sd-1", "sm-1", b"", True),
    ("c2sd-1", "sm-1", b"a@montague.net", False), ("c2sd-1", "sm-1", b"room@muc.example.org", False),
    ("s2sd-1", "sm-1", b"a@montague.net/x", True), ("s2sd-1", "sm-1", b"montague.net", True),
    ("s2sd-1", "sm-1", b"a@example.org", False), ("s2sd-1", "sm-1", b"example.org", False),
    ("s2sd-1", "sm-1", b"r@muc.example.org/n", False), ("s2sd-1", "sm-1", b"", False),
    ("s2sd-1", "sm-1", b"1@icq.example.org", False),
    ("sm-1", "s2sd-1", b"a@example.org/x", True), ("sm-1", "s2sd-1", b"a@montague.net", False),
    ("sm-1", "c2sd-1", b"a@montague.net", True), ("sm-1", "muc-1", b"r@muc.example.org", False),
    ("muc-1", "sm-1", b"r@muc.example.org/n", True), ("muc-1", "sm-1", b"a@example.org", False),
    ("muc-1", "sm-1", b"", False),
]


@pytest.mark.parametrize("sender, dest, from_, passes", FROM)
def test_nobody_speaks_for_another_domain(router, sender, dest, from_, passes):
    a, b = router.peer(sender), router.peer(dest)
    a.send(stanza(dest, from_, body=b"first"), stanza(dest, {"c2sd-1": b"a@example.org", "s2sd-1": b"x.net",
           "sm-1": b"a@example.org", "muc-1": b"muc.example.org"}[sender], body=b"second"))
    assert b.read(STANZA).body == (b"first" if passes else b"second")
    assert ("may not speak for that domain" in router.text()) != passes


def test_what_nobody_can_take_is_dropped_and_counted(router):
    """Its sender keeps it, and learns by the table when to send it again."""
    c2sd, s2sd = router.peer("c2sd-1"), router.peer("s2sd-1")
    c2sd.send(stanza("sm-1", b"a@example.org/x", b"b@example.org", number=1),       # not there yet
              stanza("sm-77", b"a@example.org/x", number=1),                        # not recorded
              stanza("s2sd-1", b"a@example.org/x", life=12345, number=1),           # another life than this
              frame(BOUNCE, "sm-1", body=struct.pack("<i", -1)))
    c2sd.quiet()
    s2sd.quiet()
    assert {r["name"]: r["value"] for r in router.ctl("stats")}["frames_dropped"] == 4
    sm = router.peer("sm-1")
    c2sd.table("sm-1")
    c2sd.send(frame(SYNC, "sm-1", body=struct.pack("<QQ", 1, 0)),
              stanza("sm-1", b"a@example.org/x", b"b@example.org", number=1))
    sync, got = sm.read(SYNC, STANZA), sm.read(SYNC, STANZA)
    assert sync.kind == SYNC and sync.origin_life == c2sd.life and sync.body == struct.pack("<QQ", 1, 0)
    assert got.number == 1


def test_each_join_counts(router):
    c2sd = router.peer("c2sd-1")
    for joins in (1, 2, 3):
        sm = router.peer("sm-1")
        assert parse_table(c2sd.table("sm-1").body)[1]["sm-1"]["joins"] == joins
        sm.close()
        c2sd.table("sm-1", up=False)


def test_a_void_takes_the_place_of_what_is_refused(router):
    sm, c2sd = router.peer("sm-1"), router.peer("c2sd-1")
    bad = bytearray(stanza("sm-1", b"a@example.org/x", number=2))
    bad[9] = ROLE["muc"]
    c2sd.send(stanza("sm-1", b"a@montague.net/x", number=1, body=b"forged", trace=5), bytes(bad),
              stanza("sm-1", b"a@example.org/x", number=3), stanza("sm-1", b"a@montague.net/x"))
    for number in (1, 2):
        got = sm.read(VOID, STANZA)
        assert (got.kind, got.number, got.body, got.origin_life) == (VOID, number, b"", c2sd.life)
        assert (got.origin, got.dest, got.dest_role) == (key("c2sd-1"), key("sm-1"), ROLE["sm"])
    assert sm.read(VOID, STANZA).number == 3
    sm.quiet()
    assert router.text().count("frame_refused") == 3


def test_an_old_generation_passes(router):
    """Whether the slot is its own is judged by the receiver."""
    sm, c2sd = router.peer("sm-1"), router.peer("c2sd-1")
    c2sd.send(stanza("sm-1", b"a@example.org/x", b"b@example.org", generation=1))
    assert sm.read(STANZA).generation == 1


def test_a_peer_that_does_not_read_is_paused_for_and_nobody_else_suffers(router):
    sm1, sm2, c2sd = router.peer("sm-1"), router.peer("sm-2"), router.peer("c2sd-1")
    big = stanza("sm-1", b"a@example.org/x", body=b"x" * 10000)
    got, sent = None, 0
    c2sd.sock.settimeout(0.02)
    while got is None and sent < 200:
        c2sd.send(big)
        sent += 1
        try:
            got = c2sd.read(PAUSE)
        except socket.timeout:
            pass
    assert got and struct.unpack("<I", got.body) == (key("sm-1"),)
    c2sd.sock.settimeout(10)
    late = router.peer("c2sd-2")
    assert struct.unpack("<I", late.read(PAUSE).body) == (key("sm-1"),)
    c2sd.send(stanza("sm-2", b"a@example.org/x", body=b"free"))
    assert sm2.read(STANZA).body == b"free"
    for _ in range(40):
        c2sd.send(big)
        sent += 1
    c2sd.send(frame(BIND, "sm-1", body=b"the last"))
    read = 0
    while sm1.read(STANZA, BIND).kind == STANZA:
        read += 1
    assert read == sent                       # nothing is shed
    assert struct.unpack("<I", c2sd.read(RESUME).body) == (key("sm-1"),)
    assert router.ctl("peers")[0]["state"] == "up"


def test_who_waited_for_a_peer_that_dies_may_go_on(router):
    sm1, c2sd = router.peer("sm-1"), router.peer("c2sd-1")
    big = stanza("sm-1", b"a@example.org/x", body=b"x" * 20000)
    for _ in range(40):
        c2sd.send(big)
    assert c2sd.read(PAUSE)
    sm1.close()
    assert struct.unpack("<I", c2sd.read(RESUME).body) == (key("sm-1"),)
    c2sd.table("sm-1", up=False)


def test_who_does_not_pause_is_refused(router):
    sm1, c2sd = router.peer("sm-1"), router.peer("c2sd-1")
    big = stanza("sm-1", b"a@example.org/x", body=b"x" * 60000)
    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        for _ in range(200):                  # 12 MB; 8 * 256 KB may wait for sm-1
            c2sd.send(big)
    assert "does not pause" in router.text()
    assert sm1.read(STANZA)
    assert router.peer("c2sd-1")


def test_components_are_bound_by_the_s2sd_that_holds_them(router):
    one, two, sm = router.peer("s2sd-1"), router.peer("s2sd-2"), router.peer("sm-1")
    one.send(frame(ROUTE_BIND, body=sized(b"icq.example.org")))
    while parse_table(sm.read(ROUTES).body)[2].get("icq.example.org") != (2, key("s2sd-1")):
        pass
    two.send(frame(ROUTE_BIND, body=sized(b"icq.example.org")), frame(ROUTE_BIND, body=sized(b"evil.example.org")),
             frame(ROUTE_BIND, body=sized(b"example.org")), stanza("sm-1", b"1@icq.example.org", body=b"forged"))
    one.send(stanza("sm-1", b"1@icq.example.org", body=b"mine"))
    assert sm.read(STANZA).body == b"mine"
    assert {r["domain"]: r["instance"] for r in router.ctl("routes")} == {
        "example.org": "by-slot", "muc.example.org": "by-slot", "icq.example.org": "s2sd-1"}
    assert router.text().count("route_refused") == 3
    one.close()
    while "icq.example.org" in parse_table(sm.read(ROUTES).body)[2]:
        pass
    two.send(frame(ROUTE_BIND, body=sized(b"icq.example.org")))
    while parse_table(sm.read(ROUTES).body)[2].get("icq.example.org") != (2, key("s2sd-2")):
        pass
    two.send(frame(ROUTE_UNBIND, body=sized(b"icq.example.org")))
    while "icq.example.org" in parse_table(sm.read(ROUTES).body)[2]:
        pass


def test_killed_and_started_again_it_takes_everybody_back(router):
    sm = router.peer("sm-1")
    before = parse_table(sm.first.body)[0]
    router.kill()
    assert sm.read() is None or sm.read() is None
    time.sleep(1.1)
    (router.dir / "run/ctl/routerd.sock").unlink()
    router.start()
    sm, c2sd = router.peer("sm-1"), router.peer("c2sd-1")
    assert parse_table(sm.first.body)[0] == before         # the members are the same
    c2sd.send(stanza("sm-1", b"a@example.org/x", body=b"again"))
    assert sm.read(STANZA).body == b"again"


def test_a_second_routerd_leaves_the_first_alone(router):
    extra = {"user": router.user.pw_uid, "group": router.user.pw_gid, "extra_groups": []} if os.getuid() == 0 else {}
    done = subprocess.run([router.binary(), "--config", str(router.dir / "zubr.conf")], capture_output=True, text=True,
                          timeout=20, cwd=router.dir, **extra)
    assert done.returncode == 1 and "socket_taken" in done.stderr
    assert router.peer("sm-1")


def slot_ready(generation, released=False):
    return frame(SLOT_READY, origin=("sm", 0, 0), body=struct.pack("<IB", generation, released))


def members(table):
    return {name: it["member"] for name, it in table[1].items() if name.startswith(("sm-", "muc-"))}


def slots(router):
    return {row["instance"]: (int(row["slots"]), row["state"]) for row in router.ctl("slots")}


def table_of(peer, generation, condition=lambda table: True):
    """The first table that satisfies it."""
    while True:
        table = parse_table(peer.read(ROUTES).body)
        if table[0] == generation and condition(table):
            return table


def member_is(bits):
    return lambda table: members(table)["sm-2"] == bits


def test_an_instance_that_the_configuration_adds_owns_nothing_before_it_joins(router):
    sm = router.peer("sm-1")
    generation = parse_table(sm.first.body)[0]
    conf = router.dir / "zubr.conf"
    conf.write_text(conf.read_text().replace('domain "example.org"', 'domain "second.org" { }\ndomain "example.org"'))
    assert router.ctl("reload")
    table = parse_table(sm.read(ROUTES).body)
    assert table[0] == generation and "second.org" in table[2]
    conf.write_text(conf.read_text().replace("sm = 2", "sm = 3"))
    router.ctl("reload")
    table = parse_table(sm.read(ROUTES).body)
    assert table[0] == generation and members(table) == {"sm-1": 3, "sm-2": 3, "sm-3": 0, "muc-1": 3}
    conf.write_text("nonsense")
    router.ctl("reload")
    assert parse_table(router.peer("sm-3").first.body)[0] == generation


def test_members_join_when_all_are_ready(router):
    sm1, sm2 = router.peer("sm-1"), router.peer("sm-2")
    generation = parse_table(sm2.first.body)[0]
    sm1.table("sm-2")
    router.ctl("leave sm-2")
    for sm in (sm1, sm2):
        table = parse_table(sm.read(ROUTES).body)
        assert table[0] == generation + 1 and members(table)["sm-2"] == 2
    sm2.send(slot_ready(generation + 1))              # it is no member any more: not asked
    router.ctl("join sm-2")                           # one change at a time
    router.ctl("leave sm-1")                          # and one must stay
    sm1.send(slot_ready(generation))                  # of another change
    assert slots(router) == {"sm-1": (4096, "member"), "sm-2": (0, "leaving"), "muc-1": (4096, "member")}
    sm1.send(slot_ready(generation + 1))
    table = parse_table(sm1.read(ROUTES).body)
    assert table[0] == generation + 1 and members(table)["sm-2"] == 0
    sm1.send(slot_ready(generation + 1, True))
    sm2.send(slot_ready(generation + 1, True))
    wait_for(lambda: slots(router)["sm-2"] == (0, "out"), "the change is over")
    router.ctl("join sm-2")
    table = table_of(sm1, generation + 2)
    assert members(table)["sm-2"] == 1


def test_members_let_go_of_what_they_hold_before_anybody_else(router):
    sm1, sm2, c2sd = router.peer("sm-1"), router.peer("sm-2"), router.peer("c2sd-1")
    generation = parse_table(c2sd.first.body)[0] + 1
    router.ctl("leave sm-2")
    table_of(c2sd, generation, member_is(2))
    sm1.send(slot_ready(generation))
    table_of(sm1, generation, member_is(0))
    table_of(sm2, generation, member_is(0))
    late, room = router.peer("c2sd-2"), router.peer("muc-1")       # for everybody else it is under way
    for peer in (late, room):
        table = parse_table(peer.first.body)
        assert table[0] == generation and members(table)["sm-2"] == 2
    assert slots(router)["sm-2"] == (0, "leaving")
    sm1.send(slot_ready(generation, True))
    sm1.close()                                                    # it has to come back
    table_of(c2sd, generation, lambda table: not table[1]["sm-1"]["up"])
    sm2.send(slot_ready(generation, True))
    router.ctl("leave sm-2")                                       # refused: a change is under way
    sm1 = router.peer("sm-1")
    assert members(parse_table(sm1.first.body))["sm-2"] == 0
    assert slots(router)["sm-2"] == (0, "leaving")
    sm1.send(slot_ready(generation, True))
    table_of(c2sd, generation, member_is(0))
    table_of(room, generation, member_is(0))
    assert slots(router)["sm-2"] == (0, "out")


def test_one_that_has_left_and_is_gone_is_not_waited_for(router):
    sm1, sm2 = router.peer("sm-1"), router.peer("sm-2")
    generation = parse_table(sm2.first.body)[0] + 1
    router.ctl("leave sm-2")
    sm1.send(slot_ready(generation, True))
    table_of(sm2, generation, member_is(0))
    assert slots(router)["sm-2"] == (0, "leaving")
    sm2.close()
    wait_for(lambda: slots(router)["sm-2"] == (0, "out"), "the change is over")


def test_members_are_remembered_by_the_next_routerd(router):
    sm1, sm2 = router.peer("sm-1"), router.peer("sm-2")
    generation = parse_table(sm2.first.body)[0]
    router.ctl("leave sm-2")
    router.kill()
    sm1.close(), sm2.close()
    router.start()
    assert slots(router)["sm-2"] == (0, "leaving")
    sm1 = router.peer("sm-1")
    assert parse_table(sm1.first.body)[0] == generation + 1
    sm1.send(slot_ready(generation + 1, True))
    table_of(sm1, generation + 1, member_is(0))


def test_one_that_is_down_is_evicted_and_not_waited_for(router):
    sm1 = router.peer("sm-1")
    generation = parse_table(sm1.first.body)[0]
    router.ctl("evict sm-1")                          # it is up
    router.ctl("evict sm-2")
    table = parse_table(sm1.read(ROUTES).body)
    assert table[0] == generation + 1 and members(table) == {"sm-1": 3, "sm-2": 0, "muc-1": 3}
    router.ctl("evict sm-1")
    assert slots(router)["sm-1"] == (4096, "member")


def test_connections_without_hello_are_limited(router):
    silent = [Peer(router, "c2sd") for _ in range(70)]
    assert silent[-1].read() is None
    for p in silent:
        p.close()
    time.sleep(0.2)
    assert router.peer("c2sd-1")
