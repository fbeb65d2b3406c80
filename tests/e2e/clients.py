"""Real clients in tests: slixmpp as a bot, and programs of a terminal in tmux."""

import asyncio
import os
import re
import shutil
import ssl
import subprocess
import tempfile
import threading
from pathlib import Path

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


class Loop:
    """An event loop in a thread of its own: bots live there while the test waits for a terminal."""

    def __enter__(self):
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.run(self.cancel())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)

    @staticmethod
    async def cancel():
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    def run(self, coroutine, seconds=60):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(seconds)


def needs(program):
    return pytest.mark.skipif(not shutil.which(program), reason=f"{program} is not installed")


class Terminal:
    """A program in tmux, with a home of its own: type into it, read its screen. `files` are written into the home
    before it starts: {path: text}."""

    def __init__(self, *command, files=None):
        self.home = Path(tempfile.mkdtemp(prefix="zubr-home-"))
        self.socket = self.home / "tmux"
        for path, text in (files or {}).items():
            (self.home / path).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            (self.home / path).write_text(text)
            (self.home / path).chmod(0o600)
        env = dict(os.environ, HOME=str(self.home), TERM="screen-256color", LC_ALL="C.UTF-8",
                   XDG_CONFIG_HOME=f"{self.home}/.config", XDG_DATA_HOME=f"{self.home}/.local/share")
        env.pop("TMUX", None)
        self.tmux("new-session", "-d", "-x", "180", "-y", "50", *command, env=env)

    def __enter__(self):
        return self

    def __exit__(self, kind, why, _):
        screen = self.screen()
        self.end()
        if kind and issubclass(kind, AssertionError):
            raise AssertionError(f"{why}\nthe screen:\n{screen.rstrip()}") from None

    def tmux(self, *args, env=None):
        return subprocess.run(["tmux", "-S", str(self.socket), *args], capture_output=True, text=True, env=env, timeout=20)

    def type(self, *lines):
        for line in lines:
            self.tmux("send-keys", "-l", line)
            self.tmux("send-keys", "Enter")

    def screen(self):
        return self.tmux("capture-pane", "-p").stdout

    def wait(self, pattern, seconds=30):
        return wait_for(lambda: re.search(pattern, self.screen()), f"{pattern!r} on the screen", seconds)

    def end(self):
        self.tmux("kill-server")
        shutil.rmtree(self.home, ignore_errors=True)


class Profanity(Terminal):
    """Logged in; `commands` are typed before."""

    def __init__(self, server, name, *commands):
        super().__init__("profanity")
        self.jid = f"{name}@{server.domain}"
        self.wait("Profanity")
        self.type(*commands, f"/connect {self.jid} server 127.0.0.1 port {server.c2s} tls trust")
        self.wait("[Pp]assword")
        self.type("secret")
        self.wait(rf"{self.jid}.*logged in successfully")

    def leave(self):
        """Its farewell is sent: the session has ended."""
        self.type("/disconnect")
        self.wait("logged out successfully")
