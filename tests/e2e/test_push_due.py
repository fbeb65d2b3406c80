"""What push services have to be told is told once (XEP-0357), whatever dies or moves meanwhile."""

import os
import shutil
import signal
import tempfile

import pytest
from harness import Server, wait_for
from test_members import change
from test_push import SERVICE, Service, asleep, decisions, enable, leave, registered
from test_resume import hibernates, managed
from test_survival import kill, wait_back

SETTINGS = ["--set", "limits.push_retry_seconds=1", "--set", "limits.resume_seconds=300"]
OPTIONS = SETTINGS


@pytest.fixture
def service(server):
    s = Service(server)
    yield s
    s.c.close()


def accepted(server, client, times=1):
    wait_for(lambda: decisions(server, client).count(("accepted", "by the service")) >= times, "the answer")


def test_once_for_a_client_that_sleeps_then_hibernates_then_is_gone(server, service):
    a, ben = managed(server, "once"), server.client("ben")
    assert enable(a) == ""
    a.ack()
    asleep(server, a)
    ben.message(a.bare, "once")
    n = service.notification(a)
    assert n.summary["message-count"] == "1" and "last-message-sender" not in n.summary
    service.answer(n)
    accepted(server, a)
    a.drop()
    hibernates(server, a.jid)
    service.none(a)
    server.ctl("kick", a.jid)
    wait_for(lambda: not any(r["jid"] == a.jid for r in server.ctl_json("sessions")), "the end of the session")
    service.none(a)
    back = server.client("once", register=False)
    back.expect_body("once")


def test_once_for_what_was_on_its_way_when_the_socket_broke(server, service):
    a, ben = managed(server, "broken"), server.client("ben2")
    enable(a)
    a.ack()
    ben.message(a.bare, "one")
    ben.message(a.bare, "two")
    ben.ping()
    service.none(a, 0.2)
    a.drop()
    n = service.notification(a)
    assert n.summary["message-count"] == "2"
    service.answer(n)
    accepted(server, a)
    server.ctl("kick", a.jid)
    wait_for(lambda: not any(r["jid"] == a.jid for r in server.ctl_json("sessions")), "the end of the session")
    service.none(a)


def test_a_request_for_a_subscription(server, service):
    a, ben, carl = server.client("asked"), server.client("ben3"), server.client("carl3")
    enable(a)
    leave(server, a)
    ben.write(f"<presence type='subscribe' to='{a.bare}'/>")
    n = service.notification(a)
    assert n.summary["pending-subscription-count"] == "1" and "message-count" not in n.summary
    carl.write(f"<presence type='subscribe' to='{a.bare}'/>")
    carl.ping()
    service.answer(n)
    n = service.notification(a)
    assert n.summary["pending-subscription-count"] == "2"
    service.answer(n)
    ben.write(f"<presence type='subscribe' to='{a.bare}'/>")      # asked already
    ben.ping()
    service.none(a)


def test_the_answer_finds_the_next_sm(server, service):
    server.announced = ["daemon_restarted", "link_lost"]
    a, ben = server.client("answered"), server.client("ben4")
    enable(a)
    leave(server, a)
    ben.message(a.bare, "before")
    n = service.notification(a)
    ben.message(a.bare, "meanwhile")
    ben.ping()
    wait_back(server, kill(server, *[r["name"] for r in server.ctl_json("status") if r["role"] == "sm"]))
    service.answer(n)
    n = service.notification(a)
    service.answer(n)
    accepted(server, a, 2)
    service.none(a)


def test_what_failed_is_tried_again_by_the_next_sm(server):
    server.announced = ["daemon_restarted", "link_lost"]
    a, ben = server.client("waiting"), server.client("ben5")
    enable(a)
    leave(server, a)
    ben.message(a.bare, "to nobody")
    wait_for(lambda: any(what == "failed" for what, _ in decisions(server, a)), "a failure")
    wait_back(server, kill(server, *[r["name"] for r in server.ctl_json("status") if r["role"] == "sm"]))
    s = Service(server)
    s.answer(s.notification(a))
    accepted(server, a)
    assert registered(server, a) == ["node"]
    s.none(a)
    s.c.close()


def cut_the_power(server):
    """Everything dies at once, and what was in live memory is gone."""
    pids = [r["pid"] for r in server.ctl_json("status")]
    for pid in (server.process.pid, *pids):
        os.kill(pid, signal.SIGKILL)
    server.process.wait(20)
    server.reader.join(5)
    server.stopped = True
    for live in (server.dir / "data").glob("live-*"):
        shutil.rmtree(live)


def test_after_a_power_cut():
    directory = tempfile.mkdtemp(prefix="zubr-e2e-")
    try:
        before = Server(*SETTINGS, keep_dir=directory).start()
        s, a, ben = Service(before), before.client("anna"), before.client("ben")
        enable(a)
        leave(before, a)
        ben.message(a.bare, "before the cut")
        assert s.notification(a).summary["message-count"] == "1"
        cut_the_power(before)
        with Server(*SETTINGS, keep_dir=directory) as after:
            s = Service(after)
            n = s.notification(a)
            assert n.summary["message-count"] == "1"
            s.answer(n)
            accepted(after, a)
            s.none(a)
            s.c.close()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def test_who_fails_for_too_long_is_given_up():
    """XEP-0357 7.1: after so many errors in a row. The operator sees it; the messages wait for the client."""
    with Server(*SETTINGS, "--set", "limits.push_failing_hours=0") as server:
        s, a, ben = Service(server), server.client("anna"), server.client("ben")
        enable(a)
        leave(server, a)
        ben.message(a.bare, "one")
        s.answer(s.notification(a), "resource-constraint", "wait")
        wait_for(lambda: ("failed", "resource-constraint") in decisions(server, a), "the failure")
        assert registered(server, a) == ["node"]
        s.answer(s.notification(a), "resource-constraint", "wait")
        wait_for(lambda: ("dropped", "it failed for too long") in decisions(server, a), "the end")
        assert registered(server, a) == []
        wait_for(lambda: server.log_has("push_dropped", f"jid={a.bare}", f"peer={SERVICE}", "it failed for too long"), "the log")
        ben.message(a.bare, "two")
        ben.ping()
        s.none(a)
        back = server.client("anna", register=False)
        back.expect_body("one")
        back.expect_body("two")
        enable(back)
        leave(server, back)
        ben.message(back.bare, "three")
        s.answer(s.notification(back))
        accepted(server, back)
        s.c.close()


def test_slots_move_with_what_is_due():
    with Server("--instances", "sm=2", *SETTINGS) as server:
        s, ben = Service(server), server.client("ben")
        them = [server.client(f"mover{i}") for i in range(6)]
        for a in them:
            enable(a)
            leave(server, a)
            ben.message(a.bare, "one")
        on_their_way = [s.notification(a) for a in them]
        change(server, "leave", "sm-2")
        for n in on_their_way:
            s.answer(n)
        for a in them:
            accepted(server, a)
            ben.message(a.bare, "two")
            s.answer(s.notification(a), "resource-constraint", "wait")
        for a in them:
            wait_for(lambda a=a: ("failed", "resource-constraint") in decisions(server, a) or
                     ("sent", "tried again") in decisions(server, a), "the failure")
        change(server, "join", "sm-2")
        for a in them:
            s.answer(s.notification(a))
            wait_for(lambda a=a: "waiting=0" in next(
                r["why"] for r in server.ctl_json("push", a.bare) if r["what"] == "registered"), "the answer")
        s.none(them[0])
        assert not s.others
        s.c.close()
