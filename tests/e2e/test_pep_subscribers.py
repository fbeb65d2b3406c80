"""Subscribers of nodes of accounts (XEP-0060 6, 8.8, 8.9, 12): who loses access, what errors name, how it ends."""

from harness import NS
from test_pep import (EVENT, NODE, OWN, PS, ask, authorization, configure, decide, event, event_ids, form, friends,
                      ids, interest, items, member, ok, publish, refused, silent, state, subscribe)


def told(client, node=NODE):
    """The state that an event tells of a subscription."""
    return event(client, node).find(f"{{{EVENT}}}event/{{{EVENT}}}subscription").get("subscription")


def owner_list(a, node=NODE):
    found = ok(ask(a, "get", f"<subscriptions node='{node}'/>", ns=OWN))
    return sorted((e.get("jid"), e.get("subscription")) for e in found.iter(f"{{{OWN}}}subscription"))


def own_subscriptions(client, owner):
    return [e.get("node") for e in ok(ask(client, "get", "<subscriptions/>", owner)).iter(f"{{{PS}}}subscription")]


def test_who_is_no_contact_any_more_is_no_subscriber(server):
    """XEP-0163 7.1: for good, not only for as long as it lasts."""
    a, b = friends(server, "lost1", "lost2")
    ok(publish(a))
    assert state(subscribe(b, a.bare)) == "subscribed"
    event(b)
    assert owner_list(a) == [(b.bare, "subscribed")]
    a.write(f"<presence type='unsubscribed' to='{b.bare}'/>")
    assert told(b) == "none"
    assert owner_list(a) == []
    b.write(f"<presence type='subscribe' to='{a.bare}'/>")
    a.expect("presence", lambda p: p.get("type") == "subscribe")
    a.write(f"<presence type='subscribed' to='{b.bare}'/>")
    b.expect("presence", lambda p: p.get("type") == "subscribed")
    assert own_subscriptions(b, a.bare) == []


def test_other_ends_of_a_presence_subscription(server):
    """By the contact's own will, and by a removal from the roster."""
    def leave(a, b):
        b.write(f"<presence type='unsubscribe' to='{a.bare}'/>")

    def remove(a, b):
        ok(a.iq("set", f"<query xmlns='{NS['roster']}'><item jid='{b.bare}' subscription='remove'/></query>"))

    for end in (leave, remove):
        a, b = friends(server, end.__name__ + "1", end.__name__ + "2")
        ok(publish(a))
        assert state(subscribe(b, a.bare)) == "subscribed"
        event(b)
        end(a, b)
        assert told(b) == "none"
        assert owner_list(a) == []


def test_who_leaves_the_group_is_no_subscriber(server):
    a, b = friends(server, "group1", "group2")
    roster = f"<query xmlns='{NS['roster']}'><item jid='{b.bare}'><group>{{}}</group></item></query>"
    ok(a.iq("set", roster.format("Friends")))
    ok(publish(a, access_model="roster", roster_groups_allowed=["Friends"]))
    assert state(subscribe(b, a.bare)) == "subscribed"
    assert event_ids(event(b)) == ["a"]
    ok(a.iq("set", roster.format("Others")))
    assert told(b) == "none"
    assert owner_list(a) == []
    ok(a.iq("set", roster.format("Friends")))
    assert own_subscriptions(b, a.bare) == []


def test_what_an_error_does_not_name_was_changed(server):
    """8.8.2.4, 8.9.2.4: nothing was, so all is named, as it is."""
    a, b, c = server.client("name1"), server.client("name2"), server.client("name3")
    ok(publish(a, access_model="open"))
    assert state(subscribe(b, a.bare)) == "subscribed"
    wrong = ask(a, "set", f"<subscriptions node='{NODE}'><subscription jid='{b.bare}' subscription='none'/>"
                f"<subscription jid='{c.bare}' subscription='odd'/></subscriptions>", ns=OWN)
    refused(a, wrong, "not-acceptable")
    assert [(e.get("jid"), e.get("subscription")) for e in wrong.iter(f"{{{OWN}}}subscription")] == \
        [(b.bare, "subscribed"), (c.bare, "none")]
    ok(member(a, b.bare))
    wrong = ask(a, "set", f"<affiliations node='{NODE}'><affiliation jid='{b.bare}' affiliation='none'/>"
                f"<affiliation jid='{a.bare}' affiliation='member'/></affiliations>", ns=OWN)
    refused(a, wrong, "not-acceptable")
    assert [(e.get("jid"), e.get("affiliation")) for e in wrong.iter(f"{{{OWN}}}affiliation")] == \
        [(b.bare, "member"), (a.bare, "owner")]


def test_pending_ones(server):
    a, b = server.client("pend1"), server.client("pend2")
    ok(publish(a, access_model="authorize"))
    assert state(subscribe(b, a.bare)) == "pending"
    authorization(a)
    assert owner_list(a) == []                  # 8.8.1.2
    silent(b)
    ok(ask(a, "set", f"<delete node='{NODE}'/>", ns=OWN))
    assert event(b).find(f"{{{EVENT}}}event/{{{EVENT}}}delete") is not None      # 8.4.2


def test_items_tell_their_publisher_if_so_configured(server):
    a = interest(server.client("publ1"), NODE)
    publishers = lambda e, ns: [i.get("publisher") for i in e.iter(f"{{{ns}}}item")]
    ok(publish(a))
    assert publishers(event(a), EVENT) == [None]
    ok(configure(a, itemreply="publisher"))
    ok(publish(a, "two"))
    assert publishers(event(a), EVENT) == [a.bare]
    assert publishers(items(a), PS) == [a.bare]
    refused(a, configure(a, itemreply="owner"), "not-acceptable")
