"""Message carbons (XEP-0280): exactly one copy for each client that asked, none for anybody else, none forged."""

import asyncio
import os
import signal
import ssl
import xml.etree.ElementTree as ET

import pytest
from harness import NS, wait_for
from test_resume import hibernates, managed, resume

OPTIONS = ["--set", "limits.resume_seconds=300"]
CARBONS, FORWARD, SID, HINTS = "urn:xmpp:carbons:2", "urn:xmpp:forward:0", "urn:xmpp:sid:0", "urn:xmpp:hints"


def enable(client, on=True):
    e = client.iq("set", f"<{'enable' if on else 'disable'} xmlns='{CARBONS}'/>")
    assert e.get("type") == "result", ET.tostring(e)
    return client


def device(server, name, resource, carbons=True, **kwargs):
    c = server.client(name, resource=resource, **kwargs)
    return enable(c) if carbons else c


def copy_in(e, way):
    """The message inside a carbon."""
    inner = e.find(f"{{{CARBONS}}}{way}/{{{FORWARD}}}forwarded/client:message", NS)
    assert inner is not None, ET.tostring(e)
    return inner


def body(e):
    return e.findtext("client:body", None, NS)


def messages(client, seconds=0.4):
    return [e for e in client.settle(seconds) if e is not None and e.tag.endswith("}message")]


def family(server, name):
    """Phone and desk with carbons, an old client without."""
    return device(server, name, "phone"), device(server, name, "desk"), device(server, name, "old", carbons=False)


def quiet(*clients):
    for c in clients:
        c.settle(0.2)


def own_id(message, bare):
    found = [e.get("id") for e in message.findall(f"{{{SID}}}stanza-id") if e.get("by") == bare]
    assert len(found) == 1
    return found[0]


def test_the_feature_is_announced(server):
    a = server.client("info")
    for to in (server.domain, a.bare):
        query = a.iq("get", f"<query xmlns='{NS['disco_info']}'/>", to=to)
        assert {CARBONS, "urn:xmpp:carbons:rules:0"} <= {f.get("var") for f in query.iter(f"{{{NS['disco_info']}}}feature")}


# 6.1 in the order of the text, 10, and XEP-0334 4.3. What, type, content, copied when sent, when received.
BODY, PRIVATE, NO_COPY = "<body>x</body>", f"<private xmlns='{CARBONS}'/>", f"<no-copy xmlns='{HINTS}'/>"
RULES = [
    ("chat", "chat", BODY, True, True),
    ("chat without a body", "chat", "<x xmlns='urn:example:x'/>", True, True),
    ("chat, empty", "chat", "", True, True),
    ("normal with a body", "normal", BODY, True, True),
    ("without a type, with a body", "", BODY, True, True),
    ("normal without a body", "normal", "<x xmlns='urn:example:x'/>", False, False),
    ("normal with a subject only", "normal", "<subject>s</subject>", False, False),
    ("headline", "headline", BODY, False, False),
    ("receipt", "normal", "<received xmlns='urn:xmpp:receipts' id='1'/>", True, True),
    ("receipt asked for", "normal", "<request xmlns='urn:xmpp:receipts'/>", True, True),
    ("chat state", "normal", "<composing xmlns='http://jabber.org/protocol/chatstates'/>", True, True),
    ("marker", "normal", "<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>", True, True),
    ("groupchat", "groupchat", BODY, False, False),
    ("direct invitation", "normal", "<x xmlns='jabber:x:conference' jid='r@muc.example.org'/>", True, True),
    ("direct invitation, chat", "chat", "<x xmlns='jabber:x:conference' jid='r@muc.example.org'/>", True, True),
    ("mediated invitation", "normal", f"<x xmlns='{NS['muc_user']}'><invite to='a@b.example'/></x>", True, False),
    ("to or from an occupant", "chat", f"{BODY}<x xmlns='{NS['muc_user']}'/>", True, False),
    ("private and no-copy", "chat", BODY + PRIVATE + NO_COPY, False, False),
    ("private", "chat", BODY + PRIVATE, False, False),
    ("no-copy", "chat", BODY + NO_COPY, False, False),
    ("private invitation", "normal", "<x xmlns='jabber:x:conference' jid='r@muc.example.org'/>" + PRIVATE, False, False),
    ("private receipt", "normal", "<received xmlns='urn:xmpp:receipts' id='1'/>" + PRIVATE, False, False),
    ("private of another namespace", "chat", BODY + "<private xmlns='urn:example:x'/>", True, True),
    ("private inside something", "chat", BODY + f"<x xmlns='urn:example:x'>{PRIVATE}</x>", True, True),
    ("an error about nothing", "error", BODY + "<error type='cancel'/>", False, False),
]


@pytest.mark.parametrize("way", ["sent", "received"])
def test_each_rule(server, way):
    """The message reaches whom it is for, and each other client with carbons gets exactly one copy or none."""
    phone, desk, old = family(server, f"rules{way}")
    ben = server.client(f"rules{way}ben")
    quiet(phone, desk, old, ben)
    wrong = []
    sender, other = (phone, ben) if way == "sent" else (ben, phone)
    for i, (what, kind, content, sent, received) in enumerate(RULES):
        sender.write(f"<message to='{other.jid}' id='rule{i}'" + (f" type='{kind}'" if kind else "") + f">{content}</message>")
    sender.message(other.jid, "the end")
    got = []
    while not got or body(got[-1]) != "the end":
        got.append(other.expect("message"))
    assert [e.get("id") for e in got[:-1]] == [f"rule{i}" for i in range(len(RULES))]
    copies = []
    while "the end" not in [body(c) for c in copies]:
        e = desk.expect("message")
        assert (e.get("from"), e.get("to")) == (desk.bare, desk.jid)
        copies.append(copy_in(e, way))
        assert e.get("type", "normal") == copies[-1].get("type", "normal")
    ids = [c.get("id") for c in copies]
    for i, (what, kind, content, sent, received) in enumerate(RULES):
        if ids.count(f"rule{i}") != (sent if way == "sent" else received):
            wrong.append(f"{what}: {ids.count(f'rule{i}')} copies")
    assert not wrong
    assert not messages(old) and not messages(sender)


def test_hints_do_not_override_delivery_to_the_bare_jid(server):
    """10, XEP-0334 4.3: RFC 6121 8.5.2 decides, each resource has it once, whatever it asked for."""
    phone, desk, old = family(server, "barely")
    ben = server.client("barelyben")
    quiet(phone, desk, old)
    for i, extra in enumerate((PRIVATE + NO_COPY, PRIVATE, NO_COPY)):
        ben.message(phone.bare, f"all {i}", extra=extra)
        for c in (phone, desk, old):
            c.expect_body(f"all {i}", ben.jid)
    assert not messages(phone) and not messages(desk) and not messages(old)


def test_an_invitation_of_a_room_is_copied(server):
    """It comes from the bare JID of the room (6.1, XEP-0045 7.8.2)."""
    room = f"inviting@muc.{server.domain}"
    phone, desk, old = family(server, "invited")
    ben = server.client("inviter")
    ben.write(f"<presence to='{room}/ben'><x xmlns='{NS['muc']}'/></presence>")
    ben.expect("message", lambda m: m.find("client:subject", NS) is not None)
    ben.iq("set", f"<query xmlns='{NS['muc_owner']}'><x xmlns='jabber:x:data' type='submit'/></query>", to=room)
    quiet(phone, desk, old)
    ben.write(f"<message to='{room}'><x xmlns='{NS['muc_user']}'><invite to='{phone.jid}'/></x></message>")
    assert phone.expect("message").get("from") == room
    assert copy_in(desk.expect("message"), "received").get("from") == room
    assert not messages(desk) and not messages(phone) and not messages(old)


def test_received_and_sent_copies_once_each(server):
    phone, desk, old = family(server, "anna")
    ben = server.client("ben")
    quiet(phone, desk, old)
    ben.message(phone.jid, "to the phone")
    assert phone.expect_body("to the phone").get("to") == phone.jid
    c = desk.expect("message")
    assert (c.get("from"), c.get("to"), c.get("type")) == (desk.bare, desk.jid, "chat")
    inner = copy_in(c, "received")
    assert (body(inner), inner.get("from"), inner.get("to")) == ("to the phone", ben.jid, phone.jid)
    old.message(ben.bare, "from the old one")
    ben.expect_body("from the old one")
    for client in (phone, desk):
        c = client.expect("message")
        assert (c.get("from"), c.get("to")) == (client.bare, client.jid)
        inner = copy_in(c, "sent")
        assert (body(inner), inner.get("from"), inner.get("to")) == ("from the old one", old.jid, ben.bare)
    ben.message(phone.bare, "to all")
    for client in (phone, desk, old):
        client.expect_body("to all", ben.jid)
    assert not messages(phone) and not messages(desk) and not messages(old)


def test_switched_off_it_is_off(server):
    phone, desk, _ = family(server, "off")
    ben = server.client("ben2")
    enable(desk, False)
    enable(desk, False)
    quiet(desk)
    ben.message(phone.jid, "one")
    phone.expect_body("one")
    assert not messages(desk)


def test_of_another_account_it_is_not_allowed(server):
    a, b = server.client("own"), server.client("other")
    assert a.error_of(a.iq("set", f"<enable xmlns='{CARBONS}'/>", to=b.bare)) == "not-allowed"


def test_private_and_no_copy_are_honoured_and_stay(server):
    phone, desk, old = family(server, "secretive")
    ben = server.client("ben3")
    quiet(phone, desk, old)
    for extra in (f"<private xmlns='{CARBONS}'/><no-copy xmlns='{HINTS}'/>", f"<private xmlns='{CARBONS}'/>",
                  f"<no-copy xmlns='{HINTS}'/>"):
        ben.message(phone.jid, "psst", extra=extra)
        got = phone.expect_body("psst")
        assert ("private" in extra) == (got.find(f"{{{CARBONS}}}private") is not None)
        phone.message(ben.jid, "psst too", extra=extra)
        ben.expect_body("psst too")
    assert not messages(desk) and not messages(old)


def test_nobody_forges_a_copy(server):
    """What claims to be a copy comes from who sent it, and clients believe the account's bare JID only."""
    phone, desk, _ = family(server, "victim")
    eve = server.client("eve")
    quiet(phone, desk)
    fake = (f"<received xmlns='{CARBONS}'><forwarded xmlns='{FORWARD}'><message xmlns='jabber:client' "
            f"from='ben@{server.domain}' to='{phone.bare}' type='chat'><body>pay!</body></message></forwarded></received>")
    eve.write(f"<message to='{phone.bare}' type='chat' from='{eve.jid}'>{fake}</message>")
    assert phone.expect("message").get("from") == eve.jid
    assert desk.expect("message").get("from") == eve.jid
    eve.write(f"<message to='{phone.jid}' type='chat'>{fake}</message>")
    assert phone.expect("message").get("from") == eve.jid
    assert not messages(desk)                     # and a copy of a copy is none
    phone.write(f"<message to='{desk.jid}' type='chat'>{fake}</message>")
    assert desk.expect("message").get("from") == phone.jid
    impostor = server.client("eve", resource="bold")
    impostor.write(f"<message from='{phone.bare}' to='{phone.bare}' type='chat'>{fake}</message>")
    impostor.expect_stream_error("invalid-from")
    assert not messages(phone)


def test_a_copy_names_the_record(server):
    phone, desk, _ = family(server, "keeper")
    ben = server.client("ben4")
    quiet(phone, desk)
    ben.message(phone.jid, "kept")
    assert own_id(phone.expect_body("kept"), phone.bare) == own_id(copy_in(desk.expect("message"), "received"), phone.bare)
    phone.message(ben.jid, "sent")
    ident = own_id(copy_in(desk.expect("message"), "sent"), phone.bare)
    i = desk.new_id()
    desk.write(f"<iq type='set' id='{i}'><query xmlns='urn:xmpp:mam:2'/></iq>")
    results = []
    while (e := desk.next()).get("id") != i:
        results.append(e.find("{urn:xmpp:mam:2}result"))
    assert results[-1].get("id") == ident


def test_an_error_goes_where_the_message_went(server):
    phone, desk, old = family(server, "wrong")
    quiet(phone, desk, old)
    phone.message(f"nobody@{server.domain}/gone", "hello?", kind="normal")
    assert phone.expect("message").get("type") == "error"
    assert body(copy_in(desk.expect("message"), "sent")) == "hello?"
    e = desk.expect("message")
    assert e.get("type") == "error" and copy_in(e, "received").get("type") == "error"
    phone.message(f"nobody@{server.domain}/gone", "hello?", kind="normal", extra=f"<private xmlns='{CARBONS}'/>")
    assert phone.expect("message").get("type") == "error"
    assert not messages(desk) and not messages(old)


def test_an_error_about_a_copy_reaches_nobody(server):
    phone, desk, _ = family(server, "grumpy")
    ben = server.client("ben5")
    ben.message(phone.jid, "one")
    desk.expect("message")
    desk.write(f"<message to='{desk.bare}' type='error' id='x'><error type='cancel'>"
               f"<service-unavailable xmlns='{NS['stanzas']}'/></error></message>")
    desk.ping()
    assert not messages(ben) and [body(m) for m in messages(phone)] == ["one"]


def test_rooms(server):
    """What is said in a room comes from the room, and so do private messages of occupants; ours are copied."""
    room = f"den@muc.{server.domain}"
    phone, desk, _ = family(server, "roomer")
    ben = server.client("ben6")
    for client, nick in ((phone, "anna"), (ben, "ben")):
        client.write(f"<presence to='{room}/{nick}'><x xmlns='{NS['muc']}'/></presence>")
        client.expect("message", lambda m: m.find("client:subject", NS) is not None)
        client.iq("set", f"<query xmlns='{NS['muc_owner']}'><x xmlns='jabber:x:data' type='submit'/></query>", to=room)
    quiet(phone, desk)
    phone.message(room, "hi all", kind="groupchat")
    ben.expect_body("hi all")
    ben.message(f"{room}/anna", "psst")
    phone.expect_body("psst")
    assert not messages(desk)
    phone.message(f"{room}/ben", "what?", extra=f"<x xmlns='{NS['muc_user']}'/>")
    ben.expect_body("what?")
    assert body(copy_in(desk.expect("message"), "sent")) == "what?"
    ben.write(f"<message to='{phone.jid}'><x xmlns='jabber:x:conference' jid='{room}'/></message>")
    assert copy_in(desk.expect("message"), "received").find("{jabber:x:conference}x").get("jid") == room


def test_without_presence_there_are_copies_but_none_of_what_waits(server):
    phone = device(server, "mute", "phone", presence=False)
    ben = server.client("ben7")
    ben.message(phone.bare, "waits")
    ben.ping()
    assert not messages(phone)
    phone.write("<presence/>")
    phone.expect_body("waits")
    assert not messages(phone)


def test_copies_keep_the_order(server):
    phone, desk, old = family(server, "orderly")
    ben = server.client("ben8")
    quiet(phone, desk, old)
    for i in range(30):
        ben.message(phone.bare if i % 3 == 0 else phone.jid if i % 3 == 1 else old.jid, str(i))
        if i % 7 == 0:
            ben.ping()
    seen = [desk.expect("message") for _ in range(30)]
    assert [body(m) or body(copy_in(m, "received")) for m in seen] == [str(i) for i in range(30)]


def test_a_copy_waits_for_who_sleeps(server):
    phone = enable(managed(server, "sleeper", resource="phone"))
    desk = enable(managed(server, "sleeper", resource="desk"))
    ben = server.client("ben9")
    quiet(phone, desk)
    phone.drop()
    hibernates(server, phone.jid)
    ben.message(desk.jid, "to the desk")
    desk.expect_body("to the desk")
    desk.message(ben.bare, "answer")
    ben.expect_body("answer")
    back = resume(server, phone, "sleeper")
    for way, text in (("received", "to the desk"), ("sent", "answer")):
        e = back.expect("message")
        assert (e.get("from"), e.get("to"), body(copy_in(e, way))) == (phone.bare, phone.jid, text)
    ben.message(desk.jid, "again")                 # it still has carbons
    assert body(copy_in(back.expect("message"), "received")) == "again"


def kick(server, jid):
    server.ctl("kick", jid)


def test_a_copy_that_nobody_acknowledged_is_nothing_more(server):
    """Who ends with unacknowledged copies: the message itself was somebody else's."""
    phone = enable(managed(server, "ender", resource="phone"))
    desk = managed(server, "ender", resource="desk")
    ben = server.client("ben10")
    ben.message(desk.jid, "hello")
    desk.expect_body("hello")
    assert body(copy_in(phone.expect("message"), "received")) == "hello"
    desk.ack()
    kick(server, phone.jid)
    phone.expect_stream_error("policy-violation")
    assert not messages(desk) and not messages(ben)


def test_what_the_others_have_as_a_copy_does_not_come_again(server):
    phone = enable(managed(server, "twice", resource="phone"))
    desk = managed(server, "twice", resource="desk")
    ben = server.client("ben11")
    desk.drop()
    hibernates(server, desk.jid)
    ben.message(desk.jid, "hello")
    assert body(copy_in(phone.expect("message"), "received")) == "hello"
    phone.ack()
    phone.ask()
    kick(server, desk.jid)
    assert not messages(phone)
    assert not messages(ben)


def test_a_message_whose_copy_was_not_acknowledged_is_not_lost(server):
    phone = enable(managed(server, "careful", resource="phone"))
    desk = managed(server, "careful", resource="desk")
    ben = server.client("ben12")
    desk.drop()
    hibernates(server, desk.jid)
    phone.drop()
    hibernates(server, phone.jid)
    ben.message(desk.jid, "hello")
    ben.ping()
    kick(server, desk.jid)
    kick(server, phone.jid)
    third = server.client("careful", resource="third")
    third.expect_body("hello")


def test_carbons_outlive_sm(server):
    server.expect_warning("daemon_restarted")
    phone, desk, _ = family(server, "survivor")
    ben = server.client("ben13")
    quiet(phone, desk)
    for pid in {row["pid"] for row in server.ctl_json("status") if row["role"] == "sm"}:
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: all(row["state"] == "running" and row["pid"] != pid
                             for row in server.ctl_json("status", check=False)), "sm again")
    ben.message(phone.jid, "still here")
    phone.expect_body("still here")
    assert body(copy_in(desk.expect("message"), "received")) == "still here"


def test_slixmpp_sees_copies(server):
    slixmpp = pytest.importorskip("slixmpp")
    phone = server.client("slim", resource="phone")
    ben = server.client("ben14")
    seen = {}

    async def run():
        x = slixmpp.ClientXMPP(f"{phone.bare}/slix", "secret")
        x.ssl_context.check_hostname, x.ssl_context.verify_mode = False, ssl.CERT_NONE
        x.register_plugin("xep_0280")
        started, got, sent = (asyncio.get_running_loop().create_future() for _ in range(3))
        x.add_event_handler("session_start", lambda e: started.set_result(e))
        x.add_event_handler("carbon_received", lambda m: got.set_result(m["carbon_received"]["body"]))
        x.add_event_handler("carbon_sent", lambda m: sent.set_result(m["carbon_sent"]["body"]))
        x.connect(("127.0.0.1", server.c2s))
        await asyncio.wait_for(started, 15)
        await x["xep_0280"].enable()
        x.send_presence()
        ben.message(phone.jid, "in")
        seen["in"] = await asyncio.wait_for(got, 15)
        phone.message(ben.jid, "out")
        seen["out"] = await asyncio.wait_for(sent, 15)
        x.disconnect()

    asyncio.run(run())
    assert seen == {"in": "in", "out": "out"}
