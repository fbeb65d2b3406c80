"""Two session managers over Redis; kill -9 of redis-server under load, which comes back empty."""

import asyncio
import os
import shutil
import subprocess
import tempfile

import pytest

from harness import wait_for
from world import ROUNDS, World, say

pytestmark = pytest.mark.skipif(not shutil.which("redis-server"), reason="needs redis-server")
WARNINGS = ("redis_down", "redis_slow")


class Redis:
    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="zubr-redis-")
        os.chmod(self.dir, 0o755)
        self.path = self.dir + "/redis.sock"

    def start(self):
        self.process = subprocess.Popen(["redis-server", "--port", "0", "--unixsocket", self.path, "--unixsocketperm", "777",
                                         "--save", "", "--appendonly", "no", "--dir", self.dir],
                                        stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        wait_for(lambda: os.path.exists(self.path), "redis-server")

    def kill(self):
        self.process.kill()
        self.process.wait()
        if os.path.exists(self.path):
            os.unlink(self.path)

    def stop(self):
        self.kill()
        shutil.rmtree(self.dir, ignore_errors=True)


async def one_round(world, redis):
    load = world.load
    load.expect_away = set()
    load.run()
    await asyncio.sleep(1)
    await asyncio.to_thread(redis.kill)
    await asyncio.sleep(1)
    await asyncio.to_thread(redis.start)
    await asyncio.sleep(1)
    await load.pause()
    return await load.account()


def test_redis_dies():
    redis = Redis()
    redis.start()
    try:
        with World("--instances", "sm=2", "--redis", "unix:" + redis.path) as world:
            world.server.announced += WARNINGS
            for i in range(ROUNDS):
                account = world.do(one_round(world, redis))
                say(f"faults: redis {i + 1}/{ROUNDS}: {account.line()}")
                account.check()
    finally:
        redis.stop()
