"""slixmpp's plugins, each through its own interface: what clients say to each other, and how they stay connected."""

import asyncio
import datetime

from slixmpp import JID, Message

from clients import leave, online, reach
from slixmpp_rig import Full, names, of, pair, together

OPTIONS = ["--set", "limits.resume_seconds=300"]


async def cut(bot):
    """The socket goes without a word; slixmpp's own hope of a new connection is put aside."""
    gone = bot.waits("disconnected")
    bot.abort()
    await gone


def test_roster(server):
    async def script(a, b):
        pushed = a.waits("roster_update", lambda iq: iq["type"] == "set")
        await a.update_roster(b.bare, name="Bob", groups=["One", "Two"])
        item = (await pushed)["roster"]["items"][b.bare]
        assert item["name"] == "Bob" and set(item["groups"]) == {"One", "Two"} and item["subscription"] == "both"
        left = b.waits("presence_unavailable", of(a))
        await a.del_roster_item(b.bare)
        await left
        assert not (await a.get_roster())["roster"]["items"]
    together(server, script)


def test_roster_versions(server):
    """RFC 6121 2.6: who was away is told what changed since, and nothing when nothing did."""
    async def script(a, b, other):
        version = (await a.get_roster())["roster"]["ver"] or a.client_roster.version
        assert version and "rosterver" in a.features
        async def since(version):
            iq = a.make_iq_get()
            iq["roster"]["ver"] = version
            return await iq.send()
        assert (await since(version)).xml.find("{jabber:iq:roster}query") is None
        pushed = a.waits("roster_update", lambda iq: iq["type"] == "set")
        await other.update_roster(b.bare, name="Bob")
        version = (await pushed)["roster"]["ver"]
        assert (await since(version)).xml.find("{jabber:iq:roster}query") is None
    first, second = pair()
    together(server, script, first, second, first)


async def known(bot, other, what):
    """What bot's roster says of the other."""
    await bot.get_roster()
    return bot.client_roster[other.bare][what]


def test_subscriptions_asked_refused_and_ended(server):
    async def script(a, b):
        b.auto_authorize = a.auto_authorize = None             # slixmpp leaves the answer to its user
        asked = b.waits("presence_subscribe", of(a))
        a.send_presence_subscription(b.bare)
        await asked
        assert await known(a, b, "pending_out")
        refused = a.waits("presence_unsubscribed", of(b))
        b.send_presence(pto=a.bare, ptype="unsubscribed")
        await refused
        asked = b.waits("presence_subscribe", of(a))
        a.send_presence_subscription(b.bare)
        await asked
        granted, here = a.waits("presence_subscribed", of(b)), a.waits("presence_available", of(b))
        b.send_presence(pto=a.bare, ptype="subscribed")
        await granted
        await here
        assert await known(a, b, "subscription") == "to"
        assert await known(b, a, "subscription") == "from"
        gone = a.waits("presence_unavailable", of(b))
        b.send_presence(pto=a.bare, ptype="unsubscribed")
        await gone
        assert await known(a, b, "subscription") == "none"
    together(server, script, friends=False)


def test_presence_with_status_and_idle_time(server):
    async def script(a, b):
        away = b.waits("changed_status", lambda p: p["from"].bare == a.bare and p["show"] == "away")
        a.send_presence(pshow="away", pstatus="at lunch", ppriority=3)
        presence = await away
        assert (presence["status"], presence["priority"]) == ("at lunch", 3)
        idle = b.waits("presence_idle")
        presence = a.make_presence()
        presence["idle"]["since"] = datetime.datetime(2026, 1, 2, tzinfo=datetime.timezone.utc)
        presence.send()
        assert (await idle)["idle"]["since"].year == 2026
        gone = b.waits("presence_unavailable", of(a))
        a.send_presence(ptype="unavailable", pstatus="bye")
        assert (await gone)["status"] == "bye"
    together(server, script)


def carrying(a, b, body="", **parts):
    """A message of a to b; parts are (interface, its part): value."""
    message = a.make_message(mto=b.bare, mbody=body, mtype="chat")
    for where, (part, value) in parts.items():
        if part is None:
            message[where] = value
        else:
            message[where][part] = value
    return message


# What is sent; the event that the other's plugin makes of it; what of the message shows that nothing was lost.
CARRIED = {
    "chat state": (lambda a, b: carrying(a, b, chat_state=(None, "composing")).send(),
                   "chatstate_composing", lambda m: m["chat_state"] == "composing"),
    "correction": (lambda a, b: carrying(a, b, "corrected", replace=("id", "old")).send(),
                   "message_correction", lambda m: m["replace"]["id"] == "old"),
    "marker": (lambda a, b: a.x0333.send_marker(b.boundjid, "m1", "displayed"),
               "marker_displayed", lambda m: m["displayed"]["id"] == "m1"),
    "attention": (lambda a, b: a.x0224.request_attention(b.boundjid), "attention", lambda m: m["attention"]),
    "reaction": (lambda a, b: a.x0444.send_reactions(b.bare, "m1", ["\U0001f44d", "\U0001f980"]),
                 "reactions", lambda m: m["reactions"]["values"] == {"\U0001f44d", "\U0001f980"}),
    "reply": (lambda a, b: a.x0461.send_reply(b.boundjid.full, "m1", mto=b.boundjid, mbody="an answer", mtype="chat"),
              "message_reply", lambda m: m["reply"]["id"] == "m1"),
    "retraction": (lambda a, b: a.x0424.send_retraction(b.bare, "m1"),
                   "message_retract", lambda m: m["apply_to"]["id"] == "m1"),
    "invitation": (lambda a, b: a.x0249.send_invitation(b.boundjid, JID("room@muc.example.org"), reason="come"),
                   "groupchat_direct_invite", lambda m: m["groupchat_invite"]["jid"] == "room@muc.example.org"),
}


def test_what_messages_carry(server):
    async def script(a, b):
        message = carrying(a, b, "with a receipt")
        message["request_receipt"] = True
        receipt = a.waits("receipt_received")                   # slixmpp answers by itself
        message.send()
        assert (await receipt)["receipt"] == message["id"]
        for what, (send, event, whole) in CARRIED.items():
            heard = b.waits(event, of(a))
            send(a, b)
            assert whole(await heard), what
        message = carrying(a, b, "all at once", eme=("namespace", "urn:xmpp:omemo:2"), oob=("url", "https://example.org/f"))
        for part in ("spoiler", "store"):
            message.enable(part)
        message.send()
        got = await b.next_body("all at once")
        assert got["eme"]["namespace"] == "urn:xmpp:omemo:2" and got.get_plugin("spoiler", check=True) is not None
        assert got["oob"]["url"] == "https://example.org/f"
        assert got["stanza_id"]["by"] == b.bare and got["stanza_id"]["id"]
    together(server, script)


def test_carbons(server):
    async def script(a, b, phone):
        await phone.x0280.enable()
        received, sent = phone.waits("carbon_received"), phone.waits("carbon_sent")
        a.send_message(b.boundjid.full, "to one", mtype="chat")
        assert (await received)["carbon_received"]["body"] == "to one"
        b.send_message(a.bare, "from one", mtype="chat")
        assert (await sent)["carbon_sent"]["body"] == "from one"
        await phone.x0280.disable()
    first, second = pair()
    together(server, script, first, second, second)


async def bodies(results):
    return [m["mam_result"]["forwarded"]["stanza"]["body"] async for m in results]


def test_archive_and_its_preferences(server):
    async def script(a, b):
        for i in range(25):
            a.send_message(b.bare, f"number {i}", mtype="chat")
        await b.next_body("number 24")
        assert await bodies(b.x0313.iterate(rsm={"max": 10})) == [f"number {i}" for i in range(25)]
        last = await bodies(b.x0313.iterate(with_jid=a.bare, reverse=True, rsm={"max": 10}, total=10))
        assert sorted(last) == sorted(f"number {i}" for i in range(15, 25))
        tomorrow = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=1)
        assert await bodies(b.x0313.iterate(start=tomorrow)) == []
        fields = await b.x0313.get_fields()
        assert {"with", "start", "end", "before-id", "after-id", "ids"} <= set(fields.get_fields())
        metadata = (await b.x0313.get_archive_metadata())["mam_metadata"]
        assert metadata["start"]["id"] and metadata["end"]["timestamp"]
        await b.x0441.set_preferences("roster", always=[a.bare], never=["spam@example.net"])
        assert await b.x0441.get_preferences() == ("roster", {a.bare}, {JID("spam@example.net")})
    together(server, script)


class Quiet(Full):
    """Says nothing of itself: what waits for the account goes on waiting."""

    async def begin(self, _):
        self.here.set()


def test_messages_that_waited_are_looked_through(server):
    """XEP-0013: who has not sent presence counts, views and removes what waits."""
    async def script(a):
        name = next(names)
        server.register(name)
        for i in range(3):
            a.send_message(f"{name}@{server.domain}", f"waiting {i}", mtype="chat")
        await a.x0199.ping(server.domain)
        b = await online(server, name, Quiet)
        form = (await b.x0013.get_count())["disco_info"]["form"]
        assert form.get_values()["number_of_messages"] == "3"
        nodes = sorted(i[1] for i in (await b.x0013.get_headers())["disco_items"]["items"])     # slixmpp has them as a set
        assert len(nodes) == 3
        viewed = await called(b.x0013.view, nodes[:1])
        assert [m["body"] for m in viewed["offline"]["results"]] == ["waiting 0"]
        await called(b.x0013.remove, nodes[:1])
        viewed = await called(b.x0013.view, nodes[1:])         # fetch of slixmpp is a set; XEP-0013 2.6 has a get
        assert [m["body"] for m in viewed["offline"]["results"]] == ["waiting 1", "waiting 2"]
        await called(b.x0013.purge)
        assert (await b.x0013.get_count())["disco_info"]["form"].get_values()["number_of_messages"] == "0"
        await leave(b)
    together(server, script, next(names), friends=False)


async def called(function, *args):
    """The answer, of a function of slixmpp that knows callbacks only."""
    future = asyncio.get_running_loop().create_future()
    function(*args, callback=future.set_result)
    answer = await asyncio.wait_for(future, 20)
    assert answer["type"] == "result", str(answer)
    return answer


def test_blocking(server):
    async def script(a, b):
        assert (await a.x0191.get_blocked())["blocklist"]["items"] == set()
        pushed, gone = a.waits("blocked"), b.waits("presence_unavailable", of(a))
        await a.x0191.block(b.bare)
        assert (await pushed)["block"]["items"] == {b.bare}
        await gone
        assert (await a.x0191.get_blocked())["blocklist"]["items"] == {b.bare}
        refused = b.waits("message_error")
        b.send_message(a.bare, "do you hear", mtype="chat")
        assert (await refused)["error"]["condition"] == "service-unavailable"
        back, pushed = b.waits("presence_available", of(a)), a.waits("unblocked")
        await a.x0191.unblock(b.bare)
        await pushed
        await back
        b.send_message(a.bare, "and now", mtype="chat")
        await a.next_body("and now")
    together(server, script)


def test_a_cut_connection_is_resumed(server):
    async def script(a, b):
        assert b.x0198.sm_id
        jid, session = b.boundjid.full, b.x0198.sm_id
        await cut(b)
        a.send_message(b.bare, "while it was cut", mtype="chat")
        await a.x0199.ping(server.domain)
        resumed, began = b.waits("session_resumed"), []
        b.add_event_handler("session_start", began.append)
        await reach(server, b)
        await resumed
        assert (await b.next_body("while it was cut"))["from"].bare == a.bare
        assert (b.boundjid.full, b.x0198.sm_id) == (jid, session) and not began
        acked = b.waits("stanza_acked", lambda s: isinstance(s, Message) and s["body"] == "back again")
        b.send_message(a.bare, "back again", mtype="chat")
        await a.next_body("back again")
        b.x0198.request_ack()
        await acked
    together(server, script)


def test_an_inactive_client_is_spared(server):
    """XEP-0352: presence waits while nobody looks; a message brings it along, in order."""
    async def script(a, b):
        order = []
        b.add_event_handler("presence_available", lambda p: p["from"].bare == a.bare and order.append(p["status"]))
        b.add_event_handler("message", lambda m: order.append(m["body"]))
        b.x0352.send_inactive()
        await b.x0199.ping(server.domain)
        for status in ("one", "two", "three"):
            a.send_presence(pstatus=status)
        a.send_message(b.bare, "look here", mtype="chat")
        await b.next_body("look here")
        assert order == ["three", "look here"]
        b.x0352.send_active()
        heard = b.waits("presence_available", of(a))
        a.send_presence(pstatus="four")
        await heard
    together(server, script)
