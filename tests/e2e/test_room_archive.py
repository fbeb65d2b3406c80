"""The archive of a room (XEP-0313, 0059, 0359): what it tells, to whom, and that it is the history of who enters."""

import asyncio
import itertools
import ssl

import pytest

from harness import NS
from test_archive import DELAY, MAM, SID, Page, rsm, stanza_ids
from test_rooms import enter, subject

counter = itertools.count(1)
ADMIN = "http://jabber.org/protocol/muc#admin"


@pytest.fixture
def room(server):
    return f"archive{next(counter)}@muc.{server.domain}"


def configure(client, room, **fields):
    rows = "".join(f"<field var='muc#roomconfig_{name}'><value>{value}</value></field>" for name, value in fields.items())
    form = (f"<query xmlns='{NS['muc_owner']}'><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'>"
            f"<value>http://jabber.org/protocol/muc#roomconfig</value></field>{rows}</x></query>")
    assert client.iq("set", form, to=room).get("type") == "result"


def affiliate(client, room, who, affiliation):
    query = f"<query xmlns='{ADMIN}'><item jid='{who}' affiliation='{affiliation}'/></query>"
    assert client.iq("set", query, to=room).get("type") == "result"


def say(client, room, text, extra=""):
    client.write(f"<message to='{room}' type='groupchat' id='{text}'><body>{text}</body>{extra}</message>")
    return client.expect_body(text)


@pytest.fixture
def people(server, room):
    """alice owns the room, bob is in it."""
    a, b = server.client("alice"), server.client("bob")
    enter(a, room, "A")
    configure(a, room, persistentroom=1)
    enter(b, room, "B")
    subject(b, room)
    return a, b


def own_id(message, room):
    found = [i for by, i in stanza_ids(message) if by == room]
    assert len(found) == 1
    return found[0]


def features(client, room):
    info = client.iq("get", f"<query xmlns='{NS['disco_info']}'/>", to=room)
    return {f.get("var") for f in info.findall("disco_info:query/disco_info:feature", NS)}


def test_live_archived_and_history_are_one_message_with_one_id(server, room, people):
    a, b = people
    assert {MAM, SID} <= features(b, room)
    live = [own_id(say(a, room, f"m{i}"), room) for i in range(3)]
    for i in range(3):
        assert own_id(b.expect_body(f"m{i}"), room) == live[i]
    page = Page(b, to=room)
    assert page.bodies() == ["m0", "m1", "m2"] and page.ids == live and page.complete
    assert [m.get("from") for m in page.messages()] == [f"{room}/A"] * 3
    assert [m.get("to") for m in page.messages()] == [None] * 3
    c = server.client("carol")
    enter(c, room, "C", "<history maxstanzas='2'/>")
    entered = [c.expect("message", lambda m: m.find("client:body", NS) is not None) for _ in range(2)]
    assert [own_id(m, room) for m in entered] == live[1:]
    stamps = [next(d.get("stamp") for d in m.findall(f"{{{DELAY}}}delay") if d.get("from") == room) for m in entered]
    assert stamps == page.stamps()[1:]
    since = page.stamps()[2]
    d = server.client("dave")
    enter(d, room, "D", f"<history since='{since}'/>")
    assert d.expect("message", lambda m: m.find("client:body", NS) is not None).findtext("client:body", None, NS) == "m2"
    subject(d, room)


def test_paging_forwards_and_backwards_covers_everything_once(server, room, people):
    a, b = people
    for i in range(25):
        say(a, room, f"m{i}")
    forward, after = [], None
    while True:
        page = Page(b, to=room, set=rsm(max=10, after=after))
        forward += page.bodies()
        if page.complete:
            break
        after = page.last
    assert forward == [f"m{i}" for i in range(25)]
    backward, before = [], ""
    while True:
        page = Page(b, to=room, set=rsm(max=10, before=before))
        backward = page.bodies() + backward
        if page.complete:
            break
        before = page.first
    assert backward == forward
    assert Page(b, to=room, set=rsm(max=5, after="0000000000000000")).error == "item-not-found"
    assert Page(b, to=room, set=rsm(max=0)).count == "25"


def test_access_follows_the_right_to_enter(server, room, people):
    a, b = people
    say(a, room, "secret")
    outsider = server.client("oscar")
    assert Page(outsider, to=room).bodies() == ["secret"]           # an open room
    affiliate(a, room, outsider.bare, "outcast")
    assert Page(outsider, to=room).error == "forbidden"
    affiliate(a, room, outsider.bare, "none")
    affiliate(a, room, b.bare, "member")
    configure(a, room, membersonly=1)
    assert Page(outsider, to=room).error == "forbidden"
    assert Page(b, to=room).bodies() == ["secret"]
    affiliate(a, room, outsider.bare, "member")
    assert Page(outsider, to=room).bodies() == ["secret"]
    assert Page(outsider, to=f"nowhere@muc.{server.domain}").error == "item-not-found"


def jids(page):
    return [m.findall("muc_user:x/muc_user:item[@jid]", NS) for m in page.messages()]


def test_real_jids_only_for_whom_the_room_shows_them(server, room, people):
    a, b = people
    forged = f"<x xmlns='{NS['muc_user']}'><item jid='eve@evil.example'/></x>"
    say(b, room, "x", forged + f"<stanza-id xmlns='{SID}' by='{room}' id='forged'/>")
    page = Page(a, to=room)
    assert [[i.get("jid") for i in items] for items in jids(page)] == [[b.jid]]
    assert jids(Page(b, to=room)) == [[]]
    assert Page(b, to=room, with_=a.bare).error == "forbidden"
    assert Page(a, to=room, with_=b.bare).bodies() == ["x"]
    assert Page(b, to=room, with_=f"{room}/B").bodies() == ["x"]
    assert "forged" not in Page(b, to=room).ids
    configure(a, room, whois="anyone")
    assert [[i.get("jid") for i in items] for items in jids(Page(b, to=room))] == [[b.jid]]


def test_a_temporary_room_announces_no_archive(server, room):
    a = server.client("alice")
    enter(a, room, "A")
    say(a, room, "x")
    assert MAM not in features(a, room)
    assert Page(a, to=room).error == "service-unavailable"


def test_the_archive_survives_a_restart_of_everything(server, room, people):
    a, _ = people
    ids = [own_id(say(a, room, f"m{i}"), room) for i in range(3)]
    server.stop()
    server.start()
    a = server.client("alice", register=False)
    assert Page(a, to=room).ids == ids
    enter(a, room, "A")
    assert own_id(a.expect_body("m0"), room) == ids[0]


def test_slixmpp_reads_the_archive_of_a_room(server, room, people):
    slixmpp = pytest.importorskip("slixmpp")
    a, b = people
    for i in range(30):
        say(a, room, f"m{i}")

    async def read():
        x = slixmpp.ClientXMPP(f"{b.bare}/slix", "secret")
        x.loop = asyncio.get_running_loop()
        x.register_plugin("xep_0313")
        x.ssl_context.check_hostname, x.ssl_context.verify_mode = False, ssl.CERT_NONE
        started = x.loop.create_future()
        x.add_event_handler("session_start", lambda _: started.set_result(True))
        x.connect(address=("127.0.0.1", server.c2s))
        await asyncio.wait_for(started, 15)
        found = []
        async for message in x["xep_0313"].iterate(jid=room, rsm={"max": 7}):
            found.append(str(message["mam_result"]["forwarded"]["stanza"]["body"]))
        await x.disconnect()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        return found

    assert asyncio.run(read()) == [f"m{i}" for i in range(30)]
