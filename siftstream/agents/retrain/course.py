"""One course: from a snapshot of L to a judged model version. Torch stays in the trainer's child."""

import asyncio
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from logging import getLogger
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np

from siftstream.agents.retrain.samples import Samples
from siftstream.agents.retrain.settings import RetrainSettings
from siftstream.models.artifacts import ArtifactStore
from siftstream.models.encoder import Encoder
from siftstream.models.head import Head
from siftstream.models.judge import judge
from siftstream.models.loaded import LoadedModel
from siftstream.models.settings import ModelSettings
from siftstream.models.spare import spare_encoder
from siftstream.models.training import ENCODER, HEAD, Job, Report, Trainer
from siftstream.schemas import ModelVersion, Slice, TrainingLabel, VersionStatus
from siftstream.schemas.arrays import Arrays, rows
from siftstream.schemas.errors import ModelError, SiftError, UnavailableError

log = getLogger(__name__)


@dataclass(frozen=True)
class Standing:
    """What is live when a course begins: the model (none before the first) and its encoder's ONNX."""

    model: LoadedModel | None
    encoder: bytes


class Course:
    """Trains, judges and stores; a failure of any kind is a version with status `failed` and its reason."""

    def __init__(
        self,
        settings: RetrainSettings,
        model: ModelSettings,
        classes: Sequence[str],
        samples: Samples,
        folder: Path,
    ) -> None:
        """Args: how; the line and its store; class names; where inputs come from; a folder for jobs."""
        self._settings = settings
        self._model = model
        self._classes = tuple(classes)
        self._samples = samples
        self._folder = folder
        self._store = ArtifactStore.open(model.artifacts)
        self._trainer = Trainer(prewarm=settings.train.prewarm)

    async def run(
        self, name: str, labels: Sequence[TrainingLabel], live: ModelVersion | None
    ) -> ModelVersion:
        """Return the version `name`, trained on the training slice of `labels`.

        Raises:
            UnavailableError: something outside is away for now; nothing was published.
        """
        began = monotonic()
        facts: dict[str, Any] = {
            "line": self._model.line, "version": name, "classes": self._classes,
            "pool_size": len(labels), "parent": live.version if live else None,
        }  # fmt: skip
        folder = self._folder / name
        result: dict[str, Any]
        try:
            result = await self._train(name, folder, labels, live)
        except UnavailableError:
            raise
        except SiftError as error:
            result = {"status": VersionStatus.FAILED, "reason": str(error)}
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        return ModelVersion(**facts, **result, seconds=monotonic() - began)

    async def begin(self) -> None:
        """Let the trainer's child import torch before the first course needs it."""
        await self._trainer.warm()

    async def close(self) -> None:
        """End the trainer's child."""
        await self._trainer.close()

    async def _train(
        self, name: str, folder: Path, labels: Sequence[TrainingLabel], live: ModelVersion | None
    ) -> dict[str, Any]:
        usable, inputs = await self._samples.of([label for label in labels if label.label in self._classes])
        standing = await asyncio.to_thread(self._standing, live)
        job = self._job(usable, inputs, standing)
        await asyncio.to_thread(job.write, folder)
        report = await self._trainer.train(folder, self._settings.train.timeout)
        return await asyncio.to_thread(self._judged, name, folder, job, report, standing)

    def _standing(self, live: ModelVersion | None) -> "Standing":
        """The model that a candidate follows: the live one, else the untrained spare."""
        specs = self._samples.specs
        if live is None or live.encoder is None:
            return Standing(None, spare_encoder(specs, self._model.seed, self._model.dim))
        try:
            model = LoadedModel.load(live, self._store, self._model, classes=self._classes, specs=specs)
        except ModelError as error:  # of other classes or inputs: nothing to be compared with
            log.warning("the live model is no measure for the next: %s", error)
            return self._standing(None)
        return Standing(model, self._store.get(live.encoder))

    def _job(self, usable: Sequence[TrainingLabel], inputs: Arrays, standing: Standing) -> Job:
        place = {name: number for number, name in enumerate(self._classes)}
        head_only = self._settings.train.mode == "head"
        return Job(
            inputs=inputs,
            targets=np.array([place[label.label or ""] for label in usable], np.int64),
            weights=np.array([label.weight for label in usable], np.float32),
            slices=tuple(label.slice for label in usable),
            classes=self._classes,
            settings=self._settings.train,
            frozen=standing.encoder if head_only else None,
        )

    def _judged(
        self, name: str, folder: Path, job: Job, report: Report, standing: Standing
    ) -> dict[str, Any]:
        head = (folder / HEAD).read_bytes()
        onnx = standing.encoder if job.frozen is not None else (folder / ENCODER).read_bytes()
        encoder = Encoder(onnx, threads=self._model.threads, providers=self._model.providers)
        kept_encoder = standing.model if job.frozen is not None else None
        passes = kept_encoder.passes if kept_encoder is not None else None
        candidate = LoadedModel(name, self._classes, encoder, Head.from_bytes(head), passes)
        kept = job.where(Slice.HOLDOUT, Slice.AUDIT)
        verdict = judge(
            candidate, standing.model, rows(job.inputs, kept), job.targets[kept], self._settings.gate
        )
        figures = {"temperature": report.temperature, "onnx_difference": report.onnx_difference,
                   "train_seconds": report.seconds, "train_peak_mb": report.peak_mb}  # fmt: skip
        learned: list[int] = job.targets[job.where(Slice.TRAIN)].tolist()
        return {
            "status": verdict.status, "reason": verdict.reason, "trained_on": report.trained_on,
            "learned_from": dict(Counter(self._classes[number] for number in learned)),
            "metrics": {**verdict.metrics, **figures},
            "encoder": self._store.put(onnx, ".onnx"), "head": self._store.put(head, ".safetensors"),
            "inputs": encoder.inputs, "passes": passes.count if passes is not None else 1,
        }  # fmt: skip
