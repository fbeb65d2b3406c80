"""slixmpp with every plugin whose extension the server has to do with, as two accounts and their clients."""

import asyncio
import itertools

from slixmpp import JID

from clients import Bot, leave, online

PLUGINS = [f"xep_{n:04}" for n in (
    4, 12, 13, 30, 45, 48, 49, 50, 54, 55, 59, 60, 66, 77, 80, 84, 85, 92, 107, 108, 115, 118, 122, 128, 133, 153, 163,
    172, 184, 191, 198, 199, 202, 203, 223, 224, 249, 280, 297, 308, 313, 319, 333, 334, 335, 352, 359, 377, 380, 382,
    394, 421, 422, 424, 428, 441, 444, 461)]
names = (f"slix{i}" for i in itertools.count(1))


class Full(Bot):
    """`waits` hands out what an event brings; bot.x0191 is bot.plugin["xep_0191"]."""

    def __init__(self, jid, password):
        super().__init__(jid, password)
        for plugin in PLUGINS:
            self.register_plugin(plugin)
        self.plugin["xep_0077"].create_account = False
        self.add_event_handler("session_resumed", lambda _: self.here.set())

    def waits(self, event, test=lambda _: True):
        """A future for the next event of this kind that passes the test: made before what causes it."""
        future = asyncio.get_running_loop().create_future()

        def take(found):
            if not future.done() and test(found):
                self.del_event_handler(event, take)
                future.set_result(found)
        self.add_event_handler(event, take)
        return asyncio.wait_for(future, 20)

    def __getattr__(self, name):
        if name[:1] == "x" and name[1:].isdigit():
            return self.plugin[f"xep_{name[1:]}"]
        raise AttributeError(name)

    @property
    def bare(self):
        return JID(self.boundjid.bare)


def of(bot):
    """A test for `waits`: the stanza is from this account."""
    return lambda stanza: stanza["from"].bare == bot.bare


async def befriend(a, b):
    """slixmpp approves and asks back by itself."""
    here = a.waits("presence_available", of(b)), b.waits("presence_available", of(a))
    a.send_presence_subscription(b.bare)
    await asyncio.gather(*here)


def pair():
    return next(names), next(names)


def together(server, script, *accounts, friends=True):
    """Runs script(bots...) with one client for each account; a name twice is a second client of that account."""
    accounts = accounts or pair()
    for account in dict.fromkeys(accounts):
        server.register(account)

    async def run():
        bots = [await online(server, account, Full) for account in accounts]
        try:
            if friends:
                await befriend(bots[0], next(b for b in bots if b.bare != bots[0].bare))
            await script(*bots)
        finally:
            for bot in bots:
                await leave(bot)
    asyncio.run(run())
