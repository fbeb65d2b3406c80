"""XEP-0012 Last Activity."""

import time

from harness import NS

LAST = "<query xmlns='jabber:iq:last'/>"


def last(client, to=None):
    e = client.iq("get", LAST, to=to)
    query = e.find("{jabber:iq:last}query")
    return e if e.get("type") == "error" else (int(query.get("seconds")), query.text or "")


def test_the_server_tells_its_uptime(server):
    a = server.client("anna")
    first = last(a, server.domain)[0]
    time.sleep(1.1)
    assert first < last(a, server.domain)[0] < 600
    info = a.iq("get", f"<query xmlns='{NS['disco_info']}'/>", to=server.domain)
    assert "jabber:iq:last" in {f.get("var") for f in info.iter(f"{{{NS['disco_info']}}}feature")}


def test_a_friend_knows_and_a_stranger_does_not(server):
    a, b, c = server.client("anna"), server.client("bert"), server.client("carl")
    a.befriend(b)
    assert last(a, b.bare) == (0, "")
    b.write("<presence type='unavailable'><status>Heading &lt;Home&gt;</status></presence>")
    b.close()
    time.sleep(1.1)
    seconds, text = last(a, b.bare)
    assert 1 <= seconds < 100 and text == "Heading <Home>"
    for to in (b.bare, f"nobody@{server.domain}", b.jid, a.jid):
        assert c.error_of(last(c, to)) == "forbidden"
    server.restart("sm-1")
    assert last(a, b.bare)[1] == "Heading <Home>"
    b = server.client("bert", register=False)
    b.drop()
    for _ in range(50):
        if last(a, f"bert@{server.domain}")[1] == "":
            break
        time.sleep(0.1)
    seconds, text = last(a, f"bert@{server.domain}")
    assert seconds < 100 and text == ""


def test_of_oneself_and_of_one_who_was_never_there(server):
    a = server.client("anna")
    assert last(a) == (0, "")
    b = server.client("dora")
    b.befriend(a)
    b.close()
    server.register("fresh")
    f = server.client("fresh", register=False, presence=False)
    f.iq("get", f"<query xmlns='{NS['roster']}'/>")
    f.write(f"<presence to='{a.bare}' type='subscribed'/>")        # pre-approved (RFC 6121 3.4)
    f.close()
    a.iq("get", f"<query xmlns='{NS['roster']}'/>")
    a.write(f"<presence to='fresh@{server.domain}' type='subscribe'/>")
    a.expect("presence", lambda p: p.get("type") == "subscribed")
    seconds, text = last(a, f"fresh@{server.domain}")
    assert 0 <= seconds < 100 and text == ""


def test_a_resource_answers_those_who_may_see_it(server):
    a, b, c = server.client("anna4"), server.client("bert4"), server.client("carl4")
    a.befriend(b)
    ident = a.new_id()
    a.write(f"<iq type='get' id='{ident}' to='{b.jid}'>{LAST}</iq>")
    q = b.expect("iq", lambda e: e.get("id") == ident)
    b.write(f"<iq type='result' id='{ident}' to='{q.get('from')}'><query xmlns='jabber:iq:last' seconds='123'/></iq>")
    e = a.expect("iq", lambda e: e.get("id") == ident)
    assert e.find("{jabber:iq:last}query").get("seconds") == "123"
    assert c.error_of(last(c, b.jid)) == "forbidden"
    b.ping()
    b.expect_none("iq", lambda e: e.get("type") == "get")
    b.write(f"<presence to='{c.jid}'/>")                            # it shows itself to carl
    b.ping()
    ident = c.new_id()
    c.write(f"<iq type='get' id='{ident}' to='{b.jid}'>{LAST}</iq>")
    b.expect("iq", lambda e: e.get("id") == ident)
