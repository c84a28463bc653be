"""Which version of each line is live: the last word of the log, unless a held one stands against it."""

from collections.abc import Iterable, Sequence

from siftstream.schemas.events import ModelVersion, VersionStatus


def gone_live(versions: Iterable[ModelVersion]) -> dict[str, list[ModelVersion]]:
    """Return by line the versions that went live, the live one last.

    Versions are given once each, in the order of their last records: as a log reads after compaction, so
    whoever started later says the same. While the live version is held, only what names it as the version
    that it replaces goes live.

    >>> def went(name, **more):
    ...     facts = {"line": "main", "classes": ("a",), "status": "live", "encoder": FILE, "head": FILE}
    ...     return ModelVersion(version=name, **facts | more)
    >>> from siftstream.schemas.events import Artifact
    >>> FILE = Artifact(uri="file:///x", sha256="0" * 64, size=1)
    >>> def names(*versions):
    ...     return [version.version for version in gone_live(versions)["main"]]
    >>> names(went("v1"), went("v2", replaced="v1"))
    ['v1', 'v2']
    >>> names(went("v1", held=True), went("v2", replaced="v0"))  # its trainer had not heard of the hold
    ['v1']
    >>> names(went("v1", held=True), went("v2", replaced="v1"))  # a person promoted it
    ['v1', 'v2']
    """
    live: dict[str, list[ModelVersion]] = {}
    for version in versions:
        if version.status is VersionStatus.LIVE:
            line = live.setdefault(version.line, [])
            if not (line and line[-1].held and version.replaced != line[-1].version):
                line.append(version)
    return live


def live_of(versions: Iterable[ModelVersion]) -> dict[str, ModelVersion]:
    """Return the live version of each line; versions as in `gone_live`."""
    return {line: live[-1] for line, live in gone_live(versions).items()}


def before(live: ModelVersion, versions: Sequence[ModelVersion]) -> ModelVersion | None:
    """Return the version that was live before the live one; none where the log knows of none with files.

    Args:
        live: The live version of its line.
        versions: All, in the order of their last records.
    """
    usable = [v for v in versions if v.line == live.line and v.version != live.version and not v.collected]
    named = next((v for v in usable if v.version == live.replaced), None)
    if named is not None:
        return named
    earlier = gone_live(versions).get(live.line, [])
    names = [v.version for v in earlier if v.version != live.version and not v.collected]
    return next((v for v in usable if names and v.version == names[-1]), None)
