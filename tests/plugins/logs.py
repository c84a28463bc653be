"""Logging stays as it was: a command that a test runs in this process sets it up for a worker."""

import logging
from collections.abc import Iterator

import pytest

SET_UP = ("", "kafka", "siftstream")  # loggers that `set_up_logging` changes


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """Put handlers and levels back after each test; a handler left behind writes to a closed stream."""
    before = {name: (logging.getLogger(name).level, [*logging.getLogger(name).handlers]) for name in SET_UP}
    yield
    for name, (level, handlers) in before.items():
        logger = logging.getLogger(name)
        logger.setLevel(level)
        logger.handlers[:] = handlers
