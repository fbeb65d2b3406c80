"""Client state (XEP-0352): what is unimportant waits while nobody looks, nothing is lost; stream limits (XEP-0478)."""

import os
import signal

import pytest
from harness import NS, Client, Server, wait_for
from test_pep import EVENT, ask, event, interest, ok, options, publish
from test_resume import hibernates, managed, resume

CSI, LIMITS, STATES = "urn:xmpp:csi:0", "urn:xmpp:stream-limits:0", "http://jabber.org/protocol/chatstates"
OPTIONS = ["--set", "limits.csi_stanzas=20", "--set", "limits.resume_seconds=300"]
COMPOSING, PAUSED = (f"<{name} xmlns='{STATES}'/>" for name in ("composing", "paused"))
RECEIPT = "<received xmlns='urn:xmpp:receipts' id='1'/>"


def say(client, state):
    client.write(f"<{state} xmlns='{CSI}'/>")


def row(server, client):
    return next(r for r in server.ctl_json("sessions") if r["jid"] == client.jid)


def held(server, client, count):
    wait_for(lambda: row(server, client)["held"] == count, f"{count} held for {client.jid}", 10)


def asleep(server, client):
    say(client, "inactive")
    wait_for(lambda: row(server, client)["inactive"], "the client being inactive")
    client.settle(0.1)
    return client


def show(client, to, text, kind=""):
    client.write(f"<presence to='{to}'{kind}><status>{text}</status></presence>")


def state(client, to, what):
    client.write(f"<message to='{to}' type='chat'>{what}</message>")


def stanzas(client, seconds=0.3):
    return [e for e in client.settle(seconds) if e is not None and e.tag.startswith("{jabber:client}")]


def status(e):
    return e.findtext("client:status", None, NS)


@pytest.fixture
def pair(server, request):
    name = request.node.name.replace("test_", "").replace("_", "")[:20]
    return server.client(f"{name}.phone", resource="phone"), server.client(f"{name}.ben")


# ---- announced

def features(server, name):
    server.register(name)
    c = Client(server, server.domain)
    c.starttls()
    first = c.open().features()
    c.auth_plain(name, "secret")
    return first, c.open().features()


def test_csi_is_announced_after_login(server):
    before, after = features(server, "feat")
    assert before.find(f"{{{CSI}}}csi") is None and after.find(f"{{{CSI}}}csi") is not None


def test_limits_are_announced(server):
    before, after = features(server, "limited")
    assert before.findtext(f"{{{LIMITS}}}limits/{{{LIMITS}}}max-bytes") == "10000"
    assert before.find(f"{{{LIMITS}}}limits/{{{LIMITS}}}idle-seconds") is None
    assert after.findtext(f"{{{LIMITS}}}limits/{{{LIMITS}}}max-bytes") == "262144"
    assert after.findtext(f"{{{LIMITS}}}limits/{{{LIMITS}}}idle-seconds") == "300"


def test_what_is_announced_is_the_limit(server):
    a = server.client("limit.a")
    b = server.client("limit.b")
    a.write(f"<message to='{b.bare}' type='chat'><body>{'x' * 262000}</body></message>")
    assert len(b.expect("message").findtext("client:body", None, NS)) == 262000
    a.write(f"<message to='{b.bare}' type='chat'><body>{'x' * 262144}</body></message>")
    a.expect_stream_error("policy-violation")


def test_before_binding_it_is_out_of_order(server):
    server.register("early")
    c = Client(server, server.domain)
    c.starttls()
    c.open().features()
    c.auth_plain("early", "secret")
    c.open().features()
    say(c, "inactive")
    c.expect_stream_error("not-authorized")


# ---- held and flushed

def test_presence_is_collapsed_and_chat_states_wait(server, pair):
    phone, ben = pair
    asleep(server, phone)
    for i in range(5):
        show(ben, phone.jid, str(i))
        state(ben, phone.jid, COMPOSING if i % 2 else PAUSED)
    state(ben, phone.jid, RECEIPT)
    held(server, phone, 3)
    assert not stanzas(phone)
    say(phone, "active")
    shown, typing, receipt = stanzas(phone)
    assert status(shown) == "4" and typing.find(f"{{{STATES}}}paused") is not None
    assert receipt.find("{urn:xmpp:receipts}received") is not None
    show(ben, phone.jid, "awake")
    assert status(phone.expect("presence")) == "awake"


def test_a_message_takes_along_what_was_held(server, pair):
    phone, ben = pair
    asleep(server, phone)
    show(ben, phone.jid, "first")
    ben.message(phone.bare, "hello")
    got = [phone.next(), phone.next()]
    assert status(got[0]) == "first" and got[1].findtext("client:body", None, NS) == "hello"
    show(ben, phone.jid, "second")
    held(server, phone, 1)


# ---- events of nodes (XEP-0163)

TUNE, BOOKMARKS = "http://jabber.org/protocol/tune", "urn:xmpp:bookmarks:1"
PRIVATE = options(access_model="whitelist", max_items="max", persist_items="1")


def play(client, title, ident="current"):
    ok(ask(client, "set", f"<publish node='{TUNE}'><item id='{ident}'><tune xmlns='{TUNE}'><title>{title}</title></tune></item>"
           "</publish>"))


def note(client, room, autojoin):
    ok(ask(client, "set", f"<publish node='{BOOKMARKS}'><item id='{room}'><conference xmlns='{BOOKMARKS}' "
           f"autojoin='{autojoin}'/></item></publish>" + PRIVATE))


def titles(events):
    return [e.findtext(f".//{{{TUNE}}}title") for e in events]


def test_events_collapse_to_the_last_of_each_node_and_publisher(server, pair):
    phone, ben = pair
    ann = server.client("csi.ann")
    for friend in (ben, ann):
        friend.befriend(phone)
    interest(phone, TUNE, "urn:example:state", BOOKMARKS)
    for friend in (ben, ann):
        play(friend, "awake")
        event(phone, TUNE)
    asleep(server, phone)
    for i in range(4):
        play(ben, f"b{i}")
        play(ann, f"a{i}", ident=f"new{i}")
        ok(publish(ben, str(i), node="urn:example:state", item_id=f"id{i}"))         # keeps one item, as all do by default
    held(server, phone, 3)
    assert not stanzas(phone)
    say(phone, "active")
    got = stanzas(phone)
    assert sorted(t for t in titles(got) if t) == ["a3", "b3"]
    assert [e.findtext(".//{urn:example:entry}entry") for e in got if not e.findtext(f".//{{{TUNE}}}title")] == ["3"]


def test_items_of_a_list_are_not_lost(server, pair):
    """Of a node that keeps many, only what tells of the same item takes an event's place."""
    phone, _ = pair
    desk = server.client(phone.bare, resource="desk")
    interest(phone, BOOKMARKS)
    asleep(server, phone)
    for autojoin in ("0", "1"):
        for room in ("one@muc.example.net", "two@muc.example.net"):
            note(desk, room, autojoin)
    note(desk, "three@muc.example.net", "0")
    ok(ask(desk, "set", f"<retract node='{BOOKMARKS}' notify='true'><item id='three@muc.example.net'/></retract>"))
    held(server, phone, 3)
    say(phone, "active")
    got = [e.find(f".//{{{EVENT}}}items")[0] for e in stanzas(phone)]
    assert [(e.tag.split("}")[1], e.get("id")[:-len("@muc.example.net")]) for e in got] == \
        [("item", "one"), ("item", "two"), ("retract", "three")]
    assert [e[0].get("autojoin") for e in got[:2]] == ["1", "1"]


def test_events_leave_in_order_before_a_message(server, pair):
    phone, ben = pair
    ben.befriend(phone)
    interest(phone, TUNE)
    play(ben, "awake")
    event(phone, TUNE)
    asleep(server, phone)
    play(ben, "first")
    show(ben, phone.jid, "between")
    play(ben, "last")
    held(server, phone, 2)
    ben.message(phone.bare, "hello")
    got = [phone.next() for _ in range(3)]
    assert status(got[0]) == "between" and titles(got[1:2]) == ["last"]
    assert got[2].findtext("client:body", None, NS) == "hello"


def test_what_was_held_says_when_it_came(server, pair):
    phone, ben = pair
    asleep(server, phone)
    show(ben, phone.jid, "long ago")
    ben.ping()
    assert not stanzas(phone, 3.2)
    say(phone, "active")
    assert phone.expect("presence").find("delay:delay", NS) is not None


def test_active_comes_before_the_answer_to_what_follows(server, pair):
    phone, ben = pair
    asleep(server, phone)
    show(ben, phone.jid, "held")
    held(server, phone, 1)
    phone.write(f"<active xmlns='{CSI}'/><iq type='get' id='p' to='{server.domain}'><ping xmlns='urn:xmpp:ping'/></iq>")
    assert [e.tag.split("}")[1] for e in (phone.next(), phone.next())] == ["presence", "iq"]


def test_at_the_limit_everything_leaves(server, pair):
    phone, ben = pair
    asleep(server, phone)
    for _ in range(20):
        state(ben, phone.jid, RECEIPT)
    held(server, phone, 20)
    state(ben, phone.jid, RECEIPT)
    assert len([phone.expect("message") for _ in range(21)]) == 21
    assert row(server, phone)["held"] == 0 and row(server, phone)["inactive"]


def test_others_of_a_fan_out_are_served(server, pair):
    phone, ben = pair
    desk = server.client(phone.bare, resource="desk")
    ben.befriend(desk)
    asleep(server, phone)
    ben.write("<presence><status>to all</status></presence>")
    assert status(desk.expect("presence", lambda p: p.get("from") == ben.jid)) == "to all"
    held(server, phone, 1)
    say(phone, "active")
    assert status(phone.expect("presence")) == "to all"


def test_the_state_is_nobody_else_s_business(server, pair):
    phone, ben = pair
    desk = server.client(phone.bare, resource="desk")
    ben.befriend(desk)
    ben.settle(0.2)
    asleep(server, phone)
    assert not stanzas(ben) and not stanzas(desk)
    info = ben.iq("get", f"<query xmlns='{NS['disco_info']}'/>", to=phone.bare)
    assert CSI not in [f.get("var") for f in info[0]]


def test_it_has_nothing_to_do_with_presence(server, pair):
    """5: neither says anything of the other."""
    phone, ben = pair
    ben.befriend(phone)
    asleep(server, phone)
    show(ben, phone.jid, "held")
    held(server, phone, 1)
    for what in ("chat", "away"):
        phone.write(f"<presence><show>{what}</show></presence>")
        ben.expect("presence", lambda p: p.get("from") == phone.jid and p.findtext("client:show", None, NS) == what)
        assert row(server, phone)["inactive"]
    say(phone, "active")
    assert status(phone.expect("presence", lambda p: p.get("from") == ben.jid)) == "held"
    assert not stanzas(ben)


def test_in_a_room(server, pair):
    phone, ben = pair
    room = f"csi@muc.{server.domain}"
    for client, nick in ((ben, "ben"), (phone, "phone")):
        client.write(f"<presence to='{room}/{nick}'><x xmlns='{NS['muc']}'/></presence>")
        client.expect("message", lambda m: m.find("client:subject", NS) is not None)
        client.iq("set", f"<query xmlns='{NS['muc_owner']}'><x xmlns='jabber:x:data' type='submit'/></query>", to=room)
    asleep(server, phone)
    for i in range(3):
        ben.write(f"<presence to='{room}/ben'><status>{i}</status></presence>")
    ben.write(f"<message to='{room}' type='groupchat'>{COMPOSING}</message>")
    held(server, phone, 2)
    ben.message(room, "hi all", kind="groupchat")
    got = [phone.next() for _ in range(3)]
    assert status(got[0]) == "2" and got[2].findtext("client:body", None, NS) == "hi all"


# ---- stream management

def test_h_counts_what_was_sent(server):
    phone, ben = managed(server, "counter", resource="phone"), server.client("counter.ben")
    asleep(server, phone)
    phone.ack()
    show(ben, phone.jid, "held")
    held(server, phone, 1)
    assert row(server, phone)["queued"] == 0
    say(phone, "active")
    phone.expect("presence")
    wait_for(lambda: row(server, phone)["queued"] == 1, "one stanza unacknowledged")
    phone.ack()
    wait_for(lambda: row(server, phone)["queued"] == 0, "none")


def test_a_session_that_sleeps_gets_it_when_it_is_resumed(server):
    phone, ben = managed(server, "dreamer", resource="phone"), server.client("dreamer.ben")
    asleep(server, phone)
    show(ben, phone.jid, "held")
    state(ben, phone.jid, RECEIPT)
    held(server, phone, 2)
    phone.drop()
    hibernates(server, phone.jid)
    assert row(server, phone)["held"] == 0 and row(server, phone)["queued"] >= 2
    back = resume(server, phone, "dreamer")
    assert status(back.expect("presence", lambda p: p.get("from") == ben.jid)) == "held"
    assert back.expect("message").find("{urn:xmpp:receipts}received") is not None
    assert not row(server, back)["inactive"]            # XEP-0352 5.2
    show(ben, back.jid, "at once")
    assert status(back.expect("presence")) == "at once"


def test_resumed_while_the_old_stream_stands(server):
    phone, ben = managed(server, "mover", resource="phone"), server.client("mover.ben")
    asleep(server, phone)
    phone.ack()
    show(ben, phone.jid, "held")
    held(server, phone, 1)
    back = resume(server, phone, "mover")
    assert status(back.expect("presence", lambda p: p.get("from") == ben.jid)) == "held"
    back.expect_none("presence")


# ---- nothing is lost

def test_of_a_session_that_ends_the_messages_go_on(server, pair):
    phone, ben = pair
    asleep(server, phone)
    state(ben, phone.jid, RECEIPT)
    held(server, phone, 1)
    phone.drop()
    wait_for(lambda: not any(r["jid"] == phone.jid for r in server.ctl_json("sessions")), "the end of the session")
    later = server.client(phone.bare, resource="later")
    assert later.expect("message").find("{urn:xmpp:receipts}received") is not None


def test_held_stanzas_outlive_sm(server):
    server.expect_warning("daemon_restarted")
    phone, ben = server.client("survivor", resource="phone"), server.client("survivor.ben")
    desk = asleep(server, server.client("survivor", resource="desk"))
    asleep(server, phone)
    ben.befriend(server.client("survivor", resource="third"))
    for client in (phone, desk):
        say(client, "active")
        client.settle(0.2)
        asleep(server, client)
    ben.write("<presence><status>one</status></presence>")
    state(ben, phone.jid, COMPOSING)
    held(server, phone, 2)
    held(server, desk, 1)
    say(desk, "active")
    assert status(desk.expect("presence")) == "one"
    asleep(server, desk)
    for r in server.ctl_json("status"):
        if r["role"] == "sm":
            os.kill(r["pid"], signal.SIGKILL)
            wait_for(lambda: all(x["state"] == "running" and x["pid"] != r["pid"]
                                 for x in server.ctl_json("status", check=False)), "sm again")
    held(server, phone, 2)
    held(server, desk, 0)
    ben.write("<presence><status>two</status></presence>")
    held(server, desk, 1)
    say(phone, "active")
    got = stanzas(phone)
    assert got[0].find(f"{{{STATES}}}composing") is not None and status(got[1]) == "two" and len(got) == 2


def test_held_stanzas_move_with_their_session():
    with Server("--instances", "sm=2") as server:
        server.expect_warning("daemon_restarted")
        clients = [server.client(f"user{i}", resource="phone") for i in range(6)]
        ben = server.client("ben")
        for c in clients:
            asleep(server, c)
            show(ben, c.jid, f"for {c.jid}")
            state(ben, c.jid, RECEIPT)
        for c in clients:
            held(server, c, 2)
        server.ctl("leave", "sm-2")
        wait_for(lambda: all(r.get("c2sd") for r in server.ctl_json("sessions")), "the sessions")
        for c in clients:
            say(c, "active")
            assert status(c.expect("presence", lambda p: p.get("from") == ben.jid)) == f"for {c.jid}"
            assert c.expect("message").find("{urn:xmpp:receipts}received") is not None
            assert not stanzas(c, 0.1)


def test_off():
    with Server("--set", "limits.csi_stanzas=0") as server:
        _, after = features(server, "none")
        assert after.find(f"{{{CSI}}}csi") is None
        phone, ben = server.client("phone"), server.client("ben")
        say(phone, "inactive")
        phone.ping()
        show(ben, phone.jid, "at once")
        assert status(phone.expect("presence", lambda p: p.get("from") == ben.jid)) == "at once"
