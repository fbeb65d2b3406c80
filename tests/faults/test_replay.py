"""The replay of power cuts itself: what is certain, what may be there, what cannot be."""

import random

from replay import BARRIER, DURABLE, SECTOR, TRUNCATE, WRITE, Event, Record


def record_of(*events):
    record = Record("/nonexistent")
    record.synced = {"f": list(events)}
    return record


def images(record, instant, n=200):
    return {record.image("f", instant, random.Random(seed)) for seed in range(n)}


def test_what_was_flushed_is_certain_and_the_rest_is_open():
    a, b = b"a" * SECTOR, b"b" * SECTOR
    record = record_of(Event(WRITE, 1, 2, 0, a), Event(BARRIER, 3, 4, 0, b""), Event(WRITE, 5, 6, 0, b))
    assert images(record, 5) == {a}
    assert images(record, 9) == {a, b}
    assert images(record, 3) >= {b"", a}           # the barrier has not ended


def test_a_barrier_covers_what_ended_before_it_began():
    a, b = b"a" * SECTOR, b"b" * SECTOR
    record = record_of(Event(WRITE, 1, 2, 0, a), Event(WRITE, 2, 5, 0, b), Event(BARRIER, 4, 6, 0, b""))
    assert images(record, 7) == {a, b}


def test_a_durable_write_covers_itself_alone():
    a, b = b"a" * SECTOR, b"b" * SECTOR
    record = record_of(Event(WRITE, 1, 2, 0, a), Event(DURABLE, 3, 4, SECTOR, b))
    assert images(record, 5) == {bytes(SECTOR) + b, a + b}


def test_a_write_may_be_torn_between_sectors_and_a_file_cut_short():
    a, b = b"a" * 2 * SECTOR, b"b" * 2 * SECTOR
    record = record_of(Event(WRITE, 1, 2, 0, a), Event(BARRIER, 3, 4, 0, b""), Event(WRITE, 5, 6, 0, b))
    assert images(record, 9) == {a, b, a[:SECTOR] + b[SECTOR:], b[:SECTOR] + a[SECTOR:]}
    record = record_of(Event(WRITE, 1, 2, 0, a), Event(TRUNCATE, 3, 4, SECTOR, b""), Event(BARRIER, 5, 6, 0, b""))
    assert images(record, 9) == {a[:SECTOR]}
