"""Whether an account exists is not told to who has no business with it: what a stranger gets from an account that is
offline and shares nothing with him is, byte for byte, what he gets from a name that nobody has (RFC 6121 8.5.1,
8.5.2.1.3, 8.5.3.2; RFC 6120 13.11). What an account shows on purpose is at the end."""

import base64
import hashlib
import re
import xml.etree.ElementTree as ET

import pytest

from harness import NS, Server, wait_for
from sasl2 import SASL2, Scram, agent, authenticate, b64, opened

OPTIONS = ["--set", "limits.login_failures_max=1000", "--set", "limits.login_failures_per_address=1000",
           "--set", "limits.login_failures_per_account=1000", "--set", "scram_iterations=5000"]

PUBSUB, OWNER, MAM = "http://jabber.org/protocol/pubsub", "http://jabber.org/protocol/pubsub#owner", "urn:xmpp:mam:2"
DATA, COMMANDS, SEARCH = "jabber:x:data", "http://jabber.org/protocol/commands", "jabber:iq:search"
THERE, NOWHERE = "there", "nobody-has-this-name"


def disco(what, node=None):
    return f"<query xmlns='http://jabber.org/protocol/disco#{what}'" + (f" node='{node}'/>" if node else "/>")


def items(node, inner=""):
    return f"<pubsub xmlns='{PUBSUB}'><items node='{node}'>{inner}</items></pubsub>"


def subscribe(node):
    return f"<pubsub xmlns='{PUBSUB}'><subscribe node='{node}' jid='{{me}}'/></pubsub>"


NODES = ("no-such-node", "presence-node", "roster-node", "whitelist-node", "urn:xmpp:avatar:metadata",
         "eu.siacs.conversations.axolotl.devicelist", "urn:xmpp:bookmarks:1")

GETS = [disco("info"), disco("items"), disco("info", "x"), disco("items", "x"), disco("info", COMMANDS),
        disco("items", COMMANDS), disco("items", "http://jabber.org/protocol/offline"),
        disco("info", "http://jabber.org/protocol/offline"), "<vCard xmlns='vcard-temp'/>",
        "<vcard xmlns='urn:ietf:params:xml:ns:vcard-4.0'/>", "<query xmlns='jabber:iq:last'/>",
        "<query xmlns='jabber:iq:version'/>", "<time xmlns='urn:xmpp:time'/>", "<ping xmlns='urn:xmpp:ping'/>",
        "<query xmlns='jabber:iq:private'><storage xmlns='storage:bookmarks'/></query>",
        "<query xmlns='jabber:iq:roster'/>", f"<query xmlns='{MAM}'/>", f"<metadata xmlns='{MAM}'/>",
        f"<prefs xmlns='{MAM}'/>", "<blocklist xmlns='urn:xmpp:blocking'/>", f"<query xmlns='{SEARCH}'/>",
        "<query xmlns='jabber:iq:register'/>", "<services xmlns='urn:xmpp:extdisco:2'/>",
        "<clients xmlns='urn:xmpp:cam:0'/>", "<offline xmlns='http://jabber.org/protocol/offline'><fetch/></offline>",
        "<query xmlns='urn:unknown:namespace'/>", "<x xmlns='urn:xmpp:push:0'/>", "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>",
        f"<pubsub xmlns='{PUBSUB}'><subscriptions/></pubsub>", f"<pubsub xmlns='{PUBSUB}'><affiliations/></pubsub>",
        f"<pubsub xmlns='{PUBSUB}'><default/></pubsub>", f"<pubsub xmlns='{OWNER}'><default/></pubsub>",
        f"<pubsub xmlns='{PUBSUB}'/>", f"<pubsub xmlns='{OWNER}'/>", "<query xmlns='http://jabber.org/protocol/muc#admin'/>"]
GETS += [items(n) for n in NODES] + [disco("info", n) for n in NODES] + [disco("items", n) for n in NODES]
GETS += [f"<pubsub xmlns='{OWNER}'><{what} node='{n}'/></pubsub>" for n in NODES
         for what in ("configure", "subscriptions", "affiliations")]
GETS += [f"<pubsub xmlns='{PUBSUB}'><{what} node='{n}'{jid}/></pubsub>" for n in NODES
         for what, jid in (("options", " jid='{me}'"), ("default", ""), ("subscriptions", ""), ("affiliations", ""))]

SETS = ["<vCard xmlns='vcard-temp'><FN>x</FN></vCard>", "<vcard xmlns='urn:ietf:params:xml:ns:vcard-4.0'/>",
        "<query xmlns='jabber:iq:last'/>", "<query xmlns='jabber:iq:private'><x xmlns='a:b'/></query>",
        "<query xmlns='jabber:iq:roster'><item jid='a@example.org'/></query>", f"<query xmlns='{MAM}'/>",
        f"<prefs xmlns='{MAM}' default='never'/>", "<block xmlns='urn:xmpp:blocking'><item jid='a@example.org'/></block>",
        "<unblock xmlns='urn:xmpp:blocking'/>", "<enable xmlns='urn:xmpp:push:0' jid='a@example.org'/>",
        "<disable xmlns='urn:xmpp:push:0' jid='a@example.org'/>", "<enable xmlns='urn:xmpp:carbons:2'/>",
        "<disable xmlns='urn:xmpp:carbons:2'/>", f"<query xmlns='{SEARCH}'/>",
        "<query xmlns='jabber:iq:register'><remove/></query>",
        "<query xmlns='jabber:iq:register'><username>there</username><password>x</password></query>",
        f"<command xmlns='{COMMANDS}' node='x'/>", f"<command xmlns='{COMMANDS}' node='urn:xmpp:mam#configure'/>",
        f"<command xmlns='{COMMANDS}' node='http://jabber.org/protocol/admin#add-user'/>",
        "<revoke xmlns='urn:xmpp:cam:0' id='x'/>", "<offline xmlns='http://jabber.org/protocol/offline'><purge/></offline>",
        "<query xmlns='urn:unknown:namespace'/>", "<session xmlns='urn:ietf:params:xml:ns:xmpp-session'/>",
        f"<pubsub xmlns='{PUBSUB}'/>", f"<pubsub xmlns='{OWNER}'/>", f"<pubsub xmlns='{PUBSUB}'><create/></pubsub>"]
SETS += [s for n in NODES for s in (
    subscribe(n), f"<pubsub xmlns='{PUBSUB}'><unsubscribe node='{n}' jid='{{me}}'/></pubsub>",
    f"<pubsub xmlns='{PUBSUB}'><publish node='{n}'><item><x xmlns='a:b'/></item></publish></pubsub>",
    f"<pubsub xmlns='{PUBSUB}'><retract node='{n}'><item id='x'/></retract></pubsub>",
    f"<pubsub xmlns='{PUBSUB}'><create node='{n}'/></pubsub>", f"<pubsub xmlns='{OWNER}'><delete node='{n}'/></pubsub>",
    f"<pubsub xmlns='{OWNER}'><purge node='{n}'/></pubsub>",
    f"<pubsub xmlns='{OWNER}'><configure node='{n}'><x xmlns='{DATA}' type='submit'/></configure></pubsub>",
    f"<pubsub xmlns='{OWNER}'><affiliations node='{n}'><affiliation jid='{{me}}' affiliation='member'/></affiliations></pubsub>")]

IQS = [f"<iq type='get' id='{{id}}' to='{{to}}'>{p}</iq>" for p in GETS] + \
      [f"<iq type='set' id='{{id}}' to='{{to}}'>{p}</iq>" for p in SETS] + \
      ["<iq type='get' id='{id}' to='{to}'/>", "<iq type='set' id='{id}' to='{to}'><a xmlns='a:b'/><b xmlns='a:b'/></iq>",
       "<iq type='result' id='{id}' to='{to}'/>", "<iq type='error' id='{id}' to='{to}'/>"]

RECEIPT, STATE = "<request xmlns='urn:xmpp:receipts'/>", "<active xmlns='http://jabber.org/protocol/chatstates'/>"
MESSAGES = [f"<message {kind} id='{{id}}' to='{{to}}'>{inner}</message>"
            for kind in ("", "type='normal'", "type='chat'", "type='groupchat'", "type='headline'", "type='error'",
                         "type='nonsense'")
            for inner in ("<body>hi</body>", f"<body>hi</body>{RECEIPT}", STATE, "<x xmlns='a:b'/>", "",
                          "<body>hi</body><no-store xmlns='urn:xmpp:hints'/>", "<store xmlns='urn:xmpp:hints'/>",
                          f"<x xmlns='{DATA}' type='submit'/>", "<retract xmlns='urn:xmpp:message-retract:1' id='x'/>",
                          "<subject>s</subject>")]
PRESENCES = [f"<presence {kind} id='{{id}}' to='{{to}}'/>"
             for kind in ("", "type='unavailable'", "type='probe'", "type='error'", "type='unsubscribe'",
                          "type='unsubscribed'", "type='subscribed'", "type='subscribe'", "type='nonsense'")]


@pytest.fixture(scope="module")
def there(suite):
    """An account with everything closed, and gone."""
    c = suite.client(THERE)
    forms = {"presence-node": "presence", "roster-node": "roster", "whitelist-node": "whitelist",
             "eu.siacs.conversations.axolotl.devicelist": "presence", "urn:xmpp:avatar:metadata": "presence"}
    for node, model in forms.items():
        more = f"<field var='pubsub#roster_groups_allowed'><value>g</value></field>" if model == "roster" else ""
        e = c.iq("set", f"<pubsub xmlns='{PUBSUB}'><publish node='{node}'><item id='i'><x xmlns='a:b'/></item></publish>"
                 f"<publish-options><x xmlns='{DATA}' type='submit'><field var='FORM_TYPE' type='hidden'><value>{PUBSUB}"
                 f"#publish-options</value></field><field var='pubsub#access_model'><value>{model}</value></field>{more}"
                 f"</x></publish-options></pubsub>")
        assert e.get("type") == "result", node
    c.close()
    wait_for(lambda: not suite.ctl_json("sessions", f"{THERE}@{suite.domain}"), "its session to be over")


class Stranger:
    """One session that asks all; the answers come in the order of the questions."""

    def __init__(self, server):
        self.server = server
        self.me = server.client("stranger")
        self.me.iq("get", f"<query xmlns='{NS['roster']}'/>")

    def answers(self, stanzas, to):
        me, found = self.me, []
        for stanza in stanzas:
            me.raw = b""
            me.write(stanza.replace("{id}", "one-id").replace("{to}", to).replace("{me}", me.bare))
            me.iq("get", "<fence xmlns='urn:example:fence'/>", to=to.split("/")[0])     # by way of whichever sm it is
            for _ in range(2):
                me.ping()
            text = re.sub(r"<iq [^>]*id='t\d+'[^>]*(?<!/)>.*?</iq>", "", me.raw.decode())
            text = re.sub(r"<iq [^>]*id='t\d+'[^>]*/>", "", text)
            text = re.sub(r"ver='[^']*'|id='(?!one-id)[^']*'", "", text)         # of roster pushes
            found.append(text.replace(to.split("/")[0], "ACCOUNT"))
        return found


@pytest.mark.parametrize("what", ["IQS", "MESSAGES", "PRESENCES"])
@pytest.mark.parametrize("resource", ["", "/phone"])
@pytest.mark.parametrize("online", [False, True], ids=["away", "online"])
def test_a_name_that_nobody_has_answers_as_one_who_shares_nothing(server, there, what, resource, online):
    """Away, or there with another resource than the one asked."""
    stranger = Stranger(server)
    session = server.client(THERE, register=False, resource="other") if online else None
    stanzas = globals()[what]
    at = [f"{name}@{server.domain}{resource}" for name in (THERE, NOWHERE)]
    a, b = stranger.answers(stanzas, at[0]), stranger.answers(stanzas, at[1])
    different = [(s, x, y) for s, x, y in zip(stanzas, a, b) if x != y]
    assert not different, "\n\n".join("\n".join(d) for d in different[:40]) + f"\n{len(different)} of {len(stanzas)}"
    stranger.me.close()
    if session:
        session.close()


# ---- what waits, and where it no longer fits

FULL = {"three messages": ["limits.offline_messages_max=3"], "few bytes": ["limits.offline_bytes_max=900"],
        "no byte": ["limits.offline_bytes_max=0"], "archive only": ["limits.offline_messages_max=0"],
        "nothing": ["limits.offline_messages_max=0", "archive=false"],
        "archive of contacts": ["limits.offline_messages_max=0", "domain[example.org].archive_default=roster"]}


@pytest.mark.parametrize("options", FULL.values(), ids=FULL)
def test_a_store_that_a_stranger_fills_is_as_that_of_nobody(options):
    """XEP-0160 3: what no longer fits is refused, at the same message for both; what is archived (XEP-0313) is kept,
    and so nobody's is taken."""
    with Server(*[word for o in options for word in ("--set", o)]) as server:
        stranger = Stranger(server)
        stanzas = [again for m in MESSAGES for again in (m, m.replace(">hi<", ">hello again<"))]
        stanzas += [f"<message type='chat' id='{{id}}' to='{{to}}'><body>{'many words ' * 100}</body></message>"] * 2
        for resource, name in ("", "qxzvk"), ("/phone", "wjqzp"):         # not in the dictionary that records are packed with
            server.register(name)
            a = stranger.answers(stanzas, f"{name}@{server.domain}{resource}")
            b = stranger.answers(stanzas, f"{name[::-1]}@{server.domain}{resource}")
            different = [(s, x, y) for s, x, y in zip(stanzas, a, b) if x != y]
            assert not different, "\n\n".join("\n".join(d) for d in different[:9]) + f"\n{len(different)}"


# ---- what an account shows on purpose

def test_what_is_open_to_everybody_is_seen(server):
    """Open nodes, nodes that take applications, and vCards: by the will of the owner."""
    a, stranger = server.client("generous"), server.client("stranger")
    for node, model in (("open-node", "open"), ("apply-node", "authorize"), ("closed-node", "presence")):
        e = a.iq("set", f"<pubsub xmlns='{PUBSUB}'><publish node='{node}'><item id='i'><x xmlns='a:b'/></item></publish>"
                 f"<publish-options><x xmlns='{DATA}' type='submit'><field var='FORM_TYPE' type='hidden'><value>{PUBSUB}"
                 f"#publish-options</value></field><field var='pubsub#access_model'><value>{model}</value></field>"
                 f"</x></publish-options></pubsub>")
        assert e.get("type") == "result"
    assert stranger.iq("get", items("open-node"), to=a.bare).find(f".//{{{PUBSUB}}}item").get("id") == "i"
    e = stranger.iq("get", items("apply-node"), to=a.bare)
    assert e.find(f".//{{{PUBSUB}#errors}}not-subscribed") is not None
    for node in ("closed-node", "no-such-node"):
        e = stranger.iq("get", items(node), to=a.bare)
        assert e.find(f".//{{{PUBSUB}#errors}}presence-subscription-required") is not None
    a.befriend(stranger)
    assert stranger.iq("get", items("closed-node"), to=a.bare).get("type") == "result"
    assert stranger.error_of(stranger.iq("get", items("no-such-node"), to=a.bare)) == "item-not-found"
    a.iq("set", "<vCard xmlns='vcard-temp'><FN>G</FN></vCard>")
    other = server.client("other")
    assert other.iq("get", "<vCard xmlns='vcard-temp'/>", to=a.bare).get("type") == "result"


# ---- logins

MECHANISMS = ["SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS"]


def scram_try(server, name, mechanism, profile, password="wrong"):
    """The server's first message without its nonce, and the element that ends the exchange."""
    c, _ = opened(server)
    plus = mechanism.endswith("-PLUS")
    binding = hashlib.sha256(c.sock.getpeercert(True)).digest() if plus else b""
    scram = Scram(name, password, mechanism.removesuffix("-PLUS").removeprefix("SCRAM-"),
                  "p=tls-server-end-point" if plus else "n", binding)
    ns = SASL2 if profile == 2 else NS["sasl"]
    c.write(authenticate(mechanism, scram.first()) if profile == 2 else
            f"<auth xmlns='{ns}' mechanism='{mechanism}'>{scram.first()}</auth>")
    e = c.next()
    assert e.tag == f"{{{ns}}}challenge", ET.tostring(e)
    c.write(f"<response xmlns='{ns}'>{scram.final(e.text)}</response>")
    last = ET.tostring(c.next())
    c.close()
    first = {k: v for k, v in scram.fields.items() if k != "r"}
    return first, len(scram.fields["r"]), last


@pytest.mark.parametrize("profile", [1, 2])
@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_scram_begins_and_fails_alike(server, there, mechanism, profile):
    (a, a_nonce, a_end), (b, b_nonce, b_end) = (scram_try(server, n, mechanism, profile) for n in (THERE, NOWHERE))
    assert a_end == b_end and b"not-authorized" in a_end and a_nonce == b_nonce
    assert list(a) == list(b) and a["i"] == b["i"]
    assert len(base64.b64decode(a["s"])) == len(base64.b64decode(b["s"])) and a["s"] != b["s"]
    assert {k: v for k, v in a.items() if k != "s"} == {k: v for k, v in b.items() if k != "s"}


def test_the_salt_of_nobody_is_his_for_good(server, there):
    def salts():
        return [scram_try(server, n, m, 1)[0]["s"] for n in (NOWHERE, "nobody-else", THERE)
                for m in ("SCRAM-SHA-1", "SCRAM-SHA-256")]

    first = salts()
    assert len(set(first)) == 6
    assert salts() == first
    for name in [row["name"] for row in server.ctl_json("status") if row["role"] == "sm"]:
        server.restart(name)
    assert salts() == first
    assert scram_try(server, NOWHERE.upper(), "SCRAM-SHA-256", 1)[0]["s"] == first[1]     # the name as it is prepared


@pytest.mark.parametrize("profile", [1, 2])
@pytest.mark.parametrize("token", ["{0}", "somebody\0{0}", "{1}\0{0}", "x@y\0{0}"])
def test_plain_fails_alike(server, there, profile, token):
    answers = []
    for name in (THERE, NOWHERE):
        c, _ = opened(server, None)
        first = b64(("" if "\0" in token else "\0") + token.format(name, f"{name}@{server.domain}") + "\0wrong")
        c.write(authenticate("PLAIN", first) if profile == 2 else
                f"<auth xmlns='{NS['sasl']}' mechanism='PLAIN'>{first}</auth>")
        answers.append(ET.tostring(c.next()))
        c.close()
    assert answers[0] == answers[1]


@pytest.mark.parametrize("what", ["features", "token"])
def test_a_stream_from_nobody_is_a_stream_from_somebody(server, there, what):
    """XEP-0388 6: what is offered does not vary with `from`; XEP-0484: a token of nobody fails as a lost one."""
    answers = []
    for name in (THERE, NOWHERE):
        c, features = opened(server, name)
        if what == "features":
            answers.append(ET.tostring(features))
        else:
            first = b64(name.encode() + b"\0" + b"x" * 32)
            c.write(authenticate("HT-SHA-256-NONE", first, agent() + "<fast xmlns='urn:xmpp:fast:0'/>"))
            answers.append(ET.tostring(c.next()))
        c.close()
    assert answers[0] == answers[1]
