"""Waiting for something of another process, with a deadline."""

import time
from collections.abc import Callable

import psutil


def until(true: Callable[[], bool], within_s: float = 15) -> bool:
    """Look until `true()`, and say whether it came within the time."""
    end = time.monotonic() + within_s
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def gone(pid: int) -> bool:
    """Whether a process ended (a zombie whose parent does not look has)."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
