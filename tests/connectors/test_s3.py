"""S3 as a source: prefixes listed page by page, pushed and watched."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from siftstream.cli import app
from siftstream.connectors.delivery import Delivery
from siftstream.connectors.sent import Sent, record_file
from siftstream.connectors.sources import s3 as s3_module
from siftstream.connectors.sources.arrivals import PrefixPlace
from siftstream.connectors.sources.base import refuse
from siftstream.connectors.sources.named import source_of
from siftstream.connectors.sources.patterns import Patterns
from siftstream.connectors.sources.s3 import Prefix
from siftstream.connectors.watch import Rules, Watch
from siftstream.schemas.errors import ConfigError, LoadError, UnavailableError
from siftstream.streams.settings import KafkaSettings, PipelineSettings
from siftstream.streams.topics import ensure_topics
from tests.cli.deadline import eventually
from tests.connectors.topic import count_in, events_in, names_in

KEYS = ("a/1.png", "a/deep/2 %41.png", "a/notes.txt", "a/.hidden", "a/folder/", "ab/3.png")


@pytest.fixture
def bucket(s3: Any, request: pytest.FixtureRequest) -> str:
    """A bucket of its own with a few objects."""
    name = f"b{abs(hash(request.node.nodeid)):x}"
    s3.create_bucket(Bucket=name)
    for key in KEYS:
        s3.put_object(Bucket=name, Key=key, Body=b"x")
    return name


def uris(word: str, patterns: Patterns | None = None) -> list[str]:
    source = source_of(word, None, patterns or Patterns())
    return [entry.uri for entry in source.entries(refuse)]


def test_a_prefix_gives_every_object_below_as_its_key_stands(bucket: str) -> None:
    below = [f"s3://{bucket}/a/{name}" for name in ("1.png", "deep/2 %41.png", "notes.txt")]
    assert uris(f"s3://{bucket}/a/") == below
    assert uris(f"s3://{bucket}") == uris(f"s3://{bucket}/") == [*below, f"s3://{bucket}/ab/3.png"]
    assert uris(f"s3://{bucket}/a/", Patterns(["*.png"], ["deep"])) == below[:1]


def test_a_single_object_is_one_uri_and_needs_no_server() -> None:
    assert uris("s3://anybody/a/1.png") == ["s3://anybody/a/1.png"]


def test_a_listing_of_several_pages_is_read_to_its_end(
    s3: Any, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_module, "PAGE", 2)
    for number in range(5):
        s3.put_object(Bucket=bucket, Key=f"many/{number}", Body=b"")
    assert uris(f"s3://{bucket}/many/") == [f"s3://{bucket}/many/{number}" for number in range(5)]


def test_a_bucket_that_is_not_there_is_told(s3: Any) -> None:
    with pytest.raises(LoadError, match=r"s3://nobodys-bucket/: cannot be listed: S3 says NoSuchBucket"):
        uris("s3://nobodys-bucket/")


def test_a_name_that_no_bucket_can_have_is_told(s3: Any) -> None:
    with pytest.raises(ConfigError, match="is the name of the bucket right"):
        uris("s3://no bucket/")


def test_a_server_that_is_away_is_told(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(UnavailableError, match="S3 does not answer"):
        uris("s3://cats/")


def test_missing_credentials_are_told(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, "nowhere")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(ConfigError, match="NoCredentialsError: set AWS_ACCESS_KEY_ID"):
        uris("s3://cats/")


@pytest.fixture
def kafka(broker: str, topic_prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The topic of a pipeline of its own."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", broker)
    monkeypatch.setenv("SIFTSTREAM_PIPELINE__NAME", topic_prefix)
    monkeypatch.delenv("SIFTSTREAM_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    ensure_topics(KafkaSettings(bootstrap_servers=broker), PipelineSettings(name=topic_prefix))
    return f"{topic_prefix}.data-uris"


@pytest.mark.kafka
def test_a_prefix_is_pushed_and_pushed_again(s3: Any, bucket: str, broker: str, kafka: str) -> None:
    words = ["push", f"s3://{bucket}/a/", "--include", "*.png"]
    assert "2 of 2 URIs are in" in CliRunner().invoke(app, words).output
    s3.put_object(Bucket=bucket, Key="a/0.png", Body=b"x")
    assert "3 of 3 URIs are in" in CliRunner().invoke(app, words).output
    assert names_in(broker, kafka) == ["0.png", "1.png", "2 %41.png"]


@contextmanager
def watching(uri: str, broker: str, topic: str, state: Path, rules: Rules) -> Iterator[list[str]]:
    """Watch a prefix; yields what is said."""
    said: list[str] = []
    stop = threading.Event()
    settings = KafkaSettings(bootstrap_servers=broker)
    file = record_file(state, settings, topic)

    def run() -> None:
        with Sent(file) as sent:
            delivery = Delivery(settings, topic, sent, patience=1.0)
            try:
                Watch([PrefixPlace(Prefix(uri))], delivery, sent, rules, stop, said.append).run()
            finally:
                delivery.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield said
    finally:
        stop.set()
        thread.join()


@pytest.mark.kafka
def test_new_objects_are_sent_and_changed_ones_where_asked(
    s3: Any, bucket: str, broker: str, kafka: str, tmp_path: Path
) -> None:
    uri, rules = f"s3://{bucket}/ab/", Rules(every=0.2, changed=True)
    with watching(uri, broker, kafka, tmp_path, rules):
        eventually(lambda: count_in(broker, kafka) == 1, 30, "what was there is sent")
        s3.put_object(Bucket=bucket, Key="ab/4.png", Body=b"x")
        eventually(lambda: count_in(broker, kafka) == 2, 30, "a new key is sent")
        s3.put_object(Bucket=bucket, Key="ab/3.png", Body=b"other")
        eventually(lambda: count_in(broker, kafka) == 3, 30, "a new ETag is sent")
    with watching(uri, broker, kafka, tmp_path, rules):
        s3.put_object(Bucket=bucket, Key="ab/5.png", Body=b"x")
        eventually(lambda: count_in(broker, kafka) == 4, 30, "after a restart only what is new")
    assert names_in(broker, kafka) == ["3.png", "3.png", "4.png", "5.png"]
    assert len({event.sample_id for event in events_in(broker, kafka)}) == 4


@pytest.mark.kafka
def test_new_only_leaves_out_what_was_there(
    s3: Any, bucket: str, broker: str, kafka: str, tmp_path: Path
) -> None:
    with watching(f"s3://{bucket}", broker, kafka, tmp_path, Rules(every=0.2, new_only=True)) as said:
        eventually(lambda: said, 30, "it has looked")
        s3.put_object(Bucket=bucket, Key="a/4.png", Body=b"x")
        eventually(lambda: count_in(broker, kafka) == 1, 30, "the new one is sent")
    assert names_in(broker, kafka) == ["4.png"]


@pytest.mark.kafka
def test_an_outage_of_s3_is_told_once_and_waited_for(
    s3: Any, bucket: str, broker: str, kafka: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with watching(f"s3://{bucket}/ab/", broker, kafka, tmp_path, Rules(every=0.2)) as said:
        eventually(lambda: count_in(broker, kafka) == 1, 30, "what was there is sent")
        with monkeypatch.context() as away:
            away.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
            away.setenv("AWS_MAX_ATTEMPTS", "1")
            eventually(lambda: any("S3 does not answer" in words for words in said), 30, "it is told")
            s3.put_object(Bucket=bucket, Key="ab/4.png", Body=b"x")
        eventually(lambda: count_in(broker, kafka) == 2, 60, "the new one is sent")
    assert sum("S3 does not answer" in words for words in said) == 1
    assert any("can be looked at again" in words for words in said)
