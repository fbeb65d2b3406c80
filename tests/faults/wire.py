"""One XMPP connection in an asyncio loop: bytes in, first-level elements out. Knows nothing of sessions."""

import asyncio
import base64
import ssl
import xml.etree.ElementTree as ET

STREAM = "http://etherx.jabber.org/streams"
SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
SM = "urn:xmpp:sm:3"
CLIENT = "{jabber:client}"


class Lost(Exception):
    """The connection ended, or the server refused what the client cannot do without."""


def tls_context():
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


class Wire(asyncio.Protocol):
    """Elements go to `waiter` while somebody waits in next(), else to on_element."""

    def __init__(self, domain, on_element, on_lost):
        self.domain, self.on_element, self.on_lost = domain, on_element, on_lost
        self.transport = self.waiter = None
        self.early = []            # arrived during negotiation before anybody asked
        self.negotiating, self.lost, self.why = True, False, ""
        self.reset()

    def reset(self):
        self.parser, self.depth, self.root = ET.XMLPullParser(["start", "end"]), 0, None

    # ---- asyncio.Protocol

    def connection_made(self, transport):
        self.transport = transport

    def connection_lost(self, why):
        self.end(str(why or "closed"))

    def data_received(self, data):
        try:
            self.parser.feed(data)
            self.walk()
        except ET.ParseError as why:
            self.end(f"not XML: {why}")

    def walk(self):
        parser = self.parser
        for event, element in parser.read_events():
            if event == "start":
                self.depth += 1
                if self.depth == 1:
                    self.root = element
                continue
            self.depth -= 1
            if self.depth == 1:
                self.root.clear()
                self.arrived(element)
            elif self.depth == 0:
                self.end("stream closed")
            if self.parser is not parser:
                return

    def arrived(self, element):
        if element.tag == f"{{{STREAM}}}error":
            self.why = "stream error " + " ".join(child.tag.split("}")[1] for child in element)
        if not self.negotiating:
            self.on_element(element)
        elif self.waiter and not self.waiter.done():
            self.waiter.set_result(element)
        else:
            self.early.append(element)

    def end(self, why):
        if self.lost:
            return
        self.lost, self.why = True, self.why or why
        if self.waiter and not self.waiter.done():
            self.waiter.set_exception(Lost(self.why))
        if self.transport:
            self.transport.abort()
        if not self.negotiating:
            self.on_lost(self)

    # ---- negotiation

    def write(self, text):
        if not self.lost:
            self.transport.write(text.encode())

    async def next(self):
        if self.early:
            return self.early.pop(0)
        if self.lost:
            raise Lost(self.why)
        self.waiter = asyncio.get_running_loop().create_future()
        try:
            return await asyncio.wait_for(self.waiter, 20)
        except asyncio.TimeoutError:
            self.end("no answer in 20 s")
            raise Lost(self.why) from None

    async def open(self):
        self.reset()
        self.write(f"<?xml version='1.0'?><stream:stream to='{self.domain}' version='1.0' xmlns='jabber:client' "
                   f"xmlns:stream='{STREAM}'>")
        return await self.expect(f"{{{STREAM}}}features")

    async def expect(self, tag):
        element = await self.next()
        if element.tag != tag:
            raise Lost("instead of " + tag + ": " + ET.tostring(element, encoding="unicode")[:300])
        return element

    async def login(self, user, password):
        await self.open()
        token = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
        self.write(f"<auth xmlns='{SASL}' mechanism='PLAIN'>{token}</auth>")
        await self.expect(f"{{{SASL}}}success")
        return await self.open()

    async def bind(self, resource):
        self.write("<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>"
                   f"<resource>{resource}</resource></bind></iq>")
        answer = await self.expect(CLIENT + "iq")
        if answer.get("type") != "result":
            raise Lost("bind: " + ET.tostring(answer, encoding="unicode")[:300])
        return answer[0][0].text

    def go_live(self):
        """From here on elements go to on_element, in order."""
        self.negotiating = False
        early, self.early = self.early, []
        for element in early:
            self.on_element(element)
        if self.lost:
            self.on_lost(self)


async def connect(domain, port, on_element, on_lost, tls=None, address="127.0.0.1"):
    loop = asyncio.get_running_loop()
    _, wire = await asyncio.wait_for(
        loop.create_connection(lambda: Wire(domain, on_element, on_lost), address, port, ssl=tls,
                               server_hostname=domain if tls else None), 20)
    return wire
