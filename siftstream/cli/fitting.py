"""A new head for an imported encoder, fitted to the labels that are known, in a child process."""

import asyncio
import tempfile
from pathlib import Path
from typing import Final

import numpy as np

from siftstream.cli.samples import Gathered
from siftstream.models.head import Head
from siftstream.models.training import HEAD, Job, train
from siftstream.schemas import Slice
from siftstream.schemas.arrays import rows
from siftstream.settings import Settings

FEWEST: Final = 10  # labels; with fewer a head is no better than one that knows nothing


def fitted_head(settings: Settings, onnx: bytes, known: Gathered) -> Head | None:
    """Train a linear head on the encoder's embeddings; none where too few labels are known.

    Raises:
        TrainingError: torch is not installed, or the training failed.
    """
    targets = known.targets(settings.classes)
    usable = (targets >= 0).nonzero()[0]
    if len(usable) < FEWEST or len(set(targets[usable].tolist())) < 2:
        return None
    labels = [known.labels[row] for row in usable]
    job = Job(
        inputs=rows(known.inputs, usable),
        targets=targets[usable],
        weights=np.array([label.weight for label in labels], np.float32),
        slices=tuple(label.slice for label in labels),
        classes=settings.classes,
        settings=settings.retrain.train.model_copy(update={"mode": "head"}),
        frozen=onnx,
    )
    if not len(job.where(Slice.TRAIN)):
        return None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        job.write(folder)
        asyncio.run(train(folder, settings.retrain.train.limits))
        return Head.from_bytes((folder / HEAD).read_bytes())
