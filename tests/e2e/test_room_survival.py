"""muc is killed, restarted, stopped: who is in a room stays in, and what was said is said once."""

import itertools
import os
import signal
import subprocess
import threading

import pytest

from harness import BUILD, NS, ROOT, wait_for
from test_rooms import codes, enter, subject

counter = itertools.count(1)


@pytest.fixture
def room(server):
    server.expect_warning("daemon_restarted")
    server.expect_warning("link_lost")
    return f"survival{next(counter)}@muc.{server.domain}"


def running(server, instance, other_than):
    return any(r["name"] == instance and r["state"] == "running" and r["pid"] != other_than and r["link"] == "up"
               for r in server.ctl_json("status", check=False))


def killed(server, instance="muc-1"):
    pid = server.pid_of(instance)
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: running(server, instance, pid), f"a new {instance}", 20)


@pytest.fixture
def again(server):
    """Ends a daemon by TERM and starts it, as `systemctl restart` does (./dev run starts none that ended well)."""
    started = []

    def restart(instance="muc-1"):
        pid = server.pid_of(instance)
        os.kill(pid, signal.SIGTERM)
        wait_for(lambda: not os.path.exists(f"/proc/{pid}"), f"the end of {instance}")
        owner = os.stat(server.dir)
        binaries = server.dir / ".bin" if (server.dir / ".bin").exists() else ROOT / BUILD
        command = [str(binaries / f"zubr-{instance.split('-')[0]}"), "--config", "zubr.conf", "--instance", instance]
        if os.getuid() == 0:
            command = ["setpriv", "--reuid", str(owner.st_uid), "--regid", str(owner.st_gid), "--clear-groups",
                       "--"] + command
        process = subprocess.Popen(command, cwd=server.dir, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True)
        started.append(process)
        threading.Thread(target=server._read, args=(process.stdout,), daemon=True).start()
        wait_for(lambda: running(server, instance, pid), f"a new {instance}", 20)

    yield restart
    for process in started:
        process.terminate()
        assert process.wait(20) == 0


def bodies(client):
    """Of everything that has arrived and was not looked at."""
    return [m.findtext("client:body", None, NS) for m in client.queue
            if m is not None and m.tag.endswith("}message") and m.find("client:body", NS) is not None]


def room_presences(client, room):
    return [p for p in client.queue if p is not None and p.tag.endswith("}presence") and
            (p.get("from") or "").startswith(room)]


def persistent(client, room):
    form = ("<query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'>"
            "<field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#roomconfig</value></field>"
            "<field var='muc#roomconfig_persistentroom'><value>1</value></field></x></query>")
    assert client.iq("set", form, to=room).get("type") == "result"


def say(client, room, text):
    client.write(f"<message to='{room}' type='groupchat' id='{text}'><body>{text}</body></message>")


def drain_until(client, text):
    """Reads on until this body is there, dropping nothing."""
    def there():
        client._take(0.05)
        assert not client.ended
        return text in bodies(client)
    wait_for(there, f"{text} to {client.jid}", 30)


@pytest.mark.parametrize("kind", ["temporary", "stored"])
def test_killed_under_messages_nobody_leaves_and_each_message_comes_once(server, room, kind):
    clients = [server.client(f"occupant{i}") for i in range(20)]
    for i, c in enumerate(clients):
        enter(c, room, f"n{i}")
    if kind == "stored":
        persistent(clients[0], room)
    clients[0].ping()
    for c in clients:
        c.ping()
        c.settle(0.05)

    talking = threading.Event()
    senders, written = clients[:3], []

    def talk():
        for i in range(60):
            for j, c in enumerate(senders):
                say(c, room, f"{j}:{i}")
                written.append(f"{j}:{i}")
            talking.wait(0.05)

    thread = threading.Thread(target=talk)
    thread.start()
    for _ in range(3):
        killed(server)
    talking.set()
    thread.join()
    for j, c in enumerate(senders):
        say(c, room, f"end{j}")
    for c in clients:
        for j in range(len(senders)):
            drain_until(c, f"end{j}")
    first = bodies(clients[0])
    assert sorted(first) == sorted(written + [f"end{j}" for j in range(len(senders))])
    for c in clients:
        assert bodies(c) == first, c.jid
        assert room_presences(c, room) == [], c.jid
    for j in range(len(senders)):
        assert [b for b in first if b.startswith(f"{j}:")] == [f"{j}:{i}" for i in range(60)]
    assert len(server.ctl_json("occupants", room)) == 20


def test_who_goes_while_muc_is_away_leaves_when_it_is_back(server, room):
    a, b = server.client("alice"), server.client("bob")
    enter(a, room, "A")
    enter(b, room, "B")
    a.ping()
    pid = server.pid_of("muc-1")
    os.kill(pid, signal.SIGSTOP)
    os.kill(pid, signal.SIGKILL)
    b.close()
    p = a.expect("presence", lambda p: p.get("from") == f"{room}/B" and p.get("type") == "unavailable", 20)
    assert "332" not in codes(p)
    wait_for(lambda: [o["nick"] for o in server.ctl_json("occupants", room, check=False)] == ["A"], "the end of B")


def test_a_question_to_an_occupant_is_answered_once_although_muc_dies(server, room):
    a, b = server.client("alice"), server.client("bob")
    enter(a, room, "A")
    enter(b, room, "B")
    a.write(f"<iq type='get' id='v1' to='{room}/B'><query xmlns='jabber:iq:version'/></iq>")
    asked = b.expect("iq", lambda e: e.get("type") == "get")
    killed(server)
    b.write(f"<iq type='result' id='{asked.get('id')}' to='{asked.get('from')}'>"
            "<query xmlns='jabber:iq:version'><name>n</name></query></iq>")
    answer = a.expect("iq", lambda e: e.get("id") == "v1")
    assert (answer.get("type"), answer.get("from")) == ("result", f"{room}/B")
    a.ping()
    assert [e for e in a.settle(0.3) if e is not None and e.get("id") == "v1"] == []


def test_a_planned_restart_takes_nobody_out_and_the_verb_stop_does(server, room, again):
    a, b = server.client("alice"), server.client("bob")
    enter(a, room, "A")
    enter(b, room, "B")
    subject(b, room)
    a.write(f"<message to='{room}' type='groupchat'><subject>stays</subject></message>")
    subject(b, room)
    a.settle(0.1)
    again()
    say(a, room, "on")
    drain_until(a, "on")
    drain_until(b, "on")
    assert room_presences(a, room) == room_presences(b, room) == []
    c = server.client("carol")
    others, _ = enter(c, room, "C")
    assert [o.get("from") for o in others] == [f"{room}/A", f"{room}/B"]
    assert subject(c, room).findtext("client:subject", None, NS) == "stays"
    server.ctl("stop", "muc-1")
    for client in (a, b, c):
        p = client.expect("presence", lambda p: p.get("type") == "unavailable" and "110" in codes(p))
        assert "332" in codes(p)
