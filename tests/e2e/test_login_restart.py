"""Logins that meet a restart of the whole suite: at whatever moment they begin, they succeed, or are told to try again, or
the stream ends; no client waits for nothing, and nobody is told that a right password is wrong."""

import ssl
import threading
import time
import traceback
import xml.etree.ElementTree as ET

import pytest

from harness import Client, Closed, StreamError, instances
from sasl2 import agent, authenticate, opened
from test_fast import ID, initial, issued
from test_shutdown import all_new, pids

ATTEMPTS = 400                             # of one client, at most
ENDED = (Closed, StreamError, OSError, ssl.SSLError)


def patient(c):
    """Longer than c2sd waits for an answer of sm (20 s): then it tells the client to try again."""
    look = c.next
    c.next = lambda timeout=0: look(max(timeout, 40))
    return c


def told(e, success):
    """What the element that answers a login says."""
    if e is None:
        return "ended"
    name = e.tag.split("}")[1]
    if name == "error":
        raise StreamError(e)
    return success if name == "success" else e[0].tag.split("}")[1]


def by_password(server, user):
    """RFC 6120 6, 7."""
    c = patient(Client(server, server.domain))
    try:
        c.starttls().open().features()
        said = told(c.auth_plain(user, "secret"), "in")
        if said == "in":
            c.open().features()
            c.bind()
        return said
    except ET.ParseError:                  # the next stream began, only to end, behind <success/>
        assert c.raw.count(b"<?xml") > 1 and b"<system-shutdown" in c.raw, c.raw
        return "ended"
    finally:
        c.drop()


def by_token(token):
    """XEP-0388, 0386, 0484."""
    def attempt(server, user):
        c = patient(opened(server, user)[0])
        try:
            c.write(authenticate("HT-SHA-256-NONE", initial(user, token), agent(ID) + "<fast xmlns='urn:xmpp:fast:0'/>" +
                                 "<bind xmlns='urn:xmpp:bind:0'><tag>test</tag></bind>"))
            said = told(c.next(), "in")
            if said == "in":
                c.next()                   # features behind it
                c.ping()
            return said
        finally:
            c.drop()
    return attempt


class Knocking(threading.Thread):
    """Logs in again and again until the restart is over and one more login has succeeded."""

    def __init__(self, server, user, attempt, over):
        super().__init__(daemon=True)
        self.server, self.user, self.attempt, self.over = server, user, attempt, over
        self.said, self.failure = [], None
        self.start()

    def once(self):
        try:
            return self.attempt(self.server, self.user)
        except ConnectionRefusedError:
            time.sleep(0.05)               # until somebody listens again
            return "nobody there"
        except ENDED:
            return "ended"

    def run(self):
        try:
            while len(self.said) < ATTEMPTS:
                last = self.over.is_set()
                self.said.append(self.once())
                if last and self.said[-1] == "in":
                    return
            self.failure = "never in again"
        except BaseException as why:       # for the test to tell
            self.failure = "".join(traceback.format_exception(why))


def knock(server, restart):
    names = [f"knock{i}" for i in range(8)]
    kinds = []
    for i, name in enumerate(names):
        server.ctl("register", f"{name}@{server.domain}", stdin="secret\n", check=False)
        kinds.append(by_token(issued(server, name)) if i % 2 else by_password)
    over = threading.Event()
    clients = [Knocking(server, name, kind, over) for name, kind in zip(names, kinds)]
    try:
        restart()
    finally:
        over.set()
        for c in clients:
            c.join(150)
    for c in clients:
        assert not c.is_alive() and not c.failure, (c.user, c.failure, c.said)
        assert set(c.said) <= {"in", "ended", "nobody there", "temporary-auth-failure"}, (c.user, c.said)


@pytest.mark.parametrize("seconds", ["0", "1"])
def test_logins_of_any_moment_succeed_or_are_told(server, seconds):
    server.announced = ["link_lost", "auth_unanswered"]

    def restart():
        before = pids(server)
        server.ctl("restart", "--in", seconds)
        all_new(server, before)
    knock(server, restart)


@pytest.mark.parametrize("role", ["sm", "c2sd"])
def test_the_same_when_only_one_daemon_ends(server, role):
    server.announced = ["link_lost", "auth_unanswered", "daemon_restarted", "peer_lost"]
    knock(server, lambda: [server.restart(name) for name in instances(role)])
