"""A redis-server of a test's own, on a Unix socket in a directory of its own, and which sm owns whom."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile

from harness import wait_for


class Redis:
    """One redis-server without persistence; can be killed, started again, stopped and continued."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="zubr-redis-")
        os.chmod(self.dir, 0o755)
        self.path = f"{self.dir}/redis.sock"
        self.process = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.kill()
        shutil.rmtree(self.dir, ignore_errors=True)

    def start(self):
        self.process = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", self.path, "--unixsocketperm", "777", "--save", "",
             "--appendonly", "no", "--dir", self.dir, "--daemonize", "no"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        wait_for(self.answers, "redis-server")
        return self

    def answers(self):
        try:
            return self.ask("PING") == "PONG"
        except OSError:
            return False

    def kill(self):
        if self.process and self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGCONT)
            self.process.kill()
            self.process.wait()

    def pause(self):
        os.kill(self.process.pid, signal.SIGSTOP)

    def go_on(self):
        os.kill(self.process.pid, signal.SIGCONT)

    def ask(self, *words):
        """One command on a connection of its own: str, int, None or a list of these."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
            s.settimeout(10)
            s.connect(self.path)
            words = [w if isinstance(w, bytes) else str(w).encode() for w in words]
            s.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words))
            with s.makefile("rb") as f:
                return self._reply(f)

    def _reply(self, f):
        line = f.readline()
        kind, rest = line[:1], line[1:].strip()
        if kind == b"+":
            return rest.decode()
        if kind == b"-":
            raise AssertionError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else f.read(int(rest) + 2)[:-2].decode(errors="replace")
        if kind == b"*":
            return [self._reply(f) for _ in range(int(rest))]
        raise OSError("no reply")


def owner(bare, count=2):
    """The sm instance that owns a bare JID (docs/design.md 3)."""
    h = 0xcbf29ce484222325
    for byte in bare.encode():
        h = (h ^ byte) * 0x100000001b3 % (1 << 64)
    slot = (h ^ h >> 32) % 4096

    def weight(name):
        key = 0x811c9dc5
        for byte in name.encode():
            key = (key ^ byte) * 0x01000193 % (1 << 32)
        x = (((key << 32) ^ slot) + 0x9e3779b97f4a7c15) % (1 << 64)
        x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9 % (1 << 64)
        x = (x ^ x >> 27) * 0x94d049bb133111eb % (1 << 64)
        return x ^ x >> 31

    return max((f"sm-{i + 1}" for i in range(count)), key=weight)


def names_of(instance, domain, many, start="u"):
    """`many` user names of that domain that this instance owns."""
    found = []
    number = 0
    while len(found) < many:
        number += 1
        if owner(f"{start}{number}@{domain}") == instance:
            found.append(f"{start}{number}")
    return found
