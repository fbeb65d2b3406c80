"""Personal eventing: XEP-0163 over XEP-0060, on raw streams."""

import xml.etree.ElementTree as ET

import pytest

from harness import NS, Server
from test_caps import answers, show

PS = "http://jabber.org/protocol/pubsub"
OWN = PS + "#owner"
EVENT = PS + "#event"
ERR = PS + "#errors"
NODE = "urn:example:node"


def text(e):
    return ET.tostring(e, encoding="unicode")


def form(fields, kind="#node_config"):
    return f"<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'><value>{PS}{kind}</value></field>" + \
        "".join(f"<field var='pubsub#{k}'>" + "".join(f"<value>{v}</value>" for v in (vs if isinstance(vs, list) else [vs])) +
                "</field>" for k, vs in fields.items()) + "</x>"


def options(**fields):
    return "<publish-options>" + form(fields, "#publish-options") + "</publish-options>" if fields else ""


def ask(client, kind, inner, to=None, ns=PS):
    return client.iq(kind, f"<pubsub xmlns='{ns}'>{inner}</pubsub>", to=to)


def entry(body):
    return f"<entry xmlns='urn:example:entry'>{body}</entry>"


def publish(client, body="one", item_id="a", node=NODE, extra="", **opts):
    ident = f" id='{item_id}'" if item_id else ""
    return ask(client, "set", f"<publish node='{node}'><item{ident}>{entry(body)}</item></publish>{options(**opts)}{extra}")


def items(client, owner=None, inner="", attrs="", node=NODE, after=""):
    return ask(client, "get", f"<items node='{node}'{attrs}>{inner}</items>{after}", to=owner)


def ids(result):
    assert result.get("type") == "result", text(result)
    return [i.get("id") for i in result.iter(f"{{{PS}}}item")]


def configure(client, node=NODE, **fields):
    return ask(client, "set", f"<configure node='{node}'>{form(fields)}</configure>", ns=OWN)


def ok(e):
    assert e.get("type") == "result", text(e)
    return e


def refused(client, e, condition, app=None, feature=None):
    assert client.error_of(e) == condition, text(e)
    found = e.find(f"client:error/{{{ERR}}}{app}", NS) if app else None
    if app:
        assert found is not None, text(e)
        assert found.get("feature") == feature
    else:
        assert all(ERR not in child.tag for child in e.find("client:error", NS)), text(e)


def test_an_item_is_published_and_read_again(server):
    a = server.client("anna")
    result = ok(publish(a, "first"))
    assert ids(result) == ["a"]
    made = ids(ok(publish(a, "second", item_id=None)))
    assert len(made) == 1 and len(made[0]) > 10
    read = items(a)
    assert ids(read) == made
    assert read.find(f".//{{urn:example:entry}}entry").text == "second"
    assert ids(items(a, inner="<item id='a'/>")) == []
    assert ids(items(a, node=NODE, attrs=" max_items='1'")) == made


def test_what_is_stored_outlives_sm(server):
    a = server.client("keeper")
    ok(publish(a, "kept", max_items="max", access_model="whitelist"))
    ok(publish(a, "too", item_id="b", max_items="max"))
    a.close()
    server.restart("sm-1")
    a = server.client("keeper", register=False)
    assert ids(items(a)) == ["b", "a"]
    refused(a, publish(a, access_model="open"), "conflict", "precondition-not-met")


# ---- notifications

COUNTER = iter(range(10000))


def interest(client, *nodes):
    """Shows presence that advertises node+notify, and answers the server's question. Another instance may ask too, at any
    time: whenever the client reads, it answers."""
    features = [f"{n}+notify" for n in nodes] + [f"urn:example:unique:{next(COUNTER)}"]
    asked = answers(client, *features)
    show(client, *features)
    client.read_until(lambda: asked, "the question")
    ident, seen = client.new_id(), []
    client.write(f"<iq type='get' id='{ident}' to='{client.domain}'><ping xmlns='urn:xmpp:ping'/></iq>")
    while not seen or seen[-1].get("id") != ident:
        seen.append(client.next())
    client.queue[:0] = seen[:-1]                # what came with it is still to be looked at
    return client


def event(client, node=NODE, timeout=15):
    def of_node(m):
        return any(child.get("node") == node for child in m.findall(f"{{{EVENT}}}event/*"))
    return client.expect("message", of_node, timeout=timeout)


def event_ids(m, kind="item"):
    return [i.get("id") for i in m.iter(f"{{{EVENT}}}{kind}")]


def silent(client, seconds=0.4):
    client.expect_none("message", lambda m: m.find(f"{{{EVENT}}}event") is not None, seconds)


def friends(server, one, two):
    a, b = server.client(one), server.client(two)
    a.befriend(b)
    return a, b


def replyto(m):
    found = m.find("{http://jabber.org/protocol/address}addresses/{http://jabber.org/protocol/address}address")
    return None if found is None else (found.get("type"), found.get("jid"))


def test_own_resources_hear_what_they_want(server):
    a = server.client("own", resource="one")
    b = interest(server.client("own", resource="two", register=False), NODE)
    c = interest(server.client("own", resource="three", register=False), "urn:example:other")
    d = server.client("own", resource="four", register=False, presence=False)
    ok(publish(a, "hello"))
    m = event(b)
    assert (m.get("type"), m.get("from"), m.get("to")) == ("headline", a.bare, b.jid)
    assert m.get("id") and event_ids(m) == ["a"]
    assert m.find(".//{urn:example:entry}entry").text == "hello"
    assert replyto(m) == ("replyto", a.jid)
    assert m.find("delay:delay", NS) is None
    for other in (a, c, d):
        silent(other)


def test_contacts_hear_by_presence_and_interest(server):
    a, b = friends(server, "maya", "noah")
    interest(b, NODE)
    second = server.client("noah", resource="second", register=False)
    stranger = interest(server.client("odd"), NODE)
    ok(publish(a, "hi"))
    m = event(b)
    assert (m.get("from"), m.get("to"), replyto(m)) == (a.bare, b.jid, ("replyto", a.jid))
    silent(second)
    silent(stranger)
    # Not when it is gone.
    b.write("<presence type='unavailable'/>")
    b.ping()
    ok(publish(a, "again"))
    silent(b)


def test_the_last_item_comes_with_presence(server):
    a, b = friends(server, "lastly", "lenny")
    ok(publish(a, "older", item_id="x"))
    ok(publish(a, "newest", item_id="y"))
    ok(publish(a, "quiet", node="urn:example:quiet", send_last_published_item="never"))
    ok(publish(a, "on sub", node="urn:example:sub", send_last_published_item="on_sub"))
    for who in (server.client("lastly", resource="own", register=False), b):
        interest(who, NODE, "urn:example:quiet", "urn:example:sub")
        m = event(who)
        assert event_ids(m) == ["y"] and m.find("delay:delay", NS) is not None
        assert replyto(m) == ("replyto", a.jid)
        silent(who)
        # Subsequent presence brings nothing (XEP-0163 4.3.3).
        who.write("<presence><show>away</show></presence>")
        silent(who)


def test_the_last_item_comes_with_a_new_subscription(server):
    a, b = server.client("giver"), server.client("taker")
    ok(publish(a, "mine"))
    interest(b, NODE)
    silent(b)
    for c in (a, b):
        c.iq("get", f"<query xmlns='{NS['roster']}'/>")
    a.write(f"<presence to='{b.bare}' type='subscribe'/>")
    b.expect("presence", lambda p: p.get("type") == "subscribe")
    b.write(f"<presence to='{a.bare}' type='subscribed'/>")
    a.expect("presence", lambda p: p.get("type") == "subscribed")
    b.write(f"<presence to='{a.bare}' type='subscribe'/>")
    a.expect("presence", lambda p: p.get("type") == "subscribe")
    a.write(f"<presence to='{b.bare}' type='subscribed'/>")
    assert event_ids(event(b)) == ["a"]


def test_payloads_deliveries_and_types_are_configured(server):
    a = interest(server.client("shape"), NODE)
    ok(publish(a, "no payload", deliver_payloads="0"))
    m = event(a)
    assert event_ids(m) == ["a"] and m.find(".//{urn:example:entry}entry") is None
    assert ids(items(a)) == ["a"]
    ok(configure(a, deliver_payloads="1", notification_type="normal"))
    ok(publish(a, "payload"))
    m = event(a)
    assert m.get("type", "normal") == "normal" and m.find(".//{urn:example:entry}entry").text == "payload"
    ok(configure(a, deliver_notifications="0"))
    ok(publish(a, "silence"))
    silent(a)
    ok(configure(a, deliver_notifications="1", notify_config="1"))
    assert event(a).find(f"{{{EVENT}}}event/{{{EVENT}}}configuration/{{jabber:x:data}}x") is not None


def test_retract_purge_and_delete_are_told(server):
    a = interest(server.client("gone"), NODE)
    for i in "abc":
        ok(publish(a, i, item_id=i, max_items="max"))
        event(a)
    ok(ask(a, "set", f"<retract node='{NODE}'><item id='a'/></retract>"))
    assert event_ids(event(a), "retract") == ["a"]
    ok(configure(a, notify_retract="0"))
    ok(ask(a, "set", f"<retract node='{NODE}'><item id='b'/></retract>"))
    silent(a)
    ok(publish(a, "b", item_id="b"))
    event(a)
    ok(ask(a, "set", f"<retract node='{NODE}' notify='true'><item id='b'/></retract>"))
    assert event_ids(event(a), "retract") == ["b"]
    ok(configure(a, notify_retract="1"))
    ok(ask(a, "set", f"<purge node='{NODE}'/>", ns=OWN))
    assert event(a).find(f"{{{EVENT}}}event/{{{EVENT}}}purge") is not None
    assert ids(items(a)) == []
    ok(ask(a, "set", f"<delete node='{NODE}'/>", ns=OWN))
    assert event(a).find(f"{{{EVENT}}}event/{{{EVENT}}}delete") is not None
    refused(a, items(a), "item-not-found")


def test_a_publisher_s_own_items_make_room(server):
    a = interest(server.client("rooms"), NODE)
    for i in "abcd":
        ok(publish(a, i, item_id=i, max_items="3"))
        assert event_ids(event(a)) == [i]
    assert event_ids(event(a), "retract") == ["a"]
    assert ids(items(a)) == ["d", "c", "b"]
    ok(configure(a, publish_node_full="reject"))
    refused(a, publish(a, "e", item_id="e"), "conflict", "node-full")
    ok(publish(a, "again", item_id="b"))
    assert ids(items(a)) == ["b", "d", "c"]
    ok(configure(a, publish_node_full="discard-oldest", max_items="1"))
    assert ids(items(a)) == ["b"]


# ---- access

def test_access_models(server):
    a, b = friends(server, "acc", "bea")
    c = server.client("cid")
    for model, friend, stranger in (("open", None, None),
                                    ("presence", None, ("not-authorized", "presence-subscription-required")),
                                    ("roster", ("not-authorized", "not-in-roster-group"),
                                     ("not-authorized", "presence-subscription-required")),
                                    ("whitelist", ("not-allowed", "closed-node"),
                                     ("not-authorized", "presence-subscription-required")),
                                    ("authorize", ("not-authorized", "not-subscribed"),
                                     ("not-authorized", "not-subscribed"))):
        node = "urn:example:" + model
        ok(publish(a, model, node=node, access_model=model))
        for who, why in ((b, friend), (c, stranger)):
            result = items(who, a.bare, node=node)
            if why:
                refused(who, result, *why)
            else:
                assert ids(result) == ["a"]
        assert ids(items(a, node=node)) == ["a"]
    refused(b, items(b, a.bare, node="urn:example:none"), "item-not-found")
    for jid in (a.bare, f"nobody@{server.domain}"):         # to a stranger they are alike (12.3)
        refused(c, items(c, jid, node="urn:example:none"), "not-authorized", "presence-subscription-required")


def test_roster_groups_decide(server):
    a, b = friends(server, "grace", "hank")
    interest(b, NODE)
    a.iq("set", f"<query xmlns='{NS['roster']}'><item jid='{b.bare}'><group>Friends</group></item></query>")
    ok(publish(a, access_model="roster", roster_groups_allowed=["Family", "Friends"]))
    assert event_ids(event(b)) == ["a"]
    assert ids(items(b, a.bare)) == ["a"]
    a.iq("set", f"<query xmlns='{NS['roster']}'><item jid='{b.bare}'><group>Others</group></item></query>")
    refused(b, items(b, a.bare), "not-authorized", "not-in-roster-group")
    ok(publish(a))
    silent(b)


def test_only_the_owner_changes_anything(server):
    a, b = friends(server, "iris", "jack")
    ok(publish(a, access_model="open"))
    for inner, ns in ((f"<publish node='{NODE}'><item>{entry('x')}</item></publish>", PS),
                      (f"<retract node='{NODE}'><item id='a'/></retract>", PS), (f"<create node='n'/>", PS),
                      (f"<configure node='{NODE}'>{form({'title': 'x'})}</configure>", OWN),
                      (f"<delete node='{NODE}'/>", OWN), (f"<purge node='{NODE}'/>", OWN),
                      (f"<affiliations node='{NODE}'/>", OWN), (f"<subscriptions node='{NODE}'/>", OWN)):
        refused(b, ask(b, "set", inner, a.bare, ns), "forbidden")
    for what in ("configure", "affiliations", "subscriptions"):
        refused(b, ask(b, "get", f"<{what} node='{NODE}'/>", a.bare, OWN), "forbidden")
    assert ids(items(a)) == ["a"]


def member(a, jid, affiliation="member", node=NODE):
    return ask(a, "set", f"<affiliations node='{node}'><affiliation jid='{jid}' affiliation='{affiliation}'/></affiliations>",
               ns=OWN)


def subscribe(client, owner, jid=None, node=NODE):
    return ask(client, "set", f"<subscribe node='{node}' jid='{jid or client.bare}'/>", owner)


def state(result):
    return ok(result).find(f".//{{{PS}}}subscription").get("subscription")


def test_a_whitelist_is_for_members_that_subscribe(server):
    a, b = server.client("kate"), server.client("liam")
    ok(publish(a, access_model="whitelist"))
    refused(b, subscribe(b, a.bare), "not-authorized", "presence-subscription-required")      # a stranger yet
    ok(member(a, b.bare))
    refused(b, items(b, a.bare), "not-authorized", "not-subscribed")
    assert state(subscribe(b, a.bare)) == "subscribed"
    assert event_ids(event(b)) == ["a"]                 # the last item comes with the subscription
    assert ids(items(b, a.bare)) == ["a"]
    found = ok(ask(a, "get", f"<affiliations node='{NODE}'/>", ns=OWN))
    assert sorted((e.get("jid"), e.get("affiliation")) for e in found.iter(f"{{{OWN}}}affiliation")) == \
        [(a.bare, "owner"), (b.bare, "member")]
    found = ok(ask(b, "get", "<affiliations/>", a.bare))
    assert [(e.get("node"), e.get("affiliation")) for e in found.iter(f"{{{PS}}}affiliation")] == [(NODE, "member")]
    ok(member(a, b.bare, "none"))
    m = event(b)
    assert m.find(f"{{{EVENT}}}event/{{{EVENT}}}subscription").get("subscription") == "none"
    refused(b, items(b, a.bare), "not-authorized", "presence-subscription-required")
    ok(publish(a))
    silent(b)


def test_an_outcast_gets_nothing(server):
    a, b = friends(server, "mick", "nora")
    interest(b, NODE)
    ok(publish(a, access_model="open"))
    event(b)
    ok(member(a, b.bare, "outcast"))
    refused(b, items(b, a.bare), "forbidden")
    refused(b, subscribe(b, a.bare), "forbidden")
    ok(publish(a))
    silent(b)
    for wrong, condition, app, feature in (("publisher", "feature-not-implemented", "unsupported", "publisher-affiliation"),
                                           ("publish-only", "feature-not-implemented", "unsupported",
                                            "publish-only-affiliation"), ("king", "not-acceptable", None, None)):
        refused(a, member(a, b.bare, wrong), condition, app, feature)
    refused(a, member(a, a.bare, "none"), "not-acceptable")
    refused(a, member(a, "not a@@jid", "none"), "bad-request")


def authorization(client):
    return client.expect("message", lambda m: any(v.text == PS + "#subscribe_authorization"
                                                  for v in m.iter("{jabber:x:data}value")))


def decide(a, asked, node, jid, allow, kind="submit"):
    a.write(f"<message id='{asked.get('id')}' to='{a.bare}'><x xmlns='jabber:x:data' type='{kind}'>"
            f"<field var='FORM_TYPE'><value>{PS}#subscribe_authorization</value></field>"
            f"<field var='pubsub#node'><value>{node}</value></field>"
            f"<field var='pubsub#subscriber_jid'><value>{jid}</value></field>"
            f"<field var='pubsub#allow'><value>{allow}</value></field></x></message>")
    a.ping()


def test_an_owner_authorizes(server):
    a, b = server.client("otto"), server.client("pia")
    ok(publish(a, access_model="authorize"))
    assert state(subscribe(b, a.bare)) == "pending"
    asked = authorization(a)
    fields = {f.get("var"): f.findtext("{jabber:x:data}value") for f in asked.iter("{jabber:x:data}field")}
    assert (fields["pubsub#node"], fields["pubsub#subscriber_jid"]) == (NODE, b.bare)
    refused(b, subscribe(b, a.bare), "not-authorized", "pending-subscription")
    refused(b, items(b, a.bare), "not-authorized", "not-subscribed")
    decide(a, asked, NODE, b.bare, "1", "cancel")
    refused(b, items(b, a.bare), "not-authorized", "not-subscribed")
    decide(a, asked, NODE, b.bare, "1")
    m = event(b)
    assert m.find(f"{{{EVENT}}}event/{{{EVENT}}}subscription").get("subscription") == "subscribed"
    assert event_ids(event(b)) == ["a"]
    assert ids(items(b, a.bare)) == ["a"]
    # Another one is refused; the owner's list says who is in.
    c = server.client("quin")
    assert state(subscribe(c, a.bare)) == "pending"
    decide(a, authorization(a), NODE, c.bare, "false")
    assert event(c).find(f"{{{EVENT}}}event/{{{EVENT}}}subscription").get("subscription") == "none"
    found = ok(ask(a, "get", f"<subscriptions node='{NODE}'/>", ns=OWN))
    assert [(e.get("jid"), e.get("subscription")) for e in found.iter(f"{{{OWN}}}subscription")] == [(b.bare, "subscribed")]
    # Nobody else decides.
    d = server.client("rita")
    assert state(subscribe(d, a.bare)) == "pending"
    decide(d, authorization(a), NODE, d.bare, "1")
    refused(d, items(d, a.bare), "not-authorized", "not-subscribed")


# ---- subscriptions

def test_subscriptions_by_bare_and_full_jid(server):
    a, b = server.client("sara"), server.client("theo", resource="one")
    b2 = server.client("theo", resource="two", register=False)
    ok(publish(a, access_model="open"))
    assert state(subscribe(b, a.bare, b.jid)) == "subscribed"
    m = event(b)
    assert event_ids(m) == ["a"] and m.find("delay:delay", NS) is not None and replyto(m) is None
    ok(publish(a, "two"))
    m = event(b)
    assert m.get("to") == b.jid and replyto(m) is None          # no subscription to the presence of a
    silent(b2)
    assert state(subscribe(b, a.bare)) == "subscribed"
    assert state(subscribe(b, a.bare)) == "subscribed"          # once more: the same
    found = ok(ask(b, "get", "<subscriptions/>", a.bare))
    assert sorted(e.get("jid") for e in found.iter(f"{{{PS}}}subscription")) == sorted([b.bare, b.jid])
    assert not list(ok(ask(b, "get", "<subscriptions node='urn:none'/>", a.bare)).iter(f"{{{PS}}}subscription"))
    for jid in (b.jid, b.bare):
        ok(ask(b, "set", f"<unsubscribe node='{NODE}' jid='{jid}'/>", a.bare))
    b.settle(0.2)
    ok(publish(a, "three"))
    silent(b)
    refused(b, ask(b, "set", f"<unsubscribe node='{NODE}' jid='{b.bare}'/>", a.bare), "unexpected-request",
            "not-subscribed")


def test_subscription_errors(server):
    a, b = server.client("ulla"), server.client("viki")
    ok(publish(a, access_model="open"))
    ok(publish(a, node="urn:closed", access_model="open", subscribe="0"))
    ok(publish(a, node="urn:presence"))
    refused(b, subscribe(b, a.bare, a.bare), "bad-request", "invalid-jid")
    refused(b, subscribe(b, a.bare, "@@"), "bad-request", "invalid-jid")
    refused(b, ask(b, "set", f"<subscribe node='{NODE}'/>", a.bare), "bad-request", "invalid-jid")
    refused(b, ask(b, "set", f"<subscribe jid='{b.bare}'/>", a.bare), "bad-request", "nodeid-required")
    refused(b, subscribe(b, a.bare, node="urn:none"), "not-authorized", "presence-subscription-required")
    refused(b, subscribe(b, a.bare, node="urn:presence"), "not-authorized", "presence-subscription-required")
    refused(b, subscribe(b, a.bare, node="urn:closed"), "feature-not-implemented", "unsupported", "subscribe")
    refused(b, ask(b, "set", f"<unsubscribe node='{NODE}' jid='{a.bare}'/>", a.bare), "forbidden")


def test_the_owner_manages_subscriptions(server):
    a, b = server.client("wim"), server.client("xena")
    ok(publish(a, access_model="whitelist"))
    ok(member(a, b.bare))

    def manage(*subs):
        inner = "".join(f"<subscription jid='{j}' subscription='{s}'/>" for j, s in subs)
        return ask(a, "set", f"<subscriptions node='{NODE}'>{inner}</subscriptions>", ns=OWN)

    ok(manage((b.bare, "subscribed")))
    assert event(b).find(f"{{{EVENT}}}event/{{{EVENT}}}subscription").get("subscription") == "subscribed"
    assert ids(items(b, a.bare)) == ["a"]
    refused(a, manage((b.bare, "none"), ("c@example.net", "wrong")), "not-acceptable")
    assert ids(items(b, a.bare)) == ["a"]                       # all of it or nothing
    refused(a, manage((b.bare, "none"), (b.bare, "subscribed")), "bad-request")
    ok(manage((b.bare, "none")))
    refused(b, items(b, a.bare), "not-authorized", "not-subscribed")


def test_a_tighter_access_model_ends_subscriptions(server):
    a, b = server.client("yoko"), server.client("zeno")
    ok(publish(a, access_model="open"))
    ok(subscribe(b, a.bare))
    event(b)
    ok(configure(a, access_model="presence"))
    assert event(b).find(f"{{{EVENT}}}event/{{{EVENT}}}subscription").get("subscription") == "none"
    ok(publish(a, "secret"))
    silent(b)
    ok(configure(a, access_model="open"))
    assert not list(ok(ask(b, "get", "<subscriptions/>", a.bare)).iter(f"{{{PS}}}subscription"))


# ---- nodes

def fields(result):
    return {f.get("var"): [v.text for v in f.findall("{jabber:x:data}value")] for f in result.iter("{jabber:x:data}field")}


def test_nodes_are_created_and_configured(server):
    a = server.client("abel")
    ok(ask(a, "set", f"<create node='{NODE}'/>"))
    refused(a, ask(a, "set", f"<create node='{NODE}'/>"), "conflict")
    made = ok(ask(a, "set", "<create/>")).find(f".//{{{PS}}}create").get("node")
    assert len(made) > 10
    ok(ask(a, "set", f"<create node='urn:two'/><configure>{form({'access_model': 'whitelist', 'max_items': 'max', 'title': 'A &amp; B'})}</configure>"))
    found = fields(ok(ask(a, "get", "<configure node='urn:two'/>", ns=OWN)))
    assert (found["pubsub#access_model"], found["pubsub#max_items"], found["pubsub#title"]) == (["whitelist"], ["max"], ["A & B"])
    found = fields(ok(ask(a, "get", "<default/>", ns=OWN)))
    assert (found["pubsub#access_model"], found["pubsub#send_last_published_item"], found["pubsub#persist_items"]) == \
        (["presence"], ["on_sub_and_presence"], ["1"])
    ok(configure(a, roster_groups_allowed=["A", "B"], deliver_payloads="0"))
    found = fields(ok(ask(a, "get", f"<configure node='{NODE}'/>", ns=OWN)))
    assert found["pubsub#roster_groups_allowed"] == ["A", "B"] and found["pubsub#deliver_payloads"] == ["0"]
    ok(ask(a, "set", f"<configure node='{NODE}'><x xmlns='jabber:x:data' type='cancel'/></configure>", ns=OWN))
    ok(configure(a, unheard_of="1"))                            # XEP-0004 3.2: ignored


def test_configuration_errors(server):
    a = server.client("boris")
    ok(ask(a, "set", f"<create node='{NODE}'/>"))
    refused(a, configure(a, access_model="everybody"), "not-acceptable", "unsupported-access-model")
    refused(a, configure(a, max_items="many"), "not-acceptable")
    refused(a, configure(a, publish_model="open"), "not-acceptable")
    refused(a, configure(a, node_type="collection"), "feature-not-implemented", "unsupported", "collections")
    refused(a, ask(a, "set", f"<configure node='{NODE}'><x xmlns='jabber:x:data' type='submit'/></configure>", ns=OWN),
            "bad-request")
    refused(a, ask(a, "set", f"<configure>{form({'title': 'x'})}</configure>", ns=OWN), "bad-request", "nodeid-required")
    for inner in (f"<configure node='urn:none'>{form({'title': 'x'})}</configure>", "<delete node='urn:none'/>",
                  "<purge node='urn:none'/>"):
        refused(a, ask(a, "set", inner, ns=OWN), "item-not-found")
    refused(a, ask(a, "set", f"<create node='urn:b'/><configure>{form({'access_model': 'x'})}</configure>"),
            "not-acceptable", "unsupported-access-model")
    refused(a, ask(a, "set", f"<create node='urn:b'/><configure node='urn:b'>{form({})}</configure>"), "bad-request")
    refused(a, ask(a, "get", "<configure node='urn:b'/>", ns=OWN), "item-not-found")
    refused(a, ask(a, "set", "<nonsense/>"), "feature-not-implemented")
    refused(a, a.iq("set", f"<pubsub xmlns='{PS}'/>"), "bad-request")
    refused(a, ask(a, "set", f"<create node='{'n' * 1024}'/>"), "bad-request")


def test_options_are_preconditions(server):
    a = server.client("clara")
    ok(publish(a, access_model="whitelist", max_items="max", persist_items="true"))
    ok(publish(a, "again", access_model="whitelist", persist_items="1"))
    refused(a, publish(a, "no", access_model="open"), "conflict", "precondition-not-met")
    refused(a, publish(a, "no", max_items="5"), "conflict", "precondition-not-met")
    refused(a, publish(a, "no", whatever="5"), "bad-request", "invalid-options")
    refused(a, publish(a, "no", node="urn:new", whatever="5"), "bad-request", "invalid-options")
    refused(a, publish(a, "no", node="urn:new", access_model="mine"), "not-acceptable", "unsupported-access-model")
    refused(a, ask(a, "set", f"<publish node='urn:new'><item>{entry('x')}</item></publish><publish-options>"
                   "<x xmlns='jabber:x:data' type='submit'/></publish-options>"), "bad-request", "invalid-options")
    refused(a, items(a, node="urn:new"), "item-not-found")
    assert items(a).find(".//{urn:example:entry}entry").text == "again"


def test_publish_errors(server):
    a = server.client("dirk")

    def raw(inner, node=f" node='{NODE}'"):
        return ask(a, "set", f"<publish{node}>{inner}</publish>")

    refused(a, raw(f"<item>{entry('x')}</item>", node=""), "bad-request", "nodeid-required")
    refused(a, raw(""), "bad-request", "item-required")
    refused(a, raw("<item id='a'/>"), "bad-request", "payload-required")
    refused(a, raw(f"<item>{entry('x')}{entry('y')}</item>"), "bad-request", "invalid-payload")
    refused(a, raw(f"<item>{entry('x')}</item><item>{entry('y')}</item>"), "bad-request")
    refused(a, raw(f"<item id='{'i' * 1024}'>{entry('x')}</item>"), "bad-request")
    refused(a, items(a), "item-not-found")                      # nothing was made
    ok(publish(a, "x", max_payload_size="100"))
    refused(a, publish(a, "x" * 100), "not-acceptable", "payload-too-big")
    refused(a, ask(a, "set", f"<retract><item id='a'/></retract>"), "bad-request", "nodeid-required")
    refused(a, ask(a, "set", f"<retract node='{NODE}'/>"), "bad-request", "item-required")
    refused(a, ask(a, "set", f"<retract node='{NODE}'><item/></retract>"), "bad-request", "item-required")
    refused(a, ask(a, "set", f"<retract node='{NODE}'><item id='none'/></retract>"), "item-not-found")
    refused(a, ask(a, "set", "<retract node='urn:none'><item id='a'/></retract>"), "item-not-found")


def test_transient_nodes(server):
    a = interest(server.client("emil"), NODE, "urn:bare")
    ok(publish(a, "passing", persist_items="0"))
    assert event(a).find(".//{urn:example:entry}entry").text == "passing"
    refused(a, items(a), "feature-not-implemented", "unsupported", "persistent-items")
    refused(a, ask(a, "set", f"<retract node='{NODE}'><item id='a'/></retract>"), "feature-not-implemented",
            "unsupported", "persistent-items")
    refused(a, ask(a, "set", f"<purge node='{NODE}'/>", ns=OWN), "feature-not-implemented", "unsupported",
            "persistent-items")
    ok(ask(a, "set", f"<create node='urn:bare'/><configure>{form({'persist_items': '0', 'deliver_payloads': '0'})}</configure>"))
    refused(a, publish(a, node="urn:bare"), "bad-request", "item-forbidden")
    ok(ask(a, "set", "<publish node='urn:bare'/>"))
    assert event_ids(event(a, "urn:bare")) == []


def test_items_by_page(server):
    a = server.client("fritz")
    for i in range(7):
        ok(publish(a, str(i), item_id=str(i), max_items="max"))

    def page(inner):
        result = items(a, after=f"<set xmlns='http://jabber.org/protocol/rsm'>{inner}</set>")
        return ids(result), result.findtext(".//{http://jabber.org/protocol/rsm}count")

    assert ids(items(a)) == list("6543210")
    assert ids(items(a, attrs=" max_items='2'")) == ["6", "5"]
    assert ids(items(a, inner="<item id='3'/><item id='9'/><item id='0'/>")) == ["3", "0"]
    assert page("<max>3</max>") == (["6", "5", "4"], "7")
    assert page("<max>3</max><after>4</after>") == (["3", "2", "1"], "7")
    assert page("<max>3</max><after>1</after>") == (["0"], "7")
    assert page("<max>2</max><before/>") == (["1", "0"], "7")
    assert page("<max>2</max><before>3</before>") == (["5", "4"], "7")
    assert page("<max>0</max>") == ([], "7")
    refused(a, items(a, after="<set xmlns='http://jabber.org/protocol/rsm'><after>x</after></set>"), "item-not-found")
    refused(a, items(a, after="<set xmlns='http://jabber.org/protocol/rsm'><max>x</max></set>"), "bad-request")
    refused(a, items(a, attrs=" max_items='x'"), "bad-request")
    # A large answer is cut, and says so.
    for i in range(4):
        ok(publish(a, "y" * 90000, item_id=f"large{i}"))
    result = items(a)
    assert ids(result) == ["large3", "large2"]
    assert result.findtext(".//{http://jabber.org/protocol/rsm}last") == "large2"


def test_service_discovery(server):
    a, b = friends(server, "gero", "hilda")
    c = server.client("ivo")
    ok(publish(a, "p", node="urn:p"))
    ok(publish(a, "w", node="urn:w", access_model="whitelist"))
    info = ok(a.iq("get", f"<query xmlns='{NS['disco_info']}'/>", to=a.bare))
    assert ("pubsub", "pep") in [(i.get("category"), i.get("type")) for i in info.iter(f"{{{NS['disco_info']}}}identity")]
    found = {f.get("var") for f in info.iter(f"{{{NS['disco_info']}}}feature")}
    assert {PS, PS + "#publish-options", PS + "#auto-create", PS + "#filtered-notifications", PS + "#access-presence",
            PS + "#multi-items", PS + "#config-node-max", PS + "#pubsub-on-a-jid"} <= found

    def nodes(who):
        return sorted(i.get("node") for i in who.iq("get", f"<query xmlns='{NS['disco_items']}'/>", to=a.bare)
                      .iter(f"{{{NS['disco_items']}}}item") if i.get("node"))

    assert nodes(a) == ["urn:p", "urn:w"] and nodes(b) == ["urn:p"]
    refused(c, c.iq("get", f"<query xmlns='{NS['disco_items']}'/>", to=a.bare), "service-unavailable")
    ok(publish(a, "o", node="urn:o", access_model="open"))
    assert nodes(c) == ["urn:o"]
    info = ok(b.iq("get", f"<query xmlns='{NS['disco_info']}' node='urn:p'/>", to=a.bare))
    assert [(i.get("category"), i.get("type")) for i in info.iter(f"{{{NS['disco_info']}}}identity")] == [("pubsub", "leaf")]
    assert fields(info)["FORM_TYPE"] == [PS + "#meta-data"] and fields(info)["pubsub#access_model"] == ["presence"]
    found = ok(b.iq("get", f"<query xmlns='{NS['disco_items']}' node='urn:p'/>", to=a.bare))
    assert [(i.get("name"), i.get("node")) for i in found.iter(f"{{{NS['disco_items']}}}item")] == [("a", None)]
    refused(b, b.iq("get", f"<query xmlns='{NS['disco_info']}' node='urn:w'/>", to=a.bare), "item-not-found")
    refused(c, c.iq("get", f"<query xmlns='{NS['disco_info']}' node='urn:p'/>", to=a.bare), "service-unavailable")


def test_who_is_blocked_hears_nothing(server):
    a, b = friends(server, "jorg", "kurt")
    interest(b, NODE)
    ok(publish(a))
    event(b)
    ok(a.iq("set", f"<block xmlns='urn:xmpp:blocking'><item jid='{b.bare}'/></block>"))
    b.settle(0.2)
    ok(publish(a, "secret"))
    silent(b)


def test_a_removed_account_leaves_no_nodes(server):
    a = server.client("ludo")
    ok(publish(a, access_model="open"))
    a.iq("set", "<query xmlns='jabber:iq:register'><remove/></query>")
    again = server.client("ludo")
    refused(again, items(again), "item-not-found")


def test_limits_are_told_and_nothing_is_lost(suite_limits):
    a, b = suite_limits.client("mia"), suite_limits.client("nico")
    for i in range(3):
        ok(publish(a, str(i), item_id=str(i), max_items="max", access_model="open"))
    refused(a, publish(a, "over", item_id="over"), "conflict", "node-full")
    assert ids(items(a)) == ["2", "1", "0"]
    refused(a, publish(a, "x" * 2000), "not-acceptable", "payload-too-big")
    ok(publish(a, node="urn:two"))
    refused(a, publish(a, node="urn:three"), "resource-constraint", "max-nodes-exceeded")
    refused(a, ask(a, "set", "<create/>"), "resource-constraint", "max-nodes-exceeded")
    assert state(subscribe(b, a.bare)) == "subscribed"
    refused(b, subscribe(b, a.bare, b.jid), "policy-violation", "too-many-subscriptions")


@pytest.fixture(scope="module")
def suite_limits():
    with Server("--set", "limits.pep_items_max=3", "--set", "limits.pep_nodes_max=2", "--set", "limits.pep_item_max=1000",
                "--set", "limits.pep_subscriptions_max=1") as server:
        yield server
