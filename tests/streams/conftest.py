"""Fixtures of the streams room."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.streams.faust_parts import close, consumer


@pytest.fixture
async def safe(tmp_path: Path) -> AsyncIterator[Any]:
    """Return a consumer of the safe transport that has no broker."""
    made = consumer(tmp_path)
    yield made
    close(made)


@pytest.fixture
async def stock(tmp_path: Path) -> AsyncIterator[Any]:
    """Return the same consumer as Faust ships it."""
    made = consumer(tmp_path, "kafka")
    yield made
    close(made)
