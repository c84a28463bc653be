"""Measurements that are processes of their own: a command whose last line is a JSON object."""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

from siftstream.bench.failed import BenchFailed

WITHIN_S = 600.0
SHOWN = 300  # characters of what a failing process said


def answer(
    command: Sequence[str], *, within: float = WITHIN_S, environment: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Run a command and return what its last line says.

    >>> import sys
    >>> answer([sys.executable, "-c", "print('{\\"samples\\": 3}')"])
    {'samples': 3}

    Raises:
        BenchFailed: it cannot be started, fails, takes too long, or says something else.
    """
    name = " ".join(command[-4:])[:SHOWN]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=within, check=False, env=environment
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BenchFailed(f"{name}: {error}") from error
    if done.returncode:
        raise BenchFailed(f"{name}: exit code {done.returncode}: {last_words(done.stderr)}")
    try:
        return json.loads(done.stdout.strip().splitlines()[-1])
    except (ValueError, IndexError) as error:
        raise BenchFailed(f"{name}: no JSON in its last line: {done.stdout[-SHOWN:]!r}") from error


def last_words(said: str) -> str:
    """Return the last line that is not empty."""
    return next((line.strip() for line in reversed(said.splitlines()) if line.strip()), "no word")[:SHOWN]


def clean() -> dict[str, str]:
    """Return our environment without what would lead another interpreter to our packages."""
    return {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")}
