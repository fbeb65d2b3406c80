"""Entity capabilities, XEP-0115 and XEP-0390: the server asks a client once what it is able to do."""

import base64
import hashlib

from harness import Server, instances

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


def is_question(e):
    return e.tag.endswith("}iq") and e.get("type") == "get" and e.find(f"{{{INFO}}}query") is not None


def question(client, timeout=10):
    return client.expect("iq", is_question, timeout=timeout)


def answer(client, q, *features):
    node = q.find(f"{{{INFO}}}query").get("node")
    to = f" to='{q.get('from')}'" if q.get("from") else ""
    client.write(f"<iq type='result' id='{q.get('id')}'{to}><query xmlns='{INFO}' node='{node}'>"
                 f"{features_xml(*features)}</query></iq>")
    return node


def answers(client, *features):
    """Whatever is asked from now on, as soon as the client reads it. Returns the list of who has asked."""
    asked = []

    def react(e):
        if is_question(e):
            answer(client, e, *features)
            asked.append((e.get("from") or client.jid).split("/")[0])
        return is_question(e)

    client.react = react
    return asked


def no_question(client):
    client.expect_none("iq", is_question)


def remembered(client, wants, say):
    """What it says needs no question. An instance that has not found the answer of another one in the store yet asks once
    for itself."""
    say(client, *wants)
    asked = [e for e in client.settle(0.4) if is_question(e)]
    if asked and len(instances("sm")) > 1:
        answer(client, asked.pop(), *wants)
        client.write("<presence type='unavailable'/>")
        say(client, *wants)
        asked = [e for e in client.settle(0.4) if is_question(e)]
    assert not asked


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


def show_2(client, *features, algorithm="sha-256", more=""):
    """As show, with XEP-0390; returns the hash."""
    text = "".join(f + "\x1f" for f in sorted(features)) + "\x1c\x1c\x1c"
    ver = base64.b64encode(hashlib.new(algorithm.replace("sha3-", "sha3_").replace("sha-", "sha"), text.encode()).digest()).decode()
    client.write(f"<presence><c xmlns='urn:xmpp:caps'>{more}<hash xmlns='urn:xmpp:hashes:2' algo='{algorithm}'>{ver}</hash></c>"
                 "</presence>")
    return ver


def test_a_poisoned_hash_of_xep_0390_is_its_sender_s_alone(server):
    """7: an answer that the hash does not stand for is not kept for others, whatever is wrong with it."""
    evil = features_xml("urn:example:poison+notify")
    lies = {
        "other features": evil,
        "one more": features_xml("urn:example:good+notify") + evil,
        "a form without a type": features_xml("urn:example:good+notify") + "<x xmlns='jabber:x:data' type='result'/>",
        "a stranger's element": features_xml("urn:example:good+notify") + "<evil xmlns='urn:evil'/>",
    }
    for number, (why, said) in enumerate(lies.items()):
        wants = ("urn:example:good+notify", f"urn:example:lie:{number}")
        liar, honest, third = (server.client(f"poison{number}{who}", presence=False) for who in "abc")
        ver = show_2(liar, *wants)
        q = question(liar)
        liar.write(f"<iq type='result' id='{q.get('id')}' to='{q.get('from')}'><query xmlns='{INFO}' "
                   f"node='urn:xmpp:caps#sha-256.{ver}'>{said}</query></iq>")
        show_2(honest, *wants)
        answer(honest, question(honest), *wants)
        remembered(third, wants, show_2)


def test_hashes_of_xep_0390_by_every_algorithm(server):
    unknown = "<hash xmlns='urn:xmpp:hashes:2' algo='md9'>AAAA</hash>"
    for number, algorithm in enumerate(("sha-256", "sha-512", "sha3-256", "sha3-512")):
        wants = (f"urn:example:algorithm:{number}+notify",)
        a, b = (server.client(f"algorithm{number}{who}", presence=False) for who in "ab")
        ver = show_2(a, *wants, algorithm=algorithm, more=unknown)
        assert answer(a, question(a), *wants) == f"urn:xmpp:caps#{algorithm}.{ver}"
        remembered(b, wants, lambda client, *what: show_2(client, *what, algorithm=algorithm))


def test_at_the_smallest_limits_everybody_still_hears():
    """What does not fit is asked again: no more is lost by a cache that is too small."""
    with Server("--set", "limits.caps_stored=256", "--set", "limits.caps_remembered=10", "--set", "limits.caps_waiting=1") as server:
        a = server.client("many", resource="publisher")
        others = []
        for i in range(15):
            c = server.client("many", resource=f"r{i}", register=False, presence=False)
            wants = ("urn:example:few+notify", f"urn:example:few:{i}")
            asked = answers(c, *wants)
            show(c, *wants)
            c.read_until(lambda: asked, "the question")
            c.ping()
            others.append(c)
        a.iq("set", "<pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='urn:example:few'><item id='i'>"
             "<x xmlns='urn:x'/></item></publish></pubsub>")
        for c in others:
            c.expect("message", lambda m: m.find(".//{urn:x}x") is not None)
        # Of two at once, one is asked: the other one with its next presence.
        silent, late = (server.client(f"waits{i}", presence=False) for i in range(2))
        show(silent, "urn:example:silent+notify")
        q = question(silent)
        show(late, "urn:example:late+notify")
        no_question(late)
        answer(silent, q, "urn:example:silent+notify")
        silent.ping()
        show(late, "urn:example:late+notify", extra="<show>away</show>")
        answer(late, question(late), "urn:example:late+notify")


def test_junk_is_not_asked(server):
    a = server.client("caps6", presence=False)
    a.write(f"<presence><c xmlns='{CAPS}' hash='sha-1' node='n'/></presence>")
    a.write(f"<presence><c xmlns='{CAPS}' hash='sha-1' node='n' ver='{'A' * 5000}'/></presence>")
    a.write("<presence><c xmlns='urn:xmpp:caps'/></presence>")
    no_question(a)
    a.write("<iq type='result' id='guess'/><iq type='error' id='guess'/>")
    a.ping()


def forms_and_all(query):
    """S of XEP-0115 5.1 for an answer of the server (whose forms have one value a field or more)."""
    data = "jabber:x:data"
    s = "".join(f"{i.get('category')}/{i.get('type')}//{i.get('name') or ''}<"
                for i in sorted(query.findall(f"{{{INFO}}}identity"), key=lambda i: (i.get("category"), i.get("type"))))
    s += "".join(f"{v}<" for v in sorted(f.get("var") for f in query.findall(f"{{{INFO}}}feature")))
    forms = []
    for x in query.findall(f"{{{data}}}x"):
        fields = {f.get("var"): sorted(v.text or "" for v in f.findall(f"{{{data}}}value"))
                  for f in x.findall(f"{{{data}}}field")}
        kind = fields.pop("FORM_TYPE")[0]
        forms.append((kind, kind + "<" + "".join(v + "<" + "".join(t + "<" for t in fields[v]) for v in sorted(fields))))
    return s + "".join(text for _, text in sorted(forms))


def test_the_server_s_own_in_the_stream_features(server):
    a = server.client("caps7", presence=False)
    b = server.stream().starttls()
    b.open().features()
    b.auth_plain("caps7", "secret")
    features = b.open().features()
    c = features.find(f"{{{CAPS}}}c")
    node = c.get("node") + "#" + c.get("ver")
    query = a.iq("get", f"<query xmlns='{INFO}'/>", to=server.domain).find(f"{{{INFO}}}query")
    expected = base64.b64encode(hashlib.sha1(forms_and_all(query).encode()).digest()).decode()
    assert c.get("hash") == "sha-1" and c.get("ver") == expected
    hashes = [h.get("algo") for h in features.findall("{urn:xmpp:caps}c/{urn:xmpp:hashes:2}hash")]
    assert hashes == ["sha-256", "sha3-256"]
    text = features.find("{urn:xmpp:caps}c/{urn:xmpp:hashes:2}hash").text
    for name in (node, "urn:xmpp:caps#sha-256." + text):
        again = a.iq("get", f"<query xmlns='{INFO}' node='{name}'/>", to=server.domain).find(f"{{{INFO}}}query")
        assert again.get("node") == name
        assert forms_and_all(again) == forms_and_all(query)
    assert a.error_of(a.iq("get", f"<query xmlns='{INFO}' node='{node}x'/>", to=server.domain)) == "item-not-found"
