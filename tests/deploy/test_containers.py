"""Stages as processes on this machine, against upstream's Kafka and an S3 server in containers."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml

from tests.deploy.outsider import picture, produce, read_until
from tests.plugins.containers import ApacheKafka, S3Server

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]

SIFTSTREAM = Path(sys.executable).with_name("siftstream")


@pytest.fixture
def bucket(s3_container: S3Server, topic_prefix: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return a fresh bucket, named as the pipeline, with this process's AWS environment pointing at it."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3_container.endpoint_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3_container.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3_container.secret_key)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    s3 = boto3.Session().resource("s3", region_name="us-east-1")
    yield s3.create_bucket(Bucket=topic_prefix)
    s3.meta.client.close()


@pytest.fixture
def workers(tmp_path: Path, kafka_container: ApacheKafka, topic_prefix: str, bucket: Any) -> Iterator[str]:
    """Return the name of a pipeline whose fetch, infer and select run until the test ends."""
    configuration = tmp_path / "siftstream.yaml"
    configuration.write_text(
        yaml.safe_dump(
            {
                "pipeline": {"name": topic_prefix, "partitions": 2},
                "classes": ["cat", "dog"],
                "model": {"artifacts": str(tmp_path / "models")},
                "select": {"trigger": {"every": 20}, "budget": {"per_round": 5}},
                "state": str(tmp_path / "state"),
            }
        )
    )
    environment = os.environ | {"KAFKA_BOOTSTRAP_SERVERS": kafka_container.bootstrap}
    subprocess.run(
        [SIFTSTREAM, "topics", "create", "--config", str(configuration)], env=environment, check=True
    )
    running = [
        subprocess.Popen([SIFTSTREAM, "worker", stage, "--config", str(configuration)], env=environment)
        for stage in ("fetch", "infer", "select")
    ]
    try:
        yield topic_prefix
        assert [process.poll() for process in running] == [None] * 3, "a worker ended before it was told to"
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait(15)


def test_pictures_in_s3_are_scored_and_selected(
    workers: str, kafka_container: ApacheKafka, bucket: Any
) -> None:
    for n in range(100):
        bucket.put_object(Key=f"{n}.png", Body=picture(n))
    uris = [f"s3://{workers}/{n}.png" for n in range(100)]
    produce(kafka_container.bootstrap, f"{workers}.data-uris", ({"uri": uri} for uri in uris))
    selected = read_until(kafka_container.bootstrap, f"{workers}.selected", lambda events: len(events) >= 15)
    assert {event["uri"] for event in selected} <= set(uris)
    assert len({event["sample_id"] for event in selected}) == len(selected)


def test_an_object_that_is_not_there_ends_in_dead_letters(workers: str, kafka_container: ApacheKafka) -> None:
    produce(kafka_container.bootstrap, f"{workers}.data-uris", [{"uri": f"s3://{workers}/none.png"}])
    letters = read_until(kafka_container.bootstrap, f"{workers}.dead-letters", bool)
    assert letters[0]["uri"] == f"s3://{workers}/none.png"
