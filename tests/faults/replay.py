"""What a disk may hold after a power cut: reads the logs of record.c and builds, for an instant, the files
of the synced environments. What was flushed is there for certain; of what was written after the last
barrier a random part, in sectors, as a disk may do. Environments that never flush are left out: live ones,
void with the boot."""

import random
import struct
from collections import defaultdict
from pathlib import Path

HEAD = struct.Struct("=QQQQII")
SECTOR = 512
WRITE, DURABLE, BARRIER, TRUNCATE = (ord(c) for c in "WDBT")


class Event:
    __slots__ = ("kind", "begin", "end", "offset", "data")

    def __init__(self, kind, begin, end, offset, data):
        self.kind, self.begin, self.end, self.offset, self.data = kind, begin, end, offset, data


class Record:
    """Every event of every data.mdb, from the logs of all processes."""

    def __init__(self, directory):
        self.files = defaultdict(list)
        for log in Path(directory).glob("*.log"):
            self.read(log.read_bytes())
        for events in self.files.values():
            events.sort(key=lambda e: e.begin)
        self.synced = {path: events for path, events in self.files.items() if any(e.kind == DURABLE for e in events)}

    def read(self, data):
        at = 0
        while at + HEAD.size <= len(data):
            kind, begin, end, offset, path_len, length = HEAD.unpack_from(data, at)
            at += HEAD.size
            path = data[at:at + path_len].decode()
            at += path_len
            self.files[path].append(Event(kind, begin, end, offset, data[at:at + length]))
            at += length

    def barriers(self, begin, end):
        """Ends of what makes something certain, within these times (ns)."""
        return sorted(e.end for events in self.synced.values() for e in events
                      if e.kind in (BARRIER, DURABLE) and begin <= e.end <= end)

    def image(self, path, instant, rnd):
        """Bytes of the file after a cut at `instant`."""
        events = [e for e in self.synced[path] if e.begin < instant]
        flushed = max((e.begin for e in events if e.kind == BARRIER and e.end <= instant), default=0)
        keep = rnd.choice((0.0, 0.5, 0.9, 1.0))
        out = bytearray()
        for e in events:
            certain = e.end <= flushed or e.kind == DURABLE and e.end <= instant
            if e.kind == BARRIER or not certain and rnd.random() >= keep:
                continue
            if e.kind == TRUNCATE:
                del out[e.offset:]
                out.extend(bytes(max(0, e.offset - len(out))))
            else:
                apply(out, e, None if certain or rnd.random() < 0.5 else rnd)
        return bytes(out)

    def lay_out(self, below, to, instant, seed):
        """Writes the images of the environments below directory `below` to the same places below `to`."""
        rnd = random.Random(seed)
        for path in sorted(self.synced):
            relative = Path(path).relative_to(below)
            image = self.image(path, instant, rnd)
            if image:
                (to / relative).parent.mkdir(parents=True, exist_ok=True)
                (to / relative).write_bytes(image)


def apply(out, e, torn):
    end = e.offset + len(e.data)
    if len(out) < end:
        out.extend(bytes(end - len(out)))
    for at in range(0, len(e.data), SECTOR) if torn else ():
        if torn.random() < 0.5:
            out[e.offset + at:e.offset + min(at + SECTOR, len(e.data))] = e.data[at:at + SECTOR]
    if not torn:
        out[e.offset:end] = e.data


