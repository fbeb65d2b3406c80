"""A real Prosody as the remote server: both directions of messages, presence and rooms; servers that
cannot be reached; junk on the server port."""

import os
import signal
import socket
import time
import xml.etree.ElementTree as ET

import pytest

from federation import needs_prosody, peer, server, two_servers  # noqa: F401, fixtures of `world`
from harness import NS, Client, free_port, wait_for
from test_archive import Page, own_id
from test_rooms import enter

pytestmark = needs_prosody
OURS, THEIRS = "zubr.example", "peer.example"


@pytest.fixture(scope="module")
def world():
    """(our suite, their Prosody) that find each other by DNS."""
    dead = free_port()
    with two_servers(OURS, THEIRS, "--set", "limits.s2s_queue_seconds=5", parts=("rooms",),
                     hosts={"dead.example": "127.0.0.1"},
                     services={"dead.example": ("dead.example", dead), "loop.example": None}) as pair:
        yield pair


def test_remote_messages_are_archived(server, peer):
    a, j = server.client("archivist"), peer.client("julia")
    a.message(j.bare, "out")
    out = j.expect_body("out")
    assert out.find("{urn:xmpp:sid:0}stanza-id[@by='%s']" % a.bare) is None      # not for others (XEP-0313 3.3.3)
    j.message(a.jid, "in", extra=f"<stanza-id xmlns='urn:xmpp:sid:0' by='{a.bare}' id='forged'/>")
    live = a.expect_body("in")
    page = Page(a, with_=j.bare)
    assert page.bodies() == ["out", "in"]
    assert own_id(live, a.bare) == page.ids[1]
    assert page.messages()[1].get("from") == j.jid


def test_messages_both_ways(server, peer):
    a, j = server.client("alice"), peer.client("juliet")
    a.message(j.bare, "hello over there &amp; back")
    m = j.expect_body("hello over there & back")
    assert m.get("from") == a.jid
    j.message(a.jid, "hello from there")
    assert a.expect_body("hello from there").get("from") == j.jid


def test_their_first_word_opens_the_way(server, peer):
    a, j = server.client("annie"), peer.client("romeo")
    j.message(a.bare, "first")
    a.expect_body("first")


def test_order_over_the_border(server, peer):
    a, j = server.client("alice"), peer.client("juliet")
    for i in range(200):
        a.message(j.bare, f"o{i}")
    got = [j.expect("message").findtext("client:body", None, NS) for _ in range(200)]
    assert got == [f"o{i}" for i in range(200)]


def test_presence_subscription_both_ways(server, peer):
    a, j = server.client("subscriber"), peer.client("publisher")
    a.befriend(j)
    a.write("<presence><show>away</show><status>lunch</status></presence>")
    p = j.expect("presence", lambda p: p.findtext("client:show", None, NS) == "away")
    assert p.get("from") == a.jid
    j.write("<presence><show>xa</show></presence>")
    a.expect("presence", lambda p: p.findtext("client:show", None, NS) == "xa" and p.get("from") == j.jid)
    a.close()
    j.expect("presence", lambda p: p.get("type") == "unavailable" and p.get("from") == a.jid)
    # Probes bring each other's presence at the next login.
    a = server.client("subscriber", register=False)
    a.expect("presence", lambda p: p.get("from") == j.jid)


def test_iq_both_ways(server, peer):
    a, j = server.client("alice"), peer.client("juliet")
    version = a.iq("get", "<query xmlns='jabber:iq:version'/>", to=THEIRS)
    assert version.findtext("{jabber:iq:version}query/{jabber:iq:version}name") == "Prosody"
    version = j.iq("get", "<query xmlns='jabber:iq:version'/>", to=OURS)
    assert version.findtext("{jabber:iq:version}query/{jabber:iq:version}name") == "Zubr"


def test_they_join_our_room(server, peer):
    a, j = server.client("alice"), peer.client("juliet")
    room = f"both@muc.{OURS}"
    enter(a, room, "A")
    others, _ = enter(j, room, "J", configure=False)
    assert [o.get("from") for o in others] == [f"{room}/A"]
    j.write(f"<message to='{room}' type='groupchat'><body>from afar</body></message>")
    for c in (a, j):
        assert c.expect_body("from afar").get("from") == f"{room}/J"
    j.close()
    a.expect("presence", lambda p: p.get("from") == f"{room}/J" and p.get("type") == "unavailable")


def test_they_stay_in_our_room_whoever_of_us_dies(server, peer):
    """muc, the sm of who speaks, and s2sd with all its streams: nobody leaves, nothing is lost or said twice."""
    for warning in ("daemon_restarted", "link_lost"):
        server.expect_warning(warning)
    a, j = server.client("alice", resource="stays"), peer.client("juliet")
    room = f"stays@muc.{OURS}"
    enter(a, room, "A")
    enter(j, room, "J", configure=False)
    a.expect("presence", lambda p: p.get("from") == f"{room}/J")
    heard = {"a": [], "j": []}

    def say(client, text):
        client.write(f"<message to='{room}' type='groupchat'><body>{text}</body></message>")
        for name, c in (("a", a), ("j", j)):
            while True:
                e = c.expect(None, lambda e: (e.get("from") or "").startswith(room), 40)
                assert e.get("type") not in ("unavailable", "error"), ET.tostring(e)
                heard[name].append(e.findtext("client:body", None, NS))
                if heard[name][-1] == text:
                    break

    say(a, "before")
    said = ["before"]
    for instance in ("muc-1", "s2sd-1", "muc-1"):
        pid = server.pid_of(instance)
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: any(r["name"] == instance and r["state"] == "running" and r["pid"] != pid
                             for r in server.ctl_json("status", check=False)), f"a new {instance}", 20)
        for client, text in ((a, f"ours after {instance}"), (j, f"theirs after {instance}")):
            say(client, text)
            said.append(text)
    for name in heard:
        assert [body for body in heard[name] if body] == said, name
    assert len(server.ctl_json("occupants", room)) == 2


def test_we_join_their_room(server, peer):
    a, j = server.client("alice"), peer.client("juliet")
    room = f"theirs@rooms.{THEIRS}"
    enter(j, room, "J", configure=False)
    others, _ = enter(a, room, "A", configure=False)
    assert [o.get("from") for o in others] == [f"{room}/J"]
    a.write(f"<message to='{room}' type='groupchat'><body>visiting</body></message>")
    for c in (a, j):
        assert c.expect_body("visiting").get("from") == f"{room}/A"
    a.drop()
    j.expect("presence", lambda p: p.get("from") == f"{room}/A" and p.get("type") == "unavailable")


@pytest.mark.parametrize("domain", ["nowhere.example", "dead.example", "loop.example"])
def test_servers_that_cannot_be_reached_are_said_to_the_sender(server, peer, domain):
    a = server.client("alice")
    e = a.iq("get", "<ping xmlns='urn:xmpp:ping'/>", to=domain, timeout=20)
    assert a.error_of(e) in ("remote-server-not-found", "remote-server-timeout")
    ident = a.message(f"x@{domain}", "anybody?")
    e = a.expect("message", lambda m: m.get("id") == ident and m.get("type") == "error", 20)
    assert a.error_of(e) in ("remote-server-not-found", "remote-server-timeout")


def test_streams_are_shown_to_the_operator(server, peer):
    a, j = server.client("alice"), peer.client("juliet")
    a.message(j.bare, "x")
    j.expect_body("x")
    rows = server.ctl_json("streams")
    assert any(THEIRS in str(row) for row in rows), rows


SERVER_HEADER = ("<?xml version='1.0'?><stream:stream xmlns='jabber:server' xmlns:db='jabber:server:dialback' "
                 "xmlns:stream='http://etherx.jabber.org/streams' version='1.0' from='{}' to='{}'>")


def raw_peer(server, come_from=THEIRS, to=OURS, tls=True):
    c = Client(server, OURS, port=server.s2s)
    header = SERVER_HEADER.format(come_from, to)
    c.open(header)
    features = c.next()
    if tls:
        assert features.find("tls:starttls", NS) is not None
        c.write(f"<starttls xmlns='{NS['tls']}'/>")
        assert c.next().tag.endswith("proceed")
        c._wrap()
        c.open(header)
        c.next()
    return c


def test_stanzas_before_dialback_are_refused(server, peer):
    a = server.client("alice")
    c = raw_peer(server)
    c.write(f"<message from='juliet@{THEIRS}' to='{a.bare}'><body>forged</body></message>")
    e = c.next()
    assert e.tag.endswith("error") and e[0].tag.split("}")[1] in ("not-authorized", "invalid-from", "policy-violation")
    a.expect_none("message")


def test_a_wrong_dialback_key_is_refused(server, peer):
    server.expect_warning("dialback_forged")
    a = server.client("alice")
    c = raw_peer(server)
    c.write(f"<db:result from='{THEIRS}' to='{OURS}'>0123456789abcdef</db:result>")
    e = c.next()
    assert e.tag == "{jabber:server:dialback}result" and e.get("type") in ("invalid", "error")
    try:
        c.write(f"<message from='juliet@{THEIRS}' to='{a.bare}'><body>forged</body></message>")
    except OSError:
        pass
    a.expect_none("message")


def test_nobody_may_claim_to_be_us(server, peer):
    c = raw_peer(server, come_from="other.example")
    c.write(f"<db:result from='{OURS}' to='{OURS}'>0123456789abcdef</db:result>")
    e = c.next()
    assert e is None or e.tag.endswith("error") or e.get("type") in ("invalid", "error")


def test_junk_on_the_server_port(server, peer):
    a = server.client("alice")
    for junk in (b"\xff" * 1000, os.urandom(5000), b"<" + b"a" * 20000, b"GET / HTTP/1.1\r\n\r\n",
                 SERVER_HEADER.format("x", "unknown.example").encode(), b"<a>" * 3000):
        s = socket.create_connection(("127.0.0.1", server.s2s))
        s.settimeout(20)
        try:
            s.sendall(junk)
            while s.recv(65536):
                pass
        except OSError:
            pass
        s.close()
    a.ping()


def test_the_peer_comes_back_after_a_restart_of_s2sd(server, peer):
    server.expect_warning("daemon_restarted")
    server.expect_warning("link_lost")
    a, j = server.client("alice"), peer.client("juliet")
    pid = server.pid_of("s2sd-1")
    os.kill(pid, 9)
    wait_for(lambda: any(r["name"] == "s2sd-1" and r["state"] == "running" and r["pid"] != pid
                         for r in server.ctl_json("status", check=False)), "a new s2sd", 20)
    time.sleep(0.2)
    a.message(j.bare, "again")
    j.expect_body("again")
    j.message(a.bare, "and back")
    a.expect_body("and back")
