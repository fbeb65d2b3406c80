"""A remote server that does what a test tells it: for what no well-behaved server would do."""

import queue
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import xml.etree.ElementTree as ET
from pathlib import Path

from harness import NS, PATIENCE

DIALBACK = "{jabber:server:dialback}"
HEADER = ("<?xml version='1.0'?><stream:stream xmlns='jabber:server' xmlns:db='jabber:server:dialback' "
          "xmlns:stream='http://etherx.jabber.org/streams' version='1.0' id='{id}' from='{domain}'>")


def certificate(domain):
    where = Path(tempfile.mkdtemp(prefix="zubr-fake-"))
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                    "30", "-keyout", where / "key.pem", "-out", where / "cert.pem", "-subj", f"/CN={domain}",
                    "-addext", f"subjectAltName=DNS:{domain}"], check=True, capture_output=True)
    return where


class Stream:
    """One accepted connection."""

    def __init__(self, server, sock):
        self.server, self.sock = server, sock
        self.parser = ET.XMLPullParser(["start", "end"])
        self.depth = 0

    def write(self, data):
        self.sock.sendall(data.encode())

    def elements(self):
        while True:
            try:
                data = self.sock.recv(65536)
            except OSError:
                return
            if not data:
                return
            parser = self.parser
            parser.feed(data)
            for event, element in parser.read_events():
                if event == "start":
                    self.depth += 1
                    if self.depth == 1:
                        yield "open", element
                else:
                    self.depth -= 1
                    yield ("element" if self.depth == 1 else "close" if self.depth == 0 else None), element
                if parser is not self.parser:
                    break

    def restart(self):
        self.parser, self.depth = ET.XMLPullParser(["start", "end"]), 0


class FakeServer:
    """Accepts every key and says yes to every question, unless told otherwise:
    starttls=False     offers no TLS
    direct_tls=True    TLS from the first byte
    silent=True        takes the connection and says nothing
    limits=(n, m)      announces max-bytes and idle-seconds
    result(n)          what to answer the n-th key with: "valid", "invalid", "error", "close" or None
    verify             what to answer the questions of the other side with"""

    def __init__(self, domain, port=0, starttls=True, direct_tls=False, silent=False, result=lambda n: "valid",
                 verify="valid", limits=None):
        self.domain, self.starttls, self.direct_tls, self.silent = domain, starttls, direct_tls, silent
        self.result, self.verify = result, verify
        self.limits = "" if not limits else "<limits xmlns='urn:xmpp:stream-limits:0'><max-bytes>{}</max-bytes>" \
            "<idle-seconds>{}</idle-seconds></limits>".format(*limits)
        self.stanzas, self.keys, self.connections, self.closes = queue.Queue(), 0, 0, 0
        self.sni, self.alpn = None, None
        where = certificate(domain)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(where / "cert.pem", where / "key.pem")
        shutil.rmtree(where)
        self.context.set_alpn_protocols(["xmpp-server"])
        self.context.sni_callback = self._on_sni
        self.listener = socket.create_server(("127.0.0.1", port))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _on_sni(self, sock, name, context):
        self.sni = name

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _wrap(self, sock):
        sock = self.context.wrap_socket(sock, server_side=True)
        self.alpn = sock.selected_alpn_protocol()
        return sock

    def _serve(self, sock):
        try:
            secure = self.direct_tls
            stream = Stream(self, self._wrap(sock) if secure else sock)
            for kind, element in stream.elements():
                if kind == "open" and not self.silent:
                    stream.write(HEADER.format(id=f"fake-{self.connections}", domain=self.domain))
                    offer = f"<starttls xmlns='{NS['tls']}'/>" if self.starttls and not secure else ""
                    stream.write(f"<stream:features>{offer}{self.limits}</stream:features>")
                elif kind == "close":
                    self.closes += 1
                    stream.write("</stream:stream>")
                    stream.sock.close()
                elif kind == "element" and element.tag == f"{{{NS['tls']}}}starttls":
                    stream.write(f"<proceed xmlns='{NS['tls']}'/>")
                    stream.sock, secure = self._wrap(stream.sock), True
                    stream.restart()
                elif kind == "element":
                    self._element(stream, element)
        except OSError:
            pass

    def _element(self, stream, e):
        where = f"from='{e.get('to')}' to='{e.get('from')}'"
        if e.tag == DIALBACK + "result":
            self.keys += 1
            answer = self.result(self.keys)
            if answer == "close":
                stream.write("</stream:stream>")
            elif answer == "error":
                stream.write(f"<db:result {where} type='error'><error type='cancel'>"
                             f"<not-acceptable xmlns='{NS['stanzas']}'/></error></db:result>")
            elif answer:
                stream.write(f"<db:result {where} type='{answer}'/>")
        elif e.tag == DIALBACK + "verify":
            stream.write(f"<db:verify {where} id='{e.get('id')}' type='{self.verify}'/>")
        elif e.tag.startswith("{jabber:server}"):
            self.stanzas.put(e)

    def expect(self, body, timeout=PATIENCE):
        e = self.stanzas.get(timeout=timeout)
        assert e.findtext("{jabber:server}body") == body, ET.tostring(e)
        return e

    def stop(self):
        self.listener.close()
