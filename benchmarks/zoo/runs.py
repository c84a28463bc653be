"""Selections in child processes, within limits: what came of each, and how rounds add up."""

import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.zoo.made_up import Shape, write
from benchmarks.zoo.one import OUT_OF_MEMORY, REFUSED
from siftstream.bench.child import last_words
from siftstream.bench.statistics import Three

START_S = 300  # seconds that a child has besides selecting: imports, and the window from disk


@dataclass(frozen=True)
class Limits:
    """What one selection may take."""

    seconds: float
    bytes: int


@dataclass
class Runs:
    """The rounds of one strategy on one window; `ended` says why there are no more, if so."""

    name: str
    shape: Shape
    who: str = "ours"
    seconds: list[float] = field(default_factory=list[float])
    bytes: list[int] = field(default_factory=list[int])
    ended: str = ""

    @property
    def time(self) -> Three | None:
        """Seconds of selecting."""
        return Three.of(self.seconds) if self.seconds else None

    @property
    def memory(self) -> Three | None:
        """Bytes above what was there before."""
        return Three.of(self.bytes) if self.bytes else None

    def as_json(self) -> dict[str, Any]:
        """Return the figures."""
        return {
            "name": self.name, "who": self.who, "size": self.shape.size, "k": self.shape.k,
            "seconds": self.seconds, "bytes": self.bytes, "ended": self.ended,
        }  # fmt: skip


class Windows:
    """The windows on disk, one file a shape, made when first asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[Shape, Path] = {}

    def file(self, shape: Shape) -> Path:
        """Return the file of a window; how many are chosen of it does not matter."""
        window = Shape(shape.size, 1, shape.classes, shape.members, shape.dim, shape.labelled)
        if window not in self._files:
            self._files[window] = self._folder / f"{len(self._files)}.npz"
            write(self._files[window], window)
        return self._files[window]


@contextmanager
def windows() -> Generator[Windows]:
    """Keep windows in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        yield Windows(Path(folder))


def once(runs: Runs, kept: Windows, limits: Limits, seed: int = 0) -> None:
    """Run one more round of a strategy, unless an earlier one went over its limits."""
    if runs.ended:
        return
    words = [runs.who, runs.name, kept.file(runs.shape), runs.shape.k, limits.seconds, limits.bytes, seed]
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.zoo.one", *map(str, words)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=limits.seconds + START_S, check=False
        )
    except subprocess.TimeoutExpired:
        runs.ended = f"over {limits.seconds:g} s"
        return
    if done.returncode:
        runs.ended = why(done.returncode, done.stderr, limits)
        return
    found = json.loads(done.stdout.strip().splitlines()[-1])
    if found["chosen"] != min(runs.shape.k, runs.shape.size):
        runs.ended = f"chose {found['chosen']} of {runs.shape.k} different samples"
    runs.seconds.append(found["seconds"])
    runs.bytes.append(found["bytes"])


def why(code: int, said: str, limits: Limits) -> str:
    """Say why a child ended.

    >>> why(-signal.SIGALRM, "", Limits(300.0, 1 << 30))
    'over 300 s'
    """
    if code == -signal.SIGALRM:
        return f"over {limits.seconds:g} s"
    if code == OUT_OF_MEMORY or "MemoryError" in said:
        return f"over {limits.bytes / 2**30:g} GiB"
    if code == REFUSED:
        return last_words(said)
    return f"failed: exit code {code}: {last_words(said)}"
