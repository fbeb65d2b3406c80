"""Limits and bad input of personal eventing: each has its error, and what was there before is there after."""

import pytest

from harness import Server
from test_pep import (NODE, OWN, PS, ask, configure, entry, form, ids, interest, items, member, ok, options, publish, refused,
                      silent, state, subscribe)

ITEMS, NODES, ITEM_BYTES, ACCOUNT_BYTES, SUBSCRIPTIONS = 3, 4, 2000, 65536, 2
OPTIONS = ["--set", f"limits.pep_items_max={ITEMS}", "--set", f"limits.pep_nodes_max={NODES}",
           "--set", f"limits.pep_item_max={ITEM_BYTES}", "--set", f"limits.pep_bytes_max={ACCOUNT_BYTES}",
           "--set", f"limits.pep_subscriptions_max={SUBSCRIPTIONS}"]


def raw(inner, extra="", ns=PS):
    return lambda a: ask(a, "set", inner + extra, ns=ns)


def item(ident="", payload=None, node=NODE):
    where = f" id='{ident}'" if ident else ""
    return f"<publish node='{node}'><item{where}>{entry('x') if payload is None else payload}</item></publish>"


def bad_form(fields, **kwargs):
    return raw(f"<configure node='{NODE}'>{form(fields, **kwargs)}</configure>", ns=OWN)


def conditions(inner):
    return raw(item(), f"<publish-options>{inner}</publish-options>")


LONG, HUGE = "n" * 1024, entry("y" * ITEM_BYTES)
NOT_OURS = form({"title": "x"}, kind="#something")
# What is wrong; the request; the condition; that of XEP-0060; its feature.
CASES = [
    # ids and names
    ("an id over 1023 bytes", raw(item(LONG)), "bad-request"),
    ("a node over 1023 bytes", raw(item("a", node=LONG)), "bad-request"),
    ("a node over 1023 bytes, made", raw(f"<create node='{LONG}'/>"), "bad-request"),
    ("no node", raw(f"<publish><item id='a'>{entry('x')}</item></publish>"), "bad-request", "nodeid-required"),
    ("an empty node", raw(item("a", node="")), "bad-request", "nodeid-required"),
    ("an item that is not there", raw(f"<retract node='{NODE}'><item id='none'/></retract>"), "item-not-found"),
    ("an item without an id", raw(f"<retract node='{NODE}'><item/></retract>"), "bad-request", "item-required"),
    ("two items at once", raw(f"<publish node='{NODE}'><item id='p'>{entry('x')}</item><item id='q'>{entry('x')}</item></publish>"),
     "bad-request"),
    ("two retracted at once", raw(f"<retract node='{NODE}'><item id='a'/><item id='b'/></retract>"), "bad-request"),
    # payloads
    ("a payload over the limit", raw(item("a", HUGE)), "not-acceptable", "payload-too-big"),
    ("no payload", raw(item("a", "")), "bad-request", "payload-required"),
    ("text for a payload", raw(item("a", "text")), "bad-request", "payload-required"),
    ("two payloads", raw(item("a", entry("x") + entry("y"))), "bad-request", "invalid-payload"),
    ("no item", raw(f"<publish node='{NODE}'/>"), "bad-request", "item-required"),
    # numbers
    ("an item more than is kept", raw(item("more")), "conflict", "node-full"),
    ("max_items=0", bad_form({"max_items": "0"}), "not-acceptable"),
    ("max_items=-1", bad_form({"max_items": "-1"}), "not-acceptable"),
    ("max_items of letters", bad_form({"max_items": "many"}), "not-acceptable"),
    ("max_items of 2^32", bad_form({"max_items": "4294967296"}), "not-acceptable"),
    ("item_expire=soon", bad_form({"item_expire": "soon"}), "not-acceptable"),
    ("max_payload_size=0", bad_form({"max_payload_size": "0"}), "not-acceptable"),
    # flags, choices, texts
    ("persist_items=maybe", bad_form({"persist_items": "maybe"}), "not-acceptable"),
    ("access_model=everybody", bad_form({"access_model": "everybody"}), "not-acceptable", "unsupported-access-model"),
    ("send_last_published_item=often", bad_form({"send_last_published_item": "often"}), "not-acceptable"),
    ("publish_model=open", bad_form({"publish_model": "open"}), "not-acceptable"),
    ("node_type=collection", bad_form({"node_type": "collection"}), "feature-not-implemented", "unsupported", "collections"),
    ("a title over 1024 bytes", bad_form({"title": "t" * 1025}), "not-acceptable"),
    ("101 groups", bad_form({"roster_groups_allowed": [f"g{i}" for i in range(101)]}), "not-acceptable"),
    ("no FORM_TYPE", raw(f"<configure node='{NODE}'><x xmlns='jabber:x:data' type='submit'><field var='pubsub#title'>"
                         "<value>x</value></field></x></configure>", ns=OWN), "bad-request"),
    ("another FORM_TYPE", raw(f"<configure node='{NODE}'>{NOT_OURS}</configure>", ns=OWN), "bad-request"),
    ("a form of type result", raw(f"<configure node='{NODE}'>{form({'title': 'x'}).replace('submit', 'result')}</configure>",
                                  ns=OWN), "bad-request"),
    # preconditions
    ("another access model", conditions(form({"access_model": "whitelist"}, "#publish-options")), "conflict",
     "precondition-not-met"),
    ("another number of items", conditions(form({"max_items": "1"}, "#publish-options")), "conflict", "precondition-not-met"),
    ("a value that cannot be", conditions(form({"access_model": "none"}, "#publish-options")), "conflict",
     "precondition-not-met"),
    ("a condition nobody knows", conditions(form({"colour": "red"}, "#publish-options")), "bad-request", "invalid-options"),
    ("conditions of another kind", conditions(NOT_OURS), "bad-request", "invalid-options"),
    # lists of the owner
    ("an affiliation that is none", raw(f"<affiliations node='{NODE}'><affiliation jid='b@example.net' affiliation='king'/>"
                                        "</affiliations>", ns=OWN), "not-acceptable"),
    ("a JID that is none", raw(f"<affiliations node='{NODE}'><affiliation jid='@@' affiliation='member'/></affiliations>", ns=OWN),
     "bad-request"),
    ("nobody", raw(f"<subscriptions node='{NODE}'/>", ns=OWN), "bad-request"),
    ("what is no subscription", raw(f"<subscriptions node='{NODE}'><other jid='b@example.net'/></subscriptions>", ns=OWN),
     "bad-request"),
    ("a subscription more than fits", raw(f"<subscriptions node='{NODE}'>" + "".join(
        f"<subscription jid='s{i}@example.net' subscription='subscribed'/>" for i in range(SUBSCRIPTIONS + 1)) +
        "</subscriptions>", ns=OWN), "policy-violation", "too-many-subscriptions"),
    # nothing at all
    ("no action", lambda a: a.iq("set", f"<pubsub xmlns='{PS}'/>"), "bad-request"),
    ("an unknown action", raw("<nonsense/>"), "feature-not-implemented"),
    ("get where set is meant", lambda a: ask(a, "get", item("a")), "feature-not-implemented"),
]


@pytest.fixture(scope="module")
def owner(suite):
    """A node at its limits, and somebody who would hear of any change."""
    a = suite.client("owner")
    for i in range(ITEMS):
        ok(publish(a, str(i), item_id="abc"[i], max_items="max", access_model="open"))
    ok(configure(a, title="before"))
    listener = interest(suite.client("owner", resource="listener", register=False), NODE)
    listener.settle(0.2)
    return a, listener


@pytest.mark.parametrize("case", CASES, ids=[c[0] for c in CASES])
def test_what_is_wrong_has_its_error_and_changes_nothing(owner, case):
    a, listener = owner
    _, request, *error = case
    refused(a, request(a), *error)
    assert ids(items(a)) == ["c", "b", "a"]
    found = ok(ask(a, "get", f"<configure node='{NODE}'/>", ns=OWN))
    title = found.find(".//{jabber:x:data}field[@var='pubsub#title']/{jabber:x:data}value")
    assert title.text == "before"
    assert not list(ok(ask(a, "get", f"<subscriptions node='{NODE}'/>", ns=OWN)).iter(f"{{{OWN}}}subscription"))
    listener.ping()
    silent(listener, 0.01)


def test_so_many_nodes(server):
    a = server.client("nodes")
    for i in range(NODES):
        ok(publish(a, node=f"urn:n{i}"))
    for request in (publish(a, node="urn:over"), ask(a, "set", "<create node='urn:over'/>"), ask(a, "set", "<create/>")):
        refused(a, request, "resource-constraint", "max-nodes-exceeded")
    ok(publish(a, "again", node="urn:n0"))
    ok(ask(a, "set", "<delete node='urn:n0'/>", ns=OWN))
    ok(publish(a, node="urn:over"))


def test_so_many_bytes():
    with Server("--set", "limits.pep_bytes_max=65536") as server:
        a = server.client("bytes")
        for i in range(3):
            ok(publish(a, "z" * 20000, item_id=str(i), max_items="max"))
        refused(a, publish(a, "z" * 20000, item_id="over"), "resource-constraint")
        refused(a, publish(a, "z" * 20000, item_id="over", node="urn:other"), "resource-constraint")
        refused(a, items(a, node="urn:other"), "item-not-found")           # nor is it made
        assert ids(items(a)) == ["2", "1", "0"]
        ok(publish(a, "z" * 20000, item_id="0"))                           # in the place of one
        ok(ask(a, "set", f"<retract node='{NODE}'><item id='1'/></retract>"))
        ok(publish(a, "z" * 20000, item_id="3"))


def test_so_many_subscriptions(server):
    a = server.client("subs")
    others = [server.client(f"sub{i}") for i in range(SUBSCRIPTIONS + 1)]
    ok(publish(a, access_model="open"))
    for b in others[:SUBSCRIPTIONS]:
        assert state(subscribe(b, a.bare)) == "subscribed"
    b = others[-1]
    refused(b, subscribe(b, a.bare), "policy-violation", "too-many-subscriptions")
    refused(a, member(a, b.bare), "policy-violation", "too-many-subscriptions")
    ok(ask(others[0], "set", f"<unsubscribe node='{NODE}' jid='{others[0].bare}'/>", a.bare))
    assert state(subscribe(b, a.bare)) == "subscribed"


def test_an_item_over_the_limit_of_its_node(server):
    a = server.client("small")
    ok(publish(a, "x", max_payload_size="200"))
    refused(a, publish(a, "x" * 200), "not-acceptable", "payload-too-big")
    ok(configure(a, max_payload_size="max"))
    ok(publish(a, "x" * 200))


def test_conditions_of_a_node_that_is_made(server):
    a = server.client("maker")
    wrong = ask(a, "set", item("a", node="urn:made") + options(access_model="mine"))
    refused(a, wrong, "not-acceptable", "unsupported-access-model")
    refused(a, items(a, node="urn:made"), "item-not-found")
    refused(a, ask(a, "set", item("a", HUGE, node="urn:made") + options(access_model="open")), "not-acceptable",
            "payload-too-big")
    refused(a, items(a, node="urn:made"), "item-not-found")
