"""Power cuts: the load runs upon daemons whose writes and flushes are recorded (record.c); then, for random
instants, what the disk may hold is laid out (replay.py), live environments are void, the suite starts on it
and everything that had been acknowledged at that instant must be there."""

import asyncio
import os
import random
import shutil
import tempfile
import time
from pathlib import Path

import pytest

from harness import ROOT, Server
from load import Load
from replay import Record
from test_resume import managed
from test_room_archive import configure
from test_rooms import enter
from world import LONG, ROUNDS, World, say, site_of

CUTS = ROUNDS * 10 if LONG else 5
SIZE = dict(managed=12, plain=2, away=2, rooms=2, occupants=5, rate=200 if LONG else 100)
RECORDER = ROOT / "build/tests/faults/record.so"
pytestmark = pytest.mark.skipif(not RECORDER.exists(), reason="needs the optimised build (./dev build)")


def nanoseconds(seconds):
    return int(seconds * 1e9)


class History:
    """A recorded load: the record, the messages with the times of their acknowledgement, when it ran."""

    def __init__(self, directory, seconds):
        self.dir = directory
        self.logs = directory / "log"
        self.logs.mkdir()
        (directory / "suite").mkdir()
        os.chmod(directory, 0o755)
        os.chmod(self.logs, 0o777)
        env = {"LD_PRELOAD": str(RECORDER), "ZUBR_RECORD": str(self.logs)}
        with World(size=SIZE, build="build", env=env, contacts=False, keep_dir=directory / "suite") as world:
            self.suite = world.server.dir
            self.rooms = world.load.room_names
            self.begin = time.monotonic()
            world.do(self.traffic(world.load, seconds))
            self.end = time.monotonic()
            self.messages = list(world.load.messages.values())
            world.do(world.load.account(), 60).check(allowed=("lost", "missing"))    # the cuts judge that
            self.data = world.server.dir / "data"
            self.certificates = {p.relative_to(self.suite): p.read_bytes() for p in self.suite.glob("certs/*/*.pem")}
        self.record = Record(self.logs)

    @staticmethod
    async def traffic(load, seconds):
        load.run()
        await asyncio.sleep(seconds)
        await load.pause()
        await load.settle()

    def lay_out(self, directory, instant, seed):
        self.record.lay_out(self.suite, directory, instant, seed)
        for path, text in self.certificates.items():
            (directory / path).parent.mkdir(parents=True, exist_ok=True)
            (directory / path).write_bytes(text)


async def what_is_there(site, rooms):
    """Bodies by bare JID or room: archives, and what waited for who was away."""
    load = Load(site, **dict(SIZE, contacts=False))
    found = {}
    for c in load.clients + load.away:
        c.rooms = {}
        c.start()
    await load.all_up(load.clients + load.away)
    for c in load.clients + load.away:
        rows = await c.archive()
        await asyncio.wait_for(c.iq("get", "<ping xmlns='urn:xmpp:ping'/>", load.domain), 20)
        found[c.bare] = {row[1] for row in rows or ()} | set(c.received)
    first = load.clients[0]
    for room in rooms:
        first.rooms[room] = first.name
        first.join(room)
        await load.until(lambda r=room: r in first.joined, "entering " + room, lambda: first.whys)
        found[room] = {row[1] for row in await first.archive(room) or ()}
    await load.stop()
    return found


def lacking(history, instant, found):
    """Messages acknowledged before the instant that are not where they belong."""
    bad = []
    for m in history.messages:
        acknowledged = 0 < m.acknowledged <= instant if m.sender.managed else m.body in found[m.sender.bare]
        if acknowledged and not m.refused and m.body not in found[m.to]:
            bad.append(f"{m.body} from {m.sender.name} to {m.to}, acknowledged {instant - m.acknowledged:.6f} s before the cut")
    return bad


def after_cut(history, number, instant, lie=0, patience=10):
    """(acknowledged before it, what of that is missing) when the power fails at `instant`; the disk is one that
    claims to have flushed what it writes only `lie` ns later."""
    directory = history.dir / f"cut{number}"
    directory.mkdir()
    history.lay_out(directory, instant - lie, number)
    count = sum(1 for m in history.messages if m.sender.managed and 0 < m.acknowledged <= instant / 1e9)
    with Server("--no-limits", "--insecure", keep_dir=directory, build="build") as server:
        deadline = time.monotonic() + patience    # what an outbox still owes comes soon after the start
        while True:
            found = asyncio.run(what_is_there(site_of(server), history.rooms))
            bad = lacking(history, instant / 1e9, found)
            if not bad or time.monotonic() > deadline:
                return count, bad


def cut(history, number):
    rnd = random.Random(number)
    barriers = history.record.barriers(nanoseconds(history.begin), nanoseconds(history.end))
    assert len(barriers) > 20, f"only {len(barriers)} barriers: nothing was flushed under load"
    instant = rnd.choice(barriers) + rnd.choice((1, 1, 20_000, 500_000))
    count, bad = after_cut(history, number, instant)
    say(f"faults: power cut {number + 1}/{CUTS}: acknowledged {count}  lost {len(bad)}")
    assert not bad, f"cut {number} at {instant}:\n" + "\n".join(bad[:20])
    return count


@pytest.fixture(scope="module")
def history():
    directory = Path(tempfile.mkdtemp(prefix="zubr-power-"))
    yield History(directory, 20 if LONG else 3)
    shutil.rmtree(directory, ignore_errors=True)


def test_power_cuts(history):
    assert sum(cut(history, i) for i in range(CUTS)) > 0, "nothing had been acknowledged at any cut"


@pytest.fixture
def logs():
    with tempfile.TemporaryDirectory(prefix="zubr-power-") as directory:
        os.chmod(directory, 0o777)
        yield directory


def test_a_room_message_is_acknowledged_when_the_room_has_it_for_good(logs):
    """muc's disk takes its time: until then nobody says that the message cannot be lost (XEP-0198 4)."""
    env = {"LD_PRELOAD": str(RECORDER), "ZUBR_RECORD": str(logs), "ZUBR_SLOW_FLUSH": "zubr-muc:700"}
    with Server("--insecure", env=env, build="build") as server:
        alice = managed(server, "alice")
        room = f"durable@muc.{server.domain}"
        enter(alice, room, "A")
        configure(alice, room, persistentroom=1)
        before = alice.ask()
        alice.write(f"<message to='{room}' type='groupchat' id='x'><body>kept</body></message>")
        assert alice.ask() == before                # asked, it says after a while what is certain
        alice.expect_body("kept")                   # the room says it behind its commit
        alice.ask_until(before + 1)
        alice.close()


def test_a_disk_that_lies_is_found_out(history):
    """What the cuts prove, they could also refute."""
    end = max(m.acknowledged for m in history.messages if m.sender.managed)
    count, bad = after_cut(history, CUTS, nanoseconds(end), lie=500_000_000, patience=0)
    assert bad, f"half a second of writes was lost and none of {count} acknowledged messages is missing"
