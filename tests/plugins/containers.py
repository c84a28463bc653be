"""The images that `deploy/compose.yaml` names, as containers for `docker` tests: Kafka and an S3 server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import HttpWaitStrategy, LogMessageWaitStrategy

from tests.plugins.leftovers import kept

KAFKA_IMAGE = "apache/kafka:4.3.1"
S3_IMAGE = "versity/versitygw:v1.8.0"
_START = "/tmp/start.sh"

# The reaper is one more image, which machines without internet lack; the fixtures stop what they start.
testcontainers_config.ryuk_disabled = True


class ApacheKafka(DockerContainer):
    """One combined broker and controller, with a listener for this machine.

    testcontainers' own KafkaContainer starts scripts that only Confluent's image has.
    """

    port = 9094

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(KAFKA_IMAGE, **kwargs)
        self.with_exposed_ports(self.port)
        for name, value in {
            "KAFKA_NODE_ID": "1",
            "KAFKA_PROCESS_ROLES": "broker,controller",
            "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
            "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
            "KAFKA_INTER_BROKER_LISTENER_NAME": "BROKER",
            "KAFKA_LISTENERS": f"BROKER://:9092,CONTROLLER://:9093,HOST://:{self.port}",
            "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT,HOST:PLAINTEXT",
            "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
            "KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS": "1",
            "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
            "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
            "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
            "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
            "KAFKA_HEAP_OPTS": "-Xms256m -Xmx512m",
        }.items():
            self.with_env(name, value)
        # The address to advertise is known once the port is mapped: the container waits for the script.
        self.with_command(["sh", "-c", f"while [ ! -f {_START} ]; do sleep 0.1; done; exec bash {_START}"])

    @property
    def bootstrap(self) -> str:
        """The address for clients on this machine."""
        return f"{self.get_container_host_ip()}:{self.get_exposed_port(self.port)}"

    def start(self) -> ApacheKafka:
        """Start, and wait until the broker serves."""
        super().start()
        advertised = f"HOST://{self.bootstrap},BROKER://$(hostname -i | cut -d' ' -f1):9092"
        script = f"export KAFKA_ADVERTISED_LISTENERS={advertised}\nexec /etc/kafka/docker/run\n"
        self.copy_into_container(script.encode(), _START, mode=0o755)
        LogMessageWaitStrategy(r"Kafka Server started").with_startup_timeout(90).wait_until_ready(self)
        return self


class S3Server(DockerContainer):
    """Versity's S3 gateway on a folder of the container."""

    port = 7070
    access_key = "testaccess"
    secret_key = "testsecret"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(S3_IMAGE, _wait_strategy=HttpWaitStrategy(self.port, "/health"), **kwargs)
        self.with_exposed_ports(self.port)
        for name, value in {
            "ROOT_ACCESS_KEY": self.access_key,
            "ROOT_SECRET_KEY": self.secret_key,
            "VGW_PORT": f":{self.port}",
            "VGW_HEALTH": "/health",
            "VGW_BACKEND": "posix",
            "VGW_BACKEND_ARG": "/tmp/vgw",
        }.items():
            self.with_env(name, value)

    @property
    def endpoint_url(self) -> str:
        """The address for S3 clients on this machine."""
        return f"http://{self.get_container_host_ip()}:{self.get_exposed_port(self.port)}"


@pytest.fixture(scope="session")
def kafka_container() -> Iterator[ApacheKafka]:
    """Return a real Apache Kafka in a container (`docker` tests only)."""
    with kept():
        container = ApacheKafka().start()
    try:
        yield container
    finally:
        container.stop()


@pytest.fixture(scope="session")
def s3_container() -> Iterator[S3Server]:
    """Return an S3 server in a container (`docker` tests only)."""
    with kept():
        container = S3Server().start()
    try:
        yield container
    finally:
        container.stop()
