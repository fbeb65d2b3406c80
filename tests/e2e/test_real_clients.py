"""Real clients, unattended: slixmpp, profanity, mcabber, go-sendxmpp."""

import asyncio
import os
import subprocess
import time

from clients import Terminal, leave, needs, online
from harness import NS, wait_for


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
        await leave(a)
        await leave(b)

    asyncio.run(script())


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
