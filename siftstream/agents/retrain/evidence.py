"""What stopping rules look at: the line's published versions as a history, from the last resume on."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from siftstream.schemas import ModelVersion, VersionStatus
from siftstream.strategies.stopping import Audit, History


def trained(versions: Iterable[ModelVersion]) -> list[ModelVersion]:
    """Return the versions that were trained here, whatever their verdict, by how much of L they know.

    Several trainers may publish out of order; offsets in `labelled` tell who knew more.
    """
    found = (v for v in versions if v.mode and v.status is not VersionStatus.FAILED)
    return sorted(found, key=lambda v: (sum(v.upto), v.created_at, v.version))


def since(versions: Sequence[ModelVersion], moment: float) -> list[ModelVersion]:
    """Return the versions whose training began after a moment, seconds since the epoch."""
    return [version for version in versions if version.created_at - version.seconds > moment]


def history_of(
    versions: Iterable[ModelVersion], moment: float = 0.0, predictions: Sequence[NDArray[np.int64]] = ()
) -> History:
    """Return what rules look at, of the versions that began after a moment; labels count from there too.

    >>> from siftstream.schemas import Artifact
    >>> file = Artifact(uri="file:///x", sha256="0" * 64, size=1)
    >>> before = ModelVersion(line="main", version="a", classes=("a",), status="rejected", mode="head",
    ...     encoder=file, head=file, trained_on=300, created_at=5.0)
    >>> after = before.model_copy(update={"version": "b", "trained_on": 340, "created_at": 50.0})
    >>> history_of([before, after], 10.0).labels
    (40,)
    """
    every = trained(versions)
    newer = since(every, moment)
    names = {version.version for version in newer}
    before = max((version.trained_on for version in every if version.version not in names), default=0)
    audits = [audit for version in newer if (audit := _audit(version)) is not None]
    labels = [max(0, version.trained_on - before) for version in newer]
    return History(predictions=tuple(predictions), audits=tuple(audits), labels=tuple(labels))


def loadable(versions: Sequence[ModelVersion], most: int) -> list[ModelVersion]:
    """Return the last versions whose files are there still."""
    kept = [v for v in versions if v.encoder is not None and v.head is not None and not v.collected]
    return kept[-most:]


def _audit(version: ModelVersion) -> Audit | None:
    """How many of the audit samples a version had right; weighted accuracies count as plain ones."""
    figure = version.judgement.find("accuracy", "audit") if version.judgement is not None else None
    if figure is None or not figure.count:
        return None
    return Audit(min(figure.count, max(0, round(figure.value * figure.count))), figure.count)
