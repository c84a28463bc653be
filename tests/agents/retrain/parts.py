"""Small pictures of one bar each, labels of them, and courses that learn them without a child process."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from siftstream.agents.fetch.settings import FetchSettings
from siftstream.agents.fetch.transforms import make_transform
from siftstream.agents.fetch.transforms.settings import ImageSettings
from siftstream.agents.retrain.course import Course
from siftstream.agents.retrain.embeddings import Embeddings
from siftstream.agents.retrain.pool import Snapshot
from siftstream.agents.retrain.pseudo import PseudoLabels
from siftstream.agents.retrain.samples import Samples
from siftstream.agents.retrain.settings import RetrainSettings
from siftstream.models.settings import ModelSettings
from siftstream.models.training import Report, Trainer
from siftstream.models.training.job import SLICES
from siftstream.models.training.run import Told
from siftstream.models.training.settings import LimitSettings
from siftstream.schemas import Slice

CLASSES = ("up", "across")
IMAGES = ImageSettings(height=8, width=8, channels=1)
HEAD: dict[str, Any] = {"mode": "head", "head": {"l2": 1.0}}
FULL: dict[str, Any] = {"mode": "full", "full": {"epochs": 1, "min_steps": 60, "max_steps": 60, "dim": 8}}


def picture(path: Path, target: int, rng: np.random.Generator) -> str:
    """Write an upright (0) or lying (1) bar, and return its URI."""
    pixels = rng.integers(0, 60, (8, 8)).astype(np.uint8)
    place = rng.integers(1, 7)
    pixels[(slice(None), place) if target == 0 else (place, slice(None))] = 250
    Image.fromarray(pixels).save(path)
    return path.as_uri()


def gone(uri: str) -> None:
    """Delete what a file: URI names."""
    Path(uri.removeprefix("file://")).unlink()


def labels(folder: Path, count: int = 60, *, held: int = 20, start: int = 0) -> Snapshot:
    """Return `count` training labels of pictures and `held` others, half held out and half audited."""
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(start)
    numbers = range(start, start + count + held)
    targets = rng.integers(0, 2, count + held)
    ids = [f"s{number:05d}" for number in numbers]
    uris = [picture(folder / f"{name}.png", target, rng) for name, target in zip(ids, targets, strict=True)]
    slices = [Slice.TRAIN] * count + [Slice.HOLDOUT, Slice.AUDIT] * (held // 2)
    return snapshot(ids, uris, targets, slices)


def snapshot(
    ids: Sequence[str],
    uris: Sequence[str],
    targets: NDArray[np.int64],
    slices: Sequence[Slice],
    chances: Sequence[float] | None = None,
) -> Snapshot:
    """Return L of these labels, which stand one after the other in one partition."""
    count = len(ids)
    some = [0.5 if name is Slice.AUDIT else np.nan for name in slices] if chances is None else chances
    return Snapshot(
        ids, uris, np.asarray(targets, np.int64), np.ones(count, np.float32),
        np.array([SLICES.index(name) for name in slices], np.uint8), np.array(some, np.float64),
        np.full(count, 1000.0), np.zeros(count, np.int64), np.arange(count), (count,),
    )  # fmt: skip


class InProcess(Trainer):
    """Runs a job here, in a thread: as the child would, and faster than its start."""

    def __init__(self) -> None:
        super().__init__(prewarm=False)
        self.jobs = 0

    async def warm(self) -> None:
        """There is no child."""

    async def train(self, job_dir: Path, limits: LimitSettings, told: Told | None = None) -> Report:
        """Run the job."""
        from siftstream.models.training.run_job import run_job

        torch.set_num_threads(1)
        self.jobs += 1
        return await asyncio.to_thread(run_job, job_dir, told or (lambda _: None))


class Reading(Samples):
    """Notes which samples were asked for."""

    def __init__(self, folder: Path) -> None:
        super().__init__(FetchSettings(attempts=1), make_transform(IMAGES), folder, limit=0)
        self.read: list[str] = []

    async def of(
        self, uris: Sequence[str], folder: Path | None = None
    ) -> tuple[NDArray[np.bool_], dict[str, NDArray[Any]]]:
        """Read them, and say so."""
        self.read += uris
        return await super().of(uris, folder)


class Bench:
    """A course and what it stands on, all in one folder."""

    def __init__(self, folder: Path, train: dict[str, Any], **retrain: Any) -> None:
        """Args: where; `retrain.train`; other settings of the stage."""
        self.folder = folder
        self.settings = RetrainSettings.model_validate({"train": train, **retrain})
        self.model = ModelSettings(artifacts=str(folder / "artifacts"), dim=8, providers=("cpu",))
        self.samples = Reading(folder / "samples")
        self.embeddings = Embeddings(folder / "embeddings")
        self.trainer = InProcess()

    def course(self, pseudo: PseudoLabels | None = None, trainer: Trainer | None = None) -> Course:
        """Return a course."""
        return Course(
            self.settings, self.model, CLASSES, self.samples, self.embeddings, self.folder / "jobs", pseudo,
            trainer=trainer or self.trainer,
        )  # fmt: skip
