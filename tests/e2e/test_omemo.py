"""OMEMO (XEP-0384) between two real clients: device lists and bundles are nodes of personal eventing, read and
heard by contacts, and what goes through the server is not the text."""

from contextlib import ExitStack

import pytest

from clients import Loop, Profanity, leave, needs, online, reach
from harness import wait_for

OMEMO = "eu.siacs.conversations.axolotl"
PS = "http://jabber.org/protocol/pubsub"


def omemo(server, name):
    return Profanity(server, name, "/omemo trustmode blind")


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
    with ExitStack() as stack:
        one, two = (stack.enter_context(omemo(server, name)) for name in ("prof1", "prof2"))
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


def archived(watch):
    """How many messages the archive of this account holds."""
    found = watch.iq("set", "<query xmlns='urn:xmpp:mam:2'><set xmlns='http://jabber.org/protocol/rsm'><max>0</max></set></query>")
    return int(found.findtext(".//{http://jabber.org/protocol/rsm}count"))


@needs("profanity")
@needs("tmux")
def test_profanity_and_python_omemo(server):
    """Two programs that have no line of code in common: live both ways, and after one was away."""
    omemo_bot = pytest.importorskip("omemo_bot")
    befriended(server, "prof3", "python3")
    with Loop() as loop, omemo(server, "prof3") as terminal:
        bot = loop.run(online(server, "python3", omemo_bot.OmemoBot))
        loop.run(bot.prepare())
        generate(terminal)
        wait_for(lambda: terminal.jid in bot.lists, "the event of profanity's device list")
        say(terminal, bot.boundjid.bare, "a secret for python")
        loop.run(bot.hears(terminal.jid, "a secret for python"))
        loop.run(bot.say(terminal.jid, "a secret for C"))
        see(terminal, bot.boundjid.bare, "a secret for C")
        loop.run(leave(bot))
        watch = server.client("python3", resource="watch", register=False, presence=False)
        before = archived(watch)
        terminal.type("a secret for later")
        wait_for(lambda: archived(watch) > before, "the message that waits")
        loop.run(reach(server, bot))
        loop.run(bot.hears(terminal.jid, "a secret for later"))
        only_ciphertext(watch)
        loop.run(leave(bot))
