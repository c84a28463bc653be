"""Which model versions have learned from a sample, or were judged by it.

A version does not name its samples. A trainer takes all of `labelled` as it stands when a training begins, so
what is known is whether the sample's label was in that pool then: resolved before, and not taken back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from siftstream.schemas import ModelVersion, Slice, TrainingLabel, VersionStatus

Part: TypeAlias = Literal["learned", "judged", "perhaps"]


@dataclass(frozen=True)
class Learned:
    """What one training had of the sample."""

    line: str
    version: str
    status: str
    began: float  # the training's begin, seconds since the epoch
    part: Part
    label: str | None
    text: str


def learned(
    versions: Sequence[ModelVersion], labels: Sequence[TrainingLabel], words: Sequence[float] = ()
) -> list[Learned]:
    """Return what each training had of the sample, in the order in which they began.

    Args:
        versions: Every version, in the order of `models`.
        labels: The sample's resolutions that `labelled` still has, in order.
        words: When annotators said something of it; more words than resolutions: some are compacted away.

    >>> from siftstream.schemas import Artifact
    >>> file = Artifact(uri="file:///m", sha256="0" * 64, size=1)
    >>> v3 = ModelVersion(line="main", version="v3", classes=("a",), status="live", encoder=file, head=file,
    ...     trained_on=9, created_at=100.0, seconds=20.0)
    >>> cat = TrainingLabel(sample_id="s", uri="file:///s", label="cat", resolved_at=79.0)
    >>> learned([v3], [cat])[0].text
    "its label 'cat' was in the pool when v3's training began"
    """
    newest = {version.key: version for version in versions}
    trainings = [v for v in newest.values() if v.trained_on or v.pool_size]  # an imported one learned nothing
    found = (_part(version, labels, words) for version in trainings)
    return sorted((one for one in found if one is not None), key=lambda one: (one.began, one.version))


def _part(version: ModelVersion, labels: Sequence[TrainingLabel], words: Sequence[float]) -> Learned | None:
    began = version.created_at - version.seconds
    standing = next((label for label in reversed(labels) if label.resolved_at <= began), None)
    if standing is None:
        compacted = len(labels) < len(words)
        if not (compacted and labels and min(words) <= began):
            return None
        text = f"what its label was when {version.version}'s training began is compacted away"
        return _said(version, began, "perhaps", None, text)
    if not standing.usable:
        return None
    when = f"when {version.version}'s training began"
    if version.status is VersionStatus.FAILED:
        when += ", which failed"
    if standing.slice is Slice.TRAIN:
        text = f"its label '{standing.label}' was in the pool {when}"
        return _said(version, began, "learned", standing.label, text)
    kept = "chosen for the audit" if standing.slice is Slice.AUDIT else "held out"
    text = f"its label '{standing.label}' was in the pool {when}, {kept}: to judge it, not to train it"
    return _said(version, began, "judged", standing.label, text)


def _said(version: ModelVersion, began: float, part: Part, label: str | None, text: str) -> Learned:
    return Learned(version.line, version.version, version.status.value, began, part, label, text)
