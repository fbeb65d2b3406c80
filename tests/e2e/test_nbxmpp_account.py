"""nbxmpp, the library that Gajim speaks XMPP with: what an account holds and the service tells."""

import hashlib

import pytest
from nbxmpp_rig import befriend, gajim, until

from nbxmpp.const import AdHocAction
from nbxmpp.errors import StanzaError
from nbxmpp.modules.user_avatar import Avatar
from nbxmpp.modules.vcard4 import VCard
from nbxmpp.namespaces import Namespace
from nbxmpp.protocol import JID, Presence
from nbxmpp.structs import ActivityData, AnnotationNote, BookmarkData, LocationData, OMEMOBundle, TuneData

OPTIONS = ["--set", "domain[example.org].admins=root@example.org"]
PICTURE = b"\x89PNG\r\n\x1a\n" + b"picture" * 40


def test_blocking(gajim):
    a, b = gajim(), gajim()
    assert a.ask("Blocking", "request_blocking_list") == set()
    a.ask("Blocking", "block", [b.bare], report="spam")
    push = a.expect("iq", lambda p, s: getattr(p, "blocking", None))[1]
    assert push.blocking.block == {b.bare}
    assert a.ask("Blocking", "request_blocking_list") == {b.bare}
    b.say(a.bare, "do you hear me")
    refused = b.expect("message", lambda p, s: p.type.value == "error")[1]
    assert refused.error.condition == "service-unavailable"
    a.ask("Blocking", "unblock", [b.bare])
    b.say(a.bare, "and now")
    a.body("and now")


@pytest.mark.parametrize("module", ["NativeBookmarks", "PEPBookmarks", "PrivateBookmarks"])
def test_bookmarks_in_each_form_are_seen_in_each(server, gajim, module):
    a = gajim()
    room = JID.from_string(f"room@muc.{server.domain}")
    mark = BookmarkData(jid=room, name="A room", nick="Me", autojoin=True)
    try:
        assert not a.ask(module, "request_bookmarks")
    except StanzaError as error:
        assert error.condition == "item-not-found"
    a.ask(module, "store_bookmarks", [mark])
    for reader in ("NativeBookmarks", "PEPBookmarks", "PrivateBookmarks"):
        def seen():
            try:
                return a.ask(reader, "request_bookmarks")
            except StanzaError:
                return None
        found, = until(seen, f"what {module} stored, read by {reader}")
        assert (found.jid, found.name, found.nick, found.autojoin) == (room, "A room", "Me", True)
    a.ask("NativeBookmarks", "retract_bookmark", room)
    assert not a.ask("NativeBookmarks", "request_bookmarks")


# Module, its function, what is published: the friend's module makes the same of the event.
EVENTED = [
    ("Tune", "set_tune", Namespace.TUNE, TuneData(artist="Yes", title="Heart of the Sunrise")),
    ("Activity", "set_activity", Namespace.ACTIVITY, ActivityData("working", "coding", "a server")),
    ("Location", "set_location", Namespace.LOCATION, LocationData(lat="52.5", lon="13.4")),
    ("Nickname", "set_nickname", Namespace.NICK, "Alice"),
]


def test_personal_events_are_heard_by_who_asked_for_them(gajim):
    a, b = gajim(), gajim()
    befriend(a, b)
    b.announce(*(f"{namespace}+notify" for _, _, namespace, _ in EVENTED))
    for module, function, namespace, data in EVENTED:
        a.ask(module, function, data)
        b.expect("message", lambda p, s: p.is_pubsub_event and p.pubsub_event.node == namespace and
                 p.jid.bare_match(a.bare) and p.pubsub_event.data == data, module)
    late = gajim(b.bare.localpart, resource="late")                        # the last items come with presence
    late.announce(f"{Namespace.TUNE}+notify")
    late.expect("message", lambda p, s: p.is_pubsub_event and p.pubsub_event.data == EVENTED[0][3])


def test_private_storage(gajim):
    a, b = gajim(), gajim()
    a.ask("Annotations", "set_annotations", [AnnotationNote(jid=b.bare, data="owes me a tea")])
    note, = a.ask("Annotations", "request_annotations")
    assert (note.jid, note.data) == (b.bare, "owes me a tea")
    assert b.ask("Annotations", "request_annotations") == []


def test_avatar_and_vcard(gajim):
    a, b = gajim(), gajim()
    befriend(a, b)
    avatar = Avatar()
    avatar.add_image_source(PICTURE, "image/png", 64, 64)
    a.ask("UserAvatar", "set_avatar", avatar, public=True)
    sha = hashlib.sha1(PICTURE).hexdigest()
    metadata = b.ask("UserAvatar", "request_avatar_metadata", jid=a.bare)
    assert metadata.default == sha and metadata.infos[0].type == "image/png"
    assert b.ask("UserAvatar", "request_avatar_data", sha, jid=a.bare).data == PICTURE
    card = b.ask("VCardTemp", "request_vcard", jid=a.bare)                 # XEP-0398
    assert card.get_avatar()[0] == PICTURE
    a.client.send_stanza(Presence())                                       # the hash comes with the next one
    b.expect("presence", lambda p, s: p.avatar_sha == sha)
    card = VCard()
    card.add_property("fn", value="Alice of Wonderland")
    a.ask("VCard4", "set_vcard", card, public=True)
    got = b.ask("VCard4", "request_vcard", jid=a.bare)
    assert [p.value for p in got.get_properties() if p.name == "fn"] == ["Alice of Wonderland"]
    a.ask("UserAvatar", "set_avatar", None)
    assert b.ask("UserAvatar", "request_avatar_metadata", jid=a.bare) is None


def test_omemo_keys(gajim):
    a, b = gajim(), gajim()
    a.ask("OMEMO", "set_devicelist", [101, 102])
    assert sorted(int(d) for d in b.ask("OMEMO", "request_devicelist", jid=a.bare)) == [101, 102]
    bundle = OMEMOBundle(spk={"key": b"s" * 33, "id": 1}, spk_signature=b"t" * 64, ik=b"i" * 33,
                         otpks=[{"key": b"o" * 33, "id": n} for n in range(1, 101)])
    a.ask("OMEMO", "set_bundle", bundle, 101)
    got = b.ask("OMEMO", "request_bundle", a.bare, 101)
    assert got.ik == bundle.ik and len(got.otpks) == 100


def test_disco_adhoc_last_activity_version_time(server, gajim):
    a = gajim()
    info = a.ask("Discovery", "disco_info", a.client.domain)
    assert any((i.category, i.type) == ("server", "im") for i in info.identities)
    assert {Namespace.BLOCKING, Namespace.CARBONS, Namespace.PING} <= set(info.features)
    account = a.ask("Discovery", "disco_info", a.bare)
    assert {Namespace.MAM_2, Namespace.PUBSUB_PUBLISH_OPTIONS, Namespace.PUBSUB_NODE_MAX,
            Namespace.BOOKMARKS_COMPAT_PEP} <= set(account.features)
    assert any((i.category, i.type) == ("pubsub", "pep") for i in account.identities)
    for item in a.ask("Discovery", "disco_items", a.client.domain).items:
        if not str(item.jid).startswith("comp."):                       # nobody is connected as the component
            a.ask("Discovery", "disco_info", item.jid)
    assert a.ask("SoftwareVersion", "request_software_version", a.client.domain).name == "Zubr"
    a.ask("EntityTime", "request_entity_time", a.client.domain)
    a.ask("LastActivity", "request_last_activity", a.client.domain)
    assert isinstance(a.ask("AdHoc", "request_command_list", a.client.domain), list)


def test_adhoc_as_an_admin(gajim):
    a = gajim("root")
    commands = a.ask("AdHoc", "request_command_list", a.client.domain)
    online = next(c for c in commands if c.node.endswith("#get-online-users-num"))
    result = a.ask("AdHoc", "execute_command", online)
    assert result.status.value in ("completed", "executing")
    delete = next(c for c in commands if c.node.endswith("#delete-user"))
    form = a.ask("AdHoc", "execute_command", delete)
    assert form.status.value == "executing" and form.data is not None and form.sessionid
    cancelled = a.ask("AdHoc", "execute_command", form, action=AdHocAction.CANCEL)
    assert cancelled.status.value == "canceled"
