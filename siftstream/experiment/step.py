"""One step of an experiment: train as the trainer's child does, test, choose what to label next.

Child process only: torch is imported here. A step hangs on the labelled rows alone, so a run can go on
after any of them.
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from siftstream.agents.retrain.pool import Snapshot
from siftstream.agents.retrain.weighing import weighed
from siftstream.experiment.candidates import accuracy, candidates
from siftstream.experiment.material import Material
from siftstream.experiment.plan import Plan
from siftstream.experiment.split import Rows
from siftstream.models.encoder import Encoder
from siftstream.models.head import Head
from siftstream.models.spare import spare_encoder
from siftstream.models.training import ENCODER, HEAD, Job
from siftstream.models.training.run_job import run_job
from siftstream.models.training.settings import TrainSettings
from siftstream.schemas import Progress
from siftstream.schemas.arrays import ArraySpec, rows
from siftstream.strategies import Need, Strategy

_BATCH = 256
_MEMBERS = 5  # of the head, where a strategy needs several and the configuration has one
Embed = Callable[[Rows], NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class Model:
    """A head, and what gives the embeddings of rows."""

    head: Head
    embed: Embed


@dataclass(frozen=True)
class Step:
    """The accuracy that the labels gave (none before the first), and the rows to label next."""

    accuracy: float | None
    chosen: list[int]


def step(material: Material, plan: Plan, seed: int, labelled: Rows, count: int) -> Step:
    """Train on the labelled rows, test, and choose `count` more; without labels choose the first ones.

    Raises:
        SiftError: the training failed, or the strategy lacks what it needs.
    """
    split = material.split(seed)
    if not len(labelled) and plan.start.name == "random":
        return Step(None, split.stream[:count].tolist())  # the same for every strategy of a seed
    if not len(labelled):
        model, reached, strategy = untrained(material), None, plan.start
    else:
        model, strategy = trained(material, plan, labelled, seed), plan.then
        reached = accuracy(model.head, model.embed(split.test), material.classes_N[split.test])
    free = split.stream[~np.isin(split.stream, labelled)]
    return Step(reached, _chosen(material, strategy, model, free, labelled, count, seed))


def trained(material: Material, plan: Plan, labelled: Rows, seed: int) -> Model:
    """Return what the trainer's child makes of these labels."""
    settings = _settings(material.train, plan, seed)
    head_mode = material.encoder is not None
    job = Job(
        inputs=rows(material.inputs, labelled[:0] if head_mode else labelled),
        targets=material.classes_N[labelled],
        weights=weighed(_snapshot(material, labelled), settings.weights, material.classes, 0.0),
        slices=np.zeros(len(labelled), np.uint8),
        classes=material.classes,
        settings=settings,
        frozen=material.encoder,
        rows=np.zeros(0, np.int64) if head_mode else None,
        known=None if material.emb_ND is None else material.emb_ND[labelled],
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        job.write(folder)
        run_job(folder, _silent)
        head = Head.from_bytes((folder / HEAD).read_bytes())
        if head_mode:
            return Model(head, _known(material))
        return Model(head, _computed(material, (folder / ENCODER).read_bytes()))


def untrained(material: Material) -> Model:
    """Return what stands before any label: the frozen or the spare encoder, and a head that knows nothing."""
    embed = _known(material)
    if material.emb_ND is None:
        specs = {name: ArraySpec(a.shape[1:], a.dtype) for name, a in material.inputs.items()}
        embed = _computed(material, spare_encoder(specs, material.train.seed, material.train.full.dim))
    dim = embed(np.arange(1)).shape[1]
    return Model(Head.uniform(1, dim, len(material.classes)), embed)


def _settings(train: TrainSettings, plan: Plan, seed: int) -> TrainSettings:
    """Return the configured way to train, each seed with its own; each model begins afresh."""
    members = train.members
    if Need.MEMBERS in plan.then.reads:
        members = max(members, _MEMBERS if members < 2 else members)
    full = train.full.model_copy(update={"start": "fresh"})
    return train.model_copy(update={"seed": train.seed + seed, "members": members, "full": full})


def _chosen(
    material: Material,
    strategy: Strategy,
    model: Model,
    free: Rows,
    labelled: Rows,
    count: int,
    seed: int,
) -> list[int]:
    rng = np.random.default_rng([seed, len(labelled)])
    if not strategy.reads:  # it looks at nothing, so nothing is computed for it
        blind = Head.uniform(1, 1, len(material.classes))
        nothing = np.zeros((len(free), 1), np.float32)
        window = candidates(blind, nothing, free, nothing[:0], material.classes_N[:0])
    else:
        known = model.embed(labelled)
        window = candidates(model.head, model.embed(free), free, known, material.classes_N[labelled])
    return free[strategy.select(window, count, rng).indices].tolist()


def _known(material: Material) -> Embed:
    def embed(which: Rows) -> NDArray[np.float32]:
        assert material.emb_ND is not None
        return np.asarray(material.emb_ND[which])

    return embed


def _computed(material: Material, onnx: bytes) -> Embed:
    encoder = Encoder(onnx, threads=material.train.limits.threads, providers=("cpu",))

    def embed(which: Rows) -> NDArray[np.float32]:
        parts = (which[at : at + _BATCH] for at in range(0, len(which), _BATCH))
        found = [encoder.embed(rows(material.inputs, part)) for part in parts]
        return np.concatenate(found) if found else np.zeros((0, encoder.dim), np.float32)

    return embed


def _snapshot(material: Material, labelled: Rows) -> Snapshot:
    """Return the labels as the pool of a trainer: all of one moment, agreed upon, in the training slice."""
    count = len(labelled)
    names = [str(row) for row in labelled]
    return Snapshot(
        names, names, material.classes_N[labelled], np.ones(count, np.float32), np.zeros(count, np.uint8),
        np.full(count, np.nan), np.zeros(count), np.zeros(count, np.int64), np.arange(count), (count,),
    )  # fmt: skip


def _silent(_: Progress) -> None:
    """The experiment tells a line a step."""
