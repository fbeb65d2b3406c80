"""Avatars: PEP (XEP-0084) and vCard (XEP-0153) follow each other, presence tells the hash (XEP-0398)."""

import base64
import hashlib

DATA = "urn:xmpp:avatar:data"
META = "urn:xmpp:avatar:metadata"
PUBSUB = "http://jabber.org/protocol/pubsub"
VCARD = "vcard-temp"
UPDATE = "vcard-temp:x:update"
PNG = b"\x89PNG\r\n\x1a\nnot much of an image"


def sha(image):
    return hashlib.sha1(image).hexdigest()


def b64(image):
    return base64.b64encode(image).decode()


def publish(client, node, item_id, payload, access=None):
    options = "" if access is None else (
        "<publish-options><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'><value>"
        f"{PUBSUB}#publish-options</value></field><field var='pubsub#access_model'><value>{access}</value></field>"
        "</x></publish-options>")
    e = client.iq("set", f"<pubsub xmlns='{PUBSUB}'><publish node='{node}'><item id='{item_id}'>{payload}</item>"
                         f"</publish>{options}</pubsub>")
    assert e.get("type") == "result"


def publish_avatar(client, image, access=None):
    publish(client, DATA, sha(image), f"<data xmlns='{DATA}'>{b64(image)}</data>", access)
    publish(client, META, sha(image), f"<metadata xmlns='{META}'><info bytes='{len(image)}' id='{sha(image)}' "
            "type='image/png'/></metadata>", access)


def set_vcard(client, photo, extra="<FN>Anna</FN>"):
    inside = f"<PHOTO><TYPE>image/png</TYPE><BINVAL>{photo}</BINVAL></PHOTO>" if photo else ""
    return client.iq("set", f"<vCard xmlns='{VCARD}'>{extra}{inside}</vCard>")


def vcard(client, of=None):
    return client.iq("get", f"<vCard xmlns='{VCARD}'/>", to=of)


def photo(e):
    return e.findtext(f".//{{{VCARD}}}BINVAL")


def items(client, node, of=None):
    e = client.iq("get", f"<pubsub xmlns='{PUBSUB}'><items node='{node}'/></pubsub>", to=of)
    return {i.get("id"): i for i in e.iter(f"{{{PUBSUB}}}item")}


def shown(client, content=""):
    """What the account's own resource gets back of a presence."""
    client.write(f"<presence><status>mark</status>{content}</presence>")
    e = client.expect("presence", lambda p: p.get("from") == client.jid and p.findtext("{jabber:client}status") == "mark")
    found = e.findall(f"{{{UPDATE}}}x")
    assert len(found) < 2
    return found[0].find(f"{{{UPDATE}}}photo") if found else None


def test_pep_to_vcard(server):
    a = server.client("av1")
    set_vcard(a, None)
    assert shown(a) is None
    publish_avatar(a, PNG, "open")
    b = server.client("av1b")
    e = vcard(b, f"av1@{server.domain}")
    assert base64.b64decode(photo(e)) == PNG
    assert e.findtext(f".//{{{VCARD}}}FN") == "Anna" and e.findtext(f".//{{{VCARD}}}TYPE") == "image/png"
    assert shown(a).text == sha(PNG)
    publish(a, META, "gone", f"<metadata xmlns='{META}'/>")
    assert photo(vcard(b, f"av1@{server.domain}")) is None
    assert shown(a) is None


def test_what_contacts_only_may_read_stays_theirs(server):
    a = server.client("av2")
    publish_avatar(a, PNG)
    stranger, friend = server.client("av2b"), server.client("av2c")
    friend.befriend(a)
    assert base64.b64decode(photo(vcard(a))) == PNG
    assert base64.b64decode(photo(vcard(friend, f"av2@{server.domain}"))) == PNG
    assert photo(vcard(stranger, f"av2@{server.domain}")) is None


def test_vcard_to_pep(server):
    a = server.client("av3")
    text = b64(PNG)
    assert set_vcard(a, text[:10] + "\n  " + text[10:]).get("type") == "result"
    meta = items(a, META)
    assert list(meta) == [sha(PNG)]
    info = meta[sha(PNG)].find(f"{{{META}}}metadata/{{{META}}}info")
    assert (info.get("bytes"), info.get("type"), info.get("id")) == (str(len(PNG)), "image/png", sha(PNG))
    data = items(a, DATA)[sha(PNG)].findtext(f"{{{DATA}}}data")
    assert base64.b64decode(data) == PNG
    assert shown(a).text == sha(PNG)
    b = server.client("av3b")
    assert list(items(b, META, f"av3@{server.domain}")) == [sha(PNG)]
    set_vcard(a, None)
    (last,) = items(a, META).values()
    assert len(last.find(f"{{{META}}}metadata")) == 0
    assert shown(a) is None


def test_wrong_images_change_nothing(server):
    a = server.client("av4")
    publish(a, DATA, "0" * 40, f"<data xmlns='{DATA}'>{b64(PNG)}</data>")
    publish(a, META, "0" * 40, f"<metadata xmlns='{META}'><info bytes='1' id='{'0' * 40}' type='image/png'/></metadata>")
    assert photo(vcard(a)) is None
    assert set_vcard(a, "!!!").get("type") == "result"
    assert shown(a) is None
    publish(a, META, "url", f"<metadata xmlns='{META}'><info bytes='1' id='{sha(PNG)}' type='image/png' "
            "url='http://x/y'/></metadata>")
    assert shown(a) is None


def test_what_the_client_says_of_itself(server):
    a = server.client("av5")
    set_vcard(a, b64(PNG))
    x = f"<x xmlns='{UPDATE}'>"
    assert not shown(a, x + "<photo/></x>").text
    assert shown(a, x + "</x>").text == sha(PNG)
    assert shown(a, x + "<photo>abc</photo></x>").text == sha(PNG)


def test_directed_presence_and_rooms(server):
    a, b = server.client("av6"), server.client("av6b")
    set_vcard(a, b64(PNG))
    a.write(f"<presence to='{b.jid}'/>")
    e = b.expect("presence", lambda p: p.get("from") == a.jid)
    assert e.findtext(f"{{{UPDATE}}}x/{{{UPDATE}}}photo") == sha(PNG)
    room = f"avatars@muc.{server.domain}"
    a.write(f"<presence to='{room}/anna'><x xmlns='http://jabber.org/protocol/muc'/></presence>")
    e = a.expect("presence", lambda p: p.get("from") == f"{room}/anna" and p.get("type") is None)
    assert e.findtext(f"{{{UPDATE}}}x/{{{UPDATE}}}photo") == sha(PNG)


def test_feature_and_limit(server):
    a = server.client("av7")
    e = a.iq("get", "<query xmlns='http://jabber.org/protocol/disco#info'/>", to=f"av7@{server.domain}")
    assert "urn:xmpp:pep-vcard-conversion:0" in {f.get("var") for f in e.iter("{http://jabber.org/protocol/disco#info}feature")}
    big = set_vcard(a, b64(b"x" * 150000))
    assert a.error_of(big) == "not-acceptable"
    assert photo(vcard(a)) is None and items(a, META) == {}
