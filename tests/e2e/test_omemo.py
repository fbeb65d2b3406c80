"""OMEMO (XEP-0384) between two real clients: device lists and bundles are nodes of personal eventing, read and
heard by contacts, and what goes through the server is not the text."""

import shutil
import tempfile

from clients import Terminal, needs

OMEMO = "eu.siacs.conversations.axolotl"
PS = "http://jabber.org/protocol/pubsub"


def profanity(server, name):
    home = tempfile.mkdtemp(prefix="zubr-home-")
    t = Terminal("profanity", home=home)
    t.home, t.jid = home, f"{name}@{server.domain}"
    t.wait("Profanity")
    t.type("/omemo trustmode blind")
    t.type(f"/connect {name}@{server.domain} server 127.0.0.1 port {server.c2s} tls trust")
    t.wait(r"Password|Enter password|password")
    t.type("secret")
    t.wait(rf"{name}@{server.domain}.*(online|logged in)")
    return t


def say(speaker, listener, text):
    """profanity shows [OMEMO] as soon as it has asked for the bundle, and until that is there it refuses to send and
    drops what was typed: so the line that tells of the new session is waited for."""
    speaker.type(f"/msg {listener}")
    speaker.type("/omemo start")
    speaker.wait(r"\[OMEMO\]")
    speaker.type("/win 1")
    speaker.wait(rf"Blind trust for {listener} device")
    speaker.type(f"/msg {listener}")
    speaker.wait(r"\[OMEMO\]")
    speaker.type(text)


def see(listener, speaker, text):
    listener.type(f"/msg {speaker}")
    listener.wait(text)


def generate(terminal):
    terminal.type("/omemo gen")
    terminal.wait("Your Device ID is")
    terminal.wait(rf"Blind trust for {terminal.jid} device")       # it has read its own list of devices again


def published(watch, owner):
    """The device list and the bundle that others need are there, as a contact reads them."""
    to = f"{owner}@{watch.domain}"
    found = watch.iq("get", f"<pubsub xmlns='{PS}'><items node='{OMEMO}.devicelist'/></pubsub>", to=to)
    device = found.find(f".//{{{OMEMO}}}device").get("id")
    found = watch.iq("get", f"<pubsub xmlns='{PS}'><items node='{OMEMO}.bundles:{device}'/></pubsub>", to=to)
    assert found.find(f".//{{{OMEMO}}}preKeyPublic") is not None


def only_ciphertext(watch):
    """What the archive of this account holds is encrypted."""
    watch.iq("set", "<query xmlns='urn:xmpp:mam:2'/>")
    assert f"<encrypted xmlns='{OMEMO}'".encode() in watch.raw.replace(b'"', b"'")
    assert b"a secret" not in watch.raw


def befriended(server, *names):
    a, b = (server.client(name) for name in names)
    a.befriend(b)
    a.close()
    b.close()


@needs("profanity")
@needs("tmux")
def test_profanity_to_profanity(server):
    befriended(server, "prof1", "prof2")
    terminals = []
    try:
        for name in ("prof1", "prof2"):
            terminals.append(profanity(server, name))
        one, two = terminals
        generate(one)
        generate(two)
        watch = server.client("prof1", resource="watch", register=False, presence=False)
        published(watch, "prof1")
        published(watch, "prof2")
        say(one, two.jid, "a secret between two")
        see(two, one.jid, "a secret between two")
        say(two, one.jid, "and a secret back")
        see(one, two.jid, "and a secret back")
        only_ciphertext(watch)
    except AssertionError as why:
        raise AssertionError("\n".join([str(why), "the screens:", *(t.screen() for t in terminals)])) from None
    finally:
        for t in terminals:
            t.end()
            shutil.rmtree(t.home, ignore_errors=True)
