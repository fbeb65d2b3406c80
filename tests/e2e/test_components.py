"""External components: XEP-0114."""

import hashlib

import pytest

from harness import NS, Client, wait_for

DOMAIN = "comp.example.org"
HEADER = "<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' " \
         "xmlns:stream='http://etherx.jabber.org/streams' to='{}'>"


def connect(server, secret="secret", domain=DOMAIN):
    c = Client(server, domain, port=server.component)
    c.open(HEADER.format(domain))
    while c.header is None:
        c._take(5)
    c.write(f"<handshake>{hashlib.sha1((c.header.get('id') + secret).encode()).hexdigest()}</handshake>")
    return c


@pytest.fixture
def component(server):
    c = connect(server)
    assert c.next().tag == "{jabber:component:accept}handshake"
    yield c
    if not c.ended:
        c.close()


def expect(c, name):
    e = c.next()
    assert e is not None and e.tag == f"{{jabber:component:accept}}{name}", e
    return e


def body(e):
    return e.findtext("{jabber:component:accept}body")


def test_stanzas_both_ways(server, component):
    a = server.client("alice")
    a.message(f"anybody@{DOMAIN}/r", "to the gateway")
    m = expect(component, "message")
    assert m.get("from") == a.jid and m.get("to") == f"anybody@{DOMAIN}/r" and body(m) == "to the gateway"
    component.write(f"<message from='somebody@{DOMAIN}' to='{a.bare}' type='chat'><body>from the gateway</body></message>")
    assert a.expect_body("from the gateway").get("from") == f"somebody@{DOMAIN}"


def test_presence_and_iq(server, component):
    a = server.client("alice")
    a.write(f"<presence to='x@{DOMAIN}'/>")
    assert expect(component, "presence").get("from") == a.jid
    ident = a.new_id()
    a.write(f"<iq to='{DOMAIN}' type='get' id='{ident}'><ping xmlns='urn:xmpp:ping'/></iq>")
    q = expect(component, "iq")
    component.write(f"<iq from='{DOMAIN}' to='{q.get('from')}' type='result' id='{q.get('id')}'/>")
    assert a.expect("iq", lambda e: e.get("id") == ident).get("type") == "result"


def test_it_may_write_to_itself(server, component):
    component.write(f"<message from='a@{DOMAIN}' to='b@{DOMAIN}'><body>loop</body></message>")
    assert body(expect(component, "message")) == "loop"


@pytest.mark.parametrize("kind", ["iq type='get'", "message"])
@pytest.mark.parametrize("long_one", ["id='{}'", "id='x' xml:lang='{}'"], ids=["id", "lang"])
def test_what_is_too_long_for_a_daemon_is_answered(server, component, kind, long_one):
    """RFC 6120 8.2.3: an answer for each get and set, with its id, also when daemons cannot tell each other of it."""
    attribute = long_one.format("l" * 65536)
    component.write(f"<{kind} from='x@{DOMAIN}' to='{server.domain}' {attribute}>"
                    f"<ping xmlns='urn:xmpp:ping'/></{kind.split()[0]}>")
    e = expect(component, kind.split()[0])
    assert (e.get("type"), e.get("from"), e.get("to")) == ("error", server.domain, f"x@{DOMAIN}")
    assert e.get("id") == ("l" * 65536 if "lang" not in long_one else "x")
    assert e.find("*/stanzas:policy-violation", NS) is not None
    # What may not be answered is not, and the stream goes on; one byte less is passed on.
    component.write(f"<iq from='x@{DOMAIN}' to='{server.domain}' type='result' id='{'l' * 65536}'/>"
                    f"<iq from='x@{DOMAIN}' to='{server.domain}' type='get' id='{'l' * 65535}'><ping xmlns='urn:xmpp:ping'/></iq>")
    e = expect(component, "iq")
    assert e.get("type") == "result" and e.get("id") == "l" * 65535


@pytest.mark.parametrize("inner, ident", [("", "id='q'"), ("<a xmlns='a:b'/><b xmlns='a:b'/>", "id='q'"),
                                          ("<ping xmlns='urn:xmpp:ping'/>", "")], ids=["empty", "two", "no id"])
def test_an_iq_that_is_none(server, component, inner, ident):
    """RFC 6120 8.2.3."""
    component.write(f"<iq from='x@{DOMAIN}' to='{server.domain}' type='get' {ident}>{inner}</iq>")
    e = expect(component, "iq")
    assert e.get("type") == "error" and e.find("*/stanzas:bad-request", NS) is not None


def test_errors_come_back_to_it(server, component):
    component.write(f"<iq from='x@{DOMAIN}' to='nobody@example.org' type='get' id='q'><query xmlns='jabber:iq:version'/></iq>")
    e = expect(component, "iq")
    assert e.get("type") == "error" and e.get("id") == "q"


def test_without_it_senders_are_told_at_once(server):
    a = server.client("alice")
    e = a.iq("get", "<ping xmlns='urn:xmpp:ping'/>", to=DOMAIN, timeout=5)
    assert a.error_of(e) in ("service-unavailable", "remote-server-not-found")


def test_it_comes_and_goes(server):
    a = server.client("alice")
    c = connect(server)
    c.next()
    c.close()
    e = a.iq("get", "<ping xmlns='urn:xmpp:ping'/>", to=DOMAIN, timeout=5)
    assert a.error_of(e) in ("service-unavailable", "remote-server-not-found")
    c = connect(server)
    c.next()
    a.message(f"x@{DOMAIN}", "back again")
    assert body(expect(c, "message")) == "back again"
    c.close()


def test_a_wrong_secret(server):
    server.expect_warning("component_refused")
    c = connect(server, "wrong")
    c.expect_stream_error("not-authorized")
    wait_for(lambda: server.log_has("component_refused", "wrong secret"), "the warning")


def test_an_unknown_name(server):
    c = Client(server, "other.example.org", port=server.component)
    c.open(HEADER.format("other.example.org"))
    c.expect_stream_error("host-unknown")


def test_a_second_one_is_a_conflict(server, component):
    """With several s2sd it may come to another instance, even before that one has heard of the first."""
    server.expect_warning("component_refused")
    server.expect_warning("route_refused")
    c = connect(server)
    c.expect_stream_error("conflict")
    wait_for(lambda: server.log_has("component_refused", "connected already"), "the warning")
    a = server.client("alice")
    a.message(f"x@{DOMAIN}", "still the first")
    assert body(expect(component, "message")) == "still the first"


def test_stanzas_before_the_handshake(server):
    c = Client(server, DOMAIN, port=server.component)
    c.open(HEADER.format(DOMAIN))
    c.write(f"<message from='x@{DOMAIN}' to='alice@example.org'><body>x</body></message>")
    c.expect_stream_error("not-authorized")


@pytest.mark.parametrize("addresses, condition", [
    ("from='alice@example.org' to='bob@example.org'", "invalid-from"),
    ("from='x@comp.example.org.evil' to='bob@example.org'", "invalid-from"),
    (f"to='bob@example.org'", "improper-addressing"),
    (f"from='x@{DOMAIN}'", "improper-addressing"),
])
def test_it_speaks_for_its_own_domain_only(server, component, addresses, condition):
    component.write(f"<message {addresses}><body>x</body></message>")
    component.expect_stream_error(condition)


def test_it_is_shown(server, component):
    row, = server.ctl_json("streams", DOMAIN)
    assert row["direction"] == "component" and row["state"] == "ready"
