"""A model that fails where it is told to, features that tell it so, and scores as they were sent."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from siftstream.agents.infer.deployment import Deployment
from siftstream.agents.infer.routing import Routing
from siftstream.models.head import Head
from siftstream.schemas import Features, Scores
from siftstream.schemas.errors import InferenceError
from siftstream.streams.record import Record
from siftstream.streams.work import Work

NAN, RAISES = 250, 251  # pixels at which the model below fails


@dataclass
class FakeEncoder:
    sha256: str = "ab"
    dim: int = 2
    provider: str = "CPUExecutionProvider"


class FakeModel:
    """Embeds the first pixel; answers NaN or raises on some; notes what ran, and holds runs at a gate.

    `broken`: it answers nothing but NaN; `likely`: the class that it thinks likely.
    """

    def __init__(self, version: str = "v1", *, broken: bool = False, likely: int | None = None) -> None:
        self.version, self.encoder, self.head = version, FakeEncoder(), Head.uniform(1, 2, 2)
        self.broken, self.likely = broken, likely
        self.members = self.head.members
        self.sizes: list[int] = []
        self.at_once = self.most_at_once = 0
        self.began = threading.Event()
        self.gate = threading.Event()
        self.gate.set()
        self.lock = threading.Lock()

    def predict(self, inputs: Any) -> tuple[np.ndarray, np.ndarray]:
        (images,) = inputs.values()
        values = images.reshape(len(images), -1)[:, 0]
        with self.lock:
            self.sizes.append(len(values))
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        self.began.set()
        self.gate.wait(10)
        with self.lock:
            self.at_once -= 1
        if (values == RAISES).any():
            raise InferenceError("the run failed")
        probs = np.full((len(values), 1, 2), 0.5, np.float32)
        if self.likely is not None:
            probs[:] = [[0.9, 0.1] if self.likely == 0 else [0.1, 0.9]]
        probs[values == NAN] = np.nan
        if self.broken:
            probs[:] = np.nan
        return probs, np.stack([values, values], axis=1).astype(np.float32)


def deployed(model: Any, line: str = "main") -> Deployment:
    return Deployment(line, model)


def alone(model: Any) -> Routing:
    return Routing(deployed(model))


def record(offset: int, values: Sequence[int], partition: int = 0, name: str = "image") -> Record:
    images = np.array(values, np.uint8).reshape(-1, 1, 1, 1)
    ids = [f"{partition}-{offset}-{row}" for row in range(len(values))]
    batch = Features(
        ids, [f"data:,{i}" for i in ids], np.zeros(len(values)), [{}] * len(values), {name: images},
        [bytes(32)] * len(values),
    )  # fmt: skip
    return Record("features", partition, offset, None, batch.encode())


def decoded(*records: Record) -> list[tuple[Record, Features]]:
    return [(one, Features.decode(one.value)) for one in records]


def scores_in(works: Sequence[Work]) -> dict[str, float]:
    """The embedded pixel of each sample that was scored."""
    found: dict[str, float] = {}
    for work in works:
        for output in work.outputs:
            batch = Scores.decode(output.value)
            found |= dict(zip(batch.sample_ids, batch.embeddings[:, 0].astype(float), strict=True))
    return found


def versions_in(works: Sequence[Work]) -> dict[str, tuple[str, str]]:
    """The line and version of each sample that was scored; a sample scored twice fails."""
    found: dict[str, tuple[str, str]] = {}
    for work in works:
        for output in work.outputs:
            batch = Scores.decode(output.value)
            for name in batch.sample_ids:
                assert name not in found
                found[name] = (batch.line, batch.model_version)
    return found


def reasons_in(works: Sequence[Work]) -> dict[str, str]:
    """The reason of each sample that was refused, a dead letter of its own."""
    found: dict[str, str] = {}
    for work in works:
        for refused, error in work.refused:
            (name,) = Features.decode(refused.value).sample_ids
            assert name not in found
            found[name] = str(error)
    return found
