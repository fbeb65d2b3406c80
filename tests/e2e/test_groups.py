"""Shared roster groups: what the operator puts together appears in rosters, with presence and without requests."""

import pytest

from harness import NS, wait_for

OPTIONS = ["--set", "limits.groups_max=4", "--set", "limits.group_members_max=6"]


def items(client):
    e = client.iq("get", f"<query xmlns='{NS['roster']}'/>")
    return {i.get("jid"): (i.get("subscription"), [g.text for g in i.findall("roster:group", NS)])
            for i in e.findall("roster:query/roster:item", NS)}


def push_of(client, jid, subscription):
    return client.expect("iq", lambda e: e.get("type") == "set" and any(
        i.get("jid") == jid and i.get("subscription") == subscription
        for i in e.findall("roster:query/roster:item", NS)))


def available(client, jid):
    return client.expect("presence", lambda p: p.get("from") == jid and p.get("type") is None)


def gone(client, jid):
    return client.expect("presence", lambda p: p.get("from") == jid and p.get("type") == "unavailable")


def group(server, name):
    return f"{name}@{server.domain}"


@pytest.fixture
def staff(server):
    server.ctl("group-set", group(server, "staff"), "The Staff")
    yield group(server, "staff")
    server.ctl("group-delete", group(server, "staff"))


def test_members_see_each_other_and_stop(server, staff):
    a, b = server.client("anna"), server.client("bert")
    assert items(a) == {} and items(b) == {}
    server.ctl("group-add", staff, a.bare)
    server.ctl("group-add", staff, b.bare)
    for c, other in ((a, b), (b, a)):
        push_of(c, other.bare, "both")
        available(c, other.jid)
        assert items(c) == {other.bare: ("both", ["The Staff"])}
    assert {r["jid"] for r in server.ctl_json("group-members", staff)} == {a.bare, b.bare}
    assert [(r["group"], r["title"], r["everybody"]) for r in server.ctl_json("groups")] == [(staff, "The Staff", False)]
    a.write("<presence><show>dnd</show></presence>")
    b.expect("presence", lambda p: p.findtext("client:show", None, NS) == "dnd")
    assert a.error_of(a.iq("set", f"<query xmlns='{NS['roster']}'><item jid='{b.bare}' subscription='remove'/></query>")) \
        == "not-allowed"
    a.write(f"<presence type='unsubscribed' to='{b.bare}'/><presence type='unsubscribe' to='{b.bare}'/>")
    a.ping()
    assert items(b)[a.bare][0] == "both" and items(a)[b.bare][0] == "both"
    server.ctl("group-remove", staff, b.bare)
    for c, other in ((a, b), (b, a)):
        push_of(c, other.bare, "remove")
        gone(c, other.jid)
        assert items(c) == {}


def test_what_a_member_had_himself_stays(server, staff):
    a, b = server.client("carl"), server.client("dora")
    items(a), items(b)
    a.write(f"<presence type='subscribe' to='{b.bare}'/>")
    b.expect("presence", lambda p: p.get("type") == "subscribe")
    b.write(f"<presence type='subscribed' to='{a.bare}'/>")
    a.expect("presence", lambda p: p.get("type") == "subscribed")
    a.iq("set", f"<query xmlns='{NS['roster']}'><item jid='{b.bare}' name='D'><group>mine</group></item></query>")
    for c in (a, b):
        server.ctl("group-add", staff, c.bare)
    wait_for(lambda: items(a)[b.bare] == ("both", ["mine", "The Staff"]), "the group")
    wait_for(lambda: items(b)[a.bare] == ("both", ["The Staff"]), "the group")
    server.ctl("group-set", staff, "mine")
    wait_for(lambda: items(a)[b.bare] == ("both", ["mine"]), "the title")
    server.ctl("group-remove", staff, a.bare)
    wait_for(lambda: items(a)[b.bare] == ("to", ["mine"]), "the end")
    wait_for(lambda: items(b)[a.bare] == ("from", []), "the end")


def test_everybody(server):
    """All accounts of a domain, also those that come, and not those that go."""
    everybody = group(server, "all")
    a = server.client("anna")
    items(a)
    server.ctl("group-set", everybody, "Everybody", "everybody")
    wait_for(lambda: {f"{n}@{server.domain}" for n in ("bert", "carl", "dora")} <= set(items(a)), "all accounts")
    n = server.client("newcomer")
    push_of(a, n.bare, "both")
    available(a, n.jid)
    wait_for(lambda: a.bare in items(n), "the others")
    server.ctl("unregister", n.bare)
    push_of(a, n.bare, "remove")
    assert n.bare not in items(a)
    server.ctl("group-delete", everybody)
    wait_for(lambda: items(a) == {}, "the end of the group")


def test_over_a_restart(server, staff):
    a, b = server.client("anna"), server.client("bert")
    items(a), items(b)
    for c in (a, b):
        server.ctl("group-add", staff, c.bare)
    server.restart("sm-1")
    wait_for(lambda: items(a) == {b.bare: ("both", ["The Staff"])}, "the group")
    wait_for(lambda: items(b) == {a.bare: ("both", ["The Staff"])}, "the group")


def test_bad_requests_and_limits(server, staff):
    def code(*args):
        server.ctl(*args, check=False)
        return server.ctl_error

    server.register("ada"), server.register("bo")
    assert "bad_jid" in code("group-set", "no domain", "x")
    assert "not_found" in code("group-set", "g@elsewhere.example", "x")
    assert "bad_request" in code("group-set", staff, "")
    assert "bad_request" in code("group-set", staff, "x", "anybody")
    assert "not_found" in code("group-add", staff, f"nobody-here@{server.domain}")
    assert "not_found" in code("group-add", group(server, "none"), f"ada@{server.domain}")
    assert "not_found" in code("group-remove", staff, f"ada@{server.domain}")
    assert "not_found" in code("group-delete", group(server, "none"))
    for i in range(3):
        server.ctl("group-set", group(server, f"g{i}"), "x")
    assert "full" in code("group-set", group(server, "g4"), "x")
    for i in range(3):
        server.ctl("group-delete", group(server, f"g{i}"))
    for i in range(6):
        server.ctl("group-add", staff, server.register(f"member{i}"))
    assert "full" in code("group-add", staff, f"ada@{server.domain}")
    assert "full" in code("group-set", group(server, "all"), "x", "everybody")
