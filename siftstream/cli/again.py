"""Makes a version again from its lineage: samples by the log's URIs, all else as it was noted."""

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from pydantic import ValidationError

from siftstream.agents.retrain.origin import code_here
from siftstream.cli.samples import samples_of
from siftstream.models.artifacts import ArtifactStore
from siftstream.models.encoder import Encoder
from siftstream.models.head import Head
from siftstream.models.judging.crossing import folds_of
from siftstream.models.lineage import Lineage
from siftstream.models.loaded import LoadedModel
from siftstream.models.provenance import apart
from siftstream.models.sameness import Sameness, probs_apart, tensors_apart
from siftstream.models.training import ENCODER, HEAD, Job, train
from siftstream.models.training.settings import TrainSettings
from siftstream.schemas import ModelVersion, Slice, TrainingLabel
from siftstream.schemas.arrays import count, rows
from siftstream.schemas.errors import ConfigError, ModelError
from siftstream.settings import Settings
from siftstream.streams.record import Record
from siftstream.streams.view import View

_BATCH: Final = 256
_NAMED: Final = 5  # ids that are told


@dataclass(frozen=True)
class Again:
    """A version beside the one that was made again."""

    version: str
    same: Sameness
    labels: int
    """Labels that the second was made of."""
    changed: tuple[str, ...]
    """Ids whose label the log has changed since; the lineage's own label was learned."""
    missing: tuple[str, ...]
    """Ids whose sample cannot be had any more: these were left out."""
    reasons: tuple[str, ...]
    """What stands against the same bytes."""

    def told(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return asdict(self) | {"exact": self.same.exact}

    def sentences(self) -> list[str]:
        """Say how it went."""
        same = self.same
        if same.exact:
            first = f"{self.version} was made again from {self.labels:,} labels: the same bytes"
        else:
            first = (
                f"{self.version} was made again from {self.labels:,} labels, but not the same bytes:"
                f" head {_word(same.head)}, encoder {_word(same.encoder)}"
            )
        weights = "heads of other shapes" if same.weights is None else f"weights differ by {same.weights:.3g}"
        said = [first, f"at most, {weights} and {_probs(same)}"]
        said += [f"not exact because {reason}" for reason in self.reasons if not same.exact]
        for ids, what in ((self.changed, "labels changed since"), (self.missing, "samples cannot be had")):
            if ids:
                few = ", ".join(ids[:_NAMED]) + (", ..." if len(ids) > _NAMED else "")
                said.append(f"{len(ids):,} {what}: {few}")
        return said


def made_again(
    settings: Settings, version: ModelVersion, lineage: Lineage, versions: Sequence[ModelVersion]
) -> Again:
    """Train a version again in a child process, into a temporary folder, and compare.

    Raises:
        ConfigError: its settings or classes are not what this siftstream, or this pipeline, has.
        ModelError: files that it needs are gone; TrainingError: the training failed.
        UnavailableError: the cluster or the store is away.
    """
    if version.encoder is None or version.head is None:
        raise ModelError(f"model {version.version}: is {version.status} and cannot be compared with")
    with tempfile.TemporaryDirectory(prefix="siftstream-again-") as name:
        folder = Path(name)
        places = asyncio.run(_places(settings, lineage))
        job, kept = _job(settings, version, lineage, versions, places)
        job.write(folder)
        asyncio.run(train(folder, job.settings.limits))
        same = _compared(settings, version, job, folder)
    known = dict(zip(lineage.ids, zip(lineage.partitions, lineage.offsets, strict=True), strict=True))
    return Again(
        version.version, same, len(job.targets),
        tuple(n for n, at in known.items() if at[1] >= 0 and n in places and places[n].at != at),
        tuple(n for n in lineage.ids if n not in kept),
        _reasons(lineage, job.settings),
    )  # fmt: skip


@dataclass(frozen=True)
class _Place:
    uri: str
    at: tuple[int, int]  # partition and offset of the newest record


async def _places(settings: Settings, lineage: Lineage) -> dict[str, _Place]:
    """Return where the samples lie, by the newest record of each in `labelled`, retracted ones too."""
    wanted = set(lineage.ids)
    found = {name: _Place(uri, (-1, -1)) for name, uri in lineage.uris.items()}

    def fold(record: Record) -> None:
        if record.value is None:
            return
        label = TrainingLabel.decode(record.value)
        if label.sample_id in wanted:
            found[label.sample_id] = _Place(label.uri, (record.partition, record.offset))

    view = View(settings.kafka, settings.pipeline, TrainingLabel.topic, fold)
    try:
        await view.refresh()
    finally:
        await view.stop()
    return found


def _job(
    settings: Settings, version: ModelVersion, lineage: Lineage, versions: Sequence[ModelVersion],
    places: dict[str, _Place],
) -> tuple[Job, set[str]]:  # fmt: skip
    """Return the job as it was, of the samples that can still be had, and the ids of these."""
    try:
        how = TrainSettings.model_validate(lineage.settings)
    except ValidationError as error:
        raise ConfigError(
            f"{version.version}: its settings are of another siftstream"
            f" ({lineage.code.get('siftstream', 'unknown')}): {error.errors()[0]['msg']};"
            " run it with that one"
        ) from None
    store = ArtifactStore.open(settings.model.artifacts)
    there = np.array([row for row, name in enumerate(lineage.ids) if name in places], np.intp)
    read, inputs = asyncio.run(samples_of(settings).of([places[lineage.ids[row]].uri for row in there]))
    there = there[read]
    ids = [lineage.ids[row] for row in there]
    job = Job(
        inputs=inputs,
        targets=np.array(lineage.targets, np.int64)[there],
        weights=np.array(lineage.weights, np.float32)[there],
        slices=np.array(lineage.slices, np.uint8)[there],
        classes=lineage.classes,
        settings=how,
        frozen=store.get(version.encoder) if how.mode == "head" and version.encoder else None,
        start=_start(store, how, lineage, versions),
        folds=folds_of(ids),
    )
    return job, set(ids)


def _start(
    store: ArtifactStore, how: TrainSettings, lineage: Lineage, versions: Sequence[ModelVersion]
) -> bytes | None:
    """Return the weights that a full run began with, by their hash."""
    if how.mode == "head" or lineage.encoder is None:
        return None
    for version in versions:
        if version.weights is not None and version.weights.sha256 == lineage.encoder:
            return store.get(version.weights)
    raise ModelError(
        f"{lineage.version}: began with the weights {lineage.encoder[:12]}... of {lineage.parent}, which no"
        " version names any more; it cannot be made again"
    )


def _compared(settings: Settings, version: ModelVersion, job: Job, folder: Path) -> Sameness:
    store = ArtifactStore.open(settings.model.artifacts)
    assert version.encoder is not None
    assert version.head is not None
    onnx, head = store.get(version.encoder), store.get(version.head)
    new_onnx = onnx if job.frozen is not None else (folder / ENCODER).read_bytes()
    new_head = (folder / HEAD).read_bytes()
    runtime = settings.model.anywhere()
    ours, theirs = (
        LoadedModel(version.version, version.classes, Encoder(graph, runtime), Head.from_bytes(tensors))
        for graph, tensors in ((onnx, head), (new_onnx, new_head))
    )
    held = rows(job.inputs, job.where(Slice.HOLDOUT, Slice.AUDIT))
    parts = [rows(held, slice(at, at + _BATCH)) for at in range(0, count(held), _BATCH)]
    said = [[model.predict(part)[0] for part in parts] for model in (ours, theirs)]
    probs = probs_apart(np.concatenate(said[0]), np.concatenate(said[1])) if parts else None
    return Sameness(new_head == head, new_onnx == onnx, tensors_apart(head, new_head), probs, count(held))


def _reasons(lineage: Lineage, how: TrainSettings) -> tuple[str, ...]:
    """Say what stands against the same bytes."""
    said = [
        f"{name} is {now} here and was {then}"
        for name, (then, now) in apart(lineage.code, code_here()).items()
    ]
    if how.limits.threads > 1:
        said.append(
            f"{how.limits.threads} threads add up in an order of their own (retrain.train.limits.threads)"
        )
    if how.mode == "full" and how.full.device != "cpu":
        said.append(f"it may have run on a GPU (retrain.train.full.device: {how.full.device})")
    if any(at < 0 for at in lineage.offsets):
        said.append("it learned pseudo-labels of samples that nobody labelled")
    return tuple(said)


def _word(same: bool) -> str:
    return "the same" if same else "another"


def _probs(same: Sameness) -> str:
    if same.probs is None:
        return "no held-out sample says how probabilities differ"
    return f"probabilities by {same.probs:.3g} on {same.judged:,} held-out samples"
