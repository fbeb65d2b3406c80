"""More real clients, unattended: slixmpp in a room, go-sendxmpp, sendxmpp, mcabber. (profanity, bitlbee, nbxmpp and
slixmpp's plugins have files of their own.)"""

import asyncio
import os
import subprocess

from clients import Terminal, leave, needs, online
from harness import NS, wait_for

INSTANT = f"<query xmlns='{NS['muc_owner']}'><x xmlns='jabber:x:data' type='submit'/></query>"


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


def text_of(message):
    return message.findtext("client:body", None, NS)


def in_a_room(server, name):
    """A client in an unlocked room, and the room."""
    b, room = server.client(name), f"{name}@muc.{server.domain}"
    b.write(f"<presence to='{room}/Bob'><x xmlns='{NS['muc']}'/></presence>")
    b.expect("presence", lambda p: p.get("from") == f"{room}/Bob")
    assert b.iq("set", INSTANT, to=room).get("type") == "result"
    return b, room


def run(server, command, text):
    """A program that says what it reads and ends."""
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60,
                          env=dict(os.environ, HOME=str(server.dir)))
    assert done.returncode == 0, done.stderr


@needs("go-sendxmpp")
def test_go_sendxmpp(server):
    server.register("gopher")
    b, room = in_a_room(server, "bob1")
    command = ["go-sendxmpp", "-u", f"gopher@{server.domain}", "-p", "secret", "-n", "-j"]
    run(server, [*command, f"127.0.0.1:{server.c2s}", b.bare], "sent by go\n")
    assert "sent by go" in text_of(b.expect("message", text_of))
    run(server, [*command, f"127.0.0.1:{server.c2s_tls}", "-t", b.bare], "by direct TLS\n")
    assert "by direct TLS" in text_of(b.expect("message", text_of))
    run(server, [*command, f"127.0.0.1:{server.c2s}", "-c", "-a", "Gopher", room], "said by go\n")
    assert "said by go" in text_of(b.expect("message", lambda m: m.get("from") == f"{room}/Gopher" and text_of(m)))


@needs("go-sendxmpp")
def test_go_sendxmpp_listens(server):
    server.register("listener")
    b = server.client("bob2")
    b.message(f"listener@{server.domain}", "this one waited")
    program = subprocess.Popen(["go-sendxmpp", "-u", f"listener@{server.domain}", "-p", "secret", "-n", "-j",
                                f"127.0.0.1:{server.c2s}", "-l"], stdout=subprocess.PIPE, text=True,
                               env=dict(os.environ, HOME=str(server.dir)))
    try:
        assert "this one waited" in program.stdout.readline()
        b.message(f"listener@{server.domain}", "hello listener")
        assert "hello listener" in program.stdout.readline()
    finally:
        program.terminate()
        program.wait(10)
        program.stdout.close()


@needs("sendxmpp")
def test_sendxmpp(server):
    """Perl's Net::XMPP. (Its way into rooms is that of groupchat 1.0, which XEP-0045 does not know any more.)"""
    server.register("perl")
    b = server.client("bob3")
    command = ["sendxmpp", "-u", "perl", "-p", "secret", "-j", f"127.0.0.1:{server.c2s}", "-o", server.domain, "-t", "-n"]
    run(server, [*command, "-s", "a subject", b.bare], "sent by perl\n")
    message = b.expect("message", text_of)
    assert "sent by perl" in text_of(message) and message.findtext("client:subject", None, NS) == "a subject"


def mcabber(server, name):
    return Terminal("mcabber", files={".mcabber/mcabberrc": "\n".join([
        f"set jid = {name}@{server.domain}", "set password = secret", "set server = 127.0.0.1",
        f"set port = {server.c2s}", "set tls = 1", "set ssl_ignore_checks = 1", "set ssl_verify = 0", ""])})


@needs("mcabber")
@needs("tmux")
def test_mcabber(server):
    """loudmouth, which takes PLAIN even when SCRAM is offered and sends the session IQ of RFC 3921."""
    server.register("mcab")
    b, room = in_a_room(server, "bob4")
    jid = f"mcab@{server.domain}"
    with mcabber(server, "mcab") as t:
        wait_for(lambda: server.ctl_json("sessions", jid, check=False), "mcabber's session", 30)
        t.type(f"/add {b.bare} Bobby")
        b.expect("presence", lambda p: p.get("type") == "subscribe")
        for kind in ("subscribed", "subscribe"):
            b.write(f"<presence to='{jid}' type='{kind}'/>")
        t.type(f"/authorization allow {b.bare}")
        b.expect("presence", lambda p: p.get("from", "").startswith(jid + "/") and p.get("type") is None)
        t.type("/status dnd busy now")
        b.expect("presence", lambda p: p.findtext("client:status", None, NS) == "busy now")
        t.type(f"/say_to {b.bare} hello from mcabber")
        b.expect_body("hello from mcabber")
        b.message(jid, "hello mcabber")
        t.wait("#\\[o\\] Bobby")
        t.type("/roster search Bobby", "")                      # an empty line opens the chat
        t.wait("hello mcabber")
        t.type(f"/room join {room} Mac")
        b.expect("presence", lambda p: p.get("from") == f"{room}/Mac" and p.get("type") is None)
        t.type(f"/say_to {room} hello room")
        b.expect_body("hello room", f"{room}/Mac")
        t.type("/quit")
        b.expect("presence", lambda p: p.get("from") == f"{room}/Mac" and p.get("type") == "unavailable")
