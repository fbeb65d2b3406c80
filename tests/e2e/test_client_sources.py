"""What seven clients send after login, in their order and their form, as their sources of 2023 to 2026 show it, and
what they must find in the answers to take the short way. The stanzas are written anew. Each client logs in to an account
that is new and to one that has something of everything: there each question is answered with what is there."""

import xml.etree.ElementTree as ET
from datetime import datetime, timedelta, timezone

import pytest

from harness import NS
from sasl2 import BIND2, CARBONS, SM, Scram, agent, identifier, opened, said, scram2
from test_client_logins import ABSENT, pep, private, query

OPTIONS = ["--set", "service[turn.example.org].port=3478"]
DISCO, ITEMS, PUBSUB, OWNER = NS["disco_info"], NS["disco_items"], "http://jabber.org/protocol/pubsub", \
    "http://jabber.org/protocol/pubsub#owner"
MAM, RSM, DATA = "urn:xmpp:mam:2", "http://jabber.org/protocol/rsm", "jabber:x:data"
SERVER, SELF, NOBODY = "server", "self", "nobody"          # whom `to` names; NOBODY: there is none
DEVICES, NEW_DEVICES = "eu.siacs.conversations.axolotl.devicelist", "urn:xmpp:omemo:2:devices"


def stamp(**ago):
    return (datetime.now(timezone.utc) - timedelta(**ago)).strftime("%Y-%m-%dT%H:%M:%SZ")


def archive(fields="", page="<max>50</max>", queryid="q"):
    form = f"<x xmlns='{DATA}' type='submit'><field var='FORM_TYPE' type='hidden'><value>{MAM}</value></field>{fields}</x>"
    return f"<query xmlns='{MAM}' queryid='{queryid}'>{form}<set xmlns='{RSM}'>{page}</set></query>"


def since(days):
    return f"<field var='start'><value>{stamp(days=days)}</value></field>"


LATEST = archive(f"<field var='end'><value>{stamp(days=-1)}</value></field>", "<max>1</max><before/>")
FIN = f"{{{MAM}}}fin/{{{RSM}}}set"
PEP = f"{{{PUBSUB}}}pubsub/{{{PUBSUB}}}items/{{{PUBSUB}}}item"
# What is asked: (type, whom, payload, path in the result of the account that has everything, errors on the other)
SERVER_INFO = ("get", SERVER, query(DISCO), f"{{{DISCO}}}query/{{{DISCO}}}identity", ())
SELF_INFO = ("get", SELF, query(DISCO), f"{{{DISCO}}}query/{{{DISCO}}}identity", ())
SERVER_ITEMS = ("get", SERVER, query(ITEMS), f"{{{ITEMS}}}query/{{{ITEMS}}}item", ())
COMMANDS = ("get", SERVER, query(ITEMS, "http://jabber.org/protocol/commands"), f"{{{ITEMS}}}query", ())
ROSTER = ("get", NOBODY, "<query xmlns='jabber:iq:roster'/>", "{jabber:iq:roster}query/{jabber:iq:roster}item", ())
BLOCKED = ("get", NOBODY, "<blocklist xmlns='urn:xmpp:blocking'/>", "{urn:xmpp:blocking}blocklist/{urn:xmpp:blocking}item", ())
COPIES = ("set", NOBODY, f"<enable xmlns='{CARBONS}'/>", None, ())
PREFS = ("get", NOBODY, f"<prefs xmlns='{MAM}'/>", f"{{{MAM}}}prefs", ())
TURN = ("get", SERVER, "<services xmlns='urn:xmpp:extdisco:2'/>", "{urn:xmpp:extdisco:2}services/{urn:xmpp:extdisco:2}service", ())
NOTES = ("get", NOBODY, private("storage", "storage:rosternotes"), "{jabber:iq:private}query/{storage:rosternotes}storage/*", ())
OLD_MARKS = ("get", NOBODY, private("storage", "storage:bookmarks"), "{jabber:iq:private}query/{storage:bookmarks}storage/*", ())
PING = ("get", SERVER, "<ping xmlns='urn:xmpp:ping'/>", None, ())
VERSION = ("get", SERVER, query("jabber:iq:version"), "{jabber:iq:version}query/{jabber:iq:version}name", ())
CARD = ("get", NOBODY, "<vCard xmlns='vcard-temp'/>", "{vcard-temp}vCard/{vcard-temp}FN", ABSENT)
PAGE = ("set", NOBODY, archive(page="<max>50</max><before/>"), FIN, ())


def node(name, whom=SELF, most=None):
    return ("get", whom, pep(name, most), PEP, ABSENT)


CLIENTS = {
    # Discovery first; the list of blocked addresses, carbons and commands when the server says that it has them.
    "Conversations": [
        SERVER_ITEMS, SERVER_INFO, PREFS, SELF_INFO, BLOCKED, COPIES, COMMANDS, ROSTER, node("urn:xmpp:bookmarks:1", NOBODY),
        node("urn:xmpp:mds:displayed:0", NOBODY), ("set", NOBODY, archive(since(7)), FIN, ()), node(DEVICES),
        node("urn:xmpp:avatar:metadata"), CARD, TURN, PING],
    # The roster only after the first presence.
    "Dino": [
        ("presence",), ROSTER, SELF_INFO, SERVER_INFO, SERVER_ITEMS, node("urn:xmpp:bookmarks:1", NOBODY), OLD_MARKS, BLOCKED, COPIES,
        ("set", SELF, archive(since(2), "<max>50</max><before/>"), FIN, ()), node(DEVICES), CARD, TURN, PING],
    "Gajim": [
        SERVER_INFO, SELF_INFO, SERVER_ITEMS, ("get", NOBODY, "<query xmlns='jabber:iq:roster' ver=''/>", ROSTER[3], ()),
        ("presence",), node("urn:xmpp:bookmarks:1", NOBODY), NOTES, BLOCKED,
        ("set", SELF, f"<pubsub xmlns='{PUBSUB}'><subscribe node='urn:xmpp:vcard4' jid='{{self}}'/></pubsub>",
         f"{{{PUBSUB}}}pubsub/{{{PUBSUB}}}subscription", ABSENT),
        COPIES, ("set", SELF, archive(since(30), "<max>70</max>"), FIN, ()), node(DEVICES), node("urn:xmpp:vcard4"), CARD],
    "Psi": [
        ("set", NOBODY, "<session xmlns='urn:ietf:params:xml:ns:xmpp-session'/>", None, ()), ROSTER, SERVER_INFO, SELF_INFO, SERVER_ITEMS,
        ("presence",), COPIES, CARD, OLD_MARKS, node("urn:xmpp:vcard4"), BLOCKED, node(DEVICES)],
    "Profanity": [
        ("get", NOBODY, "<vCard xmlns='vcard-temp'/>", CARD[3], ABSENT), ROSTER, BLOCKED, SERVER_INFO, SELF_INFO, SERVER_ITEMS, COPIES,
        OLD_MARKS, ("presence",), node(DEVICES), ("set", NOBODY, archive(page="<max>0</max>"), FIN + f"/{{{RSM}}}count", ()), PAGE,
        ("get", NOBODY, "<ping xmlns='urn:xmpp:ping'/>", None, ())],
    # All of it at once; nothing waits for discovery.
    "Monal": [
        ROSTER, SERVER_INFO, SERVER_ITEMS, SELF_INFO, COMMANDS, VERSION,
        ("set", NOBODY, "<offline xmlns='http://jabber.org/protocol/offline'><purge/></offline>", None, ()),
        ("set", NOBODY, f"<prefs xmlns='{MAM}' default='always'/>", f"{{{MAM}}}prefs", ()), ("presence",),
        node("urn:xmpp:mds:displayed:0"), COPIES, BLOCKED, ("set", NOBODY, LATEST, FIN, ()), ("set", NOBODY, archive(since(14)), FIN, ()),
        node("urn:xmpp:bookmarks:1"), node("urn:xmpp:avatar:metadata"), node("http://jabber.org/protocol/nick"), TURN,
        ("set", NOBODY, "<enable xmlns='urn:xmpp:push:0' jid='push.{server}' node='n'>"
         f"<x xmlns='{DATA}' type='submit'><field var='FORM_TYPE'><value>{PUBSUB}#publish-options</value></field>"
         "<field var='pushModule'><value>m</value></field></x></enable>", None, ())],
    "Movim": [
        COPIES, ROSTER, BLOCKED, ("set", NOBODY, archive(since(3)), FIN, ()), SERVER_INFO, SELF_INFO, node("urn:xmpp:bookmarks:1"),
        node("urn:xmpp:bookmarks:0"), node("{{https://movim.eu}}spaces_subscriptions_node"),
        node("urn:xmpp:pubsub:movim-public-subscription"), node("urn:xmpp:pubsub:subscription"),
        ("get", SELF, query(ITEMS, "urn:xmpp:microblog:0"), f"{{{ITEMS}}}query/{{{ITEMS}}}item", ABSENT), SERVER_ITEMS,
        node("urn:xmpp:avatar:data"), node("urn:xmpp:vcard4"),
        ("get", SELF, f"<pubsub xmlns='{OWNER}'><subscriptions node='urn:xmpp:microblog:0'/></pubsub>",
         f"{{{OWNER}}}pubsub/{{{OWNER}}}subscriptions", ABSENT), ("presence",)],
}
# Nodes that no client has published, also of the account that has everything.
NEVER = ("urn:xmpp:bookmarks:0", "spaces_subscriptions_node", "movim-public-subscription", "urn:xmpp:pubsub:subscription")


def publish(node_name, payload, item="current", model=None):
    options = f"<publish-options><x xmlns='{DATA}' type='submit'><field var='FORM_TYPE' type='hidden'><value>{PUBSUB}#publish-options" \
              f"</value></field><field var='pubsub#access_model'><value>{model}</value></field></x></publish-options>" if model else ""
    return f"<pubsub xmlns='{PUBSUB}'><publish node='{node_name}'><item id='{item}'>{payload}</item></publish>{options}</pubsub>"


SHA = "da39a3ee5e6b4b0d3255bfef95601890afd80709"
EVERYTHING = [
    "<query xmlns='jabber:iq:roster'><item jid='romeo@example.org' name='Romeo'/></query>",
    "<block xmlns='urn:xmpp:blocking'><item jid='spam@example.org'/></block>",
    "<query xmlns='jabber:iq:private'><storage xmlns='storage:rosternotes'><note jid='romeo@example.org'>n</note></storage></query>",
    publish("urn:xmpp:bookmarks:1", "<conference xmlns='urn:xmpp:bookmarks:1' name='R' autojoin='true'/>", "r@muc.example.org", "whitelist"),
    publish(DEVICES, "<list xmlns='eu.siacs.conversations.axolotl'><device id='1'/></list>", "current", "open"),
    publish("urn:xmpp:avatar:data", "<data xmlns='urn:xmpp:avatar:data'>AA==</data>", SHA),
    publish("urn:xmpp:avatar:metadata", f"<metadata xmlns='urn:xmpp:avatar:metadata'><info bytes='1' id='{SHA}' type='image/png'/></metadata>", SHA),
    publish("http://jabber.org/protocol/nick", "<nick xmlns='http://jabber.org/protocol/nick'>J</nick>"),
    publish("urn:xmpp:vcard4", "<vcard xmlns='urn:ietf:params:xml:ns:vcard-4.0'><fn><text>Juliet</text></fn></vcard>"),
    publish("urn:xmpp:mds:displayed:0", "<displayed xmlns='urn:xmpp:mds:displayed:0'/>", "romeo@example.org", "whitelist"),
    publish("urn:xmpp:microblog:0", "<entry xmlns='http://www.w3.org/2005/Atom'><title>t</title></entry>", "post"),
]


@pytest.fixture(scope="module")
def everything(suite):
    """The name of an account that has something of each kind."""
    c = suite.client("everything")
    for payload in EVERYTHING:
        e = c.iq("set", payload)
        assert e.get("type") == "result", ET.tostring(e, encoding="unicode")
    for i in range(3):
        c.message(c.bare, f"note {i}")
        c.expect_body(f"note {i}")
    c.close()
    return "everything"


def send(client, rows):
    """All at once. Returns {id: row}."""
    asked, text = {}, ""
    for row in rows:
        if row == ("presence",):
            text += "<presence><priority>1</priority></presence>"
            continue
        kind, whom, payload, _, _ = row
        where = {SERVER: f" to='{client.domain}'", SELF: f" to='{client.bare}'", NOBODY: ""}[whom]
        ident = client.new_id()
        asked[ident] = row
        payload = payload.replace("{self}", client.bare).replace("{server}", client.domain).replace("{{", "{").replace("}}", "}")
        text += f"<iq type='{kind}' id='{ident}'{where} from='{client.jid}'>{payload}</iq>"      # several say `from`
    client.write(text)
    return asked


def answers(client, asked):
    """One for each question."""
    found = {}
    while len(found) < len(asked):
        e = client.expect("iq", lambda e: e.get("id") in asked)
        assert e.get("id") not in found
        found[e.get("id")] = e
    return found


@pytest.mark.parametrize("name", CLIENTS)
@pytest.mark.parametrize("full", [False, True], ids=["new", "full"])
def test_login(server, everything, name, full):
    client = server.client(everything if full else f"new-{name.lower()}", presence=False, resource=name)
    asked = send(client, CLIENTS[name])
    for ident, e in answers(client, asked).items():
        kind, whom, payload, path, absent = asked[ident]
        text = ET.tostring(e, encoding="unicode")
        if e.get("type") == "error":
            never = any(n in payload for n in NEVER)
            assert client.error_of(e) in absent and (never or not full), payload + "\n" + text
        elif full and path:
            assert e.find(path) is not None, payload + "\n" + text
        assert e.get("to") in (None, client.jid)
        if whom == SERVER:
            assert e.get("from") == client.domain
        elif whom == SELF:
            assert e.get("from") == client.bare
    client.expect_none("iq", lambda e: e.get("id") in asked)
    client.close()


def features(client, to):
    return {f.get("var") for f in client.iq("get", query(DISCO), to=to).iter(f"{{{DISCO}}}feature")}


# What a client wants to see before it uses a thing; without it, it falls back or leaves it.
WANTS = {
    "Conversations": ([CARBONS, "urn:xmpp:blocking", "http://jabber.org/protocol/commands", "urn:xmpp:extdisco:2", "urn:xmpp:reporting:1"],
                      [MAM, "urn:xmpp:push:0", "urn:xmpp:sid:0", f"{PUBSUB}#publish-options", f"{PUBSUB}#persistent-items",
                       "urn:xmpp:pep-vcard-conversion:0"]),
    "Monal": ([CARBONS, "urn:xmpp:blocking"],
              [MAM, "urn:xmpp:push:0", "urn:xmpp:bookmarks:1#compat-pep"] +
              [f"{PUBSUB}#{f}" for f in ("filtered-notifications", "publish-options", "publish", "subscribe", "create-nodes", "delete-items",
                                         "delete-nodes", "persistent-items", "retrieve-items", "auto-create", "item-ids", "multi-items",
                                         "config-node-max")]),
    "Gajim": ([CARBONS, "urn:xmpp:blocking", "vcard-temp", "jabber:iq:register"],
              [MAM, f"{PUBSUB}#config-node-max", "urn:xmpp:bookmarks:1#compat-pep", f"{PUBSUB}#publish-options"]),
    "Psi": ([CARBONS, "vcard-temp"], ["urn:xmpp:pep-vcard-conversion:0"]),
}


@pytest.mark.parametrize("name", WANTS)
def test_finds_what_it_looks_for(server, name):
    c = server.client(f"finds-{name.lower()}")
    of_server, of_account = WANTS[name]
    assert not set(of_server) - features(c, c.domain)
    assert not set(of_account) - features(c, c.bare)
    identities = [(i.get("category"), i.get("type")) for i in c.iq("get", query(DISCO), to=c.bare).iter(f"{{{DISCO}}}identity")]
    assert ("pubsub", "pep") in identities and ("account", "registered") in identities
    assert ("server", "im") in [(i.get("category"), i.get("type")) for i in
                                c.iq("get", query(DISCO), to=c.domain).iter(f"{{{DISCO}}}identity")]
    c.close()


def test_every_item_of_the_server_is_asked(server):
    """Conversations waits for all of them before it is online, up to a limit: none may be silent."""
    c = server.client("asks-all")
    found = [i.get("jid") for i in c.iq("get", query(ITEMS), to=c.domain).iter(f"{{{ITEMS}}}item")]
    rows = {c.new_id(): jid for jid in found}
    c.write("".join(f"<iq type='get' id='{i}' to='{jid}'>{query(DISCO)}</iq>" for i, jid in rows.items()))
    while rows:
        rows.pop(c.expect("iq", lambda e: e.get("id") in rows).get("id"))
    c.close()


def test_stream_features_that_clients_look_at(server):
    """Before login both profiles; after it stream management, client states, roster versions, capabilities."""
    c, before = opened(server, "anybody")
    for path in ("sasl:mechanisms", "{urn:xmpp:sasl:2}authentication", "{urn:xmpp:sasl-cb:0}sasl-channel-binding"):
        assert before.find(path, NS) is not None
    inline = before.find("{urn:xmpp:sasl:2}authentication/{urn:xmpp:sasl:2}inline")
    offered = [f.get("var") for f in inline.iter(f"{{{BIND2}}}feature")]
    assert CARBONS in offered and SM in offered
    c.close()
    c = server.stream().starttls()
    c.open().features()
    server.ctl("register", f"looker@{server.domain}", stdin="secret\n", check=False)
    assert c.auth_plain("looker", "secret").tag.endswith("}success")
    after = c.open().features()
    for path in ("{urn:xmpp:sm:3}sm", "{urn:xmpp:csi:0}csi", "{urn:xmpp:features:rosterver}ver",
                 "{http://jabber.org/protocol/caps}c", "{urn:xmpp:features:pre-approval}sub"):
        assert after.find(path) is not None, path
    c.drop()


def test_the_short_login_of_dino(server, everything):
    """SASL2 with SCRAM, Bind 2, carbons and stream management in one exchange; then it asks as in the table."""
    c, _ = opened(server, everything)
    e = scram2(c, Scram(everything, "secret"), "SCRAM-SHA-256", agent(software="Dino") + f"<bind xmlns='{BIND2}'><tag>Dino</tag>"
               f"<enable xmlns='{CARBONS}'/><enable xmlns='{SM}' resume='true'/></bind>")
    identifier(c, said(e, "success"))
    assert e.find(f"{{{BIND2}}}bound/{{{SM}}}enabled").get("id")
    c.features()
    asked = send(c, CLIENTS["Dino"])
    found = answers(c, asked)
    assert all(e.get("type") == "result" for e in found.values())
    c.drop()
