"""OMEMO (XEP-0384) between two real clients: device lists and bundles are nodes of personal eventing, read and
heard by contacts, and what goes through the server is not the text."""

import shutil
import tempfile

from test_real_clients import Terminal, needs

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


@needs("profanity")
@needs("tmux")
def test_profanity_to_profanity(server):
    a, b = server.client("prof1"), server.client("prof2")
    a.befriend(b)
    a.close()
    b.close()
    terminals = []
    try:
        one = profanity(server, "prof1")
        terminals.append(one)
        two = profanity(server, "prof2")
        terminals.append(two)
        for t in (one, two):
            t.type("/omemo gen")
            t.wait("Your Device ID is")
            t.wait(rf"Blind trust for {t.jid} device")           # it has read its own list of devices again
        # Both have published what others need.
        watch = server.client("prof1", resource="watch", register=False, presence=False)
        for owner in ("prof1", "prof2"):
            to = f"{owner}@{server.domain}"
            found = watch.iq("get", f"<pubsub xmlns='{PS}'><items node='{OMEMO}.devicelist'/></pubsub>", to=to)
            device = found.find(f".//{{{OMEMO}}}device").get("id")
            found = watch.iq("get", f"<pubsub xmlns='{PS}'><items node='{OMEMO}.bundles:{device}'/></pubsub>", to=to)
            assert found.find(f".//{{{OMEMO}}}preKeyPublic") is not None
        say(one, two.jid, "a secret between two")
        see(two, one.jid, "a secret between two")
        say(two, one.jid, "and a secret back")
        see(one, two.jid, "and a secret back")
        watch.iq("set", "<query xmlns='urn:xmpp:mam:2'/>")
        assert f"<encrypted xmlns='{OMEMO}'".encode() in watch.raw.replace(b'"', b"'")
        assert b"a secret" not in watch.raw
    except AssertionError as why:
        raise AssertionError("\n".join([str(why), "the screens:", *(t.screen() for t in terminals)])) from None
    finally:
        for t in terminals:
            t.end()
            shutil.rmtree(t.home, ignore_errors=True)
