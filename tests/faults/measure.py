"""Memory of each daemon and the patience of a bystander while somebody misbehaves."""

import threading
import time
from pathlib import Path

from harness import Client

GROWTH_MB = 16
ANSWER_MS = 100


def anonymous_kb(pid):
    """Memory that cannot be taken back, as smaps_rollup shares it out."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss_Anon:"):
                return int(line.split()[1])
    except (FileNotFoundError, ProcessLookupError):
        pass
    return 0


class Watch:
    """Within `with`: the highest memory of each daemon above its resting size, and a bystander's pings."""

    def __init__(self, server, bystander):
        self.server, self.client = server, bystander
        self.pids = {r["name"]: r["pid"] for r in server.ctl_json("status") if r["state"] == "running"}
        self.rest = {name: anonymous_kb(pid) for name, pid in self.pids.items()}
        self.peak, self.answers, self.failed = dict(self.rest), [], None

    def __enter__(self):
        self.going = True
        self.threads = [threading.Thread(target=run) for run in (self.weigh, self.ping)]
        for t in self.threads:
            t.start()
        time.sleep(0.2)
        return self

    def __exit__(self, *_):
        time.sleep(1)                 # what was begun has its effect after the last write as well
        self.going = False
        for t in self.threads:
            t.join(30)

    def weigh(self):
        while self.going:
            for name, pid in self.pids.items():
                self.peak[name] = max(self.peak[name], anonymous_kb(pid))
            time.sleep(0.1)

    def ping(self):
        try:
            while self.going:
                begin = time.monotonic()
                self.client.ping()
                self.answers.append((time.monotonic() - begin) * 1000)
                time.sleep(0.02)
        except (AssertionError, OSError) as why:
            self.failed = why

    def grown_mb(self):
        return {name: (self.peak[name] - self.rest[name]) / 1024 for name in self.rest}

    def line(self):
        grown = "  ".join(f"{name} +{mb:.1f}" for name, mb in sorted(self.grown_mb().items()))
        answers = sorted(self.answers) or [0]
        return f"MB {grown}  bystander p50 {answers[len(answers) // 2]:.1f} ms, worst {answers[-1]:.1f} ms of {len(answers)}"

    def check(self, allowed_mb=None):
        """allowed_mb: instance -> its stated limits, where they are more than the general one."""
        assert not self.failed, f"the bystander: {self.failed}"
        allowed_mb = allowed_mb or {}
        fat = {n: f"{mb:.1f} MB" for n, mb in self.grown_mb().items() if mb > max(GROWTH_MB, allowed_mb.get(n, 0))}
        assert not fat, f"grew by {fat}"
        assert self.answers and max(self.answers) <= ANSWER_MS, self.line()
        alive = {r["name"]: r["pid"] for r in self.server.ctl_json("status") if r["state"] == "running"}
        assert alive == self.pids, f"a daemon died: {self.pids} became {alive}"


def bystander(server):
    return Client(server, server.domain).login("bystander", "secret", tls=True)
