"""XEP-0013: what waits is counted, listed, viewed and removed by its owner, and not poured out on who asked."""

from harness import NS

OFFLINE, DELAY, SID = "http://jabber.org/protocol/offline", "urn:xmpp:delay", "urn:xmpp:sid:0"
INFO, ITEMS = "http://jabber.org/protocol/disco#info", "http://jabber.org/protocol/disco#items"


def waiting(server, name, count):
    """An account with messages m0.. that wait; their sender."""
    server.register(name)
    a = server.client(f"{name}-friend")
    for i in range(count):
        a.message(f"{name}@{server.domain}", f"m{i}")
    a.ping()
    return a


def reader(server, name, presence=False):
    return server.client(name, register=False, presence=presence)


def count(client):
    info = client.iq("get", f"<query xmlns='{INFO}' node='{OFFLINE}'/>")[0]
    assert info.get("node") == OFFLINE
    identity = info.find(f"{{{INFO}}}identity")
    assert (identity.get("category"), identity.get("type")) == ("automation", "message-list")
    assert [f.get("var") for f in info.findall(f"{{{INFO}}}feature")] == [OFFLINE]
    fields = {f.get("var"): f[0].text for f in info.iter("{jabber:x:data}field")}
    assert fields["FORM_TYPE"] == OFFLINE
    return int(fields["number_of_messages"])


def headers(client):
    items = client.iq("get", f"<query xmlns='{ITEMS}' node='{OFFLINE}'/>")[0].findall(f"{{{ITEMS}}}item")
    assert all(i.get("jid") == client.bare for i in items)
    return [(i.get("node"), i.get("name")) for i in items]


def act(client, kind, action, *nodes):
    rows = "".join(f"<item action='{action}' node='{n}'/>" for n in nodes)
    return request(client, kind, rows)


def request(client, kind, content, to=None):
    """Messages that came, then the error, or None."""
    i = client.new_id()
    address = f" to='{to}'" if to else ""
    client.write(f"<iq type='{kind}' id='{i}'{address}><offline xmlns='{OFFLINE}'>{content}</offline></iq>")
    came = []
    while True:
        e = client.next()
        if e.tag.endswith("iq") and e.get("id") == i:
            return came, client.error_of(e) if e.get("type") == "error" else None
        came.append(e)


def body(message):
    return message.findtext("client:body", None, NS)


def test_the_server_says_so(server):
    a = server.client("says")
    info = a.iq("get", f"<query xmlns='{INFO}'/>", to=server.domain)[0]
    assert OFFLINE in {f.get("var") for f in info.findall(f"{{{INFO}}}feature")}


def test_count_headers_view_remove(server):
    a = waiting(server, "picky", 4)
    b = reader(server, "picky")
    assert count(b) == 4
    listed = headers(b)
    assert [name for _, name in listed] == [a.jid] * 4
    nodes = [node for node, _ in listed]
    assert nodes == sorted(nodes) and len(set(nodes)) == 4
    came, error = act(b, "get", "view", nodes[2], nodes[0])
    assert error is None and [body(m) for m in came] == ["m0", "m2"]
    for m, node in zip(came, (nodes[0], nodes[2])):
        assert m.get("from") == a.jid
        assert [i.get("node") for i in m.find(f"{{{OFFLINE}}}offline")] == [node]
        assert m.find(f"{{{DELAY}}}delay") is not None
    assert count(b) == 4                                     # viewed is not removed
    assert act(b, "set", "remove", nodes[1], nodes[0], nodes[1]) == ([], None)
    assert count(b) == 2 and [n for n, _ in headers(b)] == nodes[2:]
    b.close()
    b = server.client("picky", register=False)               # who does not ask gets the rest as ever
    assert [body(b.expect("message")) for _ in range(2)] == ["m2", "m3"]


def test_no_flood_for_who_asked_nor_beside_it(server):
    a = waiting(server, "calm", 3)
    b = reader(server, "calm")
    assert len(headers(b)) == 3
    b.write("<presence/>")
    a.message(b.bare, "live")
    assert body(b.expect("message")) == "live"
    second = server.client("calm", register=False, resource="second")
    second.expect_none("message")
    b.expect_none("message")
    second.close()
    b.close()
    c = server.client("calm", register=False)                # nobody reads by hand any more
    assert [body(c.expect("message")) for _ in range(3)] == ["m0", "m1", "m2"]


def test_fetch_and_purge(server):
    waiting(server, "all", 3)
    b = reader(server, "all")
    came, error = request(b, "get", "<fetch/>")
    assert error is None and [body(m) for m in came] == ["m0", "m1", "m2"]
    b.write("<presence/>")
    b.ping()
    b.expect_none("message")
    assert count(b) == 3
    assert request(b, "set", "<purge/>") == ([], None)
    assert count(b) == 0 and headers(b) == []
    assert request(b, "get", "<fetch/>") == ([], None)
    b.close()
    c = server.client("all", register=False)
    c.expect_none("message")


def test_what_is_no_request(server):
    waiting(server, "odd", 1)
    b = reader(server, "odd")
    (node, _), = headers(b)
    assert act(b, "get", "view", node, "0" * 16)[1] == "item-not-found"
    assert act(b, "set", "remove", node, "no-such-node")[1] == "item-not-found"
    assert act(b, "get", "remove", node)[1] == "bad-request"
    assert act(b, "set", "view", node)[1] == "bad-request"
    assert request(b, "get", "")[1] == "bad-request"
    assert request(b, "set", "<fetch/>")[1] == "bad-request"
    assert act(b, "set", "remove", *[node] * 1001)[1] == "resource-constraint"
    assert count(b) == 1                                     # nothing was done


def test_nobody_else(server):
    waiting(server, "private", 1)
    a = server.client("nosy")
    for victim in (f"private@{server.domain}", f"nobody@{server.domain}"):
        assert request(a, "get", "<fetch/>", to=victim)[1] == "forbidden"
        assert request(a, "set", "<purge/>", to=victim)[1] == "forbidden"
        for ns in (INFO, ITEMS):
            i = a.new_id()
            a.write(f"<iq type='get' id='{i}' to='{victim}'><query xmlns='{ns}' node='{OFFLINE}'/></iq>")
            assert a.error_of(a.expect("iq", lambda e, i=i: e.get("id") == i)) == "forbidden"
    assert count(reader(server, "private")) == 1


def test_it_outlives_sm(server):
    waiting(server, "firm", 2)
    b = reader(server, "firm")
    nodes = [n for n, _ in headers(b)]
    server.restart("sm-1")
    b = reader(server, "firm")
    assert [n for n, _ in headers(b)] == nodes
