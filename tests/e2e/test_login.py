"""Streams, TLS, SASL, resource binding: RFC 6120 sections 4 to 7, with raw clients."""

import base64
import hashlib
import hmac
import os
import ssl
import warnings
import xml.etree.ElementTree as ET

import pytest

from harness import NS, Client


def mechanisms(features):
    return [m.text for m in features.findall("sasl:mechanisms/sasl:mechanism", NS)]


def scram(client, user, password, hash_name="SHA-1", header="n,,", repeat=None, binding=b"", mechanism=None):
    """A SCRAM exchange by hand (RFC 5802); returns the last element."""
    h = {"SHA-1": hashlib.sha1, "SHA-256": hashlib.sha256}[hash_name]
    nonce = base64.b64encode(os.urandom(12)).decode()
    bare = f"n={user},r={nonce}"
    first = base64.b64encode((header + bare).encode()).decode()
    client.write(f"<auth xmlns='{NS['sasl']}' mechanism='{mechanism or 'SCRAM-' + hash_name}'>{first}</auth>")
    e = client.next()
    if not e.tag.endswith("challenge"):
        return e
    challenge = base64.b64decode(e.text).decode()
    fields = dict(f.split("=", 1) for f in challenge.split(","))
    assert fields["r"].startswith(nonce)
    salted = hashlib.pbkdf2_hmac(h().name, password.encode(), base64.b64decode(fields["s"]), int(fields["i"]))
    client_key = hmac.new(salted, b"Client Key", h).digest()
    channel = base64.b64encode((repeat or header).encode() + binding).decode()
    final = f"c={channel},r={fields['r']}"
    auth = f"{bare},{challenge},{final}".encode()
    signature = hmac.new(h(client_key).digest(), auth, h).digest()
    proof = base64.b64encode(bytes(a ^ b for a, b in zip(client_key, signature))).decode()
    client.write(f"<response xmlns='{NS['sasl']}'>" + base64.b64encode(f"{final},p={proof}".encode()).decode() +
                 "</response>")
    e = client.next()
    if e.tag.endswith("success"):
        server_key = hmac.new(salted, b"Server Key", h).digest()
        want = base64.b64encode(hmac.new(server_key, auth, h).digest()).decode()
        assert base64.b64decode(e.text).decode() == f"v={want}"
    return e


def condition(failure):
    assert failure.tag == f"{{{NS['sasl']}}}failure", ET.tostring(failure)
    return failure[0].tag.split("}")[1]


def test_before_tls_only_starttls_is_offered(server):
    features = server.stream().open().features()
    assert features.find("tls:starttls", NS) is not None
    assert features.find("tls:starttls/tls:required", NS) is not None
    assert mechanisms(features) == []


def test_sasl_before_tls_is_refused(server):
    c = server.stream().open()
    c.features()
    c.write(f"<auth xmlns='{NS['sasl']}' mechanism='PLAIN'>AGEAYg==</auth>")
    e = c.next()
    if e.tag.endswith("failure"):
        assert condition(e) == "encryption-required"
    else:
        assert e[0].tag.split("}")[1] in ("not-authorized", "policy-violation")


def test_after_tls_mechanisms_strongest_first(server):
    c = server.stream().starttls()
    offered = mechanisms(c.open().features())
    assert offered == ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"]
    assert c.header.get("from") == server.domain
    assert c.header.get("id") and c.header.get("version") == "1.0"


@pytest.mark.parametrize("hash_name", ["SHA-1", "SHA-256"])
def test_scram(server, hash_name):
    server.ctl("register", f"scram@{server.domain}", stdin="pencil\n", check=False)
    c = server.stream().starttls().open()
    c.features()
    assert scram(c, "scram", "pencil", hash_name).tag.endswith("success")
    c.open().features()
    assert c.bind("x") == f"scram@{server.domain}/x"


def test_scram_plus_with_tls_unique(server):
    server.ctl("register", f"scram@{server.domain}", stdin="pencil\n", check=False)
    c = server.stream().starttls(ssl.TLSVersion.TLSv1_2).open()
    c.features()
    binding = c.sock.get_channel_binding("tls-unique")
    e = scram(c, "scram", "pencil", "SHA-256", "p=tls-unique,,", binding=binding, mechanism="SCRAM-SHA-256-PLUS")
    assert e.tag.endswith("success"), ET.tostring(e)


def test_a_wrong_channel_binding_is_refused(server):
    server.ctl("register", f"scram@{server.domain}", stdin="pencil\n", check=False)
    c = server.stream().starttls(ssl.TLSVersion.TLSv1_2).open()
    c.features()
    e = scram(c, "scram", "pencil", "SHA-256", "p=tls-unique,,", binding=b"x" * 12, mechanism="SCRAM-SHA-256-PLUS")
    assert condition(e) == "not-authorized"


def test_y_while_plus_is_offered_is_a_downgrade(server):
    server.ctl("register", f"scram@{server.domain}", stdin="pencil\n", check=False)
    c = server.stream().starttls().open()
    c.features()
    assert condition(scram(c, "scram", "pencil", "SHA-1", "y,,")) == "malformed-request"


def test_c_must_repeat_the_first_message(server):
    server.ctl("register", f"scram@{server.domain}", stdin="pencil\n", check=False)
    c = server.stream().starttls().open()
    c.features()
    assert condition(scram(c, "scram", "pencil", "SHA-1", "n,,", repeat="y,,")) == "not-authorized"


def test_wrong_password_and_unknown_user_look_alike(server):
    server.ctl("register", f"scram@{server.domain}", stdin="pencil\n", check=False)
    answers = []
    for user in ("scram", "nobody-here"):
        c = server.stream().starttls().open()
        c.features()
        answers.append(ET.tostring(scram(c, user, "wrong", "SHA-256")))
    assert answers[0] == answers[1]


def test_authzid_of_somebody_else_is_refused(server):
    server.register("mallory", "secret")
    server.ctl("register", f"victim@{server.domain}", stdin="secret\n", check=False)
    c = server.stream().starttls().open()
    c.features()
    e = c.auth_plain("mallory", "secret", authzid=f"victim@{server.domain}")
    assert condition(e) in ("invalid-authzid", "not-authorized")


def test_after_five_failures_the_stream_ends(server):
    c = server.stream().starttls().open()
    c.features()
    for _ in range(4):
        assert condition(c.auth_plain("nobody", "wrong")) == "not-authorized"
    assert condition(c.auth_plain("nobody", "wrong")) == "not-authorized"
    c.expect_end()


def test_unknown_mechanism_and_bad_base64(server):
    c = server.stream().starttls().open()
    c.features()
    c.write(f"<auth xmlns='{NS['sasl']}' mechanism='X-NONE'>AA==</auth>")
    assert condition(c.next()) == "invalid-mechanism"
    c.write(f"<auth xmlns='{NS['sasl']}' mechanism='PLAIN'>!!!</auth>")
    assert condition(c.next()) in ("incorrect-encoding", "malformed-request")


def test_direct_tls_and_session_iq(server):
    server.register("direct")
    c = Client(server, server.domain, tls=True)
    c.login("direct", "secret", tls=False, presence=False)
    result = c.iq("set", f"<session xmlns='{NS['session']}'/>")
    assert result.get("type") == "result"
    c.close()


def test_resource_made_by_the_server_and_conflict(server):
    server.register("twice")
    a = server.client("twice", register=False, resource="desk")
    b = server.client("twice", register=False, resource="desk")
    assert a.jid == b.jid
    a.expect_stream_error("conflict")
    b.ping()
    c = server.client("twice", register=False, resource="")
    assert len(c.jid.split("/")[1]) >= 8


def test_unknown_host(server):
    c = server.stream(domain="elsewhere.example")
    c.open()
    c.expect_stream_error("host-unknown")
    assert c.header is not None


def test_tls_1_1_is_refused(server):
    c = server.stream().open()
    c.features()
    c.write(f"<starttls xmlns='{NS['tls']}'/>")
    c.next()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, OSError)):
        context.wrap_socket(c.sock)


def test_a_line_feed_after_starttls_is_forgiven(server):
    c = server.stream().open()
    c.features()
    c.write(f"<starttls xmlns='{NS['tls']}'/>\n")
    assert c.next().tag.endswith("proceed")
    c.write(" \n")
    c._wrap()
    assert mechanisms(c.open().features())


def test_nothing_can_be_injected_before_tls(server):
    c = server.stream().open()
    c.features()
    c.write(f"<starttls xmlns='{NS['tls']}'/><iq type='get' id='x'/>")
    raw = b""
    while data := c.sock.recv(65536):
        raw += data
    assert b"<proceed" in raw and b"<iq" not in raw and b"<presence" not in raw


def test_in_band_registration_before_login(server):
    c = server.stream().starttls().open()
    features = c.features()
    assert features.find("{http://jabber.org/features/iq-register}register") is not None
    form = c.iq("get", "<query xmlns='jabber:iq:register'/>")
    assert form.find("register:query/register:username", NS) is not None
    done = c.iq("set", "<query xmlns='jabber:iq:register'><username>inband</username>"
                       "<password>pw</password></query>")
    assert done.get("type") == "result", ET.tostring(done)
    again = c.iq("set", "<query xmlns='jabber:iq:register'><username>inband</username>"
                        "<password>other</password></query>")
    assert c.error_of(again) == "conflict"
    c2 = server.client("inband", "pw", register=False)
    c2.ping()


def test_password_change_and_removal(server):
    c = server.client("changer", "old")
    done = c.iq("set", "<query xmlns='jabber:iq:register'><username>changer</username>"
                       "<password>new</password></query>", to=server.domain)
    assert done.get("type") == "result", ET.tostring(done)
    server.client("changer", "new", register=False, resource="second")
    c.write("<iq type='set' id='bye'><query xmlns='jabber:iq:register'><remove/></query></iq>")
    c.expect("iq", lambda e: e.get("id") == "bye" and e.get("type") == "result")
    s = server.stream().starttls().open()
    s.features()
    assert condition(s.auth_plain("changer", "new")) == "not-authorized"
