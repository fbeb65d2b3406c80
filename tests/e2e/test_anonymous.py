"""Sessions without an account: SASL ANONYMOUS (RFC 4505) as XEP-0175 has it, in both profiles."""

import re
import xml.etree.ElementTree as ET

import pytest

from harness import NS, Server
from sasl2 import BIND2, CARBONS, NS2, SASL2, SM, agent, authenticate, b64, condition, identifier, said

DOMAINS = ("example.org", "guest.example", "wide.example")
OPTIONS = ["--set", "domain[guest.example].anonymous=local", "--set", "domain[wide.example].anonymous=anywhere",
           "--set", "limits.anonymous_per_address=100", "--set", "limits.anonymous_per_hour=10000"]
NAME = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")


def mechanisms(features, ns):
    return [m.text for m in features.iter(f"{{{ns}}}mechanism")]


def auth(server, domain="guest.example", trace="", **stream):
    """As XEP-0175 4 shows it; returns the client and the answer."""
    c = server.stream(domain, **stream).starttls()
    c.open().features()
    c.write(f"<auth xmlns='{NS['sasl']}' mechanism='ANONYMOUS'>{trace}</auth>")
    return c, c.next()


def guest(server, domain="guest.example", presence=True, resource="test", **stream):
    c, e = auth(server, domain, **stream)
    assert e.tag == f"{{{NS['sasl']}}}success" and not e.text, ET.tostring(e)
    c.open().features()
    c.bind(resource)
    if presence:
        c.write("<presence/>")
        c.expect("presence", lambda p: p.get("from") == c.jid)
    return c


def features_of(server, domain):
    c = server.stream(domain).starttls()
    found = c.open().features()
    c.close()
    return found


@pytest.mark.parametrize("domain, offered", [("example.org", False), ("guest.example", True), ("wide.example", True)])
def test_offered_only_where_the_operator_said_so(server, domain, offered):
    found = features_of(server, domain)
    assert ("ANONYMOUS" in mechanisms(found, NS["sasl"])) == offered
    assert ("ANONYMOUS" in mechanisms(found, SASL2)) == offered


def test_not_asked_for_it_does_not_exist(server):
    c, e = auth(server, "example.org")
    assert e.tag == f"{{{NS['sasl']}}}failure" and e[0].tag.endswith("}invalid-mechanism")
    c.write(authenticate("ANONYMOUS"))
    assert condition(c.next()) == "invalid-mechanism"


def test_each_login_is_somebody_else_with_a_random_name(server):
    a, b = guest(server), guest(server)
    assert a.bare != b.bare
    for c in (a, b):
        assert NAME.match(c.bare.split("@")[0]) and c.bare.endswith("@guest.example")
    assert a.jid.endswith("/test")


@pytest.mark.parametrize("trace, good", [("=", True), (b64("sirhc"), True), (b64("x" * 255), True),
                                         (b64("é" * 255), True), (b64("x" * 256), False), (b64("a\0b"), False),
                                         (b64(b"\xff"), False)])
def test_trace_information_is_looked_at_and_used_for_nothing(server, trace, good):
    c, e = auth(server, trace=trace)
    assert e.tag.endswith("}success" if good else "}failure"), ET.tostring(e)
    if good:
        c.open().features()
        assert "sirhc" not in c.bind("")
    else:
        assert e[0].tag.endswith("}malformed-request")


def test_sasl2_with_bind2_inside(server):
    c = server.stream("guest.example").starttls()
    c.open().features()
    c.write(authenticate("ANONYMOUS", None, agent() + f"<bind xmlns='{BIND2}'><tag>App</tag>"
                         f"<enable xmlns='{CARBONS}'/><enable xmlns='{SM}' resume='true'/></bind>"))
    e = said(c.next(), "success")
    identifier(c, e)
    assert NAME.match(c.bare.split("@")[0]) and "/App/" in c.jid
    enabled = e.find("bind2:bound/sm:enabled", NS2)
    assert enabled is not None and enabled.get("resume") is None and enabled.get("id") is None
    assert e.find("bind2:bound/bind2:metadata", NS2) is None
    c.features()
    c.write(f"<r xmlns='{SM}'/>")
    assert c.next().tag == f"{{{SM}}}a"


def test_sasl2_alone_and_no_token(server):
    c = server.stream("guest.example").starttls()
    c.open().features()
    c.write(authenticate("ANONYMOUS", b64("trace"), agent() +
                         "<request-token xmlns='urn:xmpp:fast:0' mechanism='HT-SHA-256-NONE'/>"))
    e = said(c.next(), "success")
    assert "@guest.example" in identifier(c, e) and "/" not in c.jid
    assert e.find("{urn:xmpp:fast:0}token") is None
    c.features()
    c.bind()


def test_chats_with_an_account_and_the_account_keeps_it(server):
    juliet, c = server.client("juliet"), guest(server)
    c.message(juliet.bare, "hello")
    m = juliet.expect_body("hello", c.jid)
    assert m.find("{urn:xmpp:sid:0}stanza-id") is not None
    juliet.message(c.jid, "who are you?")
    c.expect_body("who are you?", juliet.jid)
    juliet.message(c.bare, "to the bare one")
    c.expect_body("to the bare one", juliet.jid)


def test_nothing_of_a_guest_is_archived(server):
    juliet, c = server.client("juliet2"), guest(server)
    c.message(juliet.bare, "one")
    juliet.expect_body("one")
    juliet.message(c.jid, "two")
    m = c.expect_body("two")
    assert m.find("{urn:xmpp:sid:0}stanza-id") is None
    answer = c.iq("set", "<query xmlns='urn:xmpp:mam:2'/>")
    assert answer.get("type") == "result" and answer.find(".//{http://jabber.org/protocol/rsm}count").text == "0"


def test_the_end_is_told_and_the_name_is_nobodys(server):
    juliet, c = server.client("juliet3"), guest(server)
    c.write(f"<presence to='{juliet.jid}'/>")
    juliet.expect("presence", lambda p: p.get("from") == c.jid)
    c.close()
    gone = juliet.expect("presence", lambda p: p.get("from") == c.jid)
    assert gone.get("type") == "unavailable"
    ident = juliet.message(c.jid, "too late")
    e = juliet.expect("message", lambda m: m.get("id") == ident)
    assert juliet.error_of(e) == "service-unavailable"
    e = juliet.iq("get", f"<query xmlns='{NS['disco_info']}'/>", to=c.bare)
    assert juliet.error_of(e) == "service-unavailable"


def test_a_lost_connection_ends_it_at_once(server):
    juliet, c = server.client("juliet4"), guest(server)
    c.write(f"<enable xmlns='{SM}' resume='true'/>")
    enabled = c.expect("enabled")
    assert enabled.get("resume") is None and enabled.get("id") is None
    c.write(f"<presence to='{juliet.jid}'/>")
    juliet.expect("presence", lambda p: p.get("from") == c.jid)
    c.drop()
    gone = juliet.expect("presence", lambda p: p.get("from") == c.jid)
    assert gone.get("type") == "unavailable"


def test_what_was_not_acknowledged_comes_back_to_who_sent_it(server):
    juliet, c = server.client("juliet5"), guest(server)
    c.write(f"<enable xmlns='{SM}'/>")
    c.expect("enabled")
    ident = juliet.message(c.jid, "unseen")
    c.expect_body("unseen")
    c.drop()
    e = juliet.expect("message", lambda m: m.get("id") == ident)
    assert juliet.error_of(e) == "service-unavailable"


def test_disco_says_what_it_is_to_everybody(server):
    juliet, c = server.client("juliet6"), guest(server)
    for who, to in ((juliet, c.bare), (c, c.bare), (c, None)):
        e = who.iq("get", f"<query xmlns='{NS['disco_info']}'/>", to=to)
        identities = [(i.get("category"), i.get("type")) for i in e.iter(f"{{{NS['disco_info']}}}identity")]
        assert identities == [("account", "anonymous")], ET.tostring(e)
        assert {f.get("var") for f in e.iter(f"{{{NS['disco_info']}}}feature")} == \
            {NS["disco_info"], NS["disco_items"]}


ROSTER = f"<query xmlns='{NS['roster']}'/>"
ITEM = f"<query xmlns='{NS['roster']}'><item jid='juliet@example.org'/></query>"
PUBLISH = "<pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='n'><item><x xmlns='u:x'/></item></publish></pubsub>"


@pytest.mark.parametrize("kind, payload, to, answer", [
    ("get", ROSTER, None, None),
    ("get", "<blocklist xmlns='urn:xmpp:blocking'/>", None, None),
    ("get", "<query xmlns='jabber:iq:private'><storage xmlns='storage:bookmarks'/></query>", None, None),
    ("get", "<ping xmlns='urn:xmpp:ping'/>", "guest.example", None),
    ("get", f"<query xmlns='{NS['disco_items']}'/>", "guest.example", None),
    ("get", "<vCard xmlns='vcard-temp'/>", None, None),
    ("set", f"<enable xmlns='{CARBONS}'/>", None, None),
    ("set", ITEM, None, "forbidden"),
    ("set", "<query xmlns='jabber:iq:private'><storage xmlns='storage:bookmarks'/></query>", None, "forbidden"),
    ("set", "<vCard xmlns='vcard-temp'><FN>x</FN></vCard>", None, "forbidden"),
    ("set", "<block xmlns='urn:xmpp:blocking'><item jid='a@b'/></block>", None, "forbidden"),
    ("set", PUBLISH, None, "forbidden"),
    ("set", PUBLISH, "juliet@example.org", "forbidden"),
    ("set", "<enable xmlns='urn:xmpp:push:0' jid='push.example' node='x'/>", None, "forbidden"),
    ("set", "<prefs xmlns='urn:xmpp:mam:2' default='always'/>", None, "forbidden"),
    ("set", "<query xmlns='urn:xmpp:mam:2'/>", None, None),
    ("get", f"<query xmlns='{NS['register']}'/>", None, "forbidden"),
    ("set", f"<query xmlns='{NS['register']}'><remove/></query>", None, "forbidden"),
    ("set", f"<query xmlns='{NS['register']}'><username>x</username><password>y</password></query>", "guest.example",
     "forbidden"),
    ("get", f"<query xmlns='{NS['register']}'/>", "muc.example.org", "forbidden"),
    ("get", "<query xmlns='jabber:iq:search'/>", "guest.example", "forbidden"),
    ("set", "<command xmlns='http://jabber.org/protocol/commands' node='http://jabber.org/protocol/admin#add-user'/>",
     "guest.example", "forbidden"),
    ("set", "<query xmlns='http://jabber.org/protocol/muc#owner'/>", "room@muc.example.org", "forbidden"),
    ("set", "<x xmlns='urn:unknown'/>", None, "forbidden"),
    ("get", "<x xmlns='urn:unknown'/>", None, "service-unavailable"),
    ("get", "<ping xmlns='urn:xmpp:ping'/>", "remote.example", "forbidden"),
])
def test_what_a_guest_may_ask(server, kind, payload, to, answer):
    server.ctl("register", "juliet@example.org", stdin="secret\n", check=False)
    c = guest(server)
    e = c.iq(kind, payload, to=to)
    if answer:
        assert c.error_of(e) == answer
    else:
        assert e.get("type") == "result" or "item-not-found" in ET.tostring(e, encoding="unicode"), ET.tostring(e)


def test_no_subscription_in_either_direction(server):
    juliet, c = server.client("juliet7"), guest(server)
    for kind in ("subscribe", "subscribed", "unsubscribe", "unsubscribed"):
        c.write(f"<presence to='{juliet.bare}' type='{kind}' id='{kind}'/>")
        e = c.expect("presence", lambda p: p.get("type") == "error")
        assert e.get("id") == kind and c.error_of(e) == "forbidden"
    juliet.write(f"<presence to='{c.bare}' type='subscribe'/>")
    juliet.ping()
    c.expect_none("presence")
    juliet.expect_none("presence", lambda p: p.get("type") == "subscribe")


def test_remote_servers_are_out_of_reach_unless_said(server):
    c = guest(server)
    ident = c.message("romeo@remote.example", "hello")
    e = c.expect("message", lambda m: m.get("id") == ident)
    assert c.error_of(e) == "forbidden"
    c.write("<presence to='room@muc.remote.example/n'/>")
    assert c.error_of(c.expect("presence", lambda p: p.get("type") == "error")) == "forbidden"
    wide = guest(server, "wide.example")
    ident = wide.message("romeo@remote.invalid", "hello")
    e = wide.expect("message", lambda m: m.get("id") == ident, timeout=60)
    assert wide.error_of(e) in ("remote-server-not-found", "remote-server-timeout")


def test_enters_a_room_and_leaves_with_its_session(server):
    owner, c = server.client("owner"), guest(server)
    room = "lobby@muc.example.org"
    owner.write(f"<presence to='{room}/o'><x xmlns='{NS['muc']}'/></presence>")
    owner.expect("presence", lambda p: p.get("from") == f"{room}/o")
    owner.iq("set", f"<query xmlns='{NS['muc_owner']}'><x xmlns='jabber:x:data' type='submit'/></query>", to=room)
    c.write(f"<presence to='{room}/g'><x xmlns='{NS['muc']}'/></presence>")
    c.expect("presence", lambda p: p.get("from") == f"{room}/g")
    c.message(room, "in here", kind="groupchat")
    owner.expect_body("in here", f"{room}/g")
    c.drop()
    gone = owner.expect("presence", lambda p: p.get("from") == f"{room}/g" and p.get("type") == "unavailable")
    assert gone is not None


def test_no_account_under_such_a_name(server):
    c = guest(server)
    server.ctl("register", c.bare, stdin="secret\n", check=False)
    assert server.ctl_status == 1 and "conflict" in server.ctl_error.lower() + server.ctl("users", check=False)
    c.close()
    server.ctl("register", c.bare, stdin="secret\n", check=False)
    assert server.ctl_status == 1
    assert c.bare not in server.ctl("users", check=False)
    server.register("3b241101-e2bb-8255-8caf-4136c566a962@guest.example")     # a UUID that is not ours is a name


def test_the_operator_sees_and_ends_it(server):
    c = guest(server)
    assert [row["jid"] for row in server.ctl_json("sessions", c.bare)] == [c.jid]
    server.ctl("kick", c.jid)
    c.expect_stream_error("policy-violation")
    assert not server.ctl_json("sessions", c.bare)


def test_accounts_of_that_domain_log_in_as_ever(server):
    juliet = server.client("juliet@guest.example")
    c = guest(server)
    juliet.message(c.jid, "hi")
    c.expect_body("hi", juliet.jid)


def test_a_session_survives_a_restart_of_sm_as_what_it_is(server):
    c = guest(server, presence=False)
    for name in [row["name"] for row in server.ctl_json("status") if row["role"] == "sm"]:
        server.restart(name)
    assert c.error_of(c.iq("set", ITEM)) == "forbidden"
    assert [i.get("type") for i in c.iq("get", f"<query xmlns='{NS['disco_info']}'/>").iter(
        f"{{{NS['disco_info']}}}identity")] == ["anonymous"]


def test_how_many_and_how_fast():
    with Server("--set", "domain[example.org].anonymous=local", "--set", "limits.anonymous_per_address=2",
                "--set", "limits.anonymous_per_hour=6") as s:
        first, second = (guest(s, "example.org", source="127.0.0.2") for _ in range(2))
        _, e = auth(s, "example.org", source="127.0.0.2")
        assert e.tag.endswith("}failure") and e[0].tag.endswith("}temporary-auth-failure")
        guest(s, "example.org", source="127.0.0.3")
        first.close()
        first = guest(s, "example.org", source="127.0.0.2")
        streams = [auth(s, "example.org", source="127.0.0.4") for _ in range(3)]      # let in, not yet bound
        assert all(e.tag.endswith("}success") for _, e in streams)
        for i, (c, _) in enumerate(streams):
            c.open().features()
            if i < 2:
                c.bind()
            else:
                assert c.error_of(c.iq("set", f"<bind xmlns='{NS['bind']}'/>")) == "resource-constraint"
        for c, _ in streams:
            c.close()
        for _ in range(3):
            assert auth(s, "example.org", source="127.0.0.4")[1].tag.endswith("}success")
        _, e = auth(s, "example.org", source="127.0.0.4")
        assert e.tag.endswith("}failure") and "Too many logins" in ET.tostring(e, encoding="unicode")
        second.ping()


def test_how_many_at_all():
    with Server("--set", "domain[example.org].anonymous=local", "--set", "limits.anonymous_sessions=3",
                "--instances", "sm=1") as s:
        held = [guest(s, "example.org", source=f"127.0.0.{i + 2}") for i in range(3)]
        _, e = auth(s, "example.org", source="127.0.0.9")
        assert e[0].tag.endswith("}temporary-auth-failure")
        s.client("juliet")
        held[0].close()
        guest(s, "example.org", source="127.0.0.9")
