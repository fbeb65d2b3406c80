"""A session manager that does what a test tells it, in the place of sm-1: for what no honest sm would do, and
for the moments between two frames. It speaks the channel by itself: numbers, SYNC, confirms when told to."""

import os
import socket
import struct
import threading
import time

from harness import wait_for
from test_routerd import (AUTH_DONE, AUTH_START, BIND, HELLO, ROLE, ROUTES, STANZA, Got, frame, key, parse_table, sized)

SYNC, CONFIRM, AUTH_STEP, BOUND, SESSION_END, ANNOUNCE, MOVED = 8, 9, 21, 31, 32, 36, 37
SECRET = b"0123456789abcdef"


class FakeSm:
    """secret: of each session, by BOUND. confirms: False keeps all that comes unconfirmed."""

    def __init__(self, server, name="sm-1", life=None):
        self.server, self.name = server, name
        self.life = life or int.from_bytes(os.urandom(7), "little") + 1
        self.frames, self.sessions, self.numbers, self.confirms = [], {}, {}, True
        self.answers_auth = True
        self.lock = threading.Lock()

    def connect(self):
        """Also again, as the same life."""
        self.sock = socket.socket(socket.AF_UNIX)
        path = self.server.dir / "run" / "router" / "sm.sock"
        euid = os.geteuid()
        owner = path.stat().st_uid
        if euid == 0:
            os.seteuid(owner)
        try:
            self.sock.connect(str(path))
        finally:
            os.seteuid(euid)
        self.instances, self.up = {}, False
        self.sock.sendall(frame(HELLO, body=sized(self.name.encode()), origin=("sm", 0, self.life)))
        self.reader = threading.Thread(target=self._read, args=(self.sock,), daemon=True)
        self.reader.start()
        wait_for(lambda: self.up, "the route table")
        return self

    def leave(self):
        """As a process that was killed."""
        self.sock.shutdown(socket.SHUT_RDWR)
        self.reader.join(5)
        self.sock.close()

    # ---- what arrives

    def _read(self, sock):
        buffer = b""
        while True:
            try:
                data = sock.recv(1 << 16)
            except OSError:
                return
            if not data:
                return
            buffer += data
            while len(buffer) >= 4 and len(buffer) >= 4 + struct.unpack_from("<I", buffer)[0]:
                n = 4 + struct.unpack_from("<I", buffer)[0]
                got, buffer = Got(buffer[:n]), buffer[n:]
                with self.lock:
                    self._take(got)

    def _take(self, got):
        if got.kind == ROUTES:
            self.instances = parse_table(got.body)[1]
            self.up = True
        elif got.kind == AUTH_START and self.answers_auth:
            jid = f"user@{self.server.domain}".encode()
            self.reply(got, AUTH_DONE, b"\1" + sized(jid) + sized(b"ticket") + b"\0" + sized(b"") * 3)
        elif got.kind == BIND:
            handle = len(self.sessions) + 1
            jid = f"user@{self.server.domain}/{handle}".encode()
            self.sessions[handle] = got
            self.reply(got, BOUND, struct.pack("<i", 0) + sized(jid) + sized(SECRET), sender=handle)
        if got.kind != ROUTES:
            self.frames.append(got)
        if got.kind not in (ROUTES, SYNC, CONFIRM) and self.confirms:
            self.confirm()

    def reply(self, to, kind, body, **more):
        more.setdefault("trace", to.trace)
        self.send(kind, to.origin, to.origin_life, handle=to.sender, body=body, **more)

    def name_of(self, instance):
        return next(name for name, row in self.instances.items() if row["key"] == instance)

    def send(self, kind, instance, life, **more):
        number = 0
        if kind not in (SYNC, CONFIRM):
            number = self.numbers[instance] = self.numbers.get(instance, 0) + 1
        self.sock.sendall(frame(kind, self.name_of(instance), life, origin=("sm", key(self.name), self.life),
                                number=number, **more))
