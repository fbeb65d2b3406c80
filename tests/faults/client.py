"""A client that behaves as a good one does: with stream management it counts, acknowledges, reconnects
and resumes; without it logs in again. What it saw stands in its counters; it decides nothing."""

import asyncio
import time
import xml.etree.ElementTree as ET
from collections import Counter, deque

from wire import CLIENT, SM, Lost, connect

MUC = "http://jabber.org/protocol/muc"
MAM = "urn:xmpp:mam:2"
RSM = "http://jabber.org/protocol/rsm"
WRAP = 2 ** 32


class Client:
    def __init__(self, load, site, name, managed, tls=None):
        self.load, self.site, self.name, self.managed, self.tls = load, site, name, managed, tls
        self.bare = f"{name}@{site.domain}"
        self.jid = None
        self.wire = None
        self.previd = None              # of <enabled/>: this session can be resumed
        self.location = None
        self.out = 0                    # stanzas sent in this managed session
        self.acked = 0                  # of them the server's h covers
        self.unacked = deque()          # (number, text, message or None)
        self.taken = 0                  # our h
        self.received = Counter()       # (id of a message) -> copies
        self.rooms = {}                 # room -> nick
        self.joined = set()
        self.answers = {}               # id of an IQ in flight -> future
        self.lost_sockets, self.lost_sessions, self.whys = 0, 0, []
        self.since = 0                  # when this session began
        self.up = asyncio.Event()
        self.closing = False
        self.task = None

    # ---- life

    def start(self):
        self.task = asyncio.get_running_loop().create_task(self.live())

    async def live(self):
        pause = 0.05
        while not self.closing:
            self.gone = asyncio.get_running_loop().create_future()
            try:
                await self.come_up()
                pause = 0.05
                await self.gone
            except (OSError, Lost, asyncio.TimeoutError, asyncio.IncompleteReadError) as why:
                self.whys.append(f"{type(why).__name__} {why}"[:200])
                if self.wire:
                    self.wire.end("given up")
            self.up.clear()
            if not self.closing:
                await asyncio.sleep(pause)
                pause = min(pause * 2, 0.4)

    async def come_up(self):
        site = self.site
        self.wire = wire = await connect(site.domain, site.tls_port if self.tls else site.port, self.on_element,
                                         self.on_lost, self.tls)
        await wire.login(self.name, "secret")
        if self.previd is not None and await self.resume(wire):
            wire.go_live()
            self.up.set()
            return
        self.jid = await wire.bind("load")
        self.since = time.monotonic()
        if self.managed:
            await self.enable(wire)
        wire.go_live()
        self.send("<presence/>")
        for room in self.load.open_rooms & set(self.rooms):
            self.join(room)
        self.up.set()

    async def enable(self, wire):
        wire.write(f"<enable xmlns='{SM}' resume='true'/>")
        answer = await wire.next()
        if answer.tag != f"{{{SM}}}enabled":
            raise Lost("enable: " + ET.tostring(answer, encoding="unicode")[:300])
        self.previd = answer.get("id")
        self.location = answer.get("location")
        self.out = self.acked = self.taken = 0
        self.unacked.clear()

    async def resume(self, wire):
        wire.write(f"<resume xmlns='{SM}' h='{self.taken % WRAP}' previd='{self.previd}'/>")
        answer = await wire.next()
        if answer.get("h") is not None:
            self.on_ack(int(answer.get("h")))
        if answer.tag == f"{{{SM}}}resumed":
            for _, text, _ in self.unacked:
                wire.write(text)
            wire.write(f"<r xmlns='{SM}'/>")
            return True
        self.whys.append("resume: " + ET.tostring(answer, encoding="unicode")[:200])
        self.lost_sessions += 1
        self.previd = None
        self.joined.clear()
        self.unacked.clear()                # their fate is open: neither acknowledged nor sent again
        return False

    def on_lost(self, wire):
        if wire is not self.wire or self.closing:
            return
        self.lost_sockets += 1
        self.whys.append(wire.why)
        self.up.clear()
        if not self.managed:
            self.joined.clear()
            for future in self.answers.values():
                if not future.done():
                    future.set_exception(Lost(wire.why))
            self.answers.clear()
        if not self.gone.done():
            self.gone.set_result(None)

    def drop(self):
        """The network goes away under the client."""
        if self.wire:
            self.wire.end("dropped by the test")

    async def close(self):
        self.closing = True
        if self.wire and not self.wire.lost and not self.wire.negotiating:
            self.wire.write("</stream:stream>")
        if self.task:
            self.gone.cancel()
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)
        if self.wire:
            self.wire.end("closed")

    # ---- sending

    def usable(self):
        """A stanza given to send() now is either sent or kept for the resumption."""
        return self.up.is_set() or (self.managed and self.previd is not None)

    def send(self, text, message=None):
        if self.managed:
            self.out += 1
            self.unacked.append((self.out, text, message))
        if self.wire and not self.wire.lost and not self.wire.negotiating:
            self.wire.write(text)

    def ask_ack(self):
        if self.managed and self.up.is_set():
            self.wire.write(f"<r xmlns='{SM}'/>")

    def all_acked(self):
        return not self.managed or (self.up.is_set() and not self.unacked)

    def join(self, room):
        self.send(f"<presence to='{room}/{self.rooms[room]}'><x xmlns='{MUC}'><history maxstanzas='0'/></x></presence>")

    def iq(self, kind, payload, to=None):
        """Future of the answer."""
        ident = self.load.new_id("q")
        self.answers[ident] = asyncio.get_running_loop().create_future()
        where = f" to='{to}'" if to else ""
        self.load.ask(self, ident)
        self.send(f"<iq type='{kind}' id='{ident}'{where}>{payload}</iq>")
        return self.answers[ident]

    async def archive(self, of=None, page=200):
        """Every archived message as (id of the archive, body, from, to), oldest first. None: no archive."""
        found, after = [], ""
        while True:
            self.collected, query = [], self.load.new_id("m")
            answer = await asyncio.wait_for(self.iq("set", f"<query xmlns='{MAM}' queryid='{query}'><set xmlns='{RSM}'>"
                                                    f"<max>{page}</max>{after}</set></query>", of), 30)
            if answer.get("type") != "result":
                return None
            found += self.collected
            fin = answer.find(f"{{{MAM}}}fin")
            last = fin.findtext(f"{{{RSM}}}set/{{{RSM}}}last")
            if fin.get("complete") in ("true", "1") or not last:
                return found
            after = f"<after>{last}</after>"

    # ---- receiving

    def on_ack(self, h):
        now = time.monotonic()
        count = (h - self.acked) % WRAP
        if count > self.out - self.acked:
            self.load.fault(self, f"h={h}, but only {self.out} stanzas were sent")
            return
        self.acked += count
        while self.unacked and self.unacked[0][0] <= self.acked:
            message = self.unacked.popleft()[2]
            if message:
                message.acknowledged = now

    def on_element(self, element):
        tag = element.tag
        if tag == f"{{{SM}}}r":
            self.wire.write(f"<a xmlns='{SM}' h='{self.taken % WRAP}'/>")
        elif tag == f"{{{SM}}}a":
            self.on_ack(int(element.get("h")))
        elif tag.startswith(CLIENT):
            self.taken += 1
            getattr(self, "on_" + tag[len(CLIENT):])(element)

    def on_message(self, e):
        result = e.find(f"{{{MAM}}}result")
        if result is not None:
            inner = next((m for m in result.iter(CLIENT + "message")), None)
            if inner is not None:
                self.collected.append((result.get("id"), inner.findtext(CLIENT + "body"), inner.get("from"), inner.get("to")))
            return
        body = e.findtext(CLIENT + "body")
        if e.get("type") == "error":
            self.load.bounced(self, e)
        elif body:
            self.received[body] += 1
            self.load.arrived(self, body)

    def on_iq(self, e):
        kind, ident = e.get("type"), e.get("id")
        if kind in ("get", "set"):
            if len(e) and e[0].tag == "{urn:xmpp:ping}ping":
                self.send(f"<iq type='result' id='{ident}' to='{e.get('from')}'/>")
            else:
                self.send(f"<iq type='error' id='{ident}' to='{e.get('from')}'><error type='cancel'>"
                          "<service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>")
            return
        self.load.answered(self, ident)
        future = self.answers.pop(ident, None)
        if future and not future.done():
            future.set_result(e)

    def on_presence(self, e):
        kind, sender = e.get("type"), e.get("from", "")
        if kind == "subscribe":
            self.send(f"<presence to='{sender.split('/')[0]}' type='subscribed'/>")
            return
        room, _, nick = sender.partition("/")
        if room in self.rooms:
            if kind is None and nick == self.rooms[room]:
                self.joined.add(room)
            elif kind == "error":
                self.whys.append("join: " + ET.tostring(e, encoding="unicode")[:300])
            elif kind == "unavailable":
                self.load.left(self, room, nick)
        elif kind == "unavailable":
            self.load.went_away(self, sender)
