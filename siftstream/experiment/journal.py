"""What was done already: a line a step, so that an experiment goes on where it was stopped."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

_LINE = TypeAdapter(tuple[str, int, float | None, list[int]])


@dataclass(frozen=True)
class Done:
    """A step that was taken: the number of labels before it, the accuracy they gave, the rows it chose."""

    labels: int
    accuracy: float | None
    chosen: list[int]


class Journal:
    """An append-only file; a line that a kill cut off counts as not taken."""

    def __init__(self, path: Path) -> None:
        """Args: the file, which need not exist."""
        self._path = path

    def read(self) -> Mapping[str, list[Done]]:
        """Return the steps of each run, each beginning with the labels that the one before ended with."""
        found: dict[str, list[Done]] = {}
        for line in self._path.read_bytes().splitlines() if self._path.exists() else ():
            try:
                key, labels, accuracy, chosen = _LINE.validate_json(line)
            except ValueError:
                continue
            steps = found.setdefault(key, [])
            if labels == sum(len(done.chosen) for done in steps):
                steps.append(Done(labels, accuracy, chosen))
        return found

    def write(self, key: str, done: Done) -> None:
        """Add a step of a run, on a line of its own."""
        line = json.dumps([key, done.labels, done.accuracy, done.chosen]).encode() + b"\n"
        with self._path.open("ab+") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - 1))
            file.write(b"\n" + line if file.read(1) not in (b"", b"\n") else line)
