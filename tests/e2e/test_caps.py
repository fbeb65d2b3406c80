"""Entity capabilities, XEP-0115 and XEP-0390: the server asks a client once what it is able to do."""

import base64
import hashlib

INFO = "http://jabber.org/protocol/disco#info"
CAPS = "http://jabber.org/protocol/caps"


def features_xml(*features):
    return "".join(f"<feature var='{f}'/>" for f in features)


def ver_of(*features):
    text = "".join(f + "<" for f in sorted(features))
    return base64.b64encode(hashlib.sha1(text.encode()).digest()).decode()


def show(client, *features, ver=None, extra=""):
    """Presence that advertises exactly these features (or claims to, with another ver)."""
    ver = ver or ver_of(*features)
    client.write(f"<presence><c xmlns='{CAPS}' hash='sha-1' node='http://example.net/c' ver='{ver}'/>{extra}</presence>")
    return ver


def question(client, timeout=10):
    return client.expect("iq", lambda e: e.get("type") == "get" and e.find(f"{{{INFO}}}query") is not None,
                         timeout=timeout)


def answer(client, q, *features):
    node = q.find(f"{{{INFO}}}query").get("node")
    to = f" to='{q.get('from')}'" if q.get("from") else ""
    client.write(f"<iq type='result' id='{q.get('id')}'{to}><query xmlns='{INFO}' node='{node}'>"
                 f"{features_xml(*features)}</query></iq>")
    return node


def no_question(client):
    client.expect_none("iq", lambda e: e.get("type") == "get" and e.find(f"{{{INFO}}}query") is not None)


def test_asked_once_by_the_bare_jid(server):
    wants = ("urn:example:one", "urn:example:one+notify")
    a = server.client("caps1", presence=False)
    ver = show(a, *wants)
    q = question(a)
    assert q.get("from") == f"caps1@{server.domain}"
    assert answer(a, q, *wants) == "http://example.net/c#" + ver
    show(a, *wants, extra="<show>away</show>")
    b = server.client("caps1b", presence=False)
    show(b, *wants)
    no_question(b)
    no_question(a)


def test_a_liar_spoils_it_for_nobody(server):
    wants = ("urn:example:two", "urn:example:two+notify")
    liar = server.client("caps2", presence=False)
    show(liar, ver=ver_of(*wants))
    answer(liar, question(liar), "urn:example:evil+notify")
    honest = server.client("caps2b", presence=False)
    show(honest, *wants)
    answer(honest, question(honest), *wants)
    third = server.client("caps2c", presence=False)
    show(third, *wants)
    no_question(third)


def test_unverified_ones_are_asked_each(server):
    for name in ("caps3", "caps3b"):
        c = server.client(name, presence=False)
        c.write(f"<presence><c xmlns='{CAPS}' node='http://old.example' ver='0.1'/></presence>")
        q = question(c)
        assert q.find(f"{{{INFO}}}query").get("node") == "http://old.example#0.1"
        answer(c, q, "urn:example:old+notify")


def test_known_after_a_restart_without_asking(server):
    wants = ("urn:example:kept+notify",)
    a = server.client("caps4", presence=False)
    show(a, *wants)
    answer(a, question(a), *wants)
    a.ping()
    server.restart("sm-1")
    b = server.client("caps4b", presence=False)
    show(b, *wants)
    no_question(b)


def test_xep_0390(server):
    a = server.client("caps5", presence=False)
    text = "urn:example:new+notify\x1f\x1c\x1c\x1c"
    ver = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    hashes = f"<hash xmlns='urn:xmpp:hashes:2' algo='sha-256'>{ver}</hash>"
    a.write(f"<presence><c xmlns='urn:xmpp:caps'>{hashes}</c></presence>")
    assert answer(a, question(a), "urn:example:new+notify") == f"urn:xmpp:caps#sha-256.{ver}"
    b = server.client("caps5b", presence=False)
    b.write(f"<presence><c xmlns='urn:xmpp:caps'>{hashes}</c></presence>")
    no_question(b)


def test_junk_is_not_asked(server):
    a = server.client("caps6", presence=False)
    a.write(f"<presence><c xmlns='{CAPS}' hash='sha-1' node='n'/></presence>")
    a.write(f"<presence><c xmlns='{CAPS}' hash='sha-1' node='n' ver='{'A' * 5000}'/></presence>")
    a.write("<presence><c xmlns='urn:xmpp:caps'/></presence>")
    no_question(a)
    a.write("<iq type='result' id='guess'/><iq type='error' id='guess'/>")
    a.ping()
