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
    suite.announced = []
    yield suite
    suite.check_log()
    suite.announced = []
