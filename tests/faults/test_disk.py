"""A full disk: messages are refused with a clear error, nothing acknowledged is lost, nobody dies of SIGBUS,
and when there is room again all goes on."""

import asyncio
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from world import ROUNDS, World, say

SIZE_MB, FLOOR_MB = 192, 24
CLEAR = {"resource-constraint", "internal-server-error"}          # RFC 6120 8.3.3
WARNINGS = ("disk_low", "commit_failed")


@pytest.fixture
def small_disk():
    """A directory of an instance whose data lies on a file system of its own."""
    directory = Path(tempfile.mkdtemp(prefix="zubr-disk-"))
    os.chmod(directory, 0o755)
    (directory / "data").mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m,mode=700", "tmpfs", str(directory / "data")],
                          capture_output=True, text=True)
    if made.returncode:
        shutil.rmtree(directory)
        pytest.skip("cannot mount: " + made.stderr.strip())
    yield directory
    subprocess.run(["umount", "-l", str(directory / "data")], check=True)
    shutil.rmtree(directory, ignore_errors=True)


def fill(directory, free_mb):
    """Leaves so much; 0: not a byte."""
    with open(directory / "data/filler", "ab", buffering=0) as f:
        try:
            while (left := free(directory) - free_mb * 1024 * 1024) > 0:
                f.write(bytes(min(left, 1024 * 1024)))
        except OSError:
            pass


def free(directory):
    vfs = os.statvfs(directory / "data")
    return vfs.f_bavail * vfs.f_frsize


async def one_round(world, directory):
    load = world.load
    load.expect_away = set()
    pids = await world.pids()
    load.run()
    await asyncio.sleep(0.7)
    for left in (FLOOR_MB // 2, 0):
        await asyncio.to_thread(fill, directory, left)
        await asyncio.sleep(2.0)                  # the free space is looked at each second
        await load.until(lambda: any(m.refused for m in load.messages.values()), "a refusal",
                         lambda: world.server.lines[-10:])
    await load.pause()
    refused = {word for m in load.messages.values() for word in m.refused.split()}
    os.unlink(directory / "data/filler")
    await asyncio.sleep(1.5)
    await load.probe(0, world.prober("sm"))
    load.run()
    await asyncio.sleep(0.5)
    await load.pause()
    account = await load.account()
    account.check(allowed=("refused",))
    assert await world.pids() == pids, "a daemon died"
    assert refused & CLEAR and not refused - CLEAR - {"text"}, f"refused with {refused}"
    return account


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_full_disk(small_disk):
    with World("--set", f"limits.disk_floor_mb={FLOOR_MB}", keep_dir=small_disk) as world:
        world.server.announced += WARNINGS
        for i in range(ROUNDS):
            account = world.do(one_round(world, small_disk))
            say(f"faults: disk {i + 1}/{ROUNDS}: {account.line()}")
