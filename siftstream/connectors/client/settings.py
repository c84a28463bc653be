"""Which pipeline on which cluster: the part of the configuration that a client needs."""

import os
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import yaml
from pydantic import ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from siftstream.schemas.errors import ConfigError
from siftstream.streams.settings import KafkaSettings, PipelineSettings

DEFAULT_FILE = Path("siftstream.yaml")


class Configured(Protocol):
    """What a client takes from a whole configuration."""

    @property
    def kafka(self) -> KafkaSettings:
        """The cluster."""
        ...

    @property
    def pipeline(self) -> PipelineSettings:
        """The names."""
        ...

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes; none where they are not known."""
        ...


class ClientSettings(BaseSettings):
    """The sections of the configuration that a client reads; it leaves the others alone."""

    model_config = SettingsConfigDict(env_prefix="SIFTSTREAM_", env_nested_delimiter="__", extra="ignore")

    pipeline: PipelineSettings = PipelineSettings()
    kafka: KafkaSettings = KafkaSettings()
    classes: tuple[str, ...] = ()
    state: Path = Path(".siftstream")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the file."""
        return env_settings, init_settings


def settings_of(
    address: str | None, pipeline: str | None, config: str | Path | Configured | None
) -> Configured:
    """Return what a client must know.

    Args:
        address: Kafka's `host:port`, several with commas, each perhaps as a URL; none: what the configuration
            says, else the local broker of a `siftstream up` in the same folder.
        pipeline: The pipeline's name; none: what the configuration says.
        config: A configuration or its file; none: `SIFTSTREAM_CONFIG`, else `siftstream.yaml` here if it
            is there, else the environment alone.

    Raises:
        ConfigError: no Kafka is known, or the file or an argument cannot be used.
    """
    found = _read(config) if config is None or isinstance(config, str | Path) else config
    servers = bootstrap_of(address) if address else found.kafka.bootstrap_servers or _local(found)
    if not servers:
        raise ConfigError(
            "no Kafka is known: give its address, as in Client('host:9092'), set KAFKA_BOOTSTRAP_SERVERS,"
            " or run `siftstream up` in this folder, which starts a local one"
        )
    try:
        names = PipelineSettings(name=found.pipeline.name if pipeline is None else pipeline)
    except ValidationError:
        raise ConfigError(f"pipeline {pipeline!r}: letters, digits, - and _, 64 at most") from None
    kafka = found.kafka.model_copy(update={"bootstrap_servers": servers})
    return ClientSettings.model_construct(pipeline=names, kafka=kafka, classes=found.classes)


def bootstrap_of(address: str) -> str:
    """Return Kafka's address in Kafka's way.

    >>> bootstrap_of("http://127.0.0.1:9092/")
    '127.0.0.1:9092'
    >>> bootstrap_of("kafka-1:9092, kafka-2:9092")
    'kafka-1:9092,kafka-2:9092'

    Raises:
        ConfigError: it names no host or no port.
    """
    return ",".join(_place(part.strip()) for part in address.split(",") if part.strip())


def _place(part: str) -> str:
    try:
        found = urlsplit(part if "://" in part else f"//{part}")
        if found.hostname and found.port:
            return found.netloc.rpartition("@")[2]
    except ValueError:
        pass
    raise ConfigError(f"address {part!r}: write host:port, as in 127.0.0.1:9092; it is Kafka's")


def _read(config: str | Path | None) -> ClientSettings:
    named = config or os.environ.get("SIFTSTREAM_CONFIG")
    file = Path(named) if named else DEFAULT_FILE
    try:
        values: Any = yaml.safe_load(file.read_text(encoding="utf-8")) if named or file.exists() else {}
        values = dict(values or {})
        servers = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
        if servers:
            values["kafka"] = {**(values.get("kafka") or {}), "bootstrap_servers": servers}
        return ClientSettings(**values)
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"{file} or environment: {where}: {first['msg']}") from error
    except (yaml.YAMLError, ValueError, TypeError) as error:
        raise ConfigError(f"{file}: not YAML with settings: {' '.join(str(error).split())}") from error


def _local(found: Configured) -> str | None:
    """Return the address that a `siftstream up` of this folder has left."""
    state = getattr(found, "state", None)
    try:
        return (Path(state) / "bootstrap").read_text(encoding="utf-8").strip() if state else None
    except OSError:
        return None
