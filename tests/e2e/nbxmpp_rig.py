"""nbxmpp, the library that Gajim speaks XMPP with: one client, driven by hand."""

import hashlib
import itertools
import time

import pytest

pytest.importorskip("gi")
pytest.importorskip("nbxmpp")

from gi.repository import GLib
from nbxmpp.client import Client
from nbxmpp.const import ConnectionProtocol, ConnectionType
from nbxmpp.namespaces import Namespace
from nbxmpp.protocol import JID, Message, Presence
from nbxmpp.structs import DiscoIdentity, StanzaHandler

from harness import PATIENCE

names = (f"gajim{i}" for i in itertools.count(1))


def until(condition, what, seconds=2 * PATIENCE):
    """Turns GLib's main loop, in which nbxmpp lives, until the condition holds."""
    end = time.monotonic() + seconds
    woken = GLib.timeout_add(20, lambda: True)
    try:
        while not (value := condition()):
            assert time.monotonic() < end, f"waited {seconds} s for {what}"
            GLib.MainContext.default().iteration(True)
        return value
    finally:
        GLib.source_remove(woken)


class Nbx:
    """One client; what it heard is in `heard`: (name of the stanza, its properties)."""

    def __init__(self, server, name, password="secret", port=None, kind=ConnectionType.START_TLS, resource="gajim"):
        self.client = Client(log_context=name)
        self.client.set_domain(server.domain)
        self.client.set_username(name)
        self.client.set_resource(resource)
        self.client.set_password(password)
        self.client.set_custom_host(f"127.0.0.1:{port or server.c2s}", ConnectionProtocol.TCP, kind)
        self.client.set_ignore_tls_errors(True)
        self.bare = JID.from_string(f"{name}@{server.domain}")
        self.heard, self.events, self.wire = [], [], []
        for signal in ("connected", "resume-successful", "resume-failed", "disconnected", "connection-failed"):
            self.client.subscribe(signal, self.note)
        self.client.subscribe("stanza-sent", self.record)
        for what in ("message", "presence", "iq"):
            self.client.register_handler(StanzaHandler(name=what, callback=self.hear, priority=90))

    def note(self, _client, signal, *_):
        self.events.append(signal)

    def record(self, _client, _signal, data):
        self.wire.append(str(data))

    def hear(self, _client, stanza, properties):
        self.heard.append((stanza.getName(), properties, stanza))

    def connect(self, presence=True):
        self.client.connect()
        until(lambda: self.events, "a connection")
        assert self.events == ["connected"], (self.events, self.client.get_error())
        if presence:
            self.ask("Roster", "request_roster")
            self.client.send_stanza(Presence())
            self.ask("Ping", "ping", self.client.domain)
        return self

    def disconnect(self):
        self.client.disconnect()
        until(lambda: self.events[-1] == "disconnected", "the end of the stream")
        self.client.destroy()

    def ask(self, module, what, *args, **kwargs):
        """The answer, as nbxmpp understood it; raises what nbxmpp raises."""
        outcome = []

        def done(task):
            try:
                outcome.append((task.finish(), None))
            except Exception as error:
                outcome.append((None, error))
        getattr(self.client.get_module(module), what)(*args, callback=done, **kwargs)
        until(lambda: outcome, f"{module}.{what}")
        value, error = outcome[0]
        if error is not None:
            raise error
        return value

    def expect(self, name, test, what=None):
        """The first stanza of this name, heard so far or to come, that passes the test; it is taken out."""
        def find():
            for heard in self.heard:
                if heard[0] == name and test(heard[1], heard[2]):
                    self.heard.remove(heard)
                    return heard
            return None
        return until(find, what or f"a {name}")

    def announce(self, *features):
        """Presence with capabilities; nbxmpp answers who asks for them."""
        caps = self.client.get_module("EntityCaps")
        caps.set_caps([DiscoIdentity(category="client", type="pc", name="Gajim")], [Namespace.CAPS, *features],
                      "https://gajim.org")
        presence = Presence()
        presence.setTag("c", namespace=Namespace.CAPS, attrs=caps.caps._asdict())
        self.client.send_stanza(presence)

    def body(self, text):
        return self.expect("message", lambda p, s: p.body == text, text)

    def say(self, to, text):
        message = Message(to=to, typ="chat", body=text)
        message.setID(hashlib.sha1(text.encode()).hexdigest()[:12])
        self.client.send_stanza(message)


@pytest.fixture
def gajim(server):
    """Makes clients on accounts of their own, and ends them."""
    made = []

    def make(name=None, connect=True, **kwargs):
        name = name or next(names)
        server.ctl("register", f"{name}@{server.domain}", stdin="secret\n", check=False)
        made.append(Nbx(server, name, **kwargs))
        return made[-1].connect() if connect else made[-1]
    yield make
    for client in made:
        if client.events and client.events[-1] in ("connected", "resume-successful"):
            client.disconnect()


def befriend(a, b):
    for one, other in ((a, b), (b, a)):
        one.client.send_stanza(Presence(to=other.bare, typ="subscribe"))
        other.expect("presence", lambda p, s: p.type.value == "subscribe")
        other.client.send_stanza(Presence(to=one.bare, typ="subscribed"))
        one.expect("presence", lambda p, s: p.type.value == "subscribed")
