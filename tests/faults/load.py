"""The load of the fault tests: clients with and without stream management that send each other numbered
messages, talk in rooms, ask questions and change presence; and the account of it afterwards: what was
acknowledged must be at its recipient, once."""

import asyncio
import itertools
import random
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from client import Client
from wire import CLIENT, Lost, connect, tls_context

PATIENCE = 30.0         # seconds for what must come once all daemons run again


@dataclass
class Message:
    body: str
    sender: Client
    to: str                                  # a bare JID or a room
    room: bool
    sent: float
    acknowledged: float = 0.0                # when h covered it; 0: not (yet)
    refused: str = ""                        # condition of the error that came back


@dataclass
class Account:
    """What one round came to."""
    acknowledged: int = 0
    lost: int = 0                            # acknowledged, and nowhere
    missing: int = 0                         # in the archive, but a session that lived all the time never got it
    duplicated: int = 0
    disconnected: int = 0                    # sockets that ended though their c2sd lived, sessions not resumed
    disordered: int = 0                      # a later message of the same pair came first
    unanswered: int = 0                      # IQs without an answer, or with two
    left: int = 0                            # occupants and contacts that were shown as gone
    refused: int = 0                         # messages that came back as an error
    repeated: int = 0                        # copies that nobody can rule out (see count_copies); not judged
    recovery: float = 0.0                    # seconds; not judged
    notes: list = field(default_factory=list)

    COUNTS = ("lost", "missing", "duplicated", "disordered", "disconnected", "unanswered", "left", "refused")

    def line(self):
        return f"acknowledged {self.acknowledged}  " + "  ".join(f"{k} {getattr(self, k)}" for k in self.COUNTS) + \
            f"  repeated {self.repeated}  recovery {self.recovery * 1000:.0f} ms"

    def check(self, allowed=()):
        bad = [k for k in self.COUNTS if getattr(self, k) and k not in allowed]
        assert not bad, self.line() + "\n" + "\n".join(self.notes[:40])
        assert self.acknowledged > 0, "nothing was acknowledged: the round proves nothing"


class Site:
    """A running suite as its clients see it."""

    def __init__(self, domain, port, tls_port):
        self.domain, self.port, self.tls_port = domain, port, tls_port

    async def register(self, names, concurrency=8):
        gate = asyncio.Semaphore(concurrency)

        async def one(name):
            async with gate:
                wire = await connect(self.domain, self.port, None, None)
                await wire.open()
                wire.write("<iq type='set' id='r'><query xmlns='jabber:iq:register'>"
                           f"<username>{name}</username><password>secret</password></query></iq>")
                answer = await wire.next()
                wire.end("done")
                assert answer.get("type") == "result", f"{name} could not be registered"

        await asyncio.gather(*(one(name) for name in names))


class Load:
    """Clients u0.. with stream management, p0.. without, away0.. that are never online while it runs."""

    def __init__(self, site, managed, plain, away=3, rooms=3, occupants=8, rate=150, seed=1, contacts=True,
                 elsewhere=None, foreign=4, tls_only=False):
        self.site, self.elsewhere, self.rate, self.contacts = site, elsewhere, rate, contacts
        self.domain = site.domain
        self.random = random.Random(seed)
        self.numbers = itertools.count(1)
        tls = tls_context()
        self.managed = [Client(self, site, f"u{i}", True, tls if tls_only or i % 8 == 7 else None) for i in range(managed)]
        self.plain = [Client(self, site, f"p{i}", False, tls if tls_only else None) for i in range(plain)]
        self.clients = self.managed + self.plain
        self.away = [Client(self, site, f"away{i}", False, tls if tls_only else None) for i in range(away)]
        self.foreign = [Client(self, elsewhere, f"f{i}", True) for i in range(foreign if elsewhere else 0)]
        self.room_names = [f"r{i}@muc.{site.domain}" for i in range(rooms)]
        for i, room in enumerate(self.room_names):
            for k in range(occupants):
                c = self.clients[(i * occupants + k * 3) % len(self.clients)]
                c.rooms[room] = c.name
        self.open_rooms = set()              # those that are made and can be entered
        for c in self.foreign:
            c.rooms[self.room_names[0]] = c.name
        self.everybody = self.clients + self.foreign
        self.recipients = [c.bare for c in self.clients * 4 + self.away + self.foreign * 12]
        self.messages, self.asked = {}, {}
        self.answer_count, self.gone_seen, self.faults = Counter(), [], []
        self.latest, self.disorder = {}, []  # (sender, to, recipient) -> number of the last message
        self.last_arrival = 0.0
        self.task = None
        self.border_died = False             # s2sd was killed in this round
        self.expect_away = set()             # names that may be shown as gone (their socket was cut)

    def new_id(self, prefix):
        return f"{prefix}{next(self.numbers)}"

    # ---- before

    async def start(self, register=True):
        if register:
            await self.site.register([c.name for c in self.clients + self.away])
            if self.elsewhere:
                await self.elsewhere.register([c.name for c in self.foreign])
        for i, c in enumerate(self.everybody):
            c.start()
            if i % 8 == 7:
                await self.all_up(self.everybody[:i + 1])
        await self.all_up(self.everybody)
        for room in self.room_names:
            await self.make_room(room)
        await self.until(lambda: all(set(c.rooms) <= c.joined for c in self.everybody), "everybody in the rooms",
                         lambda: [w for c in self.everybody for w in c.whys])
        if self.contacts:
            for a, b in zip(self.managed, self.managed[1:]):
                a.send(f"<presence to='{b.bare}' type='subscribe'/>")
            await self.settle()
        self.forget()                        # a contact's first presence may say that it was away

    async def make_room(self, room):
        first = next(c for c in self.clients if room in c.rooms)
        first.join(room)
        await self.until(lambda: room in first.joined, f"{first.name} in {room}", lambda: first.whys)
        await asyncio.wait_for(first.iq("set", "<query xmlns='http://jabber.org/protocol/muc#owner'>"
                                        "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>"
                                        "http://jabber.org/protocol/muc#roomconfig</value></field>"
                                        "<field var='muc#roomconfig_persistentroom'><value>1</value></field>"
                                        "</x></query>", room), PATIENCE)
        self.open_rooms.add(room)
        for c in self.everybody:
            if room in c.rooms and room not in c.joined:
                c.join(room)

    async def all_up(self, clients):
        await self.until(lambda: all(c.up.is_set() for c in clients), "all clients online",
                         lambda: [f"{c.name}: {c.whys[-2:]}" for c in clients if not c.up.is_set()])

    async def until(self, condition, what, notes=lambda: [], seconds=PATIENCE):
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError(f"waited {seconds} s for {what}\n" + "\n".join(map(str, notes()[:20])))
            await asyncio.sleep(0.02)

    # ---- traffic

    def run(self):
        self.task = asyncio.get_running_loop().create_task(self.traffic())

    async def pause(self):
        if self.task:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)
            self.task = None

    async def traffic(self):
        begin, done, turn = time.monotonic(), 0, 0
        while True:
            await asyncio.sleep(0.01)
            due = int((time.monotonic() - begin) * self.rate)
            for _ in range(min(due - done, 200)):
                self.act()
            done = due
            turn += 1
            for c in self.managed[turn % 5::5]:
                c.ask_ack()

    def act(self):
        c = self.random.choice(self.clients)
        if not c.usable():
            return
        what = self.random.random()
        if what < 0.6:
            self.say(c, self.random.choice(self.recipients))
        elif what < 0.75 and c.joined:
            self.say_room(c, self.random.choice(sorted(c.joined)))
        elif what < 0.9:
            self.question(c)
        elif what < 0.95:
            show = self.random.choice(("<show>away</show>", "<show>dnd</show>", ""))
            c.send(f"<presence>{show}</presence>")

    def say(self, c, to, probe=False):
        body = self.new_id("probe" if probe else "b")
        message = Message(body, c, to, False, time.monotonic())
        self.messages[body] = message
        c.send(f"<message to='{to}' type='chat' id='{body}'><body>{body}</body></message>", message)
        return message

    def say_room(self, c, room):
        body = self.new_id("g")
        message = Message(body, c, room, True, time.monotonic())
        self.messages[body] = message
        c.send(f"<message to='{room}' type='groupchat' id='{body}'><body>{body}</body></message>", message)
        return message

    def question(self, c):
        to = self.random.choice((self.domain, self.random.choice(self.managed).jid, next(iter(c.rooms), self.domain)))
        c.iq("get", "<ping xmlns='urn:xmpp:ping'/>", to).add_done_callback(lambda f: f.cancelled() or f.exception())

    # ---- what clients report

    def ask(self, c, ident):
        self.asked[ident] = (c, time.monotonic())

    def answered(self, c, ident):
        if ident in self.asked:
            self.answer_count[ident] += 1

    def arrived(self, c, body):
        self.last_arrival = time.monotonic()
        message = self.messages.get(body)
        if message and c.managed:
            flow, number = (message.sender, message.to, c), int(body.lstrip("abcdefghijklmnopqrstuvwxyz"))
            if number < self.latest.get(flow, 0):
                self.disorder.append(f"{c.name} got {body} of {message.sender.name} after {self.latest[flow]}")
            else:
                self.latest[flow] = number

    def bounced(self, c, e):
        message = self.messages.get(e.get("id"))
        if message:
            error = e.find(CLIENT + "error")
            message.refused = " ".join(child.tag.split("}")[1] for child in error) if error is not None else "error"

    def left(self, c, room, nick):
        if nick not in self.expect_away:
            self.gone_seen.append(f"{c.name} saw {nick} leave {room}")

    def went_away(self, c, sender):
        if sender.split("@")[0] not in self.expect_away:
            self.gone_seen.append(f"{c.name} saw {sender} go offline")

    def fault(self, c, what):
        self.faults.append(f"{c.name}: {what}")

    async def probe(self, since, send, seconds=PATIENCE):
        """Seconds from `since` until one of the messages sent now arrives."""
        sent = []
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            message = send()
            sent.append(message)
            await asyncio.sleep(0.02)
            if any(c.received[m.body] for m in sent for c in self.everybody):
                return time.monotonic() - since
        raise AssertionError(f"no service again within {seconds} s: {sent[0].sender.whys[-3:]}")

    # ---- afterwards

    def undone(self):
        """What must still come before the round can be judged."""
        rows = [f"{c.name} is not online: {c.whys[-2:]}" for c in self.everybody if not c.up.is_set()]
        rows += [f"{c.name}: h={c.acked} of {c.out}, first {c.unacked[0][1][:100]}" for c in self.everybody if c.unacked]
        rows += [f"{c.name} waits for {ident}" for ident, (c, _) in self.asked.items() if ident in c.answers]
        return rows

    async def settle(self, seconds=PATIENCE):
        """Traffic has stopped: waits for acknowledgements and answers, then for quiet."""
        deadline = time.monotonic() + seconds
        while self.undone() and time.monotonic() < deadline:
            for c in self.everybody:
                if c.unacked:
                    c.ask_ack()
            await asyncio.sleep(0.1)
        notes = self.undone()
        while time.monotonic() - self.last_arrival < 0.5 and time.monotonic() < deadline + 5:
            await asyncio.sleep(0.05)
        return notes

    async def come_back(self):
        """Those who were away log in: what waited for them comes."""
        for c in self.away:
            c.closing = False
            c.start()
        await self.all_up(self.away)
        wanted = Counter(m.to for m in self.messages.values() if m.acknowledged and not m.refused)
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline and any(len(c.received) < wanted[c.bare] for c in self.away):
            await asyncio.sleep(0.05)

    async def account(self, sockets_may_end=False):
        """Judges the round and forgets it. Traffic has been paused."""
        a = Account(notes=await self.settle())
        a.unanswered = sum(1 for n in a.notes if " waits for " in n)
        await self.come_back()
        await self.acknowledged_by_archive()
        by_to = defaultdict(list)
        for m in self.messages.values():
            a.refused += bool(m.refused)
            if m.acknowledged and not m.refused:
                a.acknowledged += 1
                by_to[m.to].append(m)
        await self.judge(a, by_to)
        self.judge_sessions(a, sockets_may_end)
        for c in self.away:
            await c.close()
        self.forget()
        return a

    async def acknowledged_by_archive(self):
        """Without stream management that counts which stands in the sender's own archive."""
        for c in self.plain:
            mine = [m for m in self.messages.values() if m.sender is c and not m.refused]
            rows = mine and await c.archive()
            bodies = {row[1] for row in rows} if rows else set()
            for m in mine:
                if m.body in bodies:
                    m.acknowledged = m.sent

    async def judge(self, a, by_to):
        for c in self.everybody + self.away:
            steady = c.managed and not c.lost_sessions
            lacking = [m for m in by_to.get(c.bare, []) if not c.received[m.body]]
            stored = await self.stored(c, None) if lacking else ()
            self.sort_out(a, lacking, stored, c.name, steady)
            for room in c.rooms:
                lacking = [m for m in by_to.get(room, []) if not c.received[m.body]] if steady else []
                stored = await self.stored(c, room) if lacking else ()
                self.sort_out(a, lacking, stored, c.name, steady)
            self.count_copies(a, c)

    def count_copies(self, a, c):
        """A copy is a fault, but where the last hop knows no acknowledgements and broke: a client without stream
        management whose socket ended, a remote server when s2sd died. What had been written there and not
        confirmed here goes again, as it must."""
        twice = [body for body, n in c.received.items() if n > 1 and body in self.messages]
        if c in self.foreign and self.border_died or not c.managed and c.lost_sockets:
            a.repeated += len(twice)
            return
        a.duplicated += len(twice)
        a.notes += [f"{c.name} got {body} {c.received[body]} times" for body in twice]

    async def stored(self, c, where):
        try:
            rows = await c.archive(where)
        except (Lost, asyncio.TimeoutError):
            rows = None
        return {row[1] for row in rows or ()}

    @staticmethod
    def sort_out(a, lacking, stored, name, steady):
        for m in lacking:
            if m.body not in stored:
                a.lost += 1
                a.notes.append(f"lost: {m.body} from {m.sender.name} to {m.to}: {name} does not have it")
            elif steady:
                a.missing += 1
                a.notes.append(f"missing: {m.body} from {m.sender.name} to {m.to}: {name} has it only in the archive")

    def judge_sessions(self, a, sockets_may_end):
        for c in self.everybody:
            lost = c.lost_sessions + (0 if sockets_may_end else c.lost_sockets)
            a.disconnected += lost
            if lost:
                a.notes.append(f"{c.name} was disconnected: {c.whys[-3:]}")
        wrong = [(i, self.answer_count[i]) for i, (c, _) in self.asked.items()
                 if self.answer_count[i] > 1 or c.managed and not c.lost_sessions and self.answer_count[i] != 1]
        a.unanswered = max(a.unanswered, len(wrong))
        a.notes += [f"IQ {i} of {self.asked[i][0].name} has {n} answers" for i, n in wrong]
        a.left, a.disordered = len(self.gone_seen), len(self.disorder)
        a.notes += self.gone_seen + self.disorder + self.faults
        a.disconnected += len(self.faults)

    def forget(self):
        self.messages.clear()
        self.asked.clear()
        self.answer_count.clear()
        self.gone_seen, self.faults, self.disorder = [], [], []
        self.latest.clear()
        for c in self.everybody + self.away:
            c.received.clear()
            c.lost_sockets = c.lost_sessions = 0
            c.whys.clear()

    async def stop(self):
        await self.pause()
        await asyncio.gather(*(c.close() for c in self.everybody + self.away))
