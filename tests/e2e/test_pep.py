"""Personal eventing: XEP-0163 over XEP-0060, on raw streams."""

import xml.etree.ElementTree as ET

import pytest

from harness import NS, wait_for

PS = "http://jabber.org/protocol/pubsub"
OWN = PS + "#owner"
EVENT = PS + "#event"
ERR = PS + "#errors"
NODE = "urn:example:node"


def text(e):
    return ET.tostring(e, encoding="unicode")


def form(fields, kind="#node_config"):
    return f"<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'><value>{PS}{kind}</value></field>" + \
        "".join(f"<field var='pubsub#{k}'>" + "".join(f"<value>{v}</value>" for v in (vs if isinstance(vs, list) else [vs])) +
                "</field>" for k, vs in fields.items()) + "</x>"


def options(**fields):
    return "<publish-options>" + form(fields, "#publish-options") + "</publish-options>" if fields else ""


def ask(client, kind, inner, to=None, ns=PS):
    return client.iq(kind, f"<pubsub xmlns='{ns}'>{inner}</pubsub>", to=to)


def entry(body):
    return f"<entry xmlns='urn:example:entry'>{body}</entry>"


def publish(client, body="one", item_id="a", node=NODE, extra="", **opts):
    ident = f" id='{item_id}'" if item_id else ""
    return ask(client, "set", f"<publish node='{node}'><item{ident}>{entry(body)}</item></publish>{options(**opts)}{extra}")


def items(client, owner=None, inner="", attrs="", node=NODE, after=""):
    return ask(client, "get", f"<items node='{node}'{attrs}>{inner}</items>{after}", to=owner)


def ids(result):
    assert result.get("type") == "result", text(result)
    return [i.get("id") for i in result.iter(f"{{{PS}}}item")]


def configure(client, node=NODE, **fields):
    return ask(client, "set", f"<configure node='{node}'>{form(fields)}</configure>", ns=OWN)


def ok(e):
    assert e.get("type") == "result", text(e)
    return e


def refused(client, e, condition, app=None, feature=None):
    assert client.error_of(e) == condition, text(e)
    found = e.find(f"client:error/{{{ERR}}}{app}", NS) if app else None
    if app:
        assert found is not None, text(e)
        assert found.get("feature") == feature
    else:
        assert all(ERR not in child.tag for child in e.find("client:error", NS)), text(e)


def test_an_item_is_published_and_read_again(server):
    a = server.client("anna")
    result = ok(publish(a, "first"))
    assert ids(result) == ["a"]
    made = ids(ok(publish(a, "second", item_id=None)))
    assert len(made) == 1 and len(made[0]) > 10
    read = items(a)
    assert ids(read) == made
    assert read.find(f".//{{urn:example:entry}}entry").text == "second"
    assert ids(items(a, inner="<item id='a'/>")) == []
    assert ids(items(a, node=NODE, attrs=" max_items='1'")) == made


def test_what_is_stored_outlives_sm(server):
    a = server.client("keeper")
    ok(publish(a, "kept", max_items="max", access_model="whitelist"))
    ok(publish(a, "too", item_id="b", max_items="max"))
    a.close()
    server.restart("sm-1")
    a = server.client("keeper", register=False)
    assert ids(items(a)) == ["b", "a"]
    refused(a, publish(a, access_model="open"), "conflict", "precondition-not-met")
