"""Clauses of XEP-0388, 0386 and 0474 that test_sasl2.py does not come by: the stream's `from`, all inlines of a bind at
once, inlines that fail, and lists of mechanisms that somebody changed on the way."""

import base64
import hashlib
import ssl
import xml.etree.ElementTree as ET

import pytest

from harness import NS, wait_for
from sasl2 import (BIND2, CARBONS, CSI, NS2, SASL2, SM, Scram, agent, authenticate, b64, condition, identifier, login,
                   opened, plain, said)
from test_sasl2 import bind2, downgrade_hash, enabled, end_point

OPTIONS = ["--set", "limits.sessions_per_account=2"]
OTHER = "00000000-0000-4000-8000-000000000001"


@pytest.fixture
def user(server, request):
    name = "u%x" % (hash(request.node.name) & 0xFFFFFFFF)
    server.register(name)
    return name


def header(c, sender):
    return (f"<?xml version='1.0'?><stream:stream to='{c.domain}' from='{sender}' version='1.0' xmlns='jabber:client' "
            f"xmlns:stream='{NS['stream']}'>")


# ---- XEP-0388 2.1, 2.3, 7.4: from

@pytest.mark.parametrize("sender", ["u@elsewhere.example", "u@muc.example.org/x"])
def test_a_from_of_another_domain_is_invalid(server, sender):
    c = server.stream().starttls()
    c.open(header(c, sender))
    c.expect_stream_error("invalid-from")


@pytest.mark.parametrize("sender", ["", "@", "a b@c", "{user}@{domain}/resource", "{domain}", "{user}@{DOMAIN}",
                                    "localhost", "elsewhere.example"])
def test_any_other_from_is_a_hint_or_none(server, user, sender):
    c = server.stream().starttls()
    c.open(header(c, sender.format(user=user, domain=c.domain, DOMAIN=c.domain.upper())))
    assert c.features().find("sasl2:authentication", NS2) is not None
    c.write(authenticate("PLAIN", plain(user, "secret")))
    identifier(c, said(c.next(), "success"))
    c.drop()


def test_before_tls_nobody_minds(server):
    """RFC 6120 4.7.1 asks clients to say nothing there; what they say counts for nothing."""
    c = server.stream().open(f"<stream:stream to='{server.domain}' from='u@elsewhere.example' version='1.0' "
                             f"xmlns='jabber:client' xmlns:stream='{NS['stream']}'>")
    assert c.features().find("tls:starttls", NS) is not None


@pytest.mark.parametrize("authzid,good", [("{user}@{domain}", True), ("{USER}@{DOMAIN}", True), ("{user}@{domain}/r", False),
                                          ("{user}", False), ("other@{domain}", False)])
def test_an_authorization_identity_is_compared_as_a_jid(server, user, authzid, good):
    c, _ = opened(server, user)
    wish = authzid.format(user=user, USER=user.upper(), domain=c.domain, DOMAIN=c.domain.upper())
    c.write(authenticate("PLAIN", plain(user, "secret", wish)))
    e = c.next()
    if good:
        identifier(c, said(e, "success"))
    else:
        assert condition(e) == "invalid-authzid"
    c.drop()


# ---- 2.6.2: nothing of a failed login is done

def test_a_failed_login_does_nothing_that_it_asked_for(server, user):
    c, success = login(server, user, bind2(f"<enable xmlns='{SM}' resume='true'/>"))
    c.features()
    evil, _ = opened(server, user)
    evil.write(authenticate("PLAIN", plain(user, "guess"), agent() + bind2() +
                            f"<resume xmlns='{SM}' previd='{enabled(success).get('id')}' h='0'/>"
                            "<request-token xmlns='urn:xmpp:fast:0' mechanism='HT-SHA-256-NONE'/>"))
    e = evil.next()
    assert condition(e) == "not-authorized" and len(e) == 1
    assert c.ping().get("type") == "result"            # neither replaced nor resumed
    assert len(server.ctl_json("sessions", f"{user}@{server.domain}")) == 1
    evil.drop(), c.drop()


# ---- XEP-0386

def test_everything_at_once(server, user):
    """Carbons, an inactive client and stream management in one bind: each is in force from the first stanza on."""
    peer = server.client(f"{user}.peer")
    other, _ = login(server, user, bind2(), agent=agent(OTHER))
    other.features()
    other.write("<presence/>")
    other.expect("presence", lambda p: p.get("from") == other.jid)
    c, success = login(server, user, bind2(f"<enable xmlns='{CARBONS}'/><inactive xmlns='{CSI}'/>"
                                           f"<enable xmlns='{SM}' resume='true'/>"))
    found = [e.tag for e in success.find("bind2:bound", NS2)]
    assert found[0] == f"{{{SM}}}enabled" and f"{{urn:xmpp:mam:2}}metadata" in found
    c.features()
    row = next(r for r in server.ctl_json("sessions", c.bare) if r["jid"] == c.jid)
    assert row["inactive"] and row["managed"] != "off"
    c.write("<presence/>")
    c.ping()
    peer.write(f"<message to='{other.jid}' type='chat'><body>copied</body></message>")
    copy = c.expect("message", lambda m: m.find(f"{{{CARBONS}}}received") is not None)
    assert "copied" in ET.tostring(copy, encoding="unicode")
    peer.write(f"<presence to='{c.jid}'><status>unimportant</status></presence>")
    peer.ping()
    wait_for(lambda: next(r for r in server.ctl_json("sessions", c.bare) if r["jid"] == c.jid)["held"] == 1, "it being held")
    c.write(f"<active xmlns='{CSI}'/>")
    c.expect("presence", lambda p: p.get("from") == peer.jid)
    for x in (c, other, peer):
        x.drop()


def test_one_inline_that_fails_leaves_the_others(server, user):
    c, success = login(server, user, bind2(f"<enable xmlns='{SM}' max='x'/><enable xmlns='{CARBONS}'/><active xmlns='{CSI}'/>"
                                           f"<nonsense xmlns='{SM}'/><enable xmlns='urn:unknown'/>"))
    bound = success.find("bind2:bound", NS2)
    assert bound.find("sm:failed/stanzas:bad-request", NS2) is not None
    c.features()
    assert c.iq("set", f"<disable xmlns='{CARBONS}'/>").get("type") == "result"
    c.drop()


def test_said_twice_it_is_done_once(server, user):
    c, success = login(server, user, bind2(f"<enable xmlns='{SM}'/><enable xmlns='{SM}' resume='true'/>"))
    assert len(success.findall("bind2:bound/sm:enabled", NS2)) == 1
    assert enabled(success).get("resume") is None
    c.drop()


def test_a_bind_that_cannot_be_done_leaves_a_login(server, user):
    """No session is free: the login stands, nothing is bound, and the features offer what can still be done."""
    held = [login(server, user, bind2(), agent=agent(f"00000000-0000-4000-8000-00000000000{i}"))[0] for i in (1, 2)]
    for x in held:
        x.features()
    c, success = login(server, user, bind2(f"<enable xmlns='{SM}'/>"))
    assert success.find("bind2:bound", NS2) is None and c.jid == f"{user}@{server.domain}"
    assert c.features().find("bind:bind", NS) is not None
    held[0].close()
    wait_for(lambda: len(server.ctl_json("sessions", c.jid)) == 1, "room for one more")
    c.bind("late")
    held[1].drop(), c.drop()


def test_somebody_else_s_session_is_not_resumed(server, user):
    server.register(f"{user}2")
    c, success = login(server, f"{user}2", bind2(f"<enable xmlns='{SM}' resume='true'/>"))
    c.features()
    c.drop()
    thief, e = login(server, user, f"<resume xmlns='{SM}' previd='{enabled(success).get('id')}' h='0'/>" + bind2())
    failed = e.find("sm:failed", NS2)
    assert failed.find("stanzas:item-not-found", NS2) is not None and failed.get("h") is None
    assert e.find("bind2:bound", NS2) is not None
    thief.features()
    thief.drop()


def test_a_bind_after_a_failed_resumption_enables_what_it_asks(server, user):
    c, e = login(server, user, f"<resume xmlns='{SM}' previd='none' h='0'/>" +
                 bind2(f"<enable xmlns='{SM}' resume='true'/><enable xmlns='{CARBONS}'/>"))
    assert e.find("sm:failed", NS2) is not None and enabled(e).get("id")
    c.features()
    c.drop()


# ---- XEP-0474, 0440

@pytest.mark.parametrize("hash_name", ["SHA-1", "SHA-256"])
@pytest.mark.parametrize("version", [None, ssl.TLSVersion.TLSv1_2])
def test_the_hash_of_a_stream_that_binds_to_its_channel(server, user, hash_name, version):
    c, features = opened(server, user, version)
    scram = Scram(user, "secret", hash_name, "p=tls-server-end-point", end_point(c))
    c.write(authenticate(f"SCRAM-{hash_name}-PLUS", scram.first()))
    challenge = said(c.next(), "challenge")
    c.write(f"<response xmlns='{SASL2}'>{scram.final(challenge.text)}</response>")
    said(c.next(), "success")
    offered = features.findall("sasl2:authentication/sasl2:mechanism", NS2)
    assert scram.fields["h"] == downgrade_hash(features, offered, scram.hash)
    c.drop()


def test_a_hash_that_was_changed_on_the_way_fails_the_login(server, user):
    """The client proves the message as it got it; the server, as it sent it (XEP-0474 4.2)."""
    c, features = opened(server, user)
    scram = Scram(user, "secret")
    c.write(authenticate("SCRAM-SHA-256", scram.first()))
    text = base64.b64decode(said(c.next(), "challenge").text).decode()
    weak = b64(hashlib.sha256(b"SCRAM-SHA-256").digest())
    forged = ",".join(f"h={weak}" if f.startswith("h=") else f for f in text.split(","))
    assert forged != text
    c.write(f"<response xmlns='{SASL2}'>{scram.final(b64(forged))}</response>")
    assert condition(c.next()) == "not-authorized"
    c.drop()


def test_the_types_stand_beside_both_profiles_once(server):
    _, features = opened(server)
    assert len(features.findall("cb:sasl-channel-binding", NS2)) == 1
    for names in ([m.text for m in features.findall("sasl:mechanisms/sasl:mechanism", NS)],
                  [m.text for m in features.findall("sasl2:authentication/sasl2:mechanism", NS2)]):
        assert "SCRAM-SHA-256-PLUS" in names and len(names) == len(set(names))
