"""profanity (libstrophe), as its user types: contacts and presence, what its other resources do, the archive, rooms and
bookmarks, blocking and personal events."""

import base64

from clients import Profanity, needs
from harness import NS, wait_for

pytestmark = [needs("profanity"), needs("tmux")]
PUBSUB = "http://jabber.org/protocol/pubsub"
PIXEL = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")


def of(jid, **attributes):
    """A test for `expect`: a stanza of this account's, with these attributes."""
    return lambda e: e.get("from", "").split("/")[0] == jid and all(e.get(k) == v for k, v in attributes.items())


def show_of(presence):
    return presence.findtext("client:show", None, NS)


def roster_of(server, name):
    watch = server.client(name, resource="watch", register=False, presence=False)
    items = watch.iq("get", f"<query xmlns='{NS['roster']}'/>").iter(f"{{{NS['roster']}}}item")
    found = {i.get("jid"): (i.get("name"), i.get("subscription"), {g.text for g in i}) for i in items}
    watch.close()
    return found


def befriended(server, name, other):
    """The other, online; both are in each other's roster."""
    a, b = server.client(name), server.client(other)
    a.befriend(b)
    a.close()
    return b


def test_contacts_presence_and_messages(server):
    server.register("prof1")
    b = server.client("bob1")
    b.iq("get", f"<query xmlns='{NS['roster']}'/>")
    with Profanity(server, "prof1") as t:
        t.type(f"/roster add {b.bare} Bobby")
        t.wait("Roster item added")
        t.type("/roster group add Friends Bobby", f"/sub request {b.bare}")
        b.expect("presence", of(t.jid, type="subscribe"))
        b.write(f"<presence to='{t.jid}' type='subscribed'/>")
        t.wait("Bobby.*(online|chat)|bob1@\\S+ is online")
        b.write(f"<presence to='{t.jid}' type='subscribe'/>")
        t.wait("Received authorization request")
        t.type(f"/sub allow {b.bare}")
        b.expect("presence", of(t.jid, type="subscribed"))
        b.write("<presence><show>dnd</show><status>busy just now</status></presence>")
        t.wait("busy just now")
        t.type('/status set away "at lunch"')
        away = b.expect("presence", lambda p: of(t.jid)(p) and show_of(p) == "away")
        assert away.findtext("client:status", None, NS) == "at lunch"
        t.type(f"/msg {b.bare} hello from profanity")
        b.expect_body("hello from profanity")
        b.message(t.jid, "hello terminal")
        t.wait("hello terminal")
        assert roster_of(server, "prof1") == {b.bare: ("Bobby", "both", {"Friends"})}
        t.type("/win 1", f"/roster remove {b.bare}")
        b.expect("presence", of(t.jid, type="unsubscribed"))


def test_carbons_the_archive_and_what_waited(server):
    b = befriended(server, "prof2", "bob2")
    phone = server.client("prof2", resource="phone", register=False)
    b.message(phone.bare, "read on the phone")
    phone.expect_body("read on the phone")
    with Profanity(server, "prof2", "/carbons on", "/mam on") as t:
        t.type(f"/msg {b.bare}")
        t.wait("read on the phone")                                     # from the archive
        b.message(phone.jid, "to the phone")
        t.wait("to the phone")
        phone.message(b.bare, "from the phone")
        t.wait("from the phone")
        phone.close()
        t.leave()
    b.message(t.jid, "while you were away")
    b.ping()
    with Profanity(server, "prof2") as t:
        t.type(f"/msg {b.bare}")
        t.wait("while you were away")


def test_receipts_typing_and_corrections(server):
    b = befriended(server, "prof3", "bob3")
    with Profanity(server, "prof3", "/receipts send on", "/receipts request on", "/correction on") as t:
        b.message(t.jid, "tell me that you have it", extra="<request xmlns='urn:xmpp:receipts'/>")
        b.expect("message", lambda m: m.find("{urn:xmpp:receipts}received") is not None)
        t.type(f"/msg {b.bare} helo")
        b.expect_body("helo")
        t.type("/correct hello")
        corrected = b.expect_body("hello")
        assert corrected.find("{urn:xmpp:message-correct:0}replace") is not None
        b.write(f"<message to='{t.jid}' type='chat'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>")
        t.wait("typing")


def test_rooms_and_bookmarks(server):
    server.register("prof4")
    b, room = server.client("bob4"), f"prof@muc.{server.domain}"
    with Profanity(server, "prof4") as t:
        t.type(f"/join {room} nick Prof")
        t.wait("[Rr]oom (locked|requires configuration)|locked")
        t.type("/room accept")
        t.wait("unlocked")
        t.type(f"/invite send {b.bare} come in")
        b.expect("message", lambda m: room in "".join(str(e.attrib) for e in m.iter()))
        b.write(f"<presence to='{room}/Bob'><x xmlns='{NS['muc']}'/></presence>")
        b.expect("presence", lambda p: p.get("from") == f"{room}/Bob")
        t.wait("Participants *\n.*Bob")
        t.type("hello room")
        b.expect_body("hello room", f"{room}/Prof")
        b.message(room, "hello profanity", kind="groupchat")
        t.wait("Bob: hello profanity")
        t.type("/subject set all about tea")
        b.expect("message", lambda m: m.findtext("client:subject", None, NS) == "all about tea")
        t.type(f"/affiliation set member {b.bare}")
        b.expect("presence", lambda p: p.find(".//muc_user:item[@affiliation='member']", NS) is not None)
        t.type(f"/bookmark add {room} nick Prof autojoin on")
        t.type("/win 1")
        t.wait("[Bb]ookmark added")
        t.type("/win 2")
        t.type("/kick Bob out you go")
        gone = b.expect("presence", lambda p: p.get("from") == f"{room}/Bob" and p.get("type") == "unavailable")
        assert gone.find(".//muc_user:status[@code='307']", NS) is not None
        b.write(f"<presence to='{room}/Bob'><x xmlns='{NS['muc']}'/></presence>")
        b.expect("presence", lambda p: p.get("from") == f"{room}/Bob" and p.get("type") is None)
        t.leave()
    with Profanity(server, "prof4") as t:
        b.expect("presence", lambda p: p.get("from") == f"{room}/Prof" and p.get("type") is None)     # by the bookmark
        t.type("/bookmark list")
        t.wait(room)


def test_blocking_personal_events_and_questions(server):
    b = befriended(server, "prof5", "bob5")
    with Profanity(server, "prof5") as t:
        t.type(f"/blocked add {b.bare}")
        t.wait("successfully blocked")
        b.expect("presence", lambda p: of(t.jid, type="unavailable")(p) and "/profanity" in p.get("from"))
        b.message(t.jid, "do you hear me")
        b.expect("message", lambda m: m.get("type") == "error")
        t.type(f"/blocked remove {b.bare}")
        b.expect("presence", lambda p: of(t.jid)(p) and p.get("type") is None)
        (t.home / "face.png").write_bytes(PIXEL)
        t.type(f"/avatar set {t.home}/face.png", "/mood set happy because")
        for node in ("urn:xmpp:avatar:metadata", "http://jabber.org/protocol/mood"):
            ask = f"<pubsub xmlns='{PUBSUB}'><items node='{node}'/></pubsub>"
            wait_for(lambda: b.iq("get", ask, to=t.jid).find(f".//{{{PUBSUB}}}item") is not None, node)
        t.type("/ping")
        t.wait("Ping response")
        t.type(f"/disco info {server.domain}")
        t.wait("urn:xmpp:mam:2|urn:xmpp:carbons:2")
        t.type("/clear", f"/lastactivity get {server.domain}")
        t.wait("[Uu]ptime|[Ll]ast activity")
        t.type("/clear", f"/cmd list {server.domain}")
        t.wait("[Cc]ommands")
