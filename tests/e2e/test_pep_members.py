"""Accounts, and contacts of theirs, move from one sm to another while they publish: who wants to hear hears everything,
once and in order, and nobody is asked again what it is able to do."""

import os
import shutil
import threading

import pytest

from federation import two_servers
from harness import Server, wait_for
from test_caps import answers, is_question, show
from test_members import slots
from test_pep import EVENT, NODE, ask, entry, event, interest, ok

OWNERS = 6


@pytest.fixture(scope="module", name="suite")
def _suite():
    with Server("--instances", "sm=2,c2sd=2") as server:
        yield server
        server.check_log()


def moved(server, verb):
    """All slots of sm-2, and everybody knows it."""
    server.ctl(verb, "sm-2")
    wanted = {"leave": "out", "join": "member"}[verb]
    wait_for(lambda: slots(server)["sm-2"][1] == wanted and slots(server)["sm-1"][1] == "member", f"{wanted}: sm-2", 30)


def heard(client):
    """(publisher, what) of the events that have come. Who does not answer questions any more must not be asked."""
    found = []
    for e in client.settle(0.01):
        assert e is not None and not is_question(e), "asked again"
        if e.tag.endswith("}message") and e.find(f"{{{EVENT}}}event") is not None:
            found.append((e.get("from"), e.findtext(".//{urn:example:entry}entry")))
    return found


def publish_one(client, what):
    ok(ask(client, "set", f"<publish node='{NODE}'><item id='i'>{entry(what)}</item></publish>"))


class Publishing(threading.Thread):
    """Each owner publishes, one after the other, as fast as it is answered."""

    def __init__(self, owners):
        super().__init__(daemon=True)
        self.owners, self.sent, self.over, self.fault = owners, 0, threading.Event(), None

    def run(self):
        try:
            while not self.over.is_set() or self.sent < 2:
                for a in self.owners:
                    publish_one(a, self.sent)
                self.sent += 1
        except Exception as why:               # told by end()
            self.fault = why

    def end(self):
        self.over.set()
        self.join(60)
        if self.fault:
            raise self.fault
        return self.sent


def everything_arrives(owners, listeners, sent):
    wanted = {a.bare: [str(i) for i in range(sent)] for a in owners}
    for b in listeners:
        got = {a.bare: [] for a in owners}
        for _ in range(1500):
            for who, what in heard(b):
                if what != "warm":              # the last item of before, which comes when a wish is known
                    got[who].append(what)
            if got == wanted:
                break
        assert {w: g for w, g in got.items() if g != wanted[w]} == {}, b.jid


def all_are_known(owners, listeners, *wants):
    """Each sm has asked once, and everybody hears everybody."""
    for b in listeners:
        answers(b, *wants)
        show(b, *wants)
    for a in owners:
        publish_one(a, "warm")
    known = {b: set() for b in listeners}
    for _ in range(1500):
        for b in listeners:
            known[b] |= {who for who, _ in heard(b)}
        if all(len(k) == len(owners) for k in known.values()):
            break
    assert all(len(k) == len(owners) for k in known.values())
    for b in listeners:
        b.react = None


def test_wishes_move_with_the_slots(server):
    owners = [server.client(f"owner{i}", resource="desk") for i in range(OWNERS)]
    listeners = [server.client(f"contact{i}") for i in range(3)]
    for a in owners:
        for b in listeners:
            a.befriend(b)
    all_are_known(owners, listeners, f"{NODE}+notify", "urn:example:members")
    for verb in ("leave", "join", "leave", "join"):
        publishing = Publishing(owners)
        publishing.start()
        moved(server, verb)
        everything_arrives(owners, listeners, publishing.end())


def test_own_resources_and_last_items_after_a_move(server):
    clients = [server.client(f"mover{i}", resource="one") for i in range(OWNERS)]
    others = [interest(server.client(f"mover{i}", resource="two", register=False), NODE) for i in range(OWNERS)]
    moved(server, "leave")
    for a, b in zip(clients, others):
        publish_one(a, "moved")
        assert b.expect("message").findtext(".//{urn:example:entry}entry") == "moved"
    moved(server, "join")
    for i in range(OWNERS):
        late = interest(server.client(f"mover{i}", resource="late", register=False), NODE)
        assert late.expect("message").findtext(".//{urn:example:entry}entry") == "moved"

@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("prosody") or not shutil.which("dnsmasq"),
                    reason="needs root, prosody and dnsmasq")
def test_wishes_of_contacts_elsewhere_move_too():
    """Of contacts elsewhere, with the accounts that have had their presence."""
    with two_servers("zubr.example", "peer.example", "--instances", "sm=2") as (server, peer):
        b = peer.client("listener")
        owners = [server.client(f"owner{i}") for i in range(4)]
        for a in owners:
            a.befriend(b)
        answers(b, f"{NODE}+notify")
        show(b, f"{NODE}+notify")
        for a in owners:
            publish_one(a, "warm")
        known = set()
        while known != {a.bare for a in owners}:
            known.add(event(b).get("from"))
        b.react = None
        for verb in ("leave", "join"):
            moved(server, verb)
            for a in owners:
                publish_one(a, verb)
            waited = {a.bare for a in owners}
            while waited:
                m = event(b)
                if m.findtext(".//{urn:example:entry}entry") == verb:
                    waited.remove(m.get("from"))
