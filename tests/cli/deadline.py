"""Polling with a deadline, for what happens in other processes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

LOOK_EVERY_S = 0.05
Found = TypeVar("Found")


def eventually(look: Callable[[], Found], within: float, what: str) -> Found:
    """Return what `look` finds as soon as it finds something."""
    end = time.monotonic() + within
    while not (found := look()):
        assert time.monotonic() < end, f"not within {within:g} s: {what}"
        time.sleep(LOOK_EVERY_S)
    return found


async def eventually_in_loop(look: Callable[[], Found], within: float, what: str) -> Found:
    """As `eventually`, with the event loop running on."""
    end = time.monotonic() + within
    while not (found := look()):
        assert time.monotonic() < end, f"not within {within:g} s: {what}"
        await asyncio.sleep(LOOK_EVERY_S)
    return found
