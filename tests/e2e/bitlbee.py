"""bitlbee, an IRC server for one: it speaks XMPP with code of its own, and IRC with the test."""

import random
import re
import shutil
import socket
import subprocess
import tempfile
import time

from harness import wait_for

CONTROL, PORT = "&bitlbee", 5222


def relay(port):
    """bitlbee connects to some well-known ports only: one of them, on an address nobody else has, leads to `port`."""
    address = ".".join(["127"] + [str(random.randint(1, 254)) for _ in range(3)])
    process = subprocess.Popen(["socat", f"TCP-LISTEN:{PORT},bind={address},fork,reuseaddr", f"TCP:127.0.0.1:{port}"])

    def listens():
        with socket.socket() as s:
            return s.connect_ex((address, PORT)) == 0
    wait_for(listens, "socat")
    return process, address


class Bitlbee:
    """Logged in to XMPP as name; contacts sit in the channel &bitlbee under their IRC nicks."""

    def __init__(self, server, name):
        self.relay, address = relay(server.c2s)
        self.dir = tempfile.mkdtemp(prefix="zubr-bitlbee-")
        self.sock, theirs = socket.socketpair()
        self.process = subprocess.Popen(["bitlbee", "-I", "-c", "/dev/null", "-d", self.dir], stdin=theirs, stdout=theirs,
                                        stderr=subprocess.DEVNULL)
        theirs.close()
        self.jid, self.buffer, self.lines = f"{name}@{server.domain}", b"", []
        self.send("NICK tester", "USER tester 0 * :tester")
        self.expect(r"JOIN :?&bitlbee")
        self.tell(f"account add jabber {self.jid} secret", f"account jabber set server {address}",
                  f"account jabber set port {PORT}", "account jabber set tls true",
                  "account jabber set tls_verify false", "account jabber set resource bitlbee", "account jabber on")
        self.expect("Logging in: Logged in")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()
        for process in (self.process, self.relay):
            process.terminate()
            process.wait(10)
        shutil.rmtree(self.dir, ignore_errors=True)

    def send(self, *lines):
        for line in lines:
            self.sock.sendall(f"{line}\r\n".encode())

    def tell(self, *commands):
        """Commands to bitlbee itself."""
        self.send(*(f"PRIVMSG {CONTROL} :{command}" for command in commands))

    def say(self, nick, text):
        self.send(f"PRIVMSG {nick} :{text}")

    def expect(self, pattern, seconds=30):
        """The first line, read so far or to come, that has the pattern; what came before it is dropped."""
        deadline, seen = time.monotonic() + seconds, []
        while True:
            while self.lines:
                line = self.lines.pop(0)
                seen.append(line)
                if match := re.search(pattern, line):
                    return match
            left = deadline - time.monotonic()
            assert left > 0, f"no line with {pattern!r}:\n" + "\n".join(seen[-30:])
            self.read(left)

    def read(self, seconds):
        self.sock.settimeout(seconds)
        try:
            data = self.sock.recv(65536)
        except TimeoutError:
            return
        assert data, "bitlbee ended"
        *lines, self.buffer = (self.buffer + data).split(b"\r\n")
        for line in lines:
            if line.startswith(b"PING"):
                self.send("PONG" + line.decode()[4:])
            else:
                self.lines.append(line.decode(errors="replace"))
