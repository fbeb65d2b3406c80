"""A planned restart of one daemon under a small load (systemctl restart: it drains first): the same zeros as
when it is killed."""

import asyncio
import time

import pytest

from load import Load, Site
from machine import UNITS


@pytest.fixture
def roomy(system):
    """Limits of rates are for strangers; the load comes from one address."""
    system.write_conf("limits { connect_rate = 0 connections_per_address = 0 }\n")
    system.ctl("reload")
    yield system
    system.write_conf()
    system.ctl("reload", check=False)


async def under_load(system, unit):
    load = Load(Site(system.domain, system.c2s, system.c2s_tls), managed=12, plain=3, away=2, rooms=2, occupants=6, rate=40,
                tls_only=True)
    for c in load.clients + load.away:
        await asyncio.to_thread(system.ctl, "register", c.bare, stdin="secret\n", check=False)
    await load.start(register=False)
    cut = unit.startswith("zubr-c2sd")
    load.expect_away = {c.name for c in load.plain} if cut else set()
    load.run()
    await asyncio.sleep(1)
    begin = time.monotonic()
    await asyncio.to_thread(system.run, "systemctl", "restart", unit)
    recovery = await load.probe(begin, lambda: load.say(load.managed[0], load.managed[0].bare, probe=True))
    await asyncio.sleep(1)
    await load.pause()
    account = await load.account(sockets_may_end=cut)
    account.recovery = recovery
    await load.stop()
    return account


@pytest.mark.parametrize("unit", UNITS)
def test_restart_loses_nothing(roomy, unit):
    roomy.announced = ["link_lost", "peer_lost"]
    account = asyncio.run(under_load(roomy, unit))
    print(f"{unit}: {account.line()}")
    account.check()
