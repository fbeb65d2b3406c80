"""Rosters beyond the first steps (test_presence.py): versions over sessions, limits, every state of a subscription,
and what only passes by."""

import pytest

from harness import NS

OPTIONS = ["--set", "limits.roster_items_max=5", "--set", "limits.roster_groups_max=3",
           "--set", "limits.roster_name_max=40"]


def get(client, ver=None):
    attr = f" ver='{ver}'" if ver is not None else ""
    return client.iq("get", f"<query xmlns='{NS['roster']}'{attr}/>")


def put(client, jid, attrs="", inside=""):
    return client.iq("set", f"<query xmlns='{NS['roster']}'><item jid='{jid}'{attrs}>{inside}</item></query>")


def version(result):
    return result.find("roster:query", NS).get("ver")


def is_push(e):
    return e.get("type") == "set" and e.find("roster:query/roster:item", NS) is not None


def state(client, jid):
    item = {i.get("jid"): i for i in get(client).findall("roster:query/roster:item", NS)}.get(jid)
    return None if item is None else (item.get("subscription"), item.get("ask"), item.get("approved"))


def test_removals_are_pushed_to_who_has_an_older_version(server):
    a = server.client("versed")
    for i in range(3):
        put(a, f"c{i}@y.example")
    ver = version(get(a, ""))
    a.close()
    a = server.client("versed", register=False, resource="other")
    put(a, "c1@y.example", " subscription='remove'")
    put(a, "c2@y.example", " name='Two'")
    put(a, "c3@y.example")
    put(a, "c3@y.example", " subscription='remove'")
    a.close()
    b = server.client("versed", register=False)
    assert get(b, ver).find("roster:query", NS) is None
    b.ping()
    b.write(f"<iq type='get' id='again'><query xmlns='{NS['roster']}' ver='{ver}'/></iq>")
    assert b.expect("iq", lambda e: e.get("id") == "again").find("roster:query", NS) is None
    pushed = [b.expect("iq", is_push) for _ in range(3)]
    items = [e.find("roster:query/roster:item", NS) for e in pushed]
    assert [(i.get("jid"), i.get("subscription")) for i in items] == \
        [("c1@y.example", "remove"), ("c2@y.example", "none"), ("c3@y.example", "remove")]
    last = pushed[-1].find("roster:query", NS).get("ver")
    assert get(b, last).find("roster:query", NS) is None
    b.ping()
    b.expect_none("iq", is_push)


def test_limits(server):
    a = server.client("full")
    for i in range(5):
        assert put(a, f"c{i}@y.example").get("type") == "result"
    assert a.error_of(put(a, "c5@y.example")) == "resource-constraint"
    assert put(a, "c4@y.example", " name='still'").get("type") == "result"
    a.write("<presence type='subscribe' to='c6@y.example' id='too-many'/>")
    e = a.expect("presence", lambda p: p.get("id") == "too-many")
    assert a.error_of(e) == "resource-constraint"
    groups = "".join(f"<group>g{i}</group>" for i in range(4))
    assert a.error_of(put(a, "c1@y.example", inside=groups)) == "not-acceptable"
    assert put(a, "c1@y.example", inside=groups[:-len("<group>g3</group>")]).get("type") == "result"
    assert a.error_of(put(a, "c1@y.example", f" name='{'n' * 41}'")) == "not-acceptable"
    assert a.error_of(put(a, "c1@y.example", inside=f"<group>{'g' * 41}</group>")) == "not-acceptable"
    assert put(a, "c0@y.example", " subscription='remove'").get("type") == "result"
    assert put(a, "c5@y.example").get("type") == "result"


# What leads from None to a state of appendix A.1, and what the owner's roster says in it. > the owner, < the contact.
WAYS = {
    "None": ([], None),
    "None + Pending Out": (["> subscribe"], ("none", "subscribe", None)),
    "None + Pending In": (["< subscribe"], None),
    "None + Pending Out+In": (["> subscribe", "< subscribe"], ("none", "subscribe", None)),
    "To": (["> subscribe", "< subscribed"], ("to", None, None)),
    "To + Pending In": (["> subscribe", "< subscribed", "< subscribe"], ("to", None, None)),
    "From": (["< subscribe", "> subscribed"], ("from", None, None)),
    "From + Pending Out": (["< subscribe", "> subscribed", "> subscribe"], ("from", "subscribe", None)),
    "Both": (["> subscribe", "< subscribed", "< subscribe", "> subscribed"], ("both", None, None)),
}


@pytest.fixture(scope="module")
def pair(suite):
    a, b = suite.client("romeo"), suite.client("juliet")
    get(a), get(b)
    yield a, b
    a.close()
    b.close()


def go(a, b, ways):
    for way in ways:
        sender, to = (a, b) if way[0] == ">" else (b, a)
        sender.write(f"<presence type='{way[2:]}' to='{to.bare}'/>")
        sender.ping()
        to.ping()


@pytest.mark.parametrize("name", list(WAYS))
@pytest.mark.parametrize("end", ["remove", "unsubscribe", "unsubscribed"])
def test_every_state_and_its_end(server, pair, name, end):
    """3.2, 3.3, 2.5.2: what is left on both sides, and nothing of it after a removal."""
    a, b = pair
    ways, expected = WAYS[name]
    go(a, b, ways)
    assert state(a, b.bare) == expected
    to = expected and expected[0] in ("to", "both")
    of = expected and expected[0] in ("from", "both")
    for c in pair:
        c.settle(0.05)
    if end == "remove":
        e = put(a, b.bare, " subscription='remove'")
        assert (e.get("type") == "result") == (expected is not None)
        b.ping()
        assert state(a, b.bare) is None
        left = state(b, a.bare)
        assert left is None or left[0] == "none" or (left[0] == "from" and not to)
    else:
        go(a, b, [f"> {end}"])
        kept = {"unsubscribe": "from" if of else "none", "unsubscribed": "to" if to else "none"}[end]
        assert (state(a, b.bare) or ("none",))[0] == kept
    a.settle(0.05)
    # back to None for the next one
    go(a, b, ["> unsubscribe", "> unsubscribed", "< unsubscribe", "< unsubscribed"])
    for c, other in ((a, b), (b, a)):
        put(c, other.bare, " subscription='remove'")
        assert state(c, other.bare) is None


def test_pre_approval(server):
    """3.4: asked later, answered at once; taken back, asked about again."""
    a, b = server.client("early"), server.client("late")
    get(a), get(b)
    go(a, b, ["> subscribed"])
    assert state(a, b.bare) == ("none", None, "true")
    b.expect_none("presence", lambda p: p.get("type") == "subscribed")
    b.write(f"<presence type='subscribe' to='{a.bare}'/>")
    b.expect("presence", lambda p: p.get("type") == "subscribed" and p.get("from") == a.bare)
    b.expect("presence", lambda p: p.get("from") == a.jid and p.get("type") is None)
    assert state(a, b.bare)[0] == "from"
    a.expect_none("presence", lambda p: p.get("type") == "subscribe")
    go(a, b, ["> unsubscribed"])
    b.write(f"<presence type='subscribe' to='{a.bare}'/>")
    a.expect("presence", lambda p: p.get("type") == "subscribe")


def test_answers_reach_all_interested_resources(server):
    """3.1.6, 3.2.3, 3.3.3."""
    a, b = server.client("many"), server.client("one")
    other = server.client("many", register=False, resource="other")
    deaf = server.client("many", register=False, resource="deaf")
    get(a), get(other), get(b)
    go(a, b, ["> subscribe"])
    for kind in ("subscribed", "unsubscribed"):
        b.write(f"<presence type='{kind}' to='{a.bare}'/>")
        for c in (a, other):
            c.expect("presence", lambda p: p.get("type") == kind and p.get("from") == b.bare)
    deaf.write("<presence/>")
    deaf.expect_none("presence", lambda p: p.get("type") in ("subscribed", "unsubscribed"))


def test_a_subscription_and_what_follows_it_keep_their_order(server):
    """RFC 6120 10.1: said in one breath, heard in that order."""
    a, b = server.client("quick"), server.client("listener")
    get(a), get(b)
    b.write(f"<presence type='subscribe' to='{a.bare}'/>")
    a.expect("presence", lambda p: p.get("type") == "subscribe")
    a.write(f"<presence type='subscribed' to='{b.bare}'/><presence><show>dnd</show></presence>"
            f"<message to='{b.bare}' type='chat'><body>there</body></message>")
    b.expect("presence", lambda p: p.get("type") == "subscribed")
    b.expect("presence", lambda p: p.get("from") == a.jid and p.findtext("client:show", None, NS) == "dnd")
    b.expect_body("there")


def test_roster_item_exchange_passes_untouched(server):
    """XEP-0144: between clients, in a message or an IQ."""
    a, b = server.client("giver"), server.client("taker")
    x = ("<x xmlns='http://jabber.org/protocol/rosterx'><item action='add' jid='c@y.example' name='C'>"
         "<group>Visitors</group></item></x>")
    a.message(b.jid, "some friends", extra=x)
    m = b.expect_body("some friends")
    item = m.find("{http://jabber.org/protocol/rosterx}x/{http://jabber.org/protocol/rosterx}item")
    assert item.attrib == {"action": "add", "jid": "c@y.example", "name": "C"} and item[0].text == "Visitors"
    ident = a.new_id()
    a.write(f"<iq type='set' id='{ident}' to='{b.jid}'>{x}</iq>")            # a stranger's, who sees no resource
    assert a.error_of(a.expect("iq", lambda e: e.get("id") == ident)) == "service-unavailable"
    b.write(f"<presence to='{a.bare}'/>")
    b.ping()
    a.write(f"<iq type='set' id='rx' to='{b.jid}'>{x}</iq>")
    e = b.expect("iq", lambda e: e.get("id") == "rx")
    assert e.find("{http://jabber.org/protocol/rosterx}x") is not None
    assert state(b, "c@y.example") is None
