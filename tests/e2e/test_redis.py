"""Presence between two sm instances over a real Redis, and whatever Redis can do to it.

Juliet's account is owned by sm-1, her contacts' by sm-2 (or the other way round): what she shows reaches
them over the bus. The rule in every test: each contact sees exactly what was shown, in order, each once.
"""

import os
import signal
import threading

import pytest

from harness import NS, Server, wait_for
from redis_server import Redis, names_of

LIMITS = ["--set", "limits.presence_bus_ms=500", "--set", "limits.presence_key_seconds=30", "--set",
          "limits.presence_grace=1"]


@pytest.fixture
def redis():
    with Redis() as r:
        yield r


@pytest.fixture
def server(redis):
    with Server("--instances", "sm=2", "--redis", f"unix:{redis.path}", *LIMITS) as s:
        wait_for(lambda: roads(s) == [1, 1], "both roads by Redis")
        yield s


@pytest.fixture
def friends(server):
    """One of sm-1, one of sm-2, subscribed to each other."""
    a = server.client(names_of("sm-1", server.domain, 1)[0])
    b = server.client(names_of("sm-2", server.domain, 1)[0])
    a.befriend(b)
    return a, b


def state(server, instance):
    return next(row for row in server.ctl_json("status", check=False) if row["name"] == instance)


def roads(server):
    return [state(server, name).get("presence_roads") for name in ("sm-1", "sm-2")]


def stats(server, instance):
    return {row["name"]: row["value"] for row in server.ctl_json("stats", instance)}


def show(client, *words):
    client.write("".join(f"<presence><status>{word}</status></presence>" for word in words))


def seen(watcher, sender, last):
    """What the watcher sees of the sender, up to and with `last`: statuses; unavailable is None."""
    found = []
    while not found or found[-1] != last:
        p = watcher.expect("presence", lambda p: p.get("from") == sender.jid)
        found.append(None if p.get("type") == "unavailable" else p.findtext("client:status", None, NS))
    return found


def nothing_more(watcher, sender):
    watcher.expect_none("presence", lambda p: p.get("from") == sender.jid)


def test_presence_goes_by_redis(server, redis, friends):
    a, b = friends
    assert state(server, "sm-1")["redis"] == "up"
    before, heard = stats(server, "sm-1"), stats(server, "sm-2")
    words = [f"w{i}" for i in range(200)]
    show(a, *words)
    assert seen(b, a, "w199") == words
    after = stats(server, "sm-1")
    assert after["presences_by_redis"] - before["presences_by_redis"] == 200
    assert after["presences_by_routerd"] == before["presences_by_routerd"]
    assert after["presence_packets_by_redis"] - before["presence_packets_by_redis"] < 200       # packed by turn
    assert stats(server, "sm-2")["presence_received_by_redis"] > heard["presence_received_by_redis"]
    b.write("<presence><show>away</show></presence>")
    a.expect("presence", lambda p: p.get("from") == b.jid and p.findtext("client:show", None, NS) == "away")
    a.close()
    assert seen(b, a, None) == [None]
    nothing_more(b, a)


def test_a_single_sm_publishes_nothing(redis):
    with Server("--redis", f"unix:{redis.path}") as server:
        a, b = server.client("romeo"), server.client("juliet")
        a.befriend(b)
        wait_for(lambda: redis.ask("EXISTS", f"zubr:online:{a.jid}"), "the key")
        show(a, "here")
        assert seen(b, a, "here") == ["here"]
        counters = stats(server, "sm-1")
        assert counters["presences_by_redis"] == counters["presences_by_routerd"] == 0


def test_keys_say_who_is_online(server, redis, friends):
    a, _ = friends
    show(a, "reading &amp; writing")
    key = f"zubr:online:{a.jid}"
    wait_for(lambda: "reading &amp; writing" in (redis.ask("GET", key) or ""), "the key")
    assert 0 < redis.ask("TTL", key) <= 30
    # Emptied: written anew in a third of the lifetime.
    redis.ask("FLUSHALL")
    wait_for(lambda: redis.ask("EXISTS", key), "the key again", 25)
    a.close()
    wait_for(lambda: not redis.ask("EXISTS", key), "the end of the key")


def test_redis_dies_and_comes_back(server, redis, friends):
    a, b = friends
    server.expect_warning("redis_down")
    show(a, "one")
    assert seen(b, a, "one") == ["one"]
    redis.kill()
    words = [f"w{i}" for i in range(50)]
    show(a, *words)
    assert seen(b, a, "w49") == words
    wait_for(lambda: state(server, "sm-1")["redis"] == "down", "the state down")
    show(a, "still here")
    assert seen(b, a, "still here") == ["still here"]
    redis.start()
    wait_for(lambda: roads(server) == [1, 1], "both roads again", 30)
    wait_for(lambda: redis.ask("EXISTS", f"zubr:online:{a.jid}") and redis.ask("EXISTS", f"zubr:online:{b.jid}"),
             "the keys again")
    before = stats(server, "sm-1")["presences_by_redis"]
    show(a, "back")
    assert seen(b, a, "back") == ["back"]
    assert stats(server, "sm-1")["presences_by_redis"] == before + 1
    nothing_more(b, a)
    # One line for one outage, at each of the two.
    assert sum(" redis_down" in line for line in server.lines) == 2
    assert sum(" redis_up" in line for line in server.lines) == 4


def test_the_end_of_a_session_is_not_lost_with_redis(server, redis, friends):
    a, b = friends
    server.expect_warning("redis_down")
    for round_ in range(5):
        resource = f"r{round_}"
        a2 = server.client(a.bare, register=False, resource=resource)
        b.expect("presence", lambda p: p.get("from") == a2.jid and p.get("type") is None)
        redis.pause()
        a2.drop()                       # published into a Redis that does not run, and never will again
        wait_for(lambda: state(server, "sm-1")["sessions"] == 1, "the end of the session")
        redis.kill()
        b.expect("presence", lambda p: p.get("from") == a2.jid and p.get("type") == "unavailable")
        redis.start()
        wait_for(lambda: roads(server) == [1, 1], "both roads again", 30)


def test_a_stopped_redis_delivers_late(server, redis, friends):
    a, b = friends
    returned = stats(server, "sm-1")["presence_packets_returned"]
    redis.pause()
    words = [f"w{i}" for i in range(30)]
    show(a, *words)
    assert seen(b, a, "w29") == words                     # by routerd, when Redis was too slow
    assert stats(server, "sm-1")["presence_packets_returned"] > returned
    late = stats(server, "sm-2")["presence_late"]
    redis.go_on()
    wait_for(lambda: stats(server, "sm-2")["presence_late"] > late, "what Redis held")
    nothing_more(b, a)
    wait_for(lambda: roads(server) == [1, 1], "both roads again", 30)
    show(a, "well")
    assert seen(b, a, "well") == ["well"]


def channel_of(redis, instance):
    return next(c for c in redis.ask("PUBSUB", "CHANNELS", "zubr:bus:*") if f":{instance}:" in c)


def test_junk_and_repetition_are_dropped(server, redis, friends):
    a, b = friends
    channel = channel_of(redis, "sm-2")
    recorded = []
    ready = threading.Event()

    def listen():
        import socket
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
            s.connect(redis.path)
            s.sendall(b"SUBSCRIBE %s\r\n" % channel.encode())
            with s.makefile("rb") as f:
                while not recorded:
                    lines = f.readline()
                    if not lines:
                        return
                    words = []
                    for _ in range(int(lines[1:])):
                        head = f.readline()
                        words.append(f.read(int(head[1:]) + 2)[:-2] if head[:1] == b"$" else head)
                    if words[0] == b"message":
                        recorded.append(words[2])
                    ready.set()

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    assert ready.wait(10)
    show(a, "genuine")
    assert seen(b, a, "genuine") == ["genuine"]
    thread.join(10)
    genuine = recorded[0]
    junk = stats(server, "sm-2")["presence_junk"]
    forged = [b"", b"x", b"\0" * 500, os.urandom(5000), genuine[:-1], genuine + b"x", genuine[:17] + b"\1" + genuine[18:],
              genuine.replace(b"genuine", b"forged!"), b"A" * 200000]
    for payload in forged:
        redis.ask("PUBLISH", channel, payload)
    late = stats(server, "sm-2")["presence_late"]
    for _ in range(20):
        redis.ask("PUBLISH", channel, genuine)            # replayed
    wait_for(lambda: stats(server, "sm-2")["presence_late"] == late + 20, "the replays")
    assert stats(server, "sm-2")["presence_junk"] == junk + len(forged)
    nothing_more(b, a)
    show(a, "unmoved")
    assert seen(b, a, "unmoved") == ["unmoved"]
    # Keys of sessions that are not there move nobody now, whatever they say.
    redis.ask("SET", f"zubr:online:{a.bare}/forged", "<presence/>")
    show(a, "unmoved again")
    assert seen(b, a, "unmoved again") == ["unmoved again"]


def test_a_huge_message_costs_the_connection_not_the_memory(server, redis, friends):
    a, b = friends
    server.expect_warning("redis_down")
    losses = stats(server, "sm-2")["redis_losses"]
    redis.ask("PUBLISH", channel_of(redis, "sm-2"), b"A" * (20 << 20))
    wait_for(lambda: stats(server, "sm-2")["redis_losses"] > losses, "the end of the connection")
    show(a, "still")
    assert seen(b, a, "still") == ["still"]


def test_nobody_listens(server, redis, friends):
    """Redis is well and has forgotten the subscribers: PUBLISH answers 0."""
    a, b = friends
    server.expect_warning("redis_down")
    for entry in redis.ask("CLIENT", "LIST", "TYPE", "pubsub").splitlines():
        redis.ask("CLIENT", "KILL", "ID", entry.split()[0].split("=")[1])
    words = [f"w{i}" for i in range(20)]
    show(a, *words)
    assert seen(b, a, "w19") == words
    wait_for(lambda: roads(server) == [1, 1], "both roads again", 30)
    show(a, "on")
    assert seen(b, a, "on") == ["on"]
    nothing_more(b, a)


def test_subscriptions_and_probes_keep_their_order(server, redis):
    mine, theirs = names_of("sm-1", server.domain, 5, "s"), names_of("sm-2", server.domain, 5, "s")
    for left, right in zip(mine, theirs):
        a, b = server.client(left), server.client(right)
        for c in (a, b):
            c.iq("get", f"<query xmlns='{NS['roster']}'/>")
        b.write(f"<presence to='{a.bare}' type='subscribe'/>")
        a.expect("presence", lambda p: p.get("type") == "subscribe")
        show(a, "one", "two")
        a.write(f"<presence to='{b.bare}' type='subscribed'/>")
        show(a, "three")
        b.expect("presence", lambda p: p.get("type") == "subscribed")
        assert seen(b, a, "three") == ["two", "three"]
        nothing_more(b, a)


@pytest.fixture
def restart_of_sm(server):
    server.expect_warning("daemon_restarted")
    server.expect_warning("link_lost")

    def restart(instance):
        pid = server.pid_of(instance)
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: any(r["name"] == instance and r["state"] == "running" and r["pid"] != pid
                             for r in server.ctl_json("status", check=False)), f"a new {instance}", 20)
        wait_for(lambda: roads(server) == [1, 1], "both roads again", 30)
    return restart


@pytest.mark.parametrize("victim", ["sm-1", "sm-2"])
def test_an_sm_is_killed_while_presence_flows(server, friends, restart_of_sm, victim):
    """Nothing is lost, nothing comes twice: what was under way is in live memory."""
    a, b = friends
    for round_ in range(3):
        words = [f"r{round_}w{i}" for i in range(300)]
        show(a, *words[:150])
        flow = threading.Thread(target=show, args=(a, *words[150:]))
        flow.start()
        restart_of_sm(victim)
        flow.join()
        assert seen(b, a, words[-1]) == words
    nothing_more(b, a)


def test_both_are_killed_with_redis(server, redis, friends, restart_of_sm):
    a, b = friends
    server.expect_warning("redis_down")
    words = [f"w{i}" for i in range(100)]
    show(a, *words)
    redis.kill()
    for instance in ("sm-1", "sm-2"):
        os.kill(server.pid_of(instance), signal.SIGKILL)
    assert seen(b, a, "w99") == words
    a.drop()
    assert seen(b, a, None) == [None]
    redis.start()
    wait_for(lambda: roads(server) == [1, 1], "both roads again", 30)
    nothing_more(b, a)


def test_sessions_of_a_lost_life_are_said_to_be_gone(server, redis, friends, restart_of_sm):
    """A power cut: live memory is void, nobody said goodbye; Redis still names who was online."""
    a, b = friends
    for instance in ("sm-1", "sm-2"):
        wait_for(lambda: stats(server, instance)["presence_keys_read"], f"the first reading of {instance}")
    key = f"zubr:online:{a.jid}"
    wait_for(lambda: redis.ask("EXISTS", key), "the key")
    value = redis.ask("GET", key)
    a.close()
    assert seen(b, a, None) == [None]
    wait_for(lambda: not redis.ask("EXISTS", key), "the end of the key")
    redis.ask("SET", key, value)
    # Not of sm-1, or no JID, or there: these move nobody.
    redis.ask("SET", f"zubr:online:{b.bare}/another", "<presence/>")
    redis.ask("SET", "zubr:online:@@", "junk")
    a2 = server.client(a.bare, register=False, resource="stays")
    b.expect("presence", lambda p: p.get("from") == a2.jid)
    restart_of_sm("sm-1")
    assert seen(b, a, None) == [None]
    wait_for(lambda: not redis.ask("EXISTS", key), "the end of the key")
    assert redis.ask("EXISTS", f"zubr:online:{b.bare}/another") == 1
    nothing_more(b, a2)


def test_one_side_without_redis(redis):
    """The other instance cannot reach Redis at all: everything goes by routerd."""
    with Server("--instances", "sm=2", "--redis", f"unix:{redis.path}", *LIMITS) as server:
        server.expect_warning("redis_down")
        redis.kill()
        a = server.client(names_of("sm-1", server.domain, 1)[0])
        b = server.client(names_of("sm-2", server.domain, 1)[0])
        a.befriend(b)
        words = [f"w{i}" for i in range(20)]
        show(a, *words)
        assert seen(b, a, "w19") == words
        a.close()
        assert seen(b, a, None) == [None]
