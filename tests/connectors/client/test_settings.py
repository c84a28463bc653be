"""Where a client finds its pipeline: argument, environment, file, local broker, in this order."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from siftstream import Client
from siftstream.connectors.client.settings import bootstrap_of, settings_of
from siftstream.schemas.errors import ConfigError, LabelError
from siftstream.settings import load_settings

FILE = """
kafka: {bootstrap_servers: "in-the-file:9092", sasl_username: ann}
pipeline: {name: cats, partitions: 8}
classes: [cat, dog]
metrics: {port: 4711}
"""


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("KAFKA_BOOTSTRAP_SERVERS", "SIFTSTREAM_CONFIG", "SIFTSTREAM_PIPELINE__NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("address", "servers"),
    [
        ("127.0.0.1:9092", "127.0.0.1:9092"),
        ("http://0.0.0.0:60035", "0.0.0.0:60035"),
        ("grpc://kafka:9092/", "kafka:9092"),
        ("a:1,b:2", "a:1,b:2"),
        ("[::1]:9092", "[::1]:9092"),
    ],
)
def test_an_address_may_be_written_as_a_url(address: str, servers: str) -> None:
    assert bootstrap_of(address) == servers
    assert settings_of(address, None, None).kafka.bootstrap_servers == servers


@pytest.mark.parametrize("address", ["kafka", "http://kafka", "kafka:port", ":9092", "9092"])
def test_an_address_without_host_or_port_is_refused(address: str) -> None:
    with pytest.raises(ConfigError, match="write host:port"):
        Client(address)


def test_the_file_the_environment_and_the_arguments_in_this_order(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("siftstream.yaml").write_text(FILE)
    found = settings_of(None, None, None)
    assert (found.kafka.bootstrap_servers, found.pipeline.name) == ("in-the-file:9092", "cats")
    assert found.classes == ("cat", "dog")
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "environment:1")
    monkeypatch.setenv("SIFTSTREAM_PIPELINE__NAME", "dogs")
    found = settings_of(None, None, None)
    assert (found.kafka.bootstrap_servers, found.pipeline.name) == ("environment:1", "dogs")
    assert found.kafka.sasl_username == "ann", "what the environment does not say stands in the file"
    found = settings_of("argument:2", "cows", None)
    assert (found.kafka.bootstrap_servers, found.pipeline.name) == ("argument:2", "cows")


def test_a_whole_configuration_says_the_same_as_its_file() -> None:
    Path("other.yaml").write_text(FILE)
    whole = settings_of(None, None, load_settings(Path("other.yaml")))
    part = settings_of(None, None, "other.yaml")
    assert (whole.kafka, whole.pipeline.name, whole.classes) == (part.kafka, "cats", part.classes)


def test_the_local_broker_of_this_folder_is_found() -> None:
    with pytest.raises(ConfigError, match="no Kafka is known"):
        Client()
    Path(".siftstream").mkdir()
    Path(".siftstream/bootstrap").write_text("127.0.0.1:4711\n")
    assert settings_of(None, None, None).kafka.bootstrap_servers == "127.0.0.1:4711"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("kafka: {bootstrap_server: a:1}", "kafka.bootstrap_server: Extra inputs"),
        ("kafka: [", "not YAML"),
        ("- a", "not YAML with settings"),
    ],
)
def test_a_wrong_file_is_told(words: str, told: str) -> None:
    Path("wrong.yaml").write_text(words)
    with pytest.raises(ConfigError, match=f"wrong.yaml.*: {told}"):
        Client("a:1", config="wrong.yaml")
    with pytest.raises(ConfigError, match=r"none\.yaml: cannot be read"):
        Client("a:1", config="none.yaml")


def test_a_label_that_is_no_class_of_the_configuration_is_refused_before_kafka_is_asked() -> None:
    Path("siftstream.yaml").write_text(FILE)
    client = Client("127.0.0.1:1")
    with pytest.raises(LabelError, match="label 'cta' of a is no class; did you mean cat"):
        client.label("a", "cta")
    client.close()


def test_importing_siftstream_loads_no_client() -> None:
    code = (
        "import sys, siftstream; light = set(sys.modules);"
        "from siftstream import AsyncClient, Client;"
        "sys.exit(' '.join({'aiokafka', 'pydantic', 'numpy', 'siftstream.connectors'} & light) or 0)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
