"""The small services: disco, ping, version, time, vCard, private XML."""

from harness import NS


def test_disco_of_the_server_and_the_account(server):
    a = server.client("alice")
    info = a.iq("get", f"<query xmlns='{NS['disco_info']}'/>", to=server.domain)
    query = info.find("disco_info:query", NS)
    assert ("server", "im") in {(i.get("category"), i.get("type")) for i in query.findall("disco_info:identity", NS)}
    features = {f.get("var") for f in query.findall("disco_info:feature", NS)}
    assert {"urn:xmpp:ping", "jabber:iq:version", "urn:xmpp:time", "vcard-temp", "msgoffline", NS["disco_info"],
            NS["disco_items"], "jabber:iq:roster"} <= features
    found = a.iq("get", f"<query xmlns='{NS['disco_items']}'/>", to=server.domain)
    assert f"muc.{server.domain}" in {i.get("jid") for i in found.findall("disco_items:query/disco_items:item", NS)}
    info = a.iq("get", f"<query xmlns='{NS['disco_info']}'/>", to=a.bare)
    identity = info.find("disco_info:query/disco_info:identity", NS)
    assert (identity.get("category"), identity.get("type")) == ("account", "registered")


def test_every_item_of_disco_answers(server):
    a = server.client("alice")
    found = a.iq("get", f"<query xmlns='{NS['disco_items']}'/>", to=server.domain)
    for item in found.findall("disco_items:query/disco_items:item", NS):
        a.iq("get", f"<query xmlns='{NS['disco_info']}'/>", to=item.get("jid"))


def test_ping_version_time(server):
    a = server.client("alice")
    assert a.ping().get("type") == "result"
    assert a.iq("get", "<ping xmlns='urn:xmpp:ping'/>").get("type") == "result"
    version = a.iq("get", "<query xmlns='jabber:iq:version'/>", to=server.domain)
    assert version.findtext("{jabber:iq:version}query/{jabber:iq:version}name") == "Zubr"
    now = a.iq("get", "<time xmlns='urn:xmpp:time'/>", to=server.domain)
    assert now.findtext("{urn:xmpp:time}time/{urn:xmpp:time}utc").endswith("Z")


def test_vcard(server):
    a, b = server.client("alice"), server.client("bob")
    card = "<vCard xmlns='vcard-temp'><FN>Alice &amp; A</FN></vCard>"
    assert a.iq("set", card).get("type") == "result"
    for who, to in ((a, None), (b, a.bare)):
        got = who.iq("get", "<vCard xmlns='vcard-temp'/>", to=to)
        assert got.findtext("{vcard-temp}vCard/{vcard-temp}FN") == "Alice & A"
    assert b.error_of(b.iq("set", card, to=a.bare)) in ("forbidden", "not-allowed", "service-unavailable")
    # Whether an account exists does not show.
    server.register("cardless")
    answers = [b.iq("get", "<vCard xmlns='vcard-temp'/>", to=f"{name}@{server.domain}") for name in ("cardless", "ghost")]
    assert len({(e.get("type"), b.error_of(e) if e.get("type") == "error" else "") for e in answers}) == 1


def test_private_xml(server):
    a, b = server.client("alice"), server.client("bob")
    store = "<query xmlns='jabber:iq:private'><storage xmlns='storage:bookmarks'>%s</storage></query>"
    assert a.iq("set", store % "<conference jid='r@muc.example.org'/>").get("type") == "result"
    got = a.iq("get", store % "")
    assert got.find("{jabber:iq:private}query/{storage:bookmarks}storage/{storage:bookmarks}conference") is not None
    got = b.iq("get", store % "")
    assert got.find("{jabber:iq:private}query/{storage:bookmarks}storage") is not None
    assert len(got.find("{jabber:iq:private}query/{storage:bookmarks}storage")) == 0
    assert b.error_of(b.iq("get", store % "", to=a.bare)) in ("forbidden", "service-unavailable")
