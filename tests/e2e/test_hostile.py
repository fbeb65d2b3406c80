"""Hostile input on every socket: the right error, other clients undisturbed, nothing lost."""

import os
import socket
import time

import pytest

from harness import NS, Client, wait_for

# The flood tests are about what happens behind the rate limits.
OPTIONS = ["--set", "limits.byte_rate=0", "--set", "limits.stanza_rate=0", "--set", "limits.output_max=1048576"]


@pytest.fixture
def bystander(server):
    """A client that must be answered after whatever the test did."""
    c = server.client("bystander", resource=f"r{time.monotonic_ns()}")
    yield c
    assert c.ping().get("type") == "result"
    c.close()


MALFORMED = [
    ("<message><body>x</message>", {"not-well-formed"}),
    ("<message to='a' to='b'/>", {"not-well-formed"}),
    ("<message><x:y/></message>", {"not-well-formed", "bad-namespace-prefix"}),
    ("<message><body>&nosuch;</body></message>", {"not-well-formed", "restricted-xml"}),
    ("<!-- comment -->", {"restricted-xml"}),
    ("<?pi test?>", {"restricted-xml"}),
    ("<!DOCTYPE x [<!ENTITY a 'b'>]>", {"restricted-xml", "not-well-formed"}),
    ("<message><!-- inside --></message>", {"restricted-xml"}),
    ("<message><body>\x01</body></message>", {"not-well-formed"}),
    ("<message><body>&#0;</body></message>", {"not-well-formed"}),
    (b"<message><body>\xff\xfe</body></message>", {"not-well-formed", "bad-format", "unsupported-encoding"}),
    (b"<message><body>\xc0\x80</body></message>", {"not-well-formed", "bad-format", "unsupported-encoding"}),
    ("<strange xmlns='urn:x'/>", {"unsupported-stanza-type"}),
    ("<message xmlns='urn:other'/>", {"unsupported-stanza-type", "invalid-namespace"}),
    ("text between stanzas", {"bad-format", "not-well-formed", "invalid-xml"}),
    ("<message>" + "<a>" * 10000, {"policy-violation"}),
    ("<message>" + "<a " + " ".join(f"a{i}=''" for i in range(2000)) + "/></message>", {"policy-violation"}),
    ("<message><" + "n" * 5000 + "/></message>", {"policy-violation"}),
    ("<message><body>" + "x" * 400000, {"policy-violation"}),
]


@pytest.mark.parametrize("junk,conditions", MALFORMED, ids=range(len(MALFORMED)))
def test_malformed_xml_after_login(server, bystander, junk, conditions):
    c = server.client("hostile")
    try:
        c.write(junk)
    except OSError:
        pass
    e = c.expect("error", lambda e: e.tag == f"{{{NS['stream']}}}error")
    assert e[0].tag.split("}")[1] in conditions
    c.expect_end()


@pytest.mark.parametrize("managed", [False, True])
def test_an_id_that_is_too_long_for_a_daemon(server, bystander, managed):
    """RFC 6120 8.2.3: the answer has that id. One in the count of stream management comes from sm, which cannot be told
    of it: the stream ends, and says why (4.9.3.14)."""
    c = server.client("hostile")
    if managed:
        c.write("<enable xmlns='urn:xmpp:sm:3'/>")
        c.expect("enabled")
    c.write(f"<iq type='get' id='{'l' * 65536}'><ping xmlns='urn:xmpp:ping'/></iq>")
    if managed:
        c.expect_stream_error("policy-violation")
    else:
        e = c.expect("iq", lambda e: e.get("id") == "l" * 65536)
        assert c.error_of(e) == "policy-violation"
        assert c.ping().get("type") == "result"
        c.close()


EARLY = [
    (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", None),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200), None),
    (os.urandom(4096), None),
    (b"<stream:stream xmlns='jabber:client' to='example.org' version='1.0'>", None),
    (b"<?xml version='1.0'?><stream:stream xmlns='urn:bad' xmlns:stream='http://etherx.jabber.org/streams'"
     b" to='example.org' version='1.0'>", {"invalid-namespace"}),
    (b"<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='urn:bad' to='example.org'"
     b" version='1.0'>", {"invalid-namespace"}),
    (b"<?xml version='1.0' encoding='ISO-8859-1'?><stream:stream xmlns='jabber:client'"
     b" xmlns:stream='http://etherx.jabber.org/streams' to='example.org' version='1.0'>", {"unsupported-encoding"}),
    ("<?xml version='1.0'?><stream:stream to='x'>".encode("utf-16"), None),
    (b"<!DOCTYPE lol [<!ENTITY lol 'lol'>]><stream:stream>", None),
    (b"<a>" * 5000, None),
    (b"<" + b"a" * 20000, None),
]


@pytest.mark.parametrize("junk,conditions", EARLY, ids=range(len(EARLY)))
def test_junk_before_the_stream(server, bystander, junk, conditions):
    s = server.stream()
    s.write(junk)
    deadline = time.monotonic() + 15
    while not s.ended and time.monotonic() < deadline:
        s.sock.settimeout(1)
        try:
            data = s.sock.recv(65536)
        except socket.timeout:
            continue
        except OSError:
            break
        s.raw += data
        if not data:
            break
    assert time.monotonic() < deadline, "the connection stays open"
    for condition in conditions or ():
        assert condition.encode() in s.raw, s.raw


def test_stanzas_before_login(server, bystander):
    for tls in (False, True):
        c = server.stream()
        if tls:
            c.starttls()
        c.open().features()
        c.write(f"<message to='bystander@{server.domain}'><body>early</body></message>")
        c.expect_stream_error("not-authorized")
    bystander.expect_none("message")


def test_an_element_too_big_before_login(server, bystander):
    c = server.stream().open()
    c.features()
    c.write("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>" + "A" * 50000)
    c.expect_stream_error("policy-violation")


def test_one_byte_at_a_time(server, bystander):
    c = server.client("slow")
    for byte in f"<message to='bystander@{server.domain}' type='chat'><body>drip &amp; drop</body></message>":
        c.write(byte)
    bystander.expect_body("drip & drop")


def test_many_stanzas_in_one_write(server, bystander):
    c = server.client("fast")
    c.write("".join(f"<message to='bystander@{server.domain}' type='chat'><body>n{i}</body></message>"
                    for i in range(500)))
    for i in range(500):
        bystander.expect_body(f"n{i}")


def test_a_depth_bomb_is_neither_stored_nor_passed_on(server, bystander):
    c = server.client("bomber")
    c.write(f"<message to='bystander@{server.domain}'>" + "<a>" * 200 + "</a>" * 200 + "</message>")
    c.expect_stream_error("policy-violation")
    bystander.expect_none("message")


def test_namespaces_with_quotes_pass_untouched(server, bystander):
    c = server.client("quoter")
    c.message(f"bystander@{server.domain}", "q", extra="<x xmlns=\"it's &lt;odd&gt; &amp; long\"/>")
    m = bystander.expect_body("q")
    assert m.find("{it's <odd> & long}x") is not None


def test_a_login_right_after_a_disconnect(server, bystander):
    for _ in range(20):
        server.client("hasty", register=_ == 0).drop()
    server.client("hasty", register=False).close()


def test_a_reader_that_never_reads_is_cut(server, bystander):
    deaf = server.client("deaf")
    deaf.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    body = "x" * 100000
    loud = [server.client(f"loud{i}") for i in range(3)]
    for _ in range(60):
        for c in loud:
            c.message(deaf.jid, body)
    for c in loud:
        c.ping()
    wait_for(lambda: not server.ctl_json("sessions", deaf.bare, check=False), "the end of the deaf session", 30)


def test_the_sockets_between_the_daemons_refuse_junk(server, bystander):
    server.expect_warning("frame_refused")
    server.expect_warning("peer_refused")
    server.expect_warning("link_refused")
    for role in ("c2sd", "sm", "muc", "s2sd"):
        path = server.dir / "run" / "router" / f"{role}.sock"
        for junk in (b"\xff" * 300, os.urandom(3000), b"\0\0\0\0", b"\x58\0\0\0\x01\x01" + bytes(86)):
            s = socket.socket(socket.AF_UNIX)
            s.settimeout(10)
            s.connect(str(path))
            try:
                s.sendall(junk)
                s.shutdown(socket.SHUT_WR)
                while s.recv(4096):
                    pass
            except OSError:
                pass
            s.close()
    wait_for(lambda: sum("peer_refused" in line for line in list(server.lines)) >= 16, "a line for each of them", 5)


def test_connections_that_say_nothing(server, bystander):
    """RFC 6120 4.6.3 allows waiting; each state has its own patience, the first ten seconds."""
    silent = [Client(server, server.domain) for _ in range(50)]
    half = server.stream().open()
    half.features()
    half.write("<iq type='get' id='never")
    bystander.ping()
    for s in silent:
        s.expect_end(20)
        assert b"connection-timeout" in s.raw
    half.drop()


def test_junk_on_the_component_port(server, bystander):
    server.expect_warning("component_refused")
    header = ("<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' "
              "xmlns:stream='http://etherx.jabber.org/streams' to='{}'>")
    for junk in (os.urandom(3000), b"GET / HTTP/1.1\r\n\r\n", header.format("nobody.example").encode(),
                 header.format(f"comp.{server.domain}").encode() + b"<handshake>0000</handshake>",
                 header.format(f"comp.{server.domain}").encode() + b"<message to='x' from='y'/>"):
        s = socket.create_connection(("127.0.0.1", server.component))
        s.settimeout(20)
        answer = b""
        try:
            s.sendall(junk)
            while data := s.recv(65536):
                answer += data
        except OSError:
            pass
        s.close()
        assert b"<handshake/>" not in answer


def test_a_component_with_the_secret_serves_its_domain(server, bystander):
    import hashlib

    c = Client(server, server.domain, port=server.component)
    c.open("<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' "
           f"xmlns:stream='http://etherx.jabber.org/streams' to='comp.{server.domain}'>")
    while c.header is None:
        c._take(5)
    c.write("<handshake>" + hashlib.sha1((c.header.get("id") + "secret").encode()).hexdigest() + "</handshake>")
    assert c.next().tag.endswith("handshake")
    bystander.message(f"echo@comp.{server.domain}", "to the component")
    m = c.expect("message")
    assert m.get("from") == bystander.jid and m.get("to") == f"echo@comp.{server.domain}"
    c.write(f"<message from='echo@comp.{server.domain}' to='{bystander.bare}' type='chat'><body>and back</body></message>")
    bystander.expect_body("and back", f"echo@comp.{server.domain}")
    c.write(f"<message from='alice@{server.domain}' to='{bystander.bare}'><body>forged</body></message>")
    c.expect_stream_error("invalid-from")
    bystander.expect_none("message")
    e = bystander.iq("get", "<ping xmlns='urn:xmpp:ping'/>", to=f"comp.{server.domain}")
    assert bystander.error_of(e) in ("service-unavailable", "remote-server-timeout", "remote-server-not-found",
                                     "recipient-unavailable")
