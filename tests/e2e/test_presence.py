"""Rosters, subscriptions and presence: RFC 6121 sections 2, 3 and 4."""

from harness import NS


def roster(client, ver=None):
    attr = f" ver='{ver}'" if ver is not None else ""
    return client.iq("get", f"<query xmlns='{NS['roster']}'{attr}/>")


def items(result):
    return {i.get("jid"): i for i in result.findall("roster:query/roster:item", NS)}


def push(client):
    e = client.expect("iq", lambda e: e.get("type") == "set" and e.find("roster:query", NS) is not None)
    client.write(f"<iq type='result' id='{e.get('id')}'/>")
    return e.find("roster:query/roster:item", NS)


def test_roster_set_is_pushed_and_kept(server):
    a = server.client("anna")
    assert items(roster(a)) == {}
    a.write(f"<iq type='set' id='r1'><query xmlns='{NS['roster']}'><item jid='Friend@Example.NET' name='F &amp; co'>"
            "<group>one</group><group>two</group></item></query></iq>")
    item = push(a)
    assert item.get("jid") == "friend@example.net" and item.get("subscription") == "none"
    a.expect("iq", lambda e: e.get("id") == "r1" and e.get("type") == "result")
    item = items(roster(a))["friend@example.net"]
    assert item.get("name") == "F & co"
    assert sorted(g.text for g in item.findall("roster:group", NS)) == ["one", "two"]
    a.iq("set", f"<query xmlns='{NS['roster']}'><item jid='friend@example.net' subscription='remove'/></query>")
    assert items(roster(a)) == {}


def test_roster_errors(server):
    a = server.client("anna")
    q = f"<query xmlns='{NS['roster']}'>%s</query>"
    assert a.error_of(a.iq("set", q % "<item jid='x@y.example' subscription='remove'/>")) == "item-not-found"
    assert a.error_of(a.iq("set", q % "<item jid='a@y.example'/><item jid='b@y.example'/>")) == "bad-request"
    assert a.error_of(a.iq("set", q % "<item jid='a@y.example'><group>g</group><group>g</group></item>")) == "bad-request"
    assert a.error_of(a.iq("set", q % "<item jid='a@y.example'><group/></item>")) == "not-acceptable"
    assert a.error_of(a.iq("set", q % f"<item jid='a@y.example' name='{'n' * 2000}'/>")) == "not-acceptable"
    assert a.error_of(a.iq("get", q % "", to=f"somebody@{server.domain}")) in ("forbidden", "service-unavailable")


def test_roster_versions(server):
    a = server.client("versed")
    first = roster(a, "")
    ver = first.find("roster:query", NS).get("ver")
    assert ver
    a.iq("set", f"<query xmlns='{NS['roster']}'><item jid='v@y.example'/></query>")
    b = server.client("versed", resource="b", register=False)
    b.write(f"<iq type='get' id='rv'><query xmlns='{NS['roster']}' ver='{ver}'/></iq>")
    e = b.expect("iq", lambda e: e.get("id") == "rv")
    if e.find("roster:query", NS) is None:
        assert push(b).get("jid") == "v@y.example"
    else:
        assert "v@y.example" in items(e)
    new = roster(a, "").find("roster:query", NS).get("ver")
    assert new != ver
    same = roster(a, new)
    assert same.find("roster:query", NS) is None or not items(same)


def test_subscription_from_request_to_removal(server):
    a, b = server.client("carl"), server.client("dora")
    roster(a), roster(b)
    a.write(f"<presence type='subscribe' to='{b.bare}'/>")
    item = push(a)
    assert (item.get("subscription"), item.get("ask")) == ("none", "subscribe")
    p = b.expect("presence", lambda p: p.get("type") == "subscribe")
    assert p.get("from") == a.bare
    b.write(f"<presence type='subscribed' to='{a.bare}'/>")
    assert push(b).get("subscription") == "from"
    assert push(a).get("subscription") == "to"
    a.expect("presence", lambda p: p.get("from") == b.jid and p.get("type") is None)
    b.write(f"<presence type='subscribe' to='{a.bare}'/>")
    a.expect("presence", lambda p: p.get("type") == "subscribe")
    a.write(f"<presence type='subscribed' to='{b.bare}'/>")
    b.expect("presence", lambda p: p.get("from") == a.jid and p.get("type") is None)
    assert items(roster(a))[b.bare].get("subscription") == "both"
    # Presence flows both ways, with its content.
    a.write("<presence><show>away</show><status>tea</status></presence>")
    p = b.expect("presence", lambda p: p.findtext("client:show", None, NS) == "away")
    assert p.findtext("client:status", None, NS) == "tea" and p.get("to").startswith(b.bare)
    # Removal cancels both directions.
    a.iq("set", f"<query xmlns='{NS['roster']}'><item jid='{b.bare}' subscription='remove'/></query>")
    b.expect("presence", lambda p: p.get("type") in ("unsubscribe", "unsubscribed"))
    assert items(roster(b))[a.bare].get("subscription") == "none"
    assert items(roster(a)) == {}


def test_a_pending_request_waits_for_login(server):
    a = server.client("eric")
    server.register("fred")
    a.write(f"<presence type='subscribe' to='fred@{server.domain}'><status>please</status></presence>")
    a.ping()
    for _ in range(2):
        b = server.client("fred", register=False)
        p = b.expect("presence", lambda p: p.get("type") == "subscribe")
        assert p.get("from") == a.bare
        b.close()


def test_initial_presence_probes_and_unavailable(server):
    a, b = server.client("gina"), server.client("hugo")
    a.befriend(b)
    b.close()
    a.expect("presence", lambda p: p.get("type") == "unavailable" and p.get("from") == b.jid)
    b = server.client("hugo", register=False, resource="again")
    a.expect("presence", lambda p: p.get("from") == b.jid and p.get("type") is None)
    b.expect("presence", lambda p: p.get("from") == a.jid)
    # A connection that just vanishes makes the session unavailable as well.
    b.drop()
    a.expect("presence", lambda p: p.get("type") == "unavailable" and p.get("from") == b.jid)


def test_directed_presence_ends_with_the_session(server):
    a, b = server.client("ivan"), server.client("jana")
    a.write(f"<presence to='{b.jid}'><status>hello</status></presence>")
    b.expect("presence", lambda p: p.get("from") == a.jid)
    a.close()
    b.expect("presence", lambda p: p.get("from") == a.jid and p.get("type") == "unavailable")


def test_strangers_see_nothing(server):
    a, b = server.client("karl"), server.client("lena")
    a.write(f"<presence type='probe' to='{b.bare}'/>")
    a.expect_none("presence", lambda p: (p.get("from") or "").startswith(b.bare) and p.get("type") is None)


def test_own_resources_see_each_other(server):
    a = server.client("mona", resource="one")
    b = server.client("mona", resource="two")
    a.expect("presence", lambda p: p.get("from") == b.jid)
    b.expect("presence", lambda p: p.get("from") == a.jid)


def test_bad_priority(server):
    a = server.client("nina")
    a.write("<presence id='p1'><priority>1000</priority></presence>")
    assert a.error_of(a.expect("presence", lambda p: p.get("type") == "error")) == "bad-request"
