"""Messages between local users: RFC 6121 sections 5 and 8.5, offline storage (XEP-0160)."""

import xml.etree.ElementTree as ET

from harness import NS


def test_two_clients_chat(server):
    a, b = server.client("alice"), server.client("bob")
    a.message(b.bare, "hello &lt;bob&gt;")
    m = b.expect_body("hello <bob>")
    assert m.get("from") == a.jid and m.get("type") == "chat"
    b.message(a.jid, "hello alice")
    assert a.expect_body("hello alice").get("to") == a.jid


def test_order_is_kept(server):
    a, b = server.client("alice"), server.client("bob")
    for i in range(300):
        a.message(b.bare, f"m{i}")
    got = [b.expect("message").findtext("client:body", None, NS) for _ in range(300)]
    assert got == [f"m{i}" for i in range(300)]


def test_content_arrives_untouched(server):
    a, b = server.client("alice"), server.client("bob")
    extra = ("<x xmlns='urn:x:1' a='1 &amp; &quot;2&quot;'><y:z xmlns:y='urn:y'>d&#xE9;j&#xE0; <![CDATA[<vu>]]></y:z></x>"
             "<thread>t</thread>")
    a.message(b.bare, "x", extra=extra)
    m = b.expect_body("x")
    inner = m.find("{urn:x:1}x")
    assert inner.get("a") == '1 & "2"' and inner.find("{urn:y}z").text == "déjà <vu>"
    assert m.findtext("client:thread", None, NS) == "t"


def test_bare_jid_goes_to_every_resource_with_priority(server):
    a = server.client("alice")
    b1 = server.client("bob", resource="one", priority=5)
    b2 = server.client("bob", resource="two", priority=1)
    b3 = server.client("bob", resource="negative", priority=-1)
    a.message(b1.bare, "to all")
    b1.expect_body("to all")
    b2.expect_body("to all")
    b3.expect_none("message", lambda m: m.findtext("client:body", None, NS) == "to all")


def test_full_jid_of_absent_resource_falls_back_to_the_account(server):
    a, b = server.client("alice"), server.client("bob", resource="here")
    a.message(f"{b.bare}/elsewhere", "where are you")
    b.expect_body("where are you")


def test_offline_messages_wait_in_order_with_a_delay_stamp(server):
    server.register("sleeper")
    a = server.client("alice")
    for i in range(5):
        a.message(f"sleeper@{server.domain}", f"later {i}")
    a.message(f"sleeper@{server.domain}", "no", kind="headline")
    a.ping()
    s = server.client("sleeper", register=False)
    for i in range(5):
        m = s.expect("message")
        assert m.findtext("client:body", None, NS) == f"later {i}"
        assert m.find("delay:delay", NS).get("stamp").endswith("Z")
        assert m.get("from") == a.jid
    s.expect_none("message")
    s.close()
    again = server.client("sleeper", register=False)
    again.expect_none("message")


def test_offline_messages_survive_a_restart_of_sm(server):
    server.register("patient")
    a = server.client("alice")
    a.message(f"patient@{server.domain}", "still there")
    a.ping()
    server.ctl("stop", "sm-1", check=False)
    server.stop()
    server.start()
    p = server.client("patient", register=False)
    p.expect_body("still there")


def test_messages_to_nobody_are_answered_like_absent_users(server):
    server.register("absent")
    a = server.client("alice")
    answers = []
    for to in (f"absent@{server.domain}", f"not-there@{server.domain}"):
        e = a.iq("get", "<query xmlns='jabber:iq:version'/>", to=f"{to}/x")
        answers.append(a.error_of(e))
    assert answers == ["service-unavailable"] * 2


def test_negative_priority_gets_no_offline_messages(server):
    server.register("minus")
    a = server.client("alice")
    a.message(f"minus@{server.domain}", "kept")
    a.ping()
    m = server.client("minus", register=False, priority=-1)
    m.expect_none("message")
    m.write("<presence><priority>0</priority></presence>")
    m.expect_body("kept")


def test_from_of_somebody_else_ends_the_stream(server):
    a, b = server.client("alice"), server.client("bob")
    a.write(f"<message to='{b.bare}' from='eve@{server.domain}'><body>forged</body></message>")
    a.expect_stream_error("invalid-from")
    b.expect_none("message")


def test_message_without_to_reaches_the_own_account(server):
    a = server.client("alice")
    a.write("<message type='chat'><body>note to self</body></message>")
    a.expect_body("note to self")


def test_iq_to_a_full_jid_is_passed_and_answered(server):
    """To whom shares presence, here by directed presence (RFC 6121 8.5.3.1)."""
    a, b = server.client("alice"), server.client("bob")
    b.write(f"<presence to='{a.jid}'/>")
    a.expect("presence", lambda p: p.get("from") == b.jid)
    a.write(f"<iq type='get' id='v1' to='{b.jid}'><query xmlns='urn:some:thing'/></iq>")
    q = b.expect("iq")
    assert q.get("from") == a.jid and q.find("{urn:some:thing}query") is not None
    b.write(f"<iq type='result' id='v1' to='{a.jid}'><answer xmlns='urn:some:thing'/></iq>")
    assert a.expect("iq").find("{urn:some:thing}answer") is not None


def test_unknown_iq_is_refused_and_malformed_iqs_too(server):
    a = server.client("alice")
    assert a.error_of(a.iq("get", "<q xmlns='urn:nobody:knows'/>", to=server.domain)) == "service-unavailable"
    assert a.error_of(a.iq("get", "<q xmlns='urn:nobody:knows'/>")) == "service-unavailable"
    a.write("<iq type='get' id='two'><a xmlns='u'/><b xmlns='u'/></iq>")
    assert a.error_of(a.expect("iq")) == "bad-request"
    a.write("<iq type='set' id='none'/>")
    assert a.error_of(a.expect("iq")) == "bad-request"
    a.write("<iq type='what' id='type'><a xmlns='u'/></iq>")
    assert a.error_of(a.expect("iq")) == "bad-request"


def test_malformed_addressee(server):
    a = server.client("alice")
    a.write("<message to='a@b@c/@' id='j1'><body>x</body></message>")
    e = a.expect("message")
    assert a.error_of(e) == "jid-malformed" and e.get("id") == "j1"


def test_long_names_and_big_messages(server):
    user = "u" * 500
    a, b = server.client("alice"), server.client(user)
    body = "x" * 200000
    a.message(b.bare, body)
    assert b.expect("message").findtext("client:body", None, NS) == body
    assert ET.tostring(b.iq("get", "<query xmlns='jabber:iq:roster'/>"))
