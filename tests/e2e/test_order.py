"""What two entities say to each other arrives in the order in which it was said, and every question gets one answer,
whatever happens meanwhile: accounts with several resources, here and on another server, a room, messages, IQs and
presence mixed, clients that look away, vanish and resume, daemons that are killed, slots that move.

Each stanza carries a number, drawn from one counter: what arrives from one entity must be ascending. Other rounds:
ZUBR_SEEDS="7 8 9"."""

import itertools
import os
import random
import signal
import time
import xml.etree.ElementTree as ET
from collections import Counter, defaultdict

import pytest

from federation import Dns
from harness import NS, Closed, Server, StreamError, wait_for
from test_resume import SM, managed, stream

OURS, THEIRS, DNS = "example.org", "peer.example", "127.0.53.9"
ORDER, CSI, CARBONS = "urn:example:order", "urn:xmpp:csi:0", "urn:xmpp:carbons:2"
OPTIONS = ["--no-limits", "--resolver", DNS + ":53", "--set", "limits.s2s_queue_seconds=60"]
SEEDS = [int(seed) for seed in os.environ.get("ZUBR_SEEDS", "1 2 3").split()]
OF_A_DEATH = ("daemon_restarted", "link_lost", "peer_lost", "link_refused", "auth_unanswered")
VICTIMS = ("sm-1", "sm-2", "c2sd-1", "c2sd-2", "muc-1", "routerd")
numbers = itertools.count(1)


@pytest.fixture(scope="module")
def world():
    ours = Server("--instances", "sm=2,c2sd=2,muc=1,s2sd=1", *OPTIONS, domains=(OURS,))
    theirs = Server("--instances", "sm=1,c2sd=1,muc=1,s2sd=1", *OPTIONS, domains=(THEIRS,))
    names = {OURS: ours, f"muc.{OURS}": ours, THEIRS: theirs}
    dns = Dns({name: "127.0.0.1" for name in names}, {name: (name, s.s2s) for name, s in names.items()}, DNS)
    ours.announced, theirs.announced = list(OF_A_DEATH), []
    try:
        with theirs, ours:
            yield ours, theirs
    finally:
        dns.stop()


class Actor:
    """A resource of an account: sends numbered stanzas, answers questions, notes what comes from whom. Its session
    outlives its sockets: what h does not cover it sends again (XEP-0198 5)."""

    def __init__(self, server, name, resource):
        self.server, self.name, self.resource = server, name, resource
        self.c = managed(server, name, resource=resource)
        self.jid, self.bare = self.c.jid, self.c.bare
        self.unacked, self.acked, self.up = [], 0, True
        self.heard = defaultdict(list)         # from whom -> numbers, as they came
        self.answers = Counter()               # id of a question -> answers
        self.conditions = {}
        self.room_nick = None

    def send(self, text):
        self.unacked.append(text)
        self.write(text)

    def write(self, text):
        if self.up:
            try:
                self.c.write(text)
            except OSError:
                self.lost()

    def lost(self):
        self.up = False
        self.c.sock.close()

    def covered(self, h):
        del self.unacked[:h - self.acked]
        self.acked = h

    def pump(self, seconds=0.001):
        """Takes what is there."""
        if not self.up:
            return
        self.c.h = None
        found = self.c.settle(seconds)
        for e in found:
            if e is None or e.tag == f"{{{NS['stream']}}}error":
                self.end = e
                self.lost()
            elif e.tag.startswith("{jabber:client}"):
                self.take(e)
        if self.c.h is not None:
            self.covered(self.c.h)
        if self.c.requests:
            self.c.requests = 0
            self.write(f"<a xmlns='{SM}' h='{self.c.handled}'/>")
        if self.c.ended:
            self.lost()

    def resume(self):
        """True when it is there again; False: not now."""
        old = self.c
        try:
            c = stream(self.server, self.name)
            e = c.try_resume(old.id, old.handled)
        except (OSError, Closed, StreamError, AssertionError):
            return False
        if e.tag != f"{{{SM}}}resumed":
            assert e.find("stanzas:item-not-found", NS) is None, f"{self.jid}: " + ET.tostring(e, encoding="unicode")
            c.sock.close()
            return False
        c.handled, c.id, c.jid, c.bare, self.c, self.up = old.handled, old.id, old.jid, old.bare, c, True
        self.covered(int(e.get("h")))
        for text in list(self.unacked):
            self.write(text)
        return True

    def take(self, e):
        copy = e.find(f".//{{{CARBONS}}}received/{{urn:xmpp:forward:0}}forwarded/client:message", NS)
        name, inner = e.tag.split("}")[1], e if copy is None else copy
        if name == "iq":
            self.take_iq(e)
        text = inner.findtext("client:body", None, NS) or inner.findtext("client:status", None, NS)
        if inner.get("type") != "error" and text and text.isdigit():
            self.heard[inner.get("from")].append(int(text))

    def take_iq(self, e):
        payload = e.find(f"{{{ORDER}}}q")
        if payload is not None:
            self.heard[e.get("from")].append(int(payload.get("n")))
        if e.get("type") == "get" and payload is not None:
            self.send(f"<iq type='result' to='{e.get('from')}' id='{e.get('id')}'><q xmlns='{ORDER}' "
                      f"n='{next(numbers)}'/></iq>")
        elif e.get("type") in ("result", "error"):
            self.answers[e.get("id")] += 1
            if e.get("type") == "error":
                self.conditions[e.get("id")] = self.c.error_of(e)


class Story:
    """What is sent, what has to arrive of it, and what happens meanwhile."""

    def __init__(self, ours, theirs, seed):
        self.ours, self.dice, self.seed = ours, random.Random(seed), seed
        names = [(ours, f"anna{seed}", ("phone", "desk")), (ours, f"ben{seed}", ("phone",)),
                 (ours, f"cleo{seed}", ("phone", "desk")), (theirs, f"dora{seed}", ("phone", "desk"))]
        self.actors = [Actor(server, name, resource) for server, name, resources in names for resource in resources]
        self.absent = ours.register(f"absent{seed}")
        self.room = f"order{seed}@muc.{OURS}"
        self.wanted = defaultdict(set)         # number -> the JIDs that must have it
        self.asked = {}                        # id -> (actor, to)
        self.happened = []
        self.acquaint()
        self.enter()
        for a in self.actors[::2]:
            a.c.iq("set", f"<enable xmlns='{CARBONS}'/>")
        for a in self.actors:
            a.pump(0.3)
            a.acked = wait_for(lambda a=a: a.c.ping() is not None and (h := a.c.ask()) == a.c.ask() and h, "all is covered")
            a.heard.clear()

    def acquaint(self):
        firsts = {a.bare: a for a in reversed(self.actors)}
        for a, b in itertools.combinations(firsts.values(), 2):
            a.c.befriend(b.c)

    def enter(self):
        for i, a in enumerate(a for a in self.actors if a.resource == "phone"):
            a.room_nick = f"nick{self.seed}-{i}"
            a.c.write(f"<presence to='{self.room}/{a.room_nick}'><x xmlns='{NS['muc']}'/></presence>")
            a.c.expect("message", lambda m: m.find("client:subject", NS) is not None)
            if i == 0:
                a.c.iq("set", f"<query xmlns='{NS['muc_owner']}'><x xmlns='jabber:x:data' type='submit'/></query>",
                       to=self.room)

    # ---- what is said

    def say(self, a):
        """A message of a type that reaches whoever is online."""
        b, n = self.other(a), next(numbers)
        bare, kind = self.dice.random() < 0.5, self.dice.choice(("chat", "chat", "normal", "headline"))
        for other in self.actors:
            if other is not a and (other.bare == b.bare if bare else other is b):
                self.wanted[n].add(other.jid)
        a.send(f"<message to='{b.bare if bare else b.jid}' type='{kind}' id='m{n}'><body>{n}</body></message>")

    def say_in_room(self, a):
        n = next(numbers)
        if a.room_nick:
            self.wanted[n] = {b.jid for b in self.actors if b.room_nick}
            a.send(f"<message to='{self.room}' type='groupchat' id='g{n}'><body>{n}</body></message>")

    def show(self, a):
        """Presence may be collapsed to the latest (RFC 6120 allows it of a server that is busy): never wanted."""
        n, b = next(numbers), self.other(a)
        to = self.dice.choice(("", f" to='{b.jid}'", f" to='{b.bare}'"))
        a.send(f"<presence{to}><status>{n}</status></presence>")

    def ask(self, a):
        """A friend's resource, which answers."""
        n, b = next(numbers), self.other(a)
        self.wanted[n] = {b.jid}
        self.asked[f"q{n}"] = (a, b.jid)
        a.send(f"<iq to='{b.jid}' type='get' id='q{n}'><q xmlns='{ORDER}' n='{n}'/></iq>")

    def ask_around(self, a):
        """Whoever may be asked, known payload or not."""
        n, b = next(numbers), self.other(a)
        to = self.dice.choice((OURS, THEIRS, "", a.bare, b.bare, f"{b.bare}/gone", self.absent, f"{self.absent}/x",
                               f"nobody@{OURS}", f"nobody@{OURS}/x", f"nobody@{THEIRS}", f"muc.{OURS}",
                               self.room, f"{self.room}/nobody", f"no-room@muc.{OURS}", f"comp.{OURS}",
                               f"somebody@comp.{OURS}", "nowhere.example", "a@b@c"))
        kind = self.dice.choice(("get", "set"))
        payload = self.dice.choice(("<ping xmlns='urn:xmpp:ping'/>", "<x xmlns='urn:example:unknown'/>",
                                    "<query xmlns='jabber:iq:version'/>", "<a xmlns='u'/><b xmlns='u'/>", ""))
        self.asked[f"o{n}"] = (a, to)
        where = f" to='{to}'" if to else ""
        a.send(f"<iq{where} type='{kind}' id='o{n}'>{payload}</iq>")

    def other(self, a):
        return self.dice.choice([b for b in self.actors if b.bare != a.bare])

    # ---- what happens

    def note(self, what):
        self.happened.append(f"{next(numbers)} {what}")

    def kill(self):
        victim = self.dice.choice(VICTIMS)
        pid = next((r["pid"] for r in self.ours.ctl_json("status", check=False) if r["name"] == victim and r["pid"]), None)
        if pid:
            self.note(f"{victim} killed")
            os.kill(pid, signal.SIGKILL)

    def vanish(self):
        a = self.dice.choice(self.actors)
        if a.up:
            self.note(f"{a.jid} vanished")
            a.lost()

    def look_away(self):
        self.dice.choice(self.actors).write(f"<{self.dice.choice(('inactive', 'active'))} xmlns='{CSI}'/>")

    def move(self):
        """The slots of sm-2 go to sm-1 or come back; refused while a member is down or moving."""
        verb = self.dice.choice(("leave", "join"))
        self.ours.ctl(verb, "sm-2", check=False)
        self.note(f"{verb} sm-2: {self.ours.ctl_status}")

    def turn(self):
        for _ in range(12):
            act = self.dice.choices((self.say, self.say_in_room, self.show, self.ask, self.ask_around),
                                    (10, 3, 4, 4, 4))[0]
            act(self.dice.choice(self.actors))
        for a in self.actors:
            a.pump()
            if not a.up and self.dice.random() < 0.2:
                before = len(a.unacked)
                self.note(f"{a.jid} resume: {a.resume()} {before} {len(a.unacked)}")

    def run(self, turns):
        for i in range(turns):
            self.turn()
            chance = self.dice.random()
            if chance < 0.04:
                self.vanish()
            elif chance < 0.09:
                self.look_away()
            elif i % 25 == 24:
                self.kill()
            elif i % 60 == 30:
                self.move()

    # ---- what came of it

    def missing(self):
        heard = {a.jid: {n for seen in a.heard.values() for n in seen} for a in self.actors}
        return [(n, jid) for n, jids in self.wanted.items() for jid in jids if n not in heard[jid]]

    def unanswered(self):
        return [(ident, to) for ident, (a, to) in self.asked.items() if not a.answers[ident]]

    def settle(self):
        def done():
            for a in self.actors:
                if a.up or a.resume():
                    a.write(f"<active xmlns='{CSI}'/><r xmlns='{SM}'/>")
                    a.pump(0.02)
            return not self.missing() and not self.unanswered() and all(a.up and not a.unacked for a in self.actors)
        try:
            wait_for(done, "everything that was sent", 60)
        except AssertionError:
            pass                               # judge() says what is missing
        for a in self.actors:
            a.pump(0.3)

    def judge(self):
        wrong = [f"{n} did not reach {jid}" for n, jid in self.missing()]
        wrong += [f"{ident} to {to} has no answer" for ident, to in self.unanswered()]
        for a in self.actors:
            wrong += [f"{a.jid} has {count} answers to {ident}" for ident, count in a.answers.items() if count > 1]
            for sender, seen in a.heard.items():
                wrong += [f"{a.jid} heard {sender} say {later}{' again' * (later in seen[:i + 1])} after {earlier}"
                          for i, (earlier, later) in enumerate(zip(seen, seen[1:])) if later <= earlier]
        assert not wrong, f"{len(wrong)} faults:\n" + "\n".join(wrong[:40]) + "\nhappened: " + ", ".join(self.happened)
        assert sum(len(seen) for a in self.actors for seen in a.heard.values()) > 1000


@pytest.mark.parametrize("seed", SEEDS)
def test_order_is_kept_and_questions_have_one_answer(world, seed):
    ours, theirs = world
    story = Story(ours, theirs, seed)
    story.run(240)
    story.settle()
    story.judge()
    for a in story.actors:
        a.c.close()
    ours.ctl("join", "sm-2", check=False)
    wait_for(lambda: all(r["state"] == "member" for r in ours.ctl_json("slots", check=False)), "settled members", 30)
    ours.check_log()
    theirs.check_log()
