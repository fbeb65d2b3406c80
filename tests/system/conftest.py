"""Finds tests/e2e/harness.py and tests/faults/load.py, and boots one machine with the suite installed for the whole run."""

import sys
from pathlib import Path

for neighbour in ("faults", "e2e"):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / neighbour))

import pytest  # noqa: E402

import machine  # noqa: E402


@pytest.fixture(scope="session")
def booted():
    why = machine.cannot()
    if why:
        pytest.skip(why)
    with machine.Installed() as system:
        yield system


@pytest.fixture
def system(booted):
    """The machine with all daemons up; journal entries of other tests do not count."""
    booted.start_suite()
    booted.announced = []
    yield booted
    booted.check_journal()
