"""Real clients, unattended: slixmpp, profanity, mcabber, go-sendxmpp."""

import asyncio
import os
import re
import shutil
import ssl
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
import slixmpp

from harness import NS, wait_for

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
        self.add_event_handler("failed_auth", lambda _: self.here.set())
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


async def online(server, name):
    bot = Bot(f"{name}@{server.domain}", "secret")
    bot.connect(("127.0.0.1", server.c2s))
    await asyncio.wait_for(bot.here.wait(), 20)
    return bot


def test_slixmpp_chats_rosters_and_rooms(server):
    for name in ("slix1", "slix2"):
        server.register(name)

    async def script():
        a, b = await online(server, "slix1"), await online(server, "slix2")
        a.send_presence_subscription(b.boundjid.bare)           # slixmpp approves and asks back by itself
        for _ in range(100):
            if b.boundjid.bare in a.seen and a.boundjid.bare in b.seen:
                break
            await asyncio.sleep(0.1)
        assert b.boundjid.bare in a.seen and a.boundjid.bare in b.seen
        a.send_message(b.boundjid.bare, "hello from slixmpp", mtype="chat")
        assert (await b.next_body("hello from slixmpp"))["from"] == a.boundjid.full
        room = f"slix@muc.{server.domain}"
        await a.plugin["xep_0045"].join_muc_wait(room, "A", timeout=15)
        form = a.plugin["xep_0004"].make_form(ftype="submit")       # an instant room, XEP-0045 10.1.2
        await a.plugin["xep_0045"].set_room_config(room, form)
        await b.plugin["xep_0045"].join_muc_wait(room, "B", timeout=15)
        b.send_message(room, "hello room", mtype="groupchat")
        await a.next_body("hello room")
        version = await a.plugin["xep_0092"].get_version(server.domain)
        assert version["software_version"]["name"] == "Zubr"
        card = a.plugin["xep_0054"].make_vcard()
        card["FN"] = "Slix One"
        await a.plugin["xep_0054"].publish_vcard(card)
        got = await b.plugin["xep_0054"].get_vcard(a.boundjid.bare)
        assert got["vcard_temp"]["FN"] == "Slix One"
        await a.plugin["xep_0199"].ping(server.domain)
        for bot in (a, b):
            bot.disconnect()
            await asyncio.wait_for(bot.disconnected, 10)

    asyncio.run(script())


def needs(program):
    return pytest.mark.skipif(not shutil.which(program), reason=f"{program} is not installed")


@needs("go-sendxmpp")
def test_go_sendxmpp(server):
    server.register("gopher")
    b = server.client("bob")
    done = subprocess.run(["go-sendxmpp", "-u", f"gopher@{server.domain}", "-p", "secret", "-n", "-j",
                           f"127.0.0.1:{server.c2s}", b.bare], input="sent by go\n", capture_output=True,
                          text=True, timeout=60, env=dict(os.environ, HOME=str(server.dir)))
    assert done.returncode == 0, done.stderr
    assert "sent by go" in b.expect("message", lambda m: m.find("client:body", NS) is not None).findtext(
        "client:body", None, NS)


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


@pytest.fixture
def home():
    path = Path(tempfile.mkdtemp(prefix="zubr-home-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@needs("profanity")
def test_profanity(server, home):
    server.register("prof")
    b = server.client("bob")
    t = Terminal("profanity", home=home)
    try:
        t.wait(r"Profanity|profanity")
        time.sleep(1)
        t.type(f"/connect prof@{server.domain} server 127.0.0.1 port {server.c2s} tls trust")
        t.wait(r"[Pp]assword")
        t.type("secret")
        t.wait(r"logged in successfully")
        t.type(f"/msg {b.bare} hello from profanity")
        b.expect_body("hello from profanity")
        b.message(f"prof@{server.domain}", "hello terminal")
        t.wait(r"hello terminal|bob@")
        t.type("/quit")
    finally:
        t.end()


@needs("mcabber")
def test_mcabber(server, home):
    server.register("mcab")
    b = server.client("bob")
    (home / ".mcabber").mkdir(mode=0o700)
    rc = home / ".mcabber" / "mcabberrc"
    rc.write_text(f"set jid = mcab@{server.domain}\nset password = secret\nset server = 127.0.0.1\n"
                  f"set port = {server.c2s}\nset tls = 1\nset ssl_ignore_checks = 1\nset ssl_verify = 0\n")
    rc.chmod(0o600)
    t = Terminal("mcabber", home=home)
    try:
        wait_for(lambda: server.ctl_json("sessions", f"mcab@{server.domain}", check=False), "mcabber's session", 30)
        t.type(f"/say_to {b.bare} hello from mcabber")
        b.expect_body("hello from mcabber")
        t.type("/quit")
    finally:
        t.end()
