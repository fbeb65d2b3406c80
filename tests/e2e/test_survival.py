"""sm is killed under its clients, who notice nothing: streams stay, and so does all that a session is;
what was asked is answered once, what was sent arrives once."""

import os
import random
import signal
import time
import xml.etree.ElementTree as ET

import pytest

from harness import NS, wait_for


@pytest.fixture
def server(suite):
    suite.announced = ["daemon_restarted", "link_lost"]
    yield suite
    suite.check_log()


def kill(server, *instances):
    """kill -9 at once; `./dev run` starts them again."""
    pids = {name: server.pid_of(name) for name in instances}
    for pid in pids.values():
        os.kill(pid, signal.SIGKILL)
    return pids


def wait_back(server, pids):
    def back():
        rows = {r["name"]: r for r in server.ctl_json("status", check=False)}
        return all(rows.get(n, {}).get("state") == "running" and rows[n]["pid"] != p for n, p in pids.items())
    wait_for(back, f"a new {' '.join(pids)}", 20)


def bodies(client, count):
    got = []
    while len(got) < count:
        got.append(client.expect("message", lambda m: m.find("client:body", NS) is not None).findtext("client:body", None, NS))
    return got


def nothing_more(client):
    client.ping()
    client.expect_none("message")


def item(client, jid):
    roster = client.iq("get", f"<query xmlns='{NS['roster']}'/>")
    return next((i for i in roster.iter(f"{{{NS['roster']}}}item") if i.get("jid") == jid), None)


def test_presence_and_directed_presence_stay(server):
    a, b, friend = server.client("pa"), server.client("pb"), server.client("pf")
    a.befriend(b)
    a.write("<presence><show>dnd</show><priority>7</priority></presence>")
    b.expect("presence", lambda p: p.findtext("client:show", None, NS) == "dnd")
    a.write(f"<presence to='{friend.jid}'/>")
    friend.expect("presence", lambda p: p.get("from") == a.jid)
    wait_back(server, kill(server, "sm-1"))
    again = server.client("pb", register=False, resource="second")
    shown = again.expect("presence", lambda p: p.get("from") == a.jid)
    assert shown.findtext("client:show", None, NS) == "dnd"
    friend.message(a.bare, "to the bare address")
    a.expect_body("to the bare address")
    a.drop()
    for who in (b, friend):
        who.expect("presence", lambda p: p.get("from") == a.jid and p.get("type") == "unavailable")


def test_interest_in_the_roster_stays(server):
    a, second = server.client("ia"), server.client("ia", register=False, resource="second")
    second.iq("get", f"<query xmlns='{NS['roster']}'/>")
    wait_back(server, kill(server, "sm-1"))
    a.iq("set", f"<query xmlns='{NS['roster']}'><item jid='x@example.org' name='X'/></query>")
    second.expect("iq", lambda e: e.get("type") == "set" and "x@example.org" in ET.tostring(e, encoding="unicode"))


def test_a_session_can_be_ended_after_it_stood_again(server):
    a = server.client("ea")
    wait_back(server, kill(server, "sm-1"))
    server.ctl("kick", a.jid)
    a.expect_stream_error("policy-violation")


def test_a_question_on_its_way_gets_one_answer(server):
    a, b = server.client("qa"), server.client("qb")
    b.write(f"<presence to='{a.jid}'/>")            # who may ask a resource: RFC 6121 8.5.3.1
    a.expect("presence", lambda p: p.get("from") == b.jid)
    for round_ in range(3):
        ident = f"q{round_}"
        a.write(f"<iq type='get' id='{ident}' to='{b.jid}'><query xmlns='urn:x'/></iq>")
        b.expect("iq", lambda e: e.get("id") == ident)
        pids = kill(server, "sm-1")
        b.write(f"<iq type='result' id='{ident}' to='{a.jid}'/>")
        answer = a.expect("iq", lambda e: e.get("id") == ident)
        assert answer.get("type") == "result"
        a.expect_none("iq", lambda e: e.get("id") == ident)
        wait_back(server, pids)


def test_each_of_many_questions_to_the_server_gets_one_answer(server):
    a = server.client("ma")
    dice = random.Random(5)
    for round_ in range(5):
        idents = [f"m{round_}-{i}" for i in range(200)]
        pids = None
        for i, ident in enumerate(idents):
            if i == 100:
                pids = kill(server, "sm-1")
            a.write(f"<iq type='get' id='{ident}' to='{a.domain}'><ping xmlns='urn:xmpp:ping'/></iq>")
            if dice.random() < 0.02:
                time.sleep(0.002)
        answers = [a.expect("iq").get("id") for _ in idents]
        assert sorted(answers) == sorted(idents)
        wait_back(server, pids)
    a.expect_none("iq")


def test_messages_of_the_outage_arrive_once_and_in_order(server):
    a, b = server.client("oa"), server.client("ob")
    for round_ in range(3):
        pids = kill(server, "sm-1")
        sent = [f"o{round_}-{i}" for i in range(100)]
        for text in sent:
            a.message(b.bare, text)
        assert bodies(b, 100) == sent
        wait_back(server, pids)
    nothing_more(b)


def test_killed_during_commits_nothing_is_lost_and_nothing_twice(server):
    a = server.client("ka")
    server.register("kb")
    dice, sent = random.Random(3), []
    for round_ in range(8):
        pids = None
        for i in range(40):
            if i == 10:
                time.sleep(dice.random() / 50)
                pids = kill(server, "sm-1")
            sent.append(f"k{round_}-{i}")
            a.message(f"kb@{a.domain}", sent[-1])
            a.write(f"<iq type='set' id='r{round_}-{i}'><query xmlns='{NS['roster']}'>"
                    f"<item jid='{sent[-1]}@example.org'/></query></iq>")
        answers = [a.expect("iq", lambda e: e.get("type") in ("result", "error")) for _ in range(40)]
        assert {e.get("id") for e in answers} == {f"r{round_}-{i}" for i in range(40)}
        assert all(e.get("type") == "result" for e in answers), [ET.tostring(e) for e in answers]
        wait_back(server, pids)
    a.expect_none("iq", lambda e: e.get("type") != "set")
    b = server.client("kb", register=False)
    assert bodies(b, len(sent)) == sent
    nothing_more(b)
    roster = a.iq("get", f"<query xmlns='{NS['roster']}'/>")
    assert {i.get("jid") for i in roster.iter(f"{{{NS['roster']}}}item")} == {f"{s}@example.org" for s in sent}


def test_both_halves_of_a_subscription_are_made(server):
    dice = random.Random(8)
    for round_ in range(5):
        a, b = server.client(f"sa{round_}"), server.client(f"sb{round_}")
        for c in (a, b):
            c.iq("get", f"<query xmlns='{NS['roster']}'/>")
        a.write(f"<presence to='{b.bare}' type='subscribe'/>")
        time.sleep(dice.random() / 100)
        pids = kill(server, "sm-1")
        b.expect("presence", lambda p: p.get("type") == "subscribe")
        wait_back(server, pids)
        b.write(f"<presence to='{a.bare}' type='subscribed'/>")
        time.sleep(dice.random() / 100)
        pids = kill(server, "sm-1")
        a.expect("presence", lambda p: p.get("type") == "subscribed")
        a.expect("presence", lambda p: p.get("from") == b.jid and p.get("type") is None)
        wait_back(server, pids)
        assert item(a, b.bare).get("subscription") == "to"
        assert item(b, a.bare).get("subscription") == "from"


def test_sm_and_routerd_at_once(server):
    a, b = server.client("ta"), server.client("tb")
    pids = kill(server, "sm-1", "routerd")
    sent = [f"t{i}" for i in range(50)]
    for text in sent:
        a.message(b.bare, text)
    assert bodies(b, 50) == sent
    wait_back(server, pids)
    nothing_more(b)


def test_a_planned_restart_is_as_invisible(server):
    """The last one: what is started by hand is not started again by `./dev run`."""
    a, b = server.client("ra"), server.client("rb")
    for round_ in range(2):
        server.restart("sm-1")
        a.message(b.bare, f"restarted {round_}")
        b.expect_body(f"restarted {round_}")
    nothing_more(b)
