"""bitlbee's own code for XMPP: subscriptions and presence, messages both ways, carbons, rooms, what waited."""

import pytest
from bitlbee import CONTROL, Bitlbee

from clients import needs

pytestmark = needs("bitlbee")
TYPING = "http://jabber.org/protocol/chatstates"
INSTANT = "<query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'/></query>"


def befriend(bitlbee, other):
    bitlbee.tell(f"add jabber {other.bare}")
    other.expect("presence", lambda p: p.get("type") == "subscribe")
    for kind in ("subscribed", "subscribe"):
        other.write(f"<presence to='{bitlbee.jid}' type='{kind}'/>")
    bitlbee.expect("accepted your authorization request")
    bitlbee.expect("wants to add you")
    bitlbee.tell("yes")
    other.expect("presence", lambda p: p.get("from", "").startswith(bitlbee.jid + "/") and p.get("type") is None)


def test_contacts_presence_and_messages(server):
    server.register("bit1")
    b = server.client("bob1")
    with Bitlbee(server, "bit1") as irc:
        befriend(irc, b)
        irc.say("bob1", "hello from IRC")
        b.expect_body("hello from IRC")
        b.message(irc.jid, "hello IRC")
        irc.expect(r"^:bob1!\S+ PRIVMSG tester :hello IRC")
        b.write(f"<message to='{irc.jid}' type='chat'><composing xmlns='{TYPING}'/></message>")
        b.write("<presence><show>dnd</show><status>busy</status></presence>")
        irc.expect(rf"MODE {CONTROL} -v bob1")
        irc.tell("info bob1")
        irc.expect("Do Not Disturb.*busy|busy")
        irc.send("AWAY :lunch")
        away = b.expect("presence", lambda p: p.get("from", "").startswith(irc.jid) and p.find("{jabber:client}show") is not None)
        assert away.findtext("{jabber:client}show") == "away" and away.findtext("{jabber:client}status") == "lunch"
        b.close()
        irc.expect(r"^:bob1!\S+ QUIT")
        irc.tell("remove bob1")
    b = server.client("bob1", register=False)
    b.iq("get", "<query xmlns='jabber:iq:roster'/>")
    assert f"jid='{irc.jid}'".encode() in b.raw.replace(b'"', b"'")


def test_carbons_and_what_waited(server):
    server.register("bit2")
    b = server.client("bob2")
    with Bitlbee(server, "bit2") as irc:
        befriend(irc, b)
        phone = server.client("bit2", resource="phone", register=False)
        b.message(f"{irc.jid}/phone", "to the phone")
        irc.expect(r"^:bob2!\S+ PRIVMSG tester :to the phone")
        phone.message(b.bare, "from the phone")
        irc.expect("bob2 :from the phone")
        phone.close()
        irc.tell("account jabber off")
        b.expect("presence", lambda p: p.get("type") == "unavailable" and p.get("from").endswith("/bitlbee"))
        b.message(irc.jid, "while you were away")
        b.ping()
        irc.tell("account jabber on")
        irc.expect(r"^:bob2!\S+ PRIVMSG tester :.*while you were away")


def test_a_room(server):
    server.register("bit3")
    room, b = f"irc@muc.{server.domain}", server.client("bob3")
    b.write(f"<presence to='{room}/Bob'><x xmlns='http://jabber.org/protocol/muc'/></presence>")
    b.expect("presence", lambda p: p.get("from") == f"{room}/Bob")
    assert b.iq("set", INSTANT, to=room).get("type") == "result"
    with Bitlbee(server, "bit3") as irc:
        irc.tell(f"chat add jabber {room} #room")
        irc.expect("successfully added")
        irc.send("JOIN #room")
        irc.expect("JOIN :#room")
        came = b.expect("presence", lambda p: p.get("from", "").startswith(room + "/") and p.get("from") != f"{room}/Bob")
        irc.say("#room", "hello room")
        b.expect_body("hello room", came.get("from"))
        b.message(room, "hello IRC", kind="groupchat")
        irc.expect("PRIVMSG #room :hello IRC")
        b.write(f"<message to='{room}' type='groupchat'><subject>tea</subject></message>")
        irc.expect("TOPIC #room :tea")
        irc.send("PART #room")
        b.expect("presence", lambda p: p.get("from") == came.get("from") and p.get("type") == "unavailable")
