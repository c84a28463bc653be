"""One course: from a snapshot of L to a judged model version. Torch stays in the trainer's child."""

import asyncio
import shutil
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from logging import getLogger
from pathlib import Path
from time import monotonic, time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from siftstream.agents.retrain.embedding import embedded
from siftstream.agents.retrain.embeddings import Embeddings
from siftstream.agents.retrain.material import Gathering, Material
from siftstream.agents.retrain.origin import lineage_of
from siftstream.agents.retrain.pool import Snapshot
from siftstream.agents.retrain.pseudo import PseudoLabels
from siftstream.agents.retrain.samples import Samples
from siftstream.agents.retrain.settings import RetrainSettings
from siftstream.agents.retrain.standing import Standing, standing_of
from siftstream.models.artifacts import ArtifactStore
from siftstream.models.encoder import Encoder
from siftstream.models.head import Head
from siftstream.models.judging.crossing import folds_of, said_of_embeddings, said_of_inputs
from siftstream.models.judging.judge import Held, Verdict, judge
from siftstream.models.lineage import SUFFIX
from siftstream.models.loaded import LoadedModel
from siftstream.models.settings import ModelSettings
from siftstream.models.training import EMBEDDINGS, ENCODER, HEAD, TENSORS, Report, Trainer
from siftstream.schemas import ModelVersion, Progress, Slice, VersionStatus
from siftstream.schemas.errors import SiftError, TrainingKilled, UnavailableError

log = getLogger(__name__)
Live = Callable[[], Awaitable[ModelVersion | None]]
Told = Callable[[Progress], None]
_READ = 4096  # samples whose inputs are in memory at once


@dataclass(frozen=True, eq=False)
class Trained:
    """What the child left of a job."""

    material: Material
    report: Report
    model: LoadedModel
    encoder: bytes
    head: bytes
    weights: bytes | None
    emb_ND: NDArray[np.float32]


class Course:
    """Trains, judges and stores; a failure of any kind is a version with status `failed` and its reason."""

    def __init__(
        self,
        settings: RetrainSettings,
        model: ModelSettings,
        classes: Sequence[str],
        samples: Samples,
        embeddings: Embeddings,
        folder: Path,
        pseudo: PseudoLabels | None = None,
        *,
        trainer: Trainer | None = None,
    ) -> None:
        """Args: how; the line and its store; class names; where inputs come from; known embeddings; a folder
        for jobs; where pseudo-labels come from; what runs the jobs, none: a child process each.
        """
        self._settings = settings
        self._model = model
        self._classes = tuple(classes)
        self._samples = samples
        self._embeddings = embeddings
        self._folder = folder
        self._store = ArtifactStore.open(model.artifacts)
        self._gathering = Gathering(settings.train, self._classes, samples, embeddings, pseudo)
        self._trainer = trainer or Trainer(prewarm=settings.train.limits.prewarm)

    async def run(self, name: str, pool: Snapshot, live: Live, told: Told) -> ModelVersion:
        """Return the version `name`, trained on the training slice of `pool`.

        Args:
            name: The version's name.
            pool: Labels to learn from and to judge by.
            live: Gives the version that is live now; asked before the training, and again before the verdict.
            told: Hears how far it is.

        Raises:
            UnavailableError: something outside is away for now; nothing was published.
        """
        began = monotonic()
        parent = await live()
        facts: dict[str, Any] = {
            "line": self._model.line, "version": name, "classes": self._classes, "upto": pool.upto,
            "mode": self._settings.train.mode, "pool_size": len(pool),
            "parent": parent.version if parent else None,
        }  # fmt: skip
        folder = self._folder / name
        result: dict[str, Any]
        try:
            result = await self._make(name, folder, pool, parent, live, told)
        except UnavailableError:
            raise
        except SiftError as error:
            killed = isinstance(error, TrainingKilled)
            result = {"status": VersionStatus.FAILED, "reason": str(error), "killed": killed}
        except OSError as error:
            reason = f"training: the run's files could not be written or read: {error}"
            result = {"status": VersionStatus.FAILED, "reason": reason}
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        return ModelVersion(**facts, **result, seconds=monotonic() - began)

    async def begin(self) -> None:
        """Clear what a killed trainer left, and let the child import torch before the first course."""
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)
        await self._trainer.warm()

    async def close(self) -> None:
        """End the trainer's child."""
        await self._trainer.close()

    async def _make(
        self, name: str, folder: Path, pool: Snapshot, parent: ModelVersion | None, live: Live, told: Told
    ) -> dict[str, Any]:
        at = time()
        standing = await asyncio.to_thread(self._standing, parent)
        start = await asyncio.to_thread(self._start, standing)
        told(Progress(phase="read"))
        material = await self._gathering.gather(
            pool, folder, at, encoder=standing.encoder, live=standing.version, start=start
        )
        await asyncio.to_thread(material.job.write, folder)
        report = await self._trainer.train(folder, self._settings.train.limits, told)
        for note in report.notes:
            log.info("run %s: %s", name, note)
        trained = await asyncio.to_thread(self._read, name, folder, material, report, standing)
        await asyncio.to_thread(self._gathering.keep, material, trained.model.encoder.sha256, trained.emb_ND)
        told(Progress(phase="judge"))
        measure = standing
        while True:  # another trainer may publish meanwhile: what counts is who is live when this is
            now = await live()
            measure = await asyncio.to_thread(self._standing, now, measure)
            verdict = await self._verdict(trained, measure, now)
            if await live() == now:
                break
        return await asyncio.to_thread(self._stored, name, at, standing, trained, verdict)

    def _standing(self, live: ModelVersion | None, before: Standing | None = None) -> Standing:
        specs = self._samples.specs
        return standing_of(live, self._store, self._model, self._classes, specs, before)

    def _start(self, standing: Standing) -> bytes | None:
        """The weights to begin with, where that is asked for and the live version has some."""
        version = standing.version
        train = self._settings.train
        if train.mode == "head" or train.full.start == "fresh" or version is None or version.weights is None:
            return None
        return self._store.get(version.weights)

    def _read(
        self, name: str, folder: Path, material: Material, report: Report, standing: Standing
    ) -> Trained:
        """Take what the child left, as the model that it will be."""
        full = material.job.frozen is None
        head = (folder / HEAD).read_bytes()
        onnx = (folder / ENCODER).read_bytes() if full else standing.encoder
        passes = standing.model.passes if standing.model is not None and not full else None
        known = standing.model.encoder if standing.model is not None and not full else None
        encoder = known or Encoder(onnx, self._model)
        model = LoadedModel(name, self._classes, encoder, Head.from_bytes(head), passes)
        weights = (folder / TENSORS).read_bytes() if full else None
        emb_ND = np.load(folder / EMBEDDINGS, mmap_mode="r", allow_pickle=False)
        return Trained(material, report, model, onnx, head, weights, emb_ND)

    async def _verdict(self, trained: Trained, standing: Standing, live: ModelVersion | None) -> Verdict:
        """Compare the candidate with the live version on the samples that neither was trained on.

        What only one of the two can answer, for the sample is gone since, is left out.
        """
        pool = trained.material.pool
        kept = pool.where(Slice.HOLDOUT, Slice.AUDIT)
        ours = await self._answers(trained.model, trained, pool, kept)
        theirs = await self._answers(standing.model, trained, pool, kept) if standing.model else None
        both = ~np.isnan(ours[:, 0, 0])
        if theirs is not None:
            both &= ~np.isnan(theirs[:, 0, 0])
            theirs = theirs[both]
        rows = kept[both]
        held = Held(pool.classes_N[rows], pool.slices_N[rows], pool.chances_N[rows])
        return await asyncio.to_thread(
            judge, ours[both], theirs, held, self._classes, self._settings.gate, live=live,
            overtaken=live is not None and _knows_more(live.upto, pool.upto),
        )  # fmt: skip

    async def _answers(
        self, model: LoadedModel, trained: Trained, pool: Snapshot, kept: NDArray[np.intp]
    ) -> NDArray[np.float32]:
        """What a model says [B, M, C] of the held-out samples, nan where it cannot be had.

        None is read whose embedding is known.
        """
        uris = [pool.uris[row] for row in map(int, kept)]
        folds_B = folds_of([pool.ids[row] for row in map(int, kept)])
        said_BMC = np.full((len(kept), model.members, model.head.classes), np.nan, np.float32)
        if model.passes is not None:  # masks of their own each time: an embedding is not what it says it by
            for at in range(0, len(uris), _READ):
                read, inputs = await self._samples.of(uris[at : at + _READ])
                part = at + np.flatnonzero(read)
                if len(part):
                    said_BMC[part] = await asyncio.to_thread(said_of_inputs, model, inputs, folds_B[part])
            return said_BMC
        if model.encoder.sha256 == trained.model.encoder.sha256:
            emb_BD = np.asarray(trained.emb_ND[kept])
        else:
            emb_BD = await embedded(model.encoder, uris, self._samples, self._embeddings)
        known = np.flatnonzero(~np.isnan(emb_BD[:, 0]))
        said_BMC[known] = said_of_embeddings(model.head, emb_BD[known], folds_B[known])
        return said_BMC

    def _stored(
        self, name: str, at: float, standing: Standing, trained: Trained, verdict: Verdict
    ) -> dict[str, Any]:
        """Put files and lineage into the store; return what the version says of them."""
        pool, job, report, model = trained.material.pool, trained.material.job, trained.report, trained.model
        lineage = lineage_of(self._model.line, name, at, pool, job, standing.version)
        train = np.isin(np.arange(len(pool)), job.where(Slice.TRAIN))
        learned: list[int] = job.targets[train & trained.material.real].tolist()
        figures = {"temperature": report.temperature, "onnx_difference": report.onnx_difference,
                   "train_seconds": report.seconds, "train_peak_mb": report.peak_mb,
                   "pseudo_labels": float((~trained.material.real).sum())}  # fmt: skip
        put = self._store.put
        return {
            "status": verdict.status, "reason": verdict.reason, "judgement": verdict.judgement,
            "trained_on": len(learned), "metrics": {**verdict.metrics, **figures},
            "learned_from": dict(Counter(self._classes[number] for number in learned)),
            "encoder": put(trained.encoder, ".onnx"), "head": put(trained.head, ".safetensors"),
            "weights": put(trained.weights, ".safetensors") if trained.weights is not None else None,
            "lineage": put(lineage.to_bytes(), SUFFIX),
            "inputs": model.encoder.inputs, "passes": model.passes.count if model.passes is not None else 1,
        }  # fmt: skip


def _knows_more(theirs: tuple[int, ...], ours: tuple[int, ...]) -> bool:
    """Tell whether one place in `labelled` lies behind another; one that is not told lies nowhere.

    >>> _knows_more((7, 3), (7, 2)), _knows_more((7, 2), (7, 2)), _knows_more((), (7, 2))
    (True, False, False)
    """
    pairs = list(zip(theirs, ours, strict=False))
    return theirs != ours and bool(pairs) and all(one >= other for one, other in pairs)
