"""A Debian with systemd in a container, the suite installed in it as the README says.

ZUBR_TREE names a bare Debian tree (debootstrap --variant=minbase --include=systemd,dbus); without it
one is made, once, below build-system/. The container shares the network of the host, so that clients
of the harness reach it on loopback.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from harness import ROOT, Server, free_port, wait_for

WORK = ROOT / "build-system"
MESON = WORK / "meson"
ROLES = ("routerd", "sm", "muc", "c2sd", "s2sd")
UNITS = ("zubr-routerd.service", "zubr-sm@1.service", "zubr-muc@1.service", "zubr-c2sd@1.service",
         "zubr-s2sd@1.service")

# The container may not touch the host's network, so its systemd cannot bring up "lo" in a network of a unit's own.
NOT_OURS = "Failed to configure loopback network device"


def cannot():
    """Why these tests cannot run here, or None."""
    if os.geteuid() != 0:
        return "booting a container takes root"
    if not shutil.which("systemd-nspawn"):
        return "no systemd-nspawn: apt-get install systemd-container"
    if "ZUBR_TREE" not in os.environ and not shutil.which("debootstrap"):
        return "no debootstrap: apt-get install debootstrap (or ZUBR_TREE=a bare Debian tree)"
    return None


def sh(*command, check=True, **kwargs):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, **kwargs)
    assert not check or done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout[-4000:]}{done.stderr[-4000:]}"
    return done


def build():
    if not (MESON / "build.ninja").exists():
        sh("meson", "setup", MESON, ROOT, "--prefix=/usr")
    sh("ninja", "-C", MESON, "zubrctl", *[f"zubr-{role}" for role in ROLES])


def libraries():
    """Debian packages of what the programs are linked with."""
    files = set()
    for program in ["zubrctl"] + [f"zubr-{role}" for role in ROLES]:
        files |= set(re.findall(r"=> /\S*/(\S+) \(", sh("ldd", MESON / program).stdout))
    found = set()
    for name in sorted(files):
        for line in sh("dpkg-query", "-S", f"*/{name}", check=False).stdout.splitlines():
            found.add(line.split(":")[0])
    return sorted(package for package in found if not package.endswith("-dev"))


def in_tree(tree, *command, **kwargs):
    return sh("systemd-nspawn", "-q", "-D", tree, "--register=no", "--keep-unit", "--as-pid2", *command, **kwargs)


def bare_tree():
    given = os.environ.get("ZUBR_TREE")
    tree = Path(given) if given else WORK / "bare"
    if not tree.exists():
        sh("debootstrap", "--variant=minbase", "--include=systemd,dbus", "bookworm", str(tree) + ".part")
        os.rename(str(tree) + ".part", tree)
    return tree


def prepared_tree():
    """The bare tree with libraries and tools; made again when the list of packages changes."""
    packages = libraries() + ["socat", "procps"]
    tree, stamp = WORK / "prepared", WORK / "prepared.packages"
    if tree.exists() and stamp.exists() and stamp.read_text() == " ".join(packages):
        return tree
    shutil.rmtree(tree, ignore_errors=True)
    sh("cp", "-a", bare_tree(), tree)
    # What the host needs to reach its archive (a mirror, a proxy) the tree needs as well.
    for part in ("apt.conf.d", "sources.list.d"):
        for f in Path("/etc/apt", part).glob("*"):
            if f.name in ("debian.sources",) or re.match(r"\d\d(proxy|artifact)", f.name):
                shutil.copy(f, tree / "etc/apt" / part)
    if (tree / "etc/apt/sources.list.d/debian.sources").exists():
        (tree / "etc/apt/sources.list").unlink(missing_ok=True)
    in_tree(tree, "apt-get", "-q", "update")
    in_tree(tree, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "install", "-y",
            "--no-install-recommends", *packages)
    stamp.write_text(" ".join(packages))
    return tree


class Installed(Server):
    """The machine. What the harness does with a development instance works here too."""

    def __init__(self):
        self.domain, self.domains = "example.org", ("example.org",)
        self.c2s, self.c2s_tls, self.s2s, self.component = (free_port() for _ in range(4))
        self.announced, self.container, self.leader = [], None, None

    def __enter__(self):
        build()
        prepared = prepared_tree()
        self.tree = Path(tempfile.mkdtemp(prefix="zubr-tree-"))
        self.console = tempfile.TemporaryFile("w+", errors="replace")
        sh("cp", "-a", f"{prepared}/.", self.tree)
        try:
            self.install()
            self.boot()
            self.configure()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.container:
            self.container.send_signal(signal.SIGTERM)
            try:
                self.container.wait(60)
            except subprocess.TimeoutExpired:
                os.kill(self.leader, signal.SIGKILL)        # init takes everything in the machine along
                self.container.kill()
                self.container.wait()
        # Only what the machine unmounted is removed.
        sh("rm", "-rf", "--one-file-system", self.tree)

    # ---- the lines of the README

    def install(self):
        sh("meson", "install", "-C", MESON, "--no-rebuild", env=dict(os.environ, DESTDIR=str(self.tree)))

    def boot(self):
        self.container = subprocess.Popen(
            ["systemd-nspawn", "-q", "-b", "-D", str(self.tree), "--register=no", "--keep-unit",
             "--hostname=zubr-test", "--kill-signal=SIGRTMIN+3"],
            stdin=subprocess.DEVNULL, stdout=self.console, stderr=self.console, start_new_session=True)
        self.leader = wait_for(self._find_leader, "the machine's init")
        wait_for(lambda: self.run("systemctl", "is-system-running", check=False).stdout.strip()
                 in ("running", "degraded"), "the machine to be up", 60)

    def _find_leader(self):
        try:
            pids = Path(f"/proc/{self.container.pid}/task/{self.container.pid}/children").read_text().split()
            return int(pids[0]) if pids and os.readlink(f"/proc/{pids[0]}/exe").endswith("systemd") else None
        except FileNotFoundError:           # one of its first steps, already over
            return None

    def configure(self, extra=""):
        self.run("systemd-sysusers")
        self.run("systemd-tmpfiles", "--create")
        certs = self.tree / "etc/zubr/certs" / self.domain
        certs.mkdir(exist_ok=True)
        sh("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
           "-subj", f"/CN={self.domain}", "-addext", f"subjectAltName=DNS:{self.domain}",
           "-keyout", certs / "privkey.pem", "-out", certs / "fullchain.pem")
        self.run("chgrp", "-R", "zubr-tls", f"/etc/zubr/certs/{self.domain}")
        self.run("chmod", "640", f"/etc/zubr/certs/{self.domain}/privkey.pem")
        self.run("chmod", "750", f"/etc/zubr/certs/{self.domain}")
        self.write_conf()
        self.run("systemctl", "daemon-reload")

    def write_conf(self, extra=""):
        (self.tree / "etc/zubr/zubr.conf").write_text(
            f'domain "{self.domain}" {{ }}\n'
            f'listen {{ address = {{"127.0.0.1"}} c2s = {self.c2s} c2s_tls = {self.c2s_tls} s2s = {self.s2s}'
            f' component = {self.component} http = 0 }}\n{extra}')

    # ---- inside

    def run(self, *command, check=True, **kwargs):
        """As root in the machine."""
        return sh("nsenter", "-t", str(self.leader), "-a", "--", *command, check=check, **kwargs)

    def run_as(self, user, *command, check=True, **kwargs):
        """As this user with all its groups."""
        return self.run("setpriv", "--reuid", user, "--regid", self.group_of(user), "--init-groups", "--",
                        *command, check=check, **kwargs)

    def group_of(self, user):
        return self.run("id", "-g", user).stdout.strip()

    def show(self, unit, what):
        return self.run("systemctl", "show", "-P", what, unit).stdout.strip()

    def active(self, *units):
        return all(self.show(unit, "ActiveState") == "active" for unit in units)

    def start_suite(self):
        self.run("systemctl", "start", "zubr.target")
        wait_for(lambda: self.running(*(u.split(".")[0].removeprefix("zubr-").replace("@", "-") for u in UNITS)),
                 "all daemons to run")

    def running(self, *names):
        states = {row["name"]: row["state"] for row in self.ctl_json("status", check=False)}
        return all(states.get(name) == "running" for name in names)

    def ctl(self, *args, stdin=None, check=True):
        done = self.run("zubrctl", *args, check=False, **({"input": stdin} if stdin is not None else
                                                         {"stdin": subprocess.DEVNULL}))
        self.ctl_status, self.ctl_error = done.returncode, done.stderr
        assert not check or done.returncode == 0, f"zubrctl {args}: {done.stdout}{done.stderr}"
        return done.stdout

    # ---- the journal

    def journal(self, *matches):
        text = self.run("journalctl", "-q", "-o", "json", "--no-pager", *matches).stdout
        return [json.loads(line) for line in text.splitlines()]

    def check_journal(self):
        """Fails on warnings and errors of our units that no test announced, once each."""
        lines = [e for e in self.journal("-p", "warning", "-u", "zubr*") +
                 self.journal("-p", "warning", "_SYSTEMD_SLICE=zubr.slice")
                 if e.get("ZUBR_EVENT") not in self.announced and "--systemd" not in self.announced
                 and not e["MESSAGE"].startswith(NOT_OURS) and e["__CURSOR"] not in getattr(self, "seen", set())]
        self.seen = getattr(self, "seen", set()) | {e["__CURSOR"] for e in self.journal("-p", "warning")}
        assert not lines, "\n".join(f"{e.get('_SYSTEMD_UNIT') or e.get('UNIT')}: {e['MESSAGE']}" for e in lines)
