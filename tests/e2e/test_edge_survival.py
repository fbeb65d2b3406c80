"""Daemons die by kill -9 under load: client streams stay, and every question gets exactly one answer."""

import os
import signal
import threading

import pytest

from harness import NS, instances, wait_for

OPTIONS = ["--instances", "c2sd=2"]
PING = "<ping xmlns='urn:xmpp:ping'/>"


def kill(server, instance):
    pid = server.pid_of(instance)
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: any(r["name"] == instance and r["state"] == "running" and r["pid"] != pid
                         for r in server.ctl_json("status", check=False)), f"a new {instance}", 20)


@pytest.fixture(autouse=True)
def dying(server):
    server.expect_warning("daemon_restarted")
    server.expect_warning("link_lost")


def while_dying(server, instance, act, rounds=3):
    """act(i) again and again while that daemon dies some times; returns how often it ran."""
    killer = threading.Thread(target=lambda: [kill(server, instance) for _ in range(rounds)])
    killer.start()
    n = 0
    while killer.is_alive():
        act(n)
        n += 1
    killer.join()
    return n


@pytest.mark.parametrize("instance", ["routerd", "sm-1", "s2sd-1", "muc-1"])
def test_messages_arrive_once_and_in_order_and_no_stream_ends(server, instance):
    a, b = server.client("alice"), server.client("bob")
    got = []

    def act(i):
        a.message(b.bare, f"{instance} {i}")
        got.extend(b.settle(0.01))

    n = while_dying(server, instance, act)
    a.message(b.bare, "the end")
    while not got or got[-1].findtext("client:body", None, NS) != "the end":
        got.append(b.expect("message"))
    bodies = [m.findtext("client:body", None, NS) for m in got if m.tag.endswith("message")]
    assert bodies == [f"{instance} {i}" for i in range(n)] + ["the end"]
    a.close(), b.close()


@pytest.mark.parametrize("instance, to", [("sm-1", "{domain}"), ("routerd", "{domain}"), ("routerd", "muc.{domain}"),
                                          ("muc-1", "muc.{domain}"), ("s2sd-1", "comp.{domain}"),
                                          ("sm-1", "muc.{domain}"), ("sm-1", "{other}"), ("routerd", "{other}")])
def test_a_question_gets_one_answer(server, instance, to):
    """Of the server, of a room service, of a component that is not there, of another client."""
    a, b = server.client("alice"), server.client("bob")
    to = to.format(domain=server.domain, other=b.jid)
    answers, stop = {}, threading.Event()

    def answer():
        while not stop.is_set():
            for q in b.settle(0.02):
                if q is not None and q.tag.endswith("iq") and q.get("type") == "get":
                    b.write(f"<iq type='result' to='{q.get('from')}' id='{q.get('id')}'/>")

    def take(stanzas):
        for e in stanzas:
            if e is not None and e.tag.endswith("iq"):
                answers[e.get("id")] = answers.get(e.get("id"), 0) + 1

    def ask(i):
        a.write(f"<iq type='get' to='{to}' id='q{i}'>{PING}</iq>")
        take(a.settle(0.02))

    responder = threading.Thread(target=answer)
    responder.start()
    try:
        n = while_dying(server, instance, ask)
        wait_for(lambda: take(a.settle(0.1)) or len(answers) == n, f"{n} answers", 30)
        take(a.settle(0.5))
    finally:
        stop.set()
        responder.join()
    assert answers == {f"q{i}": 1 for i in range(n)}
    a.close(), b.close()


def home_of(server, client):
    return next(r["instance"] for r in server.ctl_json("connections", client.jid))


def test_the_clients_of_a_c2sd_that_dies_are_gone_and_can_come_back(server):
    server.expect_warning("peer_lost")
    a = server.client("alice")
    here = home_of(server, a)
    for n in range(40):                         # the kernel spreads them
        b = server.client("bob", resource=f"r{n}")
        if home_of(server, b) != here:
            break
        b.close()
    else:
        raise AssertionError("nobody came to the other c2sd")
    a.befriend(b)
    kill(server, home_of(server, b))
    b.expect_end()
    a.expect("presence", lambda p: p.get("from") == b.jid and p.get("type") == "unavailable")
    again = server.client("bob", register=False)
    a.expect("presence", lambda p: p.get("from") == again.jid and p.get("type") is None)
    a.message(again.jid, "welcome back")
    again.expect_body("welcome back")
    a.close(), again.close()
