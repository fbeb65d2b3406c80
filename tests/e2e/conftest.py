"""One instance a module; what it says in its log is checked after each test and at the end."""

import pytest

from harness import Server


@pytest.fixture(scope="module")
def options(request):
    """Extra arguments for ./dev run: a module says OPTIONS = [...]."""
    return getattr(request.module, "OPTIONS", [])


@pytest.fixture(scope="module")
def suite(request, options):
    domains = getattr(request.module, "DOMAINS", ("example.org",))
    with Server(*options, domains=domains) as server:
        yield server


@pytest.fixture
def server(suite):
    """The module's instance; announcements of warnings end with the test."""
    mark, announced = len(suite.lines), list(suite.announced)
    yield suite
    lines, suite.lines = suite.lines, suite.lines[mark:]
    try:
        suite.check_log()
    finally:
        # Only what came after a failed or announced line is looked at again.
        suite.lines = lines[:0] + suite.lines if suite.announced == announced else []
        suite.announced = announced
