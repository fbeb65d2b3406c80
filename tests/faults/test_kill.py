"""kill -9 of each daemon in turn, then of all at once, under load: nothing acknowledged is lost, nothing
comes twice or out of order, and who is connected to a living c2sd stays so."""

import os
import shutil

import pytest

from world import ROUNDS, World, say

VICTIMS = {"routerd": ["routerd"], "sm": ["sm-1"], "muc": ["muc-1"], "c2sd": ["c2sd-1"], "all": ["all"]}


def rounds(name, world, victims):
    accounts = []
    for i in range(ROUNDS):
        accounts.append(world.do(world.killing_round(*victims)))
        say(f"faults: {name} {i + 1}/{ROUNDS}: {accounts[-1].line()}")
    for account in accounts:
        account.check()


@pytest.mark.parametrize("name", VICTIMS)
def test_kill(name):
    with World("--instances", "c2sd=2") as world:
        rounds(name, world, VICTIMS[name])


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("dnsmasq"), reason="needs root and dnsmasq")
def test_kill_s2sd():
    """Its links end and open again; nobody from there is seen to leave a room, and what they are sent arrives."""
    with World(peer=True) as world:
        rounds("s2sd", world, ["s2sd-1"])
