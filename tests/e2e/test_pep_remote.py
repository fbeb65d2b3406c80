"""Personal eventing over the border between servers: what contacts and strangers elsewhere may read and hear, and what
our own users hear of theirs. The other server is a real Prosody, and a second suite of our own."""

import pytest

from federation import Prosody, needs_prosody, peer, server, two_servers  # noqa: F401, fixtures of `world`
from harness import NS, Server, wait_for
from test_caps import answers, show
from test_pep import (EVENT, NODE, OWN, PS, ask, authorization, configure, decide, entry, event, event_ids, ids, items,
                      member, ok, options, publish, refused, replyto, state, subscribe)
from test_pep_subscribers import owner_list, told

pytestmark = needs_prosody
DEVICES = "eu.siacs.conversations.axolotl.devicelist"
COUNTER = iter(range(10000))


@pytest.fixture(scope="module", params=[Prosody, Server], ids=["prosody", "zubr"])
def world(request):
    with two_servers("zubr.example", "peer.example", remote=request.param) as pair:
        yield pair


def passed(client, owner):
    """What the client sent to the owner before has been handled, and what came of it is here."""
    ident, seen = client.new_id(), []
    client.write(f"<iq type='get' id='{ident}' to='{owner}'><ping xmlns='urn:xmpp:ping'/></iq>")
    while not seen or seen[-1].get("id") != ident:
        seen.append(client.next())
    client.queue[:0] = seen[:-1]


def interest(client, owner, *nodes):
    """As in test_pep, over the border: until the owner's server has been answered."""
    features = [f"{n}+notify" for n in nodes] + [f"urn:example:remote:{next(COUNTER)}"]
    asked = answers(client, *features)
    show(client, *features)
    client.read_until(lambda: owner in asked, "the question")
    passed(client, owner)
    return client


def silent(client, owner, kind=None):
    """No event that comes from what the owner has done until now."""
    passed(client, owner)
    client.expect_none("message", lambda m: m.find(f"{{{EVENT}}}event") is not None, 0.1)


def friends(server, peer, one, two):
    a, b = server.client(one), peer.client(two)
    a.befriend(b)
    return a, b


def test_a_contact_elsewhere_hears_by_interest(server, peer):
    a, b = friends(server, peer, "maya", "noah")
    interest(b, a.bare, NODE)
    ok(publish(a, "hi"))
    m = event(b)
    assert (m.get("type"), m.get("from"), m.get("to"), replyto(m)) == ("headline", a.bare, b.jid, ("replyto", a.jid))
    assert event_ids(m) == ["a"] and m.findtext(".//{urn:example:entry}entry") == "hi"
    ok(publish(a, "other", node="urn:example:other"))
    silent(b, a.bare)
    # It wants something else from now on, and that at once.
    interest(b, a.bare, "urn:example:other")
    assert event_ids(event(b, "urn:example:other")) == ["a"]
    ok(publish(a, "not any more"))
    silent(b, a.bare)
    # Not when it is gone.
    b.write("<presence type='unavailable'/>")
    a.expect("presence", lambda p: p.get("from") == b.jid and p.get("type") == "unavailable")
    ok(publish(a, "nobody", node="urn:example:other"))
    silent(b, a.bare)


def test_each_client_of_a_contact_for_itself(server, peer):
    a, b = friends(server, peer, "each", "ella")
    other = peer.client("ella", resource="other")
    interest(b, a.bare, NODE)
    interest(other, a.bare, "urn:example:other")
    ok(publish(a, "one"))
    ok(publish(a, "two", node="urn:example:other"))
    assert event(b).get("to") == b.jid
    assert event(other, "urn:example:other").get("to") == other.jid
    for c in (b, other):
        silent(c, a.bare)


def test_the_last_item_comes_with_presence_though_the_owner_is_offline(server, peer):
    a, b = friends(server, peer, "lastly", "lenny")
    ok(publish(a, "older", item_id="x"))
    ok(publish(a, "newest", item_id="y"))
    ok(publish(a, "quiet", node="urn:example:quiet", send_last_published_item="never"))
    publisher = a.jid
    a.close()
    wait_for(lambda: not any(r["jid"] == publisher for r in server.ctl_json("sessions")), "the end of the session")
    owner = a.bare
    b.write("<presence type='unavailable'/>")
    interest(b, owner, NODE, "urn:example:quiet")
    m = event(b)
    assert event_ids(m) == ["y"] and m.find("delay:delay", NS) is not None and replyto(m) == ("replyto", publisher)
    b.write("<presence><show>away</show></presence>")
    silent(b, owner)


def test_the_last_item_comes_with_a_new_subscription(server, peer):
    a, b = friends(server, peer, "giver", "taker")
    a.write(f"<presence type='unsubscribed' to='{b.bare}'/>")
    b.expect("presence", lambda p: p.get("type") == "unsubscribed")
    interest(b, a.bare, NODE)
    ok(publish(a, "mine"))
    silent(b, a.bare)
    b.write(f"<presence to='{a.bare}' type='subscribe'/>")
    a.expect("presence", lambda p: p.get("type") == "subscribe")
    a.write(f"<presence to='{b.bare}' type='subscribed'/>")
    assert event_ids(event(b)) == ["a"]


def test_changes_are_told(server, peer):
    a, b = friends(server, peer, "gone", "gwen")
    interest(b, a.bare, NODE)
    for i in "ab":
        ok(publish(a, i, item_id=i, max_items="max"))
        assert event_ids(event(b)) == [i]
    ok(ask(a, "set", f"<retract node='{NODE}'><item id='a'/></retract>"))
    assert event_ids(event(b), "retract") == ["a"]
    ok(ask(a, "set", f"<purge node='{NODE}'/>", ns=OWN))
    assert event(b).find(f"{{{EVENT}}}event/{{{EVENT}}}purge") is not None
    ok(ask(a, "set", f"<delete node='{NODE}'/>", ns=OWN))
    assert event(b).find(f"{{{EVENT}}}event/{{{EVENT}}}delete") is not None


CLOSED, PRESENCE = ("not-allowed", "closed-node"), ("not-authorized", "presence-subscription-required")
GROUP, SUBSCRIBERS = ("not-authorized", "not-in-roster-group"), ("not-authorized", "not-subscribed")
# Model; what a contact and a stranger are told who read, and who subscribe: "pending", "subscribed" or an error.
MODELS = [
    ("open", None, "subscribed", None, "subscribed"),
    ("presence", None, "subscribed", PRESENCE, PRESENCE),
    ("roster", GROUP, GROUP, PRESENCE, PRESENCE),
    ("whitelist", CLOSED, CLOSED, PRESENCE, PRESENCE),
    ("authorize", SUBSCRIBERS, "pending", SUBSCRIBERS, "pending"),
]


def test_access_models(server, peer):
    a, b = friends(server, peer, "acc", "bea")
    c = peer.client("cid")
    for model, contact_reads, contact_subscribes, stranger_reads, stranger_subscribes in MODELS:
        node = "urn:example:" + model
        ok(publish(a, model, node=node, access_model=model))
        for who, reads, subscribes in ((b, contact_reads, contact_subscribes), (c, stranger_reads, stranger_subscribes)):
            result = items(who, a.bare, node=node)
            if reads:
                refused(who, result, *reads)
            else:
                assert ids(result) == ["a"]
            result = subscribe(who, a.bare, node=node)
            if isinstance(subscribes, tuple):
                refused(who, result, *subscribes)
            else:
                assert state(result) == subscribes
    refused(b, items(b, a.bare, node="urn:example:none"), "item-not-found")
    for jid in (a.bare, f"nobody@{server.domain}"):
        refused(c, items(c, jid, node="urn:example:none"), *PRESENCE)


def test_roster_groups_decide(server, peer):
    a, b = friends(server, peer, "grace", "hank")
    interest(b, a.bare, NODE)
    roster = f"<query xmlns='{NS['roster']}'><item jid='{b.bare}'><group>{{}}</group></item></query>"
    ok(a.iq("set", roster.format("Friends")))
    ok(publish(a, access_model="roster", roster_groups_allowed=["Family", "Friends"]))
    assert event_ids(event(b)) == ["a"]
    assert ids(items(b, a.bare)) == ["a"]
    ok(a.iq("set", roster.format("Others")))
    refused(b, items(b, a.bare), "not-authorized", "not-in-roster-group")
    ok(publish(a))
    silent(b, a.bare)


def test_a_whitelist_names_somebody_elsewhere(server, peer):
    a, b = server.client("kate"), peer.client("liam")
    ok(publish(a, access_model="whitelist"))
    ok(member(a, b.bare))
    refused(b, items(b, a.bare), "not-authorized", "not-subscribed")
    assert state(subscribe(b, a.bare)) == "subscribed"
    assert event_ids(event(b)) == ["a"]
    assert ids(items(b, a.bare)) == ["a"]
    ok(member(a, b.bare, "none"))
    assert told(b) == "none"
    refused(b, items(b, a.bare), *PRESENCE)
    ok(publish(a))
    silent(b, a.bare)


def test_an_owner_authorizes_somebody_elsewhere(server, peer):
    a, b, c = server.client("otto"), peer.client("pia"), peer.client("quin")
    ok(publish(a, access_model="authorize"))
    for who, allow, result in ((b, "1", "subscribed"), (c, "0", "none")):
        assert state(subscribe(who, a.bare)) == "pending"
        decide(a, authorization(a), NODE, who.bare, allow)
        assert told(who) == result
    assert event_ids(event(b)) == ["a"]
    assert ids(items(b, a.bare)) == ["a"]
    assert owner_list(a) == [(b.bare, "subscribed")]


def test_subscriptions_by_bare_and_full_jid(server, peer):
    a, b = server.client("sara"), peer.client("theo", resource="one")
    ok(publish(a, access_model="open"))
    assert state(subscribe(b, a.bare, b.jid)) == "subscribed"
    m = event(b)
    assert event_ids(m) == ["a"] and replyto(m) is None and m.get("to") == b.jid
    ok(publish(a, "two"))
    m = event(b)
    assert m.get("to") == b.jid and replyto(m) is None          # no subscription to the presence of a
    ok(ask(b, "set", f"<unsubscribe node='{NODE}' jid='{b.jid}'/>", a.bare))
    assert state(subscribe(b, a.bare)) == "subscribed"
    event(b)
    ok(publish(a, "three"))
    assert event(b).findtext(".//{urn:example:entry}entry") == "three"
    found = ok(ask(b, "get", "<subscriptions/>", a.bare))
    assert [e.get("jid") for e in found.iter(f"{{{PS}}}subscription")] == [b.bare]
    for wrong in (a.bare, f"other@{peer.domain}"):
        refused(b, subscribe(b, a.bare, wrong), "bad-request", "invalid-jid")
    ok(ask(b, "set", f"<unsubscribe node='{NODE}' jid='{b.bare}'/>", a.bare))
    ok(publish(a, "four"))
    silent(b, a.bare)


def test_nobody_elsewhere_changes_anything(server, peer):
    a, b = friends(server, peer, "iris", "jack")
    ok(publish(a, access_model="open"))
    for kind, inner, ns in (("set", f"<publish node='{NODE}'><item>{entry('x')}</item></publish>", PS),
                            ("set", f"<retract node='{NODE}'><item id='a'/></retract>", PS),
                            ("set", "<create node='n'/>", PS), ("set", f"<delete node='{NODE}'/>", OWN),
                            ("set", f"<purge node='{NODE}'/>", OWN), ("get", f"<configure node='{NODE}'/>", OWN),
                            ("get", f"<affiliations node='{NODE}'/>", OWN), ("get", f"<subscriptions node='{NODE}'/>", OWN)):
        refused(b, ask(b, kind, inner, a.bare, ns), "forbidden")
    assert ids(items(a)) == ["a"]


def test_a_device_list_of_a_stranger(server, peer):
    """XEP-0384: read before the first message, by who is no contact; heard by who is one."""
    a, b = friends(server, peer, "omar", "olga")
    stranger = peer.client("odd")
    interest(b, a.bare, DEVICES)
    devices = "<list xmlns='eu.siacs.conversations.axolotl'><device id='{}'/></list>"
    for number in ("1", "2"):
        ok(ask(a, "set", f"<publish node='{DEVICES}'><item id='current'>{devices.format(number)}</item></publish>"
               + options(access_model="open")))
        assert event(b, DEVICES).find(".//{eu.siacs.conversations.axolotl}device").get("id") == number
    found = ok(items(stranger, a.bare, node=DEVICES))
    assert [d.get("id") for d in found.iter("{eu.siacs.conversations.axolotl}device")] == ["2"]
    a.close()
    assert ids(items(stranger, a.bare, node=DEVICES)) == ["current"]


# ---- who loses the subscription to presence

def refuse_further(a, b):
    a.write(f"<presence type='unsubscribed' to='{b.bare}'/>")


def leave(a, b):
    b.write(f"<presence type='unsubscribe' to='{a.bare}'/>")


def remove(a, b):
    ok(a.iq("set", f"<query xmlns='{NS['roster']}'><item jid='{b.bare}' subscription='remove'/></query>"))


def block(a, b):
    ok(a.iq("set", f"<block xmlns='urn:xmpp:blocking'><item jid='{b.bare}'/></block>"))


@pytest.mark.parametrize("end", [refuse_further, leave, remove, block])
def test_who_is_no_contact_any_more_gets_nothing(server, peer, end):
    name = end.__name__
    a, b = friends(server, peer, f"{name}.a", f"{name}.b")
    interest(b, a.bare, NODE)
    ok(publish(a))
    assert event_ids(event(b)) == ["a"]
    assert state(subscribe(b, a.bare)) == "subscribed"
    event(b)
    end(a, b)
    if end is not block:
        assert told(b) == "none"
        assert owner_list(a) == []
    ok(publish(a, "secret"))
    b.expect_none("message", lambda m: m.find(f"{{{EVENT}}}event") is not None)
    if end is not block:
        refused(b, items(b, a.bare), *PRESENCE)
    else:
        assert b.error_of(items(b, a.bare)) == "service-unavailable"


# ---- and the other way

def test_ours_hear_and_read_theirs(server, peer):
    a, b = friends(server, peer, "rita", "rob")
    features = f"{NODE}+notify", "urn:example:back"
    asked = answers(a, *features)
    show(a, *features)
    a.read_until(lambda: {a.bare, b.bare} <= set(asked), "both questions")
    passed(a, b.bare)
    ok(publish(b, "theirs"))
    m = event(a)
    assert (m.get("from"), m.get("to"), event_ids(m)) == (b.bare, a.jid, ["a"])
    assert ids(items(a, b.bare)) == ["a"]
    ok(publish(b, "open", node="urn:example:open", access_model="open"))
    stranger = server.client("stranger")
    assert ids(items(stranger, b.bare, node="urn:example:open")) == ["a"]
    assert stranger.error_of(items(stranger, b.bare)) in ("not-authorized", "item-not-found", "forbidden")


def test_wishes_outlive_sm(server, peer):
    a, b = friends(server, peer, "sam", "sue")
    interest(b, a.bare, NODE)
    ok(publish(a, "before"))
    event(b)
    a.close()
    server.restart("sm-1")
    a = server.client("sam")
    ok(publish(a, "after"))
    assert event(b).findtext(".//{urn:example:entry}entry") == "after"
