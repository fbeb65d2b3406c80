"""slixmpp with python-omemo: an OMEMO client (XEP-0384, eu.siacs.conversations.axolotl) of another kind than profanity."""

import asyncio
import xml.etree.ElementTree as ET

import oldmemo
import omemo
from oldmemo import etree as codec
from oldmemo.oldmemo import NAMESPACE
from slixmpp.exceptions import IqError

from clients import Bot

LIST, BUNDLES = f"{NAMESPACE}.devicelist", f"{NAMESPACE}.bundles"


class Memory(omemo.Storage):
    """Keys for the time of one test."""

    def __init__(self):
        super().__init__()
        self.rows = {}

    async def _load(self, key):
        return omemo.Just(self.rows[key]) if key in self.rows else omemo.Nothing()

    async def _store(self, key, value):
        self.rows[key] = value

    async def _delete(self, key):
        self.rows.pop(key, None)


def manager_of(bot):
    """The class that carries bundles and lists for `bot`: python-omemo wants them as static methods."""

    async def item(jid, node):
        try:
            result = await bot.plugin["xep_0060"].get_items(jid, node, max_items=1)
        except IqError as refused:
            if refused.condition != "item-not-found":
                raise
            return None
        return next((i["payload"] for i in result["pubsub"]["items"]), None)

    async def publish(node, element, ident="current"):
        options = bot.plugin["xep_0004"].make_form(ftype="submit")
        options.add_field("FORM_TYPE", "hidden", value="http://jabber.org/protocol/pubsub#publish-options")
        options.add_field("pubsub#access_model", value="open")
        options.add_field("pubsub#persist_items", value="true")
        await bot.plugin["xep_0060"].publish(None, node, id=ident, payload=element, options=options)

    class Manager(omemo.SessionManager):
        @staticmethod
        async def _upload_bundle(bundle):
            await publish(f"{BUNDLES}:{bundle.device_id}", codec.serialize_bundle(bundle))

        @staticmethod
        async def _download_bundle(namespace, bare_jid, device_id):
            found = await item(bare_jid, f"{BUNDLES}:{device_id}")
            if found is None:
                raise omemo.BundleNotFound(f"{bare_jid} {device_id}")
            return codec.parse_bundle(found, bare_jid, device_id)

        @staticmethod
        async def _delete_bundle(namespace, device_id):
            await bot.plugin["xep_0060"].delete_node(None, f"{BUNDLES}:{device_id}")

        @staticmethod
        async def _upload_device_list(namespace, device_list):
            await publish(LIST, codec.serialize_device_list(device_list))

        @staticmethod
        async def _download_device_list(namespace, bare_jid):
            found = await item(bare_jid, LIST)
            return {} if found is None else codec.parse_device_list(found)

        @staticmethod
        async def _send_message(message, bare_jid):
            bot.send_encrypted(bare_jid, message)

        async def _evaluate_custom_trust_level(self, device):
            return omemo.TrustLevel[device.trust_level_name.upper()]

        async def _make_trust_decision(self, undecided, identifier):
            for device in undecided:
                await self.set_trust(device.bare_jid, device.identity_key, "trusted")

    return Manager


class OmemoBot(Bot):
    """Publishes its keys at login, trusts whom it meets, keeps the texts it could read in `read`."""

    def __init__(self, jid, password):
        super().__init__(jid, password)
        for plugin in ("xep_0060", "xep_0115", "xep_0163", "xep_0280"):
            self.register_plugin(plugin)
        self.keys = None
        self.lists = {}                          # bare JID: devices, as events told them
        self.read = asyncio.Queue()
        self.add_event_handler("message", self.take)
        self.add_event_handler("pubsub_publish", self.take_list)

    async def begin(self, event):
        self.plugin["xep_0163"].add_interest(LIST)                # now that it has a JID, its capabilities tell it
        await super().begin(event)

    async def prepare(self):
        storage = Memory()
        self.keys = await manager_of(self).create([oldmemo.Oldmemo(storage)], storage, self.boundjid.bare, None,
                                                  "undecided")
        await self.keys.after_history_sync()
        await self.plugin["xep_0280"].enable()

    async def take(self, message):
        encrypted = message.xml.find(f"{{{NAMESPACE}}}encrypted")
        if encrypted is not None and self.keys:
            parsed = await codec.parse_message(encrypted, message["from"].bare, self.boundjid.bare, self.keys)
            text, device, _ = await self.keys.decrypt(parsed)
            if text is not None:
                self.read.put_nowait((device.bare_jid, text.decode()))

    async def take_list(self, message):
        found, sender = next(message.xml.iter(f"{{{NAMESPACE}}}list"), None), message["from"].bare
        if found is not None:
            self.lists[sender] = codec.parse_device_list(found)
            if self.keys:
                await self.keys.update_device_list(NAMESPACE, sender, self.lists[sender])

    def send_encrypted(self, jid, message):
        stanza = self.make_message(mto=jid, mtype="chat")
        stanza.xml.append(codec.serialize_message(message))
        ET.SubElement(stanza.xml, "{urn:xmpp:hints}store")
        stanza.send()

    async def say(self, jid, text):
        """Encrypted for every device of jid and for our own others."""
        await self.keys.refresh_device_list(NAMESPACE, jid)
        messages, errors = await self.keys.encrypt(frozenset({jid}), {NAMESPACE: text.encode()})
        assert not errors, errors
        for message in messages:
            self.send_encrypted(jid, message)

    async def hears(self, sender, text):
        while (sender, text) != await asyncio.wait_for(self.read.get(), 30):
            pass
