"""The archive of an account (XEP-0313, 0059, 0359), and offline messages as a view of it (XEP-0160)."""

import pytest
from harness import NS, Server

MAM, RSM, SID, HINTS = "urn:xmpp:mam:2", "http://jabber.org/protocol/rsm", "urn:xmpp:sid:0", "urn:xmpp:hints"
DATA, DELAY, FORWARD = "jabber:x:data", "urn:xmpp:delay", "urn:xmpp:forward:0"


def hint(name):
    return f"<{name} xmlns='{HINTS}'/>"


def form(**fields):
    rows = "".join(f"<field var='{var.rstrip('_')}'><value>{value}</value></field>" for var, value in fields.items())
    return (f"<x xmlns='{DATA}' type='submit'><field var='FORM_TYPE' type='hidden'><value>{MAM}</value></field>"
            f"{rows}</x>" if fields else "")


def rsm(max=None, before=None, after=None, extra=""):
    parts = [f"<max>{max}</max>" if max is not None else "",
             f"<before>{before}</before>" if before is not None else "",
             f"<after>{after}</after>" if after is not None else "", extra]
    return f"<set xmlns='{RSM}'>{''.join(parts)}</set>" if any(parts) else ""


class Page:
    def __init__(self, client, to=None, queryid="q1", set="", **fields):
        """One query and all that it brings; raises nothing on errors: see .error."""
        i = client.new_id()
        address = f" to='{to}'" if to else ""
        client.write(f"<iq type='set' id='{i}'{address}><query xmlns='{MAM}' queryid='{queryid}'>"
                     f"{form(**fields)}{set}</query></iq>")
        self.results, self.others = [], []
        while True:
            e = client.next()
            if e.tag.endswith("iq") and e.get("id") == i:
                break
            r = e.find(f"{{{MAM}}}result")
            if r is None:
                self.others.append(e)
                continue
            assert r.get("queryid") == queryid and e.get("to") == client.jid
            assert e.get("from") in ((to,) if to else (None, client.bare))
            self.results.append(r)
        self.iq = e
        self.error = client.error_of(e) if e.get("type") == "error" else None
        fin = e.find(f"{{{MAM}}}fin")
        self.complete = fin is not None and fin.get("complete") == "true"
        found = fin.find(f"{{{RSM}}}set") if fin is not None else None
        text = (lambda name: found.findtext(f"{{{RSM}}}{name}")) if found is not None else (lambda name: None)
        self.first, self.last, self.count = text("first"), text("last"), text("count")
        first = found.find(f"{{{RSM}}}first") if found is not None else None
        self.index = first.get("index") if first is not None else None
        self.ids = [r.get("id") for r in self.results]
        if self.ids:
            assert (self.first, self.last) == (self.ids[0], self.ids[-1])

    def messages(self):
        return [r.find(f"{{{FORWARD}}}forwarded/client:message", NS) for r in self.results]

    def bodies(self):
        return [m.findtext("client:body", None, NS) for m in self.messages()]

    def stamps(self):
        return [r.find(f"{{{FORWARD}}}forwarded/{{{DELAY}}}delay").get("stamp") for r in self.results]


def stanza_ids(message):
    return [(e.get("by"), e.get("id")) for e in message.findall(f"{{{SID}}}stanza-id")]


def own_id(message, bare):
    found = [i for by, i in stanza_ids(message) if by == bare]
    assert len(found) == 1
    return found[0]


def talk(a, b, count, prefix="m"):
    for i in range(count):
        a.message(b.bare, f"{prefix}{i}")
    for i in range(count):
        b.expect_body(f"{prefix}{i}")


# ---- what it says of itself ----

def test_the_account_says_so_and_shows_its_form(server):
    a = server.client("form")
    info = a.iq("get", "<query xmlns='http://jabber.org/protocol/disco#info'/>", to=a.bare)
    features = {f.get("var") for f in info[0] if f.tag.endswith("feature")}
    assert {MAM, SID} <= features
    info = a.iq("get", "<query xmlns='http://jabber.org/protocol/disco#info'/>", to=server.domain)
    assert MAM in {f.get("var") for f in info[0] if f.tag.endswith("feature")}        # some clients look only here
    answer = a.iq("get", f"<query xmlns='{MAM}'/>")
    fields = {f.get("var"): f.get("type") for f in answer.iter(f"{{{DATA}}}field")}
    mandatory = {"FORM_TYPE": "hidden", "with": "jid-single", "start": "text-single", "end": "text-single"}
    assert mandatory.items() <= fields.items()


def test_an_empty_archive_is_complete(server):
    a = server.client("empty")
    p = Page(a)
    assert p.complete and not p.results and p.first is None and p.count == "0"
    assert Page(a, with_="nobody@example.net").complete


def test_nobody_else_may_ask(server):
    a, b = server.client("curious"), server.client("owner")
    assert Page(a, to=b.bare).error == "forbidden"
    assert Page(a, to=f"nobody-here@{server.domain}").error == "forbidden"


# ---- pages ----

def test_pages_forwards_and_backwards_while_more_arrives(server):
    a, b = server.client("pager-a"), server.client("pager-b")
    talk(a, b, 120)
    got, after = [], None
    while True:
        a.message(b.bare, "meanwhile")                   # the set grows while it is read
        p = Page(b, set=rsm(max=17, after=after))
        got += list(zip(p.ids, p.bodies()))
        if len(got) >= 120 or p.complete:
            break
        after = p.last
    assert [body for _, body in got][:120] == [f"m{i}" for i in range(120)]
    assert len({i for i, _ in got}) == len(got)
    back, before = [], ""
    while True:
        p = Page(b, set=rsm(max=17, before=before))
        assert len(p.ids) == 17 or p.complete
        back = list(zip(p.ids, p.bodies())) + back
        if p.complete:
            break
        before = p.first
    assert [x for x in back if x[1] != "meanwhile"] == [x for x in got if x[1] != "meanwhile"]
    assert len({i for i, _ in back}) == len(back) > 120


def test_rsm_in_all_its_forms(server):
    a, b = server.client("rsm-a"), server.client("rsm-b")
    talk(a, b, 10)
    everything = Page(b)
    assert everything.complete and everything.index == "0" and everything.count == "10"
    ids = everything.ids
    count = Page(b, set=rsm(max=0))
    assert count.count == "10" and not count.results and not count.complete and count.first is None
    first = Page(b, set=rsm(max=4))
    assert first.ids == ids[:4] and first.index == "0" and not first.complete
    assert Page(b, set=rsm(max=4, after=ids[3])).ids == ids[4:8]
    end = Page(b, set=rsm(max=4, after=ids[7]))
    assert end.ids == ids[8:] and end.complete
    assert Page(b, set=rsm(max=4, before="")).ids == ids[6:]
    assert Page(b, set=rsm(max=4, before=ids[6])).ids == ids[2:6]
    start = Page(b, set=rsm(max=4, before=ids[2]))
    assert start.ids == ids[:2] and start.complete and start.index == "0"
    empty = Page(b, set=rsm(max=4, after=ids[9]))
    assert empty.complete and empty.first is None
    assert Page(b, set=rsm(after=ids[2], before=ids[5])).ids == ids[3:5]


def test_bad_queries_are_told(server):
    a, b = server.client("bad-a"), server.client("bad-b")
    talk(a, b, 2)
    gone = "0" * 16
    for text in (gone, "no-id-of-ours", Page(a).ids[0]):         # the sender's copy has an id of its own
        assert Page(b, set=rsm(after=text)).error == "item-not-found"
        assert Page(b, set=rsm(before=text)).error == "item-not-found"
    assert Page(b, set=rsm(extra="<index>3</index>")).error == "feature-not-implemented"
    assert Page(b, set=rsm(max="many")).error == "bad-request"
    assert Page(b, **{"{urn:x}search": "text"}).error == "feature-not-implemented"
    assert Page(b, **{"no-such-field": gone}).error == "feature-not-implemented"
    assert Page(b, start="yesterday").error == "bad-request"
    assert Page(b, with_="a@b@c").error == "jid-malformed"
    assert Page(b, set=f"<x xmlns='{DATA}' type='submit'/>").error == "bad-request"


def test_filters(server):
    a, b, c = server.client("filter-a", resource="one"), server.client("filter-b"), server.client("filter-c")
    a2 = server.client("filter-a", register=False, resource="two")
    for who, text in ((a, "1"), (c, "2"), (a2, "3"), (c, "4")):
        who.message(b.bare, text)
        b.expect_body(text)
    b.message(a.jid, "5")
    a.expect_body("5")
    assert Page(b, with_=a.bare).bodies() == ["1", "3", "5"]
    assert Page(b, with_=a.jid).bodies() == ["1", "5"]
    assert Page(b, with_=a2.jid.upper().replace("/TWO", "/two")).bodies() == ["3"]
    assert Page(b, with_="example.net").bodies() == []
    stamps = Page(b).stamps()
    assert Page(b, start=stamps[2]).bodies() == ["3", "4", "5"]
    assert Page(b, end=stamps[2]).bodies() == ["1", "2", "3"]
    assert Page(b, start=stamps[1], end=stamps[3], with_=c.bare).bodies() == ["2", "4"]
    assert Page(b, with_=a.bare, set=rsm(max=1, before="")).bodies() == ["5"]
    assert Page(b, start="2100-01-01T00:00:00Z").complete


def test_messages_to_oneself_are_stored_once(server):
    a, b = server.client("self"), server.client("self-b")
    talk(a, b, 2)
    a.message(a.bare, "note to self")
    a.expect_body("note to self")
    assert Page(a).bodies() == ["m0", "m1", "note to self"]
    assert Page(a, with_=a.bare).bodies() == ["note to self"]


# ---- what is stored, and as what ----

def test_both_sides_keep_a_message_as_it_was(server):
    a, b = server.client("both-a"), server.client("both-b")
    extra = "<x xmlns='urn:x:1'><y:z xmlns:y='urn:y'>d&#xE9;j&#xE0; &lt;vu&gt;</y:z></x><origin-id xmlns='urn:xmpp:sid:0' id='o1'/>"
    a.message(b.bare, "as it was", extra=extra)
    live = b.expect_body("as it was")
    for who in (a, b):
        [m] = Page(who).messages()
        assert (m.get("from"), m.get("to"), m.get("type"), m.get("id")) == (a.jid, b.bare, "chat", live.get("id"))
        assert m.find("{urn:x:1}x/{urn:y}z").text == "déjà <vu>"
        assert m.find(f"{{{SID}}}origin-id").get("id") == "o1"
    assert Page(b).ids == [own_id(live, b.bare)]
    assert stanza_ids(live) == [(b.bare, own_id(live, b.bare))]           # not that of the sender's archive


def test_what_is_stored(server):
    a, b = server.client("what-a"), server.client("what-b")
    states, receipts = "http://jabber.org/protocol/chatstates", "urn:xmpp:receipts"
    bodyless = [
        ("chat", f"<composing xmlns='{states}'/>", False),
        ("chat", f"<received xmlns='{receipts}' id='1'/>", True),
        ("chat", "<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>", True),
        ("chat", "<encrypted xmlns='eu.siacs.conversations.axolotl'><header sid='1'/></encrypted>", True),
        ("chat", f"<reactions xmlns='urn:xmpp:reactions:0' id='1'/>{hint('store')}", True),
        ("chat", "<whatever xmlns='urn:x'/>", False),
        ("normal", "<subject>only this</subject>", True),
        ("chat", f"<body>secret</body>{hint('no-store')}", False),
        ("chat", f"<body>forget me</body>{hint('no-permanent-store')}", False),
        ("headline", "<body>news</body>", False),
        ("headline", f"<body>kept news</body>{hint('store')}", True),
        ("error", "<body>came back</body><error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>",
         False),
    ]
    for n, (kind, content, _) in enumerate(bodyless):
        a.write(f"<message type='{kind}' to='{b.jid}' id='w{n}'>{content}</message>")
        m = b.expect("message", lambda m: m.get("id") == f"w{n}")
        assert bool(stanza_ids(m)) == bodyless[n][2], content
    stored = [f"w{n}" for n, (_, _, yes) in enumerate(bodyless) if yes]
    assert [m.get("id") for m in Page(b).messages()] == stored
    assert [m.get("id") for m in Page(a).messages()] == stored


def test_rooms_are_not_in_it_but_their_private_messages_are(server):
    a, b = server.client("room-a"), server.client("room-b")
    room = f"archived@muc.{server.domain}"
    for who, nick in ((a, "ann"), (b, "bob")):
        who.write(f"<presence to='{room}/{nick}'><x xmlns='http://jabber.org/protocol/muc'/></presence>")
        who.expect("message", lambda m: m.find("client:subject", NS) is not None)
        if who is a:
            a.iq("set", f"<query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='{DATA}' type='submit'/></query>",
                 to=room)
    a.write(f"<message type='groupchat' to='{room}'><body>to all</body></message>")
    b.expect_body("to all")
    a.expect_body("to all")
    a.write(f"<message type='chat' to='{room}/bob'><body>psst</body></message>")
    b.expect_body("psst")
    assert Page(a).bodies() == ["psst"] and Page(b).bodies() == ["psst"]
    assert Page(b, with_=f"{room}/ann").bodies() == ["psst"] and Page(b, with_=f"{room}/bob").bodies() == []


def test_a_refused_message_is_nowhere(server):
    a, b = server.client("refused-a"), server.client("refused-b")
    a.write(f"<message type='normal' to='{b.bare}/nowhere' id='r'><body>refused</body></message>")
    assert a.expect("message").get("type") == "error"
    assert Page(b).bodies() == []


def test_forged_ids_are_taken_out(server):
    a, b = server.client("forge-a"), server.client("forge-b")
    forged = "".join(f"<s:stanza-id xmlns:s='{SID}' by='{by}' id='forged'/>" if by == b.bare else
                     f"<stanza-id xmlns='{SID}' id='forged' by='{by}'><x xmlns='urn:x'/></stanza-id>"
                     for by in (b.bare, b.bare.upper(), a.bare, f"{b.bare}/x", b.bare.replace("@", "&#64;")))
    a.message(b.bare, "forged", extra=forged + f"<stanza-id xmlns='{SID}' by='room@example.net' id='theirs'/><z xmlns='u'/>")
    m = b.expect_body("forged")
    assert sorted(by for by, _ in stanza_ids(m)) == sorted([b.bare, "room@example.net"])
    assert own_id(m, b.bare) == Page(b).ids[0] != "forged"
    assert m.find("{u}z") is not None
    for who in (a, b):
        [kept] = Page(who).messages()
        assert stanza_ids(kept) == [("room@example.net", "theirs")]
    a.message(b.bare, "typing", extra=f"<stanza-id xmlns='{SID}' by='{b.bare}' id='forged'/>{hint('no-store')}")
    assert stanza_ids(b.expect_body("typing")) == []


# ---- offline ----

def offline_bodies(client, count):
    got = [client.expect("message") for _ in range(count)]
    client.expect_none("message")
    return got


def test_live_offline_and_archived_copies_have_one_id(server):
    a, b = server.client("same-a"), server.client("same-b")
    a.message(b.bare, "live")
    live = own_id(b.expect_body("live"), b.bare)
    b.close()
    a.message(b.bare, "later")
    a.ping()
    b = server.client("same-b", register=False)
    [later] = offline_bodies(b, 1)
    assert later.find("delay:delay", NS) is not None
    assert Page(b).ids == [live, own_id(later, b.bare)]


def asking_login(server, name, **fields):
    c = server.client(name, register=False, presence=False)
    p = Page(c, **fields)
    c.write("<presence/>")
    c.expect("presence", lambda e: e.get("from") == c.jid)
    return c, p


def test_who_asks_the_archive_first_gets_nothing_twice(server):
    a = server.client("twice-a")
    server.register("twice-b")
    bare = f"twice-b@{server.domain}"
    a.message(bare, "one")
    a.message(bare, "two", extra=hint("no-permanent-store"))
    a.message(bare, "three")
    a.ping()
    c, p = asking_login(server, "twice-b")
    assert p.bodies() == ["one", "three"]
    [only] = offline_bodies(c, 1)                       # what is not in the archive is lost for nobody
    assert only.findtext("client:body", None, NS) == "two" and stanza_ids(only) == []
    c.close()
    again = server.client("twice-b", register=False)
    again.expect_none("message")


def test_the_form_is_no_question(server):
    a = server.client("formal-a")
    server.register("formal-b")
    a.message(f"formal-b@{server.domain}", "one")
    a.ping()
    c = server.client("formal-b", register=False, presence=False)
    c.iq("get", f"<query xmlns='{MAM}'/>")
    c.write("<presence/>")
    c.expect_body("one")


def test_hints_and_offline(server):
    a = server.client("hints-a")
    server.register("hints-b")
    bare = f"hints-b@{server.domain}"
    a.message(bare, "never", extra=hint("no-store"))
    a.message(bare, "a while", extra=hint("no-permanent-store"))
    a.write(f"<message type='chat' to='{bare}'><reactions xmlns='urn:xmpp:reactions:0'/>{hint('store')}</message>")
    a.message(bare, "news", kind="headline", extra=hint("store"))
    a.ping()
    c = server.client("hints-b", register=False)
    got = offline_bodies(c, 2)
    assert got[0].findtext("client:body", None, NS) == "a while"
    assert got[1].find("{urn:xmpp:reactions:0}reactions") is not None
    assert Page(c).bodies() == [None, "news"]


# ---- clients and servers of others ----

def test_slixmpp_reads_the_archive(server):
    slixmpp = pytest.importorskip("slixmpp")
    import asyncio
    a, b = server.client("slix-a"), server.client("slix-b")
    talk(a, b, 30)
    got = []

    async def read():
        loop = asyncio.get_running_loop()
        x = slixmpp.ClientXMPP(f"{b.bare}/slix", "secret")
        x.loop = loop
        x.register_plugin("xep_0313")
        x.ssl_context.check_hostname = False
        x.ssl_context.verify_mode = __import__("ssl").CERT_NONE
        started = loop.create_future()
        x.add_event_handler("session_start", lambda _: started.set_result(True))
        x.connect(address=("127.0.0.1", server.c2s))
        await asyncio.wait_for(started, 15)
        async for m in x["xep_0313"].iterate(rsm={"max": 7}):
            got.append(m["mam_result"]["forwarded"]["stanza"]["body"])
        await x.disconnect()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    asyncio.run(read())
    assert got == [f"m{i}" for i in range(30)]


# ---- settings ----

@pytest.fixture(scope="module")
def without():
    with Server("--archive", "off") as s:
        yield s
        s.check_log()


def test_without_archive_offline_still_works(without):
    a = without.client("off-a")
    without.register("off-b")
    a.message(f"off-b@{without.domain}", "later")
    a.ping()
    b = without.client("off-b", register=False)
    m = b.expect_body("later")
    assert m.find("delay:delay", NS) is not None and stanza_ids(m) == []
    info = b.iq("get", "<query xmlns='http://jabber.org/protocol/disco#info'/>", to=b.bare)
    assert MAM not in {f.get("var") for f in info[0]}
    assert b.error_of(b.iq("set", f"<query xmlns='{MAM}'/>")) == "service-unavailable"
    b.close()
    without.client("off-b", register=False).expect_none("message")
