"""A trainer whose training takes a set time and no CPU: `python -m benchmarks.timeline.padded CONFIG NAME S`.

All else is the real stage: reading L, claims, judging who is free, publishing. Four children that compute
would share the machine's cores, and the timeline would show the machine.
"""

import asyncio
import hashlib
import sys
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np

from benchmarks.timeline.stream import CLASSES, DIM, ENCODER
from siftstream.agents.retrain import course
from siftstream.agents.retrain.pool import Snapshot
from siftstream.cli.worker import worker
from siftstream.models.artifacts import ArtifactStore
from siftstream.models.head import Head
from siftstream.models.settings import ModelSettings
from siftstream.schemas import ModelVersion, Progress, VersionStatus

STEPS = 10  # words about progress a run


class Padded:
    """A course that waits, and then has a head of random weights."""

    seconds = 1.0

    def __init__(self, settings: Any, model: ModelSettings, *rest: Any, **more: Any) -> None:
        """Args: what a `Course` takes; the line and its store are all that counts."""
        del settings, rest, more
        self._model = model
        self._store = ArtifactStore.open(model.artifacts)

    async def begin(self) -> None:
        """There is no child to warm."""

    async def close(self) -> None:
        """There is no child to end."""

    async def run(self, name: str, pool: Snapshot, live: Any, told: Any) -> ModelVersion:
        """Return the version after `seconds`."""
        del live
        began = monotonic()
        for step in range(STEPS):
            told(Progress(phase="fit", step=step, steps=STEPS))
            await asyncio.sleep(began + (step + 1) * self.seconds / STEPS - monotonic())
        rng = np.random.default_rng([*hashlib.sha256(name.encode()).digest()[:4]])
        weights, bias = rng.normal(size=(1, DIM, len(CLASSES))), np.zeros((1, len(CLASSES)))
        head = Head(weights.astype(np.float32), bias.astype(np.float32)).to_bytes()
        return ModelVersion(
            line=self._model.line, version=name, classes=CLASSES, status=VersionStatus.LIVE, mode="head",
            reason="A stand-in.", upto=pool.upto, trained_on=len(pool), pool_size=len(pool),
            encoder=self._store.put(ENCODER, ".onnx"), head=self._store.put(head, ".safetensors"),
            seconds=monotonic() - began,
        )  # fmt: skip


def main(words: list[str]) -> None:
    """Run one trainer until it is told to stop."""
    config, name, seconds = words
    Padded.seconds = float(seconds)
    stage: Any = course
    stage.Course = Padded
    worker("retrain", config=Path(config), instance=name, with_parent=True)


if __name__ == "__main__":
    main(sys.argv[1:])
