"""Which model versions have learned from a sample, or were judged by it.

A version does not name its samples. A trainer takes all of `labelled` as it stands when a training begins,
and the version says up to which offsets that was: what it knew of a sample is its last record before. Of a
version that does not say so, the clocks must tell: what was resolved before, and not taken back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from siftstream.schemas import ModelVersion, Slice, TrainingLabel, VersionStatus
from siftstream.streams.story.found import Found

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
    versions: Sequence[ModelVersion], labels: Sequence[Found], words: Sequence[float] = ()
) -> list[Learned]:
    """Return what each training had of the sample, in the order in which they began.

    Args:
        versions: Every version, in the order of `models`.
        labels: The sample's resolutions (`TrainingLabel`) that `labelled` still has, in order.
        words: When annotators said something of it; more words than resolutions: some are compacted away.

    >>> from siftstream.schemas import Artifact
    >>> file = Artifact(uri="file:///m", sha256="0" * 64, size=1)
    >>> v3 = ModelVersion(line="main", version="v3", classes=("a",), status="live", encoder=file, head=file,
    ...     trained_on=9, upto=(0, 8), created_at=100.0, seconds=20.0)
    >>> cat = TrainingLabel(sample_id="s", uri="file:///s", label="cat")
    >>> dog = cat.model_copy(update={"label": "dog"})
    >>> learned([v3], [Found("labelled", 1, 7, 79.0, cat), Found("labelled", 1, 8, 79.1, dog)])[0].text
    "its label 'cat' was in the pool when v3's training began"
    """
    newest = {version.key: version for version in versions}
    trainings = [v for v in newest.values() if v.trained_on or v.pool_size]  # an imported one learned nothing
    found = (_part(version, labels, words) for version in trainings)
    return sorted((one for one in found if one is not None), key=lambda one: (one.began, one.version))


def _part(version: ModelVersion, labels: Sequence[Found], words: Sequence[float]) -> Learned | None:
    began = version.created_at - version.seconds
    standing = _standing(version, labels, began)
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


def _standing(version: ModelVersion, labels: Sequence[Found], began: float) -> TrainingLabel | None:
    """The last resolution that a version knew; compaction removes none of it while it keeps an older one."""
    for found in reversed(labels):
        label, place = found.what, found.partition
        if not isinstance(label, TrainingLabel):
            continue
        known = (
            found.offset < version.upto[place] if place < len(version.upto) else label.resolved_at <= began
        )
        if known:
            return label
    return None


def _said(version: ModelVersion, began: float, part: Part, label: str | None, text: str) -> Learned:
    return Learned(version.line, version.version, version.status.value, began, part, label, text)
