"""XEP-0215 with credentials for coturn; XEP-0157 and XEP-0455 in disco#info; XEP-0055, which is off by default."""

import base64
import calendar
import hashlib
import hmac
import time

import pytest

from harness import NS, Server

EXTDISCO = "urn:xmpp:extdisco:2"
SEARCH = "jabber:iq:search"
DATA = "jabber:x:data"
SECRET = "a shared & long secret"
SETTINGS = [
    "service[stun.example.org].type=stun", "service[turn.example.org].secret_file=secrets/turn",
    "service[turn-tls].host=turn.example.org", "service[turn-tls].type=turns", "service[turn-tls].port=5349",
    "service[turn-tls].transport=tcp", "service[turn-tls].secret_file=secrets/turn",
    "service[turn-tls].label=Relay", "service[turn-tls].credentials_seconds=600",
    "domain[example.org].abuse_addresses=mailto:abuse@example.org,xmpp:abuse@example.org",
    "domain[example.org].security_addresses=https://example.org/security",
    "domain[example.org].outage_addresses=https://status.example.com/zubr.json",
    "search=true", "limits.search_results=3",
]


@pytest.fixture(scope="module")
def options():
    return [word for setting in SETTINGS for word in ("--set", setting)]


@pytest.fixture(scope="module")
def suite(options):
    with Server(*options, domains=("example.org", "example.net")) as server:
        (server.dir / "secrets" / "turn").write_text(SECRET + "\n")
        (server.dir / "secrets" / "turn").chmod(0o644)
        (server.dir / "secrets").chmod(0o755)
        yield server


def services(client, payload=f"<services xmlns='{EXTDISCO}'/>"):
    reply = client.iq("get", payload, to=client.domain)
    return [s.attrib for s in reply.iter(f"{{{EXTDISCO}}}service")]


def info(client, to):
    return client.iq("get", f"<query xmlns='{NS['disco_info']}'/>", to=to)


def features(client, to):
    return {f.get("var") for f in info(client, to).iter(f"{{{NS['disco_info']}}}feature")}


def check_credentials(service, seconds):
    expiry, user = service["username"].split(":")
    assert abs(int(expiry) - time.time() - seconds) < 60
    assert calendar.timegm(time.strptime(service["expires"], "%Y-%m-%dT%H:%M:%SZ")) == int(expiry)
    mac = hmac.new(SECRET.encode(), service["username"].encode(), hashlib.sha1).digest()
    assert service["password"] == base64.b64encode(mac).decode()
    assert service["restricted"] == "true"
    return user


def test_services_and_their_credentials(server):
    a, b = server.client("a"), server.client("b")
    assert EXTDISCO in features(a, server.domain)
    stun, turn, turns = sorted(services(a), key=lambda s: s["type"])
    assert stun == {"host": "stun.example.org", "type": "stun", "port": "3478", "transport": "udp"}
    assert (turn["host"], turn["type"], turn["port"], turn["transport"]) == ("turn.example.org", "turn", "3478", "udp")
    assert (turns["host"], turns["type"], turns["port"], turns["transport"], turns["name"]) == \
        ("turn.example.org", "turns", "5349", "tcp", "Relay")
    user = check_credentials(turn, 86400)
    assert check_credentials(turns, 600) == user and "a@" not in user
    theirs, = services(b, f"<services xmlns='{EXTDISCO}' type='turn'/>")
    assert check_credentials(theirs, 86400) != user
    assert [s["type"] for s in services(a, f"<services xmlns='{EXTDISCO}' type='turn'/>")] == ["turn"]
    assert services(a, f"<services xmlns='{EXTDISCO}' type='ftp'/>") == []
    for c in (a, b):
        c.close()


def test_credentials_of_one_service(server):
    a = server.client("a")
    ask = f"<credentials xmlns='{EXTDISCO}'>%s</credentials>"
    one, = services(a, ask % "<service host='turn.example.org' type='turns'/>")
    check_credentials(one, 600)
    assert len(services(a, ask % "<service host='turn.example.org' type='turn' port='3478'/>")) == 1
    for wrong in ("<service host='turn.example.org' type='turn' port='1'/>", "<service host='nowhere' type='turn'/>",
                  "<service host='stun.example.org' type='stun'/>"):
        assert a.error_of(a.iq("get", ask % wrong, to=a.domain)) == "item-not-found"
    for bad in ("", "<service host='turn.example.org'/>", "<service type='turn'/>",
                "<service host='a' type='turn'/><service host='b' type='turn'/>"):
        assert a.error_of(a.iq("get", ask % bad, to=a.domain)) == "bad-request"
    a.close()


def test_a_secret_that_is_gone_is_logged_and_left_out(server):
    a = server.client("a")
    path = server.dir / "secrets" / "turn"
    path.rename(path.with_name("gone"))
    server.expect_warning("secret_failed")
    assert [s["type"] for s in services(a)] == ["stun"]
    path.with_name("gone").rename(path)
    assert len(services(a)) == 3
    a.close()


def test_without_services_it_is_not_offered():
    with Server() as server:
        a = server.client("a")
        assert not {EXTDISCO, SEARCH} & features(a, server.domain)
        for payload in (f"<services xmlns='{EXTDISCO}'/>", f"<query xmlns='{SEARCH}'/>"):
            assert a.error_of(a.iq("get", payload, to=server.domain)) == "service-unavailable"
        assert info(a, server.domain).find(f".//{{{DATA}}}field[@var='abuse-addresses']") is None
        a.close()


def forms(reply):
    found = {}
    for x in reply.iter(f"{{{DATA}}}x"):
        fields = {f.get("var"): [v.text for v in f] for f in x}
        found[fields.pop("FORM_TYPE")[0]] = fields
    return found


def test_contact_addresses_and_outage_address(server):
    a = server.client("a")
    found = forms(info(a, "example.org"))
    assert found["http://jabber.org/network/serverinfo"] == {
        "abuse-addresses": ["mailto:abuse@example.org", "xmpp:abuse@example.org"],
        "security-addresses": ["https://example.org/security"]}
    assert found["urn:xmpp:sos:0"] == {"external-status-addresses": ["https://status.example.com/zubr.json"]}
    assert "http://jabber.org/network/serverinfo" not in forms(info(a, "example.net"))
    assert "http://jabber.org/network/serverinfo" not in forms(info(a, a.bare))
    a.close()


def card(first, last, nick="", email=""):
    return (f"<vCard xmlns='vcard-temp'><N><GIVEN>{first}</GIVEN><FAMILY>{last}</FAMILY></N><NICKNAME>{nick}</NICKNAME>"
            f"<EMAIL><USERID>{email}</USERID></EMAIL></vCard>")


def found_by(client, to="example.org", **wanted):
    fields = "".join(f"<{name}>{value}</{name}>" for name, value in wanted.items())
    reply = client.iq("set", f"<query xmlns='{SEARCH}'>{fields}</query>", to=to)
    assert reply.get("type") == "result"
    return [i.get("jid") for i in reply.iter(f"{{{SEARCH}}}item")]


def test_search(server):
    people = {"juliet": card("Juliet", "Capulet", "JuliC", "juliet@shakespeare.lit"), "tybalt": card("Tybalt", "Capulet"),
              "romeo": card("Romeo", "Montague"), "romeo@example.net": card("Romeo", "Elsewhere")}
    for name, vcard in people.items():
        c = server.client(name)
        assert c.iq("set", vcard).get("type") == "result"
        c.close()
    a = server.client("a")
    assert SEARCH in features(a, server.domain)
    reply = a.iq("get", f"<query xmlns='{SEARCH}'/>", to=server.domain)
    assert {e.tag.split("}")[1] for e in reply.find(f"{{{SEARCH}}}query")} == \
        {"instructions", "first", "last", "nick", "email", "x"}
    assert sorted(found_by(a, last="capulet")) == ["juliet@example.org", "tybalt@example.org"]
    assert found_by(a, first="jul", last="cap", nick="julic", email="@shakespeare") == ["juliet@example.org"]
    assert found_by(a, first="Romeo") == ["romeo@example.org"]
    assert found_by(a, to="example.net", first="Romeo") == ["romeo@example.net"]
    assert found_by(a, first="GIVEN") == [] and found_by(a, last="nobody") == []
    form = (f"<query xmlns='{SEARCH}'><x xmlns='{DATA}' type='submit'><field var='FORM_TYPE'><value>{SEARCH}</value></field>"
            "<field var='nick'><value>julic</value></field></x></query>")
    item, = a.iq("set", form, to=server.domain).iter(f"{{{DATA}}}item")
    assert {f.get("var"): f[0].text for f in item}["jid"] == "juliet@example.org"
    assert a.error_of(a.iq("set", f"<query xmlns='{SEARCH}'/>", to=server.domain)) == "not-acceptable"
    for i in range(4):
        c = server.client(f"same{i}")
        c.iq("set", card("Same", "Name"))
        c.close()
    assert len(found_by(a, first="same")) == 3              # limits.search_results
    a.close()
