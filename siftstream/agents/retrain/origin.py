"""Where a version comes from: its lineage, from the snapshot and the job that made it."""

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Final

import numpy as np
from numpy.typing import NDArray

from siftstream.agents.retrain.pool import Snapshot
from siftstream.models.lineage import Lineage
from siftstream.models.training import Job
from siftstream.schemas import ModelVersion

PACKAGES: Final = ("siftstream", "torch", "numpy", "onnxruntime", "onnxruntime-gpu")


def lineage_of(
    line: str, name: str, at: float, pool: Snapshot, job: Job, parent: ModelVersion | None
) -> Lineage:
    """Return the lineage of a version that a job made of a snapshot at a time, seconds since the epoch."""
    before = None
    if parent is not None:
        began_with = parent.encoder if job.frozen is not None else parent.weights if job.start else None
        before = began_with.sha256 if began_with else None
    return Lineage(
        line=line, version=name, parent=parent.version if parent else None, classes=job.classes,
        settings=job.settings.model_dump(mode="json"), encoder=before, code=code_here(), trained_at=at,
        upto=pool.upto, ids=tuple(pool.ids), partitions=tuple(pool.partitions_N.tolist()),
        offsets=tuple(pool.offsets_N.tolist()), targets=tuple(pool.classes_N.tolist()),
        weights=_shortest(job.weights), slices=tuple(pool.slices_N.tolist()),
        uris={pool.ids[row]: pool.uris[row] for row in np.flatnonzero(pool.offsets_N < 0).tolist()},
    )  # fmt: skip


def _shortest(weights_N: NDArray[np.float32]) -> tuple[float, ...]:
    """Return float32 numbers as the shortest decimals that mean them: 0.9, not 0.8999999761581421."""
    values, places = np.unique(weights_N, return_inverse=True)
    return tuple(values.astype(str).astype(np.float64)[places].tolist())


def code_here() -> dict[str, str]:
    """Return the versions of what computes, as far as they are installed here."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
