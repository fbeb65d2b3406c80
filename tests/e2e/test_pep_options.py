"""What a subscriber says of its subscription (XEP-0060 6.3, 6.4), and every feature of section 10: those announced do what
they say, the others are refused by name."""

import datetime

import pytest

from harness import NS, wait_for
from test_pep import (EVENT, NODE, OWN, PS, ask, authorization, configure, decide, event, event_ids, fields, form, friends,
                      ids, interest, items, member, ok, options, publish, refused, silent, state, subscribe)
from test_pep_subscribers import own_subscriptions, owner_list, told

SUB = "#subscribe_options"


def get_options(client, owner, jid=None, node=NODE, attrs=""):
    return ask(client, "get", f"<options node='{node}' jid='{jid or client.bare}'{attrs}/>", owner)


def set_options(client, owner, jid=None, node=NODE, **values):
    return ask(client, "set", f"<options node='{node}' jid='{jid or client.bare}'>{form(values, SUB)}</options>", owner)


def from_now(seconds):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture
def pair(server, request):
    name = request.node.name.replace("test_", "").replace("_", "")[:24]
    a, b = server.client(f"{name}.a"), server.client(f"{name}.b")
    ok(publish(a, access_model="open"))
    return a, b


def test_options_are_read_and_set(pair):
    a, b = pair
    assert state(subscribe(b, a.bare)) == "subscribed"
    event(b)
    found = ok(get_options(b, a.bare))
    e = found.find(f".//{{{PS}}}options")
    assert (e.get("node"), e.get("jid"), e.find("{jabber:x:data}x").get("type")) == (NODE, b.bare, "form")
    assert fields(found) == {"FORM_TYPE": [PS + SUB], "pubsub#deliver": ["1"], "pubsub#expire": []}
    ok(set_options(b, a.bare, deliver="false"))
    assert fields(ok(get_options(b, a.bare)))["pubsub#deliver"] == ["0"]
    ok(publish(a, "unheard"))
    silent(b)
    ok(set_options(b, a.bare, deliver="1", include_body="0", digest="false", subscription_type="items", subscription_depth="1"))
    ok(publish(a, "heard"))
    assert event(b).findtext(".//{urn:example:entry}entry") == "heard"
    # A new subscription begins anew.
    ok(set_options(b, a.bare, deliver="0"))
    ok(ask(b, "set", f"<unsubscribe node='{NODE}' jid='{b.bare}'/>", a.bare))
    assert state(subscribe(b, a.bare)) == "subscribed"
    assert event_ids(event(b)) == ["a"]


def test_each_jid_has_options_of_its_own(pair):
    a, b = pair
    for jid in (b.bare, b.jid):
        assert state(subscribe(b, a.bare, jid)) == "subscribed"
        event(b)
    ok(set_options(b, a.bare, b.bare, deliver="0"))
    ok(publish(a, "one"))
    assert event(b).get("to") == b.jid
    silent(b)


def test_options_outlive_sm(server, pair):
    a, b = pair
    ok(subscribe(b, a.bare))
    event(b)
    ok(set_options(b, a.bare, deliver="0", expire=from_now(3600)))
    a.close()
    b.close()
    server.restart("sm-1")
    b = server.client(b.bare, register=False)
    found = fields(ok(get_options(b, a.bare)))
    assert found["pubsub#deliver"] == ["0"] and len(found["pubsub#expire"]) == 1


def test_errors(server, pair):
    a, b = pair
    other = server.client("someoneelse")
    refused(b, get_options(b, a.bare), "unexpected-request", "not-subscribed")                      # 6.3.4.2
    refused(b, set_options(b, a.bare, deliver="0"), "unexpected-request", "not-subscribed")
    ok(subscribe(b, a.bare))
    event(b)
    refused(other, get_options(other, a.bare, b.bare), "forbidden")                                 # 6.3.4.1
    refused(other, set_options(other, a.bare, b.bare, deliver="0"), "forbidden")
    refused(b, ask(b, "get", f"<options node='{NODE}'/>", a.bare), "bad-request", "jid-required")   # 6.3.4.3
    refused(b, get_options(b, a.bare, attrs=" subid='x'"), "not-acceptable", "invalid-subid")       # 6.3.4.5
    refused(b, ask(b, "set", f"<unsubscribe node='{NODE}' jid='{b.bare}' subid='x'/>", a.bare), "not-acceptable",
            "invalid-subid")                                                                        # 6.2.3.5
    refused(b, get_options(b, a.bare, node="urn:none"), "not-authorized", "presence-subscription-required")   # 12.3: a stranger
    refused(b, ask(b, "get", f"<options jid='{b.bare}'/>", a.bare), "bad-request", "nodeid-required")
    for wrong in ({"deliver": "perhaps"}, {"expire": "tomorrow"}, {"expire": from_now(-60)}, {"expire": "presence"},
                  {"include_body": "1"}, {"digest": "1"}, {"digest_frequency": "1000"}, {"show-values": "chat"},
                  {"subscription_type": "nodes"}, {"subscription_depth": "all"}, {"colour": "red"}):
        refused(b, set_options(b, a.bare, **wrong), "bad-request", "invalid-options")               # 6.3.5
    refused(b, ask(b, "set", f"<options node='{NODE}' jid='{b.bare}'>{form({'deliver': '0'})}</options>", a.bare),
            "bad-request", "invalid-options")
    ok(publish(a, "still"))
    assert event(b).findtext(".//{urn:example:entry}entry") == "still"


def test_subscribed_and_configured_in_one(pair):
    """6.3.7"""
    a, b = pair

    def both(inner, attrs=""):
        return ask(b, "set", f"<subscribe node='{NODE}' jid='{b.bare}'/><options{attrs}>{inner}</options>", a.bare)

    refused(b, both(form({"deliver": "0"}, SUB), f" node='{NODE}'"), "bad-request")
    refused(b, both(form({"deliver": "0"}, SUB), f" jid='{b.bare}'"), "bad-request")
    refused(b, both(form({"deliver": "often"}, SUB)), "bad-request", "invalid-options")
    refused(b, ask(b, "set", f"<options>{form({}, SUB)}</options><subscribe node='{NODE}' jid='{b.bare}'/>", a.bare),
            "bad-request", "nodeid-required")
    assert own_subscriptions(b, a.bare) == []
    done = both(form({"deliver": "0"}, SUB))
    assert state(done) == "subscribed"
    form_e = done.find(f"{{{PS}}}pubsub/{{{PS}}}options/{{jabber:x:data}}x")
    assert form_e.get("type") == "result" and fields(done)["pubsub#deliver"] == ["0"]
    silent(b)                                   # not the last item either
    assert state(both(form({"deliver": "1"}, SUB))) == "subscribed"
    ok(publish(a, "two"))
    assert event_ids(event(b)) == ["a"]


def test_the_defaults(pair):
    """6.4"""
    a, b = pair
    for where in ("", f" node='{NODE}'"):
        found = ok(ask(b, "get", f"<default{where}/>", a.bare))
        assert fields(found)["pubsub#deliver"] == ["1"] and fields(found)["FORM_TYPE"] == [PS + SUB]
    refused(a, ask(a, "get", "<default node='urn:none'/>"), "item-not-found")                     # 6.3.4.7


def test_a_lease_ends(server, pair):
    """12.18"""
    a, b = pair
    ok(configure(a, access_model="whitelist"))
    ok(member(a, b.bare))
    done = ask(b, "set", f"<subscribe node='{NODE}' jid='{b.bare}'/><options>{form({'expire': from_now(2)}, SUB)}</options>",
               a.bare)
    assert state(done) == "subscribed"
    event(b)
    wait_for(lambda: own_subscriptions(b, a.bare) == [], "the end of the lease")
    assert owner_list(a) == []
    ok(publish(a, "after"))
    silent(b)
    refused(b, items(b, a.bare), "not-authorized", "not-subscribed")
    refused(b, set_options(b, a.bare, expire=from_now(60)), "unexpected-request", "not-subscribed")
    # It comes back as a new one; and stays when it is renewed in time.
    assert state(subscribe(b, a.bare)) == "subscribed"
    event(b)
    ok(set_options(b, a.bare, expire=from_now(3600)))
    assert own_subscriptions(b, a.bare) == [NODE]
    ok(set_options(b, a.bare, expire=""))
    assert fields(ok(get_options(b, a.bare)))["pubsub#expire"] == []


# ---- every feature of section 10

def f_access(model, denied):
    def check(a, b, c):
        node = f"urn:example:{model}"
        ok(publish(a, node=node, access_model=model))
        result = items(c, a.bare, node=node)
        if denied:
            assert c.error_of(result) == denied
        else:
            assert ids(result) == ["a"]
    return check


def f_auto_create(a, b, c):
    assert ids(ok(publish(a, node="urn:example:made"))) == ["a"]


def f_auto_subscribe(a, b, c):
    interest(b, "urn:example:auto")
    ok(publish(a, node="urn:example:auto"))
    event(b, "urn:example:auto")
    assert own_subscriptions(b, a.bare) == []


def f_configure(a, b, c):
    ok(configure(a, title="T", max_items="max"))
    found = fields(ok(ask(a, "get", f"<configure node='{NODE}'/>", ns=OWN)))
    assert (found["pubsub#title"], found["pubsub#max_items"]) == (["T"], ["max"])


def f_create_and_configure(a, b, c):
    ok(ask(a, "set", f"<create node='urn:example:both'/><configure>{form({'title': 'B'})}</configure>"))


def f_instant(a, b, c):
    assert ok(ask(a, "set", "<create/>")).find(f".//{{{PS}}}create").get("node")


def f_delete_items(a, b, c):
    ok(publish(a, item_id="gone"))
    ok(ask(a, "set", f"<retract node='{NODE}'><item id='gone'/></retract>"))
    assert "gone" not in ids(items(a))


def f_delete_nodes(a, b, c):
    ok(ask(a, "set", "<create node='urn:example:short'/>"))
    ok(ask(a, "set", "<delete node='urn:example:short'/>", ns=OWN))


def f_last_published(a, b, c):
    node = "urn:example:last"
    ok(publish(a, node=node))
    assert event_ids(event(interest(b, node), node)) == ["a"]


def f_leased(a, b, c):
    done = ask(b, "set", f"<subscribe node='{NODE}' jid='{b.bare}'/><options>{form({'expire': from_now(3600)}, SUB)}</options>",
               a.bare)
    assert state(done) == "subscribed"
    event(b)
    ok(ask(b, "set", f"<unsubscribe node='{NODE}' jid='{b.bare}'/>", a.bare))


def f_manage_subscriptions(a, b, c):
    ok(ask(a, "set", f"<subscriptions node='{NODE}'><subscription jid='{b.bare}' subscription='subscribed'/></subscriptions>",
           ns=OWN))
    assert told(b) == "subscribed"
    assert owner_list(a) == [(b.bare, "subscribed")]
    ok(ask(a, "set", f"<subscriptions node='{NODE}'><subscription jid='{b.bare}' subscription='none'/></subscriptions>", ns=OWN))
    assert told(b) == "none"


def f_get_pending(a, b, c):
    """8.7: the requests come once more."""
    node, commands = "urn:example:pending", f"<command xmlns='http://jabber.org/protocol/commands' node='{PS}#get-pending'"
    ok(publish(a, node=node, access_model="authorize"))
    assert state(subscribe(c, a.bare, node=node)) == "pending"
    authorization(a)
    e = ok(a.iq("set", commands + " action='execute'/>", to=a.bare))[0]
    assert [v.text for v in e.findall(".//{jabber:x:data}option/{jabber:x:data}value")] == [node]
    submit = form({"node": node}, "#subscribe_authorization")
    ok(a.iq("set", f"{commands} sessionid='{e.get('sessionid')}' action='complete'>{submit}</command>", to=a.bare))
    decide(a, authorization(a), node, c.bare, "1")
    assert told(c, node) == "subscribed"
    event(c, node)


def f_affiliation(name):
    def check(a, b, c):
        ok(member(a, "juliet@example.net", name))
        found = ok(ask(a, "get", f"<affiliations node='{NODE}'/>", ns=OWN))
        assert ("juliet@example.net", name) in [(e.get("jid"), e.get("affiliation"))
                                                for e in found.iter(f"{{{OWN}}}affiliation")]
        ok(member(a, "juliet@example.net", "none"))
    return check


def f_meta_data(a, b, c):
    found = fields(ok(b.iq("get", f"<query xmlns='{NS['disco_info']}' node='{NODE}'/>", to=a.bare)))
    assert found["FORM_TYPE"] == [PS + "#meta-data"] and found["pubsub#owner"] == [a.bare]


def f_multi_items(a, b, c):
    for i in "xyz":
        ok(publish(a, item_id=i, node="urn:example:multi", max_items="2"))
    assert ids(items(a, node="urn:example:multi")) == ["z", "y"]


def f_presence_notifications(a, b, c):
    node = "urn:example:present"
    interest(b, node)
    b.write("<presence type='unavailable'/>")
    b.ping()
    ok(publish(a, node=node))
    silent(b)
    b.write("<presence/>")
    b.ping()


def f_publish_node_full(a, b, c):
    ok(publish(a, item_id="1", node="urn:example:full", publish_node_full="reject"))
    refused(a, publish(a, item_id="2", node="urn:example:full"), "conflict", "node-full")


def f_publish_options(a, b, c):
    refused(a, publish(a, access_model="whitelist"), "conflict", "precondition-not-met")


def f_on_a_jid(a, b, c):
    assert a.iq("get", f"<pubsub xmlns='{PS}'><subscriptions/></pubsub>", to=a.bare).get("type") == "result"


def f_purge(a, b, c):
    ok(publish(a, node="urn:example:purge"))
    ok(ask(a, "set", "<purge node='urn:example:purge'/>", ns=OWN))
    assert ids(items(a, node="urn:example:purge")) == []


def f_retrieve_affiliations(a, b, c):
    found = ok(ask(a, "get", "<affiliations/>"))
    assert (NODE, "owner") in [(e.get("node"), e.get("affiliation")) for e in found.iter(f"{{{PS}}}affiliation")]


def f_retrieve_default(a, b, c):
    assert fields(ok(ask(a, "get", "<default/>", ns=OWN)))["FORM_TYPE"] == [PS + "#node_config"]


def f_retrieve_default_sub(a, b, c):
    assert fields(ok(ask(c, "get", "<default/>", a.bare)))["FORM_TYPE"] == [PS + SUB]


def f_retrieve_items(a, b, c):
    assert ids(items(c, a.bare)) != []


def f_subscribe(a, b, c):
    assert state(subscribe(c, a.bare)) == "subscribed"
    event(c)
    assert NODE in own_subscriptions(c, a.bare)
    ok(set_options(c, a.bare, deliver="0"))
    ok(ask(c, "set", f"<unsubscribe node='{NODE}' jid='{c.bare}'/>", a.bare))


def f_subscription_notifications(a, b, c):
    node = "urn:example:asked"
    ok(publish(a, node=node, access_model="authorize"))
    assert state(subscribe(c, a.bare, node=node)) == "pending"
    decide(a, authorization(a), node, c.bare, "0")
    assert told(c, node) == "none"


def f_rsm(a, b, c):
    result = items(a, after="<set xmlns='http://jabber.org/protocol/rsm'><max>0</max></set>")
    assert result.findtext(".//{http://jabber.org/protocol/rsm}count") is not None


def f_item_ids(a, b, c):
    assert ids(ok(publish(a, item_id="mine"))) == ["mine"]


FEATURES = {
    "": f_on_a_jid, "access-authorize": f_access("authorize", "not-authorized"), "access-open": f_access("open", None),
    "access-presence": f_access("presence", "not-authorized"), "access-roster": f_access("roster", "not-authorized"),
    "access-whitelist": f_access("whitelist", "not-authorized"), "auto-create": f_auto_create, "auto-subscribe": f_auto_subscribe,
    "config-node": f_configure, "config-node-max": f_configure, "create-and-configure": f_create_and_configure,
    "create-nodes": f_delete_nodes, "delete-items": f_delete_items, "delete-nodes": f_delete_nodes,
    "filtered-notifications": f_auto_subscribe, "get-pending": f_get_pending, "instant-nodes": f_instant,
    "item-ids": f_item_ids,
    "last-published": f_last_published, "leased-subscription": f_leased, "manage-subscriptions": f_manage_subscriptions,
    "member-affiliation": f_affiliation("member"), "meta-data": f_meta_data, "modify-affiliations": f_affiliation("member"),
    "multi-items": f_multi_items, "outcast-affiliation": f_affiliation("outcast"), "persistent-items": f_multi_items,
    "presence-notifications": f_presence_notifications, "presence-subscribe": f_auto_subscribe, "publish": f_item_ids,
    "publish-node-full": f_publish_node_full, "publish-options": f_publish_options, "pubsub-on-a-jid": f_on_a_jid,
    "purge-nodes": f_purge, "retract-items": f_delete_items, "retrieve-affiliations": f_retrieve_affiliations,
    "retrieve-default": f_retrieve_default, "retrieve-default-sub": f_retrieve_default_sub,
    "retrieve-items": f_retrieve_items, "retrieve-subscriptions": f_subscribe, "rsm": f_rsm, "subscribe": f_subscribe,
    "subscription-notifications": f_subscription_notifications, "subscription-options": f_subscribe,
}


def announced(client, owner):
    info = ok(client.iq("get", f"<query xmlns='{NS['disco_info']}'/>", to=owner))
    found = [f.get("var") for f in info.iter(f"{{{NS['disco_info']}}}feature")]
    return {f[len(PS):].lstrip("#") for f in found if f == PS or f.startswith(PS + "#")}


@pytest.fixture(scope="module")
def people(suite):
    a, b = friends(suite, "announcer", "contact")
    ok(publish(a, access_model="open", max_items="max"))
    return a, b, suite.client("anybody")


def test_nothing_is_announced_that_has_no_test(people):
    assert announced(people[0], people[0].bare) == set(FEATURES)


@pytest.mark.parametrize("feature", FEATURES, ids=lambda f: f or "pubsub")
def test_what_is_announced_is_there(people, feature):
    for c in people:
        c.settle(0.05)
    FEATURES[feature](*people)


# Feature of section 10 that is not announced; the request that needs it; the error; the feature that it names.
OTHERS = [
    ("publisher-affiliation", lambda a, b: member(a, b.bare, "publisher"), "feature-not-implemented", "unsupported"),
    ("publish-only-affiliation", lambda a, b: member(a, b.bare, "publish-only"), "feature-not-implemented", "unsupported"),
    ("collections", lambda a, b: ask(a, "set", "<create node='urn:c'/><configure>" + form({"node_type": "collection"}) +
                                     "</configure>"), "feature-not-implemented", "unsupported"),
    ("multi-subscribe", lambda a, b: get_options(b, a.bare, attrs=" subid='1'"), "not-acceptable", None),
]


@pytest.mark.parametrize("feature,request_it,condition,app", OTHERS, ids=[o[0] for o in OTHERS])
def test_what_is_not_announced_is_refused_by_name(people, feature, request_it, condition, app):
    a, b, _ = people
    assert feature not in announced(a, a.bare)
    if feature == "multi-subscribe":
        ok(subscribe(b, a.bare))
    e = request_it(a, b)
    if app:
        refused(a, e, condition, app, feature)
    else:
        assert b.error_of(e) == condition
