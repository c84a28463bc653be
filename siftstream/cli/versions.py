"""The `models` topic from the command line: find a version, publish one, put one live."""

from pathlib import Path

from siftstream.cli.writing import write_event
from siftstream.models.artifacts import ArtifactStore
from siftstream.schemas import ModelVersion, VersionStatus
from siftstream.schemas.errors import ConfigError, ModelError
from siftstream.schemas.live import live_of
from siftstream.settings import Settings
from siftstream.streams.status import read_status

ENCODER, HEAD, VERSION = "encoder.onnx", "head.safetensors", "version.json"


def versions_of(settings: Settings) -> dict[str, ModelVersion]:
    """Return the versions of the configured line by name, in the order of their last records."""
    return {v.version: v for v in every_version(settings) if v.line == settings.model.line}


def every_version(settings: Settings) -> tuple[ModelVersion, ...]:
    """Return the versions of all lines, in the order of their last records."""
    return read_status(settings.kafka, settings.pipeline).versions


def live_in(versions: dict[str, ModelVersion]) -> ModelVersion | None:
    """Return the live one of a line's versions, if there is one."""
    return next(iter(live_of(versions.values()).values()), None)


def named(versions: dict[str, ModelVersion], name: str, line: str) -> ModelVersion:
    """Return a version by name; `live` is the one that is live.

    Raises:
        ConfigError: there is none of that name.
    """
    live = live_in(versions)
    if name == "live" and live is not None:
        return live
    if name not in versions:
        known = ", ".join(list(versions)[-8:]) or "none yet"
        raise ConfigError(f"there is no version {name!r} in the line {line!r}; there are: {known}")
    return versions[name]


def put_live(settings: Settings, version: ModelVersion, reason: str, *, held: bool = False) -> None:
    """Put a version live, and see that it is: a trainer may publish at the same moment.

    Raises:
        UnavailableError: the cluster does not take it; ModelError: something else went live meanwhile.
    """
    publish(
        settings,
        version.model_copy(update={"status": VersionStatus.LIVE, "reason": reason, "held": held}),
    )
    live = live_in(versions_of(settings))
    if live is None or live.version != version.version:
        raise ModelError(
            f"{version.version} was live for a moment, then {live.version if live else 'nothing'} went live;"
            " try again, with --hold where trainers are not to replace it"
        )


def say_again(settings: Settings, version: ModelVersion) -> None:
    """Publish what changed about a version (a pin, its end) without changing what is live.

    What was live once is `retired` from then on: its record is the last one, and would put it live.

    Raises:
        UnavailableError: the cluster does not take it.
    """
    before = versions_of(settings)
    live = live_in(before)
    if version.status is VersionStatus.LIVE and (live is None or live.version != version.version):
        version = version.model_copy(update={"status": VersionStatus.RETIRED, "held": False})
    write_record(settings, version)
    if version.status is not VersionStatus.LIVE:
        return
    for other in versions_of(settings).values():  # what went live between our look and our word
        said = other.status is VersionStatus.LIVE and other != before.get(other.version)
        if said and other.version != version.version:
            write_record(settings, other)


def refuse_taken(versions: dict[str, ModelVersion], name: str) -> None:
    """Raise ConfigError where a version of that name is there: workers tell versions apart by name."""
    if name in versions:
        raise ConfigError(
            f"a version {name!r} is there already; give another --name, or `models promote {name}`"
        )


def publish(settings: Settings, version: ModelVersion) -> None:
    """Put a version on the topic and wait until the broker has it; a live one replaces what is live.

    Raises:
        UnavailableError: the cluster, or the store of its files, does not take it.
    """
    ArtifactStore.open(settings.model.artifacts).claim(settings.pipeline.name)
    if version.status is VersionStatus.LIVE:
        live = live_in(versions_of(settings))
        if live is not None and live.version != version.version:
            version = version.model_copy(update={"replaced": live.version})
    write_record(settings, version)


def write_record(settings: Settings, version: ModelVersion) -> None:
    """Write a version as it stands and wait until the broker has it.

    Raises:
        UnavailableError: the cluster does not take it.
    """
    write_event(settings, version, "version")


def write(folder: Path, onnx: bytes, head: bytes, version: ModelVersion) -> None:
    """Write a version's files into a folder instead of publishing it.

    Raises:
        ConfigError: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ENCODER).write_bytes(onnx)
        (folder / HEAD).write_bytes(head)
        (folder / VERSION).write_text(version.model_dump_json(indent=2, exclude_none=True), encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"-o {folder}: cannot be written: {error.strerror or error}") from error
