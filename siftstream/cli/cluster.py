"""Which Kafka: the configured one, or the local broker of a `siftstream up` in the same folder."""

import socket
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from siftstream.schemas.errors import ConfigError, UnavailableError
from siftstream.settings import Settings, load_settings

ANSWER_WITHIN_S = 2.0


def settings_with_cluster(config: Path | None, *, patient: bool = False) -> Settings:
    """Return the configuration, with the address of the local broker where it names no cluster.

    Args:
        config: The file; none: the usual places.
        patient: Leave it to Kafka's client to wait for a configured cluster; else it must listen now.

    Raises:
        ConfigError: the configuration is wrong, or no cluster is named and no local broker known.
        UnavailableError: nothing listens there.
    """
    settings = load_settings(config)
    if settings.kafka.servers:
        if not patient and not any(answers(server) for server in settings.kafka.servers):
            raise UnavailableError(
                f"nothing listens on {settings.kafka.bootstrap_servers}: is Kafka up, is the address right?"
            )
        return settings
    file = address_file(settings)
    address = read_address(file)
    if address is None:
        raise ConfigError(
            "no Kafka is known: run `siftstream up` in this folder, which starts a local one,"
            " or set KAFKA_BOOTSTRAP_SERVERS or kafka.bootstrap_servers"
        )
    if not answers(address):
        raise UnavailableError(
            f"nothing listens on {address}, which {file} names: the `siftstream up` that wrote it has ended;"
            " start it again, or set KAFKA_BOOTSTRAP_SERVERS"
        )
    return on_cluster(settings, address)


def on_cluster(settings: Settings, address: str) -> Settings:
    """Return the same configuration on another cluster."""
    kafka = settings.kafka.model_copy(update={"bootstrap_servers": address})
    return settings.model_copy(update={"kafka": kafka})


@contextmanager
def announced(settings: Settings, address: str) -> Generator[None]:
    """Let commands in other terminals find the local broker for as long as it runs.

    Raises:
        ConfigError: another local broker runs for this folder.
    """
    file = address_file(settings)
    refuse_second(settings)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(address + "\n", encoding="utf-8")
    try:
        yield
    finally:
        if read_address(file) == address:
            file.unlink(missing_ok=True)


def refuse_second(settings: Settings) -> None:
    """Raise ConfigError where a local broker of this state folder runs already."""
    file = address_file(settings)
    there = read_address(file)
    if there is not None and answers(there):
        raise ConfigError(
            f"a local Kafka of this pipeline runs already on {there} (says {file}):"
            " stop that `siftstream up`, or set another `state` folder"
        )


def address_file(settings: Settings) -> Path:
    """The file that holds the local broker's address."""
    return settings.state / "bootstrap"


def read_address(file: Path) -> str | None:
    """Return the address in the file, if there is one."""
    try:
        words = file.read_text(encoding="utf-8").strip()
    except OSError:
        return None
    host, colon, port = words.rpartition(":")
    return words if host and colon and port.isdigit() else None


def answers(address: str) -> bool:
    """Whether something listens there."""
    host, _, port = address.rpartition(":")
    if not port.isdigit():
        return True  # a form that only Kafka's client understands
    try:
        socket.create_connection((host.strip("[]"), int(port)), ANSWER_WITHIN_S).close()
    except OSError:
        return False
    return True
