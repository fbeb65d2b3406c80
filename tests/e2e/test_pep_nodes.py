"""Nodes of other documents, published as they say: who may read them, who hears of them."""

import pytest

from harness import NS
from test_pep import ask, event, event_ids, friends, ids, interest, items, ok, options, refused, silent

OMEMO = "eu.siacs.conversations.axolotl"

PRIVATE = {"access_model": "whitelist", "persist_items": "true"}
ALL = {"max_items": "max"}

# node, item id, payload, options, who reads it besides the owner
NODES = [
    ("storage:test", "current", "<storage xmlns='storage:test'/>",                                   # XEP-0223
     {**PRIVATE, "send_last_published_item": "never"}, None),
    ("urn:xmpp:mds:displayed:0", "romeo@example.net",                                                # XEP-0490
     "<displayed xmlns='urn:xmpp:mds:displayed:0'><stanza-id xmlns='urn:xmpp:sid:0' id='1' by='a@example.net'/></displayed>",
     {**PRIVATE, **ALL, "send_last_published_item": "never"}, None),
    ("urn:xmpp:bookmarks:1", "room@example.net",                                                     # XEP-0402, with 0492
     "<conference xmlns='urn:xmpp:bookmarks:1'><extensions><notify xmlns='urn:xmpp:notification-settings:1'><never/></notify>"
     "</extensions></conference>", {**PRIVATE, **ALL, "send_last_published_item": "never"}, None),
    ("http://jabber.org/protocol/tune", "current", "<tune xmlns='http://jabber.org/protocol/tune'><title>T</title></tune>",
     {}, "contacts"),                                                                                # XEP-0118
    ("http://jabber.org/protocol/mood", "current", "<mood xmlns='http://jabber.org/protocol/mood'><happy/></mood>", {},
     "contacts"),                                                                                    # XEP-0107
    ("http://jabber.org/protocol/geoloc", "current", "<geoloc xmlns='http://jabber.org/protocol/geoloc'><lat>1</lat></geoloc>",
     {}, "contacts"),                                                                                # XEP-0080
    ("http://jabber.org/protocol/activity", "current",
     "<activity xmlns='http://jabber.org/protocol/activity'><relaxing><partying/></relaxing></activity>", {},
     "contacts"),                                                                                    # XEP-0108
    ("http://jabber.org/protocol/nick", "current", "<nick xmlns='http://jabber.org/protocol/nick'>Ishmael</nick>", {},
     "contacts"),                                                                                    # XEP-0172
    ("urn:xmpp:microblog:0", "tag:one", "<entry xmlns='http://www.w3.org/2005/Atom'><title>x</title></entry>",
     {**ALL, "access_model": "open", "notify_retract": "true", "deliver_payloads": "true",
      "type": "urn:xmpp:microblog:0", "send_last_published_item": "never"}, "everybody"),            # XEP-0277, 0472
    (OMEMO + ".devicelist", "current", f"<list xmlns='{OMEMO}'><device id='1'/></list>", {"access_model": "open"},
     "everybody"),                                                                                   # XEP-0384 0.3
    (OMEMO + ".bundles:1", "current", f"<bundle xmlns='{OMEMO}'><prekeys/></bundle>", {"access_model": "open"}, "everybody"),
    ("urn:xmpp:omemo:2:bundles", "1", "<bundle xmlns='urn:xmpp:omemo:2'/>", {**ALL, "access_model": "open"}, "everybody"),
    ("urn:xmpp:avatar:data", "111f4b3c50d7b0df729d299bc6f8e9ef9066971f", "<data xmlns='urn:xmpp:avatar:data'>eA==</data>",
     {}, "contacts"),                                                                                # XEP-0084
    ("urn:xmpp:avatar:metadata", "111f4b3c50d7b0df729d299bc6f8e9ef9066971f",
     "<metadata xmlns='urn:xmpp:avatar:metadata'><info bytes='1' id='111f' type='image/png'/></metadata>", {}, "contacts"),
    ("urn:xmpp:vcard4", "current", "<vcard xmlns='urn:ietf:params:xml:ns:vcard-4.0'><fn><text>A</text></fn></vcard>",
     {"access_model": "open"}, "everybody"),                                                         # XEP-0292
]


@pytest.fixture(scope="module")
def people(suite):
    owner, friend = friends(suite, "nodes", "friend")
    return owner, friend, suite.client("stranger"), suite.client("nodes", resource="other", register=False)


@pytest.mark.parametrize("node,ident,payload,opts,readers", NODES, ids=[n[0] for n in NODES])
def test_a_node_is_read_and_heard_as_its_document_says(people, node, ident, payload, opts, readers):
    owner, friend, stranger, other = people
    for who in (friend, stranger, other):
        interest(who, node)
    ok(ask(owner, "set", f"<publish node='{node}'><item id='{ident}'>{payload}</item></publish>{options(**opts)}"))
    assert event_ids(event(other, node)) == [ident]
    assert ids(items(owner, node=node)) == [ident]
    root = payload.split()[0][1:]
    if readers:
        assert event_ids(event(friend, node)) == [ident]
        found = ok(items(friend, owner.bare, node=node, inner=f"<item id='{ident}'/>"))
        assert any(e.tag.endswith("}" + root) for e in found.iter())
    else:
        silent(friend)
        refused(friend, items(friend, owner.bare, node=node), "not-allowed", "closed-node")
    if readers == "everybody":
        assert ids(items(stranger, owner.bare, node=node)) == [ident]
    else:
        assert stranger.error_of(items(stranger, owner.bare, node=node)) in ("not-allowed", "not-authorized")
    silent(stranger, 0.1)


def test_public_data_is_kept_for_those_it_is_meant_for(server):
    """XEP-0222: kept, for a group of the roster, pushed when it changes and not again with presence."""
    node = "urn:xmpp:tmp:pubkey"
    juliet, romeo = friends(server, "juliet", "romeo")
    nurse = server.client("nurse")
    juliet.befriend(nurse)
    chamber = interest(server.client("juliet", resource="chamber", register=False), node)
    for who, group in ((romeo, "Friends"), (nurse, "Servants")):
        interest(who, node)
        ok(juliet.iq("set", f"<query xmlns='{NS['roster']}'><item jid='{who.bare}'><group>{group}</group></item></query>"))
    ok(ask(juliet, "set", f"<publish node='{node}'><item id='current'><key xmlns='{node}'>der</key></item></publish>" +
           options(persist_items="true", send_last_published_item="never", access_model="roster",
                   roster_groups_allowed=["Friends"])))
    for who in (romeo, chamber):
        assert event_ids(event(who, node)) == ["current"]
    assert ids(items(romeo, juliet.bare, node=node)) == ["current"]
    silent(nurse)
    refused(nurse, items(nurse, juliet.bare, node=node), "not-authorized", "not-in-roster-group")
    again = interest(server.client("romeo", resource="orchard", register=False), node)
    silent(again)
