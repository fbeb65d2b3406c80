"""Bookmarks in private storage (XEP-0049), in one item (XEP-0048) and in one item each (XEP-0402), kept in step."""

NEW = "urn:xmpp:bookmarks:1"
OLD = "storage:bookmarks"
PRIVATE = "jabber:iq:private"
PUBSUB = "http://jabber.org/protocol/pubsub"


def put_private(client, inside):
    return client.iq("set", f"<query xmlns='{PRIVATE}'><storage xmlns='{OLD}'>{inside}</storage></query>")


def private(client):
    e = client.iq("get", f"<query xmlns='{PRIVATE}'><storage xmlns='{OLD}'/></query>")
    return rooms(e)


def rooms(e):
    return {c.get("jid"): c for c in e.iter(f"{{{OLD}}}conference")}


def items(client, node=NEW):
    e = client.iq("get", f"<pubsub xmlns='{PUBSUB}'><items node='{node}'/></pubsub>")
    return e


def new(client):
    return {i.get("id"): i.find(f"{{{NEW}}}conference") for i in items(client).iter(f"{{{PUBSUB}}}item")}


def publish(client, node, item_id, payload):
    """As XEP-0402 3.2 and XEP-0223 have it."""
    fields = {"persist_items": "true", "max_items": "max", "send_last_published_item": "never", "access_model": "whitelist"}
    form = "".join(f"<field var='pubsub#{k}'><value>{v}</value></field>" for k, v in fields.items())
    return client.iq("set", f"<pubsub xmlns='{PUBSUB}'><publish node='{node}'><item id='{item_id}'>{payload}</item>"
                            "</publish><publish-options><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' "
                            f"type='hidden'><value>{PUBSUB}#publish-options</value></field>{form}</x></publish-options>"
                            "</pubsub>")


ROOM = "a@muc.example.org"
OTHER = "b@muc.example.org"


def test_features(server):
    a = server.client("bm0")
    e = a.iq("get", "<query xmlns='http://jabber.org/protocol/disco#info'/>", to=f"bm0@{server.domain}")
    have = {f.get("var") for f in e.iter("{http://jabber.org/protocol/disco#info}feature")}
    assert {NEW + "#compat", NEW + "#compat-pep", "urn:xmpp:bookmarks-conversion:0"} <= have


def test_private_storage_becomes_items(server):
    a = server.client("bm1")
    assert put_private(a, f"<conference jid='{ROOM}' name='One' autojoin='1'><nick>me</nick></conference>"
                          f"<conference jid='{OTHER}'/><url name='u' url='http://x/'/>").get("type") == "result"
    found = new(a)
    assert set(found) == {ROOM, OTHER}
    assert found[ROOM].get("name") == "One" and found[ROOM].get("autojoin") == "true"
    assert found[ROOM].find(f"{{{NEW}}}nick").text == "me"
    assert set(rooms(items(a, OLD))) == {ROOM, OTHER}
    put_private(a, f"<conference jid='{OTHER}'/>")
    assert set(new(a)) == {OTHER}
    # nobody else may read what was made for them
    b = server.client("bm1b")
    for node in (NEW, OLD):
        e = b.iq("get", f"<pubsub xmlns='{PUBSUB}'><items node='{node}'/></pubsub>", to=f"bm1@{server.domain}")
        assert e.get("type") == "error"


def test_items_become_private_storage(server):
    a = server.client("bm2")
    put_private(a, "<url name='u' url='http://x/'/>")
    assert publish(a, NEW, ROOM, f"<conference xmlns='{NEW}' name='One' autojoin='true'><extensions>"
                                 "<e xmlns='urn:example:e'/></extensions></conference>").get("type") == "result"
    publish(a, NEW, OTHER, f"<conference xmlns='{NEW}'/>")
    assert list(private(a)) == [ROOM, OTHER]
    assert private(a)[ROOM].get("name") == "One"
    assert set(rooms(items(a, OLD))) == {ROOM, OTHER}
    e = a.iq("get", f"<query xmlns='{PRIVATE}'><storage xmlns='{OLD}'/></query>")
    assert e.find(f".//{{{OLD}}}url") is not None
    # an old client knows nothing of extensions; they stay
    put_private(a, f"<conference jid='{ROOM}' name='Uno' autojoin='true'/><conference jid='{OTHER}'/>")
    assert new(a)[ROOM].get("name") == "Uno"
    assert new(a)[ROOM].find(f"{{{NEW}}}extensions/{{urn:example:e}}e") is not None
    a.iq("set", f"<pubsub xmlns='{PUBSUB}'><retract node='{NEW}' notify='1'><item id='{ROOM}'/></retract></pubsub>")
    assert set(private(a)) == {OTHER}


def test_the_node_of_one_item(server):
    a = server.client("bm3")
    storage = f"<storage xmlns='{OLD}'><conference jid='{ROOM}' name='One'/></storage>"
    assert publish(a, OLD, "current", storage).get("type") == "result"
    assert set(private(a)) == {ROOM}
    assert set(new(a)) == {ROOM}
    publish(a, NEW, OTHER, f"<conference xmlns='{NEW}'/>")
    assert set(rooms(items(a, OLD))) == {ROOM, OTHER}


def test_a_public_node_gets_nothing(server):
    a = server.client("bm4")
    options = ("<publish-options><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'><value>"
               f"{PUBSUB}#publish-options</value></field><field var='pubsub#access_model'><value>open</value></field>"
               "</x></publish-options>")
    a.iq("set", f"<pubsub xmlns='{PUBSUB}'><publish node='{NEW}'><item id='{ROOM}'><conference xmlns='{NEW}'/></item>"
                f"</publish>{options}</pubsub>")
    put_private(a, f"<conference jid='{OTHER}'/>")
    assert set(new(a)) == {ROOM}
    assert set(private(a)) == {OTHER}


def test_too_much_is_refused_whole(server):
    a = server.client("bm5")
    put_private(a, f"<conference jid='{ROOM}'/>")
    big = "x" * 140000
    e = publish(a, NEW, OTHER, f"<conference xmlns='{NEW}' name='{big}'/>")
    assert e.get("type") == "error"
    assert set(new(a)) == {ROOM} and set(private(a)) == {ROOM}
