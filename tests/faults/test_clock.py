"""The wall clock jumps an hour forwards and back again: sessions stay, and the order of archives is the
order in which messages came."""

import asyncio
import glob
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections import defaultdict
from datetime import datetime, timezone
from pathlib import Path

import pytest

from harness import wait_for
from world import ROUNDS, World, say

LIBRARY = (glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1") + [None])[0]
pytestmark = pytest.mark.skipif(not LIBRARY or not Path(__file__).resolve().parents[2].joinpath("build/zubr-sm").exists(),
                                reason="needs faketime and the optimised build")


class Clock:
    """What the daemons take for the time of day."""

    def __init__(self, directory):
        self.file = directory / "clock"
        self.set("+0")
        # What the library shares between processes is made by its own tool, and opened to the daemons' user.
        self.keeper = subprocess.Popen(["faketime", "-m", "-f", "+0", "sleep", "3600"], start_new_session=True)
        shared = wait_for(self.shared, "faketime")
        self.paths = [path for name in shared.split() for path in (f"/dev/shm{name}", f"/dev/shm/sem.{name[1:]}")
                      if os.path.exists(path)]
        for path in self.paths:
            os.chmod(path, 0o666)
        self.env = {"LD_PRELOAD": LIBRARY, "FAKETIME_TIMESTAMP_FILE": str(self.file), "FAKETIME_CACHE_DURATION": "1",
                    "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_SHARED": shared}

    def shared(self):
        """FAKETIME_SHARED of the keeper's child."""
        for child in Path(f"/proc/{self.keeper.pid}/task/{self.keeper.pid}/children").read_text().split():
            for item in Path(f"/proc/{child}/environ").read_bytes().split(b"\0"):
                if item.startswith(b"FAKETIME_SHARED="):
                    return item.split(b"=", 1)[1].decode()
        return None

    def stop(self):
        os.killpg(self.keeper.pid, signal.SIGTERM)
        self.keeper.wait()
        for path in self.paths:
            os.unlink(path)

    def set(self, offset):
        new = self.file.with_suffix(".new")
        new.write_text(offset + "\n")
        os.chmod(new, 0o644)
        new.rename(self.file)


def disordered(rows):
    """Rows of one archive that stand before an earlier one of the same sender and recipient."""
    last, bad = defaultdict(int), []
    for _, body, sender, to in rows:
        if body and body[0] in "bgp":
            flow, number = (sender, to.split("/")[0]), int(body.lstrip("abcdefghijklmnopqrstuvwxyz"))
            if number < last[flow]:
                bad.append(f"{body} of {sender} stands behind {last[flow]}")
            last[flow] = max(last[flow], number)
    return bad


async def ahead(load):
    """Seconds that the server's clock is ahead of ours, by XEP-0202."""
    answer = await load.managed[0].iq("get", "<time xmlns='urn:xmpp:time'/>", load.domain)
    text = answer.findtext("{urn:xmpp:time}time/{urn:xmpp:time}utc")
    return (datetime.fromisoformat(text.replace("Z", "+00:00")) - datetime.now(timezone.utc)).total_seconds()


async def one_round(world, clock):
    load = world.load
    load.expect_away = set()
    load.run()
    for offset, hours in (("+1h", 1), ("+0", 0), ("-1h", -1), ("+0", 0)):
        clock.set(offset)
        deadline = time.monotonic() + 20          # each process looks at the file again after a second or two
        while abs(await ahead(load) - 3600 * hours) > 60:
            assert time.monotonic() < deadline, "the clock of the daemons did not jump"
            await asyncio.sleep(0.1)
        await asyncio.sleep(1)
    await load.pause()
    notes = await load.settle()
    bad = []
    for c in load.managed[:8]:
        rows = await c.archive()
        assert rows is not None, "no archive"
        assert len({row[0] for row in rows}) == len(rows), "an id twice in an archive"
        bad += [f"{c.name}: {line}" for line in disordered(rows)]
    assert not bad, "\n".join(bad[:20])
    account = await load.account()
    account.notes = notes + account.notes
    return account


def test_clock_jumps():
    directory = Path(tempfile.mkdtemp(prefix="zubr-clock-"))
    os.chmod(directory, 0o755)
    clock = Clock(directory)
    try:
        with World(env=clock.env, build="build") as world:
            for i in range(ROUNDS):
                account = world.do(one_round(world, clock))
                say(f"faults: clock {i + 1}/{ROUNDS}: {account.line()}")
                account.check()
    finally:
        clock.stop()
        shutil.rmtree(directory, ignore_errors=True)
