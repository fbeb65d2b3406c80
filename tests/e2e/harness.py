"""What the end-to-end tests share: an instance of the suite, raw XMPP clients, and its control tool.

The suite runs as a user would run it (./dev run), from the build with the sanitisers. A warning in
a daemon's log that the test did not announce fails the test, and so does any sanitiser report.
"""

import base64
import itertools
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import xml.etree.ElementTree as ET
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = os.environ.get("ZUBR_BUILD", "build-asan")
PATIENCE = 15.0        # seconds a test waits for something that must come

NS = {
    "client": "jabber:client", "stream": "http://etherx.jabber.org/streams",
    "tls": "urn:ietf:params:xml:ns:xmpp-tls", "sasl": "urn:ietf:params:xml:ns:xmpp-sasl",
    "bind": "urn:ietf:params:xml:ns:xmpp-bind", "session": "urn:ietf:params:xml:ns:xmpp-session",
    "stanzas": "urn:ietf:params:xml:ns:xmpp-stanzas", "streams": "urn:ietf:params:xml:ns:xmpp-streams",
    "roster": "jabber:iq:roster", "delay": "urn:xmpp:delay", "register": "jabber:iq:register",
    "muc": "http://jabber.org/protocol/muc", "muc_user": "http://jabber.org/protocol/muc#user",
    "muc_owner": "http://jabber.org/protocol/muc#owner",
    "disco_info": "http://jabber.org/protocol/disco#info",
    "disco_items": "http://jabber.org/protocol/disco#items",
}

def instances(role):
    """Names of a role's instances in this run: ZUBR_E2E_ARGS="--instances sm=2,c2sd=2"."""
    asked = re.search(rf"\b{role}=(\d+)", os.environ.get("ZUBR_E2E_ARGS", ""))
    return [f"{role}-{i + 1}" for i in range(int(asked.group(1)) if asked else 1)]


_used_ports = set()


def free_port():
    """A port nobody listens on now and no other test of this run was given."""
    while True:
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        if port not in _used_ports:
            _used_ports.add(port)
            return port


def wait_for(condition, what, seconds=PATIENCE):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"waited {seconds} s for {what}")


LOG_LINE = re.compile(r"^(?:<\d>)?\S+ (error|warn|info|debug) (\S+) (\S+)(.*)$")


def has_ended(pid):
    """Gone, or waiting for its parent to take note."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


class Server:
    """One instance of the suite. Options are those of ./dev run."""

    def __init__(self, *args, domains=("example.org",), keep_dir=None, env=None, build=None):
        self.domains = domains
        self.domain = domains[0]
        self.dir = Path(keep_dir or tempfile.mkdtemp(prefix="zubr-e2e-"))
        os.chmod(self.dir, 0o755)
        self.c2s, self.c2s_tls, self.s2s, self.component = (free_port() for _ in range(4))
        self.args = os.environ.get("ZUBR_E2E_ARGS", "").split() + list(args)   # "--instances sm=2,c2sd=2"; a test may insist
        self.env = env or {}
        self.build = build or BUILD
        self.lines = []
        self.checked = 0       # lines of the log that were looked at
        self.announced = []
        self.process = None
        self.restarted = []
        self.stopped = False

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        self.stop(check=kind is None)
        shutil.rmtree(self.dir, ignore_errors=True)

    def start(self):
        command = [str(ROOT / "dev"), "run", "--dir", str(self.dir), "--c2s", str(self.c2s), "--c2s-tls",
                   str(self.c2s_tls), "--s2s", str(self.s2s), "--component", str(self.component), "--http", "0"]
        for domain in self.domains:
            command += ["--domain", domain]
        env = dict(os.environ, ZUBR_BUILD=self.build, ASAN_OPTIONS="detect_leaks=1:abort_on_error=0",
                   UBSAN_OPTIONS="print_stacktrace=1:halt_on_error=1", **self.env)
        self.stopped = False
        begin = len(self.lines)
        self.process = subprocess.Popen(command + self.args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        stdin=subprocess.DEVNULL, env=env, text=True, errors="replace",
                                        start_new_session=True)
        self.reader = threading.Thread(target=self._read, args=(self.process.stdout,), daemon=True)
        self.reader.start()
        try:
            wait_for(lambda: any(line.startswith("ready:") for line in self.lines[begin:]) or
                     self.process.poll() is not None, "the line ready:", 60)
            assert self.process.poll() is None
        except AssertionError:
            self.kill()
            raise AssertionError("the suite did not start:\n" + "".join(self.lines[-60:]))
        return self

    def _read(self, stream):
        for line in stream:
            self.lines.append(line)

    def kill(self):
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)

    def stop(self, check=True):
        if self.stopped:
            return
        self.stopped = True
        for process in self.restarted:
            process.terminate()
            assert process.wait(20) == 0 or not check
        self.restarted.clear()
        self.process.terminate()
        try:
            status = self.process.wait(40)
        except subprocess.TimeoutExpired:
            self.kill()
            status = "did not end"
        self.reader.join(5)
        if check:
            assert status == 0, f"./dev run ended with {status}:\n" + "".join(self.lines[-40:])
            self.check_log()

    def restart(self, instance, while_away=lambda: None):
        """Ends it as `systemctl restart` does and starts it again with the same command."""
        pid = self.pid_of(instance)
        proc = Path(f"/proc/{pid}")
        command = proc.joinpath("cmdline").read_bytes().split(b"\0")[:-1]
        env = dict(e.split(b"=", 1) for e in proc.joinpath("environ").read_bytes().split(b"\0") if b"=" in e)
        user, group, cwd = proc.stat().st_uid, proc.stat().st_gid, os.readlink(proc / "cwd")
        who = {"user": user, "group": group, "extra_groups": []} if os.geteuid() == 0 else {}
        os.kill(pid, signal.SIGTERM)
        wait_for(lambda: has_ended(pid), f"the end of {instance}", 20)
        while_away()
        process = subprocess.Popen(command, env=env, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   stdin=subprocess.DEVNULL, text=True, errors="replace", start_new_session=True, **who)
        threading.Thread(target=self._read, args=(process.stdout,), daemon=True).start()
        self.restarted.append(process)
        wait_for(lambda: any(r["name"] == instance and r["state"] == "running" and r["pid"] == process.pid
                             for r in self.ctl_json("status", check=False)), f"a new {instance}", 20)

    # ---- the log

    def expect_warning(self, event):
        """The warning lines of this event belong to the test."""
        self.announced.append(event)

    def check_log(self):
        """Fails on what was logged since the last check and not announced."""
        bad = []
        lines, self.checked = self.lines[self.checked:], len(self.lines)
        for line in lines:
            m = LOG_LINE.match(line)
            if m and m.group(1) in ("error", "warn") and m.group(3) not in self.announced:
                bad.append(line)
            elif "Sanitizer" in line or "runtime error:" in line or "ended with status" in line and \
                    "daemon_restarted" not in self.announced:
                bad.append(line)
        assert not bad, "unannounced lines in the log:\n" + "".join(bad[:30]) + \
            ("".join(self.lines[-80:]) if any("anitizer" in b or "runtime error:" in b for b in bad) else "")

    def log_has(self, *words):
        return any(all(word in line for word in words) for line in list(self.lines))

    # ---- control

    def ctl(self, *args, stdin=None, check=True):
        """zubrctl ... ; returns its standard output."""
        done = subprocess.run([str(ROOT / self.build / "zubrctl"), "--dir", str(self.dir), *args], input=stdin,
                              stdin=None if stdin is not None else subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=60)
        self.ctl_status, self.ctl_error = done.returncode, done.stderr
        if check:
            assert done.returncode == 0, f"zubrctl {' '.join(args)}: {done.returncode}: {done.stdout}{done.stderr}"
        return done.stdout

    def ctl_json(self, *args, **kwargs):
        return [json.loads(line) for line in self.ctl("--json", *args, **kwargs).splitlines() if line.startswith("{")]

    def register(self, name, password="secret"):
        jid = name if "@" in name else f"{name}@{self.domain}"
        self.ctl("register", jid, stdin=password + "\n")
        return jid

    def pid_of(self, instance):
        return next(row["pid"] for row in self.ctl_json("status") if row["name"] == instance)

    # ---- clients

    def client(self, name, password="secret", register=True, **kwargs):
        """A logged-in raw client; the account is made when it is not there yet."""
        user = name.split("@")[0]
        domain = name.split("@")[1] if "@" in name else self.domain
        if register:
            self.ctl("register", f"{user}@{domain}", stdin=password + "\n", check=False)
            assert self.ctl_status in (0, 1), self.ctl_error
        return Client(self, domain).login(user, password, **kwargs)

    def stream(self, domain=None, **kwargs):
        """A raw client that has only connected."""
        return Client(self, domain or self.domain, **kwargs)


class StreamError(AssertionError):
    def __init__(self, element):
        super().__init__(ET.tostring(element, encoding="unicode"))
        self.condition = element[0].tag.split("}")[1] if len(element) else None
        self.element = element


class Closed(AssertionError):
    pass


class Client:
    """An XMPP client on a plain socket: says exactly what the test says, nothing on its own."""

    ids = itertools.count(1)

    def __init__(self, server, domain, tls=False, address="127.0.0.1", port=None, source=None, certificate=None):
        self.server, self.domain = server, domain
        self.certificate = certificate         # a PEM file with chain and key, shown when the server asks
        self.port = port or (server.c2s_tls if tls else server.c2s)
        self.sock = socket.create_connection((address, self.port), PATIENCE, (source, 0) if source else None)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.parser, self.depth, self.queue = None, 0, []
        self.header = None
        self.jid = None
        self.raw = b""
        self.ended = False
        self.react = None      # function of a stanza: True when it has seen to it, and nobody else shall
        if tls:
            self._wrap()

    def _wrap(self, version=None):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if version:
            context.maximum_version = version
        if self.certificate:
            context.load_cert_chain(self.certificate)
        self.sock = context.wrap_socket(self.sock, server_hostname=self.domain)

    # ---- bytes

    def write(self, data):
        self.sock.sendall(data.encode() if isinstance(data, str) else data)

    def _take(self, timeout):
        """Reads once; False when the time is over."""
        self.sock.settimeout(max(timeout, 0.001))
        try:
            data = self.sock.recv(65536)
        except (socket.timeout, ssl.SSLWantReadError):
            return False
        except (ConnectionResetError, ssl.SSLError, OSError):
            data = b""
        if not data:
            self.ended = True
            return True
        self.raw += data
        self._parse(data)
        return True

    def _parse(self, data):
        if self.parser is None:
            self.parser, self.depth = ET.XMLPullParser(["start", "end"]), 0
        self.parser.feed(data)
        for event, element in self.parser.read_events():
            if event == "start":
                self.depth += 1
                if self.depth == 1:
                    self.header = element
            else:
                self.depth -= 1
                if self.depth == 1:
                    if not (self.react and self.react(element)):
                        self.queue.append(element)
                elif self.depth == 0:
                    self.queue.append(None)          # </stream:stream>

    def next(self, timeout=PATIENCE):
        """The next first-level element; None at the end of the stream; raises Closed when the socket ends."""
        deadline = time.monotonic() + timeout
        while not self.queue:
            left = deadline - time.monotonic()
            if self.ended:
                raise Closed("the server closed the connection")
            if left <= 0:
                raise AssertionError(f"nothing arrived in {timeout} s")
            self._take(left)
        return self.queue.pop(0)

    def read_until(self, condition, what, timeout=PATIENCE):
        """For what self.react notes down; the rest is queued."""
        deadline = time.monotonic() + timeout
        while not condition():
            assert not self.ended and time.monotonic() < deadline, f"{what} did not come in {timeout} s"
            self._take(deadline - time.monotonic())

    def settle(self, seconds=0.3):
        """What arrives within this time, as a list."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0 and not self.ended:
            self._take(left)
        found, self.queue = self.queue, []
        return found

    # ---- streams

    def open(self, header=None):
        self.parser, self.header = None, None
        self.write(header or f"<?xml version='1.0'?><stream:stream to='{self.domain}' version='1.0' "
                   f"xmlns='jabber:client' xmlns:stream='{NS['stream']}'>")
        return self

    def features(self):
        e = self.next()
        self.raise_error(e)
        assert e.tag == f"{{{NS['stream']}}}features", ET.tostring(e)
        return e

    @staticmethod
    def raise_error(e):
        if e is not None and e.tag == f"{{{NS['stream']}}}error":
            raise StreamError(e)

    def starttls(self, version=None):
        self.open().features()
        self.write(f"<starttls xmlns='{NS['tls']}'/>")
        e = self.next()
        self.raise_error(e)
        assert e is not None and e.tag == f"{{{NS['tls']}}}proceed", ET.tostring(e)
        self._wrap(version)
        return self

    def auth_plain(self, user, password, authzid=""):
        token = base64.b64encode(f"{authzid}\0{user}\0{password}".encode()).decode()
        self.write(f"<auth xmlns='{NS['sasl']}' mechanism='PLAIN'>{token}</auth>")
        return self.next()

    def login(self, user, password, resource="test", presence=True, tls=True, priority=None):
        if tls:
            self.starttls()
        self.open().features()
        e = self.auth_plain(user, password)
        assert e is not None and e.tag == f"{{{NS['sasl']}}}success", ET.tostring(e)
        self.open().features()
        self.bind(resource)
        if presence:
            inner = f"<priority>{priority}</priority>" if priority is not None else ""
            self.write(f"<presence>{inner}</presence>")
            self.expect("presence", lambda p: p.get("from") == self.jid)
        return self

    def bind(self, resource="test"):
        what = f"<resource>{resource}</resource>" if resource else ""
        result = self.iq("set", f"<bind xmlns='{NS['bind']}'>{what}</bind>")
        assert result.get("type") == "result", ET.tostring(result)
        self.jid = result.find("bind:bind/bind:jid", NS).text
        self.bare = self.jid.split("/")[0]
        return self.jid

    # ---- stanzas

    def expect(self, name=None, test=None, timeout=PATIENCE):
        """The next stanza of this name that passes the test; others that arrive before are dropped."""
        deadline = time.monotonic() + timeout
        seen = []
        while True:
            try:
                e = self.next(max(deadline - time.monotonic(), 0.001))
            except AssertionError as why:
                raise type(why)(f"{why}; wanted {name}, saw " + " ".join(seen)[-2000:]) from None
            if e is not None:
                if name != "error":
                    self.raise_error(e)
                if (name is None or e.tag.split("}")[1] == name) and (test is None or test(e)):
                    return e
                seen.append(ET.tostring(e, encoding="unicode"))

    def expect_none(self, name, test=None, seconds=0.4):
        for e in self.settle(seconds):
            assert e is None or e.tag.split("}")[1] != name or test and not test(e), \
                "unexpected: " + ET.tostring(e, encoding="unicode")

    def expect_stream_error(self, condition, timeout=PATIENCE):
        e = self.expect("error", lambda e: e.tag == f"{{{NS['stream']}}}error", timeout)
        found = e[0].tag.split("}")[1]
        assert found == condition, f"wanted {condition}, got " + ET.tostring(e, encoding="unicode")
        self.expect_end(timeout)
        return e

    def expect_end(self, timeout=PATIENCE):
        """The server closes the stream and the connection."""
        deadline = time.monotonic() + timeout
        while not self.ended:
            assert time.monotonic() < deadline, "the connection stays open"
            self._take(deadline - time.monotonic())

    def new_id(self):
        return f"t{next(self.ids)}"

    def iq(self, kind, payload, to=None, timeout=PATIENCE):
        """Sends it and returns the one reply."""
        ident = self.new_id()
        where = f" to='{to}'" if to else ""
        self.write(f"<iq type='{kind}' id='{ident}'{where}>{payload}</iq>")
        return self.expect("iq", lambda e: e.get("id") == ident and e.get("type") in ("result", "error"), timeout)

    def error_of(self, e):
        """Condition of an error stanza."""
        assert e.get("type") == "error", ET.tostring(e, encoding="unicode")
        error = e.find("client:error", NS)
        return next(child.tag.split("}")[1] for child in error if child.tag.startswith("{" + NS["stanzas"]))

    def message(self, to, body, kind="chat", extra=""):
        ident = self.new_id()
        self.write(f"<message to='{to}' type='{kind}' id='{ident}'><body>{body}</body>{extra}</message>")
        return ident

    def expect_body(self, body, sender=None):
        return self.expect("message", lambda m: m.findtext("client:body", None, NS) == body and
                           (sender is None or m.get("from") == sender))

    def ping(self):
        """Everything sent before has been handled when this returns."""
        return self.iq("get", "<ping xmlns='urn:xmpp:ping'/>", to=self.domain)

    def befriend(self, other):
        """Mutual subscription of two logged-in clients. Only who asked for the roster is interested in
        the answers (RFC 6121 2.2, 3.1.6)."""
        for c in (self, other):
            c.iq("get", f"<query xmlns='{NS['roster']}'/>")
        for a, b in ((self, other), (other, self)):
            a.write(f"<presence to='{b.bare}' type='subscribe'/>")
            b.expect("presence", lambda p: p.get("type") == "subscribe")
            b.write(f"<presence to='{a.bare}' type='subscribed'/>")
            a.expect("presence", lambda p: p.get("type") == "subscribed")
        for c in (self, other):
            c.ping()
            c.settle(0.2)

    def close(self):
        try:
            self.write("</stream:stream>")
            self.expect_end(5)
        finally:
            self.sock.close()

    def drop(self):
        """Goes away without a word."""
        self.sock.close()
