"""Federation on loopback: a DNS server of our own and a real Prosody as the remote server.

dnsmasq answers on a loopback address of its own; Prosody runs in a mount namespace whose resolv.conf
names it (that needs root). Names end in .example: libunbound, which Prosody uses, answers .test itself.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from harness import Client, Server, free_port, wait_for

PROSODY = """
run_as_root = true
daemonize = false
pidfile = "{dir}/prosody.pid"
data_path = "{dir}/data"
certificates = "{dir}"
interfaces = {{ "127.0.0.1" }}
log = {{ {{ levels = {{ min = "debug" }}, to = "file", filename = "{dir}/prosody.log" }} }}
admin_socket = "{dir}/prosody.sock"
plugin_paths = {{}}
modules_enabled = {{ "disco", "roster", "saslauth", "tls", "dialback", "ping", "posix", "register_ibr", "presence",
                    "message", "iq", "offline", "version", "pep" }}
modules_disabled = {{ "limits", "register_limits", "http" }}
c2s_ports = {{ {c2s} }}
c2s_direct_tls_ports = {{}}
s2s_ports = {{ {s2s} }}
s2s_direct_tls_ports = {{}}
http_ports = {{}}
https_ports = {{}}
ssl = {{ key = "{dir}/key.pem", certificate = "{dir}/cert.pem" }}
c2s_require_encryption = true
s2s_require_encryption = true
s2s_secure_auth = false
authentication = "internal_plain"
allow_registration = true
storage = "internal"
VirtualHost "{domain}"
Component "rooms.{domain}" "muc"
    muc_room_locking = false
Component "push.{domain}" "pubsub"
    admins = {{ "pushadmin@{domain}" }}
"""


needs_prosody = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("prosody") or not shutil.which("dnsmasq"),
                                   reason="needs root, prosody and dnsmasq")


class Dns:
    """dnsmasq that knows only what it is told: hosts {name: address}, services {name: (target, port)}."""

    def __init__(self, hosts, services, address="127.0.53.1", extra=()):
        self.address = address
        command = ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--user=root",
                   "--pid-file=", "--port=53", f"--listen-address={address}", "--bind-interfaces", "--local=/#/"]
        command += [f"--host-record={name},{to}" for name, to in hosts.items()]
        command += [f"--srv-host=_xmpp-server._tcp.{name},{target},{port}" for name, (target, port) in services.items()]
        command += extra
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.3)
        assert self.process.poll() is None, "dnsmasq did not start"

    def stop(self):
        self.process.terminate()
        self.process.wait(10)


class Prosody:
    """Debian's Prosody, asking our DNS server. Looks like a Server to harness.Client."""

    def __init__(self, domain, dns, c2s=None, s2s=None):
        self.domain, self.dns = domain, dns
        self.c2s, self.s2s = c2s or free_port(), s2s or free_port()
        self.c2s_tls = 0
        self.dir = Path(tempfile.mkdtemp(prefix="zubr-prosody-"))
        os.chmod(self.dir, 0o755)

    def start(self):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-days", "30", "-keyout", self.dir / "key.pem", "-out", self.dir / "cert.pem", "-subj",
                        f"/CN={self.domain}", "-addext", f"subjectAltName=DNS:{self.domain},DNS:*.{self.domain}"],
                       check=True, capture_output=True)
        (self.dir / "data").mkdir()
        (self.dir / "resolv.conf").write_text(f"nameserver {self.dns.address}\n")
        (self.dir / "prosody.cfg.lua").write_text(PROSODY.format(dir=self.dir, domain=self.domain, c2s=self.c2s,
                                                                 s2s=self.s2s))
        script = f"mount --bind {self.dir}/resolv.conf $(readlink -f /etc/resolv.conf) && " \
                 f"exec prosody --config {self.dir}/prosody.cfg.lua -F"
        self.process = subprocess.Popen(["unshare", "--mount", "sh", "-c", script], stdout=open(self.dir / "out", "w"),
                                        stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True)
        wait_for(self._answers, "Prosody", 20)
        return self

    def _answers(self):
        assert self.process.poll() is None, (self.dir / "out").read_text()
        try:
            Client(self, self.domain).open().features()
            return True
        except (OSError, AssertionError):
            return False

    def client(self, name, password="secret", **kwargs):
        """A logged-in raw client; the account is made in-band."""
        c = Client(self, self.domain).starttls().open()
        c.features()
        c.iq("set", f"<query xmlns='jabber:iq:register'><username>{name}</username><password>{password}</password></query>")
        c.drop()
        c = Client(self, self.domain).login(name, password, **kwargs)
        c.iq("get", "<query xmlns='jabber:iq:roster'/>")
        return c

    def log(self):
        return (self.dir / "prosody.log").read_text(errors="replace")

    def stop(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
        shutil.rmtree(self.dir, ignore_errors=True)


@contextlib.contextmanager
def two_servers(ours, theirs, *options, parts=(), hosts=None, services=None, remote=Prosody):
    """(our suite, the remote server) that find each other by DNS. parts: sub-domains of theirs; remote: Prosody, or
    Server for a second suite of our own; hosts, services: what else the DNS knows, as Dns takes it."""
    with contextlib.ExitStack() as stack:
        resolver = ("--resolver", "127.0.53.1:53")
        server = Server(*resolver, *options, domains=(ours,))
        other = Server(*resolver, domains=(theirs,)) if remote is Server else None
        port = other.s2s if other else free_port()
        near, far = (ours, f"muc.{ours}"), (theirs, *(f"{part}.{theirs}" for part in parts))
        dns = Dns({**{name: "127.0.0.1" for name in near + far}, **(hosts or {})},
                  {**{name: (ours, server.s2s) for name in near}, **{name: (theirs, port) for name in far},
                   **{name: (ours, server.s2s) if to is None else to for name, to in (services or {}).items()}})
        stack.callback(dns.stop)
        peer = other or Prosody(theirs, dns, s2s=port)
        if not other:
            stack.callback(peer.stop)
        peer = stack.enter_context(other) if other else peer.start()
        yield stack.enter_context(server), peer


# ---- for a module with a fixture `world`, the pair of two_servers()

@pytest.fixture
def server(world):
    suite = world[0]
    suite.announced = []
    yield suite
    suite.check_log()


@pytest.fixture
def peer(world):
    return world[1]
