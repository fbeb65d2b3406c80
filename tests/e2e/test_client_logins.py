"""What clients ask after they logged in, as their documentation and lists of implemented XEPs say: each question
gets one answer, a result or the error that its XEP has for what is not there. The questions are written here anew."""

import xml.etree.ElementTree as ET

import pytest

from harness import NS

DOMAINS = ("example.org",)
OPTIONS = ["--set", "service[turn.example.org].port=3478"]

RESULT = ()                                            # must be answered with a result
ABSENT = ("item-not-found",)                           # a node, card or element that is not there yet
UNSUPPORTED = ("service-unavailable", "feature-not-implemented")     # RFC 6120 8.3.3, of what is not offered


def query(ns, node=None):
    return f"<query xmlns='{ns}'" + (f" node='{node}'" if node else "") + "/>"


def pep(node, most=None):
    limit = f" max_items='{most}'" if most else ""
    return f"<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='{node}'{limit}/></pubsub>"


def private(element, ns):
    return f"<query xmlns='jabber:iq:private'><{element} xmlns='{ns}'/></query>"


INFO, ITEMS = NS["disco_info"], NS["disco_items"]
SERVER, ACCOUNT, NOBODY = "server", "account", None

# name: (type, whom, payload, errors that are an answer too)
QUESTIONS = {
    "server info": ("get", SERVER, query(INFO), RESULT),
    "server items": ("get", SERVER, query(ITEMS), RESULT),
    "account info": ("get", ACCOUNT, query(INFO), RESULT),
    "account items": ("get", ACCOUNT, query(ITEMS), RESULT),
    "commands": ("get", SERVER, query(ITEMS, "http://jabber.org/protocol/commands"), RESULT),
    "roster": ("get", NOBODY, "<query xmlns='jabber:iq:roster' ver=''/>", RESULT),
    "blocklist": ("get", NOBODY, "<blocklist xmlns='urn:xmpp:blocking'/>", RESULT),
    "carbons": ("set", NOBODY, "<enable xmlns='urn:xmpp:carbons:2'/>", RESULT),
    "archive form": ("get", NOBODY, query("urn:xmpp:mam:2"), RESULT),
    "archive page": ("set", NOBODY, "<query xmlns='urn:xmpp:mam:2' queryid='q'><set xmlns='http://jabber.org/protocol/rsm'>"
                                    "<max>20</max><before/></set></query>", RESULT),
    "archive preferences": ("get", NOBODY, "<prefs xmlns='urn:xmpp:mam:2'/>", RESULT),
    "external services": ("get", SERVER, "<services xmlns='urn:xmpp:extdisco:2'/>", RESULT),
    "turn services": ("get", SERVER, "<services xmlns='urn:xmpp:extdisco:2' type='turn'/>", RESULT),
    "ping": ("get", SERVER, "<ping xmlns='urn:xmpp:ping'/>", RESULT),
    "version": ("get", SERVER, query("jabber:iq:version"), RESULT),
    "time": ("get", SERVER, "<time xmlns='urn:xmpp:time'/>", RESULT),
    "uptime": ("get", SERVER, query("jabber:iq:last"), RESULT),
    "session": ("set", NOBODY, "<session xmlns='urn:ietf:params:xml:ns:xmpp-session'/>", RESULT),
    "vcard": ("get", NOBODY, "<vCard xmlns='vcard-temp'/>", ABSENT),
    "register": ("get", SERVER, query("jabber:iq:register"), RESULT),
    "search": ("get", SERVER, query("jabber:iq:search"), UNSUPPORTED),
    "privacy lists": ("get", NOBODY, query("jabber:iq:privacy"), UNSUPPORTED),
    "private bookmarks": ("get", NOBODY, private("storage", "storage:bookmarks"), RESULT),
    "roster notes": ("get", NOBODY, private("storage", "storage:rosternotes"), RESULT),
    "metacontacts": ("get", NOBODY, private("storage", "storage:metacontacts"), RESULT),
    "roster delimiter": ("get", NOBODY, private("roster", "roster:delimiter"), RESULT),
    "bookmarks": ("get", NOBODY, pep("urn:xmpp:bookmarks:1"), ABSENT),
    "old bookmarks": ("get", NOBODY, pep("storage:bookmarks"), ABSENT),
    "devices": ("get", ACCOUNT, pep("eu.siacs.conversations.axolotl.devicelist"), ABSENT),
    "devices of today": ("get", ACCOUNT, pep("urn:xmpp:omemo:2:devices"), ABSENT),
    "avatar": ("get", ACCOUNT, pep("urn:xmpp:avatar:metadata", 1), ABSENT),
    "nick": ("get", ACCOUNT, pep("http://jabber.org/protocol/nick", 1), ABSENT),
    "vcard4": ("get", ACCOUNT, pep("urn:xmpp:vcard4"), ABSENT),
    "microblog": ("get", ACCOUNT, pep("urn:xmpp:microblog:0", 10), ABSENT),
    "displayed": ("get", NOBODY, pep("urn:xmpp:mds:displayed:0"), ABSENT),
    "subscriptions": ("get", ACCOUNT, "<pubsub xmlns='http://jabber.org/protocol/pubsub'><subscriptions/></pubsub>", RESULT),
    "push": ("set", NOBODY, "<enable xmlns='urn:xmpp:push:0' jid='push.example.com' node='n'/>", UNSUPPORTED),
    "push off": ("set", NOBODY, "<disable xmlns='urn:xmpp:push:0' jid='push.example.com'/>", UNSUPPORTED + ABSENT),
    "upload slot": ("get", SERVER, "<request xmlns='urn:xmpp:http:upload:0' filename='a' size='1'/>", UNSUPPORTED),
}

# In the order in which each of them asks.
CLIENTS = {
    "Conversations": ["server info", "account info", "server items", "carbons", "roster", "blocklist",
                      "archive preferences", "bookmarks", "private bookmarks", "displayed", "push", "devices", "avatar",
                      "vcard", "archive page", "external services", "ping"],
    "Dino": ["roster", "server info", "account info", "server items", "carbons", "blocklist", "bookmarks",
             "private bookmarks", "archive page", "devices", "avatar", "vcard", "external services", "ping"],
    "Gajim": ["server info", "account info", "server items", "roster delimiter", "metacontacts", "roster",
              "roster notes", "blocklist", "carbons", "archive preferences", "archive page", "bookmarks",
              "old bookmarks", "private bookmarks", "commands", "vcard4", "vcard", "nick", "avatar", "devices",
              "uptime", "version", "time"],
    "Psi": ["session", "roster", "server info", "server items", "account info", "roster delimiter", "roster notes",
            "private bookmarks", "privacy lists", "blocklist", "carbons", "vcard", "avatar", "version", "uptime",
            "search", "commands", "devices"],
    "Profanity": ["roster", "server info", "account info", "server items", "carbons", "private bookmarks", "blocklist",
                  "devices", "vcard", "archive form", "archive page", "ping"],
    "Monal": ["server info", "account info", "server items", "roster", "carbons", "push off", "push",
              "archive preferences", "archive page", "blocklist", "bookmarks", "old bookmarks", "displayed", "avatar",
              "nick", "devices", "external services", "upload slot"],
    "Movim": ["server info", "server items", "roster", "carbons", "account info", "account items", "archive form",
              "archive page", "blocklist", "bookmarks", "private bookmarks", "vcard4", "vcard", "avatar", "microblog",
              "subscriptions", "devices of today", "devices", "displayed", "turn services", "register", "commands"],
}


def asked(client, name):
    kind, whom, payload, _ = QUESTIONS[name]
    where = {SERVER: f" to='{client.domain}'", ACCOUNT: f" to='{client.bare}'", NOBODY: ""}[whom]
    ident = client.new_id()
    return ident, f"<iq type='{kind}' id='{ident}'{where}>{payload}</iq>"


def check(client, name, answer):
    allowed = QUESTIONS[name][3]
    if answer.get("type") == "result":
        return
    found = client.error_of(answer)
    assert found in allowed, f"{name}: " + ET.tostring(answer, encoding="unicode")


@pytest.mark.parametrize("name", CLIENTS)
def test_login(server, name):
    """All at once, as clients do; one answer each, and none twice."""
    client = server.client(f"{name.lower()}-user")
    questions = [(question, *asked(client, question)) for question in CLIENTS[name]]
    client.write("".join(text for _, _, text in questions))
    wanted = {ident: question for question, ident, _ in questions}
    seen = []
    while len(seen) < len(wanted):
        answer = client.expect("iq", lambda e: e.get("id") in wanted)
        assert answer.get("id") not in seen and answer.get("type") in ("result", "error")
        seen.append(answer.get("id"))
        check(client, wanted[answer.get("id")], answer)
    client.expect_none("iq", lambda e: e.get("id") in wanted)
    client.close()


def test_what_is_offered_is_answered(server):
    """Clients ask for what disco announces: those questions are then answered with results."""
    client = server.client("offered")

    def offered(to):
        reply = client.iq("get", query(INFO), to=to)
        return {f.get("var") for f in reply.iter(f"{{{INFO}}}feature")}
    features = offered(server.domain) | offered(client.bare)
    by_feature = {"urn:xmpp:blocking": "blocklist", "urn:xmpp:carbons:2": "carbons", "urn:xmpp:mam:2": "archive form",
                  "urn:xmpp:extdisco:2": "external services", "urn:xmpp:ping": "ping", "jabber:iq:version": "version",
                  "urn:xmpp:time": "time", "vcard-temp": "vcard", "jabber:iq:private": "private bookmarks",
                  "http://jabber.org/protocol/commands": "commands", "jabber:iq:register": "register",
                  "jabber:iq:last": "uptime"}
    assert set(by_feature) <= features
    for question in by_feature.values():
        ident, text = asked(client, question)
        client.write(text)
        answer = client.expect("iq", lambda e, ident=ident: e.get("id") == ident)
        assert answer.get("type") == "result", question
    client.close()


def test_every_item_of_the_server_says_what_it_is(server):
    client = server.client("items")
    reply = client.iq("get", query(ITEMS), to=server.domain)
    for item in reply.iter(f"{{{ITEMS}}}item"):
        answer = client.iq("get", query(INFO), to=item.get("jid"))
        assert answer.get("type") == "result" or client.error_of(answer) in \
            ("remote-server-not-found", "service-unavailable", "recipient-unavailable", "remote-server-timeout")
    client.close()


def test_self_ping(server):
    """XEP-0410: a ping to one's own nick tells whether one is still in the room."""
    client, room = server.client("pinger"), f"room@muc.{server.domain}"
    ping = "<ping xmlns='urn:xmpp:ping'/>"
    answer = client.iq("get", ping, to=f"{room}/nick")
    assert client.error_of(answer) in ("not-acceptable", "item-not-found", "service-unavailable")
    client.write(f"<presence to='{room}/nick'><x xmlns='{NS['muc']}'/></presence>")
    client.expect("presence", lambda p: p.get("from") == f"{room}/nick")
    assert client.iq("get", ping, to=f"{room}/nick").get("type") == "result"
    client.write(f"<presence to='{room}/nick' type='unavailable'/>")
    client.expect("presence", lambda p: p.get("from") == f"{room}/nick" and p.get("type") == "unavailable")
    assert client.error_of(client.iq("get", ping, to=f"{room}/nick")) in ("not-acceptable", "item-not-found")
    client.close()
