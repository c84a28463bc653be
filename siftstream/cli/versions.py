"""The `models` topic from the command line: find a version, publish one."""

from pathlib import Path
from typing import Any, Final

from kafka import KafkaProducer
from kafka.errors import KafkaError

from siftstream.schemas import ModelVersion, VersionStatus
from siftstream.schemas.errors import ConfigError, UnavailableError
from siftstream.settings import Settings
from siftstream.streams.status import read_status
from siftstream.streams.topics import ensure_topics

ACKNOWLEDGED_WITHIN_S: Final = 30.0
ENCODER, HEAD, VERSION = "encoder.onnx", "head.safetensors", "version.json"


def versions_of(settings: Settings) -> dict[str, ModelVersion]:
    """Return the versions of the configured line by name, in the order they were published."""
    found = read_status(settings.kafka, settings.pipeline).versions
    return {version.version: version for version in found if version.line == settings.model.line}


def named(versions: dict[str, ModelVersion], name: str, line: str) -> ModelVersion:
    """Return a version by name; `live` is the one that is live.

    Raises:
        ConfigError: there is none of that name.
    """
    if name == "live":
        live = [version for version in versions.values() if version.status is VersionStatus.LIVE]
        if live:
            return live[-1]
    if name not in versions:
        known = ", ".join(list(versions)[-8:]) or "none yet"
        raise ConfigError(f"there is no version {name!r} in the line {line!r}; there are: {known}")
    return versions[name]


def refuse_taken(versions: dict[str, ModelVersion], name: str) -> None:
    """Raise ConfigError where a version of that name is there: workers tell versions apart by name."""
    if name in versions:
        raise ConfigError(
            f"a version {name!r} is there already; give another --name, or `models promote {name}`"
        )


def publish(settings: Settings, version: ModelVersion) -> None:
    """Put a version on the topic and wait until the broker has it.

    Raises:
        UnavailableError: the cluster does not take it.
    """
    ensure_topics(settings.kafka, settings.pipeline)
    try:
        producer: Any = KafkaProducer(acks="all", **settings.kafka.client_options())
        try:
            topic = settings.pipeline.topic(ModelVersion.topic)
            sent = producer.send(topic, version.encode(), key=version.key, partition=0)
            sent.get(timeout=ACKNOWLEDGED_WITHIN_S)
        finally:
            producer.close(timeout=ACKNOWLEDGED_WITHIN_S)
    except KafkaError as error:
        raise UnavailableError(
            f"Kafka at {settings.kafka.bootstrap_servers} did not take the version: {error}; try again"
        ) from error


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
