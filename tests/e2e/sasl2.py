"""A client of XEP-0388 on a raw stream, for the tests of login."""

import base64
import hashlib
import hmac
import os
import xml.etree.ElementTree as ET

from harness import NS

SASL2, BIND2, SM, CARBONS, CSI = ("urn:xmpp:sasl:2", "urn:xmpp:bind:0", "urn:xmpp:sm:3", "urn:xmpp:carbons:2",
                                  "urn:xmpp:csi:0")
ID = "d4565fa7-4d72-4749-b3d3-740edbf87770"
NS2 = dict(NS, sasl2=SASL2, bind2=BIND2, sm=SM, cb="urn:xmpp:sasl-cb:0", mam="urn:xmpp:mam:2",
           upgrade="urn:xmpp:sasl:upgrade:0", scram="urn:xmpp:scram-upgrade:0")


def b64(data):
    return base64.b64encode(data.encode() if isinstance(data, str) else data).decode()


def agent(client_id=ID, software="Test", device="Bench"):
    return (f"<user-agent id='{client_id}'><software>{software}</software><device>{device}</device>"
            "</user-agent>")


def opened(server, user=None, version=None, **stream):
    """A stream inside TLS; with `user` its header says from. Returns client and features."""
    c = server.stream(**stream).starttls(version)
    said = f" from='{user}@{c.domain}'" if user else ""
    c.open(f"<?xml version='1.0'?><stream:stream to='{c.domain}'{said} version='1.0' "
           f"xmlns='jabber:client' xmlns:stream='{NS['stream']}'>")
    return c, c.features()


def plain(user, password, authzid=""):
    return b64(f"{authzid}\0{user}\0{password}")


def authenticate(mechanism, initial=None, inner=""):
    first = "" if initial is None else f"<initial-response>{initial}</initial-response>"
    return f"<authenticate xmlns='{SASL2}' mechanism='{mechanism}'>{first}{inner}</authenticate>"


def said(e, name):
    assert e is not None and e.tag == f"{{{SASL2}}}{name}", None if e is None else ET.tostring(e)
    return e


def condition(e):
    said(e, "failure")
    assert e[0].tag.startswith(f"{{{NS['sasl']}}}"), ET.tostring(e)
    return e[0].tag.split("}")[1]


def login(server, user, inner="", password="secret", agent=agent()):
    """PLAIN; returns the client and <success/>."""
    c, _ = opened(server, user)
    c.write(authenticate("PLAIN", plain(user, password), agent + inner))
    e = said(c.next(), "success")
    identifier(c, e)
    return c, e


def identifier(c, success):
    c.jid = success.find("sasl2:authorization-identifier", NS2).text
    c.bare = c.jid.split("/")[0]
    return c.jid


class Scram:
    """The client's side of RFC 5802."""

    def __init__(self, user, password, hash_name="SHA-256", flag="n", binding=b"", authzid=""):
        self.hash = {"SHA-1": hashlib.sha1, "SHA-256": hashlib.sha256}[hash_name]
        self.password, self.binding = password, binding
        self.header = f"{flag},{'a=' + authzid if authzid else ''},"
        self.bare = f"n={user},r={b64(os.urandom(12))}"

    def first(self):
        return b64(self.header + self.bare)

    def final(self, challenge):
        text = base64.b64decode(challenge).decode()
        self.fields = dict(f.split("=", 1) for f in text.split(","))
        assert self.fields["r"].startswith(self.bare.split("r=")[1])
        self.salted = hashlib.pbkdf2_hmac(self.hash().name, self.password.encode(),
                                          base64.b64decode(self.fields["s"]), int(self.fields["i"]))
        key = self._hmac(self.salted, b"Client Key")
        said = f"c={b64(self.header.encode() + self.binding)},r={self.fields['r']}"
        self.auth = f"{self.bare},{text},{said}".encode()
        proof = bytes(a ^ b for a, b in zip(key, self._hmac(self.hash(key).digest(), self.auth)))
        return b64(f"{said},p={b64(proof)}")

    def verify(self, data):
        want = b64(self._hmac(self._hmac(self.salted, b"Server Key"), self.auth))
        assert base64.b64decode(data).decode() == f"v={want}"

    def _hmac(self, key, text):
        return hmac.new(key, text, self.hash).digest()


def scram2(c, scram, mechanism, inner=""):
    """A whole exchange; returns the element that ends it."""
    c.write(authenticate(mechanism, scram.first(), inner))
    e = c.next()
    if e.tag != f"{{{SASL2}}}challenge":
        return e
    c.write(f"<response xmlns='{SASL2}'>{scram.final(e.text)}</response>")
    e = c.next()
    data = e.find("sasl2:additional-data", NS2)
    if data is not None:
        scram.verify(data.text)
    return e
