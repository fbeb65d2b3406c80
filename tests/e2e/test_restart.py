"""What a dead daemon does to the others: they keep running and find each other again."""

import os
import signal

import pytest

from harness import instances, wait_for


@pytest.fixture
def pair(server):
    server.expect_warning("daemon_restarted")
    server.expect_warning("link_lost")
    return server.client("alice"), server.client("bob")


def kill(server, instance):
    pid = server.pid_of(instance)
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: any(r["name"] == instance and r["state"] == "running" and r["pid"] != pid
                         for r in server.ctl_json("status", check=False)), f"a new {instance}", 20)


def test_routerd_dies_and_nobody_notices(server, pair):
    a, b = pair
    for round_ in range(3):
        kill(server, "routerd")
        a.message(b.bare, f"after {round_}")
        b.expect_body(f"after {round_}")


def test_messages_sent_while_routerd_is_away_arrive_once_and_in_order(server, pair):
    a, b = pair
    pid = server.pid_of("routerd")
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not os.path.exists(f"/proc/{pid}"), "the end of routerd")
    for i in range(100):
        a.message(b.bare, f"w{i}")
    for i in range(100):
        b.expect_body(f"w{i}")
    assert [m for m in b.settle(0.5) if m is not None and m.tag.endswith("message")] == []


def test_muc_and_s2sd_die_alone(server, pair):
    a, b = pair
    for instance in ("muc-1", "s2sd-1"):
        kill(server, instance)
        a.message(b.bare, "unmoved by " + instance)
        b.expect_body("unmoved by " + instance)


def test_c2sd_dies_and_its_clients_can_come_back(server, pair):
    a, b = pair
    for instance in instances("c2sd"):
        kill(server, instance)
    a.expect_end()
    a2 = server.client("alice", register=False)
    b2 = server.client("bob", register=False)
    a2.message(b2.bare, "back")
    b2.expect_body("back")


def test_sm_dies_and_its_clients_notice_nothing(server, pair):
    a, b = pair
    kill(server, "sm-1")
    a.message(b.bare, "to a restarted sm")
    b.expect_body("to a restarted sm")
    b.message(a.bare, "and back")
    a.expect_body("and back")
