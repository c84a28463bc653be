"""The retention rule: which versions give up their files, and which files nobody needs. Pure."""

from collections.abc import Iterable, Sequence

from siftstream.models.artifacts import Stored
from siftstream.schemas import Artifact, ModelVersion, VersionStatus
from siftstream.schemas.live import before, live_of


def artifacts_of(version: ModelVersion) -> tuple[Artifact, ...]:
    """Return all files that a version names."""
    named = (version.encoder, version.head, version.weights, version.lineage)
    return tuple(artifact for artifact in named if artifact is not None)


def collectable(
    versions: Sequence[ModelVersion], line: str, newest: int | None, young: float
) -> tuple[ModelVersion, ...]:
    """Return the versions of a line that give up their files, as they are to be published.

    What was live once is `retired` from then on, so that saying it again does not put it live. Never given
    up: what is pinned; what is live, its parent, the one that was live before it, and the candidates newer
    than it; the newest ones; what is young.

    Args:
        versions: All of all lines, in the order of their last records.
        line: The line whose versions may go; other lines' are theirs to collect.
        newest: So many of the newest versions stay; none: all.
        young: Nothing made at this time or later goes, seconds since the epoch.
    """
    ours = [v for v in versions if v.line == line and not v.collected and artifacts_of(v)]
    spared = _spared(ours, versions, newest)
    return tuple(_as_collected(v) for v in ours if v.key not in spared and v.created_at < young)


def unnamed(versions: Iterable[ModelVersion], files: Iterable[Stored], young: float) -> tuple[Stored, ...]:
    """Return the files that no version names which still has its own, but those put at `young` or later.

    >>> files = [Stored("0" * 64 + ".onnx", 1, 10.0), Stored("1" * 64, 1, 30.0)]
    >>> [file.changed_at for file in unnamed([], files, young=20.0)]
    [10.0]
    """
    named = {artifact.sha256 for v in versions if not v.collected for artifact in artifacts_of(v)}
    return tuple(file for file in files if file.changed_at < young and file.sha256 not in named)


def _spared(ours: Sequence[ModelVersion], versions: Sequence[ModelVersion], newest: int | None) -> set[bytes]:
    """Return the keys of the versions of a line that stay whatever their age."""
    spared = {v.key for v in ours if v.pinned}
    latest = sorted(ours, key=lambda v: v.created_at)
    spared |= {v.key for v in (latest if newest is None else latest[-newest:])}
    live = live_of(versions).get(ours[0].line) if ours else None
    if live is None:
        return spared | {v.key for v in ours if v.status is VersionStatus.CANDIDATE}
    earlier = before(live, ours)
    spared |= {live.key} | ({earlier.key} if earlier else set())
    return spared | {
        v.key
        for v in ours
        if v.version == live.parent
        or (v.status is VersionStatus.CANDIDATE and v.created_at > live.created_at)
    }


def _as_collected(version: ModelVersion) -> ModelVersion:
    status = VersionStatus.RETIRED if version.status is VersionStatus.LIVE else version.status
    return version.model_copy(update={"collected": True, "status": status, "held": False})
