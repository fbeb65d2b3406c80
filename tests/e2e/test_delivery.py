"""RFC 6121 section 8: every kind of stanza to every kind of address, by who is online, from a local account and
from outside. One table; what it says is compared with what each session and the sender really get.

Letters: S silently ignored, E service-unavailable to the sender, O kept for later (to who does not exist: the same,
and nothing is kept), D to the matching session, A to all available ones, M to those with priority >= 0."""

import hashlib
import itertools
import re
import xml.etree.ElementTree as ET

import pytest

from harness import Client
from test_resume import hibernates, managed, resume

COMPONENT = "comp.example.org"
# What a stranger asks the domain is a fence only where one sm answers for the domain and for the account.
OPTIONS = ["--instances", "sm=1,s2sd=1", "--set", "limits.resume_seconds=300",
           "--set", "limits.offline_messages_max=150"]
CLIENT, ACCEPT = "{jabber:client}", "{jabber:component:accept}"

KINDS = {
    "normal": ("message", None), "chat": ("message", "chat"), "groupchat": ("message", "groupchat"),
    "headline": ("message", "headline"), "message error": ("message", "error"),
    "available": ("presence", None), "unavailable": ("presence", "unavailable"),
    "get": ("iq", "get"), "set": ("iq", "set"), "result": ("iq", "result"), "iq error": ("iq", "error"),
}

# Sessions: resource and priority; None: bound, but no presence yet; LEFT: there was some, and then unavailable.
# Those of SLEEPERS lose their socket before anything is sent, and are resumed afterwards (XEP-0198).
LEFT = "unavailable"
STATES = {
    "no such account": None,
    "nobody": [],
    "no presence": [("a", None)],
    "negative": [("a", -1), ("b", -5)],
    "negative and not": [("a", -1), ("b", 0), ("c", 5)],
    "unavailable": [("a", LEFT)],
    "unavailable and not": [("a", LEFT), ("b", 0)],
    "hibernating": [("a", 0)],
    "hibernating and not": [("a", 0), ("b", 1), ("c", -1)],
    "hibernating, negative": [("a", -1)],
    "hibernating, no presence": [("a", None)],
}
SLEEPERS = {state: {"a"} for state in STATES if state.startswith("hibernating")}

# By state and address: a letter for each kind.
TABLE = {
    ("no such account", "bare"):   "OOESS SS EESS",
    ("no such account", "gone"):   "EOESS SS EESS",
    ("nobody", "bare"):            "OOESS SS EESS",
    ("nobody", "gone"):            "EOESS SS EESS",
    ("no presence", "bare"):       "OOESS SS EESS",
    ("no presence", "match"):      "DDDDD DD EEDD",
    ("no presence", "gone"):       "EOESS SS EESS",
    ("negative", "bare"):          "OOESS AA EESS",
    ("negative", "match"):         "DDDDD DD EEDD",
    ("negative", "gone"):          "EOESS SS EESS",
    ("negative and not", "bare"):  "MMEMS AA EESS",
    ("negative and not", "match"): "DDDDD DD EEDD",
    ("negative and not", "gone"):  "EMESS SS EESS",
}
# A session that sleeps is where it was, and so is what is sent to it; one that left is as one that never came.
AS = {
    "unavailable": "no presence", "unavailable and not": "negative and not", "hibernating": "negative and not",
    "hibernating and not": "negative and not", "hibernating, negative": "negative",
    "hibernating, no presence": "no presence",
}
TABLE.update({(state, target): TABLE[like, target] for state, like in AS.items() for target in ("bare", "match", "gone")})

ADDRESS = {"bare": "", "match": "/a", "gone": "/gone"}
count = itertools.count(1)


def connect_component(server):
    c = Client(server, COMPONENT, port=server.component)
    c.open("<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' "
           f"xmlns:stream='http://etherx.jabber.org/streams' to='{COMPONENT}'>")
    while c.header is None:
        c._take(5)
    c.write(f"<handshake>{hashlib.sha1((c.header.get('id') + 'secret').encode()).hexdigest()}</handshake>")
    assert c.next().tag == ACCEPT + "handshake"
    return c


class Sender:
    def __init__(self, server, where):
        self.local = where != "outside"
        self.client = server.client("sender", resource=f"s{next(count)}") if self.local else connect_component(server)
        self.start = "" if self.local else f" from='stranger@{COMPONENT}/r'"
        self.domain = server.domain

    def jid(self):
        return self.client.jid if self.local else f"stranger@{COMPONENT}/r"

    def send(self, name, kind, to, ident, content):
        attr = f" type='{kind}'" if kind else ""
        self.client.write(f"<{name} id='{ident}' to='{to}'{attr}{self.start}>{content}</{name}>")

    def settle(self):
        """All that came until everything sent was handled: what waits for a commit of ours may let a first ping
        be answered before what others say."""
        found = []
        for ident in (f"fence{next(count)}" for _ in range(3)):
            self.send("iq", "get", self.domain, ident, "<ping xmlns='urn:xmpp:ping'/>")
            while (e := self.client.next()).get("id") != ident:
                found.append(e)
        return found


def content_of(name, kind, ident):
    error = "<error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
    if kind == "error":
        return error
    if name == "message":
        return f"<body>{ident}</body>"
    return f"<q xmlns='urn:example:q' n='{ident}'/>" if name == "iq" and kind in ("get", "set") else ""


def of_ids(elements, ids):
    return [e for e in elements if e is not None and e.get("id") in ids]


@pytest.fixture(scope="module", params=list(STATES))
def account(request, suite):
    """A state, its bare JID and its sessions by resource."""
    name = f"user{next(count)}"
    bare = f"{name}@{suite.domain}"
    sessions = {}
    if STATES[request.param] is not None:
        suite.register(name)
        for resource, priority in STATES[request.param]:
            c = sessions[resource] = managed(suite, name, resource=resource, presence=False)
            if priority is not None:
                number = 0 if priority == LEFT else priority
                c.write(f"<presence><priority>{number}</priority></presence>")
                c.expect("presence", lambda p: p.get("from") == c.jid)
            if priority == LEFT:
                c.write("<presence type='unavailable'/>")
    for c in sessions.values():
        c.ping()
        c.settle(0.2)
    yield request.param, bare, sessions
    for c in sessions.values():
        c.close()


def expected(letter, sessions, state):
    if letter in "SEO":
        return set()
    if letter == "D":
        return {"a"}
    priorities = dict(STATES[state])
    return {r for r in sessions if priorities[r] not in (None, LEFT) and (letter == "A" or priorities[r] >= 0)}


def letters_of(state, target, where):
    """8.5.3.1: who shares presence with a resource may ask it."""
    letters = TABLE.get((state, target), "").replace(" ", "")
    return letters[:7] + "DD" + letters[9:] if letters and target == "match" and where == "friend" else letters


@pytest.mark.parametrize("where", ["local", "outside", "friend"])
def test_table(server, account, where):
    state, bare, sessions = account
    sender = Sender(server, where)
    for c in sessions.values() if where == "friend" else ():
        c.write(f"<presence to='{sender.jid()}'/>")
        c.ping()
    for resource in SLEEPERS.get(state, ()):
        sessions[resource].drop()
        hibernates(server, sessions[resource].jid)
    sent = {}
    for target, address in ADDRESS.items():
        letters = letters_of(state, target, where)
        for letter, (kind, (name, type_)) in zip(letters, KINDS.items()):
            ident = f"x{next(count)}"
            sent[ident] = (kind, target, letter)
            sender.send(name, type_, bare + address, ident, content_of(name, type_, ident))
    answers = {e.get("id"): e for e in of_ids(sender.settle(), sent)}
    got = {ident: set() for ident in sent}
    for resource in SLEEPERS.get(state, ()):
        sessions[resource] = resume(server, sessions[resource], bare.split("@")[0])
    for resource, c in sessions.items():
        c.write("<iq type='get' id='fence' to='" + server.domain + "'><ping xmlns='urn:xmpp:ping'/></iq>")
        while (e := c.next()).get("id") != "fence":
            if e.get("id") in got:
                assert resource not in got[e.get("id")], f"{sent[e.get('id')]} twice"
                got[e.get("id")].add(resource)
    wrong = []
    for ident, (kind, target, letter) in sent.items():
        answer = answers.get(ident)
        refused = answer is not None and answer.get("type") == "error" and \
            b"service-unavailable" in ET.tostring(answer)
        if got[ident] != expected(letter, sessions, state) or refused != (letter == "E") or (answer is None) == refused:
            wrong.append(f"{kind} to {target}: wanted {letter}, went to {got[ident]}, answer "
                         + (ET.tostring(answer, encoding="unicode") if answer is not None else "none"))
    assert not wrong, f"{state}, from {where}:\n" + "\n".join(wrong)
    sender.client.close()
    if AS.get(state, state) in ("nobody", "no presence", "negative") and where != "friend":
        kept = [i for i, (_, _, letter) in sent.items() if letter == "O"]
        c = server.client(bare, register=False, resource="later")
        c.write(f"<iq type='get' id='fence' to='{server.domain}'><ping xmlns='urn:xmpp:ping'/></iq>")
        seen = set()
        while (e := c.next()).get("id") != "fence":
            seen.add(e.get("id"))
        c.close()
        assert set(kept) <= seen, f"{state}, from {where}: not kept: {[sent[i] for i in set(kept) - seen]}"


def answers_of(server, where, bare):
    """All that a sender hears about an account, without what names it."""
    sender = Sender(server, where)
    ids = {}
    for target in ("", "/gone"):
        for kind, (name, type_) in KINDS.items():
            ident = f"y{next(count)}"
            ids[ident] = f"{kind}{target}"
            sender.send(name, type_, bare + target, ident, content_of(name, type_, "same"))
        for name, type_, payload in (
                ("presence", "subscribe", ""), ("presence", "probe", ""), ("presence", "subscribed", ""),
                ("presence", "unsubscribe", ""), ("presence", "unsubscribed", ""),
                ("iq", "get", "<query xmlns='http://jabber.org/protocol/disco#info'/>"),
                ("iq", "get", "<query xmlns='http://jabber.org/protocol/disco#items'/>"),
                ("iq", "get", "<query xmlns='jabber:iq:last'/>"), ("iq", "get", "<query xmlns='jabber:iq:roster'/>"),
                ("iq", "get", "<vCard xmlns='vcard-temp'/>"), ("iq", "get", "<ping xmlns='urn:xmpp:ping'/>"),
                ("iq", "get", "<query xmlns='jabber:iq:version'/>"), ("iq", "get", "<time xmlns='urn:xmpp:time'/>"),
                ("iq", "set", "<query xmlns='urn:xmpp:mam:2'/>"),
                ("iq", "get", "<blocklist xmlns='urn:xmpp:blocking'/>"),
                ("iq", "get", "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='n'/></pubsub>")):
            ident = f"y{next(count)}"
            ids[ident] = f"{name} {type_} {payload}{target}"
            sender.send(name, type_, bare + target, ident, payload)
    heard = []
    for e in sender.settle():
        if (e.get("from") or "").split("/")[0] != bare:
            continue
        what = ids.get(e.get("id"))
        text = re.sub(r"sender@example.org/s\d+", "SENDER", ET.tostring(e, encoding="unicode"))
        heard.append((what, text.replace(bare.split("@")[0], "ACCOUNT").replace(e.get("id") or "-", "ID")))
    sender.client.close()
    return heard


@pytest.mark.parametrize("where", ["local", "outside"])
def test_an_account_cannot_be_told_from_none(server, where):
    """RFC 6121 8.5.1, RFC 6120 13.11: the same answers, byte for byte, in the same order."""
    name = f"quiet{next(count)}"
    server.register(name)
    one, none = (answers_of(server, where, f"{n}@{server.domain}") for n in (name, "nobody"))
    assert one == none
    assert len(one) > 20


@pytest.mark.parametrize("where", ["local", "outside"])
def test_a_full_store_does_not_tell_that_there_is_one(server, where):
    """XEP-0160 3, RFC 6120 13.11: who writes to nobody hears what he would hear of a store that fills up, and nothing
    that was not refused is lost."""
    server.register(f"full{where}")
    refused = {}
    sender = Sender(server, where)
    for name in (f"full{where}", f"nobody{where}"):
        for i in range(155):
            sender.send("message", ("chat", None)[i % 2], f"{name}@{server.domain}" + ("/gone" if i % 2 == 0 else ""),
                        f"{name}-{i}", f"<body>{i}</body>")
        answers = [e for e in sender.settle() if (e.get("id") or "").startswith(name)]
        refused[name] = [(e.get("id").split("-")[-1], [c.tag for c in e.iter()]) for e in answers]
    sender.client.close()
    one, none = refused.values()
    assert one == none
    assert [i for i, _ in one] == ["150", "151", "152", "153", "154"]
    c = server.client(f"full{where}", register=False)
    assert [int(c.expect("message").findtext("{jabber:client}body")) for _ in range(150)] == list(range(150))
