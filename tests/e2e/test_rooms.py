"""Rooms with raw clients: the everyday part of XEP-0045."""

import itertools
import xml.etree.ElementTree as ET

import pytest

from harness import NS

counter = itertools.count(1)


@pytest.fixture
def room(server):
    return f"room{next(counter)}@muc.{server.domain}"


def codes(p):
    return {s.get("code") for s in p.findall("muc_user:x/muc_user:status", NS)}


def item(p):
    return p.find("muc_user:x/muc_user:item", NS)


def is_self(p):
    return "110" in codes(p)


def enter(client, room, nick, inner="", configure=True):
    """Enters; returns (presences of the others, self-presence)."""
    client.write(f"<presence to='{room}/{nick}'><x xmlns='{NS['muc']}'>{inner}</x></presence>")
    others = []
    while True:
        p = client.expect("presence", lambda p: (p.get("from") or "").startswith(room))
        if p.get("type") == "error":
            raise AssertionError(client.error_of(p))
        if is_self(p):
            break
        others.append(p)
    if "201" in codes(p) and configure:
        client.iq("set", f"<query xmlns='{NS['muc_owner']}'>"
                         "<x xmlns='jabber:x:data' type='submit'/></query>", to=room)
    return others, p


def subject(client, room):
    return client.expect("message", lambda m: m.find("client:subject", NS) is not None and
                         m.find("client:body", NS) is None)


def test_a_new_room_and_its_first_occupant(server, room):
    a = server.client("alice")
    others, me = enter(a, room, "A")
    assert others == [] and {"110", "201"} <= codes(me)
    assert (item(me).get("affiliation"), item(me).get("role")) == ("owner", "moderator")
    assert me.get("from") == f"{room}/A"


def test_talk_presence_subject_and_leaving(server, room):
    a, b = server.client("alice"), server.client("bob")
    enter(a, room, "A")
    others, me = enter(b, room, "B")
    assert [o.get("from") for o in others] == [f"{room}/A"]
    assert subject(b, room).findtext("client:subject", None, NS) in ("", None)
    seen = a.expect("presence", lambda p: p.get("from") == f"{room}/B")
    assert item(seen).get("role") == "participant"
    b.write(f"<message to='{room}' type='groupchat' id='g1'><body>hello room</body></message>")
    for c in (a, b):
        m = c.expect_body("hello room")
        assert m.get("from") == f"{room}/B" and m.get("type") == "groupchat" and m.get("id") == "g1"
    b.write(f"<presence to='{room}/B'><show>dnd</show></presence>")
    a.expect("presence", lambda p: p.get("from") == f"{room}/B" and p.findtext("client:show", None, NS) == "dnd")
    a.write(f"<message to='{room}' type='groupchat'><subject>weather</subject></message>")
    assert subject(b, room).findtext("client:subject", None, NS) == "weather"
    b.write(f"<presence to='{room}/B' type='unavailable'/>")
    gone = b.expect("presence", lambda p: p.get("type") == "unavailable")
    assert is_self(gone)
    a.expect("presence", lambda p: p.get("from") == f"{room}/B" and p.get("type") == "unavailable")


def test_history_on_entry(server, room):
    a, b = server.client("alice"), server.client("bob")
    enter(a, room, "A")
    for i in range(3):
        a.write(f"<message to='{room}' type='groupchat'><body>old {i}</body></message>")
    a.expect_body("old 2")
    enter(b, room, "B", "<history maxstanzas='2'/>")
    got = [b.expect("message", lambda m: m.find("client:body", NS) is not None) for _ in range(2)]
    assert [m.findtext("client:body", None, NS) for m in got] == ["old 1", "old 2"]
    assert all(m.find("delay:delay", NS) is not None for m in got)
    subject(b, room)


def test_nick_conflict_and_change(server, room):
    a, b = server.client("alice"), server.client("bob")
    enter(a, room, "A")
    b.write(f"<presence to='{room}/A'><x xmlns='{NS['muc']}'/></presence>")
    assert b.error_of(b.expect("presence", lambda p: p.get("type") == "error")) == "conflict"
    enter(b, room, "B")
    b.write(f"<presence to='{room}/Bee'/>")
    old = a.expect("presence", lambda p: p.get("from") == f"{room}/B" and p.get("type") == "unavailable")
    assert "303" in codes(old) and item(old).get("nick") == "Bee"
    a.expect("presence", lambda p: p.get("from") == f"{room}/Bee" and p.get("type") is None)


def test_private_messages(server, room):
    a, b = server.client("alice"), server.client("bob")
    enter(a, room, "A")
    enter(b, room, "B")
    a.write(f"<message to='{room}/B' type='chat'><body>psst</body></message>")
    m = b.expect_body("psst")
    assert m.get("from") == f"{room}/A" and m.get("type") == "chat"
    a.write(f"<message to='{room}/Nobody' type='chat' id='n'><body>psst</body></message>")
    assert a.error_of(a.expect("message", lambda m: m.get("type") == "error")) == "item-not-found"


def test_kick(server, room):
    a, b = server.client("alice"), server.client("bob")
    enter(a, room, "A")
    enter(b, room, "B")
    query = "<query xmlns='http://jabber.org/protocol/muc#admin'><item nick='%s' role='none'><reason>out</reason></item></query>"
    assert b.error_of(b.iq("set", query % "A", to=room)) in ("not-allowed", "forbidden")
    assert a.iq("set", query % "B", to=room).get("type") == "result"
    p = b.expect("presence", lambda p: p.get("type") == "unavailable")
    assert {"307", "110"} <= codes(p) and item(p).findtext("muc_user:reason", None, NS) == "out"
    p = a.expect("presence", lambda p: p.get("from") == f"{room}/B" and p.get("type") == "unavailable")
    assert "307" in codes(p)
    b.write(f"<message to='{room}' type='groupchat'><body>x</body></message>")
    assert b.error_of(b.expect("message", lambda m: m.get("type") == "error")) == "not-acceptable"


def test_who_disconnects_leaves(server, room):
    a, b = server.client("alice"), server.client("bob")
    enter(a, room, "A")
    enter(b, room, "B")
    b.drop()
    a.expect("presence", lambda p: p.get("from") == f"{room}/B" and p.get("type") == "unavailable")


def test_a_room_order_is_the_same_for_everybody(server, room):
    clients = [server.client(f"many{i}") for i in range(5)]
    for i, c in enumerate(clients):
        enter(c, room, f"n{i}")
    for i in range(20):
        for j, c in enumerate(clients):
            c.write(f"<message to='{room}' type='groupchat'><body>{j}:{i}</body></message>")
    orders = []
    for c in clients:
        got = []
        while len(got) < 100:
            body = c.expect("message").findtext("client:body", None, NS)
            if body:
                got.append(body)
        orders.append(got)
    assert all(o == orders[0] for o in orders)
    for j in range(5):
        assert [m for m in orders[0] if m.startswith(f"{j}:")] == [f"{j}:{i}" for i in range(20)]


def test_a_persistent_room_survives_a_restart(server, room):
    a = server.client("alice")
    enter(a, room, "A", configure=False)
    form = ("<query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'>"
            "<field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#roomconfig</value></field>"
            "<field var='muc#roomconfig_persistentroom'><value>1</value></field>"
            "<field var='muc#roomconfig_roomname'><value>The Room</value></field></x></query>")
    assert a.iq("set", form, to=room).get("type") == "result"
    a.write(f"<message to='{room}' type='groupchat'><body>kept</body></message>")
    a.expect_body("kept")
    server.stop()
    server.start()
    a = server.client("alice", register=False)
    _, me = enter(a, room, "A")
    assert "201" not in codes(me) and item(me).get("affiliation") == "owner"
    a.expect_body("kept")
    info = a.iq("get", f"<query xmlns='{NS['disco_info']}'/>", to=room)
    assert "The Room" in {i.get("name") for i in info.findall("disco_info:query/disco_info:identity", NS)}


def test_service_disco_and_control(server, room):
    a = server.client("alice")
    enter(a, room, "A")
    info = a.iq("get", f"<query xmlns='{NS['disco_info']}'/>", to=f"muc.{server.domain}")
    assert NS["muc"] in {f.get("var") for f in info.findall("disco_info:query/disco_info:feature", NS)}
    found = a.iq("get", f"<query xmlns='{NS['disco_items']}'/>", to=f"muc.{server.domain}")
    assert room in {i.get("jid") for i in found.findall("disco_items:query/disco_items:item", NS)}, ET.tostring(found)
    assert room in {r["room"] for r in server.ctl_json("rooms")}
    server.ctl("destroy", room)
    a.expect("presence", lambda p: p.get("type") == "unavailable" and p.get("from", "").startswith(room))
    assert room not in {r["room"] for r in server.ctl_json("rooms")}
