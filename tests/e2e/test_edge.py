"""c2sd before an sm that does what the test tells it: announcements, another owner, back-pressure, an sm away."""

import struct
import time

import pytest

from fake_sm import ANNOUNCE, AUTH_STEP, BOUND, MOVED, SECRET, SESSION_END, FakeSm
from harness import NS, Client, wait_for
from test_routerd import AUTH_START, BIND, BOUNCE, IQ, MESSAGE, STANZA

OPTIONS = ["--instances", "sm=2", "--set", "limits.byte_rate=0", "--set", "limits.stanza_rate=0"]
MAX = 65536


@pytest.fixture(scope="module")
def fakes(suite):
    suite.ctl("stop", "sm-1")
    suite.ctl("stop", "sm-2")
    wait_for(lambda: all(r["state"] == "down" for r in suite.ctl_json("status", check=False) if r["name"] in ("sm-1", "sm-2")),
             "the end of the real ones")
    both = [FakeSm(suite, name).connect() for name in ("sm-1", "sm-2")]
    yield both
    for sm in both:
        sm.leave()


@pytest.fixture
def sms(fakes):
    for sm in fakes:
        sm.frames.clear()
        sm.confirms, sm.unanswered = True, set()
    return fakes


def owner_of(sms, before=0):
    """Who of the two got the last BIND."""
    return max(sms, key=lambda sm: (len(sm.of(BIND)), sm.name))


def login(server):
    c = server.stream().starttls()
    c.open().features()
    c.auth_plain("user", "secret")
    c.open().features()
    c.bind()
    return c


def announced(got):
    """(first, last, {connection: (session, secret)})"""
    at, found = 2, {}
    while at < len(got.body):
        conn, session = struct.unpack_from("<QQ", got.body, at)
        at += 16 + (16 if session else 0)
        found[conn] = (session, got.body[at - 16:at] if session else b"")
    return got.body[0], got.body[1], found


def announced_after_return(sm):
    """What it was told at its first coming lies in the same channel, and before whatever came since."""
    before = len(sm.of(ANNOUNCE))
    sm.leave()
    sm.connect()
    return announced(sm.expect(ANNOUNCE, before + 1)[-1])


def test_connections_are_announced_to_an_sm_that_comes_back(server, sms):
    clients = [login(server) for _ in range(3)]
    sm = owner_of(sms)
    other = sms[1 - sms.index(sm)]
    conns = {f.sender: handle for handle, f in sm.sessions.items() if f in sm.of(BIND)}
    clients[2].drop()
    gone = sm.expect(SESSION_END)[0].sender
    first, last, found = announced_after_return(sm)
    assert (first, last) == (1, 1)
    assert found == {conn: (handle, SECRET) for conn, handle in conns.items() if conn != gone}
    assert announced_after_return(other) == (1, 1, {})
    for c in clients[:2]:                       # and they have noticed nothing
        c.message("x@elsewhere.example", "still here")
    assert len(sm.expect(STANZA, 2)) == 2
    for c in clients[:2]:
        c.drop()


def test_a_stream_that_waits_for_its_session_is_announced_without_one(server, sms):
    for sm in sms:
        sm.unanswered = {BIND}
    c = server.stream().starttls()
    c.open().features()
    c.auth_plain("user", "secret")
    c.open().features()
    c.write(f"<iq type='set' id='b'><bind xmlns='{NS['bind']}'/></iq>")
    wait_for(lambda: owner_of(sms).of(BIND), "BIND")
    sm = owner_of(sms)
    asked = sm.of(BIND)[0]
    assert announced_after_return(sm)[2] == {asked.sender: (0, b"")}
    sm.bound(asked)
    assert c.expect("iq").get("type") == "result"
    c.drop()


def test_a_session_moves_with_its_secret_only(server, sms):
    server.expect_warning("frame_refused")
    c = login(server)
    old = owner_of(sms)
    new = sms[1 - sms.index(old)]
    bind = old.of(BIND)[-1]
    new.reply(bind, MOVED, b"x" * 16, sender=77)
    new.reply(bind, MOVED, SECRET[:-1], sender=77)
    wait_for(lambda: sum("kind=MOVED" in line for line in server.lines) == 2, "two refusals")
    c.message("x@elsewhere.example", "to the old one")
    assert old.expect(STANZA)
    new.reply(bind, MOVED, SECRET, sender=78)
    wait_for(lambda: server.log_has("session_moved"), "the move")
    c.message("x@elsewhere.example", "to the new one")
    got = new.expect(STANZA)[0]
    assert got.handle == 78 and got.dest_life == new.life and b"to the new one" in got.body
    old.reply(bind, STANZA, b"<body>from the old</body>", name=MESSAGE, type_=2)
    new.reply(bind, STANZA, b"<body>from the new</body>", name=MESSAGE, type_=2)
    c.expect_body("from the new")
    c.drop()
    assert new.expect(SESSION_END)[0].handle == 78
    assert old.expect(BOUNCE)


def written(sm):
    return sum(len(f.data) for f in sm.of(STANZA))


def test_a_client_whose_stanzas_are_not_confirmed_is_not_read(server, sms):
    c, bystander = login(server), login(server)
    sm = owner_of(sms)
    sm.confirms = False
    c.sock.setblocking(False)
    line = f"<message to='x@elsewhere.example'><body>{'y' * 4000}</body></message>".encode()
    rest, total = b"", 0
    deadline = time.monotonic() + 20
    blocked = 0
    while blocked < 30 and time.monotonic() < deadline:      # until nothing has been taken for a while
        rest = rest or line
        try:
            n = c.sock.send(rest)
            rest, total, blocked = rest[n:], total + n, 0
        except OSError:
            blocked += 1
            time.sleep(0.02)
    assert blocked >= 30, f"{total} bytes were taken"
    kept = written(sm)
    assert MAX <= kept < MAX + 2 * 65536 + 10000        # the limit and what one read brings
    bystander.message("x@elsewhere.example", "not held up")
    wait_for(lambda: any(b"not held up" in f.body for f in sm.of(STANZA)), "the bystander's message")
    sm.confirms = True
    sm.confirm()
    wait_for(lambda: written(sm) > kept + 4000, "more from the client")
    c.drop(), bystander.drop()
    sm.expect(SESSION_END, 2)


def test_what_the_channel_gives_back_counts_no_more(server, sms):
    """An IQ that an sm which is away too long never gets comes back as an error, once."""
    c = login(server)
    sm = owner_of(sms)
    sm.leave()
    wait_for(lambda: not sms[1 - sms.index(sm)].instances[sm.name]["up"], "the table without it")
    try:
        for i in range(20):
            c.write(f"<iq type='get' id='q{i}' to='x@elsewhere.example'><q xmlns='urn:x'>{'z' * 3000}</q></iq>")
        answers = [c.expect("iq", timeout=30) for _ in range(20)]
        assert {c.error_of(a) for a in answers} == {"remote-server-timeout"}
        assert sorted(a.get("id") for a in answers) == sorted(f"q{i}" for i in range(20))
    finally:
        sm.connect()
    for i in range(30):                         # twice as much as would stop it if it still counted
        c.message("x@elsewhere.example", "m" * 3000)
    wait_for(lambda: len([f for f in sm.of(STANZA) if f.name == MESSAGE]) == 30, "30 messages")
    assert not [f for f in sm.of(STANZA) if f.name == IQ]
    c.expect_none("iq")
    c.drop()


def begin_login(server):
    c = server.stream().starttls()
    c.open().features()
    c.write(f"<auth xmlns='{NS['sasl']}' mechanism='PLAIN'>AHVzZXIAc2VjcmV0</auth>")
    return c


def test_a_login_begins_again_at_another_sm(server, sms):
    for sm in sms:
        sm.unanswered = {AUTH_START}
    c = begin_login(server)
    wait_for(lambda: any(sm.of(AUTH_START) for sm in sms), "AUTH_START")
    asked = next(sm for sm in sms if sm.of(AUTH_START))
    other = sms[1 - sms.index(asked)]
    other.unanswered = set()
    asked.leave()
    assert c.next().tag == f"{{{NS['sasl']}}}success"
    start, again = asked.of(AUTH_START)[0], other.of(AUTH_START)[0]
    assert start.body == again.body and start.trace != again.trace
    asked.connect()
    asked._answer(start)                        # too late: the answer of the other one stands
    c.open().features()
    assert c.bind()
    c.drop()


def test_a_login_fails_at_once_when_no_sm_is_left(server, sms):
    server.expect_warning("auth_unanswered")
    for sm in sms:
        sm.unanswered = {AUTH_START}
    c = begin_login(server)
    wait_for(lambda: any(sm.of(AUTH_START) for sm in sms), "AUTH_START")
    thinking = server.stream().starttls()
    thinking.open().features()
    for sm in sms:
        sm.leave()
    e = c.next(10)
    assert e.tag == f"{{{NS['sasl']}}}failure" and e[0].tag == f"{{{NS['sasl']}}}temporary-auth-failure"
    for sm in sms:
        sm.connect()
        sm.unanswered = set()
    assert c.auth_plain("user", "secret").tag == f"{{{NS['sasl']}}}success"
    c.drop(), thinking.drop()


def test_an_exchange_that_its_sm_has_forgotten_fails_with_the_next_response(server, sms):
    server.expect_warning("auth_unanswered")
    for sm in sms:
        sm.unanswered = {AUTH_START}
    c = begin_login(server)
    wait_for(lambda: any(sm.of(AUTH_START) for sm in sms), "AUTH_START")
    sm = next(sm for sm in sms if sm.of(AUTH_START))
    sm.challenge(sm.of(AUTH_START)[0], b"challenge", sender=5)
    assert c.next().tag == f"{{{NS['sasl']}}}challenge"
    sm.leave()
    wait_for(lambda: not sms[1 - sms.index(sm)].instances[sm.name]["up"], "the table without it")
    c.write(f"<response xmlns='{NS['sasl']}'>eA==</response>")
    e = c.next(10)
    assert e.tag == f"{{{NS['sasl']}}}failure" and e[0].tag == f"{{{NS['sasl']}}}temporary-auth-failure"
    sm.connect()
    c.drop()
