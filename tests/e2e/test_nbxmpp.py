"""nbxmpp, the library that Gajim speaks XMPP with: its modules find on a stream and in a conversation what they look
for, and accept our answers (they refuse what their author thinks malformed)."""

import contextlib

import pytest
from nbxmpp_rig import Nbx, befriend, gajim, until

from nbxmpp.const import ConnectionType, Mode
from nbxmpp.errors import CancelledError
from nbxmpp.namespaces import Namespace
from nbxmpp.protocol import JID, Iq, Message, Presence


@pytest.mark.parametrize("kind", [ConnectionType.START_TLS, ConnectionType.DIRECT_TLS])
def test_login_and_its_strongest_mechanism(server, gajim, kind):
    port = server.c2s_tls if kind == ConnectionType.DIRECT_TLS else server.c2s
    a = gajim(kind=kind, port=port)
    assert any("SCRAM-SHA-256" in sent for sent in a.wire)
    assert a.client.features.has_sm() and a.client.features.has_roster_version()
    assert str(a.client.get_bound_jid()).startswith(f"{a.bare}/gajim")


def test_a_wrong_password(server, gajim):
    a = gajim(connect=False, password="wrong")
    a.client.connect()
    until(lambda: "disconnected" in a.events, "the refusal")
    assert a.client.get_error()[1] == "not-authorized"
    server.expect_warning("auth_failed")


def test_roster_presence_and_chat(gajim):
    a, b = gajim(), gajim()
    befriend(a, b)
    a.ask("Roster", "set_item", b.bare, "My friend", ["Friends", "Colleagues"])
    push = a.expect("iq", lambda p, s: getattr(p, "roster", None) and p.roster.item.name == "My friend")[1]
    assert push.roster.version and set(push.roster.item.groups) == {"Friends", "Colleagues"}
    item, = (i for i in a.ask("Roster", "request_roster").items if i.jid == b.bare)
    assert (item.name, item.subscription) == ("My friend", "both")
    assert a.ask("Roster", "request_roster", a.ask("Roster", "request_roster").version).items is None
    b.client.send_stanza(Presence(show="dnd", status="busy"))
    a.expect("presence", lambda p, s: p.jid.bare_match(b.bare) and p.show.value == "dnd")
    a.say(b.bare, "hello gajim")
    message = b.body("hello gajim")[1]
    assert message.from_ == a.client.get_bound_jid() and message.stanza_ids
    b.say(a.bare, "hello you")
    a.body("hello you")
    a.ask("Roster", "delete_item", b.bare)
    b.expect("presence", lambda p, s: p.type.value == "unsubscribed")


def test_archive(server, gajim):
    a, b = gajim(), gajim()
    for i in range(12):
        a.say(b.bare, f"archived {i}")
    b.body("archived 11")
    page = b.ask("MAM", "make_query", b.bare, queryid="q1", max_=5)
    assert not page.complete
    last = b.ask("MAM", "make_query", b.bare, queryid="q1", after=page.rsm.last, max_=50)
    assert last.complete
    got = [p for n, p, _ in b.heard if n == "message" and p.is_mam_message]
    assert [p.body for p in got] == [f"archived {i}" for i in range(12)]
    assert all(p.mam.query_id == "q1" for p in got) and len({p.mam.id for p in got}) == 12
    assert b.ask("MAM", "make_query", b.bare, max_=0).rsm.count == 12
    b.ask("MAM", "set_preferences", "roster", [a.bare], [])
    prefs = b.ask("MAM", "request_preferences")
    assert prefs.default == "roster" and [str(j) for j in prefs.always] == [str(a.bare)]


def test_what_waited_comes_after_the_archive_is_asked(server, gajim):
    a, b = gajim(), gajim()
    name, bare = b.bare.localpart, b.bare
    b.disconnect()
    a.say(bare, "while you were away")
    a.ask("Ping", "ping", a.client.domain)
    b = gajim(name)
    b.ask("MAM", "make_query", bare, queryid="later", max_=50)
    b.expect("message", lambda p, s: p.is_mam_message and p.body == "while you were away")


def test_carbons(gajim):
    a, b = gajim(), gajim()
    other = gajim(b.bare.localpart, resource="phone")
    other.client.send_stanza(carbons_on())
    other.expect("iq", lambda p, s: s.getID() == "carbons" and s.getType() == "result")
    a.client.send_stanza(Message(to=b.client.get_bound_jid(), typ="chat", body="to one of you"))
    got = other.expect("message", lambda p, s: p.is_carbon_message and p.body == "to one of you")[1]
    assert got.carbon.is_received
    b.say(a.bare, "an answer")
    sent = other.expect("message", lambda p, s: p.is_carbon_message and p.body == "an answer")[1]
    assert sent.carbon.is_sent


def carbons_on():
    iq = Iq("set", attrs={"id": "carbons"})
    iq.addChild("enable", namespace=Namespace.CARBONS)
    return iq


def test_a_cut_connection_is_resumed(gajim):
    a, b = gajim(), gajim()
    until(lambda: a.client.resumeable, "the id of the session")
    jid = str(a.client.get_bound_jid())
    a.client.disconnect(immediate=True)                    # no </stream>: the socket is just closed
    until(lambda: a.events[-1] == "disconnected", "the cut")
    b.say(a.bare, "while it was cut")
    b.ask("Ping", "ping", b.client.domain)
    a.client.connect()
    until(lambda: a.events[-1] != "disconnected", "the new connection")
    assert a.events[-1] == "resume-successful"
    a.body("while it was cut")
    assert str(a.client.get_bound_jid()) == jid


def test_password_change_and_removal(server, gajim):
    a = gajim()
    name = a.bare.localpart
    a.ask("Register", "change_password", "other")
    a.disconnect()
    a = Nbx(server, name, password="other").connect()
    with contextlib.suppress(CancelledError):             # the answer and the end of the stream come together
        a.ask("Register", "unregister")
    until(lambda: a.events[-1] == "disconnected", "the end of the account's sessions")
    b = Nbx(server, name, password="other")
    b.client.connect()
    until(lambda: "disconnected" in b.events, "the refusal")
    assert b.client.get_error()[1] == "not-authorized"
    server.expect_warning("auth_failed")


def test_registration(server):
    """As Gajim's wizard does: the form is asked for on a stream that has not logged in."""
    a = Nbx(server, "newcomer")
    a.client.set_mode(Mode.REGISTER)
    a.client.connect()
    until(lambda: a.events, "the stream")
    data = a.ask("Register", "request_register_form")
    form = data.form or data.fields_form
    for var, value in (("username", "newcomer"), ("password", "secret")):
        form.vars[var].value = value
    a.ask("Register", "submit_register_form", form)
    a.disconnect()
    b = Nbx(server, "newcomer").connect()
    b.disconnect()


def test_a_room(server, gajim):
    a, b = gajim(), gajim()
    room = JID.from_string(f"gajim@muc.{server.domain}")
    enter(a, room, "A")
    form = a.ask("MUC", "request_config", room).form
    form["muc#roomconfig_persistentroom"].value = True
    form["muc#roomconfig_roomname"].value = "The room"
    form.type_ = "submit"
    a.ask("MUC", "set_config", room, form)
    info = b.ask("MUC", "request_info", room)
    assert info.info.muc_name == "The room" and info.info.is_muc
    enter(b, room, "B")
    a.expect("presence", lambda p, s: p.from_muc and p.muc_nickname == "B")
    b.client.send_stanza(Message(to=room, typ="groupchat", body="hello room"))
    said = a.body("hello room")[1]
    assert said.muc_nickname == "B" and said.stanza_ids
    a.ask("MUC", "set_affiliation", room, {b.bare: {"affiliation": "admin"}})
    b.expect("presence", lambda p, s: p.is_muc_self_presence and p.affiliation.value == "admin")
    assert b.bare in {JID.from_string(str(j)) for j in a.ask("MUC", "get_affiliation", room, "admin").users}
    page = b.ask("MAM", "make_query", room, queryid="room", max_=10)
    assert page.complete
    b.expect("message", lambda p, s: p.is_mam_message and p.body == "hello room")
    a.client.get_module("MUC").invite(room, b.bare, None, reason="come back")
    b.expect("message", lambda p, s: p.muc_invite is not None)
    a.ask("MUC", "destroy", room, reason="done")
    b.expect("presence", lambda p, s: p.is_muc_destroyed and p.jid.resource == "B")


def enter(gajim, room, nick):
    presence = Presence(to=f"{room}/{nick}")
    presence.setTag(f"{Namespace.MUC} x")
    gajim.client.send_stanza(presence)
    gajim.expect("presence", lambda p, s: p.is_muc_self_presence)
