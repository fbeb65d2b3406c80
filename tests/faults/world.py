"""A suite with a load upon it, and the ways to hurt it. Scenarios are coroutines run by World.do()."""

import asyncio
import os
import signal
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))

from federation import Dns  # noqa: E402
from harness import Server  # noqa: E402
from load import Load, Site  # noqa: E402

LONG = os.environ.get("ZUBR_FAULTS_LONG") == "1"
# Clients with stream management, without, messages and questions a second, rounds of each kind.
SIZE = dict(managed=200, plain=50, rate=400, rooms=8, occupants=20) if LONG else \
    dict(managed=24, plain=6, rate=120, rooms=3, occupants=8)
ROUNDS = int(os.environ.get("ZUBR_FAULTS_ROUNDS", 20 if LONG else 1))
# What the survivors say of a daemon that was killed.
OF_A_DEATH = ("daemon_restarted", "link_lost", "peer_lost", "link_refused", "auth_unanswered")


def say(text):
    """On the terminal at once, past pytest's capture."""
    os.write(SAY, (text + "\n").encode())


SAY = os.dup(2)


def site_of(server):
    return Site(server.domain, server.c2s, server.c2s_tls)


class Peer:
    """A second suite for another domain, and the DNS server by which the two find each other."""

    ADDRESS = "127.0.53.7"

    def __init__(self, ours, domain):
        self.ours, self.domain = ours, domain
        ours.args += ["--resolver", self.ADDRESS + ":53"]
        self.server = Server("--no-limits", "--insecure", "--resolver", self.ADDRESS + ":53", domains=("peer.example",))
        self.server.announced += OF_A_DEATH

    def start(self):
        names = {self.domain: self.ours, f"muc.{self.domain}": self.ours, "peer.example": self.server}
        self.dns = Dns({name: "127.0.0.1" for name in names}, {name: (name, s.s2s) for name, s in names.items()},
                       self.ADDRESS)
        return site_of(self.server.start())

    def stop(self):
        self.server.__exit__(True)
        self.dns.stop()


class World:
    def __init__(self, *options, size=None, domains=("example.org",), env=None, build=None, peer=False,
                 keep_dir=None, **load_options):
        self.server = Server("--no-limits", "--insecure", *options, domains=domains, env=env, build=build,
                             keep_dir=keep_dir)
        self.peer = Peer(self.server, domains[0]) if peer else None
        self.server.announced += OF_A_DEATH
        self.size = dict(SIZE, **(size or {}), **load_options)
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        self.load = None

    def __enter__(self):
        try:
            elsewhere = self.peer and self.peer.start()
            self.server.start()
            self.load = Load(site_of(self.server), elsewhere=elsewhere, **self.size)
            self.do(self.load.start())
        except BaseException:
            self.__exit__(True)
            raise
        return self

    def __exit__(self, kind, *_):
        try:
            if self.load:
                self.do(self.load.stop())
        finally:
            self.loop.call_soon_threadsafe(self.loop.stop)
            if self.peer:
                self.peer.stop()
            self.server.__exit__(kind)

    def do(self, scenario, seconds=180):
        return asyncio.run_coroutine_threadsafe(scenario, self.loop).result(seconds)

    # ---- daemons

    async def pids(self):
        """Instance -> pid, of those that run."""
        rows = await asyncio.to_thread(self.server.ctl_json, "status", check=False)
        return {r["name"]: r["pid"] for r in rows if r["state"] == "running"}

    async def kill(self, *instances, sig=signal.SIGKILL):
        """Returns (time of the death, the pids that died)."""
        pids = await self.pids()
        if instances == ("all",):
            instances = tuple(pids)
        for name in instances:
            os.kill(pids[name], sig)
        return time.monotonic(), {name: pids[name] for name in instances}

    async def back(self, dead, seconds=30):
        """All of these run again, as other processes. Returns when that was."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            pids = await self.pids()
            if all(pids.get(name, pid) != pid for name, pid in dead.items()):
                return time.monotonic()
            await asyncio.sleep(0.05)
        raise AssertionError(f"not back within {seconds} s: {[n for n, p in dead.items() if pids.get(n, p) == p]}\n" +
                             "".join(self.server.lines[-30:]))

    # ---- one round

    async def killing_round(self, *victims, seconds=1.2):
        load = self.load
        cut = any(v == "all" or v.startswith("c2sd") for v in victims)
        load.expect_away = {c.name for c in load.plain} if cut else set()
        load.border_died = any(v == "all" or v.startswith("s2sd") for v in victims)
        load.run()
        await asyncio.sleep(seconds * (0.5 + load.random.random()))
        died, dead = await self.kill(*victims)
        recovery = await load.probe(died, self.prober(victims[0]))
        await self.back(dead)
        await asyncio.sleep(seconds / 2)
        await load.pause()
        account = await load.account(sockets_may_end=cut)
        account.recovery = recovery
        return account

    def prober(self, victim):
        """A message that needs the victim on its way back to its sender."""
        load = self.load
        c = load.managed[0] if not victim.startswith("muc") else next(c for c in load.managed if c.rooms)
        if victim.startswith("muc"):
            return lambda: load.say_room(c, sorted(c.rooms)[0])
        if victim.startswith("s2sd"):
            return lambda: load.say(c, load.foreign[0].bare, probe=True)
        return lambda: load.say(c, c.bare, probe=True)
