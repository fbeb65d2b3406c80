"""XEP-0424: a retracted message is a tombstone in both archives; who did not say it retracts nothing."""

from harness import NS
from test_archive import MAM, Page, own_id
from test_room_archive import configure, features, own_id as room_id, people, room, say  # noqa: F401  (fixtures)
from test_rooms import enter

RETRACT, FALLBACK, HINTS = "urn:xmpp:message-retract:1", "urn:xmpp:fallback:0", "urn:xmpp:hints"


def retract(client, to, message, kind="chat", body=True):
    i = client.new_id()
    inner = (f"<fallback xmlns='{FALLBACK}' for='{RETRACT}'/><body>/me retracted a message</body>"
             f"<store xmlns='{HINTS}'/>" if body else "")
    client.write(f"<message to='{to}' type='{kind}' id='{i}'><retract xmlns='{RETRACT}' id='{message}'/>{inner}</message>")
    return i


def retraction(client):
    return client.expect("message", lambda m: m.find(f"{{{RETRACT}}}retract") is not None)


def tombstones(client):
    return {m.get("id"): m.find(f"{{{RETRACT}}}retracted") for m in Page(client).messages()
            if m.find(f"{{{RETRACT}}}retracted") is not None}


def pair(server, name):
    return server.client(f"{name}-a"), server.client(f"{name}-b")


def test_it_is_announced(server):
    a = server.client("retract-info")
    assert RETRACT in features(a, server.domain)
    assert {RETRACT, f"{RETRACT}#tombstone"} <= features(a, a.bare)


def test_in_both_archives(server):
    a, b = pair(server, "regret")
    wrong = a.message(b.bare, "for somebody else")
    a.message(b.bare, "fine")
    archived = own_id(b.expect_body("for somebody else"), b.bare)
    r = retract(a, b.jid, wrong)
    assert retraction(b).find(f"{{{FALLBACK}}}fallback") is not None        # passed on as it was
    for c in (a, b):
        grave = tombstones(c)
        assert set(grave) == {wrong}
        assert grave[wrong].get("id") == r and grave[wrong].get("stamp")
        p = Page(c)
        assert p.bodies() == [None, "fine", "/me retracted a message"]
        message = p.messages()[0]
        assert (message.get("from"), message.get("type"), len(message)) == (a.jid, "chat", 1)
    assert Page(b).ids[0] == archived                                       # the same id, the same place
    assert Page(b, ids=archived).bodies() == [None]


def test_without_a_body_it_is_stored_too(server):
    a, b = pair(server, "silent")
    wrong = a.message(b.bare, "oops")
    b.expect_body("oops")
    r = retract(a, b.bare, wrong, body=False)
    retraction(b)
    for c in (a, b):
        assert [m.get("id") for m in Page(c).messages()] == [wrong, r]
        assert set(tombstones(c)) == {wrong}


def test_forged(server):
    a, b = pair(server, "forged")
    c = server.client("forged-c")
    said = a.message(b.bare, "said")
    b.expect_body("said")
    for who, to in ((c, b), (b, a), (c, a)):
        r = retract(who, to.bare, said)
        assert retraction(to).get("id") == r                                # passed on,
        assert r in [m.get("id") for m in Page(to).messages()]              # and stored
    assert not tombstones(a) and not tombstones(b)
    assert "said" in Page(a).bodies() and "said" in Page(b).bodies()


def test_another_resource_of_the_same(server):
    a, b = pair(server, "devices")
    phone = server.client("devices-a", register=False, resource="phone")
    said = a.message(b.bare, "from the desk")
    b.expect_body("from the desk")
    retract(phone, b.bare, said)
    retraction(b)
    assert set(tombstones(b)) == {said} == set(tombstones(a))


def test_what_waits_is_not_delivered(server):
    a = server.client("late-a")
    server.register("late-b")
    to = f"late-b@{server.domain}"
    said = a.message(to, "too late")
    a.message(to, "in time")
    retract(a, to, said)
    a.ping()
    b = server.client("late-b", register=False)
    bodies = [b.expect("message").findtext("client:body", None, NS) for _ in range(2)]
    assert bodies == ["in time", "/me retracted a message"]
    b.expect_none("message")
    assert set(tombstones(b)) == {said}


def test_across_a_restart(server):
    a, b = pair(server, "durable")
    said = a.message(b.bare, "gone for good")
    b.expect_body("gone for good")
    retract(a, b.bare, said)
    retraction(b)
    tombstones(a)
    server.restart("sm-1")
    for name in ("durable-a", "durable-b"):
        assert set(tombstones(server.client(name, register=False))) == {said}


def test_a_correction_is_a_message(server):
    """XEP-0308: both are stored as they are."""
    a, b = pair(server, "correct")
    said = a.message(b.bare, "speling")
    a.message(b.bare, "spelling", extra=f"<replace xmlns='urn:xmpp:message-correct:0' id='{said}'/>")
    b.expect_body("spelling")
    assert Page(b).bodies() == Page(a).bodies() == ["speling", "spelling"]
    assert Page(b).messages()[1].find("{urn:xmpp:message-correct:0}replace").get("id") == said


# ---- rooms (4, 5.1: by the id that the room gave)

def graves(client, room):
    return {m.get("id"): m.find(f"{{{RETRACT}}}retracted") for m in Page(client, to=room).messages()
            if m.find(f"{{{RETRACT}}}retracted") is not None}


def test_rooms_announce_it(server, room, people):  # noqa: F811
    a, b = people
    assert {RETRACT, f"{RETRACT}#tombstone"} <= features(b, room)
    c = server.client("retract-temporary")
    enter(c, f"temporary-{room}", "C")
    assert RETRACT in features(c, f"temporary-{room}") and f"{RETRACT}#tombstone" not in features(c, f"temporary-{room}")


def test_in_a_room(server, room, people):  # noqa: F811
    a, b = people
    wrong = room_id(say(b, room, "wrong-room"), room)
    say(b, room, "fine")
    r = retract(b, room, wrong, kind="groupchat")
    for c in (a, b):
        m = retraction(c)
        assert (m.get("id"), m.find(f"{{{RETRACT}}}retract").get("id")) == (r, wrong)
    grave = graves(a, room)
    assert set(grave) == {"wrong-room"} and grave["wrong-room"].get("id") == r and grave["wrong-room"].get("stamp")
    p = Page(a, to=room)
    assert p.ids[0] == wrong and p.bodies() == [None, "fine", "/me retracted a message"]
    assert p.messages()[0].get("from") == f"{room}/B"
    c = server.client("retract-late")
    enter(c, room, "C")
    bodies = [c.expect("message", lambda m: m.find("client:body", NS) is not None) for _ in range(2)]
    assert [m.findtext("client:body", None, NS) for m in bodies] == ["fine", "/me retracted a message"]


def test_in_a_room_by_nobody_else(server, room, people):  # noqa: F811
    a, b = people
    said = room_id(say(b, room, "said"), room)
    r = retract(a, room, said, kind="groupchat")              # not even by its owner: that is moderation (XEP-0425)
    assert retraction(b).get("id") == r                         # clients judge it by themselves
    b.write(f"<presence to='{room}/B' type='unavailable'/>")
    b.expect("presence", lambda p: p.get("type") == "unavailable")
    c = server.client("retract-heir")
    enter(c, room, "B")                                       # the nick alone makes nobody the author
    retract(c, room, said, kind="groupchat")
    retraction(c)
    assert not graves(a, room) and "said" in Page(a, to=room).bodies()
    enter(b, room, "B2")
    retract(b, room, said, kind="groupchat")
    b.expect("message", lambda m: m.find(f"{{{RETRACT}}}retract") is not None and m.get("from") == f"{room}/B2"
             and m.find("delay:delay", NS) is None)
    assert set(graves(a, room)) == {"said"}
