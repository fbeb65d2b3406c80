"""Servers that do not behave as Prosody does: both sides of streams and dialback, step by step."""

import os
import shutil
import time

import pytest

from fake_server import FakeServer
from federation import Dns
from harness import NS, Client, Server, wait_for
from test_federation import SERVER_HEADER, raw_peer

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("dnsmasq"), reason="needs root and dnsmasq")
OURS = "zubr.example"
PEERS = {
    "plain": dict(starttls=False),
    "direct": dict(direct_tls=True),
    "silent": dict(silent=True),
    "closing": dict(result=lambda n: "close" if n == 1 else "valid"),
    "never": dict(result=lambda n: "close"),
    "refusing": dict(result=lambda n: "error"),
    "distrusting": dict(result=lambda n: "invalid"),
    "good": dict(),
    "second": dict(),
    "denying": dict(verify="invalid"),
    "narrow": dict(limits=(4000, 86400)),
    "brief": dict(limits=(100000, 2)),
    "odd": dict(limits=("many", -1)),
}


@pytest.fixture(scope="module")
def peers():
    made = {name: FakeServer(f"{name}.example", **how) for name, how in PEERS.items()}
    yield made
    for peer in made.values():
        peer.stop()


@pytest.fixture(scope="module")
def suite(peers):
    server = Server("--resolver", "127.0.53.2:53", "--set", "limits.s2s_queue_seconds=5", "--set",
                    "limits.s2s_queue_bytes=20000", domains=(OURS,))
    hosts = {f"{name}.example": "127.0.0.1" for name in [*peers, "zubr"]}
    hosts.update({f"a-rather-long-name-of-a-host-{i}.many.example": "127.0.0.1" for i in range(24)})
    services = {f"{name}.example": (f"{name}.example", p.port) for name, p in peers.items() if name != "direct"}
    extra = [f"--srv-host=_xmpps-server._tcp.direct.example,direct.example,{peers['direct'].port}",
             "--srv-host=_xmpp-server._tcp.none.example,.,0"]
    extra += [f"--srv-host=_xmpp-server._tcp.many.example,a-rather-long-name-of-a-host-{i}.many.example,"
              f"{peers['good'].port},{i}" for i in range(24)]
    dns = Dns(hosts, services, address="127.0.53.2", extra=extra)
    try:
        with server:
            yield server
    finally:
        dns.stop()


def error_of_message(c, to, timeout=20):
    ident = c.message(to, "hello?")
    return c.error_of(c.expect("message", lambda m: m.get("id") == ident and m.get("type") == "error", timeout))


# ---- streams we open

def test_direct_tls_is_found_and_used(server, peers):
    a, peer = server.client("alice"), peers["direct"]
    a.message("x@direct.example", "through TLS")
    assert peer.expect("through TLS").get("from") == a.jid
    assert peer.alpn == "xmpp-server" and peer.sni == "direct.example"


def test_nothing_is_said_in_clear(server, peers):
    a = server.client("alice")
    assert error_of_message(a, "x@plain.example") == "remote-server-timeout"
    assert peers["plain"].stanzas.empty() and peers["plain"].keys == 0


def test_a_failure_is_remembered_for_a_while(server, peers):
    a = server.client("alice")
    error_of_message(a, "x@plain.example")
    before, begin = peers["plain"].connections, time.monotonic()
    assert error_of_message(a, "x@plain.example") == "remote-server-timeout"
    assert time.monotonic() - begin < 2 and peers["plain"].connections == before
    assert [r for r in server.ctl_json("queue", "plain.example") if r["state"] == "failed" and r["retry_ms"] > 0]
    server.ctl("flush", "plain.example")
    error_of_message(a, "x@plain.example")
    assert peers["plain"].connections > before


def test_a_silent_peer_costs_the_sender_the_time_of_the_queue(server, peers):
    a, begin = server.client("alice"), time.monotonic()
    assert error_of_message(a, "x@silent.example") == "remote-server-timeout"
    assert 4 < time.monotonic() - begin < 9


def test_a_full_queue_is_said_at_once(server, peers):
    a = server.client("alice")
    for _ in range(30):
        a.message("x@silent.example", "y" * 1000)
    e = a.expect("message", lambda m: m.get("type") == "error", 3)
    assert a.error_of(e) == "resource-constraint"
    a.settle(6)


def test_what_waits_is_tried_on_a_second_stream_once(server, peers):
    a = server.client("alice")
    a.message("x@closing.example", "patience")
    peers["closing"].expect("patience")
    assert peers["closing"].keys == 2
    assert error_of_message(a, "x@never.example") == "remote-server-timeout"
    assert peers["never"].keys == 2


@pytest.mark.parametrize("name, condition", [("refusing", "remote-server-timeout"),
                                             ("distrusting", "internal-server-error")])
def test_a_peer_that_does_not_take_us(server, peers, name, condition):
    a = server.client("alice")
    assert error_of_message(a, f"x@{name}.example") == condition
    assert peers[name].stanzas.empty()
    assert error_of_message(a, f"x@{name}.example") in (condition, "remote-server-timeout")
    assert peers[name].keys == 1


def test_dns_says_no_service_or_answers_at_length(server, peers):
    a = server.client("alice")
    assert error_of_message(a, "x@none.example") == "remote-server-not-found"
    rows = server.ctl_json("dns", "many.example")            # too long for a datagram: by TCP; each s2sd says its own
    assert len(rows) in (16, 32) and {r["address"] for r in rows} == {"127.0.0.1"}
    server.ctl("dns", "none.example", check=False)
    assert server.ctl_status == 1
    server.ctl("dns", "not a domain", check=False)
    assert server.ctl_status == 1


# ---- XEP-0478

LIMITS = "{urn:xmpp:stream-limits:0}"


def returned(c, ident):
    e = c.expect("message", lambda m: m.get("id") == ident and m.get("type") == "error")
    error = e.find("client:error", NS)
    assert c.error_of(e) == "policy-violation" and error.get("by") is None and error.get("type") == "modify"
    assert "4000" in error.findtext("stanzas:text", None, NS)


def test_what_the_other_side_does_not_take_comes_back(server, peers):
    """3.1: policy-violation, without `by`; the stream stays, and what is around it goes its way."""
    a, peer = server.client("alice"), peers["narrow"]
    ident = a.message("x@narrow.example", "z" * 4000)           # waits for the stream
    a.message("x@narrow.example", "fits")
    returned(a, ident)
    peer.expect("fits")
    connections = peer.connections
    ident = a.message("x@narrow.example", "z" * 4000)           # the stream is there
    a.message("x@narrow.example", "fits too")
    returned(a, ident)
    peer.expect("fits too")
    e = a.iq("set", f"<q xmlns='urn:q'>{'z' * 4000}</q>", to="x@narrow.example")
    assert a.error_of(e) == "policy-violation"
    a.write(f"<presence to='x@narrow.example'><status>{'z' * 4000}</status></presence>"
            f"<message type='error' to='x@narrow.example'><error type='cancel'><text>{'z' * 4000}</text></error></message>")
    a.message("x@narrow.example", "last")
    peer.expect("last")                                        # neither before it: nobody hears of them
    assert peer.connections == connections


def test_the_limit_is_met_to_the_byte(server, peers):
    a, peer = server.client("alice"), peers["narrow"]
    start = len(f"<message from='{a.jid}' id='s0000' to='x@narrow.example'><body></body></message>")
    for n in range(3995, 4005):
        a.write(f"<message to='x@narrow.example' id='s{n}'><body>{'z' * (n - start)}</body></message>")
    assert [a.expect("message").get("id") for _ in range(4)] == [f"s{n}" for n in range(4001, 4005)]
    came = []
    while "s4000" not in came:
        came.append(peer.stanzas.get(timeout=15).get("id"))
    assert came[-6:] == [f"s{n}" for n in range(3995, 4001)]


def test_a_stream_is_closed_before_the_other_side_would(server, peers):
    a, peer = server.client("alice"), peers["brief"]
    a.message("x@brief.example", "hello")
    peer.expect("hello")
    wait_for(lambda: peer.closes == 1, "a polite end")


def test_limits_that_are_no_numbers_are_none(server, peers):
    a = server.client("alice")
    a.message("x@odd.example", "z" * 10000)
    peers["odd"].expect("z" * 10000)


def test_our_limits_are_announced_and_observed(server, peers):
    c = Client(server, OURS, port=server.s2s)
    header = SERVER_HEADER.format("good.example", OURS)
    assert c.open(header).next().find(f"{LIMITS}limits") is None          # nothing but TLS is possible here
    c.write(f"<starttls xmlns='{NS['tls']}'/>")
    c.next()
    c._wrap()
    limits = c.open(header).next().find(f"{LIMITS}limits")
    assert (limits.findtext(f"{LIMITS}max-bytes"), limits.findtext(f"{LIMITS}idle-seconds")) == ("262144", "600")
    a, c = server.client("alice"), verified(server)
    c.write(f"<message from='x@good.example' to='{a.bare}'><body>{'z' * 262000}</body></message>")
    a.expect_body("z" * 262000)
    c.write(f"<message from='x@good.example' to='{a.bare}'><body>{'z' * 262144}</body></message>")
    c.expect_stream_error("policy-violation")


def test_errors_and_results_are_not_answered(server, peers):
    a = server.client("alice")
    a.write("<message to='x@none.example' type='error' id='e1'><error type='cancel'/></message>"
            "<iq to='x@none.example' type='result' id='e2'/>")
    a.ping()
    a.expect_none("message")
    a.expect_none("iq")


def test_directed_presence_is_answered_when_nobody_is_there(server, peers):
    a = server.client("alice")
    a.write("<presence to='room@none.example/nick'/>")
    p = a.expect("presence", lambda p: p.get("type") == "error")
    assert p.get("from") == "room@none.example/nick" and a.error_of(p) == "remote-server-not-found"


def test_content_changes_its_namespace_with_the_stream(server, peers):
    a, c = server.client("alice"), verified(server)
    a.write("<message to='x@good.example'><body xmlns='jabber:client'>explicit</body>"
            "<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client'><body>inner</body></message></forwarded>"
            "</message>")
    e = peers["good"].expect("explicit")
    assert e.find(".//{jabber:client}message/{jabber:client}body").text == "inner"
    c.write(f"<message from='x@good.example' to='{a.bare}'><body xmlns='jabber:server'>back</body></message>")
    a.expect_body("back")


# ---- streams they open

def verified(server, name="good", to=OURS):
    c = raw_peer(server, come_from=f"{name}.example", to=to)
    c.write(f"<db:result from='{name}.example' to='{to}'>any</db:result>")
    assert c.next().get("type") == "valid"
    return c


def test_a_verified_domain_may_speak(server, peers):
    a, c = server.client("alice"), verified(server)
    c.write(f"<message from='x@good.example/r' to='{a.bare}' type='chat'><body>hi</body></message>")
    assert a.expect_body("hi").get("from") == "x@good.example/r"
    rows = [r for r in server.ctl_json("streams", "good.example") if r["direction"] == "in"]
    assert rows and "good.example>zubr.example" in rows[-1]["domains"] and rows[-1]["tls"].startswith("TLS")


@pytest.mark.parametrize("stanza, condition", [
    ("<message to='alice@zubr.example'><body>x</body></message>", "improper-addressing"),
    ("<message from='x@good.example'><body>x</body></message>", "improper-addressing"),
    ("<message from='x@other.example' to='alice@zubr.example'><body>x</body></message>", "invalid-from"),
    ("<message from='x@zubr.example' to='alice@zubr.example'><body>x</body></message>", "invalid-from"),
    ("<message from='x@good.example' to='x@elsewhere.example'><body>x</body></message>", "host-unknown"),
    ("<message from='x@good.example' to='r@muc.zubr.example'><body>x</body></message>", "invalid-from"),
    ("<message from='@good.example' to='alice@zubr.example'><body>x</body></message>", "invalid-from"),
    ("<nonsense xmlns='some:thing'/>", "unsupported-stanza-type"),
    ("<message from='x@good.example' to='alice@zubr.example'><body></message>", "not-well-formed"),
])
def test_wrong_addresses_end_the_stream(server, peers, stanza, condition):
    a, c = server.client("alice"), verified(server)
    c.write(stanza)
    c.expect_stream_error(condition)
    a.expect_none("message")


def test_an_address_that_is_none_costs_only_its_sender(server, peers):
    a, c = server.client("alice"), verified(server)
    c.write("<message from='x@good.example' to='@@zubr.example' id='bad'><body>x</body></message>"
            f"<message from='x@good.example' to='{a.bare}'><body>y</body></message>")
    a.expect_body("y")
    e = peers["good"].stanzas.get(timeout=10)
    assert e.get("type") == "error" and e.get("id") == "bad" and e.find(f".//{{{NS['stanzas']}}}jid-malformed") is not None


def test_nobody_there_is_said_to_the_other_side(server, peers):
    c = verified(server)
    c.write("<iq from='x@good.example/r' to='nobody@zubr.example' type='get' id='q1'><query xmlns='jabber:iq:version'/></iq>")
    e = peers["good"].stanzas.get(timeout=10)
    assert e.get("type") == "error" and e.get("id") == "q1"


def test_one_stream_carries_several_pairs(server, peers):
    a, c = server.client("alice"), verified(server)
    c.write("<db:result from='second.example' to='zubr.example'>any</db:result>"
            "<db:result from='good.example' to='muc.zubr.example'>any</db:result>")
    answers = {(e.get("from"), e.get("to"), e.get("type")) for e in (c.next(), c.next())}
    assert answers == {("zubr.example", "second.example", "valid"), ("muc.zubr.example", "good.example", "valid")}
    c.write(f"<message from='x@second.example' to='{a.bare}'><body>two</body></message>")
    a.expect_body("two")
    c.write("<message from='x@second.example' to='r@muc.zubr.example'><body>x</body></message>")
    c.expect_stream_error("invalid-from")


def test_dialback_errors_leave_the_stream_alone(server, peers):
    server.expect_warning("dialback_forged")
    c = verified(server)
    for said, condition in (("from='good.example' to='elsewhere.example'", "item-not-found"),
                            ("from='zubr.example' to='zubr.example'", "not-acceptable"),
                            ("from='nowhere.example' to='zubr.example'", "remote-server-not-found"),
                            ("from='denying.example' to='zubr.example'", "forbidden")):
        c.write(f"<db:result {said}>any</db:result>")
        e = c.next()
        assert e.get("type") == "error" and e.find(f".//{{{NS['stanzas']}}}{condition}") is not None, condition
    c.write("<db:result from='second.example' to='zubr.example'>any</db:result>")
    assert c.next().get("type") == "valid"


def test_a_denied_key_ends_a_stream_that_proved_nothing(server, peers):
    server.expect_warning("dialback_forged")
    before = sum("dialback_forged" in line for line in server.lines)
    c = raw_peer(server, come_from="denying.example")
    c.write("<db:result from='denying.example' to='zubr.example'>any</db:result>")
    assert c.next().get("type") == "invalid"
    assert c.next() is None
    wait_for(lambda: sum("dialback_forged" in line for line in server.lines) > before, "the warning")


@pytest.mark.parametrize("answer", ["<db:result from='good.example' to='zubr.example' type='valid'/>",
                                    "<db:verify from='good.example' to='zubr.example' id='1' type='valid'/>"])
def test_answers_nobody_asked_for(server, peers, answer):
    server.expect_warning("dialback_unsolicited")
    before = sum("dialback_unsolicited" in line for line in server.lines)
    c = raw_peer(server, come_from="good.example")
    c.write(answer)
    c.expect_stream_error("policy-violation")
    wait_for(lambda: sum("dialback_unsolicited" in line for line in server.lines) > before, "the warning")


def test_keys_that_are_not_ours_are_denied(server, peers):
    c = raw_peer(server, come_from="good.example")
    c.write("<db:verify from='good.example' to='zubr.example' id='i'>0123</db:verify>"
            "<db:verify from='good.example' to='elsewhere.example' id='j'>0123</db:verify>")
    assert [(e.get("id"), e.get("type")) for e in (c.next(), c.next())] == [("i", "invalid"), ("j", "error")]


def test_dialback_in_clear_is_refused(server, peers):
    c = raw_peer(server, come_from="good.example", tls=False)
    c.write("<db:result from='good.example' to='zubr.example'>any</db:result>")
    e = c.next()
    assert e.get("type") == "error" and e.find(f".//{{{NS['stanzas']}}}policy-violation") is not None


@pytest.mark.parametrize("to, come_from, condition", [("elsewhere.example", "good.example", "host-unknown"),
                                                      (OURS, OURS, "invalid-from")])
def test_headers_that_are_refused(server, peers, to, come_from, condition):
    from test_federation import SERVER_HEADER
    from harness import Client
    c = Client(server, OURS, port=server.s2s)
    c.open(SERVER_HEADER.format(come_from, to))
    c.expect_stream_error(condition)


def test_before_dialback_elements_are_small(server, peers):
    c = raw_peer(server, come_from="good.example")
    c.write("<db:result from='good.example' to='zubr.example'>" + "x" * 20000)
    c.expect_stream_error("policy-violation")


def test_a_polite_end(server, peers):
    c = verified(server)
    c.write("</stream:stream>")
    assert c.next() is None
    c.expect_end()
