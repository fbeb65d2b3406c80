"""OMEMO (XEP-0384) between two real clients: device lists and bundles are nodes of personal eventing, read and
heard by contacts, and what goes through the server is not the text."""

import shutil
import tempfile

import pytest

from harness import NS
from test_real_clients import Terminal, needs

OMEMO = "eu.siacs.conversations.axolotl"
PS = "http://jabber.org/protocol/pubsub"


def profanity(server, name):
    home = tempfile.mkdtemp(prefix="zubr-home-")
    server.register(name)
    t = Terminal("profanity", home=home)
    t.home = home
    t.wait("Profanity")
    t.type("/omemo trustmode blind")
    t.type(f"/connect {name}@{server.domain} server 127.0.0.1 port {server.c2s} tls trust")
    t.wait(r"Password|Enter password|password")
    t.type("secret")
    t.wait(rf"{name}@{server.domain}.*(online|logged in)")
    return t


@needs("profanity")
@needs("tmux")
def test_profanity_to_profanity(server):
    terminals = []
    try:
        one = profanity(server, "prof1")
        terminals.append(one)
        two = profanity(server, "prof2")
        terminals.append(two)
        for t, other in ((one, "prof2"), (two, "prof1")):
            t.type(f"/sub request {other}@{server.domain}")
        for t, other in ((one, "prof2"), (two, "prof1")):
            t.wait(rf"{other}.*(subscription|Subscription|request)")
            t.type(f"/sub allow {other}@{server.domain}")
        for t in (one, two):
            t.type("/omemo gen")
            t.wait("OMEMO crypto.*generated|identity.*generated|OMEMO.*ready|Your OMEMO")
        # Both have published what others need.
        watch = server.client("prof1", resource="watch", register=False, presence=False)
        for node in (f"{OMEMO}.devicelist",):
            found = watch.iq("get", f"<pubsub xmlns='{PS}'><items node='{node}'/></pubsub>")
            assert found.find(f".//{{{OMEMO}}}device") is not None
        one.type(f"/msg prof2@{server.domain}")
        one.type("/omemo start")
        one.wait("OMEMO")
        one.type("a secret between two")
        two.type(f"/msg prof1@{server.domain}")
        two.wait("a secret between two")
        two.type("/omemo start")
        two.type("and a secret back")
        one.wait("and a secret back")
    finally:
        for t in terminals:
            t.end()
            shutil.rmtree(t.home, ignore_errors=True)
