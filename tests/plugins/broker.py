"""One real Kafka for the whole run, and names of their own for each test's topics and groups."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator

import pytest

from siftstream.schemas.errors import BrokerError
from tests.plugins.leftovers import kept
from tests.plugins.services import in_ci


@pytest.fixture(scope="session")
def broker() -> Iterator[str]:
    """Return the address (`127.0.0.1:port`) of a local broker, started by the first test that asks."""
    from siftstream.streams.broker import LocalBroker

    running = LocalBroker()
    try:
        with kept():
            running.__enter__()
    except BrokerError as error:
        if in_ci():
            raise
        pytest.skip(f"the local broker cannot start: {error}")
    try:
        yield running.bootstrap
    finally:
        running.__exit__(None, None, None)


@pytest.fixture
def topic_prefix(request: pytest.FixtureRequest) -> str:
    """Return a pipeline name that no other test has: `a-killed-worker-1f2e3d`."""
    words = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower().removeprefix("test_")).strip("-")
    return f"{words[:32].strip('-')}-{uuid.uuid4().hex[:6]}"
