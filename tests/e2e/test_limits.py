"""Limits of strangers, and what an operator sees of one stanza's way."""

import re
import time

from harness import Client, Closed, StreamError, instances, wait_for

# Each instance takes its part of what an address may hold.
HELD = 6 * len(instances("c2sd"))
OPTIONS = ["--set", f"limits.connections_per_address={HELD}", "--set", "limits.sessions_per_account=3",
           "--set", "limits.offline_messages_max=3", "--set", "limits.roster_items_max=2",
           "--set", "limits.vcard_max=2000", "--set", "limits.private_items_max=2", "--set", "limits.stanza_max=20000",
           "--set", "limits.registrations_per_hour=2"]


def test_one_message_has_one_trace_in_every_daemon(server):
    a, b = server.client("alice"), server.client("bob")
    server.ctl("log", "debug")
    a.message(b.bare, "follow me")
    b.expect_body("follow me")
    a.ping()
    server.ctl("log", "info")

    def daemons_of_a_trace():
        found = {}
        for line in list(server.lines):
            m = re.search(r" debug (\S+) .*trace=([0-9a-f]+)", line)
            if m:
                found.setdefault(m.group(2), set()).add(m.group(1).split("-")[0])
        return [t for t, who in found.items() if {"c2sd", "routerd", "sm"} <= who]

    assert wait_for(daemons_of_a_trace, "one trace in all three logs", 5)
    assert not server.log_has("follow me")
    a.close(), b.close()


def is_served(c):
    try:
        c.open().features()
        return True
    except (Closed, OSError):
        return False
    except StreamError as why:
        assert why.condition in ("policy-violation", "resource-constraint")
        return False


def nobody_is_connected(server):
    return sum(row.get("connections", 0) for row in server.ctl_json("status")) == 0


def test_connections_of_one_address(server):
    wait_for(lambda: nobody_is_connected(server), "the end of the streams of other tests")
    held = [Client(server, server.domain) for _ in range(2 * HELD)]
    served = [is_served(c) for c in held]
    assert HELD // len(instances("c2sd")) <= sum(served) <= HELD
    for c in held:
        c.drop()
    wait_for(lambda: nobody_is_connected(server), "their end")
    assert is_served(c := Client(server, server.domain))
    c.drop()


def test_sessions_of_one_account(server):
    held = [server.client("many", resource=f"r{i}") for i in range(3)]
    c = server.stream().starttls().open()
    c.features()
    c.auth_plain("many", "secret")
    c.open().features()
    result = c.iq("set", "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>r4</resource></bind>")
    assert c.error_of(result) == "resource-constraint"
    for h in held:
        h.close()
    c.drop()


def test_a_full_offline_store_is_said_to_the_sender(server):
    server.register("full")
    a = server.client("alice")
    for i in range(4):
        a.message(f"full@{server.domain}", f"m{i}")
    e = a.expect("message", lambda m: m.get("type") == "error")
    assert a.error_of(e) in ("service-unavailable", "resource-constraint")
    a.close()
    f = server.client("full", register=False)
    assert [f.expect_body(f"m{i}") is not None for i in range(3)] == [True] * 3
    f.close()


def test_sizes_and_counts_of_what_is_stored(server):
    a = server.client("alice")
    roster = "<query xmlns='jabber:iq:roster'><item jid='%s@x.example'/></query>"
    for i in range(2):
        assert a.iq("set", roster % i).get("type") == "result"
    assert a.error_of(a.iq("set", roster % 9)) in ("resource-constraint", "policy-violation", "not-allowed")
    big = "<vCard xmlns='vcard-temp'><FN>" + "x" * 3000 + "</FN></vCard>"
    assert a.error_of(a.iq("set", big)) in ("resource-constraint", "policy-violation", "not-acceptable")
    store = "<query xmlns='jabber:iq:private'><a xmlns='urn:%s'/></query>"
    for i in range(2):
        assert a.iq("set", store % i).get("type") == "result"
    assert a.error_of(a.iq("set", store % 9)) in ("resource-constraint", "policy-violation", "not-allowed")
    a.message(f"alice@{server.domain}", "x" * 30000)
    a.expect_stream_error("policy-violation")


def test_registrations_of_one_address(server):
    answers = []
    for i in range(3):
        c = server.stream().starttls().open()
        c.features()
        done = c.iq("set", f"<query xmlns='jabber:iq:register'><username>bot{i}</username>"
                           "<password>pw</password></query>")
        answers.append(done.get("type"))
        c.drop()
        time.sleep(0.1)
    assert answers == ["result", "result", "error"]


def test_reload_takes_new_settings(server):
    server.expect_warning("reload_refused")
    conf = server.dir / "zubr.conf"
    text = conf.read_text()
    try:
        conf.write_text(text.replace("roster_items_max = 2", "roster_items_max = 3"))
        server.ctl("reload")
        a = server.client("alice", resource="again")
        roster = "<query xmlns='jabber:iq:roster'><item jid='%s@x.example'/></query>"
        assert a.iq("set", roster % "third").get("type") == "result"
        conf.write_text(text + "\nnonsense = 1\n")
        server.ctl("reload", check=False)
        assert server.ctl_status == 1
        assert a.ping().get("type") == "result"
        a.close()
        conf.write_text(text + "\npace_us = 500\n")
        assert "server.pace_us" in server.ctl("reload")
        assert server.client("alice", resource="paced").ping().get("type") == "result"
    finally:
        conf.write_text(text)
