"""XEP-0191 Blocking Command and XEP-0377 reports, with real sessions, rooms and restarts."""

from harness import NS

BLOCKING = "urn:xmpp:blocking"
OPTIONS = ["--set", "domain[example.org].admins=admin@example.org", "--set", "limits.blocklist_max=30"]


def block(client, *jids, inside=""):
    items = "".join(f"<item jid='{jid}'>{inside}</item>" for jid in jids)
    return client.iq("set", f"<block xmlns='{BLOCKING}'>{items}</block>")


def unblock(client, *jids):
    items = "".join(f"<item jid='{jid}'/>" for jid in jids)
    return client.iq("set", f"<unblock xmlns='{BLOCKING}'>{items}</unblock>")


def blocklist(client):
    e = client.iq("get", f"<blocklist xmlns='{BLOCKING}'/>")
    return {i.get("jid") for i in e.find(f"{{{BLOCKING}}}blocklist")}


def is_push(name):
    return lambda e: e.get("type") == "set" and e.find(f"{{{BLOCKING}}}{name}") is not None


def test_the_server_says_so(server):
    a = server.client("anna")
    info = a.iq("get", f"<query xmlns='{NS['disco_info']}'/>", to=server.domain)
    features = {f.get("var") for f in info.iter(f"{{{NS['disco_info']}}}feature")}
    assert {BLOCKING, "urn:xmpp:reporting:1"} <= features


def test_list_pushes_and_restart(server):
    a, b = server.client("list"), server.client("list", resource="b", register=False)
    assert blocklist(a) == set()
    assert block(b, "Bad@Example.NET", "evil.example").get("type") == "result"
    push = a.expect("iq", is_push("block"))
    assert {i.get("jid") for i in push[0]} == {"bad@example.net", "evil.example"}
    b.ping()
    b.expect_none("iq", is_push("block"))
    server.restart("sm-1")
    assert blocklist(b) == {"bad@example.net", "evil.example"}
    unblock(a, "evil.example")
    assert {i.get("jid") for i in b.expect("iq", is_push("unblock"))[0]} == {"evil.example"}
    unblock(b)
    assert len(a.expect("iq", lambda e: is_push("unblock")(e) and not len(e[0]))[0]) == 0
    assert blocklist(a) == set()


def test_both_directions(server):
    a, b = server.client("anna"), server.client("bert")
    a.befriend(b)
    block(a, b.bare)
    b.expect("presence", lambda p: p.get("from") == a.jid and p.get("type") == "unavailable")
    for to in (a.bare, a.jid, a.bare + "/nobody"):
        ident = b.message(to, "hear me")
        e = b.expect("message", lambda m: m.get("id") == ident)
        assert b.error_of(e) == "service-unavailable"
        assert b.error_of(b.iq("get", "<ping xmlns='urn:xmpp:ping'/>", to=to)) == "service-unavailable"
    b.write(f"<presence to='{a.bare}' type='probe'/><presence><show>dnd</show></presence>"
            f"<presence to='{a.jid}'/><presence to='{a.bare}' type='subscribe'/>")
    b.ping()
    ident = a.message(b.bare, "nor me")
    e = a.expect("message", lambda m: m.get("id") == ident)
    assert a.error_of(e) == "not-acceptable"
    assert e.find("client:error/{urn:xmpp:blocking:errors}blocked", NS) is not None
    a.write("<presence><show>away</show></presence>")
    a.ping()
    a.expect_none("message")
    for e in b.settle():
        assert e.get("from") not in (a.jid, a.bare)
    unblock(a, b.bare)
    b.expect("presence", lambda p: p.get("from") == a.jid and p.findtext("client:show", None, NS) == "away")
    a.expect("presence", lambda p: p.get("from") == b.jid and p.findtext("client:show", None, NS) == "dnd")
    b.message(a.bare, "now")
    a.expect_body("now")


def test_offline_and_archive_keep_nothing(server):
    a, b = server.client("anna2"), server.client("bert2")
    block(a, b.bare)
    a.close()
    ident = b.message(a.bare, "later?")
    assert b.error_of(b.expect("message", lambda m: m.get("id") == ident)) == "service-unavailable"
    a = server.client("anna2")
    a.ping()
    a.expect_none("message")
    fin = a.iq("set", "<query xmlns='urn:xmpp:mam:2'/>")
    assert fin.find("{urn:xmpp:mam:2}fin").get("complete") == "true"
    assert not [e for e in a.settle(0.2) if e.tag.endswith("message")]


def test_a_troll_in_a_room(server):
    room = f"yard@muc.{server.domain}"
    a, troll = server.client("anna3"), server.client("troll")
    for c, nick in ((a, "anna"), (troll, "troll")):
        c.write(f"<presence to='{room}/{nick}'><x xmlns='{NS['muc']}'/></presence>")
        c.expect("message", lambda m: m.find("client:subject", NS) is not None)
        if c is a:                  # an instant room (XEP-0045 10.1.2)
            a.iq("set", f"<query xmlns='{NS['muc_owner']}'><x xmlns='jabber:x:data' type='submit'/></query>", to=room)
    block(a, f"{room}/troll")
    troll.message(room, "boo", kind="groupchat")
    troll.expect_body("boo")
    troll.message(f"{room}/anna", "psst")
    troll.ping()
    a.message(room, "still here", kind="groupchat")
    seen = [a.expect("message", lambda m: m.find("client:body", NS) is not None).findtext("client:body", None, NS)]
    assert seen == ["still here"]
    troll.expect_body("still here")
    block(a, room)
    troll.expect("presence", lambda p: p.get("from") == f"{room}/anna" and p.get("type") == "unavailable")


def test_no_events_of_nodes(server):
    """XEP-0060: a subscriber who is blocked hears nothing, and may not look."""
    a, b = server.client("anna4"), server.client("bert4")
    pubsub = "http://jabber.org/protocol/pubsub"
    options = (f"<publish-options><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'><value>"
               f"{pubsub}#publish-options</value></field><field var='pubsub#access_model'><value>open</value></field>"
               "</x></publish-options>")

    def publish(text):
        return a.iq("set", f"<pubsub xmlns='{pubsub}'><publish node='news'><item id='{text}'><n xmlns='urn:n'/></item>"
                    f"</publish>{options}</pubsub>")

    assert publish("one").get("type") == "result"
    assert b.iq("set", f"<pubsub xmlns='{pubsub}'><subscribe node='news' jid='{b.bare}'/></pubsub>",
                to=a.bare).get("type") == "result"
    publish("two")
    is_event = lambda m: m.find(f"{{{pubsub}#event}}event") is not None
    b.expect("message", lambda m: is_event(m) and "two" in [i.get("id") for i in m.iter(f"{{{pubsub}#event}}item")])
    block(a, b.bare)
    publish("three")
    b.ping()
    b.expect_none("message", is_event)
    assert b.error_of(b.iq("get", f"<pubsub xmlns='{pubsub}'><items node='news'/></pubsub>", to=a.bare)) == \
        "service-unavailable"
    unblock(a, b.bare)
    publish("four")
    b.expect("message", is_event)


def test_errors_and_limit(server):
    a = server.client("many")
    assert a.error_of(a.iq("set", f"<block xmlns='{BLOCKING}'/>")) == "bad-request"
    assert a.error_of(a.iq("set", f"<block xmlns='{BLOCKING}'><item/></block>")) == "bad-request"
    assert a.error_of(block(a, "a b@c")) == "jid-malformed"
    assert a.error_of(block(a, *(f"x{i}@y.example" for i in range(31)))) == "resource-constraint"
    assert block(a, *(f"x{i}@y.example" for i in range(30))).get("type") == "result"
    assert block(a, "x7@y.example").get("type") == "result"
    assert a.error_of(block(a, "z@y.example")) == "resource-constraint"
    assert len(blocklist(a)) == 30
    other = a.iq("get", f"<blocklist xmlns='{BLOCKING}'/>", to=f"anna@{server.domain}")
    assert a.error_of(other) == "service-unavailable"


def test_reports_reach_the_admin(server):
    server.register("admin")
    a = server.client("reporter")
    report = ("<report xmlns='urn:xmpp:reporting:1' reason='urn:xmpp:reporting:spam'>"
              "<text xml:lang='en'>buy &lt;this&gt;</text></report>")
    assert block(a, "spammer@y.example", inside=report).get("type") == "result"
    admin = server.client("admin", register=False)
    m = admin.expect("message", lambda m: m.get("from") == server.domain)
    assert "reporter@example.org reports spammer@y.example" in m.findtext("client:body", None, NS)
    assert "buy <this>" in m.findtext("client:body", None, NS)
    item = m.find(f"{{{BLOCKING}}}item")
    assert item.get("jid") == "spammer@y.example"
    assert item.find("{urn:xmpp:reporting:1}report").get("reason") == "urn:xmpp:reporting:spam"
