"""slixmpp's plugins, each through its own interface: what an account holds and is told, and what the service does."""

import asyncio
import hashlib

import pytest
import slixmpp
from slixmpp import JID
from slixmpp.exceptions import IqError
from slixmpp.plugins.xep_0048.stanza import Bookmarks
from slixmpp.xmlstream import ET

from clients import leave, online, reach
from harness import wait_for
from slixmpp_rig import Full, names, of, together

OPTIONS = ["--set", "domain[example.org].admins=boss@example.org", "--set", "search=true",
           "--set", "service[turn.example.org].type=stun"]
PICTURE = b"\x89PNG\r\n\x1a\n" + b"slixmpp" * 40
NICK, PUSH, ADMIN = "http://jabber.org/protocol/nick", "urn:xmpp:push:0", "http://jabber.org/protocol/admin#"


def options(bot, kind, **fields):
    """A form of pubsub; names have _ for #."""
    form = bot.x0004.make_form(ftype="submit")
    form.add_field("FORM_TYPE", "hidden", value=f"http://jabber.org/protocol/pubsub#{kind}")
    for var, value in fields.items():
        form.add_field(var.replace("pubsub_", "pubsub#"), value=value)
    return form


def element(tag, text=None, **attributes):
    made = ET.Element(tag, attributes)
    made.text = text
    return made


def test_service_information(server):
    async def script(a, b):
        info = (await a.x0030.get_info(server.domain))["disco_info"]
        assert ("server", "im") in {i[:2] for i in info["identities"]}
        for item in (await a.x0030.get_items(server.domain))["disco_items"]["items"]:
            if not item[0].startswith("comp."):                         # nobody is connected as the component
                assert (await a.x0030.get_info(item[0]))["disco_info"]["identities"]
        assert (await a.x0092.get_version(server.domain))["software_version"]["name"] == "Zubr"
        assert (await a.x0202.get_entity_time(server.domain)).xml.findtext(".//{*}utc").endswith("Z")  # it reads no time
        assert int((await a.x0012.get_last_activity(server.domain))["last_activity"]["seconds"]) >= 0
        for whom in (server.domain, b.boundjid):
            await a.x0199.ping(whom)
        iq = a.make_iq_get(ito=server.domain)                           # slixmpp has no plugin for XEP-0215
        iq.append(element("{urn:xmpp:extdisco:2}services"))
        service = next((await iq.send()).xml.iter("{urn:xmpp:extdisco:2}service"))
        assert (service.get("type"), service.get("host")) == ("stun", "turn.example.org")
    together(server, script)


def test_a_friend_is_known_by_capabilities_version_and_last_activity(server):
    async def script(a, b):
        assert (await a.x0115.get_caps(b.boundjid))["features"] >= {"http://jabber.org/protocol/caps"}
        assert (await a.x0092.get_version(b.boundjid))["software_version"]["name"] == "Slixmpp"
        gone, name = a.waits("presence_unavailable", of(b)), b.bare
        b.send_presence(ptype="unavailable", pstatus="good night")
        await gone
        await leave(b)
        wait_for(lambda: not server.ctl_json("sessions", str(name), check=False), "the end of the session")
        last = (await a.x0012.get_last_activity(name))["last_activity"]
        assert int(last["seconds"]) < 60 and last["status"] == "good night"
    together(server, script)


# What is published; the event that a friend's plugin makes of it; where in it stands what was said.
EVENTED = {
    "tune": (lambda a: a.x0118.publish_tune(artist="Yes", title="Heart of the Sunrise"),
             "user_tune_publish", ".//{*}tune/{*}artist[.='Yes']"),
    "mood": (lambda a: a.x0107.publish_mood("happy", "yay"), "user_mood_publish", ".//{*}mood/{*}text[.='yay']"),
    "activity": (lambda a: a.x0108.publish_activity("working", "coding"),
                 "user_activity_publish", ".//{*}working/{*}coding"),
    "location": (lambda a: a.x0080.publish_location(lat=52.5, lon=13.4),
                 "user_location_publish", ".//{*}geoloc/{*}lat[.='52.5']"),
    "nick": (lambda a: a.x0172.publish_nick("Ali"), "user_nick_publish", ".//{*}item/{*}nick[.='Ali']"),
}


def test_personal_events_are_heard_by_friends(server):
    async def script(a, b):
        for what, (publish, event, path) in EVENTED.items():
            heard = b.waits(event, of(a))
            await publish(a)
            assert (await heard).xml.find(path) is not None, what
        late = await online(server, b.bare.user, Full)
        heard = late.waits("user_tune_publish", of(a))                  # the last item, with presence
        late.send_presence()
        await heard
        await leave(late)
    together(server, script)


def test_avatars_of_both_kinds(server):
    sha = hashlib.sha1(PICTURE).hexdigest()

    async def script(a, b):
        heard = b.waits("avatar_metadata_publish", of(a))
        await a.x0084.publish_avatar(PICTURE)
        await a.x0084.publish_avatar_metadata([{"id": sha, "type": "image/png", "bytes": len(PICTURE)}])
        assert (await heard)["pubsub_event"]["items"]["item"]["avatar_metadata"]["items"]
        got = await b.x0084.retrieve_avatar(a.bare, sha)
        assert got["pubsub"]["items"]["item"]["avatar_data"]["value"] == PICTURE
        assert (await b.x0054.get_vcard(a.bare))["vcard_temp"]["PHOTO"]["BINVAL"] == PICTURE
        heard, stamped = a.waits("avatar_metadata_publish", of(b)), a.waits("vcard_avatar_update", of(b))
        await b.x0153.set_avatar(avatar=PICTURE, mtype="image/png")
        await heard
        assert (await stamped)["vcard_temp_update"]["photo"] == sha
        got = await a.x0084.retrieve_avatar(b.bare, sha)
        assert got["pubsub"]["items"]["item"]["avatar_data"]["value"] == PICTURE
    together(server, script)


def test_nodes_of_an_account(server):
    node = "princely_musings"

    async def script(a, b):
        me = a.bare
        await a.x0060.create_node(me, node, config=options(a, "node_config", pubsub_access_model="open",
                                                            pubsub_max_items="10"))
        config = (await a.x0060.get_node_config(me, node))["pubsub_owner"]["configure"]["form"].get_values()
        assert config["pubsub#access_model"] == "open" and config["pubsub#max_items"] == "10"
        await b.x0060.subscribe(me, node)
        assert len((await b.x0060.get_subscriptions(me))["pubsub"]["subscriptions"]["substanzas"]) == 1
        heard = b.waits("pubsub_publish", lambda m: m["pubsub_event"]["items"]["node"] == node)
        for ident in ("one", "two"):
            await a.x0060.publish(me, node, id=ident, payload=element(f"{{{NICK}}}nick", "Hamlet"))
        assert (await heard)["pubsub_event"]["items"]["item"]["id"] == "one"
        assert {i["id"] for i in (await b.x0060.get_items(me, node))["pubsub"]["items"]} == {"one", "two"}
        assert (await b.x0060.get_item(me, node, "two"))["pubsub"]["items"]["item"]["id"] == "two"
        listed = (await b.x0030.get_items(me, node))["disco_items"]         # get_item_ids of slixmpp awaits nothing
        assert {i[2] for i in listed["items"]} == {"one", "two"}
        gone = b.waits("pubsub_retract")
        await a.x0060.retract(me, node, "one", notify=True)
        await gone
        assert (await a.x0060.get_affiliations(me))["pubsub"]["affiliations"]["substanzas"]
        assert (await a.x0060.get_node_subscriptions(me, node))["pubsub_owner"]["subscriptions"]["substanzas"]
        await a.x0060.modify_affiliations(me, node, [(b.bare, "outcast")])
        with pytest.raises(IqError, match="forbidden"):
            await b.x0060.get_items(me, node)
        await a.x0060.modify_affiliations(me, node, [(b.bare, "none")])
        await b.x0060.subscribe(me, node)
        purged, deleted = b.waits("pubsub_purge"), b.waits("pubsub_delete")
        await a.x0060.purge(me, node)
        await purged
        await a.x0060.delete_node(me, node)
        await deleted
    together(server, script)


async def private_marks(bot, method):
    got = await bot.x0048.get_bookmarks(method=method)
    found = got["private"]["bookmarks"] if method == "xep_0049" else got["pubsub"]["items"]["item"]["bookmarks"]
    return [(mark["jid"], mark["nick"], mark["name"]) for mark in found["conferences"]]


def test_bookmarks_in_each_form_are_one(server):
    """XEP-0049 and 0223 by slixmpp's plugin; XEP-0402, of which it knows nothing, as a node. What is set in one form
    is in each (XEP-0411, 0402 5)."""
    room = f"room@muc.{server.domain}"

    async def script(a, b):
        for method in ("xep_0049", "xep_0223"):
            marks = Bookmarks()
            marks.add_conference(room, "me", autojoin=True, name=method)
            await a.x0048.set_bookmarks(marks, method=method)
            for reader in ("xep_0049", "xep_0223"):
                assert await private_marks(a, reader) == [(room, "me", method)]
            item, = (await a.x0060.get_items(a.bare, "urn:xmpp:bookmarks:1"))["pubsub"]["items"]
            assert (item["id"], item["payload"].get("name")) == (room, method)
        conference = element("{urn:xmpp:bookmarks:1}conference", name="modern", autojoin="true")
        conference.append(element("{urn:xmpp:bookmarks:1}nick", "me"))
        publish = options(a, "publish-options", pubsub_persist_items="true", pubsub_max_items="max",
                          pubsub_send_last_published_item="never", pubsub_access_model="whitelist")
        await a.x0060.publish(None, "urn:xmpp:bookmarks:1", id=room, payload=conference, options=publish)
        assert await private_marks(a, "xep_0049") == [(room, "me", "modern")]
        for node in ("storage:bookmarks", "urn:xmpp:bookmarks:1"):
            with pytest.raises(IqError):
                await b.x0060.get_items(a.bare, node)
    together(server, script)


def test_cards(server):
    async def script(a, b):
        card = a.x0054.make_vcard()
        card["FN"], card["NICKNAME"] = "Slix One", "slix"
        await a.x0054.publish_vcard(card)
        assert (await b.x0054.get_vcard(a.bare))["vcard_temp"]["FN"] == "Slix One"
        modern = element("{urn:ietf:params:xml:ns:vcard-4.0}vcard")
        for name in ("fn", "text"):
            modern.append(element(f"{{urn:ietf:params:xml:ns:vcard-4.0}}{name}"))
        modern[0].append(modern[1])
        modern.remove(modern[1])
        modern[0][0].text = "Slix Four"
        await a.x0060.publish(None, "urn:xmpp:vcard4", id="current", payload=modern)
        got = (await b.x0060.get_items(a.bare, "urn:xmpp:vcard4"))["pubsub"]["items"]["item"]
        assert got["payload"].findtext("{*}fn/{*}text") == "Slix Four"
        assert (await b.x0054.get_vcard(a.bare))["vcard_temp"]["FN"] == "Slix Four"       # XEP-0292
    together(server, script)


async def execute(bot, node, to=None, **fields):
    """A command to its end: its last answer."""
    to = to or bot.boundjid.domain
    first = (await bot.x0050.send_command(to, node))["command"]
    if not fields:
        return first
    form = first["form"]
    form["type"] = "submit"
    form.set_values({**form.get_values(), **fields})
    return (await bot.x0050.send_command(to, node, payload=form, sessionid=first["sessionid"], action="complete"))["command"]


def test_an_administrator_commands(server):
    async def script(boss, a):
        nodes = {i[1] for i in (await boss.x0133.get_commands())["disco_items"]["items"]}
        assert {ADMIN + what for what in ("add-user", "delete-user", "announce", "get-online-users-num")} <= nodes
        name = f"{next(names)}@{server.domain}"
        done = await execute(boss, ADMIN + "add-user", accountjid=name, password="secret", **{"password-verify": "secret"})
        assert done["status"] == "completed"
        number = (await execute(boss, ADMIN + "get-online-users-num"))["form"].get_values()["onlineusersnum"]
        assert int(number) == 2
        heard = a.waits("message")
        await execute(boss, ADMIN + "announce", announcement="down at noon")
        assert "down at noon" in (await heard)["body"]
        asked = await boss.x0050.send_command(server.domain, ADMIN + "delete-user")
        gone = await boss.x0050.send_command(server.domain, ADMIN + "delete-user", action="cancel",
                                             sessionid=asked["command"]["sessionid"])
        assert gone["command"]["status"] == "canceled"
        with pytest.raises(IqError, match="forbidden"):
            await a.x0050.send_command(server.domain, ADMIN + "get-online-users-num")
    together(server, script, "boss", next(names), friends=False)


def test_search(server):
    async def script(a, b):
        card = a.x0054.make_vcard()
        card["NICKNAME"] = "searched for"
        await a.x0054.publish_vcard(card)
        iq = b.x0055.make_search_iq(ito=server.domain)
        iq["search"]["form"].add_field("nick", value="searched for")
        found = (await iq.send())["search"]["form"]
        assert str(a.bare) in str(found)
    together(server, script)


def test_the_password_is_changed_and_the_account_removed(server):
    async def script(a):
        name = a.bare.user
        form = (await a.x0077.get_registration(server.domain))["register"]
        assert form["registered"] and form["username"] == name
        await a.x0077.change_password("other", server.domain)
        b = Full(f"{name}@{server.domain}", "other")
        await reach(server, b)
        ended = a.waits("disconnected"), b.waits("disconnected")
        answer = a.x0077.cancel_registration(server.domain)         # slixmpp drops it when the stream's end is behind it
        await asyncio.gather(*ended)
        answer.cancel()
        wait_for(lambda: not server.ctl_json("sessions", str(a.bare), check=False), "no session of the account")
    together(server, script, next(names), friends=False)


class PushService(slixmpp.ComponentXMPP):
    """What a client's author runs, as a component of the server: hears that somebody's phone is to be woken."""

    def __init__(self, server):
        super().__init__(f"comp.{server.domain}", "secret", "127.0.0.1", server.component)
        for plugin in ("xep_0030", "xep_0060"):
            self.register_plugin(plugin)
        self.woken, self.here = asyncio.Queue(), asyncio.Event()
        self.add_event_handler("session_start", lambda _: self.here.set())
        self.register_handler(slixmpp.xmlstream.handler.Callback(
            "push", slixmpp.xmlstream.matcher.StanzaPath("iq@type=set/pubsub/publish"), self.take))

    def take(self, iq):
        self.woken.put_nowait((iq["from"].bare, iq["pubsub"]["publish"]["node"]))
        iq.reply().send()


def test_a_phone_is_woken(server):
    async def script(a, b):
        service = PushService(server)
        service.connect()
        await asyncio.wait_for(service.here.wait(), 20)
        iq = b.make_iq_set()
        iq.append(element(f"{{{PUSH}}}enable", jid=f"comp.{server.domain}", node="phone"))
        await iq.send()
        gone, bare = a.waits("presence_unavailable", of(b)), b.bare
        await leave(b)
        await gone
        a.send_message(bare, "wake up", mtype="chat")
        assert await asyncio.wait_for(service.woken.get(), 20) == (bare, "phone")
        await leave(service)
    together(server, script)
