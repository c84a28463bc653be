"""The handle of the process that pushes."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from siftstream.bench.failed import BenchFailed
from siftstream.bench.pushing import Pair

STOP_WITHIN_S = 10.0


class Pusher:
    """A process that is connected and waits to be told what to push, for as long as the block lasts."""

    def __init__(self, bootstrap: str, folder: Path) -> None:
        """Args: the cluster; where the lists of what to push are written."""
        self._command = [sys.executable, "-m", "siftstream.bench.pushing", bootstrap]
        self._folder = folder
        self._child: subprocess.Popen[str]

    def __enter__(self) -> Self:
        """Start it, and wait until it is connected."""
        self._child = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        try:
            self._answer()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""
        self.stop()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._child.pid

    def prepare(self, name: str, pairs: Sequence[Pair]) -> Path:
        """Write a list of (sample id, URI) for a later push; return its file."""
        file = self._folder / f"{name}.tsv"
        file.write_text("".join(f"{one}\t{uri}\n" for one, uri in pairs), encoding="utf-8")
        return file

    def push(self, topic: str, shape: str, file: Path) -> tuple[float, float]:
        """Let it push a list; return when the first was sent and the last was acknowledged, in Unix seconds.

        Raises:
            BenchFailed: it ended.
        """
        assert self._child.stdin is not None
        self._child.stdin.write(json.dumps({"topic": topic, "shape": shape, "file": str(file)}) + "\n")
        self._child.stdin.flush()
        answer = self._answer()
        return answer["first"], answer["last"]

    def stop(self) -> None:
        """End it: its standard input ends."""
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.close()
        try:
            self._child.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._child.stdout.close()

    def _answer(self) -> dict[str, Any]:
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        if not line:
            raise BenchFailed(f"the process that pushes ended with exit code {self._child.wait()}")
        return json.loads(line)
