"""Real clients in tests: slixmpp as a bot, and programs of a terminal in tmux."""

import asyncio
import os
import re
import shutil
import ssl
import subprocess
import tempfile

import pytest
import slixmpp

from harness import wait_for


class Bot(slixmpp.ClientXMPP):
    """Logs in with everything slixmpp asks for, and records what arrives."""

    def __init__(self, jid, password):
        super().__init__(jid, password)
        for plugin in ("xep_0004", "xep_0030", "xep_0045", "xep_0049", "xep_0054", "xep_0092", "xep_0199", "xep_0202"):
            self.register_plugin(plugin)
        self.heard = asyncio.Queue()
        self.here = asyncio.Event()
        self.seen = set()
        self.add_event_handler("session_start", self.begin)
        self.add_event_handler("message", self.heard.put_nowait)
        self.add_event_handler("presence_available", lambda p: self.seen.add(p["from"].bare))
        self.add_event_handler("failed_all_auth", lambda _: self.here.set())
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.get_ssl_context = lambda: context

    async def begin(self, _):
        await self.get_roster()
        self.send_presence()
        self.here.set()

    async def next_body(self, body):
        while True:
            m = await asyncio.wait_for(self.heard.get(), 15)
            if m["body"] == body:
                return m


async def online(server, name, kind=Bot):
    bot = kind(f"{name}@{server.domain}", "secret")
    await reach(server, bot)
    return bot


async def reach(server, bot):
    """Connects, also one that was here before."""
    bot.here.clear()
    bot.connect(("127.0.0.1", server.c2s))
    await asyncio.wait_for(bot.here.wait(), 20)


async def leave(bot):
    if not bot.is_connected():
        return
    bot.disconnect()
    await asyncio.wait_for(bot.disconnected, 10)


def needs(program):
    return pytest.mark.skipif(not shutil.which(program), reason=f"{program} is not installed")


class Terminal:
    """A program in tmux: type into it, read its screen."""

    def __init__(self, *command, home):
        self.dir = tempfile.mkdtemp(prefix="zubr-tmux-")
        self.socket = os.path.join(self.dir, "s")
        env = dict(os.environ, HOME=str(home), TERM="screen-256color", LC_ALL="C.UTF-8",
                   XDG_CONFIG_HOME=f"{home}/.config", XDG_DATA_HOME=f"{home}/.local/share")
        env.pop("TMUX", None)
        self.tmux("new-session", "-d", "-x", "180", "-y", "50", *command, env=env)

    def tmux(self, *args, env=None):
        return subprocess.run(["tmux", "-S", self.socket, *args], capture_output=True, text=True, env=env, timeout=20)

    def type(self, text):
        self.tmux("send-keys", "-l", text)
        self.tmux("send-keys", "Enter")

    def screen(self):
        return self.tmux("capture-pane", "-p").stdout

    def wait(self, pattern, seconds=30):
        try:
            return wait_for(lambda: re.search(pattern, self.screen()), pattern, seconds)
        except AssertionError:
            raise AssertionError(f"no {pattern!r} on the screen:\n{self.screen()}") from None

    def end(self):
        self.tmux("kill-server")
        shutil.rmtree(self.dir, ignore_errors=True)
