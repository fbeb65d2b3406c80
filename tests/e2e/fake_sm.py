"""A session manager that does what a test tells it, in the place of sm-1: for what no honest sm would do, and
for the moments between two frames. It speaks the channel by itself: numbers, SYNC, confirms when told to."""

import os
import socket
import struct
import threading

from harness import wait_for
from test_routerd import AUTH_DONE, AUTH_START, BIND, HELLO, ROUTES, SYNC, Got, frame, key, parse_table, sized

CONFIRM, AUTH_STEP, BOUND, SESSION_END, ANNOUNCE, MOVED = 9, 21, 31, 32, 36, 37
SECRET = b"0123456789abcdef"


class FakeSm:
    """Logs everybody in as user@DOMAIN and gives each a session; the test does the rest.
    confirms = False: nothing that comes is confirmed.   answers = (): what it leaves unanswered."""

    def __init__(self, server, name="sm-1"):
        self.server, self.name = server, name
        self.life = int.from_bytes(os.urandom(7), "little") + 1
        self.frames, self.sessions = [], {}
        self.sent, self.seen, self.joined = {}, {}, set()
        self.confirms, self.unanswered = True, set()
        self.lock = threading.RLock()

    def connect(self):
        """Also again, as the same life."""
        self.sock = socket.socket(socket.AF_UNIX)
        path = self.server.dir / "run" / "router" / "sm.sock"
        euid, owner = os.geteuid(), path.stat().st_uid
        if euid == 0:
            os.seteuid(owner)
        try:
            self.sock.connect(str(path))
        finally:
            os.seteuid(euid)
        self.instances, self.joined = {}, set()
        self.sock.sendall(frame(HELLO, body=sized(self.name.encode()), origin=("sm", 0, self.life)))
        self.reader = threading.Thread(target=self._read, args=(self.sock,), daemon=True)
        self.reader.start()
        wait_for(lambda: self.instances, "the route table")
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
        elif got.kind not in (SYNC, CONFIRM) and got.number > self.seen.get(got.origin_life, (0, 0))[0]:
            self.seen[got.origin_life] = (got.number, got.origin)
            self.frames.append(got)
            if got.kind not in self.unanswered:
                self._answer(got)
            if self.confirms:
                self.confirm()

    def _answer(self, got):
        if got.kind == AUTH_START:
            jid = f"user@{self.server.domain}".encode()
            self.reply(got, AUTH_DONE, b"\1" + sized(jid) + sized(b"ticket") + b"\0" + sized(b"") * 5)
        elif got.kind == BIND:
            self.bound(got)

    def bound(self, got):
        handle = len(self.sessions) + 1
        self.sessions[handle] = got
        jid = f"user@{self.server.domain}/{handle}".encode()
        self.reply(got, BOUND, struct.pack("<i", 0) + sized(jid) + sized(SECRET) + sized(b"") * 2, sender=handle)

    def challenge(self, to, data, **more):
        """AUTH_STEP with SASL bytes (proto/login.h)."""
        self.reply(to, AUTH_STEP, b"\1\0" + sized(data) + sized(b"") * 2, **more)

    def expect(self, kind, count=1):
        """The frames of this kind so far, when there are so many."""
        wait_for(lambda: len(self.of(kind)) >= count, f"{count} frames of kind {kind}")
        return self.of(kind)

    def of(self, kind):
        return [f for f in list(self.frames) if f.kind == kind]

    # ---- what is sent

    def confirm(self):
        """All that has come."""
        with self.lock:
            for life, (number, instance) in self.seen.items():
                self._write(CONFIRM, instance, 0, body=struct.pack("<QQQBH", life, number, number, 0, 0))

    def reply(self, to, kind, body=b"", **more):
        more.setdefault("trace", to.trace)
        self.send(kind, to.origin, to.origin_life, handle=to.sender, body=body, **more)

    def send(self, kind, instance, life, **more):
        with self.lock:
            last = self.sent.get(instance, 0)
            if instance not in self.joined:
                self.joined.add(instance)
                self._write(SYNC, instance, 0, body=struct.pack("<QQ", last + 1, last))
            self.sent[instance] = last + 1
            self._write(kind, instance, life, number=last + 1, **more)

    def _write(self, kind, instance, life, **more):
        name = next(name for name, row in self.instances.items() if row["key"] == instance)
        try:
            self.sock.sendall(frame(kind, name, life, origin=("sm", key(self.name), self.life), **more))
        except BrokenPipeError:
            pass                                # it has just left
