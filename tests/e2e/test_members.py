"""Instances join, leave and are evicted under load: slots move with all that lives in them."""

import threading
import time

import pytest

from harness import NS, Server, wait_for
from test_resume import managed, resume

USERS = 24


@pytest.fixture(scope="module", name="suite")
def _suite():
    with Server("--instances", "sm=3,c2sd=2,muc=2,s2sd=1", "--no-limits") as server:
        yield server
        server.check_log()


def slots(server):
    return {row["instance"]: (row["slots"], row["state"]) for row in server.ctl_json("slots")}


def settled(server):
    wait_for(lambda: all(state in ("member", "out") for _, state in slots(server).values()), "settled members", 30)


def change(server, verb, instance):
    server.ctl(verb, instance)
    settled(server)


class Talk(threading.Thread):
    """Each client writes to the next one, all the time, and everybody writes down what comes."""

    def __init__(self, clients, room=None):
        super().__init__(daemon=True)
        self.clients, self.room = clients, room
        self.sent = [0] * len(clients)
        self.got = [[] for _ in clients]
        self.unavailable = []
        self.over = threading.Event()
        self.fault = None

    def run(self):
        try:
            while not self.over.is_set():
                for i, c in enumerate(self.clients):
                    to = self.clients[(i + 1) % len(self.clients)]
                    c.message(to.bare if self.sent[i] % 2 else to.jid, f"n{self.sent[i]}")
                    self.sent[i] += 1
                    if self.room and i == 0:
                        c.message(self.room, f"r{self.sent[i]}", kind="groupchat")
                self.read(0.002)
        except Exception as why:           # shown by end()
            self.fault = why

    def read(self, seconds):
        for i, c in enumerate(self.clients):
            for e in c.settle(seconds):
                assert e is not None, "the stream was closed"
                c.raise_error(e)
                if e.tag.endswith("}presence") and e.get("type") == "unavailable":
                    self.unavailable.append((c.jid, e.get("from")))
                body = e.findtext("client:body", None, NS)
                if e.tag.endswith("}message") and body is not None:
                    self.got[i].append((e.get("type"), body))

    def whole(self):
        n = len(self.clients)
        return all([b for t, b in self.got[(i + 1) % n] if t == "chat"] == [f"n{k}" for k in range(self.sent[i])]
                   for i in range(n))

    def end(self):
        self.over.set()
        self.join(30)
        if self.fault:
            raise self.fault
        deadline = time.monotonic() + 20
        while not self.whole() and time.monotonic() < deadline:
            self.read(0.01)
        n = len(self.clients)
        for i in range(n):
            assert [b for t, b in self.got[(i + 1) % n] if t == "chat"] == [f"n{k}" for k in range(self.sent[i])]
        assert not self.unavailable
        assert min(self.sent) > 3


def log_in(suite, prefix, count=USERS):
    return [suite.client(f"{prefix}{i}") for i in range(count)]


def test_slots_move_under_load_and_nothing_is_lost_twice_or_out_of_order(suite):
    clients = log_in(suite, "mover")
    talk = Talk(clients)
    talk.start()
    for verb, instance in (("leave", "sm-3"), ("join", "sm-3"), ("leave", "sm-1"), ("join", "sm-1")):
        before = min(talk.sent)
        change(suite, verb, instance)
        assert slots(suite)[instance][1] == ("out" if verb == "leave" else "member")
        wait_for(lambda: talk.fault or min(talk.sent) > before + 1, "messages after the change")
    talk.end()
    for c in clients:
        assert c.ping().get("type") == "result"
        c.write("</stream:stream>")


def test_presence_and_roster_move_along(suite):
    a, b = log_in(suite, "friend", 2)
    for c in (a, b):
        c.iq("get", f"<query xmlns='{NS['roster']}'/>")
    for x, y in ((a, b), (b, a)):
        x.write(f"<presence type='subscribe' to='{y.bare}'/>")
        y.expect("presence", lambda p: p.get("type") == "subscribe")
        y.write(f"<presence type='subscribed' to='{x.bare}'/>")
        x.expect("presence", lambda p: p.get("type") == "subscribed")
    for verb, instance in (("leave", "sm-1"), ("leave", "sm-2"), ("join", "sm-1"), ("join", "sm-2")):
        change(suite, verb, instance)
    a.write("<presence><show>away</show></presence>")
    b.expect("presence", lambda p: p.get("from") == a.jid and p.findtext("client:show", None, NS) == "away")
    c = suite.client("friend1", resource="late", register=False)
    c.expect("presence", lambda p: p.get("from") == a.jid and p.findtext("client:show", None, NS) == "away")
    a.write("</stream:stream>")
    b.expect("presence", lambda p: p.get("from") == a.jid and p.get("type") == "unavailable")
    b.write("</stream:stream>")
    c.write("</stream:stream>")


def test_a_room_moves_with_its_occupants(suite):
    clients = log_in(suite, "guest", 8)
    rooms = [f"room{i}@muc.{suite.domain}" for i in range(8)]
    for room in rooms:
        for i, c in enumerate(clients):
            c.write(f"<presence to='{room}/n{i}'><x xmlns='{NS['muc']}'/></presence>")
            c.expect("presence", lambda p: p.get("from") == f"{room}/n{i}")
            if i == 0:
                c.iq("set", "<query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' "
                     "type='submit'/></query>", to=room)
    for c in clients:                  # everybody has seen everybody come
        c.ping()
        c.settle(0.2)
    for verb, instance in (("leave", "muc-2"), ("join", "muc-2"), ("leave", "muc-1"), ("leave", "sm-1"),
                           ("join", "sm-1"), ("join", "muc-1")):
        change(suite, verb, instance)
        for c in clients:
            assert not [e for e in c.settle(0.05) if e.tag.endswith("}presence")]
        for k, room in enumerate(rooms):
            clients[k].message(room, f"{verb} {instance} {k}", kind="groupchat")
            for c in clients:
                c.expect_body(f"{verb} {instance} {k}", f"{room}/n{k}")
    clients[3].write(f"<presence type='unavailable' to='{rooms[0]}/n3'/>")
    clients[0].expect("presence", lambda p: p.get("from") == f"{rooms[0]}/n3" and p.get("type") == "unavailable")
    for c in clients:
        c.write("</stream:stream>")


def test_slots_come_to_one_that_was_away(suite):
    """What is said meanwhile to the accounts that are to come waits in its link, and is heard before what it does
    at once when they are there."""
    clients = log_in(suite, "waiter")
    talk = Talk(clients)
    talk.start()
    for instance in ("sm-3", "sm-2"):
        suite.restart("sm-1", lambda leaver=instance: (suite.ctl("leave", leaver), time.sleep(0.2)))
        settled(suite)
        change(suite, "join", instance)
    talk.end()
    for c in clients:
        c.write("</stream:stream>")


def test_what_was_said_before_a_move_is_heard_first(suite):
    """The room is away when its occupants' slots are to move: what they said waits for it where they were."""
    change(suite, "leave", "muc-2")
    clients, room = log_in(suite, "teller", 12), f"tale@muc.{suite.domain}"
    for i, c in enumerate(clients):
        c.write(f"<presence to='{room}/n{i}'><x xmlns='{NS['muc']}'/></presence>")
        c.expect("message", lambda m: m.find("client:subject", NS) is not None)
        if i == 0:
            c.iq("set", f"<query xmlns='{NS['muc_owner']}'><x xmlns='jabber:x:data' type='submit'/></query>", to=room)

    def everybody_says(text):
        for c in clients:
            c.message(room, text, kind="groupchat")
            c.ping()

    def move():
        everybody_says("first")
        suite.ctl("leave", "sm-1")
        for c in clients:
            c.message(room, "second", kind="groupchat")

    suite.restart("muc-1", move)
    settled(suite)
    heard = {}
    for _ in range(2 * len(clients)):
        m = clients[0].expect("message", lambda m: m.get("type") == "groupchat")
        heard.setdefault(m.get("from"), []).append(m.findtext("client:body", None, NS))
    assert heard == {f"{room}/n{i}": ["first", "second"] for i in range(len(clients))}
    change(suite, "join", "sm-1")
    change(suite, "join", "muc-2")
    for c in clients:
        c.write("</stream:stream>")


def test_a_resumable_session_moves_with_its_queue(suite):
    pairs = [(managed(suite, f"keeper{i}"), suite.client(f"writer{i}")) for i in range(8)]
    for a, b in pairs:
        b.message(a.bare, "seen")
        a.expect_body("seen")
        a.ack()
        b.message(a.bare, "unseen")        # it arrives, and is not acknowledged
        a.expect("message")
        a.message(b.bare, "mine")
        b.expect_body("mine")
        a.ask_until(1)
    for verb, instance in (("leave", "sm-1"), ("join", "sm-1"), ("leave", "sm-3"), ("join", "sm-3")):
        change(suite, verb, instance)
    for a, b in pairs:
        a.handled -= 1
        a.sock.close()
        b.message(a.bare, "late")
    for i, (a, b) in enumerate(pairs):
        c = resume(suite, a, f"keeper{i}")
        assert c.resumed_h == 1
        c.expect_body("unseen")
        c.expect_body("late")
        c.ack()
        assert not [e for e in c.settle(0.1) if e.tag.endswith("}message")]
        c.write("</stream:stream>")
        b.write("</stream:stream>")


def evicted(suite, instance):
    suite.ctl("evict", instance, check=False)
    return suite.ctl_status == 0


def test_one_that_is_gone_for_good_is_evicted_and_the_others_serve_its_accounts(suite):
    clients = log_in(suite, "left", 12)
    for c in clients:
        c.iq("get", f"<query xmlns='{NS['roster']}'/>")
    suite.ctl("--instance", "sm-2", "stop")
    wait_for(lambda: evicted(suite, "sm-2"), "the end of sm-2")
    assert slots(suite)["sm-2"] == (0, "out")
    again = [suite.client(f"left{i}", resource="again", register=False) for i in range(12)]
    for c in again:
        assert c.ping().get("type") == "result"
        c.write("</stream:stream>")
